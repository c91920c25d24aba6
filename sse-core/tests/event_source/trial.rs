//! A caller that may call anything at any time, and the guarantees that it has nevertheless.

use std::{io::ErrorKind::TimedOut, time::Duration};

use sse_core::{
    EventId,
    client::{EventSourceConfig, Phase, WrongPhase},
    http::{HeaderValue, Response},
};

use crate::harness::{CHUNKED, Client, OPEN, field, secs};

#[derive(Clone, Debug)]
pub(crate) enum Call {
    Connected,
    Input(&'static [u8]),
    Eof,
    TransportError,
    /// Time passes, and the machine gets it.
    Timeout(Duration),
    /// The machine gets an earlier moment.
    EarlierTimeout,
    /// Time passes up to the next deadline.
    NextDeadline,
    Transmitted(usize),
    /// The request goes to a foreign HTTP client.
    TakeRequest,
    Response(u16),
    Body(&'static [u8]),
    BodyEnd,
    /// The attempt that is being prepared is made, with this ID or with its own.
    Send(Option<&'static str>),
    Wait(Duration),
    Stop,
    PreparationError,
    Reconnect,
    Pause,
    Resume,
    /// The caller takes received events without passing the time.
    Received,
    PollOne,
    Poll,
    Close,
}

pub(crate) const INPUTS: [&[u8]; 20] = [
    b"",
    b"H",
    OPEN.as_bytes(),
    CHUNKED.as_bytes(),
    b"d\r\ndata: hello\n\n\r\n",
    b"0\r\n\r\n",
    b"id: 1\nretry: 5\ndata: hello\n\n: comment\n",
    b"data: half",
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: hello\n\n",
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\nno",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nlocation: /there\r\n\r\n",
    b"HTTP/1.1 302 Found\r\n\r\n",
    b"HTTP/1.1 404 Not Found\r\ncontent-length: 20\r\n\r\nno",
    b"HTTP/1.1 503 Later\r\nretry-after: 10\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    b"\0\xff\r\n\r\n",
];

/// The guarantees for a caller, checked line by line.
#[derive(Default)]
pub(crate) struct Law {
    /// Whether there is a connection, or one being made.
    connection: bool,
    open: bool,
    pub(crate) closed: bool,
    /// The ID of the last event.
    last_event_id: String,
}

impl Law {
    fn check(&mut self, line: &str) {
        assert!(!self.closed, "{line:?} is told after the end");
        let kind = line.split([' ', ':']).next().unwrap();
        match kind {
            "connect" => {
                assert!(
                    !self.connection,
                    "a connection before the last one was given up"
                );
                self.connection = true;
            }
            "disconnect" => {
                assert!(self.connection, "there is nothing to disconnect");
                self.connection = false;
                self.open = false;
            }
            "open" => {
                assert!(self.connection && !self.open, "{line:?} out of place");
                self.open = true;
            }
            "lost" => assert!(!self.connection, "a connection that was lost stands"),
            "closed" | "failed" => {
                assert!(!self.connection, "a connection is left behind");
                self.closed = true;
            }
            "paused" => assert!(!self.connection, "a connection is left behind"),
            "prepare" => assert!(!self.connection, "there is one already"),
            // These are the contents of the stream.
            _ => assert!(self.open, "{line:?} while nothing is open"),
        }
        if let Some(event) = line.strip_prefix("message ") {
            let id = event.split('"').nth(1);
            self.last_event_id = id.expect("an ID in quotes").to_owned();
        }
    }

    /// Checks the request of a new connection: it resumes after the last event.
    fn check_request(&self, request: &[u8]) {
        let request = String::from_utf8_lossy(request);
        let id = field(&request, "last-event-id");
        assert_eq!(id.unwrap_or_default(), self.last_event_id);
    }

    fn check_id(&self, id: Option<&HeaderValue>) {
        let id = id.map(HeaderValue::as_bytes).unwrap_or_default();
        assert_eq!(id, self.last_event_id.as_bytes());
    }
}

/// Checks that control is refused only when the subscription is over.
fn check_control(result: Result<(), WrongPhase>, phase: Phase) {
    assert_eq!(result.is_err(), phase == Phase::Closed);
}

/// A response from a foreign HTTP client.
fn response(status: u16) -> Response<()> {
    let response = Response::builder()
        .status(status)
        .header("content-type", "text/event-stream")
        .header("location", "/there");
    response.body(()).unwrap()
}

pub(crate) struct Trial {
    pub(crate) client: Client,
    pub(crate) law: Law,
}

impl Trial {
    pub(crate) fn new(config: EventSourceConfig) -> Self {
        Self {
            client: Client::new(config),
            law: Law::default(),
        }
    }

    pub(crate) fn prepared(config: EventSourceConfig) -> Self {
        Self {
            client: Client::prepared(config),
            law: Law::default(),
        }
    }

    pub(crate) fn call(&mut self, call: &Call) {
        let Client { source, now, .. } = &mut self.client;
        match *call {
            Call::Connected => {
                let before = source.phase();
                source.handle_connected(*now);
                if source.phase() != before {
                    self.law.check_request(&self.client.unsent());
                }
            }
            Call::Input(bytes) => source.handle_input(*now, bytes),
            Call::Eof => source.handle_eof(*now),
            Call::TransportError => source.handle_transport_error(*now, TimedOut.into()),
            Call::Timeout(time) => {
                *now += time;
                source.handle_timeout(*now);
            }
            Call::EarlierTimeout => {
                let (before, deadline) = (source.phase(), source.poll_timeout());
                if let Some(deadline) = deadline {
                    source.handle_timeout(deadline - Duration::from_nanos(1));
                }
                assert_eq!((source.phase(), source.poll_timeout()), (before, deadline));
            }
            Call::NextDeadline => {
                if let Some(deadline) = source.poll_timeout() {
                    *now = deadline.max(*now);
                    source.handle_timeout(*now);
                }
            }
            Call::Transmitted(n) => source.handle_transmitted(*now, n),
            Call::TakeRequest => {
                let before = source.phase();
                let request = source.take_request(*now);
                assert_eq!(request.is_ok(), source.phase() != before);
                if let Ok(request) = request {
                    self.law.check_id(request.headers().get("last-event-id"));
                }
            }
            Call::Response(status) => source.handle_response(*now, response(status)),
            Call::Body(bytes) => source.handle_body(*now, bytes),
            Call::BodyEnd => source.handle_body_end(*now),
            Call::Send(id) => {
                let attempt = self.client.attempt.take();
                if let Some(mut attempt) = attempt {
                    if let Some(id) = id {
                        attempt.last_event_id = EventId::new(id).unwrap();
                    }
                    let is_preparing = self.client.source.phase() == Phase::Preparing;
                    let sent = self.client.source.attempt(self.client.now, attempt);
                    assert_eq!(sent.is_ok(), is_preparing);
                    if let (Ok(()), Some(id)) = (sent, id) {
                        self.law.last_event_id = id.to_owned();
                    }
                }
            }
            Call::Wait(time) => {
                let is_preparing = source.phase() == Phase::Preparing;
                assert_eq!(source.wait(*now, time).is_ok(), is_preparing);
            }
            Call::Stop => {
                let is_preparing = source.phase() == Phase::Preparing;
                assert_eq!(source.stop(*now).is_ok(), is_preparing);
            }
            Call::Reconnect => check_control(source.reconnect(*now), source.phase()),
            Call::Pause => check_control(source.pause(*now), source.phase()),
            Call::Resume => check_control(source.resume(*now), source.phase()),
            Call::PreparationError => source.handle_preparation_error(*now, "no token"),
            Call::Close => {
                let is_over = source.phase() == Phase::Closed;
                assert_eq!(source.close(*now).is_err(), is_over);
            }
            Call::Received => {
                let line = self.client.take_received();
                if let Some(line) = line {
                    self.law.check(&line);
                }
            }
            Call::PollOne => {
                self.poll_one();
            }
            Call::Poll => while self.poll_one() {},
        }
        self.check();
    }

    fn poll_one(&mut self) -> bool {
        let line = self.client.poll_one();
        if let Some(line) = &line {
            self.law.check(line);
        }
        line.is_some()
    }

    fn check(&mut self) {
        let source = &mut self.client.source;
        let phase = source.phase();
        let connected = matches!(phase, Phase::Requesting | Phase::Unexpected | Phase::Open);
        assert!(connected || source.poll_transmit().is_empty(), "{phase:?}");
        let waits = source.poll_timeout().is_some();
        assert!(phase != Phase::Waiting || waits, "it would wait for ever");
        assert!(
            !matches!(phase, Phase::Paused | Phase::Closed) || !waits,
            "it is over or paused, and still waits"
        );
    }

    /// Checks that the phase matches the events, once all of them are taken.
    pub(crate) fn settle(&mut self) {
        self.call(&Call::Poll);
        let phase = self.client.source.phase();
        let law = &self.law;
        assert_eq!(law.closed, phase == Phase::Closed);
        assert_eq!(law.open, phase == Phase::Open);
        assert_eq!(
            law.connection,
            !matches!(
                phase,
                Phase::Preparing | Phase::Waiting | Phase::Paused | Phase::Closed
            )
        );
        assert!(self.client.source.has_room());
    }
}

pub(crate) fn calls() -> Vec<Call> {
    let mut calls = vec![
        Call::Connected,
        Call::Eof,
        Call::TransportError,
        Call::Timeout(Duration::ZERO),
        Call::Timeout(secs(1000)),
        Call::EarlierTimeout,
        Call::NextDeadline,
        Call::Transmitted(0),
        Call::Transmitted(1),
        Call::Transmitted(usize::MAX),
        Call::TakeRequest,
        Call::Response(103),
        Call::Response(200),
        Call::Response(302),
        Call::Response(404),
        Call::Body(b"id: 2\ndata: x\n\n"),
        Call::BodyEnd,
        Call::Send(None),
        Call::Send(Some("3")),
        Call::Wait(secs(5)),
        Call::Stop,
        Call::PreparationError,
        Call::Reconnect,
        Call::Pause,
        Call::Resume,
        Call::Received,
        Call::PollOne,
        Call::Poll,
        Call::Close,
    ];
    calls.extend(INPUTS.map(Call::Input));
    calls
}
