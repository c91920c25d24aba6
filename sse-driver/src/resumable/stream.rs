//! One stream: the state that its handle, its producer's task and its listeners share.

use std::{
    fmt,
    future::poll_fn,
    mem,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use sse_core::{
    Text,
    internal::{
        SlotId, WakerSet,
        sync::{Mutex, MutexGuard, lock},
    },
    lifecycle::CleanUpOwner,
    topic::{
        Topic,
        resumable::{StreamEnd, StreamId},
    },
};

use super::{Attachment, attachment, shared::Shared};
use crate::router::Request;

/// A handle to one of the [`ResumableStreams`](super::ResumableStreams).
///
/// It stays valid when the stream is forgotten: the history is then kept, and can be read, for as long as
/// the handle is held.
///
/// ```
/// use sse_driver::ResumableStreams;
///
/// /// A button that stops an answer.
/// fn stop(streams: &ResumableStreams, name: &str) -> bool {
///     match streams.get(name) {
///         Some(stream) if stream.end().is_none() => stream.stop("the user stopped it"),
///         _ => false,
///     }
/// }
/// ```
#[derive(Clone)]
pub struct ResumableStream {
    shared: Arc<Shared>,
    inner: Arc<Inner>,
}

impl ResumableStream {
    pub(super) fn new(shared: Arc<Shared>, inner: Arc<Inner>) -> Self {
        Self { shared, inner }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(super) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }

    /// Returns the name, by which clients find the stream.
    #[must_use]
    pub fn name(&self) -> &Text {
        &self.inner.name
    }

    /// Returns the owner, or an empty text if there is none.
    #[must_use]
    pub fn owner(&self) -> &Text {
        &self.inner.owner
    }

    /// Attaches the client that sent `request`: it gets all events after the last event ID in the
    /// request, or from the beginning if the request has none. A handler returns the attachment.
    #[must_use]
    pub fn attach(&self, request: &Request) -> Attachment {
        let id = attachment::last_event_id(request, self.shared.config());
        let shutdown = Some(request.shutdown());
        self.listen(id.as_deref(), shutdown)
    }

    /// Attaches a client whose request came another way, or the program itself: it gets the events after
    /// this last event ID.
    #[must_use]
    pub fn attach_at(&self, last_event_id: Option<&str>) -> Attachment {
        self.listen(last_event_id, None)
    }

    fn listen(
        &self,
        last_event_id: Option<&str>,
        shutdown: Option<sse_core::lifecycle::ShutdownSignal>,
    ) -> Attachment {
        self.shared.act(|table, _| table.attach(self.inner.id));
        Attachment::of_listener(self.clone(), last_event_id, shutdown)
    }

    /// Stops the stream: its producer is cancelled, and its clients get the last event. `reason` is for
    /// the producer's clean-up and for logs. Returns whether the stream was running.
    pub fn stop(&self, reason: impl Into<Text>) -> bool {
        let end = StreamEnd::Stopped(reason.into());
        self.shared.end(&self.inner, end)
    }

    /// Ends the stream so, if it runs. Says whether it did.
    #[cfg(feature = "event-log")]
    pub(crate) fn end_with(&self, end: StreamEnd) -> bool {
        self.shared.end(&self.inner, end)
    }

    /// The history.
    #[cfg(feature = "event-log")]
    pub(crate) fn topic(&self) -> &Topic {
        self.inner.topic()
    }

    /// Returns how the stream ended, or `None` while it runs.
    #[must_use]
    pub fn end(&self) -> Option<StreamEnd> {
        self.inner.state().end.clone()
    }

    /// Waits until the stream has ended, and returns how; at once if it has.
    pub async fn ended(&self) -> StreamEnd {
        let mut waiting = Waiting {
            inner: &self.inner,
            slot: None,
        };
        poll_fn(|cx| waiting.poll(cx)).await
    }

    /// Returns the number of clients that are attached to the stream now. At 0 the [grace
    /// time](sse_core::topic::resumable::ResumableConfig::grace) of a running stream passes.
    #[must_use]
    pub fn listeners(&self) -> u64 {
        self.shared.act(|table, _| table.listeners(self.inner.id))
    }
}

impl fmt::Debug for ResumableStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResumableStream")
            .field("name", self.name())
            .field("owner", self.owner())
            .field("end", &self.end())
            .finish_non_exhaustive()
    }
}

/// The state that is kept for a stream, even when it is forgotten.
pub(super) struct Inner {
    id: StreamId,
    owner: Text,
    name: Text,
    topic: Topic,
    pub(super) clean_up: CleanUpOwner<StreamEnd>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    end: Option<StreamEnd>,
    /// The producer's task.
    task: Option<Waker>,
    /// The tasks that wait for the end.
    waiting: WakerSet,
}

impl Inner {
    pub(super) fn new(id: StreamId, owner: Text, name: Text, topic: Topic) -> Self {
        Self {
            id,
            owner,
            name,
            topic,
            clean_up: CleanUpOwner::default(),
            state: Mutex::default(),
        }
    }

    pub(super) fn id(&self) -> StreamId {
        self.id
    }

    pub(super) fn name(&self) -> &Text {
        &self.name
    }

    pub(super) fn topic(&self) -> &Topic {
        &self.topic
    }

    pub(super) fn end(&self) -> Option<StreamEnd> {
        self.state().end.clone()
    }

    /// Records that the stream has ended, and wakes the producer's task and the tasks that wait for it.
    pub(super) fn set_end(&self, end: StreamEnd) {
        let (task, waiting) = {
            let mut state = self.state();
            state.end.get_or_insert(end);
            (state.task.take(), state.waiting.take_all())
        };
        task.into_iter().chain(waiting).for_each(Waker::wake);
    }

    /// Returns how the stream ended; otherwise registers the task to be woken when it ends.
    pub(super) fn poll_end(&self, cx: &Context<'_>) -> Option<StreamEnd> {
        let mut state = self.state();
        if state.end.is_some() {
            return state.end.clone();
        }
        if state
            .task
            .as_ref()
            .is_some_and(|task| task.will_wake(cx.waker()))
        {
            return None;
        }
        let before = state.task.replace(cx.waker().clone());
        drop(state);
        // This must not happen under the lock: it may drop the last handle of a task.
        drop(before);
        None
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// A task that waits for the end of a stream.
struct Waiting<'a> {
    inner: &'a Inner,
    slot: Option<SlotId>,
}

impl Waiting<'_> {
    fn poll(&mut self, cx: &Context<'_>) -> Poll<StreamEnd> {
        let mut state = self.inner.state();
        if let Some(end) = &state.end {
            return Poll::Ready(end.clone());
        }
        let before = state.waiting.register(&mut self.slot, cx.waker());
        drop(state);
        drop(before);
        Poll::Pending
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(slot) = mem::take(&mut self.slot) {
            let waker = self.inner.state().waiting.remove(slot);
            drop(waker);
        }
    }
}
