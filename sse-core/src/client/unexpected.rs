//! A response that is not an event stream.

use std::fmt;

use ::http::{HeaderMap, Response, StatusCode, header};
use bytes::Bytes;

/// A response that is not an event stream: its status, its header fields, and its body up to
/// [`EventSourceConfig::max_unexpected_body`](super::EventSourceConfig::max_unexpected_body).
///
/// An event source can therefore call an API that answers with an event stream or with JSON: the
/// [`Failure`](super::Failure) has the JSON.
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
    /// The status and the header fields.
    pub response: Response<()>,
    /// The body, or its first bytes.
    pub body: Bytes,
    /// Whether `body` is incomplete: the body is longer than the bound, broke off, or did not come in
    /// time.
    pub is_cut: bool,
}

impl UnexpectedResponse {
    /// Returns the status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// Returns the header fields. Among them are those that say what to do next, such as `Retry-After`
    /// and `WWW-Authenticate`.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// Returns the body as JSON, whatever its content type says.
    ///
    /// # Errors
    ///
    /// The errors of deserialising the body, such as of one that [was cut](Self::is_cut).
    #[cfg(feature = "json")]
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }

    /// Writes the body's first line, as far as it is printable.
    fn fmt_body(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 200;
        let text = String::from_utf8_lossy(&self.body);
        match text.lines().map(str::trim).find(|line| !line.is_empty()) {
            None => Ok(()),
            Some(line) => {
                f.write_str(": ")?;
                // Control characters could move a terminal's cursor, or change the direction of its text.
                line.chars().take(LONGEST).try_for_each(|c| match c {
                    '"' | '\'' | '\\' => write!(f, "{c}"),
                    c => write!(f, "{}", c.escape_debug()),
                })
            }
        }
    }
}

/// The status or the content type, and the first line of the body.
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
