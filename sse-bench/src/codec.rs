//! How fast is the codec, measured against what no codec can beat: a search for line ends over the
//! same bytes for the decoder, a copy of the same bytes for the encoder.
//!
//! `cargo run --release --manifest-path sse-bench/Cargo.toml --bin codec`, with a part of a
//! corpus's name behind `--` to measure that alone.

#![allow(missing_docs)]

mod corpus;
mod rounds;

use std::hint::black_box;

use corpus::Corpus;
use rounds::{Work, measure};
use sse_core::{Decoded, Decoder};

fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    let mut corpora = Corpus::all();
    corpora.retain(|corpus| corpus.name.contains(&name));

    println!("Decoding, as a ratio to a memchr2 search for LF and CR (the scan)\n");
    println!("| events | chunks | scan, GB/s | borrowed | owned |");
    println!("|---|--:|--:|--:|--:|");
    for corpus in &corpora {
        for chunk in [64 << 10, 1460, 16] {
            decode(corpus, chunk);
        }
    }

    println!("\nEncoding into a buffer that is used again, as a ratio to a copy of the result\n");
    println!("| events | copy, GB/s | encode |");
    println!("|---|--:|--:|");
    for corpus in &corpora {
        encode(corpus);
    }
}

fn decode(corpus: &Corpus, chunk: usize) {
    let wire = corpus.wire.as_slice();
    let chunks = || black_box(wire).chunks(chunk);
    let works: [(Work<'_>, usize); 3] = [
        (
            Box::new(move || {
                let line_ends = |chunk| memchr::memchr2_iter(b'\n', b'\r', chunk);
                chunks().flat_map(line_ends).map(black_box).count()
            }),
            wire.iter().filter(|byte| **byte == b'\n').count(),
        ),
        (
            Box::new(move || decode_borrowed(chunks())),
            corpus.events.len(),
        ),
        (
            Box::new(move || decode_owned(chunks())),
            corpus.events.len(),
        ),
    ];
    let (scan, ratios) = run(works);
    println!(
        "| {} | {chunk} | {:.1} | {:.2} | {:.2} |",
        corpus.name,
        wire.len() as f64 / scan,
        ratios[1],
        ratios[2],
    );
}

fn decode_borrowed<'c>(chunks: impl Iterator<Item = &'c [u8]>) -> usize {
    let mut decoder = Decoder::new();
    let mut events = 0;
    for mut input in chunks {
        while let Ok(Some(item)) = decoder.decode(&mut input) {
            if let Decoded::Event(event) = item {
                black_box(event.data());
                events += 1;
            }
        }
    }
    events
}

fn decode_owned<'c>(chunks: impl Iterator<Item = &'c [u8]>) -> usize {
    let mut decoder = Decoder::new();
    let mut events = 0;
    for mut input in chunks {
        while let Ok(Some(event)) = decoder.decode_event(&mut input) {
            black_box(event.data());
            events += 1;
        }
    }
    events
}

fn encode(corpus: &Corpus) {
    let wire = corpus.wire.as_slice();
    // The buffer is emptied before it outgrows the cache, as a connection's buffer is.
    let mut copied = Vec::with_capacity(256 << 10);
    let mut encoded = Vec::with_capacity(256 << 10);
    let works: [(Work<'_>, usize); 2] = [
        (
            Box::new(move || {
                let mut bytes = 0;
                for part in black_box(wire).chunks(64 << 10) {
                    copied.clear();
                    copied.extend_from_slice(part);
                    bytes += black_box(&copied).len();
                }
                bytes
            }),
            wire.len(),
        ),
        (
            Box::new(move || {
                let mut bytes = 0;
                encoded.clear();
                for event in black_box(&corpus.events) {
                    event.encode(&mut encoded);
                    if encoded.len() >= 64 << 10 {
                        bytes += black_box(&encoded).len();
                        encoded.clear();
                    }
                }
                bytes + encoded.len()
            }),
            wire.len(),
        ),
    ];
    let (copy, ratios) = run(works);
    println!(
        "| {} | {:.1} | {:.2} |",
        corpus.name,
        wire.len() as f64 / copy,
        ratios[1]
    );
}

/// Measures works after a look at what each of them counts.
fn run<const N: usize>(works: [(Work<'_>, usize); N]) -> (f64, Vec<f64>) {
    let mut checked = works.map(|(mut work, count)| {
        assert_eq!(work(), count, "a benchmark did not do all its work");
        work
    });
    measure(&mut checked)
}
