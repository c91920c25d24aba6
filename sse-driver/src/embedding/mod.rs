//! Event streams in another server: hyper, axum, or any that accepts an `http_body::Body`, over HTTP/1.1
//! and HTTP/2.
//!
//! An [`Embedding`] calls a handler and makes an [`http::Response`] from its return value. The handlers
//! are those of a [`Router`](crate::router::Router), and behave as they do there: clean-up runs exactly
//! once and gets the reason, idle streams send keep-alive comments, the handler's stream is polled only
//! when the server wants bytes, and topics resume.
//!
//! Each adapter has the types of this module for its runtime, whose timers they use:
//! `sse_tokio::Embedding` is `Embedding<Tokio>`. In axum, a route is one line, because axum accepts any
//! response whose body is an `http_body::Body`: `get(move |request: Request| sse.respond(request, None,
//! handler))`. With the feature `axum` the tokio adapter has an extractor; [`Embedding::begin`] is the
//! basis for an extractor of another framework.
//!
//! # How a response ends, and what clean-up gets
//!
//! | what happened | [`CloseReason`](sse_core::lifecycle::CloseReason) | the body |
//! |---|---|---|
//! | the handler's stream ended | `StreamEnded` | ends |
//! | a whole response, or a refusal, was taken by the server | `ResponseSent` | ends |
//! | the server dropped the body, or the answer's future, before that | `ClientWentAway` | |
//! | the stream yielded an error | `StreamError`, or `SlowConsumer` of a topic's | fails |
//! | the stream panicked | `HandlerPanicked` | fails |
//! | the handler panicked before it responded | `HandlerPanicked` | of a 500 |
//! | the handler did not respond in time | `TimedOut` | of a 503 |
//! | the stream reached its [longest life](EmbeddingConfig::lifetime) | `LifetimeOver` | ends |
//! | the stream was a topic's, and the [shutdown began](Embedding::begin_shutdown) | `Shutdown` | ends |
//! | the embedding was [cut](Embedding::cut) | `Shutdown` | fails |
//!
//! When a body fails, hyper breaks the response off, so that the client can tell: over HTTP/1.1 the last
//! chunk never comes, over HTTP/2 the stream is reset.
//!
//! hyper discards the bytes that it has not written by then. A body whose stream failed therefore [waits
//! a moment](sse_core::server::ResponseConfig::fail_delay) before it fails, too; clients that read slowly
//! may miss the last events before the failure nevertheless, and get them when they resume.
//!
//! `StreamEnded` and `ResponseSent` mean that the server has taken everything, and has yet to deliver the
//! bytes in its own buffers. (With this crate's own server they mean that everything was written.)
//!
//! A body does not see why it is dropped. A server drops it when the client has gone, and also when its
//! own task is cancelled or its runtime ends: clean-up gets `ClientWentAway` in all cases.
//!
//! # What the server does
//!
//! The server accepts connections, speaks TLS, reads the request's head within its deadline, and writes.
//! A body that the server does not poll cannot act: only the server can detect a client that keeps its
//! connection open and takes no bytes. Such a body holds up to one [high-water
//! mark](sse_core::server::ResponseConfig::high_water_mark), and its handler's stream is not polled. Over
//! TCP on Linux, `TCP_USER_TIMEOUT` on the accepted socket, which the adapters set, ends the connections
//! of clients that vanished; HTTP/2 in hyper has keep-alive pings for that.

mod answer;
mod body;
mod config;
mod embedded;
mod incoming;
mod request;

use std::{fmt, future::Future, net::SocketAddr, sync::Arc};

use ::http::{Method, Request, header, request::Parts};

use crate::{
    Runtime, ServerStats,
    connections::{Connections, Endings},
    exchange::Exchange,
    no_place::NoPlace,
    router::{self, IntoReply, Refusal, Routed, Routes},
};
use sse_core::{
    http::{BodyLength, RequestHead},
    server::{Connection, Phase, ResponseConfig},
};

pub use answer::Answer;
pub use body::{Body, StreamBroken};
pub use config::EmbeddingConfig;
pub use request::EmbeddedRequest;

use embedded::Embedded;
use incoming::IncomingBody;

