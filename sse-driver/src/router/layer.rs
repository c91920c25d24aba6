//! Layers, which run between a request and its handler.

use std::{fmt, sync::Arc};

use super::{IntoReply, Refusal, Reply, ReplyFuture, Request, Router};

/// A route's handler, with the layers before it.
pub(super) type Handler = Arc<dyn Fn(Request) -> ReplyFuture + Send + Sync>;

/// A layer before a handler.
pub(super) type Layer = Arc<dyn Fn(Request, Next) -> ReplyFuture + Send + Sync>;

/// The next [layer](Router::layer), or the handler if there is none.
///
/// ```
/// use sse_driver::router::{Next, Request, Router};
///
/// let router = Router::new()
///     .events("/hello", |_| "hello")
///     .layer(|request: Request, next: Next| {
///         println!("{} {}", request.method(), request.path());
///         next.run(request)
///     });
/// ```
pub struct Next {
    handler: Handler,
}

impl Next {
    /// Passes the request on, and returns the future of the reply. A layer that does not call it responds
    /// itself, and the handler is not called.
    #[must_use]
    pub fn run(self, request: Request) -> ReplyFuture {
        (self.handler)(request)
    }
}

impl fmt::Debug for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").finish_non_exhaustive()
    }
}

impl Router {
    /// Adds `layer` before the handlers of all routes of this router, including those that are added
    /// later and those of [nested](Self::nest) routers. It sees each request that a handler would get. It
    /// can refuse, change or log the request, [run](Next::run) the next layer, and change the reply;
    /// [`Reply::map_events`] sees every event.
    ///
    /// Layers run in the order of adding, and a router's layers before those of the routers nested in it.
    /// No layer sees the responses of the router [itself](super): for a `HEAD` of an event stream, the
    /// response tells no more than that there is one.
    ///
    /// ```
    /// use futures_util::stream;
    /// use sse_core::http::StatusCode;
    /// use sse_driver::router::{Next, Refusal, Request, Router};
    ///
    /// let router = Router::new()
    ///     .events("/secrets", |_| stream::iter(["the cake is a lie"]))
    ///     .layer(async |request: Request, next: Next| {
    ///         if request.query_param("token").as_deref() != Some("sesame") {
    ///             return Err(Refusal::new(StatusCode::UNAUTHORIZED, "Say the word.\n"));
    ///         }
    ///         Ok(next.run(request).await)
    ///     });
    /// ```
    #[must_use]
    pub fn layer<L, R, K>(mut self, layer: L) -> Self
    where
        L: Fn(Request, Next) -> R + Send + Sync + 'static,
        R: IntoReply<K, Kept: Send, Error: Into<Refusal>> + 'static,
        K: 'static,
    {
        let layer = Arc::new(layer);
        self.layers.push(Arc::new(move |request, next| {
            let layer = layer.clone();
            // It is called when it is polled, as a handler is.
            Box::pin(async move {
                let reply = layer(request, next).into_reply();
                reply.await
            })
        }));
        self
    }
}

/// Returns the handler with these layers before it.
pub(super) fn behind(layers: &[Layer], handler: Handler) -> Handler {
    layers.iter().rev().fold(handler, |handler, layer| {
        let layer = layer.clone();
        Arc::new(move |request| {
            let next = Next {
                handler: handler.clone(),
            };
            layer(request, next)
        })
    })
}

impl Reply {
    /// Calls `map` with every event before it is sent: it may change the event, log it, or drop it by
    /// returning `None`. Has no effect on a whole body.
    ///
    /// A topic's events are encoded once for all subscribers; for this reply they are decoded, and the
    /// results of `map` are encoded again. A client knows its place in the topic from the events that it
    /// gets. To leave out many of them,
    /// [`only_event_types`](sse_core::topic::Subscriber::only_event_types) is better, because it tells
    /// the client its place from time to time.
    ///
    /// While `map` drops many events in a row, other tasks get their turn in between.
    ///
    /// ```
    /// use futures_util::stream;
    /// use sse_core::Event;
    /// use sse_driver::router::Reply;
    ///
    /// let reply = Reply::events(stream::iter(["public", "secret"]))
    ///     .map_events(|event| (event.data() != Some("secret")).then_some(event));
    /// ```
    #[must_use]
    pub fn map_events(
        self,
        map: impl FnMut(sse_core::Event) -> Option<sse_core::Event> + Send + 'static,
    ) -> Self {
        let (head, body) = self.into_parts();
        Self::from_parts(head, body.map_events(map))
    }
}
