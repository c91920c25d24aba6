//! A program that does nothing but allocate, which the others are compared with.

#![no_std]
#![no_main]

extern crate alloc;

use core::hint::black_box;

use alloc::vec::Vec;
use cortex_m_rt::entry;

#[entry]
fn main() -> ! {
    black_box(Vec::<u8>::with_capacity(black_box(64)));
    sse_embedded::halt()
}
