//! A request that a handler of the foreign server answers.

use std::{
    borrow::Cow,
    fmt,
    future::poll_fn,
    net::SocketAddr,
    ops::Deref,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use ::http::{Response, StatusCode, request::Parts};
use sse_core::{
    internal::sync::{Mutex, lock},
    topic::ResumeRequest,
};

use super::{Answer, Body, Embedding, IncomingBody, embedded::Embedded, head_of};
use crate::{
    Runtime,
    router::{self, Refusal, Reply, Routed},
};

/// A request inside a foreign server whose own handler makes the reply. Extractors for that server are
/// built from it.
///
/// [`Embedding::begin`] creates it from the request's head. Its [`request`](Self::request) is a
/// [`Request`](router::Request), and [`reply`](Self::reply) makes the foreign server's response from a
/// topic's subscriber, an attachment of a resumable stream, or any [`Reply`]. `sse_tokio::axum::Sse` is
/// this as an extractor for axum.
///
/// It counts as open in the [embedding](Embedding::open) from the beginning. If it is dropped without a
/// reply, clean-up runs with
/// [`CloseReason::ClientWentAway`](sse_core::lifecycle::CloseReason::ClientWentAway), because servers
/// drop handlers when the client has gone.
///
/// ```
/// use futures_util::stream;
/// use sse_core::http::{Request, StatusCode};
/// use sse_driver::{embedding::{Body, Embedding}, router::{Refusal, Reply}};
///
/// /// A handler of the foreign server.
/// fn count<R: sse_driver::Runtime>(
///     sse: &Embedding<R>,
///     request: Request<()>,
/// ) -> Result<sse_core::http::Response<Body<R>>, Refusal> {
///     let (parts, _) = request.into_parts();
///     let request = sse.begin(parts, None)?;
///     let from: u32 = request.query_param("from").and_then(|from| from.parse().ok()).unwrap_or(0);
///     request.clean_up().add(|reason| println!("over: {reason}"));
///     Ok(request.reply(Reply::events(stream::iter(from..))))
/// }
/// ```
pub struct EmbeddedRequest<R: Runtime> {
    request: router::Request,
    reply: Arc<Mutex<Option<Reply>>>,
    // This is last, so that the fields above are dropped before clean-up runs.
    embedded: Box<Embedded<R>>,
}

impl<R: Runtime> Embedding<R> {
    /// Begins a request with this head, whose reply the caller makes. If the foreign server's handlers
    /// are those of this crate, [`respond`](Self::respond) is simpler.
    ///
    /// `peer` is the address that [`Request::peer_addr`](router::Request::peer_addr) returns.
    ///
    /// # Errors
    ///
    /// A [`Refusal`], a 503 with `Retry-After`, where
    /// [`EmbeddingConfig::max_open`](super::EmbeddingConfig::max_open) responses are open, or the
    /// embedding is shutting down.
    pub fn begin(
        &self,
        parts: Parts,
        peer: Option<SocketAddr>,
    ) -> Result<EmbeddedRequest<R>, Refusal> {
        let reply = Arc::<Mutex<Option<Reply>>>::default();
        let (given, mut request) = (reply.clone(), None);
        let route = |head, context| {
            request = Some(router::Request::new(head, Vec::new(), context));
            // It is polled when the reply is there.
            Routed::Call(Box::pin(poll_fn(move |_| {
                lock(&given).take().map_or(Poll::Pending, Poll::Ready)
            })))
        };
        let embedded = self.ask(head_of(parts, false), peer, route, IncomingBody::none)?;
        // The exchange has called the route above.
        let request = request.ok_or_else(no_request)?;
        let embedded = Box::new(embedded);
        Ok(EmbeddedRequest {
            request,
            reply,
            embedded,
        })
    }
}

fn no_request() -> Refusal {
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "The request is lost.\n")
}

impl<R: Runtime> EmbeddedRequest<R> {
    /// Returns the request, with everything that a handler of this crate gets. Its methods are also those
    /// of this type, by `Deref`.
    #[must_use]
    pub fn request(&self) -> &router::Request {
        &self.request
    }

    /// Returns the foreign server's response: the head, and a body with the stream.
    ///
    /// A topic's subscriber, an attachment of a resumable stream and a [`Refusal`] convert to a
    /// [`Reply`]; [`Reply::events`] makes one from any stream.
    pub fn reply(self, reply: impl Into<Reply>) -> Response<Body<R>> {
        *lock(&self.reply) = Some(reply.into());
        // The reply is there, so the answer is, too. The body is polled with the server's waker.
        let mut answer = Answer::asked(*self.embedded);
        let mut cx = Context::from_waker(Waker::noop());
        match Future::poll(Pin::new(&mut answer), &mut cx) {
            Poll::Ready(response) => response,
            Poll::Pending => {
                let mut response = Response::new(Body::whole(Default::default()));
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                response
            }
        }
    }
}

impl<R: Runtime> Deref for EmbeddedRequest<R> {
    type Target = router::Request;

    fn deref(&self) -> &router::Request {
        &self.request
    }
}

// The `cfg` is on the module, too. Here it is for the documentation of an adapter, which names the feature by it.
#[cfg(feature = "http-body")]
impl<R: Runtime> ResumeRequest for EmbeddedRequest<R> {
    fn last_event_id(&self, query_param: &str) -> Option<Cow<'_, str>> {
        ResumeRequest::last_event_id(&self.request, query_param)
    }
}

impl<R: Runtime> fmt::Debug for EmbeddedRequest<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedRequest")
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}
