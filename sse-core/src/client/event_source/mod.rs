//! The state machine of an event source: its parts, its constructor and its getters.
//!
//! `inputs` and `response` have the inputs from outside, `verbs` what the application calls, and
//! `outputs` what the caller has to do next. All of them change the state by `transitions`.

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
///
/// ```
/// use std::time::Instant;
/// use sse_core::client::{ClientEvent, EventSource, EventSourceConfig};
///
/// let now = Instant::now();
/// let mut source = EventSource::new("https://example.org/events", EventSourceConfig::default(), 7)?;
/// // Its first wish: a connection to this endpoint, with TLS.
/// let Some(ClientEvent::Connect(endpoint)) = source.poll_event(now) else { panic!() };
/// assert_eq!((endpoint.host.as_str(), endpoint.port, endpoint.tls), ("example.org", 443, true));
/// # Ok::<(), sse_core::client::InvalidRequest>(())
/// ```
#[derive(Debug)]
pub struct EventSource {
    state: State,
    config: Arc<EventSourceConfig>,
    target: Target,
    backoff: Backoff,
    decoder: Decoder,
    /// The number of redirects followed in a row.
    redirects: u32,
    /// Whether the application is asked before each attempt.
    prepares: bool,
    /// What ended the attempt before, for the application that prepares the next one.
    last_loss: Option<Box<Loss>>,
    /// The number of responses that were not an event stream, since the stream was open last.
    unexpected_responses: u32,
    /// When a connection was asked for last.
    attempted_at: Option<Instant>,
    has_been_open: bool,
    past: Past,
}

/// An event from [`EventSource::poll_event`]: a received event, or a change of the connection or of the
/// subscription.
///
/// ```
/// use sse_core::client::ClientEvent;
///
/// fn log(event: &ClientEvent) {
///     match event {
///         ClientEvent::Open(head) => println!("open: {}", head.status()),
///         ClientEvent::Event(event) => println!("{}: {}", event.event_type(), event.data()),
///         ClientEvent::Lost { loss, wait } => println!("lost: {loss}; the next attempt is in {wait:?}"),
///         ClientEvent::Closed(Err(failure)) => println!("failed: {failure}"),
///         _ => {}
///     }
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The application may change the next request. Comes only from an event source made [with
    /// preparation](EventSource::with_preparation). Give the attempt back with
    /// [`attempt`](EventSource::attempt), or call [`wait`](EventSource::wait),
    /// [`stop`](EventSource::stop) or
    /// [`handle_preparation_error`](EventSource::handle_preparation_error).
    Prepare(Box<Attempt>),
    /// Connect to this endpoint, and then call [`handle_connected`](EventSource::handle_connected) or
    /// [`handle_transport_error`](EventSource::handle_transport_error); or give the request from
    /// [`take_request`](EventSource::take_request) to a foreign HTTP client.
    Connect(Endpoint),
    /// Close the connection, or stop connecting. Hand in no more input from it.
    Disconnect,
    /// The event stream is open; this is the response's head.
    Open(Response<()>),
    /// An event is dispatched.
    Event(MessageEvent),
    /// A comment was received: the text after the colon.
    Comment(Text),
    /// The server set the reconnection time, which the event source has stored.
    ReconnectionTime(Duration),
    /// An event was larger than its bound and was discarded; the stream continues with the next event.
    Discarded(DecodeError),
    /// An event has an id longer than its [bound](EventSourceConfig::decoder_limits). The event follows
    /// nevertheless, and the last event ID stays unchanged.
    IdTooLong(DecodeError),
    /// The connection was lost or could not be made.
    Lost {
        /// Why the connection was lost.
        loss: Loss,
        /// The time until the next attempt.
        wait: Duration,
    },
    /// The application [paused](EventSource::pause), and the connection is closed.
    Paused,
    /// The subscription is over. This event comes exactly once, as the last one.
    Closed(Result<End, Failure>),
}

/// How a subscription ended without a failure. It is the `Ok` of [`ClientEvent::Closed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum End {
    /// [`EventSource::close`] was called, or [`EventSource::stop`] before the first loss.
    Closed,
    /// The server answered 204, which tells a client not to reconnect ([WHATWG HTML
    /// 9.2.1](https://html.spec.whatwg.org/multipage/server-sent-events.html#server-sent-events-intro)).
    NoContent,
    /// The server ended the stream, and [`EventSourceConfig::reconnection`] is `None` or the application
    /// [stopped](EventSource::stop) afterwards.
    StreamEnded,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the application closed it",
            Self::NoContent => "the server has nothing more to send (204)",
            Self::StreamEnded => "the server ended the event stream",
        })
    }
}

/// What has yet to be reported of the last connection, before anything of the next one. There is one
/// place for each kind, so that a caller that does not take events costs no memory.
#[derive(Debug, Default)]
struct Past {
    disconnect: bool,
    lost: Option<Box<(Loss, Duration)>>,
    paused: bool,
}

impl EventSource {
    /// Creates a subscription to `url`. `seed` is an unpredictable number, from which the waits are
    /// drawn.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`] where `url` is not an `http` or `https` URL, is longer than 65,534 bytes or has
    /// a user name, and where the method is `CONNECT`.
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

    /// Asks the application before each attempt, by [`ClientEvent::Prepare`], to change or confirm the
    /// request. Call it before any other method; the phase is `Preparing` then.
    ///
    /// A redirect is a part of its attempt: the event source follows it without asking.
    ///
    /// A response that is not an event stream is then a loss, so that the application can react to it, up
    /// to [`max_unexpected_responses`](EventSourceConfig::max_unexpected_responses) in a row.
    #[must_use]
    pub fn with_preparation(mut self) -> Self {
        self.prepares = true;
        self.step(Step::PreparationWanted);
        self
    }

    /// Returns the phase of the event source.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.state.phase()
    }

    /// Returns the last event ID as the standard defines it; empty for none.
    /// [`EventSourceConfig::last_event_id`] takes it in a later run.
    ///
    /// The next request carries it, unless it has control characters other than a tab, which a header
    /// field may not have and which a strict server rejects. The request then carries the newest ID
    /// without control characters.
    #[must_use]
    pub fn last_event_id(&self) -> EventId {
        // An ID from the decoder has none of the characters that an `EventId` cannot have.
        EventId::new(self.decoder.last_event_id()).unwrap_or_default()
    }

    /// Returns the URL of the next request: the one that was given, or the one that redirects led to. A
    /// redirect of any status stays in effect for later attempts, as in browsers.
    #[must_use]
    pub fn url(&self) -> &str {
        self.target.url().as_str()
    }

    /// Returns whether the caller should read more input: fewer bytes wait to be taken than the
    /// [high-water mark](EventSourceConfig::high_water_mark).
    #[must_use]
    pub fn has_room(&self) -> bool {
        match &self.state {
            // An empty buffer always has room, even with a mark of 0; the stream would stall otherwise.
            State::Open(open) => open.incoming.len() < self.config.high_water_mark.max(1),
            _ => true,
        }
    }
}
