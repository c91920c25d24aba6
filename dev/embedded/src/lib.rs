//! What a program without an operating system has to have: an allocator, and something to do at a panic.

#![no_std]

use core::{hint, panic::PanicInfo};

#[global_allocator]
static ALLOCATOR: emballoc::Allocator<{ 32 << 10 }> = emballoc::Allocator::new();

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    halt()
}

/// Does nothing any more.
pub fn halt() -> ! {
    loop {
        hint::spin_loop();
    }
}
