//! Threads and tasks of a model. The driver's tests use this file, too.

#![allow(dead_code)] // not all of it is used in both places

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

use loom::{sync::Notify, thread::JoinHandle};

/// Checks `threads` in every order with at most 3 preemptions, or `LOOM_MAX_PREEMPTIONS`.
pub(crate) fn model(threads: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound.get_or_insert(3);
    // A task is polled again for each wake-up that it may get.
    model.max_branches = 10_000;
    model.check(threads);
}

/// A task of the model. The model checker sees what wakes it, even a wake-up without a reason.
struct Task(Notify);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.notify();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.notify();
    }
}

/// Polls until it is ready, and waits for a wake-up in between: without one, forever.
pub(crate) fn block_on<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
    let task = Arc::new(Task(Notify::new()));
    let waker = Waker::from(task.clone());
    let mut cx = Context::from_waker(&waker);
    loop {
        match poll(&mut cx) {
            Poll::Ready(value) => return value,
            Poll::Pending => task.0.wait(),
        }
    }
}

/// Waits for `future`.
pub(crate) fn wait_for<T>(mut future: impl Future<Output = T> + Unpin) -> T {
    block_on(|cx| Pin::new(&mut future).poll(cx))
}

/// Waits until both threads are done.
pub(crate) fn join<T: 'static>(threads: [JoinHandle<T>; 2]) -> [T; 2] {
    threads.map(|thread| thread.join().unwrap())
}

/// Polls once, as a task that nothing waits for.
pub(crate) fn poll_once<T>(poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
    poll(&mut Context::from_waker(Waker::noop()))
}
