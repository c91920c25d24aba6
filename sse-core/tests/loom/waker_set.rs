//! Tasks that wait in a `WakerSet` for the same thing.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
};

use loom::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};
use sse_core::internal::{
    SlotId, WakerSet,
    sync::{Mutex, lock},
};

use crate::tasks::{block_on, join, model, poll_once};

/// An event that happens once, and the tasks that wait for it.
#[derive(Default)]
struct Event {
    has_happened: AtomicBool,
    tasks: Mutex<WakerSet>,
}

impl Event {
    fn happens(&self) {
        self.has_happened.store(true, Ordering::Release);
        let tasks = lock(&self.tasks).take_all();
        tasks.for_each(Waker::wake);
    }
}

/// A task's place among those that wait.
struct Waiting {
    event: Arc<Event>,
    slot: Option<SlotId>,
}

impl Waiting {
    fn new(event: &Arc<Event>) -> Self {
        Self {
            event: event.clone(),
            slot: None,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        drop(lock(&self.event.tasks).register(&mut self.slot, cx.waker()));
        match self.event.has_happened.load(Ordering::Acquire) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            let waker = lock(&self.event.tasks).remove(slot);
            drop(waker);
        }
    }
}

#[test]
fn every_task_that_waits_is_woken() {
    model(|| {
        let event = Arc::<Event>::default();
        let mut waiting = [Waiting::new(&event), Waiting::new(&event)];
        let [first, _] = &mut waiting;
        // It has a place already, with another waker than the current one.
        assert!(poll_once(|cx| first.poll(cx)).is_pending());

        let threads =
            waiting.map(|mut waiting| thread::spawn(move || block_on(|cx| waiting.poll(cx))));
        event.happens();
        join(threads);
    });
}

#[test]
fn a_task_is_woken_while_another_gives_its_place_up() {
    model(|| {
        let event = Arc::<Event>::default();
        let mut leaving = Waiting::new(&event);
        assert!(poll_once(|cx| leaving.poll(cx)).is_pending());
        let mut staying = Waiting::new(&event);

        let staying = thread::spawn(move || block_on(|cx| staying.poll(cx)));
        let leaving = thread::spawn(move || drop(leaving));
        event.happens();
        staying.join().unwrap();
        leaving.join().unwrap();
    });
}

#[test]
fn a_place_from_before_a_waking_takes_none_from_another_task() {
    model(|| {
        let event = Arc::<Event>::default();
        let mut old = Waiting::new(&event);
        assert!(poll_once(|cx| old.poll(cx)).is_pending());
        // Its place is gone, and belongs to the next task.
        lock(&event.tasks).take_all().for_each(drop);

        let mut next = Waiting::new(&event);
        let next = thread::spawn(move || block_on(|cx| next.poll(cx)));
        let old = thread::spawn(move || drop(old));
        event.happens();
        next.join().unwrap();
        old.join().unwrap();
    });
}