/// Serves event streams inside another server. See the [module](self).
///
/// Clones are handles to the same embedding. It counts the open responses and can be shut down; a server
/// needs only one.
///
/// ```
/// use futures_util::stream;
/// use sse_driver::{Runtime, embedding::{Body, Embedding}};
///
/// /// A handler of the other server.
/// async fn hello<R: Runtime>(
///     embedding: &Embedding<R>,
///     request: http::Request<()>,
/// ) -> http::Response<Body<R>> {
///     embedding.respond(request, None, |_| stream::iter(["hello"])).await
/// }
/// ```
pub struct Embedding<R: Runtime> {
    shared: Arc<Shared<R>>,
}

struct Shared<R> {
    runtime: R,
    config: EmbeddingConfig,
    /// The settings of responses, in the form in which each connection holds them.
    response: Arc<ResponseConfig>,
    connections: Arc<Connections>,
    no_place: NoPlace,
}

impl<R: Runtime> Embedding<R> {
    /// Creates an embedding on this runtime's clock and timers.
    #[must_use]
    pub fn on(runtime: R, config: EmbeddingConfig) -> Self {
        let no_place = NoPlace::new(runtime.seed(), config.max_retry_after);
        let connections = Arc::<Connections>::default();
        connections.set_budget(&config.response.budget);
        connections.set_open_streams(config.open_streams.as_ref());
        connections.set_trusted_proxies(config.trusted_proxies.as_ref());
        connections.set_endings(Endings::new(
            config.lifetime,
            config.shutdown_spread,
            config.shutdown_timeout,
            runtime.seed(),
        ));
        Self {
            shared: Arc::new(Shared {
                runtime,
                response: Arc::new(config.response.clone()),
                config,
                connections,
                no_place,
            }),
        }
    }

    /// Calls `handler`, and responds with its return value. The request's own body is dropped.
    ///
    /// `peer` is the address that [`Request::peer_addr`](router::Request::peer_addr) returns. The handler
    /// is called when the answer is first polled.
    pub fn respond<B, H, T, K>(
        &self,
        request: Request<B>,
        peer: Option<SocketAddr>,
        handler: H,
    ) -> Answer<R>
    where
        H: FnOnce(router::Request) -> T + Send + 'static,
        T: IntoReply<K, Kept: Send, Error: Into<Refusal>> + 'static,
        K: 'static,
    {
        let (parts, _) = request.into_parts();
        let call = move |head, context| {
            let request = router::Request::new(head, Vec::new(), context);
            // The handler's return value is not held across the `await`.
            Routed::Call(Box::pin(async move {
                let reply = handler(request).into_reply();
                reply.await
            }))
        };
        self.answer(head_of(parts, false), peer, call, IncomingBody::none)
    }

    /// Routes the request to a handler of `routes`, and responds with its return value, or with what the
    /// [routes](crate::router) respond by themselves, such as a 404.
    ///
    /// If the route takes the request's body, it is received: up to
    /// [`body_limit`](sse_core::server::ResponseConfig::body_limit) bytes, within
    /// [`body_timeout`](sse_core::server::ResponseConfig::body_timeout). Otherwise it is dropped. A `GET`, a
    /// `HEAD` or an `OPTIONS` whose head announces a body gets a 413.
    ///
    /// [`Router::build`](crate::router::Router::build) creates the routes.
    pub fn route<B>(
        &self,
        routes: &Routes,
        request: Request<B>,
        peer: Option<SocketAddr>,
    ) -> Answer<R>
    where
        B: http_body::Body + Send + 'static,
        B::Data: Send,
    {
        let has_body = !request.body().is_end_stream();
        let (parts, body) = request.into_parts();
        self.answer(
            head_of(parts, has_body),
            peer,
            |head, context| routes.route(head, context),
            || IncomingBody::of(body),
        )
    }

    /// Returns the number of open responses: those whose handlers have not responded yet, and those with
    /// a body.
    #[must_use]
    pub fn open(&self) -> usize {
        self.shared.connections.open()
    }

    /// Returns the counters and gauges. A response counts as a connection here; the server's own
    /// connections are not counted.
    #[must_use]
    pub fn stats(&self) -> ServerStats {
        self.shared.connections.stats()
    }

    /// Begins the shutdown: handlers see it ([`Request::shutdown`](router::Request::shutdown)), so that
    /// their streams can send a last event and end; the streams of topics end by themselves, each at a
    /// time of its own if there are many of them ([`ShutdownSpread`](crate::ShutdownSpread)); and each
    /// further request gets a 503. A second call does nothing.
    ///
    /// Let the load balancer send new requests to other servers before that.
    pub fn begin_shutdown(&self) {
        self.shared.connections.shut_down();
    }

