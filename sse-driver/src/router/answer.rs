//! The return value of an annotated handler, on its way to a [`Reply`].
//!
//! A stream that borrows from its controller cannot leave the place where the controller is. The
//! generated code therefore creates one future that owns the controller and polls the stream; the
//! stream's items come out through a [`Slot`], one for each poll.

use std::{
    fmt,
    future::{Future, poll_fn},
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_core::Stream;

use super::{IntoReply, Refusal, Reply, events::ItemStream};
use sse_core::{
    EventError, IntoStreamItem, StreamItem,
    internal::sync::{Mutex, lock},
};

/// The return value of a handler.
pub struct Answer<'c>(Returned<'c>);

enum Returned<'c> {
    /// A stream that lives as long as `'c`.
    Events(Pin<Box<dyn ItemStream + 'c>>),
    /// A future of a reply.
    Reply(Pin<Box<dyn Future<Output = Reply> + Send>>),
}

impl fmt::Debug for Answer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").finish_non_exhaustive()
    }
}

/// Returns the answer of a handler whose return type is, or contains, `impl Stream`, and borrows from
/// nothing. It is that of the stream itself, such as a 204 for a client that has all of a resumable stream.
/// The bounds are listed one by one, so that the compiler names the one that is missing.
#[must_use]
pub fn stream<S>(stream: S) -> Answer<'static>
where
    S: Stream + Send + 'static,
    S::Item: IntoStreamItem,
{
    reply(Reply::events(stream))
}

/// Returns the answer of a handler whose stream may borrow from its controller, so that its type cannot be
/// known.
#[must_use]
pub fn borrowing_stream<'c, S>(stream: S) -> Answer<'c>
where
    S: Stream + Send + 'c,
    S::Item: IntoStreamItem,
{
    Answer(Returned::Events(Box::pin(stream)))
}

/// Returns the answer of a handler that returned an error.
pub fn refusal<'c, E: Into<Refusal>>(error: E) -> Answer<'c> {
    let refusal: Refusal = error.into();
    reply(refusal)
}

/// Returns the answer of a handler that returned `None`.
#[must_use]
pub fn not_found<'c>() -> Answer<'c> {
    reply(None::<Reply>)
}

/// Returns the answer of a handler that returned any other value.
pub fn reply<'c, R: IntoReply<K, Kept: Send, Error: Into<Refusal>>, K>(reply: R) -> Answer<'c> {
    Answer(Returned::Reply(Box::pin(reply.into_reply())))
}

/// Returns the reply of a handler whose stream borrows from nothing.
pub async fn given(answer: Answer<'static>) -> Reply {
    match answer.0 {
        Returned::Events(events) => Reply::from_items(events),
        Returned::Reply(reply) => reply.await,
    }
}

/// Returns the reply of a handler whose stream borrows from what the future of `call` owns.
pub fn held<F>(call: impl FnOnce(Outlet) -> F) -> Held
where
    F: Future<Output = Option<Reply>> + Send + 'static,
{
    let slot = Slot::default();
    let task = Box::pin(call(Outlet(slot.clone())));
    Held(Some(Task { future: task, slot }))
}

/// The future that owns the controller, and the slot for its output.
struct Task {
    /// `None` where a stream came out, and ended.
    future: Pin<Box<dyn Future<Output = Option<Reply>> + Send>>,
    slot: Slot,
}

/// Only the side that runs uses it, so that the lock is always free.
#[derive(Clone, Default)]
struct Slot(Arc<Mutex<Option<Out>>>);

enum Out {
    /// The handler returned a stream.
    Begun { is_resumable: bool },
    /// The stream yielded this.
    Item(Result<StreamItem, EventError>),
}

impl Slot {
    fn put(&self, out: Out) {
        *lock(&self.0) = Some(out);
    }

    fn take(&self) -> Option<Out> {
        lock(&self.0).take()
    }
}

/// The destination of the answer.
pub struct Outlet(Slot);

impl fmt::Debug for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outlet").finish_non_exhaustive()
    }
}

impl Outlet {
    /// Puts the answer out. Each poll puts at most one item into the slot, and `Task` checks the slot
    /// before it waits, so that no task has to be woken.
    pub async fn give(self, answer: Answer<'_>) -> Option<Reply> {
        let mut events = match answer.0 {
            Returned::Events(events) => events,
            Returned::Reply(reply) => return Some(reply.await),
        };
        let mut begun = false;
        poll_fn(|cx| {
            if !mem::replace(&mut begun, true) {
                let is_resumable = events.is_resumable();
                self.0.put(Out::Begun { is_resumable });
                return Poll::Pending;
            }
            match ready!(events.as_mut().poll_next_yielded(cx)) {
                None => Poll::Ready(()),
                Some(item) => {
                    self.0.put(Out::Item(item));
                    Poll::Pending
                }
            }
        })
        .await;
        None
    }
}

/// The future of a reply whose stream borrows. `None` once it has returned the reply.
pub struct Held(Option<Task>);

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
    }
}

impl Future for Held {
    type Output = Reply;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Reply> {
        let Some(task) = &mut self.0 else {
            return Poll::Pending;
        };
        let done = task.future.as_mut().poll(cx);
        if let Some(Out::Begun { is_resumable }) = task.slot.take() {
            let items = HeldItems {
                task: self.0.take(),
                is_resumable,
            };
            return Poll::Ready(Reply::from_items(Box::pin(items)));
        }
        let reply = ready!(done);
        self.0 = None;
        let nothing = HeldItems {
            task: None,
            is_resumable: false,
        };
        Poll::Ready(reply.unwrap_or_else(|| Reply::from_items(Box::pin(nothing))))
    }
}

/// The items of a stream that borrows.
struct HeldItems {
    /// `None` after the end of the stream.
    task: Option<Task>,
    is_resumable: bool,
}

impl ItemStream for HeldItems {
    fn poll_next_yielded(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<StreamItem, EventError>>> {
        let Some(task) = &mut self.task else {
            return Poll::Ready(None);
        };
        let done = task.future.as_mut().poll(cx).is_ready();
        if let Some(Out::Item(item)) = task.slot.take() {
            return Poll::Ready(Some(item));
        }
        if done {
            self.task = None;
            return Poll::Ready(None);
        }
        Poll::Pending
    }

    fn is_resumable(&self) -> bool {
        self.is_resumable
    }

    /// A stream of any type is inside, and may be one for which other clients wait.
    fn can_wait(&self) -> bool {
        false
    }
}
