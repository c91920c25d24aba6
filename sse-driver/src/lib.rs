//! Server-Sent Events on any runtime: the async code, which names none.
//!
//! [`sse_core`] has the protocol, as state machines without IO. This crate moves bytes between sockets
//! and these machines, tells them the time, and passes them the events of handlers. It does so over the
//! small traits that an adapter implements: [`Runtime`], [`Timer`] and [`Transport`]. A program depends
//! on an adapter, which re-exports what its users need of both crates.
//!
//! # The pieces
//!
//! **Routes.** A [`Router`](router::Router) finds the handler of a request. The handler returns a stream
//! of items that are [`IntoEvent`], a topic's subscriber, or a whole response.
//!
//! **The exchange.** The exchange is one request with its handler, its stream and its
//! [`server::Connection`](sse_core::server::Connection). It calls the handler, polls the stream while the
//! connection has room, and passes the items to the connection. It is internal (`exchange.rs`), has
//! neither a socket nor a timer, and runs behind three hosts, which have the bytes and the time: the
//! server, an embedding and the test client. A handler therefore behaves the same behind each of them.
//!
//! **The server.** [`Server`] accepts connections and spawns a task for each, the pump, which is the
//! exchange's first host: it reads from the socket, takes a turn of the exchange, writes to the
//! socket, and sleeps until the connection's next deadline. A [`ConnectionServer`] does the same for
//! connections that the program accepts or makes itself.
//!
//! **Other servers.** An [`embedding`] is the second host. It puts the same handlers into hyper,
//! axum and other servers that take an `http_body::Body`.
//!
//! **Streams that outlive their connections.** [`ResumableStreams`] runs producers in tasks of their own;
//! clients attach, leave, reconnect and miss nothing. The states are those of
//! [`sse_core::topic::resumable`].
//!
//! **Many nodes.** An [`event_log`] is a log outside the process. `FollowedTopics` runs a task for each
//! topic, which follows it, and a handler returns a `LogStream`. The states are those of
//! [`sse_core::topic::follower`].
//!
//! **Tests.** A [`test_client`] is the third host. It calls handlers without a socket, in virtual time.
//!
//! **The client.** [`EventSource`] drives a [`client::EventSource`](sse_core::client::EventSource): it
//! connects, sends the request, reads events, and after a loss waits and connects again. Both have the name
//! of the standard's interface: they are one thing, without IO and with it.
//!
//! An adapter implements [`Runtime`] for all of these and adds no behaviour. [`writing_an_adapter`]
//! shows how to write one.
//!
//! # How to read this crate
//!
//! Read the first five parts of [`sse_core`] first. The files are all in `sse-driver/src`:
//!
//! 1. `runtime.rs`: the traits, which are everything that the driver needs of a runtime.
//! 2. `router/mod.rs` (collecting routes), `router/routes.rs` (from a request to its handler),
//!    `router/request.rs` (a handler's argument), `router/into_reply.rs`, `router/reply.rs` and
//!    `router/events.rs` (its return value).
//! 3. `connections/mod.rs` (the connection limit and the shutdown) and `exchange.rs`: the only place that
//!    calls handlers and polls their streams.
//! 4. The server: `server/mod.rs` (the accept loop), `server/connection_server.rs` (the parts of each
//!    connection), `server/pump.rs` (one connection's task), `alarm.rs` and `server/read_waker.rs` (when
//!    the task is woken).
//! 5. The other hosts: `embedding/mod.rs`, `embedding/embedded.rs` (the loop), `embedding/answer.rs`
//!    and `embedding/body.rs`; `test_client/mod.rs` and `test_client/pair.rs`.
//! 6. The client: `client/event_source.rs` and `client/polling.rs`, then `client/link.rs`,
//!    `client/dial.rs` and `client/attempts.rs`, and `client/prepare.rs` and `client/http_client.rs`.
//! 7. Streams that outlive their connections: `resumable/mod.rs`, then `resumable/shared.rs` (the table
//!    of streams), `resumable/producer.rs`, `resumable/task.rs` and `resumable/keeper.rs` (the tasks),
//!    and `resumable/attachment.rs` (the type that a handler returns).
//! 8. Topics of many nodes: `event_log/mod.rs` (the trait), `event_log/topics.rs` and `event_log/task.rs`
//!    (following a log), `event_log/stream.rs` (a client's stream); `event_log/shared_streams/mod.rs`,
//!    `event_log/shared_streams/calls.rs` and `event_log/shared_streams/task.rs` (resumable streams of
//!    many nodes).
//! 9. As needed: `tls/mod.rs`, and `macros/src/lib.rs` beside `src` for the attribute macros.
//!
//! The page `docs/one-request.md` of the repository follows one request from its first bytes to its
//! clean-up, through both crates, and names each function on the way.
//!
//! # Features
//!
//! No feature is on by default. One more, `loom`, is for this project's own tests, and has no effect
//! without `--cfg loom`.
//!
//! | feature | what it adds |
//! |---|---|
//! | `axum` | [`Refusal`](router::Refusal) is a response of axum; the tokio adapter has the extractor |
//! | `compression` | event streams in the content coding `gzip`, for clients that accept it: see [`sse_core::gzip`] |
//! | `event-log` | [`event_log`]: topics and resumable streams of many nodes, which follow an external log |
//! | `futures-io` | `FuturesIo`: a stream of `futures-io` as a transport |
//! | `http-body` | [`embedding`]: event streams in hyper, axum and other servers; [`HttpClient`]: the event source over reqwest, hyper and other clients |
//! | `macros` | the attribute macros `controller` and `sse`, and derives of `IntoEvent` and `FromEvent`; on by default in an adapter |
//! | `proxy` | [`Proxy`]: the event source through an HTTP proxy |
//! | `system` | [`system`]: socket options and the like, for adapters over the operating system's sockets |
//! | `test-client` | [`test_client`]: handlers tested without a socket |
//! | `tls` | TLS over any transport, by `rustls` |
//! | `tls-ring` | TLS configurations from PEM files and with the platform's roots, by the provider `ring`; an adapter calls this feature `tls` |
//! | `tracing` | spans and events of `tracing` |

