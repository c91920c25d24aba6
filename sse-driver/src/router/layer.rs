//! What stands between a request and its handler.

use std::{fmt, sync::Arc};

use super::{IntoReply, Refusal, Reply, ReplyFuture, Request, Router};

/// A route's handler, with whatever stands before it.
pub(super) type Handler = Arc<dyn Fn(Request) -> ReplyFuture + Send + Sync>;

/// Something that stands before a handler.
pub(super) type Layer = Arc<dyn Fn(Request, Next) -> ReplyFuture + Send + Sync>;

/// The next [layer](Router::layer), or the handler where there is none.
pub struct Next {
    handler: Handler,
}

impl Next {
    /// Hands the request on, and returns the reply.
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
    /// Puts `layer` before the handlers of this router's routes, those that are added later and
    /// those of [nested](Self::nest) routers included. It sees each request that a handler would
    /// get. It can refuse it, change it or take note of it, [run](Next::run) what comes next, and
    /// change the reply: [`Reply::map_events`] gets every event.
    ///
    /// The layer that was added first is asked first, and a router's layers before those of the
    /// routers nested in it. What the router answers [by itself](super) no layer sees: a `HEAD` of
    /// an event stream tells that there is one, and no more.
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
            // Called when it is polled, as a handler is.
            Box::pin(async move {
                let reply = layer(request, next).into_reply();
                reply.await
            })
        }));
        self
    }
}

/// The handler behind these layers.
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
    /// Has `map` see every event before it is sent: change it, take note of it, or keep it back
    /// with `None`. Does nothing to a whole body.
    ///
    /// What a topic publishes is encoded once for all subscribers; for this reply it is decoded, and
    /// what `map` makes of it is encoded again. A client knows its place in the topic from the
    /// events that it gets. To leave many of them out,
    /// [`only_event_types`](sse_core::topic::Subscriber::only_event_types) is the better way, for it
    /// tells the client from time to time where it is.
    ///
    /// Where `map` keeps many events back one after the other, the executor gets its turn between
    /// them.
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
