//! Foreign HTTP clients, in place of connections.

use std::{
    error::Error,
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http_body::Body;
use sse_core::http::{Request, Response};

type BoxError = Box<dyn Error + Send + Sync>;

/// An HTTP client that sends the requests of an [`EventSource`](crate::EventSource) in place of its own
/// connections: see [`with_http_client`](crate::EventSource::with_http_client).
///
/// A function from a `Request<Bytes>` to a future of a `Result` of a response is one; so are the clients
/// of `hyper` and `reqwest` in a closure of a few lines. Each redirect and each reconnection is one call.
/// The event source drops the future and the body when it gives up the request, and the client has to end
/// the request then. A panic in either is a loss, whose cause is
/// [`TransportPanicked`](crate::TransportPanicked).
///
/// The event source does not see what the client does by itself:
///
/// - Turn off its redirects: the event source follows them, remembers their targets, and removes
///   credentials at another origin.
/// - Turn off its retries: they do not wait, and do not carry a new last event ID.
/// - Turn off its deadline for a whole response, which an event stream exceeds.
/// - It may decompress bodies, if it removes the `Content-Encoding` field from their responses. An
///   `Accept-Encoding` field among the [headers](sse_core::client::EventSourceConfig::headers) asks for
///   that.
///
/// ```
/// use bytes::Bytes;
/// use sse_driver::HttpClient;
/// use sse_core::http::{Request, Response};
///
/// /// Sends each request with an additional header field.
/// struct Tagged<C>(C);
///
/// impl<C: HttpClient> HttpClient for Tagged<C> {
///     type Body = C::Body;
///     type Error = C::Error;
///
///     async fn send(&self, mut request: Request<Bytes>) -> Result<Response<C::Body>, C::Error> {
///         request.headers_mut().insert("x-tag", "7".parse().expect("a valid value"));
///         self.0.send(request).await
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not send the requests of an event source",
    note = "an HTTP client is a function of a `Request<Bytes>` that returns a future of a \
            `Result<Response<B>, E>`, where `B` is an `http_body::Body`, and is `Send + Sync + 'static`"
)]
pub trait HttpClient: Send + Sync + 'static {
    /// The body of its responses. An error of the body is a loss of the connection.
    type Body: Body<Error: Into<BoxError>> + Send + 'static;

    /// The error of a request without a response, which is a loss of the connection.
    /// [`Loss::cause`](sse_core::client::Loss::cause) finds it.
    type Error: Into<BoxError>;

    /// Sends `request` and returns the head of its response, with the body to come.
    ///
    /// The request has an absolute URI and all its header fields except `Host` and `Content-Length`.
    /// Interim responses are not returned.
    ///
    /// # Errors
    ///
    /// Any error that kept the client from receiving a response.
    fn send(
        &self,
        request: Request<Bytes>,
    ) -> impl Future<Output = Result<Response<Self::Body>, Self::Error>> + Send;
}

impl<F, Fut, B, E> HttpClient for F
where
    F: Fn(Request<Bytes>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Response<B>, E>> + Send,
    B: Body<Error: Into<BoxError>> + Send + 'static,
    E: Into<BoxError>,
{
    type Body = B;
    type Error = E;

    fn send(&self, request: Request<Bytes>) -> impl Future<Output = Result<Response<B>, E>> + Send {
        self(request)
    }
}

/// Any [`HttpClient`], so that its type is not a parameter of the event source.
pub(super) type AnyClient = Arc<dyn SendAny>;

pub(super) trait SendAny: Send + Sync {
    fn send_any(self: Arc<Self>, request: Request<Bytes>) -> Sent;
}

/// A request that was sent.
pub(super) type Sent = Pin<Box<dyn Future<Output = io::Result<Response<AnyBody>>> + Send>>;

impl<C: HttpClient> SendAny for C {
    fn send_any(self: Arc<Self>, request: Request<Bytes>) -> Sent {
        Box::pin(async move {
            let response = self.send(request).await.map_err(io::Error::other)?;
            Ok(response.map(|body| Box::pin(body) as AnyBody))
        })
    }
}

/// The body of a response.
pub(super) type AnyBody = Pin<Box<dyn PollData + Send>>;

pub(super) trait PollData {
    /// Returns the next bytes, which are empty for trailers, or `None` at the end.
    fn poll_data(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>>;
}

impl<B: Body<Error: Into<BoxError>>> PollData for B {
    fn poll_data(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let Some(frame) = ready!(self.poll_frame(cx)) else {
            return Poll::Ready(None);
        };
        let frame = frame.map_err(io::Error::other)?;
        Poll::Ready(Some(Ok(match frame.into_data() {
            Ok(mut data) => data.copy_to_bytes(data.remaining()),
            Err(_trailers) => Bytes::new(),
        })))
    }
}
