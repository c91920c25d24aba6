//! Server-Sent Events without IO.
//!
//! This crate turns bytes and instants into events and back, and does nothing else: it touches no
//! socket, no clock, no thread and no random source. The caller passes bytes, instants and seeds as
//! arguments. To serve or to read event streams on tokio, smol or async-std, use `sse-tokio`,
//! `sse-smol` or `sse-async-std`. Use this crate for a server, a parser or a runtime of your own.
//!
//! # The pieces
//!
//! **Events.** An [`Event`] is valid by construction, so that encoding it cannot fail, and
//! [encoding](encode) appends it to the caller's buffer. A [`Decoder`] takes chunks of any size, and
//! returns what a browser would dispatch.
//!
//! ```
//! use sse_core::{Decoded, Decoder, Event};
//!
//! let mut wire = Vec::new();
//! Event::new("Grüezi,\nWelt").with_event_type("greeting")?.under_id(1).encode(&mut wire);
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
//! **Connections.** A [`server::Connection`] is one accepted socket as a state machine: bytes and the
//! time go in, a request comes out, events go in, bytes come out. The machine keeps the deadlines and the
//! bounds, and names the reason why the connection closed; its caller only moves bytes. [`lifecycle`] has
//! the close reasons, and the clean-up callbacks of handlers, each of which runs exactly once.
//!
//! **Subscriptions.** A [`client::EventSource`] is the client's side: one subscription with all its
//! reconnections, as in a browser's EventSource. It asks its caller to connect and to wait, and returns
//! events.
//!
//! **Topics.** A [`topic::Topic`] is one source of events for many subscribers: each event is encoded
//! once, and a client that reconnects resumes at the event after the last one it received. A topic
//! depends on no runtime: waiting for its events needs only a [`Waker`](core::task::Waker).
//!
//! The crate `sse-driver` drives these machines over sockets: it has the router, the handlers and the
//! async code, over small traits that an adapter implements.
//!
//! # How to read this crate
//!
//! The files, in the order in which they build on each other, all in `sse-core/src`:
//!
//! 1. The event stream format: `event.rs` and `field.rs`, then `encode.rs` (events to bytes), then
//!    `decode/mod.rs` (bytes to events) with `decode/whole.rs`, `decode/lines.rs` and `decode/fields.rs`.
//! 2. What handlers return: `into_event.rs` and `stream_item.rs`; `typed.rs` is the reverse, for
//!    clients.
//! 3. HTTP/1: `http/mod.rs`, then `http/request_head.rs` and `http/request_head_reader.rs`,
//!    `http/framing.rs` and `http/body.rs`.
//! 4. The end of a connection: `lifecycle/close_reason.rs`, then `lifecycle/clean_up.rs`.
//! 5. The server's machine: `server/mod.rs` has its phases in a diagram and its use in an example.
//!    Read `server/state.rs` next and `server/connection/transitions.rs`, whose function `step` has
//!    every transition. Then come `server/connection/inputs.rs`, `server/connection/verbs.rs` and
//!    `server/connection/outputs.rs`, and `server/connection/writing.rs` with `server/output.rs` for
//!    what is queued to be written.
//! 6. The client's machine has the same shape: `client/mod.rs`, `client/state.rs`, then the files in
//!    `client/event_source`.
//! 7. Topics: `topic/mod.rs`, then `topic/log/mod.rs` (the history), `topic/cursor.rs` and
//!    `topic/subscriber.rs` (reading it), `topic/resume.rs` (where a client resumes) and
//!    `topic/publish.rs`. Streams that outlive their connections are in `topic/resumable/mod.rs` and
//!    `topic/resumable/table.rs`. Topics that follow a log elsewhere are in `topic/follower/mod.rs`,
//!    with `topic/follower/machine.rs` and `topic/follower/place.rs`; a client that is behind such a topic is
//!    in `topic/follower/subscriber.rs`.
//! 8. Compression: `gzip/mod.rs`, then `gzip/shared.rs` (what a topic compresses once), `gzip/body.rs`
//!    (what one client gets of it) and `gzip/decoder.rs` (the client's side). `topic/packed.rs` has the
//!    compressed events of a history, and `server/coding.rs` the body of a connection.
//!
//! The page `docs/one-request.md` of the repository follows one request from its first bytes to
//! its clean-up, through this crate and the driver, and names each function on the way.
//!
//! # The way data takes
//!
//! ```text
//! socket ── bytes ──> server::Connection ── request head ──> the driver, a handler
//!    ^                        |  ^                                        |
//!    |                        |  ├── Event <── IntoEvent <── its stream <─┤
//!    └──── vectored write ────┘  └── EncodedEvents <──── Subscriber <─────┘
//!
//! socket ── bytes ──> client::EventSource ── events ──> the program
//!    ^                        |
//!    └──────── request ───────┘
//! ```
//!
//! Dependencies between modules go one way: `event` <- `encode`, `decode` <- `http`, `lifecycle`,
//! `topic` <- `server`, `client`. The codec knows nothing of HTTP, and [`http`] knows nothing of
//! events.
//!
//! # What this is not
//!
//! This crate is not an HTTP server: it serves one request per connection, for event streams and for the
//! few pages beside them. It is not an HTTP client: it makes requests for event streams only. It is not a
//! runtime, and is not tied to one.
//!
//! # Features
//!
//! | feature | what it adds | default |
//! |---|---|---|
//! | (none) | the event codec, which needs only `alloc` | |
//! | `std` | [`Clock`], and conversions of errors to `std::io::Error` | with `json`, `server`, `client` and `topic` |
//! | `json` | lists, maps and [`Json(T)`](Json) can be yielded and sent | yes |
//! | `stream` | [`EventStream`]: chunks of bytes to events, on `futures-core`; needs no `std` | yes |
//! | `server` | [`server`], [`lifecycle`], [`http`] | yes |
//! | `client` | [`client`], [`http`] | yes |
//! | `topic` | [`topic`] | yes |
//! | `follower` | [`topic::follower`]: topics of many nodes | |
//! | `compression` | [`gzip`]: one compressed stream for many clients; topics and connections that use it | |
//!
//! The feature `loom` is for this project's own tests, and does nothing without `--cfg loom`.

