//! Server-Sent Events on [tokio]: a handler returns a stream, and each of its items goes
//! to the client as one event.
//!
//! ```no_run
//! use std::time::Duration;
//! use futures_util::{Stream, StreamExt, stream};
//! use sse_tokio::{Request, Router, Server};
//!
//! fn count(request: Request) -> impl Stream<Item = u64> {
//!     request.clean_up().add(|reason| println!("over: {reason}"));
//!     stream::iter(0..).then(|n| async move {
//!         tokio::time::sleep(Duration::from_secs(1)).await;
//!         n
//!     })
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let server = Server::bind("127.0.0.1:8080").await?;
//!     server.serve(Router::new().events("/count", count)).await?;
//!     Ok(())
//! }
//! ```
//!
//! # What a handler is
//!
//! A function of a [`Request`] that returns a stream, a future of one, or a `Result` whose error
//! is a [`Refusal`]. Its items implement [`IntoEvent`]: a string is sent as it is, numbers,
//! lists, maps and [`Json(T)`](Json) are sent as JSON, and an [`Event`] with its ID, event type and
//! reconnection time.
//!
//! The connection stays open until the stream ends; the server then delivers what is queued,
//! ends the response and closes. When the client goes away first, the stream is dropped at once,
//! even if it is idle. Either way every callback that the handler gave to
//! [`request.clean_up()`](Request::clean_up) runs exactly once, and is told the [`CloseReason`].
//!
//! # Annotated handlers
//!
//! With the feature `macros`, which is on by default, arguments come from the request by their names and
//! types, and a struct groups handlers under a prefix:
//!
//! ```
//! use futures_util::{Stream, stream};
//! use sse_tokio::{CleanUp, LastEventId, Router, controller};
//!
//! struct News {
//!     greeting: String,
//! }
//!
//! #[controller("news")]
//! impl News {
//!     #[sse("{room}")]
//!     fn follow(
//!         &self,
//!         #[path] room: String,
//!         #[query] limit: Option<usize>, // a bad number is answered 400
//!         last: LastEventId,
//!         clean_up: CleanUp,
//!     ) -> impl Stream<Item = String> {
//!         clean_up.add(|reason| println!("over: {reason}"));
//!         let first = format!("{} in {room}, after {:?}", self.greeting, last.0);
//!         stream::iter([first]).chain(stream::iter((0..limit.unwrap_or(3)).map(|n| n.to_string())))
//!     }
//! }
//! # use futures_util::StreamExt;
//! let router = Router::new().controller(News { greeting: "hello".into() });
//! ```
//!
//! # A client
//!
//! [`EventSource`] does what a browser's does: it reconnects after a loss, paced and with the last event
//! ID, until its stream is over or it is dropped. [`client`] lists its settings, [`Connector`] and
//! [`EventSource::prepare`](sse_driver::EventSource::prepare) change how it connects and what it sends.
//!
//! ```no_run
//! use std::time::Duration;
//! use sse_tokio::{EventSource, EventSourceConfig};
//!
//! # async fn read() -> Result<(), Box<dyn std::error::Error>> {
//! let mut config = EventSourceConfig::default();
//! config.idle_timeout = Some(Duration::from_secs(40)); // a silent server is a loss
//! let mut source = EventSource::with_config("http://127.0.0.1:8080/events", config)?;
//! while let Some(event) = source.next().await {
//!     println!("{}", event?.data());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # One stream for many clients
//!
//! A [`Topic`] keeps its newest events, encodes each once for all clients, and resumes a client where it was:
//!
//! ```
//! use sse_tokio::{Request, Router, Tokio, Topic, TopicConfig};
//!
//! let topic = Topic::on(Tokio, TopicConfig::default());
//! topic.publish("hello")?; // from any thread, at any time
//! let router = Router::new().events("/news", move |request: Request| topic.resume(&request));
//! # Ok::<(), sse_tokio::topic::PublishError>(())
//! ```
//!
//! # Streams that outlive their connection
//!
//! [`ResumableStreams`] run a producer, such as a language model's answer, in a task of its own. Clients
//! attach, leave and come back, and miss nothing:
//!
//! ```
//! use futures_util::stream;
//! use sse_tokio::{Attachment, Request, ResumableConfig, ResumableStreams, Router, StartError, Tokio};
//!
//! fn answer(streams: &ResumableStreams, request: &Request) -> Result<Attachment, StartError> {
//!     streams.attach_or_start("an-id", request, |_| stream::iter(["Once", " upon", " a time"]))
//! }
//!
//! let streams = ResumableStreams::on(Tokio, ResumableConfig::default());
//! let router = Router::new().events("/answer", move |request: Request| answer(&streams, &request));
//! ```
//!
//! # In another server
//!
//! With the feature `http-body` the same handlers answer in hyper and whatever else takes an
//! `http_body::Body`, over HTTP/1.1 and HTTP/2: see [`Embedding`]. With `axum`, a handler of axum's returns
//! a topic's subscriber or a resumable stream by an extractor.
//!
//! # Tests without a socket
//!
//! With the feature `test-client`, [`test_client`] asks a router in virtual time: a test of an hour takes no
//! time, and comes out the same each time.
//!
//! ```
//! use std::time::Instant;
//! use sse_tokio::{Router, test_client::{TestClient, TestClock}};
//!
//! let clock = TestClock::new(Instant::now());
//! let client = TestClient::new(Router::new().events("/", |_| "hello"), &clock)?;
//! clock.run(async {
//!     let mut response = client.get("/").await?;
//!     assert_eq!(response.next_event().await.unwrap().data(), "hello");
//!     Ok::<_, Box<dyn std::error::Error>>(())
//! })??;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Many nodes
//!
//! With the feature `event-log`, the topics of several processes follow one log. The crate `sse-redis` is
//! that log on Redis Streams: an event that one node publishes reaches the clients of all, and a client that
//! reconnects to another node resumes there.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `macros` (default) | [`controller`], [`sse`], `#[derive(IntoEvent, FromEvent)]` |
//! | `tls` | https for servers and event sources |
//! | `http-body` | [`Embedding`]; the event source over another HTTP client |
//! | `axum` | the extractor and responses of axum 0.8; with `http-body` |
//! | `proxy` | HTTP proxies for the event source, by hand or from the environment |
//! | `compression` | a topic's events compressed once for all clients that take gzip; gzip in the event source |
//! | `event-log` | topics that follow an external log |
//! | `test-client` | [`test_client`] |
//! | `tracing` | what servers and event sources do, told to `tracing` |
//!
//! Without any of them there are the server, routers, topics, resumable streams and the event source.
//!
//! # What this crate is
//!
//! Tokio's clock, timers, tasks and sockets behind the traits of `sse-driver`, which
//! holds everything else: [`Tokio`] is all there is. [`Server`] is the driver's server on it.
//! What a user of this crate needs of the protocol and the driver is re-exported here; the crates
//! themselves are at [`core`] and [`driver`].
//!
//! # How to read this crate
//!
//! It has two files, and `axum.rs` for the feature `axum`. This one, `lib.rs`, names the driver's types on tokio, and re-exports the rest.
//! `runtime.rs` implements the driver's traits: `Tokio`, `TokioTimer` and `TokioTransport`. What those
//! traits demand is in `sse-driver/src/runtime.rs`, and all behaviour is in the driver, whose own
//! documentation says in which order to read it ([`driver`]). The page `docs/one-request.md` of the
//! repository follows one request from its first bytes to its clean-up.

