//! How many connections are open, and telling them to end.

use std::{
    future::poll_fn,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use super::{Report, ServerStats, stats::Counters};
use crate::lifecycle::Shutdown;

/// What all connections of a server share.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    /// The shutdown that handlers see.
    pub(crate) shutdown: Shutdown,
    /// Its deadline has passed: whoever is still there is cut.
    pub(crate) cut: Shutdown,
    pub(super) counters: Counters,
    open: AtomicUsize,
    /// The server, while it waits for the last one.
    waiting: Mutex<Option<Waker>>,
}

/// A place among the open connections, held for as long as one is open.
#[derive(Debug)]
pub(crate) struct Place(Arc<Connections>);

impl Connections {
    /// A place, unless `limit` of them are taken.
    pub(crate) fn enter(self: &Arc<Self>, limit: usize) -> Option<Place> {
        self.open
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |open| {
                (open < limit).then_some(open + 1)
            })
            .ok()
            .map(|_| Place(self.clone()))
    }

    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    pub(super) fn stats(&self) -> ServerStats {
        self.counters.stats(self.open())
    }

    pub(super) fn report(&self) -> Report {
        let stats = self.stats();
        Report {
            accepted: stats.accepted,
            refused: stats.refused,
            accept_errors: stats.accept_errors,
            cut: self.counters.cut.load(Ordering::Relaxed),
        }
    }

    /// Until the last place is free.
    pub(crate) async fn all_gone(&self) {
        poll_fn(|cx| self.poll_all_gone(cx)).await;
    }

    fn poll_all_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        *self.waiting() = Some(cx.waker().clone());
        match self.open() {
            0 => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }

    /// Nothing can go wrong under the lock, so that a poisoned one hides nothing half-done.
    fn waiting(&self) -> std::sync::MutexGuard<'_, Option<Waker>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.0.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            let waiting = self.0.waiting().take();
            if let Some(server) = waiting {
                server.wake();
            }
        }
    }
}
