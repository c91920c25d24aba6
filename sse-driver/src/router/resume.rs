//! What topics have to do with a router: its requests resume, and its handlers refuse.

use std::borrow::Cow;

use ::http::StatusCode;
use sse_core::topic::{MergeError, ResumeRequest, TooManyTopics};

use super::{Refusal, Request};

impl ResumeRequest for Request {
    fn last_event_id(&self, query_param: &str) -> Option<Cow<'_, str>> {
        self.as_http().last_event_id(query_param)
    }
}

impl From<TooManyTopics> for Refusal {
    /// A 503. Its text does not tell the client how many topics there may be.
    fn from(_: TooManyTopics) -> Self {
        let text = "The server has as many topics as it can take. Try again later.\n";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, text)
    }
}

impl From<MergeError> for Refusal {
    /// A 400 where the request names no topic or too many, and else a 503.
    fn from(error: MergeError) -> Self {
        let text = match error {
            MergeError::NoTopic => "Name at least one topic.\n".into(),
            MergeError::TooMany { max } => format!("Name no more than {max} topics.\n"),
            MergeError::Map(error) => return error.into(),
            // Two topics of one epoch, and what else is the server's fault.
            _ => {
                let text = "These topics cannot be in one stream.\n";
                return Self::new(StatusCode::SERVICE_UNAVAILABLE, text);
            }
        };
        Self::new(StatusCode::BAD_REQUEST, text)
    }
}
