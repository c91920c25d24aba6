//! Encodes events into one buffer.

#![no_std]
#![no_main]

extern crate alloc;

use core::hint::black_box;

use alloc::vec::Vec;
use cortex_m_rt::entry;
use sse_core::{Event, EventType};

const TEMPERATURE: EventType = EventType::from_static("temperature");

#[entry]
fn main() -> ! {
    let mut wire = Vec::new();
    for id in 0_u32.. {
        wire.clear();
        encode(&mut wire, id, black_box("{\"c\":21.5}"));
        black_box(&wire);
    }
    sse_embedded::halt()
}

#[inline(never)]
fn encode(wire: &mut Vec<u8>, id: u32, data: &'static str) {
    let event = Event::new(data).of_type(TEMPERATURE).under_id(id);
    event.encode(wire);
}
