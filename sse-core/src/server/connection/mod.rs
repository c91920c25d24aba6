//! The state machine of a connection: its parts, its constructors and its getters.
//!
//! `inputs` has the inputs from outside, `verbs` and `receiving` what the application calls, and
//! `outputs` what the caller has to do next. All of them change the state by `transitions`, and queue
//! bytes by `writing`.

mod embedded;
mod inputs;
mod outputs;
mod receiving;
mod transitions;
mod verbs;
mod writing;

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use ::http::Response;
use bytes::Bytes;

use super::{
    ConnectionConfig, Phase, ResponseConfig,
    output::Output,
    response::RequestFacts,
    state::{Head, Moment, State},
};
use crate::{
    http::{BodyLength, RequestHead, RequestHeadReader},
    lifecycle::{CleanUp, CleanUpOwner, CloseReason},
    sync::OnceLock,
};

/// One accepted socket, or one response inside a foreign server: it takes a request and returns a
/// response, which may be an event stream.
///
/// See the [module](super) for the classes of methods and an example. Clean-up callbacks run when the
/// connection is dropped, so close the socket before that.
///
/// ```
/// use std::{sync::Arc, time::{Instant, SystemTime}};
/// use sse_core::{http::Response, server::{Connection, ConnectionConfig, ConnectionEvent, ResponseBody}};
///
/// let now = Instant::now();
/// let mut connection =
///     Connection::new(now, SystemTime::now(), Arc::new(ConnectionConfig::default()));
/// connection.handle_input(now, b"GET /events HTTP/1.1\r\nhost: example.org\r\n\r\n");
/// let Some(ConnectionEvent::Request(head)) = connection.poll_event(now) else { panic!() };
/// assert_eq!(head.request().uri().path(), "/events");
/// connection.respond(now, Response::new(ResponseBody::event_stream()))?;
/// assert!(connection.has_output(), "the response's head");
/// # Ok::<(), sse_core::server::RespondError>(())
/// ```
#[derive(Debug)]
pub struct Connection {
    state: State,
    host: Host,
    output: Output,
    request: RequestFacts,
    incoming: PeerSide,
    /// Set once it was asked for.
    clean_up: OnceLock<CleanUpOwner>,
}

/// An event from [`Connection::poll_event`]: what the caller has to do next.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectionEvent {
    /// The request head is complete: [`respond`](Connection::respond) to it.
    ///
    /// If it announces a body, the application may ask for that first, with
    /// [`receive_body`](Connection::receive_body).
    Request(Box<RequestHead>),
    /// The request body is complete, as [`receive_body`](Connection::receive_body) asked:
    /// [`respond`](Connection::respond) to the request.
    RequestBody(Bytes),
    /// Pass this head to the foreign server. Comes only from [`Connection::for_response`], once, before
    /// any of the body.
    ///
    /// The head has the length of the body: with [`BodyLength::None`] there is none (also in response to
    /// a `HEAD`, where the response may have a `content-length` nevertheless), with
    /// [`BodyLength::Chunked`] it is an event stream. [`take_body`](Connection::take_body) returns the
    /// body.
    Respond(Box<Response<BodyLength>>),
    /// Everything is transmitted: shut down the socket's sending side, or end the body in the foreign
    /// server. Then call [`handle_output_ended`](Connection::handle_output_ended).
    EndOutput {
        /// Whether the stream failed, so that the client must not take this for a proper end. Shut down a
        /// transport that has a proper end of its own, such as TLS with `close_notify`, without it then.
        broken_off: bool,
    },
    /// The connection is over: close the socket, then drop the connection. This event comes exactly once,
    /// as the last one.
    Closed(CloseReason),
}

/// Which code reads the request and writes the response, and its settings.
#[derive(Debug)]
enum Host {
    /// This connection, over a socket.
    Socket {
        config: Arc<ConnectionConfig>,
        /// The request, until [`Connection::poll_event`] has returned it. It is not part of a state,
        /// because the application may respond before it polls.
        request: Option<Box<RequestHead>>,
    },
    /// A foreign server.
    Server {
        config: Arc<ResponseConfig>,
        /// The response, until [`Connection::poll_event`] has returned it. It is not part of a state,
        /// because the body may be complete before the caller polls.
        response: Option<Box<Response<BodyLength>>>,
    },
}

