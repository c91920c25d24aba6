//! The server's shutdown, and the signal of it for handlers.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use crate::{
    sync::{AtomicBool, Mutex, MutexGuard, Ordering, lock},
    wake::{SlotId, WakerSet},
};

/// Tells a handler that the server is about to shut down, while it can still send a last event.
///
/// It is a future that becomes ready when the shutdown begins; [`has_begun`](Self::has_begun) tells it at
/// any time. From then on streams have until the server's shutdown deadline to end by themselves.
///
/// ```
/// use sse_core::lifecycle::Shutdown;
///
/// let shutdown = Shutdown::new(); // The server has this.
/// let signal = shutdown.signal(); // The handler gets this.
/// assert!(!signal.has_begun());
/// shutdown.begin();
/// assert!(signal.has_begun());
/// ```
pub struct ShutdownSignal {
    shared: Arc<Shared>,
    slot: Option<SlotId>,
}

/// The server's side of [`ShutdownSignal`]. Clones are handles to the same shutdown.
///
/// ```
/// use sse_core::lifecycle::Shutdown;
///
/// let shutdown = Shutdown::new();
/// let signal = shutdown.signal();
/// assert!(!signal.has_begun());
/// shutdown.begin();
/// assert!(signal.has_begun());
/// ```
#[derive(Clone, Default)]
pub struct Shutdown {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    begun: AtomicBool,
    waiting: Mutex<WakerSet>,
}

impl Shared {
    /// No foreign code runs under the lock, so a poisoned lock never hides a half-done change.
    fn waiting(&self) -> MutexGuard<'_, WakerSet> {
        lock(&self.waiting)
    }

    fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Acquire)
    }
}

impl Shutdown {
    /// Creates a shutdown that has not begun.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins the shutdown, and wakes every task that waits for it. A second call does nothing.
    pub fn begin(&self) {
        self.shared.begun.store(true, Ordering::Release);
        let wakers = self.shared.waiting().take_all();
        wakers.for_each(std::task::Waker::wake);
    }

    /// Returns whether the shutdown has begun.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.shared.has_begun()
    }

    /// Returns a signal for a task that waits for the shutdown.
    #[must_use]
    pub fn signal(&self) -> ShutdownSignal {
        ShutdownSignal {
            shared: self.shared.clone(),
            slot: None,
        }
    }
}

impl ShutdownSignal {
    /// Returns whether the shutdown has begun.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.shared.has_begun()
    }
}

impl Future for ShutdownSignal {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if this.has_begun() {
            return Poll::Ready(());
        }
        let before = this.shared.waiting().register(&mut this.slot, cx.waker());
        drop(before);
        // It may have begun between the check and the registration.
        if this.has_begun() {
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl Clone for ShutdownSignal {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            slot: None,
        }
    }
}

impl Drop for ShutdownSignal {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            let waker = self.shared.waiting().remove(slot);
            drop(waker);
        }
    }
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown")
            .field("begun", &self.has_begun())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ShutdownSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShutdownSignal")
            .field("begun", &self.has_begun())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Wake, Waker};

    use super::*;
    use crate::sync::AtomicUsize;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn each_waiting_task_is_woken_once() {
        let (shutdown, count) = (Shutdown::new(), Arc::new(Count::default()));
        let waker = Waker::from(count.clone());
        let mut cx = Context::from_waker(&waker);

        let mut gone = shutdown.signal();
        assert!(Pin::new(&mut gone).poll(&mut cx).is_pending());
        drop(gone);
        let mut signals = [shutdown.signal(), shutdown.signal()];
        for signal in &mut signals {
            assert!(Pin::new(&mut *signal).poll(&mut cx).is_pending());
            assert!(Pin::new(&mut *signal).poll(&mut cx).is_pending());
        }

        shutdown.begin();
        shutdown.begin();
        assert_eq!(count.0.load(Ordering::Relaxed), 2);
        for signal in &mut signals {
            assert!(Pin::new(signal).poll(&mut cx).is_ready());
        }
    }
}
