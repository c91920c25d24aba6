//! The machine: what comes in, what it does in this phase, what is to be done next.

use std::{
    fmt, io, mem,
    sync::Arc,
    time::{Duration, Instant},
};

use ::http::{Response, StatusCode, header};
use bytes::Bytes;

use super::{
    Endpoint, EventSourceConfig, Failure, InvalidRequest, Loss, Phase, Refusal,
    backoff::{Backoff, Reached},
    incoming::{Incoming, Next},
    phase::Input,
    target::{Target, is_redirect},
};
use crate::{
    DecodeError, Decoder, MessageEvent, Text, Transmit,
    decode::OwnedDecoded,
    http::{BodyPart, BodyReader, Framing, ResponseHeadReader, content_coding, is_event_stream},
};

/// A subscription to an event stream, with its reconnections.
///
/// See the [module](super) for what it does and an example.
#[derive(Debug)]
pub struct EventSource {
    phase: Phase,
    config: Arc<EventSourceConfig>,
    target: Target,
    backoff: Backoff,
    decoder: Decoder,
    /// What the phase waits for ends here. Each phase waits for one thing at most.
    deadline: Option<Instant>,
    /// How many redirects in a row were followed.
    redirects: u32,
    request: Outgoing,
    reading: Reading,
    /// Since when the stream is open.
    opened: Option<Instant>,
    /// Whether the stream gave an event.
    gave_event: bool,
    news: News,
}

/// What an [`EventSource`] has to tell, from [`EventSource::poll_event`].
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientEvent {
    /// Make a connection to there, and then call
    /// [`handle_connected`](EventSource::handle_connected) or
    /// [`handle_transport_error`](EventSource::handle_transport_error).
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
    /// It is over. Comes exactly once, and last.
    Closed(Result<End, Failure>),
}

/// How a subscription ended that did not fail.
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

/// What is still to be written of a request.
#[derive(Debug, Default)]
struct Outgoing {
    head: Vec<u8>,
    body: Bytes,
    written: usize,
}

/// What is being read of a response.
#[derive(Debug)]
enum Reading {
    Nothing,
    Head(Box<ResponseHeadReader>),
    Events(Incoming),
    Refusal(Box<RefusalBody>),
}

/// A refusal whose body is on its way.
#[derive(Debug)]
struct RefusalBody {
    /// Which failure it is.
    failure: fn(Box<Refusal>) -> Failure,
    response: Response<()>,
    body: BodyReader,
    bytes: Vec<u8>,
}

/// What is to be told before anything that is received, in the order of the fields. A place for
/// each, so that a caller who does not listen costs no memory.
#[derive(Debug, Default)]
struct News {
    disconnect: bool,
    lost: Option<(Loss, Duration)>,
    connect: Option<Endpoint>,
    open: Option<Box<Response<()>>>,
    closed: Option<Result<End, Failure>>,
}

