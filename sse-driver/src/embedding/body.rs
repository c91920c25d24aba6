//! A reply's body, as an `http_body::Body`.

use std::{
    error::Error,
    fmt, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use sse_core::{
    http::BodyLength,
    internal::sync::{Mutex, PoisonError, lock},
    lifecycle::CloseReason,
};

use super::embedded::Embedded;
use crate::{Runtime, exchange::Turn};

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
    /// What an exchange gives, and how much of it is still to come.
    Asked(Box<Embedded<R>>, BodyLength),
    /// What no exchange is behind.
    Whole(Bytes),
    Over,
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
    pub(super) fn of(embedded: Box<Embedded<R>>, length: BodyLength) -> Self {
        Self::in_state(State::Asked(embedded, length))
    }

    pub(super) fn whole(bytes: Bytes) -> Self {
        Self::in_state(State::Whole(bytes))
    }

    fn in_state(state: State<R>) -> Self {
        Self {
            state: Mutex::new(state),
        }
    }

    /// What `ask` gives. A panic under the lock leaves nothing half-done.
    fn look<T>(&self, ask: impl FnOnce(&State<R>) -> T) -> T {
        ask(&lock(&self.state))
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
            State::Over => None,
            State::Whole(bytes) => {
                let bytes = mem::take(bytes);
                *state = State::Over;
                (!bytes.is_empty()).then_some(Ok(bytes))
            }
            State::Asked(embedded, length) => {
                let mut polled = ready!(embedded.poll_body(cx));
                // An answer that tells of a failure is whole all the same.
                if let (Some(Err(_)), BodyLength::None | BodyLength::Exact(0)) = (&polled, &length)
                {
                    polled = None;
                }
                match (&polled, length) {
                    (Some(Ok(bytes)), BodyLength::Exact(left)) => {
                        *left = left.saturating_sub(bytes.len() as u64);
                    }
                    (Some(Ok(_)), _) => {}
                    _ => *state = State::Over,
                }
                polled
            }
        };
        Poll::Ready(polled.map(|bytes| bytes.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.look(|state| match state {
            State::Asked(_, length) => matches!(length, BodyLength::None | BodyLength::Exact(0)),
            State::Whole(bytes) => bytes.is_empty(),
            State::Over => true,
        })
    }

    fn size_hint(&self) -> SizeHint {
        self.look(|state| match state {
            // Of a `HEAD` there would be something.
            State::Asked(_, BodyLength::Chunked | BodyLength::None) => SizeHint::default(),
            State::Asked(_, BodyLength::Exact(left)) => SizeHint::with_exact(*left),
            State::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            State::Over => SizeHint::with_exact(0),
        })
    }
}

impl<R: Runtime> Embedded<R> {
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        loop {
            let now = self.now();
            let turn = self.turn(cx, now);
            if let Some(bytes) = self.take_body(now) {
                return Poll::Ready(Some(Ok(bytes)));
            }
            match turn {
                Turn::Closed(CloseReason::StreamEnded | CloseReason::ResponseSent) => {
                    return Poll::Ready(None);
                }
                Turn::Closed(reason) => return Poll::Ready(Some(Err(BodyError { reason }))),
                Turn::EndOutput { .. } => {
                    self.output_ended(now);
                    return Poll::Ready(None);
                }
                Turn::Spent => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                // The head was given already, and there is room once everything is taken.
                Turn::Respond(_) | Turn::Full => {}
                Turn::Parked => ready!(self.sleep(cx, now)),
            }
        }
    }
}

impl<R: Runtime> fmt::Debug for Body<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.look(|state| match state {
            State::Asked(_, length) => format!("Asked({length:?})"),
            State::Whole(..) => "Whole".into(),
            State::Over => "Over".into(),
        });
        f.debug_tuple("Body").field(&state).finish()
    }
}
