//! Server-Sent Events on any runtime: what is async and names none.
//!
//! [`sse_core`] has the protocol, as state machines without IO. This crate moves bytes and time
//! between them and sockets, and events from handlers into them, over the small traits that an
//! adapter implements: [`Runtime`], [`Timer`] and [`Transport`]. A program depends on an adapter,
//! which re-exports what its users need of both crates.
//!
//! # The pieces
//!
//! **Routes.** A [`Router`](router::Router) leads a request to a handler, which returns a stream
//! of items that are [`IntoEvent`], or a topic's subscriber.
//!
//! **The server.** [`Server`] accepts, and for every connection drives a
//! [`server::Connection`](sse_core::server::Connection): it reads what is readable, polls the
//! handler's stream while there is room, writes what is writable, and sleeps until the machine's
//! next deadline.
//!
//! **The client.** [`EventSource`] does the same with a
//! [`client::EventSource`](sse_core::client::EventSource): it dials, writes the request, reads
//! events, and waits and dials again after a loss.
//!
//! **Other servers.** An [`embedding`] puts the same handlers into hyper, axum and other servers that
//! take an `http_body::Body`.
//!
//! **Tests.** A [`test_client`] asks handlers without a socket, in virtual time.
//!
//! An adapter gives them a [`Runtime`] and adds no behaviour. [`writing_an_adapter`] shows how to
//! write one.
//!
//! # Features
//!
//! None is on by default.
//!
//! | feature | what it adds |
//! |---|---|
//! | `futures-io` | any stream of `futures-io` as a transport |
//! | `http-body` | [`embedding`]: event streams in hyper, axum and other servers |
//! | `macros` | the attribute macros `controller` and `sse`, and derives of `IntoEvent` and `FromEvent`; on by default in an adapter |
//! | `system` | [`system`]: sockets' options and the like, for adapters over the operating system's sockets |
//! | `test-client` | [`test_client`]: handlers tested without a socket |
//! | `tls` | TLS over any transport, by `rustls` |
//! | `tls-ring` | TLS configurations from PEM files and of the platform's roots, by the provider `ring` |
//! | `tracing` | what the driver does, told to `tracing` |

#![deny(missing_docs)]
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod alarm;
mod bind;
mod client;
#[cfg(feature = "http-body")]
pub mod embedding;
// Some of its hosts are behind features.
#[cfg_attr(
    not(all(feature = "http-body", feature = "test-client")),
    allow(dead_code)
)]
mod exchange;
#[cfg(feature = "macros")]
#[doc(hidden)]
pub mod for_macros;
#[cfg(feature = "futures-io")]
mod futures_io;
pub mod prelude;
mod refusal;
pub mod router;
mod runtime;
mod server;
mod socket;
#[cfg(feature = "system")]
pub mod system;
#[cfg(feature = "test-client")]
pub mod test_client;
#[cfg(feature = "tls")]
pub mod tls;
mod trace;

#[cfg(any(doc, doctest))]
#[doc = include_str!("writing_an_adapter.md")]
pub mod writing_an_adapter {}

pub use bind::BindOptions;
mod wait;

pub use client::{EventSource, EventSourceError, EventSourceHandle};
#[cfg(feature = "futures-io")]
pub use futures_io::FuturesIo;
pub use runtime::{Runtime, Timer, Transport};
pub use server::{ConnectionServer, Report, Server, ServerConfig, ServerHandle, ServerStats};
/// The protocol: the crate that this one drives.
pub use sse_core as core;
pub use sse_core::{Clock, FromEvent, IntoEvent};
#[cfg(feature = "macros")]
pub use sse_macros::{
    DriverFromEvent as FromEvent, DriverIntoEvent as IntoEvent, driver_controller as controller,
    driver_sse as sse,
};

/// The macros of all flavours. An adapter re-exports its own.
#[doc(hidden)]
#[cfg(feature = "macros")]
pub use sse_macros as macros;
