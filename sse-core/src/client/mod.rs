//! One subscription with all its reconnections, as a state machine.
//!
//! [`EventSource`] does for programs what the standard's EventSource does for pages ([WHATWG HTML 9.2.2
//! to 9.2.6](https://html.spec.whatwg.org/multipage/server-sent-events.html#the-eventsource-interface)):
//! it asks for a connection, sends the request, reads the response and returns its events; after a loss
//! it waits and connects again, with the last event ID. It does no IO and reads no clock; the caller
//! passes the time and a random seed. The `EventSource` of `sse-driver` and of the adapters is this machine
//! with its IO: both have the name of the standard's interface, and a program uses one of them.
//!
//! As with [`server::Connection`](crate::server::Connection), the name of a method tells its class:
//! getters take `&self`; `handle_*` are inputs from outside, and never fail;
//! [`attempt`](EventSource::attempt), [`wait`](EventSource::wait),
//! [`take_request`](EventSource::take_request) and [`close`](EventSource::close) are the application's
//! calls; `poll_*` return what the caller has to do next. Any order of calls is allowed.
//!
//! ```
//! use std::time::Instant;
//! use sse_core::client::{ClientEvent, EventSourceConfig, EventSource};
//!
//! let now = Instant::now();
//! let mut source = EventSource::new("http://example.org/events", EventSourceConfig::default(), 7)?;
//!
//! // It asks for a connection. Report when there is one.
//! let Some(ClientEvent::Connect(endpoint)) = source.poll_event(now) else { panic!() };
//! assert_eq!((endpoint.host.as_str(), endpoint.port), ("example.org", 80));
//! source.handle_connected(now);
//!
//! // Write its request to the socket.
//! let transmit = source.poll_transmit();
//! assert!(transmit.slices()[0].starts_with(b"GET /events HTTP/1.1\r\nhost: example.org\r\n"));
//! let sent = transmit.len();
//! source.handle_transmitted(now, sent);
//!
//! // Hand in bytes from the socket.
//! source.handle_input(now, b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n");
//! source.handle_input(now, b"id: 1\ndata: hello\n\n");
//! assert!(matches!(source.poll_event(now), Some(ClientEvent::Open(_))));
//! let Some(ClientEvent::Event(event)) = source.poll_event(now) else { panic!() };
//! assert_eq!((event.data(), event.last_event_id()), ("hello", "1"));
//!
//! // The connection is lost: it reports so, and when it will ask again.
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
//! | 204 | the subscription is over, which is not an error |
//! | 301, 302, 303, 307, 308 | the client follows the redirect at once |
//! | any other status; 200 with another content type | a [`Failure`] with the [`UnexpectedResponse`] |
//! | the same, where the status is one of [`EventSourceConfig::retry_statuses`] or the application prepares each attempt | a [`Loss`] with the [`UnexpectedResponse`]: the client connects again; in the second case up to [`EventSourceConfig::max_unexpected_responses`] times in a row |
//! | 200 with a content coding that the client did not ask for | a [`Failure`] |
//! | no connection, no response, an invalid response, a time-out, too many redirects, a request that the application cannot prepare | a [`Loss`]: the client connects again |
//! | the open stream ends or breaks | a [`Loss`]: the client connects again |
//!
//! Without [`EventSourceConfig::reconnection`] a loss is a [`Failure`], and the proper end of the stream
//! ends the subscription.
//!
//! The client remembers a redirect: later connections go to its target, as in browsers.
//!
//! # Over a foreign HTTP client
//!
//! The inputs of a connection and of a response are separate, so that another HTTP client, with its own
//! pools, proxies and HTTP/2, can take the place of a connection. That client gets the request, and the
//! caller hands in its response; everything else is the same.
//!
//! ```
//! use std::time::Instant;
//! use sse_core::{
//!     client::{ClientEvent, EventSource, EventSourceConfig},
//!     http::Response,
//! };
//!
//! let now = Instant::now();
//! let mut source = EventSource::new("http://example.org/events", EventSourceConfig::default(), 7)?;
//! let Some(ClientEvent::Connect(_)) = source.poll_event(now) else { panic!() };
//! let request = source.take_request(now)?;
//! assert_eq!(request.uri(), "http://example.org/events");
//!
//! // The client sends it and receives a response. A body that broke off would be a transport error.
//! let response = Response::builder().header("content-type", "text/event-stream").body(())?;
//! source.handle_response(now, response);
//! source.handle_body(now, b"data: hello\n\n");
//! source.handle_body_end(now);
//!
//! assert!(matches!(source.poll_event(now), Some(ClientEvent::Open(_))));
//! assert!(matches!(source.poll_event(now), Some(ClientEvent::Event(_))));
//! assert!(matches!(source.poll_event(now), Some(ClientEvent::Disconnect)));
//! assert!(matches!(source.poll_event(now), Some(ClientEvent::Lost { .. })));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Another request for each attempt
//!
//! An event source made [with preparation](EventSource::with_preparation) asks the application before
//! each attempt, such as for a token that expires, or a URL that says where to continue. The [`Attempt`]
//! has the last event ID and what ended the attempt before, such as a 401. The wait between two attempts
//! is the same as without preparation, whatever the application answers.
//!
//! ```
//! use std::time::Instant;
//! use sse_core::{
//!     client::{ClientEvent, EventSource, EventSourceConfig, Phase},
//!     http::{HeaderValue, header},
//! };
//!
//! let now = Instant::now();
//! let source = EventSource::new("http://example.org/events", EventSourceConfig::default(), 7)?;
//! let mut source = source.with_preparation();
//! assert_eq!(source.phase(), Phase::Preparing);
//!
//! let Some(ClientEvent::Prepare(mut attempt)) = source.poll_event(now) else { panic!() };
//! let token = HeaderValue::from_static("Bearer 8f14e45f");
//! attempt.headers.insert(header::AUTHORIZATION, token);
//! source.attempt(now, *attempt)?;
//! assert!(matches!(source.poll_event(now), Some(ClientEvent::Connect(_))));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Phases
#![doc = include_str!("phases.md")]

mod attempt;
mod backoff;
mod config;
mod credentials;
mod error;
mod event_source;
mod failure;
mod incoming;
#[cfg(feature = "compression")]
mod inflating;
mod loss;
mod phase;
mod state;
mod target;
mod unexpected;

pub use attempt::Attempt;
pub use config::{EventSourceConfig, Reconnection};
pub use credentials::InvalidCredentials;
pub use error::{AttemptError, InvalidRequest, UrlError, WrongPhase};
pub use event_source::{ClientEvent, End, EventSource};
pub use failure::{Failure, RedirectError};
pub use loss::{Loss, PreparationError, TransportError};
pub use phase::Phase;
pub use target::Endpoint;
pub use unexpected::UnexpectedResponse;
