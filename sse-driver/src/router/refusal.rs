//! The response of a handler that rejects a request.

use std::{error::Error, fmt};

use ::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use bytes::Bytes;
use sse_core::Text;

use super::reply::{Reply, TEXT, add_field};

/// The response of a handler that rejects a request: a status and a plain text, sent in place of the
/// event stream.
///
/// ```
/// use futures_core::Stream;
/// use futures_util::stream;
/// use sse_core::http::StatusCode;
/// use sse_driver::router::{Refusal, Request};
///
/// async fn handler(request: Request) -> Result<impl Stream<Item = u32>, Refusal> {
///     let from = request
///         .query_param("from")
///         .ok_or_else(|| Refusal::new(StatusCode::BAD_REQUEST, "add ?from=NUMBER"))?
///         .parse()
///         .map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, "from is not a number"))?;
///     Ok(stream::iter(from..))
/// }
/// ```
///
/// For an error type of your own, implement `From<YourError> for Refusal`: `?` converts it to a refusal,
/// and a handler may return it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    // Boxed, so that a `Result` with it stays small.
    response: Box<(StatusCode, HeaderMap, Text)>,
}

impl Refusal {
    /// Creates a refusal with this status and this text, which is sent as `text/plain` in UTF-8. End it
    /// with a line feed for those who use `curl`.
    pub fn new(status: StatusCode, text: impl Into<Text>) -> Self {
        Self {
            response: Box::new((status, HeaderMap::new(), text.into())),
        }
    }

    /// Adds a header field, such as `www-authenticate` for a 401 or `retry-after` for a 503. A
    /// `content-type` replaces `text/plain`.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        add_field(&mut self.response.1, name, value);
        self
    }

    /// Returns the status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.response.0
    }

    /// Returns the response.
    pub(crate) fn into_response(self) -> Response<Bytes> {
        let (status, headers, text) = *self.response;
        let mut response = Response::new(text.into_bytes());
        *response.status_mut() = status;
        let fields = response.headers_mut();
        fields.insert(header::CONTENT_TYPE, TEXT);
        fields.extend(headers);
        response
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        refusal.into_response().into()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.response.0, self.response.2)
    }
}

impl Error for Refusal {}
