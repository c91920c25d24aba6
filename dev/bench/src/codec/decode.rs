//! Decoders take turns, over every corpus in chunks of several sizes.

use std::{
    hint::black_box,
    ops::AddAssign,
    task::{Context, Poll, Waker},
    time::Instant,
};

use futures_util::{Stream, StreamExt, stream};
use sse_core::{Decoded, Decoder, EventStream};

use crate::{
    corpus::{Cut, Recipe},
    rounds::{Work, measure},
    row,
};

/// The sizes of chunks, and how many bytes are decoded with each in a round. `None` puts each event
/// into a chunk of its own.
const CHUNKS: [(Option<usize>, usize); 5] = [
    (Some(64 << 10), 2 << 20),
    (Some(1460), 2 << 20),
    (None, 2 << 20),
    (Some(16), 256 << 10),
    (Some(1), 64 << 10),
];

/// A decoder that would take longer for a round is left out.
const PATIENCE: f64 = 1.0;

/// An event stream in chunks.
#[derive(Clone, Copy)]
pub(crate) struct Input<'a> {
    wire: &'a [u8],
    cut: Cut<'a>,
}

impl<'a> Input<'a> {
    pub(crate) fn chunks(self) -> impl Iterator<Item = &'a [u8]> {
        self.cut.chunks(black_box(self.wire))
    }

    /// Returns the chunks as a stream, for decoders that are streams over streams of chunks.
    pub(crate) fn stream(self) -> impl Stream<Item = std::io::Result<&'a [u8]>> + Unpin {
        stream::iter(self.chunks().map(Ok))
    }
}

/// The result of a decoder: the number of events with data, and the number of bytes of data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    events: usize,
    bytes: usize,
}

impl AddAssign<&str> for Count {
    fn add_assign(&mut self, data: &str) {
        self.events += 1;
        self.bytes += black_box(data).len();
    }
}

