//! Tests of handlers, without a socket, a runtime and a clock.
//!
//! A [`TestClient`] calls a router as a client over the network would: the request's bytes go through a
//! [`server::Connection`](sse_core::server::Connection), and its output is read as a response's head, a
//! body and its events. A [`TestClock`] provides virtual time: when nothing can happen any more, it moves
//! to the next moment for which a timer waits. A test of an hour therefore takes no time, and has the
//! same result in each run.
//!
//! ```
//! use std::time::{Duration, Instant};
//! use futures_util::{StreamExt, stream};
//! use sse_core::lifecycle::CloseReason;
//! use sse_driver::{router::{Request, Router}, test_client::{TestClient, TestClock}};
//!
//! let clock = TestClock::new(Instant::now());
//! let sleeper = clock.clone();
//! let router = Router::new().events("/count", move |_: Request| {
//!     let clock = sleeper.clone();
//!     stream::iter(1..=3).then(move |n| {
//!         let sleep = clock.sleep(Duration::from_secs(3600));
//!         async move {
//!             sleep.await;
//!             n
//!         }
//!     })
//! });
//!
//! let client = TestClient::new(router, &clock)?;
//! clock.run(async {
//!     let mut response = client.get("/count").await?;
//!     assert_eq!(response.head().status(), 200);
//!     assert_eq!(response.head().headers()["content-type"], "text/event-stream");
//!
//!     assert_eq!(response.next_event().await.unwrap().data(), "1");
//!     assert_eq!(response.next_event().await.unwrap().data(), "2");
//!     assert_eq!(response.disconnect(), CloseReason::ClientWentAway);
//!     assert_eq!(clock.elapsed(), Duration::from_secs(2 * 3600));
//!     Ok::<_, Box<dyn std::error::Error>>(())
//! })??;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Tasks
//!
//! A [`TestClock`] is a [`Runtime`](crate::Runtime) without sockets: tasks that are spawned on it run
//! while [`TestClock::run`] does, in the same virtual time, and are dropped with the clock.
//! [`ResumableStreams::on`](crate::ResumableStreams::on) and [`Topic::on`](sse_core::topic::Topic::on)
//! therefore accept a clock.
//!
//! # On a runtime
//!
//! A handler that sleeps or spawns on a runtime has to be tested on that runtime: await the client's
//! futures there, without [`TestClock::run`]. Tokio has virtual time of its own
//! (`#[tokio::test(start_paused = true)]`). The timers of the connection, such as that of the keep-alive,
//! still follow the [`TestClock`], which [`advance`](TestClock::advance) moves.

mod clock;
mod coding;
mod pair;
mod runtime;

