//! The router: from a request's path to its handler.
//!
//! A [`Router`] collects routes; [`build`](Router::build) turns them into [`Routes`], which take a
//! request's head and [return](Routes::route) a response, or a handler to call. This module does no IO. A
//! driver polls what a handler returns.
//!
//! The first of these rows that applies gives a response without a handler:
//!
//! | request | response |
//! |---|---|
//! | a preflight, where [`Cors`] is set | 204 with what a page may send |
//! | a path with a segment `.` or `..`, or a percent sign without two hexadecimal digits | 400 |
//! | a path that no route has | 404 |
//! | a method that the path has no route for, other than `OPTIONS` | 405, with `Allow` |
//! | a `GET`, `HEAD` or `OPTIONS` with a body | 413 |
//! | `OPTIONS`, also of `*` | 204, with `Allow` |
//! | a route of events, and an `Accept` that excludes `text/event-stream` | 406 |
//! | a path parameter that is not UTF-8 after decoding, or has a segment `.` or `..` | 400 |
//! | `HEAD` on a route of events | 200 with the fields of an event stream |
//!
//! Responses from 400 on have a line of plain text that says what is wrong. If [`Cors`] is set, its
//! fields are on every response of a route, so that a page can read a refusal, too; they are not on a
//! response that replaces a handler's because it panicked or took too long.

mod allow_list;
#[cfg(feature = "macros")]
pub(crate) mod answer;
#[cfg(feature = "axum")]
mod axum;
mod body;
mod controller;
mod cors;
mod events;
pub mod extract;
mod into_reply;
#[doc(hidden)]
pub mod kind;
mod layer;
mod limit;
mod listing;
mod map_events;
mod matcher;
mod methods;
mod path;
mod refusal;
mod reply;
mod request;
mod resume;
mod route_error;
mod routes;

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
};

use ::http::Method;

use crate::open_streams::Entry;
use sse_core::lifecycle::{CleanUp, ShutdownSignal};

pub use allow_list::{AllowList, InvalidHost};
pub use body::Receive;
use cors::CorsFields;
use layer::{Handler, Layer};

pub use controller::Controller;
pub use cors::{Cors, InvalidOrigin};
pub use events::Events;
pub use extract::{ClientAddress, FromRequest, LastEventId};
pub use into_reply::IntoReply;
pub use layer::Next;
pub use limit::{LimitReached, StreamLimit, StreamLimitConfig};
pub use listing::RouteInfo;
use matcher::Matcher;
#[cfg(feature = "http-body")]
pub(crate) use methods::takes_body;
use methods::{Exists, Methods, problem_with};
pub use refusal::Refusal;
pub use reply::{Reply, ReplyBody};
pub use request::Request;
pub use route_error::RouteError;
pub use routes::Routes;

/// A builder for [`Routes`].
///
/// In a path, `{name}` matches one segment, or the part of a segment between the text before and after it,
/// as in `/v{version}` and `/{file}.json`. `{*name}` at the end matches the rest. Both match at least one
/// byte, and [`Request::path_param`] returns the matched part. A path with a trailing slash is a different
/// path. Of several routes that match, the most specific one is taken, segment by segment: a segment of text
/// goes before one with a parameter, and a parameter with text around it before one without. Those with text
/// around a parameter are tried one by one, all others are found in a tree, where a parameter and a wildcard
/// exclude each other in one place.
///
/// Percent-encoding does not matter: `/w/%61dmin` is `/w/admin`, and never matches `/w/{*rest}` if
/// `/w/admin` has a route. `%2F` is part of a segment and does not separate segments. A path with a
/// segment `.` or `..`, percent-encoded or not, gets a 400. A [layer](Self::layer) that examines
/// [`Request::path`] sees the path as it was sent, and has to consider all of this: put a guard on a
/// router of its own, which is [nested](Self::nest), instead.
///
/// A handler is a function of a [`Request`] that returns a stream, or another value that is
/// [`IntoReply`].
///
/// ```
/// use futures_util::stream;
/// use sse_core::http::{Response, StatusCode};
/// use sse_driver::router::{Refusal, Request, Router};
///
/// let rooms = Router::new()
///     .events("/{room}", async |request: Request| match request.path_param("room") {
///         Some("secret") => Err(Refusal::new(StatusCode::FORBIDDEN, "not for you")),
///         _ => Ok(stream::iter(["welcome"])),
///     });
/// let router = Router::new()
///     .get("/", |_| Response::new("<!doctype html>…"))
///     .events("/count", |_| stream::iter(1..=3))
///     .post("/echo", |request: Request| stream::iter([request.body().len()]))
///     .nest("/rooms", rooms);
/// router.build()?;
/// # Ok::<(), sse_driver::router::RouteError>(())
/// ```
#[derive(Default)]
pub struct Router {
    routes: Vec<(String, Method, Route)>,
    cors: Option<Arc<Cors>>,
    layers: Vec<Layer>,
}

