//! Encoders take turns, over the corpora that consist of encoded events only.

use std::hint::black_box;

use bytes::BytesMut;
use sse_core::Event;

use crate::{
    corpus::{Corpus, Recipe},
    rounds::{Work, measure},
    row,
};

const SIZE: usize = 4 << 20;

/// A buffer is emptied before it outgrows the cache, as a connection's buffer is.
const BUFFER: usize = 64 << 10;

/// The values from which a program makes an event.
#[derive(Clone, Copy)]
pub(crate) struct Parts<'a> {
    pub(crate) data: &'a str,
    pub(crate) id: Option<&'a str>,
    pub(crate) event_type: Option<&'a str>,
}

/// Encodes everything, and returns the number of encoded bytes.
pub(crate) type Encode = for<'a> fn(&'a [Parts<'a>]) -> usize;

fn encoders() -> Vec<(&'static str, Encode)> {
    #[allow(unused_mut)]
    let mut encoders: Vec<(&'static str, Encode)> = vec![
        ("**made, into a buffer**", into_buffer),
        ("**made, one `Bytes` each**", into_bytes),
    ];
    #[cfg(feature = "peers")]
    encoders.extend(crate::peers::ENCODERS);
    encoders
}

pub(crate) fn tables(recipes: &[&Recipe]) {
    let encoders = encoders();
    println!(
        "\nEncoding, as a ratio to a copy of the encoded bytes. All but the first make the event"
    );
    println!("out of borrowed strings as well.\n");
    let names = encoders.iter().map(|(name, _)| *name);
    let first = ["events", "copy, GB/s", "**into a buffer**"];
    row(first.into_iter().chain(names));
    row(["---", "--:", "--:"]
        .into_iter()
        .chain(encoders.iter().map(|_| "--:")));
    let mut deviations = Vec::new();
    for recipe in recipes.iter().filter(|recipe| recipe.is_encoded()) {
        let corpus = recipe.make(SIZE);
        let parts: Vec<Parts<'_>> = corpus.events.iter().map(parts).collect();
        let mut works: Vec<Work<'_>> = vec![copy(&corpus.wire), encode(&corpus)];
        for (name, encode) in &encoders {
            let parts = &parts;
            let bytes = encode(parts);
            if bytes != corpus.wire.len() {
                let expected = corpus.wire.len();
                deviations.push(format!(
                    "{name}, {}: {bytes} bytes, not {expected}",
                    recipe.name()
                ));
            }
            works.push(Box::new(move || encode(black_box(parts))));
        }
        let (copy, ratios) = measure(&mut works);
        let ratios = ratios.iter().skip(1).map(|ratio| format!("{ratio:.2}"));
        let speed = format!("{:.1}", corpus.wire.len() as f64 / copy);
        row([recipe.name().to_owned(), speed].into_iter().chain(ratios));
    }
    println!("\nWho writes another number of bytes:\n");
    for deviation in &deviations {
        println!("- {deviation}");
    }
    if deviations.is_empty() {
        println!("- none");
    }
}

fn parts(event: &Event) -> Parts<'_> {
    Parts {
        data: event.data().unwrap_or_default(),
        id: event.id().map(|id| id.as_str()),
        event_type: event.event_type().map(|event_type| event_type.as_str()),
    }
}

fn copy(wire: &[u8]) -> Work<'_> {
    let mut copied = Vec::with_capacity(2 * BUFFER);
    Box::new(move || {
        let mut bytes = 0;
        for part in black_box(wire).chunks(BUFFER) {
            copied.clear();
            copied.extend_from_slice(part);
            bytes += black_box(&copied).len();
        }
        bytes
    })
}

fn encode(corpus: &Corpus) -> Work<'_> {
    let mut encoded = Vec::with_capacity(4 * BUFFER);
    Box::new(move || {
        let mut bytes = 0;
        for event in black_box(&corpus.events) {
            event.encode(&mut encoded);
            bytes += flush(&mut encoded, BUFFER);
        }
        bytes + flush(&mut encoded, 0)
    })
}

fn flush(encoded: &mut Vec<u8>, least: usize) -> usize {
    if encoded.len() < least {
        return 0;
    }
    let bytes = black_box(&*encoded).len();
    encoded.clear();
    bytes
}

fn make(parts: &Parts<'_>) -> Event {
    let mut event = Event::new(parts.data);
    if let Some(id) = parts.id {
        event = event.with_id(id).unwrap_or_default();
    }
    if let Some(event_type) = parts.event_type {
        event = event.with_event_type(event_type).unwrap_or_default();
    }
    event
}

fn into_buffer(all: &[Parts<'_>]) -> usize {
    let mut encoded = Vec::with_capacity(4 * BUFFER);
    let mut bytes = 0;
    for parts in all {
        make(parts).encode(&mut encoded);
        bytes += flush(&mut encoded, BUFFER);
    }
    bytes + flush(&mut encoded, 0)
}

/// Each event is split off one buffer, which is the purpose of a `BytesMut`.
fn into_bytes(all: &[Parts<'_>]) -> usize {
    let mut buffer = BytesMut::with_capacity(BUFFER);
    let encode = |parts| {
        make(parts).encode(&mut buffer);
        black_box(buffer.split().freeze()).len()
    };
    all.iter().map(encode).sum()
}
