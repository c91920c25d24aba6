//! The event streams that are decoded and encoded, in which every event is different.

use std::time::Duration;

use sse_core::{Comment, Event, EventType};

/// An event stream, and the events in it.
pub(crate) struct Corpus {
    /// The events that a client is to see.
    pub(crate) events: Vec<Event>,
    pub(crate) wire: Vec<u8>,
    /// The number of bytes that each event takes on the wire.
    #[allow(dead_code)] // Not every program cuts the wire at its events.
    pub(crate) lengths: Vec<usize>,
}

/// The way to cut an event stream into chunks.
#[allow(dead_code)]
#[derive(Clone, Copy)]
pub(crate) enum Cut<'a> {
    /// Into chunks of this many bytes.
    Bytes(usize),
    /// Into events, which take these numbers of bytes.
    Events(&'a [usize]),
}

#[allow(dead_code)]
impl<'a> Cut<'a> {
    pub(crate) fn chunks(self, mut wire: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let mut number = 0;
        std::iter::from_fn(move || {
            let length = match self {
                Self::Bytes(length) => length,
                Self::Events(lengths) => *lengths.get(number)?,
            };
            number += 1;
            let (chunk, rest) = wire.split_at(length.min(wire.len()));
            wire = rest;
            (!chunk.is_empty()).then_some(chunk)
        })
    }
}

/// A recipe for an event stream: its name, the events by their numbers, and the way to write an
/// event, if that is not its encoding.
pub(crate) struct Recipe(&'static str, fn(usize) -> Event, Option<Put>);

type Put = fn(&Event, &mut Vec<u8>);

pub(crate) const RECIPES: [Recipe; 9] = [
    Recipe("200 B of JSON", json_200, None),
    Recipe("200 B of non-ASCII JSON", non_ascii, None),
    Recipe("events of 9 B", short, None),
    Recipe("one line of 64 KiB", long, None),
    Recipe("20 lines of 60 B", lines, None),
    Recipe("id, event type, 200 B of JSON", full, None),
    // What the APIs of language models send.
    Recipe("event type, 200 B of JSON", typed, None),
    Recipe("200 B of JSON, CRLF", json_200, Some(encode_with_crlf)),
    Recipe(
        "heartbeats, ids, retries",
        heartbeat,
        Some(encode_with_comment),
    ),
];

impl Recipe {
    pub(crate) fn name(&self) -> &'static str {
        self.0
    }

    /// Returns whether the wire has the encoding of the events and nothing else.
    #[allow(dead_code)] // Not every program asks.
    pub(crate) fn is_encoded(&self) -> bool {
        self.2.is_none()
    }

    /// Makes an event stream of `size` bytes, and up to one more event.
    pub(crate) fn make(&self, size: usize) -> Corpus {
        let Self(_, event, put) = *self;
        let (mut events, mut wire, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
        while wire.len() < size {
            let event = event(events.len());
            let start = wire.len();
            match put {
                None => event.encode(&mut wire),
                Some(put) => put(&event, &mut wire),
            }
            events.push(event);
            lengths.push(wire.len() - start);
        }
        Corpus {
            events,
            wire,
            lengths,
        }
    }
}

fn encode_with_crlf(event: &Event, wire: &mut Vec<u8>) {
    let mut lines = Vec::new();
    event.encode(&mut lines);
    for byte in lines {
        if byte == b'\n' {
            wire.push(b'\r');
        }
        wire.push(byte);
    }
}

fn encode_with_comment(event: &Event, wire: &mut Vec<u8>) {
    Comment::new("heartbeat").encode(wire);
    event.encode(wire);
}

fn json_200(n: usize) -> Event {
    Event::new(json(n, "quick brown fox ", 200))
}

fn non_ascii(n: usize) -> Event {
    Event::new(json(n, "крапка 日本語 é ", 200))
}

fn short(n: usize) -> Event {
    Event::new((n % 10).to_string())
}

fn long(n: usize) -> Event {
    Event::new(json(n, "lazy dog ", 64 << 10))
}

fn lines(n: usize) -> Event {
    let lines: Vec<_> = (0..20).map(|line| json(n + line, "line ", 60)).collect();
    Event::new(lines.join("\n"))
}

fn full(n: usize) -> Event {
    const UPDATE: EventType = EventType::from_static("update");

    json_200(n).under_id(n).of_type(UPDATE)
}

fn typed(n: usize) -> Event {
    const DELTA: EventType = EventType::from_static("content_block_delta");

    json_200(n).of_type(DELTA)
}

fn heartbeat(n: usize) -> Event {
    let event = Event::new(n.to_string()).under_id(n);
    event.with_reconnection_time(Duration::from_millis(3000))
}

/// A JSON object of about `length` bytes.
fn json(n: usize, filler: &str, length: usize) -> String {
    let mut json = format!(r#"{{"n":{n},"text":""#);
    while json.len() + filler.len() + 2 <= length {
        json.push_str(filler);
    }
    json.push_str(r#""}"#);
    json
}