use std::{
    error::Error,
    fmt,
    future::poll_fn,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use ::http::{HeaderValue, Request, Response, header};
use bytes::Bytes;
use futures_core::Stream;

use crate::{
    OpenStreams, TrustedProxies,
    connections::Connections,
    router::{RouteError, Router, Routes},
};
use sse_core::{
    MessageEvent,
    http::{BodyError, ResponseHeadError},
    lifecycle::{CloseReason, Shutdown},
    server::ConnectionConfig,
};

pub use clock::{Sleep, Stuck, TestClock};
use pair::Pair;
pub use runtime::{NoSocket, TestTimer};

/// A client of a router, in the same process. Clones are clients of the same router, with the same
/// shutdown.
///
/// ```
/// use std::time::Instant;
/// use sse_driver::{router::Router, test_client::{TestClient, TestClock}};
///
/// let clock = TestClock::new(Instant::now());
/// let client = TestClient::new(Router::new().events("/hello", |_| "hello"), &clock)?;
/// let status = clock.run(async { client.get("/nothing").await.map(|response| response.head().status()) })??;
/// assert_eq!(status, 404);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The [module](self) has an example with time that passes.
#[derive(Clone, Debug)]
pub struct TestClient {
    routes: Arc<Routes>,
    clock: TestClock,
    config: Arc<ConnectionConfig>,
    peer: Option<SocketAddr>,
    connections: Arc<Connections>,
}

impl TestClient {
    /// Creates a client of `router`.
    ///
    /// # Errors
    ///
    /// [`RouteError`] where a route of the router is not valid.
    pub fn new(router: Router, clock: &TestClock) -> Result<Self, RouteError> {
        Ok(Self {
            routes: Arc::new(router.build()?),
            clock: clock.clone(),
            config: Arc::new(one_at_a_time(ConnectionConfig::default())),
            peer: None,
            connections: Arc::default(),
        })
    }

    /// Sets the bounds of the connections. The [high-water
    /// mark](sse_core::server::ResponseConfig::high_water_mark) is always one event: a test that waits
    /// for an event gets it before the next one is asked for. If the
    /// [budget](sse_core::server::ResponseConfig::budget) is used up, requests get a 503, as new
    /// connections of a server do.
    #[must_use]
    pub fn with_config(mut self, config: ConnectionConfig) -> Self {
        self.connections.set_budget(&config.response.budget);
        self.config = Arc::new(one_at_a_time(config));
        self
    }

    /// Sets the address that the requests come from, which
    /// [`Request::peer_addr`](crate::router::Request::peer_addr) returns. It is unknown by default.
    #[must_use]
    pub fn with_peer_addr(mut self, peer: SocketAddr) -> Self {
        self.peer = Some(peer);
        self
    }

    /// Sets the proxies that the router trusts, as
    /// [`ServerConfig::trusted_proxies`](crate::ServerConfig::trusted_proxies) does. It applies to the
    /// clones of this client as well.
    #[must_use]
    pub fn with_trusted_proxies(self, proxies: TrustedProxies) -> Self {
        self.connections.set_trusted_proxies(Some(&proxies));
        self
    }

    /// Sets the list of the router's streams, as
    /// [`ServerConfig::open_streams`](crate::ServerConfig::open_streams) does. It applies to the clones
    /// of this client as well.
    #[must_use]
    pub fn with_open_streams(self, streams: &OpenStreams) -> Self {
        self.connections.set_open_streams(Some(streams));
        self
    }

    /// Returns the server's shutdown as handlers see it: [begin](Shutdown::begin) it to test their
    /// reaction. It cuts no connection: see [`cut`](Self::cut).
    #[must_use]
    pub fn shutdown(&self) -> &Shutdown {
        &self.connections.shutdown
    }

    /// Cuts every connection of this client, as a server does at the deadline of its shutdown. An open
    /// stream breaks off, and clean-up gets [`Shutdown`](sse_core::lifecycle::CloseReason::Shutdown); a
    /// request that waits for its response gets a 503. The [shutdown](Self::shutdown) begins if it has
    /// not.
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use futures_util::stream;
    /// # use sse_driver::{router::{Request, Router}, test_client::{TestClient, TestClock}};
    /// use sse_core::lifecycle::CloseReason;
    ///
    /// # let clock = TestClock::new(Instant::now());
    /// let router = Router::new().events("/", |_: Request| stream::pending::<String>());
    /// let client = TestClient::new(router, &clock)?;
    /// # clock.run(async {
    /// let response = client.get("/").await?;
    /// client.cut();
    /// assert_eq!(response.close_reason().await, CloseReason::Shutdown);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// # })??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cut(&self) {
        self.connections.cut();
    }

    /// Sends a `GET` for `target`: a path with an optional query.
    ///
    /// # Errors
    ///
    /// The errors of [`request`](Self::request).
    pub async fn get(&self, target: &str) -> Result<TestResponse, NoResponse> {
        self.send(format!("GET {target} HTTP/1.1\r\nhost: test\r\n\r\n").into_bytes())
            .await
    }

    /// Sends a request, and waits for the head of its response. It is sent unchanged, except for a `host`
    /// if it has none, so that the server finds its faults.
    ///
    /// ```
    /// # use sse_driver::{router::{Request, Router}, test_client::{TestClient, TestClock}};
    /// # let clock = TestClock::new(std::time::Instant::now());
    /// # let router = Router::new().events("/x", |r: Request| r.last_event_id().map(String::from));
    /// # let client = TestClient::new(router, &clock)?;
    /// # clock.run(async {
    /// let request = sse_core::http::Request::get("/x").header("last-event-id", "7").body(())?;
    /// let mut response = client.request(request).await?;
    /// # assert_eq!(response.next_event().await.unwrap().data(), "7");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// # })??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NoResponse`] where the connection ended before there was a head.
    pub async fn request(&self, request: Request<()>) -> Result<TestResponse, NoResponse> {
        self.request_with_body(request.map(|()| Bytes::new())).await
    }

    /// Sends a request with a body, as [`request`](Self::request) does, and adds a `content-length` if it
    /// has a body and no such field.
    ///
    /// # Errors
    ///
    /// [`NoResponse`] where the connection ended before there was a head.
    pub async fn request_with_body(
        &self,
        request: Request<impl Into<Bytes>>,
    ) -> Result<TestResponse, NoResponse> {
        let mut request = request.map(Into::into);
        let host = HeaderValue::from_static("test");
        let len = request.body().len();
        let headers = request.headers_mut();
        headers.entry(header::HOST).or_insert(host);
        if len > 0 && !headers.contains_key(header::TRANSFER_ENCODING) {
            headers.entry(header::CONTENT_LENGTH).or_insert(len.into());
        }
        let mut bytes = format!("{} {} HTTP/1.1\r\n", request.method(), request.uri()).into_bytes();
        for (name, value) in request.headers() {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(request.body());
        self.send(bytes).await
    }

    async fn send(&self, request: Vec<u8>) -> Result<TestResponse, NoResponse> {
        let is_head = request.starts_with(b"HEAD ");
        let mut pair = Pair::new(self, is_head);
        pair.receive(&request);
        let head = poll_fn(|cx| pair.poll_head(cx)).await?;
        Ok(TestResponse { head, pair })
    }
}

fn one_at_a_time(mut config: ConnectionConfig) -> ConnectionConfig {
    config.response.high_water_mark = 1;
    config
}

/// The error of a request that got no response. A handler that panics or refuses is no such case: it has
/// a response.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum NoResponse {
    /// The server closed the connection without a response, for this reason.
    Closed(CloseReason),
    /// The first bytes are not a valid response head. That would be a fault of this crate.
    BadHead(ResponseHeadError),
}

