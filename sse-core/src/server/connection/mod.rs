//! The machine: what comes in, what it does in this phase, what is to be done next.

mod embedded;
mod receiving;

use std::{
    io, mem,
    sync::{Arc, OnceLock},
    time::{Duration, Instant, SystemTime},
};

use ::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use bytes::Bytes;

use super::{
    ConnectionConfig, Phase, RespondError, SendError, WrongPhase,
    output::Output,
    phase::Input,
    request_body::{RequestBody, State},
    response::{Body, RequestFacts, add_stream_fields},
};
use crate::{
    Comment, EncodedEvents, Event, Transmit,
    http::{BodyLength, RequestHead, RequestHeadReader, encode_response_head},
    lifecycle::{CleanUp, CleanUpOwner, CloseReason, Timer, Timers},
};

/// One accepted socket: a request head in, a response out, which may be an event stream.
///
/// See the [module](super) for the classes of methods and an example. Clean-up callbacks run when
/// the connection is dropped, which is the time to have closed the socket.
#[derive(Debug)]
pub struct Connection {
    phase: Phase,
    config: Arc<ConnectionConfig>,
    /// Present until the response's head is made.
    clock: Option<Box<Clock>>,
    timers: Timers,
    /// Present while the head is being received.
    head: Option<Box<RequestHeadReader>>,
    /// Present where the request has a body that the application may still have.
    body: Option<Box<RequestBody>>,
    request: RequestFacts,
    output: Output,
    /// Why the connection ends, from the moment that it does.
    reason: Option<Box<CloseReason>>,
    input: InputState,
    news: News,
    /// Present once somebody asked for it.
    clean_up: OnceLock<CleanUpOwner>,
}

/// What the machine has to tell, from [`Connection::poll_event`].
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
    /// Everything is transmitted: shut the socket's sending side down, then call
    /// [`output_ended`](Connection::output_ended).
    EndOutput,
    /// It is over: close the socket, then drop the connection. Comes exactly once, and last.
    Closed(CloseReason),
}

/// A moment that is known on both clocks, so that every later one is, too.
#[derive(Clone, Copy, Debug)]
struct Clock {
    instant: Instant,
    date: SystemTime,
}

impl Clock {
    fn date(&self, now: Instant) -> SystemTime {
        let passed = now.saturating_duration_since(self.instant);
        self.date.checked_add(passed).unwrap_or(self.date)
    }
}

/// What is known of the peer's sending side.
#[derive(Clone, Copy, Debug)]
struct InputState {
    /// It has ended.
    ended: bool,
    /// The client may still be sending what the response did not wait for.
    expected: bool,
    /// How many bytes of that have come since the output ended.
    discarded: usize,
    /// The application has asked for the request body.
    body_asked: bool,
}

/// What [`Connection::poll_event`] has not told yet.
#[derive(Debug, Default)]
struct News {
    request: Option<Box<RequestHead>>,
    end_output: EndOutput,
    closed: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum EndOutput {
    #[default]
    NotYet,
    Told,
    Done,
}

impl Connection {
    /// A connection that was accepted `now`. `date` is the same moment on the wall clock, for the
    /// `Date` field of responses.
    #[must_use]
    pub fn new(now: Instant, date: SystemTime, config: Arc<ConnectionConfig>) -> Self {
        let mut timers = Timers::default();
        timers.set(Timer::Head, now.checked_add(config.head_timeout));
        Self {
            phase: Phase::Head,
            clock: Some(Box::new(Clock { instant: now, date })),
            timers,
            head: Some(Box::new(RequestHeadReader::new(config.head_limits))),
            body: None,
            request: RequestFacts::default(),
            output: Output::new(),
            reason: None,
            input: InputState {
                ended: false,
                expected: true,
                discarded: 0,
                body_asked: false,
            },
            news: News::default(),
            clean_up: OnceLock::new(),
            config,
        }
    }

    // ---- getters ----

    /// What the connection is doing.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether [`send`](Self::send) would take an event: the event stream is open, and less is
    /// queued than the high-water mark.
    #[must_use]
    pub fn has_room(&self) -> bool {
        // With nothing queued there is room, or there would never be anything.
        let mark = self.config.high_water_mark.max(1);
        self.phase == Phase::Streaming && self.output.queued() < mark
    }

