//! The machine: its parts, how it begins, and what can be seen of it.
//!
//! What the world did is in `inputs` and `response`, what the application wants in `verbs`, what the
//! caller must do next in `outputs`. All of them lead from state to state by `transitions`.

mod inputs;
mod outputs;
mod response;
mod transitions;
mod verbs;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use ::http::Response;

use self::transitions::Step;
use super::{
    Attempt, Endpoint, EventSourceConfig, Failure, InvalidRequest, Loss, Phase, backoff::Backoff,
    state::State, target::Target,
};
use crate::{DecodeError, Decoder, EventId, MessageEvent, Text};

/// A subscription to an event stream, with its reconnections.
///
/// See the [module](super) for the classes of methods and examples.
#[derive(Debug)]
pub struct EventSource {
    state: State,
    config: Arc<EventSourceConfig>,
    target: Target,
    backoff: Backoff,
    decoder: Decoder,
    /// How many redirects in a row were followed.
    redirects: u32,
    /// Whether the application is asked before each attempt.
    prepares: bool,
    /// What ended the attempt before, for the application that is asked.
    last_loss: Option<Box<Loss>>,
    /// How many responses were no event stream, since the stream was open last.
    unexpected_responses: u32,
    /// When a connection was asked for last.
    attempted_at: Option<Instant>,
    has_been_open: bool,
    past: Past,
}

/// An event from [`EventSource::poll_event`]: a received event, or a change of the connection or of the
/// subscription.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientEvent {
    /// Only of [`EventSource::with_preparation`]: the next request may be changed. Give it back
    /// with [`attempt`](EventSource::attempt), or call [`wait`](EventSource::wait) or
    /// [`stop`](EventSource::stop), or
    /// [`handle_preparation_error`](EventSource::handle_preparation_error).
    Prepare(Box<Attempt>),
    /// Make a connection to there, and then call
    /// [`handle_connected`](EventSource::handle_connected) or
    /// [`handle_transport_error`](EventSource::handle_transport_error); or give a foreign HTTP
    /// client the request, from [`take_request`](EventSource::take_request).
    Connect(Endpoint),
    /// Close the connection, or stop making it. Nothing more of it is to be handed in.
    Disconnect,
    /// The event stream is open: the response's head.
    Open(Response<()>),
    /// An event is dispatched.
    Event(MessageEvent),
    /// A comment: what stands behind the colon.
    Comment(Text),
    /// The server set the reconnection time. The event source has taken note of it.
    ReconnectionTime(Duration),
    /// An event was too large and is discarded; the stream goes on at the next one.
    Discarded(DecodeError),
    /// An event has an id that is longer than the
    /// [bound](EventSourceConfig::decoder_limits). The event comes all the same, and the last event
    /// ID stays as it was.
    IdTooLong(DecodeError),
    /// The connection was lost, or there was none to be had.
    Lost {
        /// Why.
        loss: Loss,
        /// How long it is to the next attempt.
        wait: Duration,
    },
    /// The application [paused](EventSource::pause), and the connection is closed.
    Paused,
    /// It is over. Comes exactly once, and last.
    Closed(Result<End, Failure>),
}

/// How a subscription ended without a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum End {
    /// [`EventSource::close`] was called.
    Closed,
    /// The server answered 204: there is nothing more to come.
    NoContent,
    /// The server ended the stream, and [`EventSourceConfig::reconnection`] is `None`.
    StreamEnded,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "it was closed here",
            Self::NoContent => "the server has nothing more to send (204)",
            Self::StreamEnded => "the server ended the event stream",
        })
    }
}

/// What is to be told of the connection before, and before anything of this one. A place for each,
/// so that a caller that does not listen costs no memory.
#[derive(Debug, Default)]
struct Past {
    disconnect: bool,
    lost: Option<Box<(Loss, Duration)>>,
    paused: bool,
}

impl EventSource {
    /// Creates a subscription to `url`. `seed` is a number that is hard to foresee: the waiting times are
    /// drawn from it.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`] where `url` is not an http or https URL, or names a user, and where the
    /// method is `CONNECT`.
    pub fn new(
        url: &str,
        config: impl Into<Arc<EventSourceConfig>>,
        seed: u64,
    ) -> Result<Self, InvalidRequest> {
        let config = config.into();
        let target = Target::new(url, &config)?;
        let mut decoder = Decoder::with_limits(config.decoder_limits);
        decoder.set_last_event_id(&config.last_event_id);
        Ok(Self {
            state: State::Asking,
            config,
            target,
            backoff: Backoff::new(seed),
            decoder,
            redirects: 0,
            prepares: false,
            last_loss: None,
            unexpected_responses: 0,
            attempted_at: None,
            has_been_open: false,
            past: Past::default(),
        })
    }

    /// Asks before each attempt, with [`ClientEvent::Prepare`], what the request is to be. Call it
    /// before anything else; the phase is `Preparing` then.
    ///
    /// A redirect is a part of its attempt, and is followed without asking.
    ///
    /// A response that is no event stream is then a loss like any other, so that the application can
    /// do something about it, up to
    /// [`max_unexpected_responses`](EventSourceConfig::max_unexpected_responses) in a row.
    #[must_use]
    pub fn with_preparation(mut self) -> Self {
        self.prepares = true;
        self.step(Step::PreparationWanted);
        self
    }

    /// Returns what the event source is doing.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.state.phase()
    }

    /// Returns the last event ID, as the standard has it; empty for none. It is what
    /// [`EventSourceConfig::last_event_id`] takes in a later run.
    ///
    /// The next request carries it, unless it has control characters other than a tab, which a
    /// header field may not have and a strict server refuses: then the request carries the newest
    /// ID without them.
    #[must_use]
    pub fn last_event_id(&self) -> EventId {
        // What a decoder takes for an ID has none of the characters that an `EventId` cannot have.
        EventId::new(self.decoder.last_event_id()).unwrap_or_default()
    }

    /// Returns where the next request would go: the URL that was given, or where redirects led.
    #[must_use]
    pub fn url(&self) -> &str {
        self.target.url().as_str()
    }

    /// Returns whether more input is wanted: less than the [high-water
    /// mark](EventSourceConfig::high_water_mark) is waiting to be asked for.
    #[must_use]
    pub fn has_room(&self) -> bool {
        match &self.state {
            // With nothing received there is room, or there would never be anything.
            State::Open(open) => open.incoming.len() < self.config.high_water_mark.max(1),
            _ => true,
        }
    }
}
