//! A response that is not an event stream.

use std::fmt;

use ::http::{HeaderMap, Response, StatusCode, header};
use bytes::Bytes;

/// A response that is not an event stream: its status and header fields, and its body up to
/// [`EventSourceConfig::max_unexpected_body`](super::EventSourceConfig::max_unexpected_body).
///
/// An API that answers with an event stream or with JSON can be asked by an event source: the answer
/// in JSON is in the [`Failure`](super::Failure).
///
/// ```
/// use sse_core::{client::Failure, http::StatusCode};
///
/// fn is_rate_limited(failure: &Failure) -> bool {
///     let response = failure.unexpected_response();
///     response.is_some_and(|response| response.status() == StatusCode::TOO_MANY_REQUESTS)
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UnexpectedResponse {
    /// Status and header fields.
    pub response: Response<()>,
    /// The body, or the first bytes of it.
    pub body: Bytes,
    /// Whether the body has more than that: it is longer than the bound, or broke off, or did not
    /// come in time.
    pub is_cut: bool,
}

impl UnexpectedResponse {
    /// Returns the status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// Returns the header fields.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// Returns the body as JSON, whatever its content type says.
    ///
    /// # Errors
    ///
    /// Those of deserialising it. A body that [was cut](Self::is_cut) ends too early.
    #[cfg(feature = "json")]
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }

    /// The body's first line, as far as it is fit to be read.
    fn fmt_body(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 200;
        let text = String::from_utf8_lossy(&self.body);
        match text.lines().map(str::trim).find(|line| !line.is_empty()) {
            None => Ok(()),
            Some(line) => {
                f.write_str(": ")?;
                // Nothing in it is to move a terminal's cursor, or to turn its text around.
                line.chars().take(LONGEST).try_for_each(|c| match c {
                    '"' | '\'' | '\\' => write!(f, "{c}"),
                    c => write!(f, "{}", c.escape_debug()),
                })
            }
        }
    }
}

/// What is unexpected about it, and the first line of the body.
impl fmt::Display for UnexpectedResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.status(), self.headers().get(header::CONTENT_TYPE)) {
            (StatusCode::OK, Some(value)) => write!(
                f,
                "the server answered with {value:?} instead of \"text/event-stream\""
            )?,
            (StatusCode::OK, None) => f.write_str(
                "the server answered without a content type instead of \"text/event-stream\"",
            )?,
            (status, _) => write!(f, "the server answered {status}")?,
        }
        self.fmt_body(f)
    }
}
