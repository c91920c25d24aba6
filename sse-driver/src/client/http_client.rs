//! A foreign HTTP client in the place of connections.

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

/// An HTTP client that sends the requests of an [`EventSource`](crate::EventSource) in the place of
/// connections of its own: see [`with_http_client`](crate::EventSource::with_http_client).
///
/// A function of a `Request<Bytes>` that returns a future of a `Result` of a response is one; so are
/// `hyper`'s and `reqwest`'s clients in a closure of a few lines. Each redirect and each reconnection
/// is one call. The future and the body are dropped when the event source drops the request, and a
/// client has to end the request then. A panic in either is a loss, whose cause is
/// [`TransportPanicked`](crate::TransportPanicked).
///
/// What the client does by itself is not seen here:
///
/// - Turn off its redirects: the event source follows them, remembers where they led, and takes
///   credentials away at another origin.
/// - Turn off its retries: they are not paced, and do not carry a new last event ID.
/// - Turn off its deadline for a whole response, which an event stream exceeds.
/// - It may decompress bodies, if it takes the `Content-Encoding` field away from their responses. It
///   is asked to with an `Accept-Encoding` field among the
///   [headers](sse_core::client::EventSourceConfig::headers).
///
/// ```
/// use bytes::Bytes;
/// use sse_driver::HttpClient;
/// use sse_core::http::{Request, Response};
///
/// /// Sends each request with a header field of its own.
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
pub trait HttpClient: Send + Sync + 'static {
    /// The body of its responses. An error of it is a loss of the connection.
    type Body: Body<Error: Into<BoxError>> + Send + 'static;

    /// Why there is no response, which is a loss of the connection. It is found again with
    /// [`Loss::cause`](sse_core::client::Loss::cause).
    type Error: Into<BoxError>;

    /// Sends `request` and returns the head of its response, with the body to come.
    ///
    /// The request has an absolute URI and all its header fields except `Host` and `Content-Length`.
    /// Interim responses are not returned.
    ///
    /// # Errors
    ///
    /// Whatever kept the client from a response.
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

/// Any [`HttpClient`], so that its type is none of the event source's.
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
    /// The next bytes, of which trailers have none, or `None` at the end.
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
