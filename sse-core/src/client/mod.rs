//! One subscription with all its reconnections, as a state machine.
//!
//! [`EventSource`] does what the standard's EventSource does
//! ([WHATWG HTML 9.2.2 to 9.2.6](https://html.spec.whatwg.org/multipage/server-sent-events.html#the-eventsource-interface)),
//! for programs: it asks for a connection, sends the request, reads the response, gives its events
//! out, and on a loss waits and asks again, with the last event ID. It does no IO and looks at no
//! clock; entropy comes in as a seed.
//!
//! Its methods have the classes of [`server::Connection`](crate::server::Connection): `handle_*`
//! is what the world did and never fails, `poll_*` is what the caller must do next, and
//! [`close`](EventSource::close) is the one verb. Any order of calls is legal.
//!
//! ```
//! use std::time::Instant;
//! use sse_core::client::{ClientEvent, EventSourceConfig, EventSource};
//!
//! let now = Instant::now();
//! let mut source = EventSource::new("http://example.org/events", EventSourceConfig::default(), 7)?;
//!
//! // It asks for a connection. Say when there is one.
//! let Some(ClientEvent::Connect(endpoint)) = source.poll_event(now) else { panic!() };
//! assert_eq!((endpoint.host.as_str(), endpoint.port), ("example.org", 80));
//! source.handle_connected(now);
//!
//! // Its request goes to the socket.
//! let transmit = source.poll_transmit();
//! assert!(transmit.slices()[0].starts_with(b"GET /events HTTP/1.1\r\nhost: example.org\r\n"));
//! let sent = transmit.len();
//! source.transmitted(now, sent);
//!
//! // Bytes come from the socket.
//! source.handle_input(now, b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n");
//! source.handle_input(now, b"id: 1\ndata: hello\n\n");
//! assert!(matches!(source.poll_event(now), Some(ClientEvent::Open(_))));
//! let Some(ClientEvent::Event(event)) = source.poll_event(now) else { panic!() };
//! assert_eq!((event.data(), event.last_event_id()), ("hello", "1"));
//!
//! // The connection is lost: it says so, and when it will ask again.
//! source.handle_eof(now);
//! assert!(matches!(source.poll_event(now), Some(ClientEvent::Disconnect)));
//! assert!(matches!(source.poll_event(now), Some(ClientEvent::Lost { .. })));
//! assert!(source.poll_timeout().is_some());
//! # Ok::<(), sse_core::client::InvalidRequest>(())
//! ```
//!
//! # What is retried
//!
//! | what happened | what follows |
//! |---|---|
//! | 200 with `text/event-stream` | the stream is open |
//! | 204 | it is over, and that is no error |
//! | 301, 302, 303, 307, 308 | the redirect is followed, at once |
//! | any other status | a [`Failure`], unless it is one of [`EventSourceConfig::retry_statuses`] |
//! | 200 with another content type, or compressed | a [`Failure`] |
//! | no connection, no answer, a broken answer, a time-out, too many redirects | a [`Loss`]: connect again |
//! | the open stream ends or breaks | a [`Loss`]: connect again |
//!
//! Without [`EventSourceConfig::reconnection`] a loss is a [`Failure`], and the proper end of the stream is
//! the end of the subscription.
//!
//! A redirect is remembered: later connections go where it led, as in browsers.
//!
//! # Phases
#![doc = include_str!("phases.md")]

mod backoff;
mod config;
mod error;
mod event_source;
mod incoming;
mod phase;
mod target;

pub use config::{EventSourceConfig, Reconnection};
pub use error::{Failure, InvalidRequest, Loss, RedirectError, Refusal, TransportError};
pub use event_source::{ClientEvent, End, EventSource};
pub use phase::Phase;
pub use target::Endpoint;