#[derive(Clone)]
struct Route {
    handler: Handler,
    yields: Yields,
    cors: Option<Arc<Cors>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Yields {
    Events,
    Response,
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router")
            .field("routes", &self.routes)
            .field("cors", &self.cors)
            .field("layers", &self.layers.len())
            .finish()
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("yields", &self.yields)
            .field("cors", &self.cors)
            .finish_non_exhaustive()
    }
}

impl Router {
    /// Creates a router without routes: every path gets a 404.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a route: `handler` responds to `GET path` with an event stream. A `HEAD` gets the head of
    /// such a response, and does not call the handler. A request whose `Accept` excludes
    /// `text/event-stream` gets a 406.
    #[must_use]
    pub fn events<H, R, K>(self, path: impl Into<String>, handler: H) -> Self
    where
        H: Fn(Request) -> R + Send + Sync + 'static,
        R: IntoReply<K, Kept: Send, Error: Into<Refusal>> + 'static,
        K: 'static,
    {
        self.push(Method::GET, path.into(), handler, Yields::Events)
    }

    /// Adds a route: `handler` responds to `GET path` with anything, such as a page or JSON, so that a
    /// page and its events need only one server. It is called for a `HEAD`, too, whose response has no
    /// body.
    ///
    /// A page is an `http::Response`, or a [`Reply::text`] with its content type; JSON is a [`Reply::json`]. A
    /// text, a number or a [`Json`](sse_core::Json) alone is one event of an event stream here, too.
    ///
    /// ```
    /// use sse_core::http::StatusCode;
    /// use sse_driver::router::{Reply, Request, Router};
    ///
    /// let router = Router::new()
    ///     .get("/health", |_: Request| Reply::text(StatusCode::OK, "fine\n"))
    ///     .get("/state", |_: Request| Reply::json(StatusCode::OK, &["open"]));
    /// # router.build()?;
    /// # Ok::<(), sse_driver::router::RouteError>(())
    /// ```
    #[must_use]
    pub fn get<H, R, K>(self, path: impl Into<String>, handler: H) -> Self
    where
        H: Fn(Request) -> R + Send + Sync + 'static,
        R: IntoReply<K, Kept: Send, Error: Into<Refusal>> + 'static,
        K: 'static,
    {
        self.route(Method::GET, path, handler)
    }

    /// Adds a route: `handler` responds to `POST path` with anything, such as an event stream: a text alone is
    /// one event of it, and `()` is a stream without events. A response without a body is
    /// [`Reply::empty(StatusCode::NO_CONTENT)`](Reply::empty).
    /// [`Request::body`] is the posted body, and [`Request::json`] parses it; the handler is called once
    /// the whole body is there.
    ///
    /// A body of more than 1 MiB gets a 413, and one that takes longer than 30 s a 408; both bounds are
    /// settings of the server ([`body_limit`](sse_core::server::ResponseConfig::body_limit),
    /// [`body_timeout`](sse_core::server::ResponseConfig::body_timeout)).
    #[must_use]
    pub fn post<H, R, K>(self, path: impl Into<String>, handler: H) -> Self
    where
        H: Fn(Request) -> R + Send + Sync + 'static,
        R: IntoReply<K, Kept: Send, Error: Into<Refusal>> + 'static,
        K: 'static,
    {
        self.route(Method::POST, path, handler)
    }

    /// Adds a route: `handler` responds to `method path` with anything. A path has at most one route for
    /// each method. `GET` behaves as with [`get`](Self::get), and any other method, such as `PUT` and
    /// `DELETE`, as with [`post`](Self::post). `HEAD` and `OPTIONS` need no routes of their own.
    #[must_use]
    pub fn route<H, R, K>(self, method: Method, path: impl Into<String>, handler: H) -> Self
    where
        H: Fn(Request) -> R + Send + Sync + 'static,
        R: IntoReply<K, Kept: Send, Error: Into<Refusal>> + 'static,
        K: 'static,
    {
        self.push(method, path.into(), handler, Yields::Response)
    }

    /// Adds the routes of `router`, below `prefix`: "/a" and "/b" become "/a/b", and "/a" and "/" become
    /// "/a". They keep the [`cors`](Self::cors) of `router` if it has any, and get that of `self`
    /// otherwise. The 404 of a path below `prefix` that no route has gets the same.
    #[must_use]
    pub fn nest(mut self, prefix: impl AsRef<str>, router: Router) -> Self {
        let prefix = prefix.as_ref().trim_end_matches('/');
        for (path, method, mut route) in router.routes {
            route.cors = route.cors.or_else(|| router.cors.clone());
            route.handler = layer::behind(&router.layers, route.handler);
            let path = match path.as_str() {
                "/" if !prefix.is_empty() => prefix.to_owned(),
                // Behind a prefix it would not show that the slash is missing.
                _ if !path.starts_with('/') => path,
                _ => format!("{prefix}{path}"),
            };
            self.routes.push((path, method, route));
        }
        self
    }

