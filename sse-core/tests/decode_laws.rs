//! Laws for every event stream, however it is cut into chunks.

mod reference_decoder;

use std::time::Duration;

use proptest::{collection::vec, prelude::*, sample::select};
use reference_decoder::{Bounds, Item};
use sse_core::{Decoded, Decoder, DecoderLimits, Event, EventId, EventType};

const WIDE: Bounds = Bounds {
    line: usize::MAX,
    event: usize::MAX,
    id: usize::MAX,
};

/// Returns the items that `decoder` decodes from `chunks`.
fn decode<'c>(decoder: &mut Decoder, chunks: impl IntoIterator<Item = &'c [u8]>) -> Vec<Item> {
    let mut items = Vec::new();
    for mut input in chunks {
        loop {
            items.push(match decoder.decode(&mut input) {
                Ok(Some(Decoded::Event(event))) => Item::Event {
                    event_type: event.event_type().into(),
                    data: event.data().into(),
                    last_event_id: event.last_event_id().into(),
                },
                Ok(Some(Decoded::Comment(comment))) => Item::Comment(comment.into()),
                Ok(Some(Decoded::ReconnectionTime(time))) => {
                    Item::ReconnectionTime(time.as_millis().try_into().unwrap())
                }
                Ok(Some(Decoded::IdTooLong(_))) => Item::IdTooLong,
                Ok(Some(other)) => panic!("what is {other:?}?"),
                Ok(None) => break,
                Err(error) => Item::PastBound(error.bound()),
            });
        }
        assert!(input.is_empty(), "`None` says that the input is used up");
    }
    items
}

fn decoder(bounds: Bounds) -> Decoder {
    Decoder::with_limits(
        DecoderLimits::default()
            .with_line(bounds.line)
            .with_event(bounds.event)
            .with_id(bounds.id),
    )
}

/// Returns `stream` in chunks of these sizes, repeatedly.
fn chunks<'s>(mut stream: &'s [u8], sizes: &[usize]) -> Vec<&'s [u8]> {
    let mut chunks = Vec::new();
    for size in sizes.iter().cycle() {
        if stream.is_empty() {
            break;
        }
        let (chunk, rest) = stream.split_at((*size).min(stream.len()));
        chunks.push(chunk);
        stream = rest;
    }
    chunks
}

/// Returns bytes that are likely to mean something to a decoder.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let words: Vec<&[u8]> = vec![
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b":",
        b" ",
        b"data",
        b"data:",
        b"data: ",
        b"event: ",
        b"id: ",
        b"id",
        b"retry: ",
        b"1",
        b"007",
        b"x",
        b"a longer text",
        b"\0",
        b"\x1b",
        b"\t",
        b"\xEF\xBB\xBF",
        b"\xEF\xBB",
        b"\xEF",
        "é".as_bytes(),
        "日本".as_bytes(),
        b"\xF0\x9F",
        b"\x98\x80",
        b"\x80",
        b"\xFF",
        b"\xE2\x82",
        b"99999999999999999999",
    ];
    let word = prop_oneof![
        20 => select(words).prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 0..4),
    ];
    vec(word, 0..60).prop_map(|words| words.concat())
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    // Some chunks may be empty, but not all of them.
    vec(0..20_usize, 0..8).prop_map(|mut sizes| {
        sizes.push(1 + sizes.len());
        sizes
    })
}

