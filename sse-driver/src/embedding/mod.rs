//! Event streams in another server: hyper, axum, or any that takes an `http_body::Body`, over
//! HTTP/1.1 and HTTP/2.
//!
//! An [`Embedding`] asks a handler and makes an [`http::Response`] of what it
//! returns. The handlers are those of a [`Router`](crate::router::Router), and they lose nothing
//! here: clean-up runs exactly once and is told why, idle streams send keep-alive comments, the
//! handler's stream is polled only when the server wants bytes, topics resume.
//!
//! Each adapter has the types of this module for its runtime, whose timers they use:
//! `sse_tokio::Embedding` is `Embedding<Tokio>`. In axum, a route is one line, since axum takes any
//! response whose body is an `http_body::Body`:
//! `get(move |request: Request| sse.respond(request, None, handler))`. With the feature `axum` the tokio
//! adapter has an extractor, and [`Embedding::begin`] is what an extractor of another framework is made
//! of.
//!
//! # What ends a response, and what clean-up is told
//!
//! | what happened | [`CloseReason`](sse_core::lifecycle::CloseReason) | the body |
//! |---|---|---|
//! | the handler's stream ended | `StreamEnded` | ends |
//! | a whole response, or a refusal, was taken by the server | `ResponseSent` | ends |
//! | the server dropped the body, or the answer's future, before that | `ClientWentAway` | |
//! | the stream yielded an error | `StreamError`, or `SlowConsumer` of a topic's | fails |
//! | the stream panicked | `HandlerPanicked` | fails |
//! | the handler panicked before it answered | `HandlerPanicked` | of a 500 |
//! | the handler did not answer in time | `TimedOut` | of a 503 |
//! | the stream had its [longest life](EmbeddingConfig::lifetime) | `LifetimeOver` | ends |
//! | the stream was a topic's, and the [shutdown began](Embedding::begin_shutdown) | `Shutdown` | ends |
//! | the embedding was [cut](Embedding::cut) | `Shutdown` | fails |
//!
//! When a body fails, hyper breaks the response off, so that the client can tell: over HTTP/1.1
//! the last chunk never comes, over HTTP/2 the stream is reset.
//!
//! It throws away what it has not written by then. That is why a body whose stream failed
//! [waits a moment](sse_core::server::ResponseConfig::fail_delay) before it fails, too; clients that are slow to read
//! may miss the last events before the failure all the same, and get them when they resume.
//!
//! `StreamEnded` and `ResponseSent` mean that the server has taken everything; what it has not
//! written by then is its own to deliver. (Behind our own server they mean that it was written.)
//!
//! A body does not see why it is dropped. A server drops it when the client has gone, and also when
//! its own task is cancelled or its runtime ends: clean-up is told `ClientWentAway` either way.
//!
//! # What stays the server's
//!
//! Accepting, TLS, the request's head and its deadline, and writing. A body that the
//! server does not poll cannot act: only the server can find a client that keeps its connection open
//! and takes no bytes. Such a body holds up to one [high-water mark](sse_core::server::ResponseConfig::high_water_mark), and its
//! handler's stream rests. Over TCP on Linux, `TCP_USER_TIMEOUT` on the accepted socket ends the
//! connections of clients that vanished without a word, as the adapters do; hyper's HTTP/2 has
//! keep-alive pings for it.

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
/// Clones are handles to the same one. It counts what is open and can be shut down; one is enough
/// for a server.
pub struct Embedding<R: Runtime> {
    shared: Arc<Shared<R>>,
}

struct Shared<R> {
    runtime: R,
    config: EmbeddingConfig,
    /// That of the configuration, as each connection holds it.
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

    /// Asks `handler`, and answers with what it returns. The request's own body is dropped.
    ///
    /// `peer` is what [`Request::peer_addr`](router::Request::peer_addr) says. The handler is called
    /// when the answer is first polled.
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
            // What the handler returned is not held over the wait.
            Routed::Call(Box::pin(async move {
                let reply = handler(request).into_reply();
                reply.await
            }))
        };
        self.answer(head_of(parts, false), peer, call, IncomingBody::none)
    }

    /// Leads the request to a handler of `routes`, and answers with what it returns, or with what
    /// the [routes](crate::router) answer by themselves, such as a 404.
    ///
    /// The request's body is received where the route takes one: up to
    /// [`body_limit`](sse_core::server::ResponseConfig::body_limit) bytes, within
    /// [`body_timeout`](sse_core::server::ResponseConfig::body_timeout). Otherwise it is dropped.
    ///
    /// Routes are made with [`Router::build`](crate::router::Router::build).
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

    /// Returns how many responses are open: their handlers are deciding, or their bodies are there.
    #[must_use]
    pub fn open(&self) -> usize {
        self.shared.connections.open()
    }

    /// Returns what it has done so far, and what it is doing. A response counts as a connection here;
    /// what the server's own connections do is the server's to count.
    #[must_use]
    pub fn stats(&self) -> ServerStats {
        self.shared.connections.stats()
    }

    /// Begins the shutdown: handlers are told ([`Request::shutdown`](router::Request::shutdown)), so
    /// that their streams can say last words and end; the streams of topics end by themselves, each at
    /// a time of its own where there are many of them ([`ShutdownSpread`](crate::ShutdownSpread)); and
    /// each further request is answered 503. Does nothing the second time.
    ///
    /// Have the load balancer lead new requests elsewhere before.
    pub fn begin_shutdown(&self) {
        self.shared.connections.shut_down();
    }

    /// Ends every stream at once, with
    /// [`CloseReason::Shutdown`](sse_core::lifecycle::CloseReason::Shutdown). What is asked for from
    /// now on is answered 503.
    pub fn cut(&self) {
        self.shared.connections.cut();
    }

    /// Shuts down gracefully: [begins](Self::begin_shutdown), waits until every stream has ended by
    /// itself, at most [`shutdown_timeout`](EmbeddingConfig::shutdown_timeout), and then
    /// [cuts](Self::cut) the others. Returns how many were cut: streams that were open, and requests
    /// that waited for their answer. A response that the server had only to write is not cut.
    ///
    /// A server that waits for its connections, as axum's and hyper's graceful shutdowns do, would
    /// wait for ever for an endless stream without this. Have it stop accepting at the same time.
    ///
    /// A body takes note of a cut when the server polls or drops it. The future waits for that, at most
    /// 5 s. A body that the server neither polls nor drops meanwhile, because its client does not
    /// read, is left out of the number.
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

    /// Hands the request over to `route`, where there is a place for it.
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

/// The head of a request. Over HTTP/2 a body may come without any field that says so.
fn head_of(parts: Parts, has_body: bool) -> RequestHead {
    let length = parts.headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok()?.parse().ok());
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
