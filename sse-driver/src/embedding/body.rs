//! A reply's body, as an `http_body::Body`.

use std::{
    error::Error,
    fmt,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll, Waker, ready},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::{Embedding, Exchange, Shared};
use crate::{Runtime, alarm::Alarm, router::Events};
use sse_core::{
    Comment, StreamItem,
    internal::{Panicked, catch},
    lifecycle::CloseReason,
};

/// The body of a response, which may be an event stream.
///
/// What is ready is put together, up to the high-water mark, and events of a topic are passed on
/// without copying them. The handler's stream is polled when the body is, and not otherwise.
///
/// It is `Send`, `Sync` and `Unpin`, as the boxes of various frameworks ask for.
pub struct Body<R: Runtime> {
    /// Never locked by two: it makes what the handler left, which is `Send`, `Sync` as well.
    state: Mutex<State<R>>,
}

enum State<R: Runtime> {
    Events(Box<Streaming<R>>),
    Whole(Bytes, Option<Exchange>),
    /// There is nothing to give, but there would have been: a `HEAD`.
    Head(Option<Exchange>),
    Over,
}

struct Streaming<R: Runtime> {
    /// `None` once it is over. Dropped before the exchange.
    events: Option<Events>,
    /// Events that were encoded here.
    encoded: Vec<u8>,
    /// What follows them, and is shared with others.
    shared: Option<Bytes>,
    /// Why the events are over, to be told once everything before is taken.
    end: Option<CloseReason>,
    /// When to fail, once there is nothing but that left to do.
    fail_at: Option<Instant>,
    exchange: Option<Exchange>,
    embedding: Embedding<R>,
    /// When there was last something to send.
    busy_at: Instant,
    alarm: Alarm<R>,
    task: Option<Waker>,
}

/// A body failed, for this reason: the response is to be broken off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyError {
    reason: CloseReason,
}

