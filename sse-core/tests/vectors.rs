//! The conformance vectors: how browsers read these event streams.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;
use sse_core::{Decoded, Decoder, EventId};

#[derive(Deserialize)]
struct Vector {
    name: String,
    chunks: Vec<String>,
    events: Vec<Event>,
    comments: Vec<String>,
    last_event_id: String,
    retry_ms: Option<u64>,
    retry_any_of: Option<Vec<Option<u64>>>,
    events_after_chunk: Vec<usize>,
    initial_last_event_id: Option<String>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
struct Event {
    r#type: String,
    data: String,
    last_event_id: String,
}

/// The output of a decoder.
#[derive(Default)]
struct Outcome {
    events: Vec<Event>,
    comments: Vec<String>,
    retry_ms: Option<u64>,
    last_event_id: String,
    /// The number of events after each chunk.
    events_after_chunk: Vec<usize>,
}

impl Vector {
    fn all() -> Vec<Self> {
        let vectors: Vec<Self> =
            serde_json::from_str(include_str!("vectors/event-stream-vectors.json")).unwrap();
        assert!(vectors.len() >= 179, "vectors are missing");
        vectors
    }

    fn chunks(&self) -> Vec<Vec<u8>> {
        let decode = |chunk| BASE64_STANDARD.decode(chunk).unwrap();
        self.chunks.iter().map(decode).collect()
    }

    fn decode<'c>(&self, chunks: impl IntoIterator<Item = &'c [u8]>) -> Outcome {
        let mut decoder = Decoder::new();
        if let Some(id) = &self.initial_last_event_id {
            decoder.set_last_event_id(&EventId::new(id.as_str()).unwrap());
        }
        let mut outcome = Outcome::default();
        for mut input in chunks {
            while let Some(item) = decoder.decode(&mut input).unwrap() {
                match item {
                    Decoded::Event(event) => outcome.events.push(Event {
                        r#type: event.event_type().into(),
                        data: event.data().into(),
                        last_event_id: event.last_event_id().into(),
                    }),
                    Decoded::Comment(comment) => outcome.comments.push(comment.into()),
                    Decoded::ReconnectionTime(time) => {
                        outcome.retry_ms = Some(u64::try_from(time.as_millis()).unwrap());
                    }
                    _ => panic!("{}: {item:?} is not in the vectors", self.name),
                }
            }
            assert!(input.is_empty(), "{}: input is left", self.name);
            outcome.events_after_chunk.push(outcome.events.len());
        }
        outcome.last_event_id = decoder.last_event_id().into();
        outcome
    }

    fn check(&self, outcome: &Outcome, how: &str) {
        let name = &self.name;
        assert_eq!(outcome.events, self.events, "{name}, {how}");
        assert_eq!(outcome.comments, self.comments, "{name}, {how}");
        assert_eq!(outcome.last_event_id, self.last_event_id, "{name}, {how}");
        match &self.retry_any_of {
            Some(right) => assert!(right.contains(&outcome.retry_ms), "{name}, {how}"),
            None => assert_eq!(outcome.retry_ms, self.retry_ms, "{name}, {how}"),
        }
    }
}

#[test]
fn as_chunked() {
    for vector in Vector::all() {
        let chunks = vector.chunks();
        let outcome = vector.decode(chunks.iter().map(Vec::as_slice));
        vector.check(&outcome, "as chunked");
        assert_eq!(
            outcome.events_after_chunk, vector.events_after_chunk,
            "{}: events after each chunk",
            vector.name
        );
    }
}

#[test]
fn whole() {
    for vector in Vector::all() {
        let whole = vector.chunks().concat();
        let outcome = vector.decode([whole.as_slice()]);
        vector.check(&outcome, "whole");
    }
}

#[test]
fn byte_by_byte() {
    for vector in Vector::all() {
        let whole = vector.chunks().concat();
        let outcome = vector.decode(whole.chunks(1));
        vector.check(&outcome, "byte by byte");
    }
}