    /// How many bytes are queued, without their transfer framing.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.output.queued()
    }

    /// Whether [`poll_transmit`](Self::poll_transmit) would give something.
    #[must_use]
    pub fn has_output(&self) -> bool {
        !self.output.is_empty()
    }

    /// The place for clean-up callbacks: they run when this connection is dropped.
    #[must_use]
    pub fn clean_up(&self) -> CleanUp {
        self.clean_up.get_or_init(CleanUpOwner::new).handle()
    }

    // ---- what the world did ----

    /// Bytes arrived. Bytes after the request, which ends where its head says, are not a second
    /// request: they are thrown away.
    pub fn handle_input(&mut self, now: Instant, mut input: &[u8]) {
        if let Some(reader) = &mut self.head {
            match reader.read(&mut input) {
                Ok(None) => return,
                Ok(Some(head)) => self.on_request(now, head),
                Err(error) => {
                    let (status, text) = (error.status(), error.to_string());
                    self.refuse(
                        now,
                        Input::BadRequest,
                        status,
                        text,
                        CloseReason::Refused(status),
                    );
                }
            }
        }
        if let Some(body) = &mut self.body {
            body.receive(&mut input);
            self.input.expected = body.state() != State::Complete;
            self.check_body(now);
        }
        if !input.is_empty() {
            // A close would reset the connection, and the answer with it: see to the end of this.
            self.input.expected = true;
        }
        if self.news.end_output == EndOutput::Done {
            self.input.discarded = self.input.discarded.saturating_add(input.len());
            if self.input.discarded > self.config.linger_limit {
                self.input.expected = false;
                self.check_over();
            }
        }
    }

    /// The peer's sending side ended. Before the response is out this means that the client went
    /// away, and so does a client that closed only its sending half.
    pub fn handle_eof(&mut self, _now: Instant) {
        self.input.ended = true;
        match self.phase.after(Input::Eof) {
            Some(Phase::Closed) => self.cut(CloseReason::ClientWentAway),
            _ => self.check_over(),
        }
    }

    /// The transport failed: nothing can be read or written any more. With
    /// [`io::ErrorKind::TimedOut`] it was the transport that found a stall, otherwise the client
    /// went away.
    pub fn handle_transport_error(&mut self, _now: Instant, kind: io::ErrorKind) {
        if self.phase.after(Input::TransportError).is_some() {
            self.cut(match kind {
                io::ErrorKind::TimedOut => CloseReason::TimedOut(Timer::Stall),
                _ => CloseReason::ClientWentAway,
            });
        }
    }

