//! The request's body, as a handler gets it.

use ::http::HeaderMap;
use bytes::Bytes;

use super::Refusal;
use super::{ReplyFuture, Request, Route, cors::CorsFields};

/// A request whose handler waits for the body.
///
/// Receive the body, bounded, and [`call`](Self::call) the handler with it. If it cannot be received,
/// drop this: the handler is not called.
#[derive(Debug)]
pub struct Receive {
    request: Request,
    route: Route,
    fields: Option<CorsFields>,
}

impl Receive {
    pub(super) fn new(request: Request, route: Route, fields: Option<CorsFields>) -> Self {
        Self {
            request,
            route,
            fields,
        }
    }

    /// Calls the handler with the body. Returns the future of its reply, to be polled like that of
    /// [`Routed::Call`](super::Routed).
    #[must_use]
    pub fn call(self, body: Bytes) -> ReplyFuture {
        let mut request = self.request;
        request.body = body;
        self.route.call(request, self.fields)
    }

    /// Returns the request's header fields.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.request.headers()
    }
}

impl Request {
    /// Returns the body, without its framing; empty if there is none. Only routes of methods other than
    /// `GET` take a body: see [`Router::post`](super::Router::post). It is freed with the request;
    /// [cloning](Bytes::clone) it copies nothing.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Returns the body as JSON.
    ///
    /// ```
    /// use futures_core::Stream;
    /// use futures_util::stream;
    /// use sse_driver::router::{Refusal, Request, Router};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Prompt {
    ///     words: Vec<String>,
    /// }
    ///
    /// async fn repeat(request: Request) -> Result<impl Stream<Item = String>, Refusal> {
    ///     let prompt: Prompt = request.json()?;
    ///     Ok(stream::iter(prompt.words))
    /// }
    ///
    /// let router = Router::new().post("/repeat", repeat);
    /// ```
    ///
    /// # Errors
    ///
    /// A [`Refusal`] that names the fault: 415 where `Content-Type` is neither `application/json` nor
    /// `something+json`, 400 where the body is not JSON, and 422 where the JSON is not a valid `T`.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, Refusal> {
        use ::http::StatusCode;
        use serde_json::error::Category;

        if !is_json(self.headers()) {
            let text = "The body is not said to be JSON. Send it with content-type: \
                        application/json.\n";
            return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
        }
        serde_json::from_slice(&self.body).map_err(|error| match error.classify() {
            Category::Data => {
                let text = format!("The body is JSON, but not of the expected form: {error}.\n");
                Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, text)
            }
            _ => {
                let text = format!("The body is not valid JSON: {error}.\n");
                Refusal::new(StatusCode::BAD_REQUEST, text)
            }
        })
    }
}

/// Returns whether there is one `Content-Type`, of JSON. Its parameters do not matter: JSON is UTF-8
/// ([RFC 8259 section 8.1](https://www.rfc-editor.org/rfc/rfc8259#section-8.1)).
fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(::http::header::CONTENT_TYPE).iter();
    let (Some(value), None) = (types.next(), types.next()) else {
        return false;
    };
    let Ok(value) = value.to_str() else {
        return false;
    };
    let essence = value.split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    match essence.split_once('/') {
        Some(("application", "json")) => true,
        Some((_, subtype)) => subtype.strip_suffix("+json").is_some_and(|s| !s.is_empty()),
        None => false,
    }
}