    /// Ends every stream at once, with
    /// [`CloseReason::Shutdown`](sse_core::lifecycle::CloseReason::Shutdown). Later requests get a 503.
    pub fn cut(&self) {
        self.shared.connections.cut();
    }

    /// Shuts down gracefully: [begins](Self::begin_shutdown) the shutdown, waits until every stream has
    /// ended by itself, for at most [`shutdown_timeout`](EmbeddingConfig::shutdown_timeout), and then
    /// [cuts](Self::cut) the others. Returns the number that were cut: open streams, and requests without
    /// a response. A response that the server only had to write is not cut.
    ///
    /// Without this, a server that waits for its connections, as the graceful shutdowns of axum and hyper
    /// do, would wait forever for an endless stream. Make it stop accepting at the same time.
    ///
    /// A body notices a cut when the server polls or drops it. The future waits for that, for at most 5
    /// s. A body that the server neither polls nor drops in that time, because its client does not read,
    /// does not count.
    pub fn shut_down(&self) -> impl Future<Output = u64> + Send + use<R> {
        let embedding = self.clone();
        async move {
            let Shared {
                runtime,
                config,
                connections,
                ..
            } = &*embedding.shared;
            let timeout = config.shutdown_timeout;
            connections.shut_down_within(runtime, timeout).await.cut
        }
    }

    fn answer(
        &self,
        head: RequestHead,
        peer: Option<SocketAddr>,
        route: impl FnOnce(RequestHead, router::Context) -> Routed,
        incoming: impl FnOnce() -> IncomingBody,
    ) -> Answer<R> {
        match self.ask(head, peer, route, incoming) {
            Ok(embedded) => Answer::asked(embedded),
            Err(refusal) => Answer::turned_away(refusal.into_response()),
        }
    }

    /// Passes the request to `route`, if there is a place for it.
    fn ask(
        &self,
        head: RequestHead,
        peer: Option<SocketAddr>,
        route: impl FnOnce(RequestHead, router::Context) -> Routed,
        incoming: impl FnOnce() -> IncomingBody,
    ) -> Result<Embedded<R>, Refusal> {
        let Shared {
            runtime,
            config,
            response,
            connections,
            ..
        } = &*self.shared;
        let place = match connections.shutdown.has_begun() {
            true => Err(NoPlace::SHUTTING_DOWN),
            false => connections.enter(config.max_open).ok_or(NoPlace::STREAMS),
        };
        let place = match place {
            Ok(place) => place,
            Err(text) => {
                connections.count_turned_away();
                return Err(self.shared.no_place.refusal(text));
            }
        };
        connections.count_accepted();
        let is_head = *head.request().method() == Method::HEAD;
        let now = runtime.now();
        let connection = Connection::for_response(now, response.clone(), &head);
        let mut exchange = Exchange::requested(connection, IncomingBody::none(), place);
        exchange.ask(now, head, peer, route);
        if exchange.connection.phase() == Phase::Body {
            exchange.transport = incoming();
        }
        Ok(Embedded::new(self, exchange, is_head))
    }
}

/// Returns the head of a request. Over HTTP/2 a body may come without a field that announces it. That of a
/// `GET` counts only if a field does: a body that has not ended may still be empty, such as one in a layer's
/// wrapper.
fn head_of(parts: Parts, may_have_body: bool) -> RequestHead {
    let length = parts.headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok()?.parse().ok());
    let is_announced = length.is_some() || parts.headers.contains_key(header::TRANSFER_ENCODING);
    let has_body = may_have_body && (is_announced || router::takes_body(&parts.method));
    let body = match length {
        _ if !has_body => BodyLength::None,
        Some(length) => BodyLength::Exact(length),
        None => BodyLength::Chunked,
    };
    RequestHead::of_server(Request::from_parts(parts, ()), body)
}

impl<R: Runtime + Default> Default for Embedding<R> {
    fn default() -> Self {
        Self::on(R::default(), EmbeddingConfig::default())
    }
}

impl<R: Runtime> Clone for Embedding<R> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
        }
    }
}

impl<R: Runtime> fmt::Debug for Embedding<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedding")
            .field("config", &self.shared.config)
            .field("open", &self.open())
            .finish_non_exhaustive()
    }
}