#![cfg_attr(docsrs, feature(doc_cfg))]
// Re-exported items do not say that they need features of the core, which this crate turns on.
#![cfg_attr(docsrs, allow(unexpected_cfgs))]
#![cfg_attr(
    docsrs,
    doc(auto_cfg(hide(
        feature = "client",
        feature = "follower",
        feature = "json",
        feature = "server",
        feature = "std",
        feature = "stream",
        feature = "topic"
    )))
)]
#![deny(missing_docs)]
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod alarm;
mod bind;
mod client;
mod connections;
mod contained;
#[cfg(feature = "http-body")]
pub mod embedding;
#[cfg(feature = "event-log")]
pub mod event_log;
// Some of its hosts need features.
#[cfg_attr(
    not(all(feature = "http-body", feature = "test-client")),
    allow(dead_code)
)]
// This module alone drives a reply: `clippy.toml` forbids the methods for that elsewhere.
#[allow(clippy::disallowed_methods)]
mod exchange;
#[cfg(feature = "macros")]
#[doc(hidden)]
pub mod for_macros;
mod front_page;
#[cfg(feature = "futures-io")]
mod futures_io;
mod lifetime;
// The threads and tasks of a model.
#[cfg(all(test, loom, feature = "loom"))]
#[path = "../../sse-core/tests/loom/tasks.rs"]
mod loom_tasks;
mod no_place;
mod open_streams;
pub mod prelude;
mod resumable;
pub mod router;
mod runtime;
mod server;
mod shutdown_spread;
mod socket;
#[cfg(feature = "system")]
pub mod system;
#[cfg(feature = "test-client")]
pub mod test_client;
#[cfg(feature = "tls")]
pub mod tls;
mod trace;
mod trusted_proxies;
mod wait;

#[cfg(any(doc, doctest))]
#[doc = include_str!("writing_an_adapter.md")]
pub mod writing_an_adapter {}

pub use bind::BindOptions;

#[cfg(feature = "http-body")]
pub use client::HttpClient;
pub use client::{
    Connected, Connecting, Connector, Dial, EventSource, EventSourceError, EventSourceHandle,
    IntoPrepared, PreparePanicked, Prepared, TcpConnector, TransportPanicked, UnixConnector,
    connect,
};
#[cfg(feature = "proxy")]
pub use client::{InvalidProxy, Proxy, ProxyRefused};
pub use connections::{Report, ServerStats};
#[cfg(feature = "futures-io")]
pub use futures_io::FuturesIo;
pub use lifetime::Lifetime;
pub use open_streams::{OpenStream, OpenStreams, StreamId};
pub use resumable::{Attachment, IntoProducer, Producer, ResumableStream, ResumableStreams};
#[cfg(unix)]
pub use runtime::{AcceptUnix, UnixListener};
pub use runtime::{Runtime, Timer, Transport};
pub use server::{ConnectionServer, Server, ServerConfig, ServerHandle};
pub use shutdown_spread::ShutdownSpread;
/// The protocol: the crate that this one drives.
pub use sse_core as core;
pub use sse_core::{Clock, FromEvent, IntoEvent, server::KeepAlive};
#[cfg(feature = "macros")]
pub use sse_macros::{
    DriverFromEvent as FromEvent, DriverIntoEvent as IntoEvent, driver_controller as controller,
    driver_sse as sse,
};
pub use trusted_proxies::{InvalidNetwork, TrustedProxies};

/// The macros of all crates. An adapter re-exports its own.
#[doc(hidden)]
#[cfg(feature = "macros")]
pub use sse_macros as macros;
