//! A waker that tells whether the read side woke the task.
//!
//! On some runtimes every attempt to read is a system call. A connection is woken far more often to write
//! than to read, so it tries to read only when this waker was woken.

use std::{
    sync::Arc,
    task::{Wake, Waker},
};

use sse_core::internal::sync::{AtomicBool, Mutex, Ordering, lock};

/// The waker of one connection's read side, which passes wake-ups on to the task's.
#[derive(Debug)]
pub(super) struct ReadWaker {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    woken: AtomicBool,
    task: Mutex<Waker>,
}

impl ReadWaker {
    /// Creates the waker for the task that `task` wakes. The first read is always tried.
    pub(super) fn new(task: &Waker) -> Self {
        let shared = Arc::new(Shared {
            woken: AtomicBool::new(true),
            task: Mutex::new(task.clone()),
        });
        Self { shared }
    }

    /// Replaces the waker of the task.
    pub(super) fn set_task(&self, task: &Waker) {
        lock(&self.shared.task).clone_from(task);
    }

    /// Returns whether the read side was woken since the last call.
    pub(super) fn take_woken(&self) -> bool {
        self.shared.woken.load(Ordering::Relaxed)
            && self.shared.woken.swap(false, Ordering::Acquire)
    }

    /// Marks the read side as woken, because there may be more to read.
    pub(super) fn again(&self) {
        self.shared.woken.store(true, Ordering::Relaxed);
    }

    /// Returns the waker to read with. It is created anew each time, because reads are rare.
    pub(super) fn waker(&self) -> Waker {
        Waker::from(self.shared.clone())
    }
}

impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        let task = lock(&self.task).clone();
        task.wake();
    }
}
