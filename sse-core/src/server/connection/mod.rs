//! The machine: its parts, how it begins, and what can be seen of it.
//!
//! What the world did is in `inputs`, what the application wants in `verbs` and `receiving`, what
//! the caller must do next in `outputs`. All of them lead from state to state by `transitions`, and
//! queue bytes by `writing`.

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

/// One accepted socket, or one response inside a foreign server: a request in, a response out,
/// which may be an event stream.
///
/// See the [module](super) for the classes of methods and an example. Clean-up callbacks run when
/// the connection is dropped, which is the time to have closed the socket.
#[derive(Debug)]
pub struct Connection {
    state: State,
    host: Host,
    output: Output,
    request: RequestFacts,
    incoming: PeerSide,
    /// Present once it was asked for.
    clean_up: OnceLock<CleanUpOwner>,
}

/// An event from [`Connection::poll_event`].
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectionEvent {
    /// The request head is complete: [`respond`](Connection::respond) to it.
    ///
    /// Where it announces a body, [`receive_body`](Connection::receive_body) asks for that first.
    Request(Box<RequestHead>),
    /// The request body is complete, as [`receive_body`](Connection::receive_body) asked:
    /// [`respond`](Connection::respond) to the request.
    RequestBody(Bytes),
    /// Only of [`Connection::for_response`]: give the foreign server this head. It comes once,
    /// before any of the body.
    ///
    /// The body has the length that is told here: with [`BodyLength::None`] there is none (also of
    /// a `HEAD`, whose response may have a `content-length` nonetheless), with
    /// [`BodyLength::Chunked`] it is an event stream. It comes from
    /// [`take_body`](Connection::take_body).
    Respond(Box<Response<BodyLength>>),
    /// Everything is transmitted: shut the socket's sending side down, or end the body in the
    /// foreign server. Then call [`handle_output_ended`](Connection::handle_output_ended).
    EndOutput {
        /// Whether the stream failed, so that the client must not take this for a proper end. A
        /// transport that has a proper end of its own, as TLS has with `close_notify`, is shut down
        /// without it then.
        broken_off: bool,
    },
    /// It is over: close the socket, then drop the connection. Comes exactly once, and last.
    Closed(CloseReason),
}

/// Who reads the request and writes the response, and what holds there.
#[derive(Debug)]
enum Host {
    /// This connection does, over a socket.
    Socket {
        config: Arc<ConnectionConfig>,
        /// The request, until [`Connection::poll_event`] has told of it. No state holds it, since the
        /// application may respond before it polls.
        request: Option<Box<RequestHead>>,
    },
    /// A foreign server does.
    Server {
        config: Arc<ResponseConfig>,
        /// The response, until [`Connection::poll_event`] has told of it. No state holds it, since the
        /// body may be complete before the caller polls.
        response: Option<Box<Response<BodyLength>>>,
    },
}

/// What is to be expected of the peer's sending side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PeerSide {
    /// The client may still be sending: to close now would reset the connection, and might destroy
    /// the response on its way.
    Expected,
    /// The request came as a whole, and nothing after it.
    Complete,
    /// It has ended.
    Ended,
}

impl Connection {
    /// Creates a connection that was accepted `now`. `date` is the same moment on the wall clock, for the
    /// `Date` field of responses.
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

    /// Returns what the connection is doing.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.state.phase()
    }

    /// Returns whether [`send`](Self::send) would take an event: the event stream is open, and nothing is
    /// queued, or less than the high-water mark while the [budget](ResponseConfig::budget) has room.
    #[must_use]
    pub fn has_room(&self) -> bool {
        let State::Streaming(_) = self.state else {
            return false;
        };
        // With nothing queued there is room, whatever others hold: to wait for them would be to
        // wait for a wake-up that none of them gives.
        let (queued, config) = (self.output.queued(), self.host.config());
        queued == 0 || (queued < config.high_water_mark && !config.budget.is_exhausted())
    }

    /// Returns how many bytes are queued, without their transfer framing.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.output.queued()
    }

    /// Returns whether [`poll_transmit`](Self::poll_transmit) would give something.
    #[must_use]
    pub fn has_output(&self) -> bool {
        !self.output.is_empty()
    }

    /// Returns whether this connection reads its request and writes its response over a socket. One [for
    /// a response](Self::for_response) leaves that to a foreign server.
    #[must_use]
    pub fn is_on_socket(&self) -> bool {
        matches!(self.host, Host::Socket { .. })
    }

    /// Returns the place for clean-up callbacks: they run when this connection is dropped.
    #[must_use]
    pub fn clean_up(&self) -> CleanUp {
        self.clean_up.get_or_init(CleanUpOwner::new).handle()
    }
}

impl Host {
    /// What holds for the response.
    fn config(&self) -> &ResponseConfig {
        match self {
            Self::Socket { config, .. } => &config.response,
            Self::Server { config, .. } => config,
        }
    }
}

/// The connection's driver is done with it: time for the callbacks.
impl Drop for Connection {
    fn drop(&mut self) {
        if self.clean_up.get().is_none() {
            return;
        }
        // Before its end the driver was dropped. A client that has everything lost nothing by that.
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
