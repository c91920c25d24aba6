//! Decodes arbitrary bytes in arbitrary chunks: the result is that of the whole, and that of a decoder
//! that follows the standard's text.
//!
//! The first byte chooses the chunks, the second the bounds.
#![no_main]

mod cuts;
#[path = "../../sse-core/tests/reference_decoder/mod.rs"]
mod reference_decoder;

use libfuzzer_sys::fuzz_target;
use reference_decoder::{Bounds, Item};
use sse_core::{Decoded, Decoder, DecoderLimits};

const WIDE: Bounds = Bounds {
    line: usize::MAX,
    event: usize::MAX,
    id: usize::MAX,
};

fn events_alone(seed: u8, stream: &[u8], limits: DecoderLimits) -> Vec<Item> {
    let (mut decoder, mut items) = (Decoder::with_limits(limits), Vec::new());
    for mut chunk in cuts::cut(seed, stream) {
        while let Some(event) = decoder.decode_event_ref(&mut chunk).transpose() {
            items.push(match event {
                Ok(event) => Item::Event {
                    event_type: event.event_type().into(),
                    data: event.data().into(),
                    last_event_id: event.last_event_id().into(),
                },
                Err(error) => Item::PastBound(error.bound()),
            });
        }
    }
    items
}

fuzz_target!(|bytes: &[u8]| {
    let [seed, bounds, stream @ ..] = bytes else {
        return;
    };
    let bounds = match bounds {
        0 => WIDE,
        most => Bounds {
            line: usize::from(*most),
            event: usize::from(*most) * 3 / 2,
            id: usize::from(*most) / 4,
        },
    };
    let limits = DecoderLimits::default()
        .with_line(bounds.line)
        .with_event(bounds.event)
        .with_id(bounds.id);
    let (mut decoder, mut items) = (Decoder::with_limits(limits), Vec::new());
    for mut chunk in cuts::cut(*seed, stream) {
        loop {
            let before = chunk.len();
            items.push(match decoder.decode(&mut chunk) {
                Ok(Some(Decoded::Event(event))) => Item::Event {
                    event_type: event.event_type().into(),
                    data: event.data().into(),
                    last_event_id: event.last_event_id().into(),
                },
                Ok(Some(Decoded::Comment(comment))) => Item::Comment(comment.into()),
                Ok(Some(Decoded::ReconnectionTime(time))) => {
                    Item::ReconnectionTime(u64::try_from(time.as_millis()).expect("it was a u64"))
                }
                Ok(Some(Decoded::IdTooLong(_))) => Item::IdTooLong,
                Ok(Some(other)) => panic!("{other:?}"),
                Ok(None) => break,
                Err(error) => Item::PastBound(error.bound()),
            });
            assert!(chunk.len() < before, "each item uses something up");
        }
        assert!(chunk.is_empty(), "`None` says that the input is used up");
    }
    let (mut expected, left) = reference_decoder::decode(stream, bounds);
    assert_eq!(items, expected);
    expected.retain(|item| matches!(item, Item::Event { .. } | Item::PastBound(_)));
    assert_eq!(events_alone(*seed, stream, limits), expected);
    assert_eq!(decoder.last_event_id(), left.last_event_id);
    assert_eq!(decoder.last_event_id_to_send(), left.to_send);
});
