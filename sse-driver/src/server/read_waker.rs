//! Knowing that it was the read side that woke the task.
//!
//! On some runtimes every attempt to read is a system call. A connection is woken far more often
//! to write than to read, so it tries to read only when this waker says so.

use std::{
    sync::Arc,
    task::{Wake, Waker},
};

use sse_core::internal::sync::{AtomicBool, Mutex, Ordering, lock};

/// The read side of one connection: a waker of its own, which passes on to the task's.
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
    /// For the task that `task` wakes. The first read is always tried.
    pub(super) fn new(task: &Waker) -> Self {
        let shared = Arc::new(Shared {
            woken: AtomicBool::new(true),
            task: Mutex::new(task.clone()),
        });
        Self { shared }
    }

    /// The task has another waker from here on.
    pub(super) fn set_task(&self, task: &Waker) {
        lock(&self.shared.task).clone_from(task);
    }

    /// Whether the read side was woken since the last call.
    pub(super) fn take_woken(&self) -> bool {
        self.shared.woken.load(Ordering::Relaxed)
            && self.shared.woken.swap(false, Ordering::Acquire)
    }

    /// Has the next look find the read side woken: there may be more to read.
    pub(super) fn again(&self) {
        self.shared.woken.store(true, Ordering::Relaxed);
    }

    /// To read with. Made anew each time, since reading is rare.
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