impl BodyError {
    /// Why.
    #[must_use]
    pub fn reason(&self) -> &CloseReason {
        &self.reason
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl Error for BodyError {}

impl<R: Runtime> Body<R> {
    pub(super) fn events(embedding: &Embedding<R>, exchange: Exchange, events: Events) -> Self {
        let shared = &embedding.shared;
        Self::in_state(State::Events(Box::new(Streaming {
            events: Some(events),
            encoded: Vec::new(),
            shared: None,
            end: None,
            fail_at: None,
            exchange: Some(exchange),
            embedding: embedding.clone(),
            busy_at: shared.runtime.now(),
            alarm: Alarm::new(),
            task: None,
        })))
    }

    pub(super) fn whole(bytes: Bytes, mut exchange: Option<Exchange>) -> Self {
        if let Some(exchange) = &mut exchange
            && bytes.is_empty()
        {
            // There is nothing to take, so nobody has to ask for it.
            exchange.foresee(CloseReason::ResponseSent);
        }
        Self::in_state(State::Whole(bytes, exchange))
    }

    pub(super) fn of_head(mut exchange: Exchange) -> Self {
        exchange.foresee(CloseReason::ResponseSent);
        Self::in_state(State::Head(Some(exchange)))
    }

    fn in_state(state: State<R>) -> Self {
        Self {
            state: Mutex::new(state),
        }
    }

    /// What `ask` gives. Whoever panics under the lock has left nothing half-done.
    fn look<T>(&self, ask: impl FnOnce(&State<R>) -> T) -> T {
        ask(&self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<R: Runtime> http_body::Body for Body<R> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let state = self.get_mut().state.get_mut();
        let state = state.unwrap_or_else(PoisonError::into_inner);
        let polled = match state {
            State::Over => return Poll::Ready(None),
            State::Head(exchange) => {
                drop(exchange.take());
                *state = State::Over;
                None
            }
            State::Whole(bytes, exchange) => {
                let (bytes, exchange) = (std::mem::take(bytes), exchange.take());
                *state = State::Over;
                if let Some(mut exchange) = exchange {
                    exchange.place().wrote(bytes.len());
                    exchange.end(CloseReason::ResponseSent);
                }
                (!bytes.is_empty()).then_some(Ok(bytes))
            }
            State::Events(streaming) => {
                let polled = ready!(streaming.poll(cx));
                if !matches!(polled, Some(Ok(_))) {
                    *state = State::Over;
                }
                polled
            }
        };
        Poll::Ready(polled.map(|bytes| bytes.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.look(|state| match state {
            State::Events(_) => false,
            State::Whole(bytes, _) => bytes.is_empty(),
            State::Head(_) | State::Over => true,
        })
    }

    fn size_hint(&self) -> SizeHint {
        self.look(|state| match state {
            State::Events(_) | State::Head(_) => SizeHint::default(),
            State::Whole(bytes, _) => SizeHint::with_exact(bytes.len() as u64),
            State::Over => SizeHint::with_exact(0),
        })
    }
}

impl<R: Runtime> Streaming<R> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        let is_new = !matches!(&self.task, Some(task) if task.will_wake(cx.waker()));
        if is_new {
            self.task = Some(cx.waker().clone());
        }
        if let Some(exchange) = &mut self.exchange {
            // Whether it has begun is looked up below; this is for the waking alone.
            exchange.place().wake_at_shutdown(cx.waker(), is_new);
        }
        loop {
            if self.exchange.as_ref().is_some_and(Exchange::is_cut) {
                // Nothing more is sent.
                self.encoded = Vec::new();
                self.shared = None;
                self.stop(CloseReason::Shutdown);
            } else {
                self.gather(cx);
            }
            if let Some(bytes) = self.take_ready() {
                self.busy_at = self.embedding.shared.runtime.now();
                if let Some(exchange) = &mut self.exchange {
                    exchange.place().wrote(bytes.len());
                }
                return Poll::Ready(Some(Ok(bytes)));
            }
            if self.end.is_some() {
                ready!(self.let_write(cx));
            }
            if let Some(reason) = self.end.take() {
                if let Some(exchange) = self.exchange.take() {
                    exchange.end(reason.clone());
                }
                return Poll::Ready(match reason {
                    CloseReason::StreamEnded => None,
                    reason => Some(Err(BodyError { reason })),
                });
            }
            ready!(self.sleep(cx));
            let now = self.embedding.shared.runtime.now();
            if self.next_keep_alive().is_some_and(|next| next <= now) {
                self.busy_at = now;
                Comment::KEEP_ALIVE.encode(&mut self.encoded);
            }
        }
    }

    /// Takes what the handler's stream has, up to the high-water mark.
    fn gather(&mut self, cx: &mut Context<'_>) {
        let mark = self.embedding.shared.config.response.high_water_mark.max(1);
        let mut sent = 0;
        while self.encoded.len() < mark && self.shared.is_none() {
            let Some(events) = &mut self.events else {
                break;
            };
            match catch(|| events.poll_next_yielded(cx)) {
                Ok(Poll::Pending) => break,
                Ok(Poll::Ready(Some(Ok(StreamItem::Event(event))))) => {
                    sent += 1;
                    event.encode(&mut self.encoded);
                }
                Ok(Poll::Ready(Some(Ok(StreamItem::Comment(comment))))) => {
                    comment.encode(&mut self.encoded);
                }
                Ok(Poll::Ready(Some(Ok(StreamItem::Encoded(batch))))) => {
                    sent += batch.count();
                    self.shared = Some(batch.into_bytes());
                }
                Ok(Poll::Ready(Some(Err(error)))) => self.stop(CloseReason::from(&error)),
                Ok(Poll::Ready(None)) => self.stop(CloseReason::StreamEnded),
                Err(Panicked) => self.stop(CloseReason::HandlerPanicked),
            }
        }
        if let Some(exchange) = &mut self.exchange {
            exchange.place().sent(sent);
        }
    }

    /// The events are over. To drop their stream is to call the handler's code once more.
    fn stop(&mut self, mut reason: CloseReason) {
        let events = self.events.take();
        let dropped = catch(|| drop(events));
        if dropped.is_err() && reason == CloseReason::StreamEnded {
            reason = CloseReason::HandlerPanicked;
        }
        self.end = Some(reason);
    }

    /// Before a failure: until the server has had time to write what it took. Servers throw away
    /// what they have not written when a body fails.
    fn let_write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if matches!(
            self.end,
            Some(CloseReason::StreamEnded | CloseReason::Shutdown)
        ) {
            return Poll::Ready(());
        }
        let Shared {
            runtime, config, ..
        } = &*self.embedding.shared;
        let deadline = match self.fail_at {
            Some(deadline) => Some(deadline),
            None => runtime.now().checked_add(config.response.fail_delay),
        };
        self.fail_at = deadline;
        // Without a deadline it would be for ever.
        while deadline.is_some_and(|deadline| runtime.now() < deadline) {
            ready!(self.alarm.poll(runtime, deadline, cx));
        }
        Poll::Ready(())
    }

    /// What goes first, in one piece.
    fn take_ready(&mut self) -> Option<Bytes> {
        if self.encoded.is_empty() {
            return self.shared.take();
        }
        // The buffer is given away, so that an idle body is small.
        Some(std::mem::take(&mut self.encoded).into())
    }

    /// When a comment is due, if nothing else is sent before.
    fn next_keep_alive(&self) -> Option<Instant> {
        const SHORTEST: Duration = Duration::from_millis(10);
        let idle = self.embedding.shared.config.response.keep_alive?;
        self.busy_at.checked_add(idle.max(SHORTEST))
    }

    /// Until a comment is due, or earlier. The clock is looked at before the timer: a runtime may
    /// make a timer wait for others.
    fn sleep(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let next = self.next_keep_alive();
        let runtime = &self.embedding.shared.runtime;
        if next.is_some_and(|next| next <= runtime.now()) {
            return Poll::Ready(());
        }
        self.alarm.poll(runtime, next, cx)
    }
}

/// Dropped before its end. First the handler's stream goes, which is its code once more, and then
/// clean-up runs.
impl<R: Runtime> Drop for Streaming<R> {
    fn drop(&mut self) {
        let events = self.events.take();
        let _ = catch(|| drop(events));
        // A stream that ended was not delivered; one that failed had failed by then.
        let failed = self
            .end
            .take()
            .filter(|end| *end != CloseReason::StreamEnded);
        if let (Some(exchange), Some(reason)) = (self.exchange.take(), failed) {
            exchange.end(reason);
        }
    }
}

impl<R: Runtime> fmt::Debug for Body<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.look(|state| match state {
            State::Events(_) => "Events",
            State::Whole(..) => "Whole",
            State::Head(_) => "Head",
            State::Over => "Over",
        });
        f.debug_tuple("Body").field(&state).finish()
    }
}
