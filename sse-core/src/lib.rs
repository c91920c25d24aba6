//! Server-Sent Events without IO.
//!
//! This crate turns bytes and instants into events and back, and never does anything else: it
//! touches no socket, no clock, no thread and no random source. Whoever has those hands them in as
//! arguments. An adapter, such as `sse-tokio`, does so for a runtime; you can do so for a server,
//! a parser or a runtime of your own.
//!
//! # The pieces
//!
//! **Events.** An [`Event`] is valid by construction, so that encoding it cannot fail, and
//! [encoding](encode) appends it to a buffer of yours. A [`Decoder`] takes chunks, cut anywhere,
//! and gives back what a browser would dispatch.
//!
//! ```
//! use sse_core::{Decoded, Decoder, Event};
//!
//! let mut wire = Vec::new();
//! Event::new("Grüezi,\nWelt").with_event_type("greeting")?.with_id("1")?.encode(&mut wire);
//! assert_eq!(wire, "event: greeting\nid: 1\ndata: Grüezi,\ndata: Welt\n\n".as_bytes());
//!
//! let mut decoder = Decoder::new();
//! let mut input = &wire[..];
//! let Some(Decoded::Event(event)) = decoder.decode(&mut input)? else { panic!() };
//! assert_eq!((event.event_type(), event.data()), ("greeting", "Grüezi,\nWelt"));
//! assert_eq!(decoder.last_event_id(), "1");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Connections.** A [`server::Connection`] is one accepted socket as a state machine: bytes and
//! the time go in, a request comes out, events go in, bytes come out. Its deadlines, its bounds and
//! the reason of its end are its own; whoever drives it decides nothing. [`lifecycle`] knows how
//! connections end, and runs what a handler wants done then, exactly once.
//!
//! **Subscriptions.** A [`client::EventSource`] is the other side: one subscription with all its
//! reconnections, as a browser's EventSource would have it. It asks for connections and waits, and
//! gives events.
//!
//! **Topics.** A [`topic::Topic`] is one source of events for very many: each is encoded once, and
//! whoever comes back goes on where it was. It names no runtime; whoever has a `Waker` can wait.
//!
//! **Routes.** A [`Router`](router::Router) leads a request to a handler, which returns a stream
//! of whatever is [`IntoEvent`], or a topic's subscriber.
//!
//! **The driver.** The [`driver`] is the one async part: it moves bytes between sockets and the
//! state machines and polls the handler's stream, over small traits that an adapter implements. It
//! names no runtime.
//!
//! **Other servers.** An [`embedding`] puts the same handlers into hyper, axum and whatever else takes
//! an `http_body::Body`.
//!
//! # The way data takes
//!
//! ```text
//! socket ── bytes ──> server::Connection ── request head ──> Router ──> handler
//!    ^                        |  ^                                        |
//!    |                        |  ├── Event <── IntoEvent <── its stream <─┤
//!    └──── vectored write ────┘  └── EncodedEvents <──── Subscriber <─────┘
//!
//! socket ── bytes ──> client::EventSource ── events ──> the program
//!    ^                        |
//!    └──────── request ───────┘
//! ```
//!
//! Arrows between modules go one way: `event` <- `encode`, `decode` <- `http`, `lifecycle`,
//! `topic` <- `server` <- `router`, and `client` <- `driver` <- adapters. The codec knows nothing of
//! HTTP, and [`http`] knows nothing of events.
//!
//! # What this is not
//!
//! Not an HTTP server: it serves one request per connection, for event streams and for the few pages
//! beside them. Not an HTTP client: it makes requests for event streams and nothing else. Not a
//! runtime, and not tied to one.
//!
//! # Features
//!
//! | feature | what it adds | default |
//! |---|---|---|
//! | (none) | the event codec; needs `alloc` alone | |
//! | `std` | what the others stand on | with any of them |
//! | `json` | lists, maps and [`Json(T)`](Json) can be yielded and sent | yes |
//! | `stream` | [`EventStream`]: chunks of bytes to events, on `futures-core` | yes |
//! | `server` | [`server`], [`lifecycle`], [`topic`], [`router`], [`http`] | yes |
//! | `client` | [`client`], [`http`] | yes |
//! | `driver` | [`driver`], and with it all of the above | no |
//! | `http-body` | [`embedding`]: event streams in hyper, axum and other servers | no |
//! | `futures-io` | any stream of `futures-io` as the driver's transport | no |
//! | `macros` | the attribute macros `controller` and `sse`, and derives of [`IntoEvent`] and [`FromEvent`] | no; in an adapter, yes |
//! | `test-client` | [`test_client`]: handlers tested without a socket | no |
//! | `tls` | TLS over any transport of the driver, by `rustls` | no |
//! | `tracing` | what the driver does, told to `tracing` | no |

#![cfg_attr(not(feature = "std"), no_std)]
#![deny(missing_docs)]
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

extern crate alloc;

#[cfg(feature = "client")]
pub mod client;
mod decode;
#[cfg(feature = "driver")]
pub mod driver;
#[cfg(feature = "http-body")]
pub mod embedding;
pub mod encode;
mod event;
#[cfg(any(feature = "client", feature = "server"))]
pub mod http;
mod into_event;
#[cfg(any(feature = "client", feature = "driver"))]
mod jitter;
#[cfg(feature = "server")]
pub mod lifecycle;
#[cfg(feature = "server")]
mod panics;
#[cfg(feature = "driver")]
pub mod prelude;
#[cfg(feature = "server")]
pub mod router;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "stream")]
mod stream;
#[cfg(feature = "test-client")]
pub mod test_client;
mod text;
#[cfg(feature = "server")]
pub mod topic;
#[cfg(any(feature = "client", feature = "server"))]
mod transmit;
#[cfg(feature = "json")]
mod typed;
#[cfg(feature = "server")]
mod wake;

pub use decode::{
    DecodeBound, DecodeError, Decoded, Decoder, DecoderLimits, MessageEvent, MessageEventRef,
};
pub use event::{Comment, Event, EventId, EventType, Field, InvalidField};
#[cfg(feature = "json")]
pub use into_event::Json;
pub use into_event::{EventError, IntoEvent};
#[cfg(feature = "macros")]
pub use sse_macros::{
    CoreFromEvent as FromEvent, CoreIntoEvent as IntoEvent, core_controller as controller,
    core_sse as sse,
};
#[cfg(feature = "stream")]
pub use stream::{EventStream, EventStreamError};
pub use text::Text;
#[cfg(any(feature = "client", feature = "server"))]
pub use transmit::Transmit;
#[cfg(feature = "json")]
pub use typed::{BadData, FromEvent, Typed};
#[cfg(all(feature = "json", feature = "stream"))]
pub use typed::{TypedError, TypedEvents};

/// What the macros' code names.
#[doc(hidden)]
#[cfg(feature = "json")]
pub mod macros {
    pub use serde_json;
}