#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(missing_docs)]
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

extern crate alloc;

#[cfg(any(feature = "server", feature = "topic"))]
mod budget;
#[cfg(any(feature = "client", feature = "server"))]
mod cause;
#[cfg(any(feature = "server", feature = "topic"))]
mod chunked;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "std")]
mod clock;
mod decode;
pub mod encode;
#[cfg(any(feature = "server", feature = "topic"))]
mod encoded_events;
mod event;
mod event_error;
mod field;
#[cfg(feature = "compression")]
pub mod gzip;
#[cfg(any(feature = "client", feature = "server"))]
pub mod http;
mod into_event;
#[cfg(feature = "client")]
mod jitter;
#[cfg(feature = "server")]
pub mod lifecycle;
#[cfg(any(feature = "server", feature = "topic"))]
mod panics;
#[cfg(feature = "server")]
pub mod server;
#[cfg(any(feature = "server", feature = "topic"))]
mod slow_consumer;
#[cfg(feature = "stream")]
mod stream;
#[cfg(any(feature = "server", feature = "topic"))]
mod stream_error;
#[cfg(any(feature = "server", feature = "topic"))]
mod stream_item;
#[cfg(any(feature = "compression", feature = "server", feature = "topic"))]
mod sync;
mod text;
#[cfg(feature = "topic")]
pub mod topic;
#[cfg(any(feature = "client", feature = "server"))]
mod transmit;
#[cfg(feature = "json")]
mod typed;
#[cfg(feature = "topic")]
mod unused;
#[cfg(any(feature = "server", feature = "topic"))]
mod wake;
#[cfg(any(feature = "client", feature = "server"))]
mod wrong_phase;

#[cfg(any(feature = "server", feature = "topic"))]
pub use budget::{Budget, BudgetUse};
#[cfg(feature = "std")]
pub use clock::Clock;
pub use decode::{
    DecodeBound, DecodeError, Decoded, Decoder, DecoderLimits, MessageEvent, MessageEventRef,
};
#[cfg(any(feature = "server", feature = "topic"))]
pub use encoded_events::EncodedEvents;
pub use event::{Comment, Event};
pub use event_error::EventError;
pub use field::{EventId, EventType, Field, InvalidField};
pub use into_event::IntoEvent;
#[cfg(feature = "json")]
pub use into_event::Json;
#[doc(hidden)]
pub use into_event::OneEvent;
#[cfg(any(feature = "server", feature = "topic"))]
pub use slow_consumer::SlowConsumer;
#[cfg(feature = "stream")]
pub use stream::{EventStream, EventStreamError};
#[cfg(any(feature = "server", feature = "topic"))]
pub use stream_item::{IntoStreamItem, StreamItem};
pub use text::Text;
#[cfg(any(feature = "client", feature = "server"))]
pub use transmit::Transmit;
#[cfg(feature = "json")]
pub use typed::{BadData, FromEvent, Typed};
#[cfg(all(feature = "json", feature = "stream"))]
pub use typed::{TypedError, TypedEvents};
#[cfg(any(feature = "client", feature = "server"))]
pub use wrong_phase::WrongPhase;

/// Items that this crate shares with the driver. They are not part of the public interface, and change
/// without notice.
#[cfg(any(
    feature = "client",
    feature = "compression",
    feature = "server",
    feature = "topic"
))]
#[doc(hidden)]
pub mod internal {
    #[cfg(any(feature = "server", feature = "topic"))]
    pub use crate::budget::{Holding, Reservation};
    #[cfg(feature = "client")]
    pub use crate::jitter::Jitter;
    #[cfg(any(feature = "server", feature = "topic"))]
    pub use crate::panics::{Panicked, catch};
    #[cfg(feature = "topic")]
    pub use crate::unused::Unused;
    #[cfg(any(feature = "server", feature = "topic"))]
    pub use crate::wake::{SlotId, WakerSet};

    #[cfg(any(feature = "compression", feature = "server", feature = "topic"))]
    pub mod sync {
        pub use crate::sync::*;
    }
}
