//! The two sides of a TLS transport, under the model checker `loom`: see `sse-core/tests/loom`.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
};

use loom::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use super::{Side, Waiting};
use crate::loom_tasks::{block_on, join, model};

/// The transport that both sides wait for.
#[derive(Default)]
struct Transport {
    is_ready: AtomicBool,
    waiting: Arc<Waiting>,
}

impl Transport {
    fn poll(&self, side: Side, cx: &Context<'_>) -> Poll<()> {
        match side {
            Side::Reader => self.waiting.reader(cx),
            Side::Writer => self.waiting.writer(cx),
        }
        match self.is_ready.load(Ordering::Acquire) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

#[test]
fn both_sides_are_woken_by_the_transport() {
    model(|| {
        let transport = Arc::<Transport>::default();
        let waker = Waker::from(transport.waiting.clone());
        let sides = [Side::Reader, Side::Writer].map(|side| {
            let transport = transport.clone();
            thread::spawn(move || block_on(|cx| transport.poll(side, cx)))
        });
        transport.is_ready.store(true, Ordering::Release);
        waker.wake();
        join(sides);
    });
}

#[test]
fn the_side_that_ends_the_handshake_wakes_the_other() {
    model(|| {
        let transport = Arc::<Transport>::default();
        let other = transport.clone();
        let writes = thread::spawn(move || block_on(|cx| other.poll(Side::Writer, cx)));
        transport.is_ready.store(true, Ordering::Release);
        transport.waiting.wake_other_than(Side::Reader);
        writes.join().unwrap();
    });
}
