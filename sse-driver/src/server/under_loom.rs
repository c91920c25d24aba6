//! The state that a connection's task shares with its socket, under the model checker `loom`: see
//! `sse-core/tests/loom`.

use std::{sync::Arc, task::Poll};

use loom::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use super::read_waker::ReadWaker;
use crate::loom_tasks::{block_on, model};

/// The input of a socket.
#[derive(Default)]
struct Input(AtomicBool);

impl Input {
    /// Does what a pump does when it is polled, with a socket that wakes the waker of the last read.
    fn poll_read(&self, read: &ReadWaker) -> Poll<()> {
        // Until then no read is tried, even if there is input.
        if read.take_woken() && self.0.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

// A wake-up of the read side in the middle of `take_woken` is not modelled: loom lets a store that comes
// after a swap be overwritten by it.
#[test]
fn a_task_with_another_waker_than_at_first_is_woken_to_read() {
    model(|| {
        let input = Arc::<Input>::default();
        let read = ReadWaker::new(std::task::Waker::noop());
        // The first try finds nothing.
        assert!(input.poll_read(&read).is_pending());
        let (arrived, waker) = (input.clone(), read.waker());
        let arrives = thread::spawn(move || {
            arrived.0.store(true, Ordering::Release);
            waker.wake();
        });
        block_on(|cx| {
            read.set_task(cx.waker());
            input.poll_read(&read)
        });
        arrives.join().unwrap();
    });
}
