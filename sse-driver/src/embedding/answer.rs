//! The future of a response's head.

use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use ::http::{Response, StatusCode};
use bytes::Bytes;
use sse_core::http::BodyLength;

use super::{
    Body,
    embedded::{Embedded, Output},
};
use crate::Runtime;

/// The future of a response, which never fails.
///
/// If it is dropped before it is ready, the handler's future is dropped and clean-up runs.
#[must_use = "the client is not answered unless it is polled"]
pub struct Answer<R: Runtime>(State<R>);

enum State<R: Runtime> {
    // The response is large, and is moved around.
    TurnedAway(Box<Response<Body<R>>>),
    Asked(Box<Embedded<R>>),
    Given,
}

impl<R: Runtime> Answer<R> {
    /// Creates an answer without a handler, which has nothing to clean up.
    pub(super) fn turned_away(response: Response<Bytes>) -> Self {
        Self(State::TurnedAway(Box::new(response.map(Body::whole))))
    }

    /// Creates an answer that the exchange gives.
    pub(super) fn asked(embedded: Embedded<R>) -> Self {
        Self(State::Asked(Box::new(embedded)))
    }
}

impl<R: Runtime> Future for Answer<R> {
    type Output = Response<Body<R>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let output = match &mut self.0 {
            State::Asked(embedded) => Some(ready!(embedded.drive(cx))),
            State::TurnedAway(_) | State::Given => None,
        };
        Poll::Ready(match (mem::replace(&mut self.0, State::Given), output) {
            (State::TurnedAway(response), _) => *response,
            (State::Asked(embedded), Some(Output::Head(head))) => embedded.into_response(*head),
            // No exchange ends before it has a head for the server; this would be a fault of this crate.
            (State::Asked(_), _) => {
                let mut response = Response::new(Body::whole(Bytes::new()));
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                response
            }
            // The future was polled again after its end, when it need not answer.
            (State::Given, _) => return Poll::Pending,
        })
    }
}

impl<R: Runtime> Embedded<R> {
    /// Returns the response with this head: the exchange continues in its body.
    fn into_response(self: Box<Self>, head: Response<BodyLength>) -> Response<Body<R>> {
        // Except for a `HEAD`, no body means an empty body.
        let length = match *head.body() {
            BodyLength::None if !self.is_head => BodyLength::Exact(0),
            length => length,
        };
        head.map(|_| Body::of(self, length))
    }
}

impl<R: Runtime> fmt::Debug for Answer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.0 {
            State::TurnedAway(_) => "TurnedAway",
            State::Asked(_) => "Asked",
            State::Given => "Given",
        };
        f.debug_tuple("Answer").field(&state).finish()
    }
}
