//! One accepted socket as a state machine: request head in, event stream out.
//!
//! [`Connection`] does no IO and reads no clock. Its caller, which has the socket, reports what happened
//! and does what the machine asks for. The name of a method tells its class:
//!
//! - `handle_*` are inputs from outside: [`handle_input`](Connection::handle_input),
//!   [`handle_eof`](Connection::handle_eof),
//!   [`handle_transport_error`](Connection::handle_transport_error),
//!   [`handle_timeout`](Connection::handle_timeout),
//!   [`handle_transmitted`](Connection::handle_transmitted),
//!   [`handle_output_ended`](Connection::handle_output_ended). They never fail: a peer's fault becomes a
//!   response to transmit and a close reason.
//! - Verbs are the application's calls: [`receive_body`](Connection::receive_body),
//!   [`respond`](Connection::respond), [`send`](Connection::send),
//!   [`send_encoded`](Connection::send_encoded), [`comment`](Connection::comment),
//!   [`finish`](Connection::finish), also [for a reason](Connection::finish_for) or [at a
//!   time](Connection::finish_at), [`end_with_retry`](Connection::end_with_retry),
//!   [`deliver_by`](Connection::deliver_by), [`abort`](Connection::abort), [`close`](Connection::close).
//!   In the wrong phase they return [`WrongPhase`] and change nothing.
//! - `poll_*` return what the caller has to do next: [`poll_transmit`](Connection::poll_transmit) (then
//!   `handle_transmitted`), or [`take_body`](Connection::take_body) inside a foreign server, which does
//!   both; [`poll_event`](Connection::poll_event); [`poll_timeout`](Connection::poll_timeout). Taking an
//!   event may change the phase: with `EndOutput` it becomes `Ending`.
//!
//! Any order of calls is allowed. There is one request per connection.
//!
//! ```
//! use std::time::{Instant, SystemTime};
//! use sse_core::{Event, http::Response};
//! use sse_core::server::{Connection, ConnectionEvent, ResponseBody};
//!
//! let now = Instant::now();
//! let mut connection = Connection::new(now, SystemTime::now(), Default::default());
//!
//! // Bytes arrive from the socket.
//! connection.handle_input(now, b"GET /events HTTP/1.1\r\nHost: example.org\r\n\r\n");
//! let Some(ConnectionEvent::Request(head)) = connection.poll_event(now) else { panic!() };
//! assert_eq!(head.request().uri().path(), "/events");
//!
//! // The application responds with an event stream.
//! connection.respond(now, Response::new(ResponseBody::event_stream()))?;
//! connection.send(now, &Event::new("hello"))?;
//! connection.finish(now)?;
//!
//! // Write these bytes to the socket.
//! let mut wire = Vec::new();
//! loop {
//!     let transmit = connection.poll_transmit();
//!     let sent = transmit.len();
//!     transmit.slices().iter().for_each(|slice| wire.extend_from_slice(slice));
//!     if sent == 0 { break }
//!     connection.handle_transmitted(now, sent);
//! }
//! assert!(wire.ends_with(b"\r\n\r\n\
//!     d\r\n\
//!     data: hello\n\n\r\n\
//!     0\r\n\r\n"));
//!
//! // The machine asks for the sending side to be shut down, and is then over.
//! assert!(matches!(connection.poll_event(now), Some(ConnectionEvent::EndOutput { .. })));
//! connection.handle_output_ended(now);
//! assert!(matches!(connection.poll_event(now), Some(ConnectionEvent::Closed(_))));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Phases
#![doc = include_str!("phases.md")]
//!
//! # By hand
#![doc = include_str!("by_hand.md")]

#[cfg(feature = "compression")]
mod coding;
mod config;
mod connection;
mod error;
mod output;
mod phase;
mod request_body;
mod response;
mod sink;
mod state;

#[cfg(feature = "compression")]
pub use coding::StreamCompression;
pub use config::{ConnectionConfig, ResponseConfig};
pub use connection::{Connection, ConnectionEvent};
pub use error::{RespondError, SendError, WrongPhase};
pub use phase::Phase;
pub use response::{KeepAlive, ResponseBody, StreamOptions};
