//! The handle that controls an event source from another task.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use sse_core::internal::sync::{AtomicU32, Mutex, Ordering, lock};

/// Controls an [`EventSource`](crate::EventSource) from another task or thread. Clones are handles to the
/// same event source.
///
/// The event source obeys when it is polled; each call wakes the task that waits for it.
///
/// ```
/// use sse_driver::{EventSource, Runtime};
///
/// async fn read<R: Runtime + Default>(url: &str) -> Result<(), Box<dyn std::error::Error>> {
///     let mut source = EventSource::<R>::new(url)?;
///     let handle = source.handle(); // Keep it where the program stops, pauses or learns of the network.
///     while let Some(event) = source.next().await {
///         if event?.data() == "bye" {
///             handle.close();
///         }
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct EventSourceHandle {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// The requests that were not taken yet.
    wanted: AtomicU32,
    waiting: Mutex<Option<Waker>>,
}

const CLOSE: u32 = 1;
const RECONNECT: u32 = 2;
const PAUSE: u32 = 4;
const RESUME: u32 = 8;

/// All requests since the last time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted(u32);

impl Wanted {
    pub(super) fn close(self) -> bool {
        self.0 & CLOSE != 0
    }

    pub(super) fn reconnect(self) -> bool {
        self.0 & RECONNECT != 0
    }

    /// Returns whether to pause or to resume, if one of them was requested.
    pub(super) fn pause(self) -> Option<bool> {
        match self.0 & (PAUSE | RESUME) {
            0 => None,
            which => Some(which == PAUSE),
        }
    }
}

impl EventSourceHandle {
    pub(super) fn new() -> Self {
        Self {
            shared: Arc::default(),
        }
    }

    /// Ends the subscription: a task that waits for its next event gets the end of the stream, and by
    /// then the connection is closed. Events that were received and not yet taken are dropped.
    pub fn close(&self) {
        self.want(CLOSE, 0);
    }

    /// Connects again now, instead of after a wait or in place of an established connection. Call it when
    /// the network is back, for example, or when the computer woke up. Two attempts are never closer than
    /// [`Reconnection::floor`](sse_core::client::Reconnection::floor). The reconnection time, the state
    /// of the back-off, the last event ID and the redirects stay unchanged, and this does not count as a
    /// loss.
    ///
    /// Does nothing while the event source is paused or over, while it reads a response that is no event
    /// stream, or if it does not reconnect.
    pub fn reconnect(&self) {
        self.want(RECONNECT, 0);
    }

    /// Closes the connection, and makes no other before [`resume`](Self::resume). Events that were
    /// received are returned first. The event source reports the pause with
    /// [`ClientEvent::Paused`](sse_core::client::ClientEvent::Paused).
    ///
    /// Does nothing while the event source is paused or over, or if it does not reconnect.
    pub fn pause(&self) {
        self.want(PAUSE, RESUME);
    }

    /// Continues after [`pause`](Self::pause), with the last event ID: at once, or after the rest of a
    /// wait that the pause interrupted. Does nothing while the event source is not paused.
    pub fn resume(&self) {
        self.want(RESUME, PAUSE);
    }

    /// Adds a request, and removes another one.
    fn want(&self, what: u32, instead_of: u32) {
        let change = |wanted| Some((wanted | what) & !instead_of);
        let wanted = &self.shared.wanted;
        let _ = wanted.fetch_update(Ordering::AcqRel, Ordering::Acquire, change);
        let waiting = lock(&self.shared.waiting).take();
        if let Some(waker) = waiting {
            waker.wake();
        }
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.shared.wanted.load(Ordering::Acquire) != 0
    }

    /// Takes the requests. The request to close stays; all others are returned once.
    pub(super) fn take(&self) -> Option<Wanted> {
        if !self.is_wanted() {
            return None;
        }
        let wanted = self.shared.wanted.fetch_and(CLOSE, Ordering::AcqRel);
        Some(Wanted(wanted))
    }

    /// Becomes ready when there is a request.
    pub(super) fn poll_wanted(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut waiting = lock(&self.shared.waiting);
        match &mut *waiting {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        drop(waiting);
        match self.is_wanted() {
            false => Poll::Pending,
            true => Poll::Ready(()),
        }
    }
}

impl fmt::Debug for EventSourceHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSourceHandle").finish_non_exhaustive()
    }
}