impl fmt::Display for NoResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(reason) => write!(f, "the connection ended without a response: {reason}"),
            Self::BadHead(error) => error.fmt(f),
        }
    }
}

impl Error for NoResponse {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Closed(reason) => reason.error(),
            Self::BadHead(error) => Some(error),
        }
    }
}

/// A response: its head is complete, its body may not be. The handler's stream is polled only while the
/// test waits for more of the body.
///
/// With the feature `compression`, a body in the content coding `gzip` is decoded; the head still has its
/// `content-encoding`. A request asks for it by `Accept-Encoding`. A body that cannot be decoded is an
/// error.
///
/// As a [`Stream`] it yields the events, and an error as its last item if the body is broken off.
/// Dropping it closes the connection, as a client that goes away does.
///
/// ```
/// use std::time::Instant;
/// use sse_driver::{router::Router, test_client::{TestClient, TestClock}};
///
/// let clock = TestClock::new(Instant::now());
/// let client = TestClient::new(Router::new().events("/", |_| "hello"), &clock)?;
/// clock.run(async {
///     let mut response = client.get("/").await?;
///     assert_eq!(response.next_event().await.unwrap().data(), "hello");
///     assert!(response.next_event().await.is_none());
///     Ok::<_, Box<dyn std::error::Error>>(())
/// })??;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct TestResponse {
    head: Response<()>,
    pair: Pair,
}

impl TestResponse {
    /// Returns the head: the status and the header fields, as the client receives them.
    #[must_use]
    pub fn head(&self) -> &Response<()> {
        &self.head
    }

    /// Returns the next event; `None` when the body has ended, properly or not. As a [`Stream`] the
    /// response tells the two apart.
    pub async fn next_event(&mut self) -> Option<MessageEvent> {
        poll_fn(|cx| self.pair.poll_event(cx)).await?.ok()
    }

    /// Returns the rest of the body as text, such as that of a page or a refusal, once it has ended.
    ///
    /// # Errors
    ///
    /// [`BodyError`] where the body is broken off, or cannot be decoded.
    pub async fn text(mut self) -> Result<String, BodyError> {
        let body = poll_fn(|cx| self.pair.poll_body(cx)).await?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// Reads to the end, and returns the reason that clean-up callbacks get. A stream that is always
    /// ready and never ends has no end: [`disconnect`](Self::disconnect) from it instead.
    pub async fn close_reason(mut self) -> CloseReason {
        poll_fn(|cx| self.pair.poll_closed(cx)).await
    }

    /// Closes the connection as a client that goes away does, and returns the reason that clean-up
    /// callbacks get.
    pub fn disconnect(mut self) -> CloseReason {
        self.pair.disconnect()
    }
}

impl Stream for TestResponse {
    type Item = Result<MessageEvent, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.pair.poll_event(cx)
    }
}
