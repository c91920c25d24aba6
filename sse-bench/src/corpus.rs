//! What is decoded and encoded: event streams of a few MiB in which every event is different.

use sse_core::Event;

const SIZE: usize = 4 << 20;

/// An event stream, and the events in it.
pub(crate) struct Corpus {
    pub(crate) name: &'static str,
    pub(crate) events: Vec<Event>,
    pub(crate) wire: Vec<u8>,
}

impl Corpus {
    fn new(name: &'static str, event: impl Fn(usize) -> Event) -> Self {
        let mut events = Vec::new();
        let mut wire = Vec::new();
        while wire.len() < SIZE {
            let event = event(events.len());
            event.encode(&mut wire);
            events.push(event);
        }
        Self { name, events, wire }
    }

    pub(crate) fn all() -> Vec<Self> {
        vec![
            Self::new("200 B of JSON", |n| {
                Event::new(json(n, "quick brown fox ", 200))
            }),
            Self::new("200 B of non-ASCII JSON", |n| {
                Event::new(json(n, "крапка 日本語 é ", 200))
            }),
            Self::new("one line of 64 KiB", |n| {
                Event::new(json(n, "lazy dog ", 64 << 10))
            }),
            Self::new("20 lines of 60 B", |n| {
                let lines: Vec<_> = (0..20).map(|line| json(n + line, "line ", 60)).collect();
                Event::new(lines.join("\n"))
            }),
            Self::new("id, event type, 200 B of JSON", |n| {
                let event = Event::new(json(n, "quick brown fox ", 200)).with_id(n.to_string());
                let event = event.and_then(|event| event.with_event_type("update"));
                event.unwrap_or_default()
            }),
        ]
    }
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
