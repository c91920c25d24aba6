//! Decodes an event stream that comes in chunks of 64 bytes.

#![no_std]
#![no_main]

use core::hint::black_box;

use cortex_m_rt::entry;
use sse_core::{Decoded, Decoder};
use sse_embedded as _; // its allocator

static CHUNK: [u8; 64] =
    *b": a chunk\nid: 7\nevent: temperature\nretry: 5000\ndata: {\"c\":21.5}\n";

#[entry]
fn main() -> ! {
    let mut decoder = Decoder::new();
    loop {
        decode(&mut decoder, black_box(&CHUNK));
    }
}

#[inline(never)]
fn decode(decoder: &mut Decoder, mut chunk: &[u8]) {
    loop {
        match decoder.decode(&mut chunk) {
            Ok(Some(Decoded::Event(event))) => {
                black_box((event.event_type(), event.data(), event.last_event_id()));
            }
            Ok(Some(other)) => {
                black_box(other);
            }
            Ok(None) => return,
            Err(error) => {
                black_box(error);
            }
        }
    }
}
