//! The response to a new connection for which there is no place.

use std::time::Duration;

use ::http::{Response, StatusCode, header};
use bytes::Bytes;
use sse_core::{
    Text,
    internal::{
        Jitter,
        sync::{Mutex, lock},
    },
};

use crate::router::Refusal;

/// Responds with 503, and spreads out when the rejected clients come back.
pub(crate) struct NoPlace {
    jitter: Mutex<Jitter>,
    /// The longest `Retry-After`.
    longest: Duration,
}

impl NoPlace {
    /// The text of a 503 at the connection limit.
    pub(crate) const CONNECTIONS: &str =
        "The server is at its connection limit. Try again later.\n";
    #[cfg(feature = "http-body")]
    pub(crate) const STREAMS: &str = "The server is at its limit of streams. Try again later.\n";
    #[cfg(feature = "http-body")]
    pub(crate) const SHUTTING_DOWN: &str = "The server is shutting down. Try again later.\n";

    pub(crate) fn new(seed: u64, longest: Duration) -> Self {
        let jitter = Mutex::new(Jitter::new(seed));
        Self { jitter, longest }
    }

    /// Returns the refusal, with a `Retry-After` of a whole number of seconds.
    pub(crate) fn refusal(&self, text: &'static str) -> Refusal {
        let longest = self.longest.as_secs().max(1);
        let seconds = 1 + lock(&self.jitter).below(longest);
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, Text::from_static(text))
            .with_header(header::RETRY_AFTER, seconds.into())
    }

    /// Returns the same as a response.
    pub(crate) fn response(&self, text: &'static str) -> Response<Bytes> {
        self.refusal(text).into_response()
    }
}