    /// Time passed. Does nothing for a deadline that is still ahead of `now`.
    ///
    /// Call it after what has arrived was handed in: a request that came in time is then answered
    /// as one, however late the caller is.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.pop_expired(now) {
            match timer {
                Timer::Head => self.on_head_timeout(now),
                Timer::Body => self.refuse(
                    now,
                    Input::BodyTimeout,
                    StatusCode::REQUEST_TIMEOUT,
                    "The request body was not complete in time.".into(),
                    CloseReason::TimedOut(timer),
                ),
                Timer::Respond => self.refuse(
                    now,
                    Input::RespondTimeout,
                    StatusCode::SERVICE_UNAVAILABLE,
                    "The server took too long to answer. Try again later.".into(),
                    CloseReason::TimedOut(timer),
                ),
                Timer::Stall => self.on_deadline(Input::StallTimeout, timer),
                Timer::Drain => self.on_deadline(Input::DrainTimeout, timer),
                Timer::KeepAlive => self.on_idle(now),
            }
        }
    }

    // ---- what the application wants ----

    /// Answers the request. With [`Body::EventStream`] the stream is open from here on, unless
    /// the request or the status allows no body (`HEAD`, 204, 205, 304); look at
    /// [`phase`](Self::phase).
    ///
    /// A [whole](Body::Whole) response may come before the request: an overloaded server does not
    /// wait for it to say so. What the client is sending is then read for a while and thrown
    /// away, so that the answer reaches it.
    ///
    /// An event stream gets `content-type: text/event-stream`,
    /// `cache-control: no-cache, no-transform` and `x-accel-buffering: no` where the response has
    /// no such field of its own. `date`, `connection: close` and the framing of the body are
    /// the connection's: fields of the response that contradict them are left out.
    ///
    /// # Errors
    ///
    /// [`RespondError::WrongPhase`] where the response was given already, or where the request is
    /// not there yet and the body is an event stream;
    /// [`RespondError::InterimStatus`] for a 1xx status.
    pub fn respond(&mut self, now: Instant, response: Response<Body>) -> Result<(), RespondError> {
        let (mut head, body) = response.into_parts();
        let input = match body {
            Body::EventStream if self.request.may_have_body(head.status) => Input::RespondStream,
            _ => Input::RespondWhole,
        };
        let next = self.phase.allow("respond", input)?;
        if head.status.is_informational() {
            return Err(RespondError::InterimStatus(head.status));
        }
        if body == Body::EventStream {
            add_stream_fields(&mut head.headers);
        }
        self.begin_output(now, &head.status, &head.headers, body);
        if self.clean_up.get().is_some_and(CleanUpOwner::is_unused) {
            self.clean_up.take();
        }
        self.timers.stop(Timer::Respond);
        match next {
            Phase::Streaming => {
                self.phase = next;
                self.arm_keep_alive(now);
                self.arm_stall(now);
            }
            _ if self.head.take().is_some() => {
                self.drain(now, next, CloseReason::Refused(head.status));
            }
            _ => self.drain(now, next, CloseReason::ResponseSent),
        }
        Ok(())
    }

    /// Queues an event.
    ///
    /// # Errors
    ///
    /// [`SendError::Full`] at the high-water mark; [`SendError::WrongPhase`] where no event stream
    /// is open. The event was not queued then.
    pub fn send(&mut self, now: Instant, event: &Event) -> Result<(), SendError> {
        self.queue("send", now, |output| {
            output.put(|buffer| event.encode(buffer))
        })
    }

    /// Queues a comment.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    pub fn comment(&mut self, now: Instant, comment: &Comment) -> Result<(), SendError> {
        self.queue("comment", now, |output| {
            output.put(|buffer| comment.encode(buffer));
        })
    }

    /// Queues events of a topic. They are not copied: they are written from where they lie, and
    /// held for as long as that takes.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    pub fn send_encoded(&mut self, now: Instant, events: EncodedEvents) -> Result<(), SendError> {
        self.queue("send_encoded", now, |output| {
            output.put_shared(events.into_bytes());
        })
    }

    /// The stream has ended: what is queued is delivered, the body ends properly, and the
    /// connection closes with [`CloseReason::StreamEnded`].
    ///
    /// # Errors
    ///
    /// [`WrongPhase`] where no event stream is open.
    pub fn finish(&mut self, now: Instant) -> Result<(), WrongPhase> {
        let next = self.phase.allow("finish", Input::Finish)?;
        self.output.finish();
        self.drain(now, next, CloseReason::StreamEnded);
        Ok(())
    }

    /// The handler or its stream failed, for this reason. Before the response is out, the answer
    /// is a 500. An open stream breaks off: what is queued is delivered, but an HTTP/1.1 body
    /// does not end properly, so that the client can tell.
    ///
    /// # Errors
    ///
    /// [`WrongPhase`] where no response is under way.
    pub fn abort(&mut self, now: Instant, reason: CloseReason) -> Result<(), WrongPhase> {
        let next = self.phase.allow("abort", Input::Abort)?;
        if self.phase != Phase::Streaming {
            self.refuse(
                now,
                Input::Abort,
                StatusCode::INTERNAL_SERVER_ERROR,
                "The server failed to answer.".into(),
                reason,
            );
        } else {
            self.output.break_off();
            self.drain(now, next, reason);
        }
        Ok(())
    }

    /// Ends the connection at once: nothing more is transmitted. `reason` is the reason that
    /// counts, unless the connection was ending for another one already.
    ///
    /// # Errors
    ///
    /// [`WrongPhase`] where it is over already.
    pub fn close(&mut self, _now: Instant, reason: CloseReason) -> Result<(), WrongPhase> {
        self.phase.allow("close", Input::Close)?;
        self.cut(reason);
        Ok(())
    }

    // ---- what the caller must do next ----

    /// The bytes to write now, for one vectored write. Say with
    /// [`transmitted`](Self::transmitted) how many of them were written.
    pub fn poll_transmit(&mut self) -> Transmit<'_> {
        self.output.poll_transmit()
    }

    /// The first `n` bytes of [`poll_transmit`](Self::poll_transmit) were written.
    pub fn transmitted(&mut self, now: Instant, n: usize) {
        if n == 0 {
            return;
        }
        self.output.transmitted(n);
        self.timers.stop(Timer::Stall);
        self.arm_stall(now);
        if self.phase == Phase::Streaming {
            self.arm_keep_alive(now);
        }
    }

    /// The sending side was shut down, as [`ConnectionEvent::EndOutput`] asked.
    pub fn output_ended(&mut self, now: Instant) {
        let is_over = self.phase.after(Input::OutputEnded).is_none();
        if self.news.end_output != EndOutput::Told || is_over {
            return;
        }
        self.news.end_output = EndOutput::Done;
        let linger = now.checked_add(self.config.linger_timeout);
        let drain = self.timers.get(Timer::Drain);
        self.timers
            .set(Timer::Drain, drain.into_iter().chain(linger).min());
        self.check_over();
    }

    /// What happened that the caller should know, oldest first.
    pub fn poll_event(&mut self) -> Option<ConnectionEvent> {
        if let Some(request) = self.news.request.take() {
            return Some(ConnectionEvent::Request(request));
        }
        if self.phase == Phase::Responding && self.input.body_asked {
            // Asked for in the phase before, and so it is complete.
            if let Some(body) = self.body.take() {
                return Some(ConnectionEvent::RequestBody(body.into_bytes()));
            }
        }
        if self.phase == Phase::Draining
            && self.news.end_output == EndOutput::NotYet
            && self.output.is_over()
        {
            self.news.end_output = EndOutput::Told;
            return Some(ConnectionEvent::EndOutput);
        }
        if self.phase == Phase::Closed && !mem::replace(&mut self.news.closed, true) {
            let reason = self.reason.as_deref().unwrap_or(&CloseReason::TaskDropped);
            return Some(ConnectionEvent::Closed(reason.clone()));
        }
        None
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if nothing happens before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    // ---- inside ----

    fn on_request(&mut self, now: Instant, head: RequestHead) {
        if self.begin_responding(now, &head) {
            self.news.request = Some(Box::new(head));
        }
    }

    fn begin_responding(&mut self, now: Instant, head: &RequestHead) -> bool {
        let Some(next) = self.phase.after(Input::Request) else {
            return false;
        };
        self.phase = next;
        self.head = None;
        self.request = RequestFacts::of(head);
        self.input.expected = head.body != BodyLength::None;
        if head.body != BodyLength::None {
            self.body = Some(Box::new(RequestBody::of(head, self.config.body_limit)));
        }
        self.timers.stop(Timer::Head);
        self.arm_respond(now);
        true
    }

    fn on_head_timeout(&mut self, now: Instant) {
        let reason = CloseReason::TimedOut(Timer::Head);
        match &self.head {
            Some(head) if !head.is_empty() => self.refuse(
                now,
                Input::HeadTimeout,
                StatusCode::REQUEST_TIMEOUT,
                "The request head was not complete in time.".into(),
                reason,
            ),
            _ if self.phase.after(Input::SilentTimeout).is_some() => self.cut(reason),
            _ => {}
        }
    }

    fn on_deadline(&mut self, input: Input, timer: Timer) {
        if self.phase.after(input).is_some() {
            self.cut(CloseReason::TimedOut(timer));
        }
    }

    fn on_idle(&mut self, now: Instant) {
        // With bytes still queued it is the stall deadline that counts.
        if self.output.is_empty() {
            // Only an open stream arms this timer, so a comment is allowed.
            let _ = self.comment(now, &Comment::KEEP_ALIVE);
        }
    }

    /// Answers in the application's place.
    fn refuse(
        &mut self,
        now: Instant,
        input: Input,
        status: StatusCode,
        text: String,
        reason: CloseReason,
    ) {
        let Some(next) = self.phase.after(input) else {
            return;
        };
        self.head = None;
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        self.begin_output(now, &status, &headers, Body::Whole((text + "\n").into()));
        self.drain(now, next, reason);
    }

    /// Queues the response's head and, where there is one, the whole body.
    fn begin_output(&mut self, now: Instant, status: &StatusCode, headers: &HeaderMap, body: Body) {
        self.body = None;
        let (framing, delimiting) = self.request.framing(*status, &body);
        let mut head = Vec::new();
        // There is one response, and one head.
        let clock = self.clock.take();
        let date = clock.map_or(SystemTime::UNIX_EPOCH, |clock| clock.date(now));
        encode_response_head(*status, headers, date, framing, &mut head);
        self.output.begin(delimiting, head);
        if let Body::Whole(bytes) = body
            && self.request.may_have_body(*status)
        {
            self.output.put_shared(bytes);
        }
    }

    fn queue(
        &mut self,
        call: &'static str,
        now: Instant,
        put: impl FnOnce(&mut Output),
    ) -> Result<(), SendError> {
        self.phase.allow(call, Input::Send)?;
        if !self.has_room() {
            return Err(SendError::Full);
        }
        put(&mut self.output);
        self.arm_stall(now);
        Ok(())
    }

    /// Nothing more is accepted; delivers what is queued.
    fn drain(&mut self, now: Instant, next: Phase, reason: CloseReason) {
        if self.phase != Phase::Streaming {
            self.output.finish();
        }
        self.phase = next;
        self.reason = Some(Box::new(reason));
        self.timers.stop(Timer::Head);
        self.timers.stop(Timer::Body);
        self.timers.stop(Timer::Respond);
        self.timers.stop(Timer::KeepAlive);
        self.timers.set(Timer::Drain, self.drain_deadline(now));
        self.arm_stall(now);
    }

    /// A time for every 64 KiB of what is queued: a download may be large, but nobody has for ever.
    fn drain_deadline(&self, now: Instant) -> Option<Instant> {
        const SHARE: usize = 64 * 1024;
        let shares = self.output.queued().div_ceil(SHARE).max(1);
        let shares = u32::try_from(shares).unwrap_or(u32::MAX);
        now.checked_add(self.config.drain_timeout.checked_mul(shares)?)
    }

    /// Over, now. What was not transmitted never is.
    fn cut(&mut self, reason: CloseReason) {
        let delivered = self.output.is_over();
        match self.reason.as_deref() {
            // These two promise that everything was delivered.
            Some(CloseReason::StreamEnded | CloseReason::ResponseSent) if delivered => {}
            Some(CloseReason::StreamEnded | CloseReason::ResponseSent) | None => {
                self.reason = Some(Box::new(reason));
            }
            Some(_) => {}
        }
        self.phase = Phase::Closed;
        self.head = None;
        self.body = None;
        self.news.request = None;
        self.output.clear();
        self.timers.stop_all();
    }

    /// After the output: over, as soon as nothing more is to be expected of the peer.
    fn check_over(&mut self) {
        if self.news.end_output == EndOutput::Done
            && (self.input.ended || !self.input.expected)
            && self.phase.after(Input::OutputEnded).is_some()
        {
            self.cut(CloseReason::ClientWentAway);
        }
    }

    fn arm_respond(&mut self, now: Instant) {
        self.timers
            .set(Timer::Respond, now.checked_add(self.config.respond_timeout));
    }

    fn arm_stall(&mut self, now: Instant) {
        if !self.output.is_empty() && self.timers.get(Timer::Stall).is_none() {
            self.timers
                .set(Timer::Stall, now.checked_add(self.config.stall_timeout));
        }
    }

    fn arm_keep_alive(&mut self, now: Instant) {
        const SHORTEST: Duration = Duration::from_millis(10);
        let next = self
            .config
            .keep_alive
            .and_then(|idle| now.checked_add(idle.max(SHORTEST)));
        self.timers.set(Timer::KeepAlive, next);
    }
}

/// Whoever drove the connection is done with it: time for the callbacks.
impl Drop for Connection {
    fn drop(&mut self) {
        let Some(clean_up) = self.clean_up.get() else {
            return;
        };
        let reason = match self.phase {
            Phase::Closed => self.reason.take(),
            _ => None,
        };
        clean_up.run(reason.map_or(CloseReason::TaskDropped, |reason| *reason));
    }
}
