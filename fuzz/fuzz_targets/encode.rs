//! Encodes arbitrary text: an invalid text is rejected with an error that points at the fault, and
//! encoded text decodes to the same.
#![no_main]

mod cuts;

use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use sse_core::{Comment, Decoded, Decoder, DecoderLimits, Event, EventError};

#[derive(Arbitrary, Debug)]
struct Input {
    items: Vec<Item>,
    cuts: u8,
}

#[derive(Arbitrary, Debug)]
enum Item {
    Event {
        data: Option<String>,
        id: Option<String>,
        event_type: Option<String>,
        reconnection_time: Option<u32>,
    },
    Comment(String),
}

#[derive(Debug, PartialEq)]
enum Received {
    Event {
        event_type: String,
        data: String,
        last_event_id: String,
    },
    Comment(String),
    ReconnectionTime(Duration),
}

/// Whether the byte must not stand in an id or an event type.
fn is_forbidden(byte: &u8) -> bool {
    matches!(byte, b'\r' | b'\n' | b'\0')
}

/// Returns the value of `result`, and asserts that the result is right for `text`.
fn check<T>(text: &str, result: Result<T, EventError>) -> Option<T> {
    match result {
        Ok(value) => {
            assert!(!text.as_bytes().iter().any(is_forbidden));
            Some(value)
        }
        Err(EventError::InvalidField(error)) => {
            let offset = text.bytes().position(|byte| is_forbidden(&byte));
            assert_eq!(offset, Some(error.offset()), "{error}");
            assert_eq!(text.as_bytes().get(error.offset()), Some(&error.byte()));
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Returns the lines as a receiver splits them.
fn lines(text: &str) -> Vec<String> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.split('\n').map(str::to_owned).collect()
}

fuzz_target!(|input: Input| {
    let (mut wire, mut expected) = (Vec::new(), Vec::new());
    let mut last_event_id = String::new();
    for item in input.items {
        match item {
            Item::Comment(text) => {
                Comment::new(text.as_str()).encode(&mut wire);
                expected.extend(lines(&text).into_iter().map(Received::Comment));
            }
            Item::Event {
                data,
                id,
                event_type,
                reconnection_time,
            } => {
                let mut event = match &data {
                    Some(data) => Event::new(data.as_str()),
                    None => Event::without_data(),
                };
                let mut name = "message".to_owned();
                if let Some(text) = event_type
                    && let Some(with) = check(&text, event.clone().with_event_type(text.as_str()))
                {
                    event = with;
                    if !text.is_empty() {
                        name = text;
                    }
                }
                if let Some(text) = id
                    && let Some(with) = check(&text, event.clone().with_id(text.as_str()))
                {
                    event = with;
                    last_event_id = text;
                }
                if let Some(millis) = reconnection_time {
                    let time = Duration::from_millis(millis.into());
                    event = event.with_reconnection_time(time);
                    expected.push(Received::ReconnectionTime(time));
                }
                event.encode(&mut wire);
                if let Some(data) = data {
                    expected.push(Received::Event {
                        event_type: name,
                        data: lines(&data).join("\n"),
                        last_event_id: last_event_id.clone(),
                    });
                }
            }
        }
    }

    let limits = DecoderLimits::default().with_id(usize::MAX);
    let (mut decoder, mut received) = (Decoder::with_limits(limits), Vec::new());
    for mut chunk in cuts::cut(input.cuts, &wire) {
        while let Some(item) = decoder.decode(&mut chunk).expect("nothing is too large") {
            received.push(match item {
                Decoded::Event(event) => Received::Event {
                    event_type: event.event_type().into(),
                    data: event.data().into(),
                    last_event_id: event.last_event_id().into(),
                },
                // The encoder puts a space before the text, if there is any.
                Decoded::Comment(text) => {
                    Received::Comment(text.strip_prefix(' ').unwrap_or(text).into())
                }
                Decoded::ReconnectionTime(time) => Received::ReconnectionTime(time),
                other => panic!("{other:?}"),
            });
        }
    }
    // An event without data dispatches nothing, but its id counts.
    assert_eq!(decoder.last_event_id(), last_event_id);
    assert_eq!(received, expected);
});