impl EventSource {
    /// A subscription to `url`. `seed` is a number that is hard to foresee: the waiting times are
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
        if let Some(id) = &config.last_event_id {
            decoder.set_last_event_id(id);
        }
        let mut source = Self {
            phase: Phase::Connecting,
            target,
            backoff: Backoff::new(seed),
            decoder,
            deadline: None,
            redirects: 0,
            request: Outgoing::default(),
            reading: Reading::Nothing,
            opened: None,
            gave_event: false,
            news: News::default(),
            config,
        };
        source.connect();
        Ok(source)
    }

    // ---- getters ----

    /// What the event source is doing.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The last event ID, as the standard has it.
    ///
    /// The next request carries it, unless it has control characters other than a tab, which a
    /// header field may not have and a strict server refuses: then the request carries the newest
    /// ID without them.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        self.decoder.last_event_id()
    }

    /// Where the next request would go: the URL that was given, or where redirects led.
    #[must_use]
    pub fn url(&self) -> &str {
        self.target.url().as_str()
    }

    /// Whether more input is wanted: less than the
    /// [high-water mark](EventSourceConfig::high_water_mark) is waiting to be asked for.
    #[must_use]
    pub fn has_room(&self) -> bool {
        match &self.reading {
            // With nothing received there is room, or there would never be anything.
            Reading::Events(incoming) => incoming.len() < self.config.high_water_mark.max(1),
            _ => true,
        }
    }

    // ---- what the world did ----

    /// The connection that [`ClientEvent::Connect`] asked for stands.
    pub fn handle_connected(&mut self, now: Instant) {
        if !self.is_connection_current() || !self.enter(Input::Connected) {
            return;
        }
        self.request = Outgoing {
            head: self
                .target
                .encode_head(self.decoder.last_event_id_to_send()),
            body: self.target.body().clone(),
            written: 0,
        };
        let limits = self.config.response_head_limits;
        self.reading = Reading::Head(Box::new(ResponseHeadReader::new(limits)));
        self.deadline = now.checked_add(self.config.head_timeout);
    }

    /// Bytes arrived.
    pub fn handle_input(&mut self, now: Instant, mut input: &[u8]) {
        if let Reading::Head(reader) = &mut self.reading {
            match reader.read(&mut input) {
                Ok(None) => return,
                Ok(Some(response)) => self.on_response(now, response),
                Err(error) => return self.lose(now, Loss::BadHead(error), None),
            }
        }
        match &mut self.reading {
            Reading::Events(incoming) => incoming.receive(input),
            Reading::Refusal(refusal) => {
                if refusal.receive(input, self.config.max_refusal_body) {
                    self.refused();
                }
            }
            Reading::Nothing | Reading::Head(_) => {}
        }
    }

    /// The peer's sending side ended.
    pub fn handle_eof(&mut self, now: Instant) {
        self.on_loss(now, Loss::Ended);
    }

    /// There is no connection to be had, or it failed. With [`io::ErrorKind::Unsupported`] there
    /// never will be one, and the subscription fails.
    pub fn handle_transport_error(&mut self, now: Instant, error: &io::Error) {
        self.on_loss(now, Loss::Transport(error.into()));
    }

    /// Time passed. Does nothing for a deadline that is still ahead of `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.deadline.is_none_or(|deadline| deadline > now) {
            return;
        }
        self.deadline = None;
        match self.phase {
            Phase::Connecting => self.lose(now, Loss::ConnectTimeout, None),
            Phase::Requesting => self.lose(now, Loss::HeadTimeout, None),
            Phase::Refused => self.refused(),
            Phase::Open => {
                if let Reading::Events(incoming) = &mut self.reading
                    && incoming.len() == 0
                {
                    incoming.lose(Loss::IdleTimeout);
                } else {
                    // It is not the server who keeps the caller waiting.
                    self.expect_more(now);
                }
            }
            Phase::Waiting => {
                self.redirects = 0;
                self.enter(Input::WaitOver);
                self.connect();
            }
            Phase::Closed => {}
        }
    }

    // ---- what the application wants ----

    /// Ends the subscription. Does nothing when it is over.
    pub fn close(&mut self) {
        self.over(Ok(End::Closed));
    }

    // ---- what the caller must do next ----

    /// The bytes to write now. Say with [`transmitted`](Self::transmitted) how many of them were
    /// written.
    #[must_use]
    pub fn poll_transmit(&self) -> Transmit<'_> {
        let Outgoing {
            head,
            body,
            written,
        } = &self.request;
        Transmit::new([&head[..], body], *written)
    }

    /// The first `n` bytes of [`poll_transmit`](Self::poll_transmit) were written.
    pub fn transmitted(&mut self, _now: Instant, n: usize) {
        let request = &mut self.request;
        request.written = request.written.saturating_add(n);
        if request.written >= request.head.len() + request.body.len() {
            *request = Outgoing::default();
        }
    }

    /// What there is to tell, oldest first: what to do with the connection, what was received, what
    /// became of the subscription.
    pub fn poll_event(&mut self, now: Instant) -> Option<ClientEvent> {
        loop {
            if let Some(event) = self.news.next() {
                if matches!(event, ClientEvent::Connect(_)) {
                    self.deadline = now.checked_add(self.config.connect_timeout);
                }
                return Some(event);
            }
            if matches!(&self.reading, Reading::Events(incoming) if incoming.len() > 0) {
                // Something is taken, and if it is the last, silence counts from here.
                self.expect_more(now);
            }
            let Reading::Events(incoming) = &mut self.reading else {
                return None;
            };
            match incoming.next(&mut self.decoder) {
                Next::Item(OwnedDecoded::Event(event)) => {
                    self.gave_event = true;
                    return Some(ClientEvent::Event(event));
                }
                Next::Item(OwnedDecoded::Comment(text)) => return Some(ClientEvent::Comment(text)),
                Next::Item(OwnedDecoded::ReconnectionTime(time)) => {
                    return Some(ClientEvent::ReconnectionTime(time));
                }
                Next::Item(OwnedDecoded::IdTooLong(error)) => {
                    return Some(ClientEvent::IdTooLong(error));
                }
                Next::Discarded(error) => return Some(ClientEvent::Discarded(error)),
                Next::More => return None,
                Next::Over(loss) => self.lose(now, loss, None),
            }
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if nothing happens before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    // ---- inside ----

    fn enter(&mut self, input: Input) -> bool {
        let next = self.phase.after(input);
        self.phase = next.unwrap_or(self.phase);
        next.is_some()
    }

    fn connect(&mut self) {
        self.news.connect = Some(self.target.endpoint());
    }

    /// Whether what the world does with a connection is about the one that is wanted, and not
    /// about an earlier one that the caller was not told to close yet.
    fn is_connection_current(&self) -> bool {
        self.news.connect.is_none() && !self.news.disconnect
    }

    /// Nothing of the connection is wanted any more.
    fn disconnect(&mut self) {
        self.reading = Reading::Nothing;
        self.request = Outgoing::default();
        self.deadline = None;
        self.news.open = None;
        // A connection that nobody was asked for yet need not be closed.
        let was_asked_for = self.news.connect.take().is_none() && self.phase != Phase::Waiting;
        self.news.disconnect |= was_asked_for;
    }

    fn expect_more(&mut self, now: Instant) {
        let idle = self.config.idle_timeout;
        self.deadline = idle.and_then(|idle| now.checked_add(idle));
    }

    fn on_response(&mut self, now: Instant, response: Response<()>) {
        let status = response.status();
        let framing = match Framing::of(&response, self.target.method()) {
            Ok(framing) => framing,
            Err(error) => return self.lose(now, Loss::BadHead(error), None),
        };
        if status == StatusCode::NO_CONTENT {
            return self.over(Ok(End::NoContent));
        }
        if is_redirect(status) {
            return self.on_redirect(now, &response);
        }
        if self.config.reconnection.is_some() && self.config.retry_statuses.contains(&status) {
            return self.lose(now, Loss::Status(status), retry_after(&response));
        }
        let failure: fn(_) -> _ = match status {
            StatusCode::OK if is_event_stream(response.headers()) => {
                return self.open(now, response, BodyReader::new(framing));
            }
            StatusCode::OK => Failure::ContentType,
            _ => Failure::Status,
        };
        self.enter(Input::Refused);
        self.reading = Reading::Refusal(Box::new(RefusalBody {
            failure,
            response,
            body: BodyReader::new(framing),
            bytes: Vec::new(),
        }));
    }

    fn open(&mut self, now: Instant, response: Response<()>, body: BodyReader) {
        if let Some(coding) = content_coding(response.headers()) {
            let coding = coding.clone();
            return self.over(Err(Failure::ContentCoding(coding)));
        }
        self.enter(Input::Opened);
        self.decoder.restart();
        self.opened = Some(now);
        self.expect_more(now);
        self.reading = Reading::Events(Incoming::new(body));
        self.news.open = Some(Box::new(response));
    }

    fn on_redirect(&mut self, now: Instant, response: &Response<()>) {
        if self.redirects >= self.config.max_redirects {
            return self.lose(now, Loss::TooManyRedirects, None);
        }
        self.redirects += 1;
        let location = response.headers().get(header::LOCATION);
        match self.target.redirect(response.status(), location) {
            Err(error) => self.over(Err(Failure::Redirect(error))),
            Ok(()) => {
                self.disconnect();
                self.enter(Input::Redirected);
                self.connect();
            }
        }
    }

    /// As much of the refusal has come as there is or as is wanted.
    fn refused(&mut self) {
        if let Reading::Refusal(refusal) = mem::replace(&mut self.reading, Reading::Nothing) {
            let failure = (refusal.failure)(Box::new(Refusal {
                response: refusal.response,
                body: refusal.bytes.into(),
            }));
            self.over(Err(failure));
        }
    }

    /// The connection ended or failed.
    fn on_loss(&mut self, now: Instant, loss: Loss) {
        if !self.is_connection_current() {
            return;
        }
        match (&mut self.reading, loss) {
            // What was received before is still to be decoded.
            (Reading::Events(incoming), loss) => incoming.lose(loss),
            (Reading::Refusal(_), _) => self.refused(),
            (_, Loss::Ended) => self.lose(now, Loss::NoResponse, None),
            (_, loss) => self.lose(now, loss, None),
        }
    }

    /// The connection is of no more use. The next one is to come `at_least` so much later.
    fn lose(&mut self, now: Instant, loss: Loss, at_least: Option<Duration>) {
        if self.phase.after(Input::Lost).is_none() {
            return;
        }
        if matches!(&loss, Loss::Transport(error) if error.kind == io::ErrorKind::Unsupported) {
            return self.over(Err(Failure::Lost(loss)));
        }
        let Some(settings) = &self.config.reconnection else {
            let is_proper = loss == Loss::Ended && self.phase == Phase::Open;
            return self.over(match is_proper {
                true => Ok(End::StreamEnded),
                false => Err(Failure::Lost(loss)),
            });
        };
        let gave_event = mem::take(&mut self.gave_event);
        let reached = match self.opened.take() {
            None => Reached::Nothing,
            Some(_) if gave_event && loss == Loss::Ended => Reached::End,
            Some(since) => Reached::Open(now.saturating_duration_since(since)),
        };
        self.backoff.lost(settings, reached);
        if self.backoff.is_exhausted(settings) {
            return self.over(Err(Failure::GaveUp(loss)));
        }
        let reconnection_time = self.decoder.reconnection_time();
        let wait = self.backoff.wait(settings, reconnection_time, at_least);
        self.disconnect();
        self.enter(Input::Lost);
        self.deadline = Some(later(now, wait));
        self.news.lost = Some((loss, wait));
    }

    fn over(&mut self, result: Result<End, Failure>) {
        if self.phase != Phase::Closed {
            self.disconnect();
            self.enter(Input::Over);
            self.news.closed = Some(result);
        }
    }
}

impl News {
    fn next(&mut self) -> Option<ClientEvent> {
        if mem::take(&mut self.disconnect) {
            return Some(ClientEvent::Disconnect);
        }
        if let Some((loss, wait)) = self.lost.take() {
            return Some(ClientEvent::Lost { loss, wait });
        }
        if let Some(endpoint) = self.connect.take() {
            return Some(ClientEvent::Connect(endpoint));
        }
        if let Some(response) = self.open.take() {
            return Some(ClientEvent::Open(*response));
        }
        self.closed.take().map(ClientEvent::Closed)
    }
}

impl RefusalBody {
    /// Whether the body is complete, or as much of it is here as is wanted.
    fn receive(&mut self, mut input: &[u8], most: usize) -> bool {
        while self.bytes.len() < most {
            match self.body.read(&mut input) {
                Ok(BodyPart::Data(data)) => {
                    let room = most - self.bytes.len();
                    self.bytes.extend_from_slice(&data[..data.len().min(room)]);
                }
                Ok(BodyPart::More) => return false,
                Ok(BodyPart::End) | Err(_) => return true,
            }
        }
        true
    }
}

/// `wait` after `now`, or a year where that is more than an [`Instant`] can hold.
fn later(now: Instant, wait: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    now.checked_add(wait)
        .or_else(|| now.checked_add(YEAR))
        .unwrap_or(now)
}

/// How long the response asks to wait: in seconds, or until a date, which is taken by the
/// response's own clock
/// ([RFC 9110 section 10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)).
fn retry_after(response: &Response<()>) -> Option<Duration> {
    let field = |name| response.headers().get(name)?.to_str().ok();
    let value = field(header::RETRY_AFTER)?.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number has are a very long time.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let then = httpdate::parse_http_date(value).ok()?;
    let now = httpdate::parse_http_date(field(header::DATE)?).ok()?;
    then.duration_since(now).ok()
}
