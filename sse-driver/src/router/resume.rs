//! Topics that resume from a router's requests, and the refusals that errors of the core become.

use std::borrow::Cow;

use ::http::StatusCode;
use sse_core::{
    EventError,
    topic::{MergeError, ResumeRequest, TooManyTopics, resumable::StartError},
};

use super::{Refusal, Request};

impl ResumeRequest for Request {
    fn last_event_id(&self, query_param: &str) -> Option<Cow<'_, str>> {
        self.as_http().last_event_id(query_param)
    }
}

impl From<TooManyTopics> for Refusal {
    /// Converts to a 503. Its text does not tell the client the bound.
    fn from(_: TooManyTopics) -> Self {
        let text = "The server is at its limit of topics. Try again later.\n";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, text)
    }
}

impl From<MergeError> for Refusal {
    /// Converts to a 400 where the request names no topic or too many, and otherwise a 503.
    fn from(error: MergeError) -> Self {
        let text = match error {
            MergeError::NoTopic => "Name at least one topic.\n".into(),
            MergeError::TooMany { max } => format!("Name no more than {max} topics.\n"),
            MergeError::Map(error) => return error.into(),
            // Two topics of one epoch, and other faults of the server.
            _ => {
                let text = "These topics cannot be in one stream.\n";
                return Self::new(StatusCode::SERVICE_UNAVAILABLE, text);
            }
        };
        Self::new(StatusCode::BAD_REQUEST, text)
    }
}

/// The reply of a handler cannot be made, such as JSON of a value that does not serialise.
impl From<EventError> for Refusal {
    /// Converts to a 500. Its text does not tell the client why.
    fn from(_: EventError) -> Self {
        let text = "The server cannot write its answer.\n";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, text)
    }
}

impl From<StartError> for Refusal {
    /// Converts to a 404 for a client that comes back to a stream that is no longer kept, a 429 at the bound of an
    /// owner, a 503 at that of all streams, and a 400 for a name that is too long. The text does not tell
    /// the client the bounds.
    fn from(error: StartError) -> Self {
        let (status, text) = match error {
            StartError::Forgotten => (StatusCode::NOT_FOUND, "This stream is no longer kept.\n"),
            StartError::TooManyOfOwner { .. } => (
                StatusCode::TOO_MANY_REQUESTS,
                "You are at your limit of streams. Stop one, or try again later.\n",
            ),
            StartError::NameTooLong { .. } => (
                StatusCode::BAD_REQUEST,
                "The name of the stream is too long.\n",
            ),
            _ => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The server is at its limit of streams. Try again later.\n",
            ),
        };
        Self::new(status, text)
    }
}