fn bounds() -> impl Strategy<Value = Bounds> {
    prop_oneof![
        Just(WIDE),
        (0..40_usize, 0..40_usize, 0..10_usize).prop_map(|(line, event, id)| Bounds {
            line,
            event,
            id
        }),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let text = "[a-z:\r\n é日\0]{0,12}";
    let line = "[a-z: é日]{0,8}";
    let time = prop_oneof![0..u64::MAX, 0..10_000_u64];
    (
        proptest::option::of(text),
        proptest::option::of(line),
        proptest::option::of(line),
        proptest::option::of(time),
    )
        .prop_map(|(data, id, event_type, time)| {
            let mut event = data.map_or_else(Event::without_data, Event::new);
            if let Some(id) = id {
                event = event.under_id(EventId::new(id).unwrap());
            }
            if let Some(event_type) = event_type {
                let event_type = EventType::new(event_type).unwrap();
                event = event.of_type(event_type);
            }
            if let Some(millis) = time {
                event = event.with_reconnection_time(Duration::from_millis(millis));
            }
            event
        })
}

/// Returns the items that a client has to dispatch for `events`.
fn dispatched(events: &[Event]) -> Vec<Item> {
    let mut items = Vec::new();
    let mut last_event_id = String::new();
    for event in events {
        if let Some(time) = event.reconnection_time() {
            items.push(Item::ReconnectionTime(time.as_millis().try_into().unwrap()));
        }
        if let Some(id) = event.id() {
            last_event_id = id.to_string();
        }
        if let Some(data) = event.data() {
            let event_type = event
                .event_type()
                .map_or("", |event_type| event_type.as_str());
            items.push(Item::Event {
                event_type: match event_type {
                    "" => "message".into(),
                    event_type => event_type.into(),
                },
                data: data.replace("\r\n", "\n").replace('\r', "\n"),
                last_event_id: last_event_id.clone(),
            });
        }
    }
    items
}

/// Runs more cases than usual, because most streams mean little; `PROPTEST_CASES` sets another number.
fn cases(usual: u32) -> ProptestConfig {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(usual),
    }
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn chunks_make_no_difference(
        mut stream in stream(),
        sizes in sizes(),
        bounds in bounds(),
        // Far from the end of its chunk an event takes another path.
        tail in prop::sample::select(vec![0, 64]),
    ) {
        stream.resize(stream.len() + tail, b'x');
        let (expected, left) = reference_decoder::decode(&stream, bounds);
        for chunks in [vec![&stream[..]], chunks(&stream, &sizes), stream.chunks(1).collect()] {
            let mut decoder = decoder(bounds);
            prop_assert_eq!(&decode(&mut decoder, chunks), &expected);
            prop_assert_eq!(decoder.last_event_id(), &left.last_event_id);
            prop_assert_eq!(decoder.last_event_id_to_send(), &left.to_send);
        }
    }

    #[test]
    fn events_by_themselves_are_those_among_all_items(
        mut stream in stream(),
        sizes in sizes(),
        bounds in bounds(),
        tail in prop::sample::select(vec![0, 64]),
    ) {
        stream.resize(stream.len() + tail, b'x');
        let (items, left) = reference_decoder::decode(&stream, bounds);
        let expected: Vec<Item> = items
            .into_iter()
            .filter(|item| matches!(item, Item::Event { .. } | Item::PastBound(_)))
            .collect();
        for chunks in [vec![&stream[..]], chunks(&stream, &sizes), stream.chunks(1).collect()] {
            let (mut lending, mut owning) = (decoder(bounds), decoder(bounds));
            let (mut lent, mut owned) = (Vec::new(), Vec::new());
            for chunk in chunks {
                let mut input = chunk;
                while let Some(event) = lending.decode_event_ref(&mut input).transpose() {
                    lent.push(event.map_or_else(
                        |error| Item::PastBound(error.bound()),
                        |event| Item::Event {
                            event_type: event.event_type().into(),
                            data: event.data().into(),
                            last_event_id: event.last_event_id().into(),
                        },
                    ));
                }
                prop_assert!(input.is_empty());
                let mut input = chunk;
                while let Some(event) = owning.decode_event(&mut input).transpose() {
                    owned.push(event.map_or_else(
                        |error| Item::PastBound(error.bound()),
                        |event| Item::Event {
                            event_type: event.event_type().into(),
                            data: event.data().into(),
                            last_event_id: event.last_event_id().into(),
                        },
                    ));
                }
                prop_assert!(input.is_empty());
                prop_assert_eq!(lending.reconnection_time(), owning.reconnection_time());
            }
            prop_assert_eq!(&lent, &expected);
            prop_assert_eq!(&owned, &expected);
            prop_assert_eq!(lending.last_event_id(), &left.last_event_id);
            prop_assert_eq!(lending.last_event_id_to_send(), &left.to_send);
        }
    }

    #[test]
    fn reconnection_times_are_kept_where_events_alone_are_asked_for(
        stream in stream(),
        sizes in sizes(),
    ) {
        let (mut all, mut events) = (decoder(WIDE), decoder(WIDE));
        for chunk in chunks(&stream, &sizes) {
            let mut input = chunk;
            while all.decode(&mut input).unwrap().is_some() {}
            let mut input = chunk;
            while events.decode_event_ref(&mut input).unwrap().is_some() {}
            prop_assert_eq!(all.reconnection_time(), events.reconnection_time());
        }
    }

    #[test]
    fn encoded_events_decode_to_the_same(events in vec(event(), 0..8), sizes in sizes()) {
        let mut wire = Vec::new();
        for event in &events {
            event.encode(&mut wire);
        }
        let items = decode(&mut Decoder::new(), chunks(&wire, &sizes));
        prop_assert_eq!(items, dispatched(&events));
    }

    #[test]
    fn a_new_stream_begins_afresh(before in stream(), after in stream(), bounds in bounds()) {
        let mut restarted = decoder(bounds);
        decode(&mut restarted, [&before[..]]);
        restarted.restart();

        let mut fresh = decoder(bounds);
        fresh.set_last_event_id(&EventId::new(restarted.last_event_id()).unwrap());

        prop_assert_eq!(
            decode(&mut restarted, [&after[..]]),
            decode(&mut fresh, [&after[..]])
        );
        prop_assert_eq!(restarted.last_event_id(), fresh.last_event_id());
    }
}