pub(crate) type Decode = fn(Input<'_>) -> Count;

/// The limits, then ours, then the peers.
fn decoders() -> Vec<(&'static str, Decode)> {
    #[allow(unused_mut)]
    let mut decoders: Vec<(&'static str, Decode)> = vec![
        ("scan", scan),
        ("memcpy", copy),
        ("simdutf8", validate),
        ("**borrowed**", borrowed),
        ("**events alone**", events_alone),
        ("**owned**", owned),
        ("**`EventStream`**", streamed),
    ];
    #[cfg(feature = "peers")]
    decoders.extend(crate::peers::DECODERS);
    decoders
}

/// The number of these that are limits, which decode nothing.
const LIMITS: usize = 3;

pub(crate) fn tables(recipes: &[&Recipe]) {
    let decoders = decoders();
    let mut deviations = Vec::new();
    println!("Decoding, as a ratio to a `memchr2` search for LF and CR (the scan).\n");
    for (chunk, size) in CHUNKS {
        let chunks = match chunk {
            Some(bytes) => format!("chunks of {bytes} B"),
            None => "chunks of one event".to_owned(),
        };
        println!("In {chunks}:\n");
        let names = decoders.iter().skip(1).map(|(name, _)| *name);
        row(["events", "scan, GB/s"].into_iter().chain(names));
        row(["---", "--:"]
            .into_iter()
            .chain(decoders.iter().skip(1).map(|_| "--:")));
        for recipe in recipes {
            let corpus = recipe.make(size);
            let input = Input {
                wire: &corpus.wire,
                cut: chunk.map_or(Cut::Events(&corpus.lengths), Cut::Bytes),
            };
            let data = |event: &sse_core::Event| event.data().map_or(0, str::len);
            let expected = Count {
                events: corpus.events.len(),
                bytes: corpus.events.iter().map(data).sum(),
            };

            let mut works: Vec<Work<'_>> = Vec::new();
            let mut patient = Vec::new();
            for (n, (name, decode)) in decoders.iter().enumerate() {
                patient.push(takes(*decode, input) < PATIENCE);
                if !patient[n] {
                    continue;
                }
                let count = decode(input);
                if n >= LIMITS && count != expected {
                    deviations.push(format!(
                        "{name}, {}, {chunks}: {} events with {} bytes of data, not {} with {}",
                        recipe.name(),
                        count.events,
                        count.bytes,
                        expected.events,
                        expected.bytes,
                    ));
                }
                works.push(Box::new(move || decode(input).events));
            }
            let (scan, ratios) = measure(&mut works);
            let mut ratios = ratios.into_iter().map(|ratio| format!("{ratio:.2}"));
            let mut cells = patient.iter().map(|patient| match patient {
                true => ratios.next().unwrap_or_default(),
                false => "too slow".to_owned(),
            });
            cells.next();
            let speed = format!("{:.1}", corpus.wire.len() as f64 / scan);
            row([recipe.name().to_owned(), speed].into_iter().chain(cells));
        }
        println!();
    }
    println!("Who decodes something else than was encoded:\n");
    for deviation in &deviations {
        println!("- {deviation}");
    }
    if deviations.is_empty() {
        println!("- none");
    }
}

/// Returns the approximate time of a round in seconds, estimated from a small part of it if that is
/// slow already.
fn takes(decode: Decode, input: Input<'_>) -> f64 {
    let part = &input.wire[..input.wire.len().min(32 << 10)];
    let start = Instant::now();
    black_box(decode(Input {
        wire: part,
        ..input
    }));
    start.elapsed().as_secs_f64() * input.wire.len() as f64 / part.len() as f64
}

fn scan(input: Input<'_>) -> Count {
    let line_ends = |chunk| memchr::memchr2_iter(b'\n', b'\r', chunk);
    let events = input.chunks().flat_map(line_ends).map(black_box).count();
    Count { events, bytes: 0 }
}

fn copy(input: Input<'_>) -> Count {
    let mut copied = Vec::with_capacity(64 << 10);
    let mut events = 0;
    for chunk in input.chunks() {
        copied.clear();
        copied.extend_from_slice(chunk);
        events += black_box(&copied).len();
    }
    Count { events, bytes: 0 }
}

/// A character that is cut by the end of a chunk is not a fault here.
fn validate(input: Input<'_>) -> Count {
    let valid = |chunk: &&[u8]| simdutf8::basic::from_utf8(chunk).is_ok();
    let events = input.chunks().filter(valid).count();
    Count { events, bytes: 0 }
}

fn borrowed(input: Input<'_>) -> Count {
    let mut decoder = Decoder::new();
    let mut count = Count::default();
    for mut chunk in input.chunks() {
        while let Ok(Some(item)) = decoder.decode(&mut chunk) {
            if let Decoded::Event(event) = item {
                count += event.data();
            }
        }
    }
    count
}

fn events_alone(input: Input<'_>) -> Count {
    let mut decoder = Decoder::new();
    let mut count = Count::default();
    for mut chunk in input.chunks() {
        while let Ok(Some(event)) = decoder.decode_event_ref(&mut chunk) {
            count += event.data();
        }
    }
    count
}

fn owned(input: Input<'_>) -> Count {
    let mut decoder = Decoder::new();
    let mut count = Count::default();
    for mut chunk in input.chunks() {
        while let Ok(Some(event)) = decoder.decode_event(&mut chunk) {
            count += black_box(event).data();
        }
    }
    count
}

fn streamed(input: Input<'_>) -> Count {
    let mut count = Count::default();
    drain(EventStream::new(input.stream()), |event| {
        if let Ok(event) = event {
            count += event.data();
        }
    });
    count
}

/// Takes everything out of a stream that is never pending.
pub(crate) fn drain<S: Stream + Unpin>(mut stream: S, mut take: impl FnMut(S::Item)) {
    let mut cx = Context::from_waker(Waker::noop());
    while let Poll::Ready(Some(item)) = stream.poll_next_unpin(&mut cx) {
        take(item);
    }
}