#![deny(missing_docs)]
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[cfg(feature = "axum")]
pub mod axum;
mod runtime;

pub use runtime::{Tokio, TokioTimer, TokioTransport};
#[cfg(feature = "event-log")]
pub use sse_driver::event_log;
#[doc(hidden)]
#[cfg(feature = "macros")]
pub use sse_driver::for_macros;
#[cfg(feature = "macros")]
pub use sse_driver::macros::{
    TokioFromEvent as FromEvent, TokioIntoEvent as IntoEvent, tokio_controller as controller,
    tokio_sse as sse,
};
#[cfg(feature = "tls")]
pub use sse_driver::tls;
pub use sse_driver::{self as driver, core, prelude::*};

/// The [server](sse_driver::Server) on tokio.
///
/// ```
/// use sse_tokio::{Router, Server};
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
///
/// let server = Server::bind("127.0.0.1:0").await?;
/// println!("listening on {}", server.local_addr()?);
/// let handle = server.handle();
///
/// let router = Router::new().events("/hello", |_| futures_util::stream::iter(["hello"]));
/// let serving = tokio::spawn(server.serve(router));
///
/// handle.shut_down();
/// let report = serving.await??;
/// assert_eq!(report.cut, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type Server = sse_driver::Server<Tokio>;

/// The [server without a listening socket](sse_driver::ConnectionServer) on tokio: for connections that
/// are accepted, wrapped or made elsewhere.
///
/// ```
/// use sse_tokio::{ConnectionServer, Router, ServerConfig, TokioTransport};
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
///
/// let router = Router::new().events("/hello", |_| futures_util::stream::iter(["hello"]));
/// let server = ConnectionServer::new(router, ServerConfig::default())?;
///
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// # let client = tokio::net::TcpStream::connect(listener.local_addr()?).await?;
/// # drop(client);
/// let (stream, peer) = listener.accept().await?;
/// stream.set_nodelay(true)?;
/// let connection = server.serve_connection(TokioTransport::from(stream), Some(peer));
/// tokio::spawn(connection).await?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type ConnectionServer = sse_driver::ConnectionServer<Tokio>;

/// The [event source](sse_driver::EventSource) on tokio: a stream of events, through all
/// reconnections.
///
/// ```
/// use sse_tokio::{EventSource, Router, Server};
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let server = Server::bind("127.0.0.1:0").await?;
/// # let url = format!("http://{}/hello", server.local_addr()?);
/// # let router = Router::new().events("/hello", |_| futures_util::stream::iter(["hello"]));
/// # tokio::spawn(server.serve(router));
///
/// let mut events = EventSource::new(url)?;
/// while let Some(event) = events.next().await {
///     println!("{}", event?.data());
///     # break;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type EventSource = sse_driver::EventSource<Tokio>;

/// The [embedding] on tokio: event streams in hyper, axum and other servers.
///
/// ```
/// use futures_util::stream;
/// use sse_tokio::{Embedding, http};
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
///
/// let sse = Embedding::default();
/// let request = http::Request::get("/hello").body(())?; // the other server's
/// let response = sse.respond(request, None, |_| stream::iter(["hello"])).await;
/// assert_eq!(response.headers()["content-type"], "text/event-stream");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg(feature = "http-body")]
pub type Embedding = sse_driver::embedding::Embedding<Tokio>;

/// The body of an [`Embedding`]'s responses.
#[cfg(feature = "http-body")]
pub type Body = sse_driver::embedding::Body<Tokio>;

/// The README's code is compiled, so that it stays true.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
