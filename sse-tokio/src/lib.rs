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
//! It needs these dependencies:
//!
//! ```toml
//! [dependencies]
//! futures-util = "0.3"
//! sse-tokio = { git = "…" }  # not on the public registry yet
//! tokio = { version = "1", features = ["full"] }
//! ```
//!
//! `curl -N http://127.0.0.1:8080/count` prints the events. Once it is ended by Ctrl-C, the server prints
//! why the stream is over.
#![doc = sse_driver::front_page!(
    name: "sse_tokio",
    runtime: "Tokio",
    embedding: " With `axum`, a handler of\naxum returns a topic's subscriber or a resumable stream by an extractor: [`axum::Sse`].",
    features: "| `axum` | the extractor and responses of axum 0.8; turns `http-body` on: [`axum`] |\n",
)]
//!
//! # What this crate is
//!
//! [`Tokio`] implements the traits of `sse-driver` with tokio's clock, timers, tasks and sockets; the
//! driver has everything else. [`Server`], [`ConnectionServer`] and [`EventSource`] are the driver's
//! types on [`Tokio`]. The names that users need of the protocol and of the driver are re-exported here,
//! and are the same in the crates for other runtimes. The crates themselves are at [`core`] and
//! [`driver`].
//!
//! # How to read this crate
//!
//! It has two files, and `axum.rs` for the feature `axum`. This one, `lib.rs`, defines the driver's types
//! on tokio, and re-exports the rest. `runtime.rs` implements the driver's traits: [`Tokio`],
//! [`TokioTimer`] and [`TokioTransport`]. `sse-driver/src/runtime.rs` says what those traits require. All
//! behaviour is in the driver, whose documentation says in which order to read it ([`driver`]). The page
//! `docs/one-request.md` of the repository follows one request from its first bytes to its clean-up.

#![cfg_attr(docsrs, feature(doc_cfg))]
// Re-exported items say that they need a feature of this crate, and do not name those of the crates that they
// are from.
#![cfg_attr(docsrs, allow(unexpected_cfgs))]
#![cfg_attr(
    docsrs,
    doc(auto_cfg(hide(
        feature = "client",
        feature = "follower",
        feature = "futures-io",
        feature = "json",
        feature = "server",
        feature = "std",
        feature = "stream",
        feature = "system",
        feature = "tls-ring",
        feature = "topic"
    )))
)]
#![deny(missing_docs)]
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[cfg(feature = "axum")]
pub mod axum;
mod runtime;

pub use runtime::{Tokio, TokioTimer, TokioTransport};
// The compiler names the feature of a name that is listed here, and not that of a `self` in a list.
#[cfg(feature = "http-body")]
pub use sse_driver::embedding;
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
#[cfg(feature = "test-client")]
pub use sse_driver::test_client;
#[cfg(feature = "tls")]
pub use sse_driver::tls;
pub use sse_driver::{self as driver, core, prelude::*};
#[cfg(feature = "http-body")]
pub use sse_driver::{
    HttpClient,
    embedding::{EmbeddingConfig, StreamBroken},
};
#[cfg(feature = "proxy")]
pub use sse_driver::{InvalidProxy, Proxy, ProxyRefused};

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

/// The [server without a listening socket](sse_driver::ConnectionServer) on tokio, for connections that
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
/// let request = http::Request::get("/hello").body(())?; // This is the request of the other server.
/// let response = sse.respond(request, None, |_| stream::iter(["hello"])).await;
/// assert_eq!(response.headers()["content-type"], "text/event-stream");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg(feature = "http-body")]
pub type Embedding = sse_driver::embedding::Embedding<Tokio>;

/// The body of an [`Embedding`]'s responses.
///
/// ```
/// use sse_tokio::{Body, Embedding, http};
///
/// /// A handler of the other server.
/// async fn hello(sse: &Embedding, request: http::Request<()>) -> http::Response<Body> {
///     sse.respond(request, None, |_| "hello").await
/// }
/// ```
#[cfg(feature = "http-body")]
pub type Body = sse_driver::embedding::Body<Tokio>;

/// Compiles the README's code, so that it stays correct.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