    /// Allows pages of other origins to read the responses of this router's routes, including refusals.
    /// Without it a browser keeps them from such pages. [Nested](Self::nest) routers may have rules of
    /// their own.
    #[must_use]
    pub fn cors(mut self, cors: Cors) -> Self {
        self.cors = Some(Arc::new(cors));
        self
    }

    /// Checks the routes and makes them ready to serve.
    ///
    /// # Errors
    ///
    /// [`RouteError`], which names the first invalid route: its path does not begin with a slash, is not
    /// well-formed, has a query, has a segment `.` or `..` or one that begins with a colon or an asterisk (the
    /// parameters of other routers; write `%3A` and `%2A` for these characters themselves), has two
    /// parameters of one name or more than 25 in all, or is another route's as well; or its method cannot have
    /// routes.
    pub fn build(self) -> Result<Routes, RouteError> {
        let mut by_path = BTreeMap::<String, Methods>::new();
        // This is in the order of adding, so that an error names the later one of two.
        let mut paths = Vec::new();
        for (path, method, mut route) in self.routes {
            if !path.starts_with('/') {
                return Err(RouteError::new(path, "it does not begin with a slash"));
            }
            if let Some(problem) = problem_with(&method) {
                return Err(RouteError::new(path, problem));
            }
            route.cors = route.cors.or_else(|| self.cors.clone());
            route.handler = layer::behind(&self.layers, route.handler);
            let canonical = match path::canonical_route(&path) {
                Ok(canonical) => canonical,
                Err(problem) => return Err(RouteError::new(path, problem)),
            };
            let methods = by_path.entry(canonical).or_insert_with_key(|canonical| {
                paths.push((canonical.clone(), path.clone()));
                Methods::new(path.clone(), canonical)
            });
            if let Err(Exists) = methods.insert(method, route) {
                return Err(RouteError::conflict(path, methods.path()));
            }
        }
        Ok(Routes::new(Matcher::new(paths, by_path)?, self.cors))
    }

    fn push<H, R, K>(mut self, method: Method, path: String, handler: H, yields: Yields) -> Self
    where
        H: Fn(Request) -> R + Send + Sync + 'static,
        R: IntoReply<K, Kept: Send, Error: Into<Refusal>> + 'static,
    {
        let handler = Arc::new(handler);
        let handler = move |request| -> ReplyFuture {
            let handler = handler.clone();
            // The handler is called when the future is polled, and not before: the exchange polls it, and
            // catches a panic. Its return value is not held across the `await`.
            Box::pin(async move {
                let reply = handler(request).into_reply();
                reply.await
            })
        };
        let route = Route {
            handler: Arc::new(handler),
            yields,
            cors: None,
        };
        self.routes.push((path, method, route));
        self
    }
}

impl Route {
    /// Returns the response of the handler, with the fields that every response of this route gets.
    fn call(&self, request: Request, fields: Option<CorsFields>) -> ReplyFuture {
        let reply = (self.handler)(request);
        match fields {
            None => reply,
            Some(fields) => with_fields(reply, fields),
        }
    }
}

fn with_fields(reply: ReplyFuture, fields: CorsFields) -> ReplyFuture {
    Box::pin(async move {
        let mut reply = reply.await;
        fields.set_on(reply.headers_mut());
        reply
    })
}

/// The values that a handler gets in addition to the request's head, for [`Routes::route`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Context {
    /// The address that the request comes from, if it is known.
    pub peer: Option<SocketAddr>,
    /// The address of the client, which may be behind proxies, if it is known.
    pub client: Option<IpAddr>,
    /// The connection's clean-up.
    pub clean_up: CleanUp,
    /// The server's shutdown.
    pub shutdown: ShutdownSignal,
    /// The entry in the list of open streams.
    pub(crate) entry: Option<Arc<Entry>>,
}

impl Context {
    /// Creates the context of a request from an unknown peer; set [`peer`](Self::peer) and
    /// [`client`](Self::client) if they are known.
    #[must_use]
    pub fn new(clean_up: CleanUp, shutdown: ShutdownSignal) -> Self {
        Self {
            peer: None,
            client: None,
            clean_up,
            shutdown,
            entry: None,
        }
    }
}

/// The future of a handler's reply. The handler is called when it is first polled.
pub type ReplyFuture = Pin<Box<dyn Future<Output = Reply> + Send>>;

/// The result of [`Routes::route`]: a reply, or a handler to call.
pub enum Routed {
    /// Send this response. No handler is called.
    Answer(Reply),
    /// Poll this for the response. The handler is called when it is first polled; the caller has to catch
    /// its panics.
    Call(ReplyFuture),
    /// Receive the request's body, bounded, and [call](Receive::call) the handler with it.
    Receive(Box<Receive>),
}

impl fmt::Debug for Routed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(reply) => f.debug_tuple("Answer").field(reply).finish(),
            Self::Call(_) => f.debug_tuple("Call").finish_non_exhaustive(),
            Self::Receive(receive) => f.debug_tuple("Receive").field(receive).finish(),
        }
    }
}