/// What may still come from the peer's sending side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PeerSide {
    /// The client may still be sending: closing now would reset the connection, and might destroy the
    /// response on its way.
    Expected,
    /// The whole request came, and nothing after it.
    Complete,
    /// The peer's sending side has ended.
    Ended,
}

impl Connection {
    /// Creates a connection that was accepted at `now`. `date` is the same moment on the wall clock, for
    /// the `Date` field of responses.
    #[must_use]
    pub fn new(now: Instant, date: SystemTime, config: Arc<ConnectionConfig>) -> Self {
        let state = State::Head(Box::new(Head {
            deadline: now.checked_add(config.head_timeout),
            reader: RequestHeadReader::new(config.head_limits),
            clock: Moment { instant: now, date },
        }));
        let request = None;
        Self::in_state(state, Host::Socket { config, request })
    }

    fn in_state(state: State, host: Host) -> Self {
        Self {
            state,
            host,
            output: Output::new(),
            request: RequestFacts::default(),
            incoming: PeerSide::Expected,
            clean_up: OnceLock::new(),
        }
    }

    /// Returns the phase of the connection.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.state.phase()
    }

    /// Returns whether [`send`](Self::send) would take an event: the event stream is open, and either
    /// nothing is queued, or less than the high-water mark is and the [budget](ResponseConfig::budget)
    /// has room.
    #[must_use]
    pub fn has_room(&self) -> bool {
        let State::Streaming(_) = self.state else {
            return false;
        };
        // With nothing queued there is always room. Waiting for other connections to free the budget
        // would need a wake-up that none of them gives.
        let (queued, config) = (self.output.queued(), self.host.config());
        queued == 0 || (queued < config.high_water_mark && !config.budget.is_exhausted())
    }

    /// Returns the number of queued bytes, without their transfer framing. The [high-water
    /// mark](ResponseConfig::high_water_mark) is compared with it.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.output.queued()
    }

    /// Returns whether [`poll_transmit`](Self::poll_transmit) has bytes to write. The head and the
    /// transfer framing count.
    #[must_use]
    pub fn has_output(&self) -> bool {
        !self.output.is_empty()
    }

    /// Returns whether this connection reads its request and writes its response over a socket, and not
    /// [for a response](Self::for_response) inside a foreign server.
    #[must_use]
    pub fn is_on_socket(&self) -> bool {
        matches!(self.host, Host::Socket { .. })
    }

    /// Returns a handle for clean-up callbacks. They run when this connection is dropped, with its close
    /// reason, or with [`CloseReason::TaskDropped`] if it was not over.
    #[must_use]
    pub fn clean_up(&self) -> CleanUp {
        self.clean_up.get_or_init(CleanUpOwner::new).handle()
    }
}

impl Host {
    /// Returns the settings of the response.
    fn config(&self) -> &ResponseConfig {
        match self {
            Self::Socket { config, .. } => &config.response,
            Self::Server { config, .. } => config,
        }
    }
}

/// Runs the callbacks, because the connection's driver is done with it.
impl Drop for Connection {
    fn drop(&mut self) {
        if self.clean_up.get().is_none() {
            return;
        }
        // The driver was dropped before the connection's end. That is no loss to a client that has
        // received everything.
        self.cut(CloseReason::TaskDropped);
        let state = std::mem::replace(&mut self.state, State::NONE);
        if let (State::Closed { reason, .. }, Some(clean_up)) = (state, self.clean_up.get()) {
            clean_up.run(reason);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Connection;

    /// Each idle connection holds one of these.
    #[test]
    fn an_idle_connection_is_small() {
        let size = size_of::<Connection>();
        assert!(size <= 112, "{size}");
    }
}
