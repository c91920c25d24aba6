//! The body of a reply, as an `http_body::Body`.

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

use super::embedded::{Embedded, Output};
use crate::Runtime;

/// The body of a response, which may be an event stream.
///
/// Ready bytes are joined, up to the high-water mark, and events of a topic are passed on without copying
/// them. The handler's stream is polled only when the body is.
///
/// It is `Send`, `Sync` and `Unpin`, as the boxed bodies of various frameworks require.
pub struct Body<R: Runtime> {
    /// Never locked by two: the lock makes the state, which is only `Send`, `Sync` as well.
    state: Mutex<State<R>>,
}

enum State<R: Runtime> {
    /// An exchange, and the length of its body.
    Asked(Box<Embedded<R>>, BodyLength),
    /// Bytes without an exchange.
    Whole(Bytes),
    Over,
}

/// The error of a [`Body`] whose response has to be broken off, because the client has not received all
/// of it.
///
/// Its [source](Error::source) is the error that the handler's stream yielded, if that is the reason.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamBroken {
    reason: CloseReason,
}

impl StreamBroken {
    /// Returns the reason for which the stream broke off. The clean-up callbacks get the same.
    #[must_use]
    pub fn reason(&self) -> &CloseReason {
        &self.reason
    }
}

impl fmt::Display for StreamBroken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the event stream broke off: {}", self.reason)
    }
}

impl Error for StreamBroken {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.reason.error()
    }
}

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

    /// Reads the state. A panic under the lock leaves nothing half-done.
    fn look<T>(&self, ask: impl FnOnce(&State<R>) -> T) -> T {
        ask(&lock(&self.state))
    }
}

impl<R: Runtime> http_body::Body for Body<R> {
    type Data = Bytes;
    type Error = StreamBroken;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamBroken>>> {
        let state = self.get_mut().state.get_mut();
        let state = state.unwrap_or_else(PoisonError::into_inner);
        let polled = match state {
            State::Over => None,
            State::Whole(bytes) => {
                let bytes = mem::take(bytes);
                *state = State::Over;
                (!bytes.is_empty()).then_some(Ok(bytes))
            }
            State::Asked(embedded, length) => match ready!(embedded.drive(cx)) {
                Output::Data(bytes) => {
                    if let BodyLength::Exact(left) = length {
                        *left = left.saturating_sub(bytes.len() as u64);
                    }
                    Some(Ok(bytes))
                }
                end => {
                    let is_complete = matches!(length, BodyLength::None | BodyLength::Exact(0));
                    *state = State::Over;
                    match end {
                        // A whole response that reports a failure is complete nevertheless.
                        Output::Failed(reason) if !is_complete => {
                            Some(Err(StreamBroken { reason }))
                        }
                        _ => None,
                    }
                }
            },
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
            // The response to a `HEAD` would have a size.
            State::Asked(_, BodyLength::Chunked | BodyLength::None) => SizeHint::default(),
            State::Asked(_, BodyLength::Exact(left)) => SizeHint::with_exact(*left),
            State::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            State::Over => SizeHint::with_exact(0),
        })
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
