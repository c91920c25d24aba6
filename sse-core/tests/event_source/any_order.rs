//! Any order of calls is legal, and what is told makes sense in any.

use std::{
    io::ErrorKind::{ConnectionReset, TimedOut},
    time::Duration,
};

use proptest::prelude::*;
use sse_core::{
    EventId,
    client::{EventSourceConfig, Phase},
    http::{HeaderValue, Response, StatusCode},
};

use crate::harness::{CHUNKED, Client, OPEN, field, millis, secs};

#[derive(Clone, Debug)]
enum Call {
    Connected,
    Input(&'static [u8]),
    Eof,
    TransportError,
    /// Time passes, and the machine is told.
    Timeout(Duration),
    /// The machine is told of a moment that lies before.
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
    PollOne,
    Poll,
    Close,
}

const INPUTS: [&[u8]; 20] = [
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

/// What a caller may rely on, checked line by line.
#[derive(Default)]
struct Law {
    /// Whether there is a connection, or one being made.
    connection: bool,
    open: bool,
    closed: bool,
    /// The ID of the event that was told last.
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
            "prepare" => assert!(!self.connection, "there is one already"),
            // What the stream has to say.
            _ => assert!(self.open, "{line:?} while nothing is open"),
        }
        if let Some(event) = line.strip_prefix("message ") {
            let id = event.split('"').nth(1);
            self.last_event_id = id.expect("an ID in quotes").to_owned();
        }
    }

    /// A connection stands: the request goes on where the events left off.
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

/// A response from a foreign HTTP client.
fn response(status: u16) -> Response<()> {
    let response = Response::builder()
        .status(status)
        .header("content-type", "text/event-stream")
        .header("location", "/there");
    response.body(()).unwrap()
}

struct Trial {
    client: Client,
    law: Law,
}

impl Trial {
    fn new(config: EventSourceConfig) -> Self {
        Self {
            client: Client::new(config),
            law: Law::default(),
        }
    }

    fn prepared(config: EventSourceConfig) -> Self {
        Self {
            client: Client::prepared(config),
            law: Law::default(),
        }
    }

    fn call(&mut self, call: &Call) {
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
                assert_eq!(request.is_some(), source.phase() != before);
                if let Some(request) = request {
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
                    let sent = self.client.source.send(self.client.now, attempt);
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
                assert_eq!(source.stop().is_ok(), is_preparing);
            }
            Call::PreparationError => source.handle_preparation_error(*now, "no token"),
            Call::Close => source.close(),
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
            phase != Phase::Closed || !waits,
            "it is over, and still waits"
        );
    }

    /// When everything is told, what was told and the phase are of one mind.
    fn settle(&mut self) {
        self.call(&Call::Poll);
        let phase = self.client.source.phase();
        let law = &self.law;
        assert_eq!(law.closed, phase == Phase::Closed);
        assert_eq!(law.open, phase == Phase::Open);
        assert_eq!(
            law.connection,
            !matches!(phase, Phase::Preparing | Phase::Waiting | Phase::Closed)
        );
        assert!(self.client.source.has_room());
    }
}

fn calls() -> Vec<Call> {
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
        Call::PollOne,
        Call::Poll,
        Call::Close,
    ];
    calls.extend(INPUTS.map(Call::Input));
    calls
}

/// Ways to each phase, some with something left to tell.
fn ways() -> Vec<(Phase, Vec<Call>)> {
    use Call::{Close, Connected, Eof, Input, NextDeadline, Poll, PollOne, Response, TakeRequest};
    let open = || Input(OPEN.as_bytes());
    let (refusal, redirect) = (Input(INPUTS[15]), Input(INPUTS[13]));
    vec![
        (Phase::Connecting, vec![]),
        (Phase::Connecting, vec![Poll]),
        (Phase::Connecting, vec![Poll, Connected, redirect.clone()]),
        (Phase::Connecting, vec![Poll, Connected, redirect, PollOne]),
        (Phase::Connecting, vec![Poll, Eof, NextDeadline]),
        (Phase::Connecting, vec![Poll, Eof, PollOne, NextDeadline]),
        (Phase::Requesting, vec![Poll, Connected]),
        (
            Phase::Requesting,
            vec![Poll, Connected, Input(b"HTTP/1.1 200")],
        ),
        (Phase::Requesting, vec![Poll, TakeRequest]),
        (Phase::Unexpected, vec![Poll, Connected, refusal]),
        (Phase::Unexpected, vec![Poll, TakeRequest, Response(404)]),
        (Phase::Open, vec![Poll, Connected, open()]),
        (Phase::Open, vec![Poll, Connected, open(), Poll]),
        (
            Phase::Open,
            vec![Poll, Connected, open(), Input(INPUTS[6]), PollOne],
        ),
        (
            Phase::Open,
            vec![Poll, Connected, open(), Input(INPUTS[6]), Eof],
        ),
        (Phase::Open, vec![Poll, TakeRequest, Response(200)]),
        (Phase::Waiting, vec![Poll, Eof]),
        (Phase::Waiting, vec![Poll, Eof, PollOne]),
        (Phase::Waiting, vec![Poll, Connected, Eof, Poll]),
        (Phase::Waiting, vec![Poll, Connected, open(), Eof, Poll]),
        (Phase::Closed, vec![Close]),
        (Phase::Closed, vec![Poll, Close]),
        (Phase::Closed, vec![Poll, Connected, open(), Close, Poll]),
        (Phase::Closed, vec![Poll, Connected, Input(INPUTS[12])]),
        (Phase::Closed, vec![Poll, Eof, Close]),
    ]
}

#[test]
fn every_call_is_legal_in_every_phase_and_after_every_other() {
    for (phase, way) in ways() {
        for first in calls() {
            for second in calls() {
                let mut trial = Trial::new(EventSourceConfig::default());
                way.iter().for_each(|call| trial.call(call));
                assert_eq!(trial.client.source.phase(), phase, "{way:?}");
                trial.call(&first);
                trial.call(&second);
                trial.settle();
            }
        }
    }
}

/// Ways of an event source that asks before each attempt.
fn prepared_ways() -> Vec<(Phase, Vec<Call>)> {
    use Call::{Connected, Eof, Input, NextDeadline, Poll, Send, Wait};
    vec![
        (Phase::Preparing, vec![]),
        (Phase::Preparing, vec![Poll]),
        (Phase::Preparing, vec![Poll, Wait(secs(1)), NextDeadline]),
        (
            Phase::Preparing,
            vec![Poll, Send(None), Poll, Eof, Poll, NextDeadline],
        ),
        (Phase::Connecting, vec![Poll, Send(None)]),
        (Phase::Connecting, vec![Poll, Send(Some("3")), Poll]),
        (Phase::Waiting, vec![Poll, Wait(secs(1))]),
        (Phase::Waiting, vec![Poll, Call::PreparationError]),
        (
            Phase::Waiting,
            vec![Poll, Send(None), Poll, Connected, Input(INPUTS[15]), Eof],
        ),
    ]
}

#[test]
fn every_call_is_legal_also_where_attempts_are_prepared() {
    for (phase, way) in prepared_ways() {
        for first in calls() {
            for second in calls() {
                let mut trial = Trial::prepared(EventSourceConfig::default());
                way.iter().for_each(|call| trial.call(call));
                assert_eq!(trial.client.source.phase(), phase, "{way:?}");
                trial.call(&first);
                trial.call(&second);
                trial.settle();
            }
        }
    }
}

#[test]
fn closing_ends_it_from_everywhere() {
    for (phase, way) in ways() {
        let mut trial = Trial::new(EventSourceConfig::default());
        way.iter().for_each(|call| trial.call(call));
        trial.client.source.close();
        assert_eq!(trial.client.source.phase(), Phase::Closed);
        assert!(trial.client.source.poll_transmit().is_empty());
        assert_eq!(trial.client.source.poll_timeout(), None);
        trial.settle();
        if phase != Phase::Closed {
            assert_eq!(trial.client.told().last().unwrap(), "closed Closed");
        }
    }
}

#[test]
fn closing_drops_what_nobody_has_taken() {
    let mut client = Client::open(EventSourceConfig::default());
    client.source.handle_input(client.now, b"data: a\n\n");
    client.source.close();
    assert_eq!(client.told(), ["disconnect", "closed Closed"]);
}

#[test]
fn closing_before_anything_was_asked_for_leaves_nothing_to_disconnect() {
    let mut client = Client::new(EventSourceConfig::default());
    client.source.close();
    assert_eq!(client.told(), ["closed Closed"]);
}

#[test]
fn what_an_old_connection_still_does_makes_no_difference() {
    let stale = |client: &mut Client| {
        let (source, now) = (&mut client.source, client.now);
        source.handle_connected(now);
        source.handle_input(now, OPEN.as_bytes());
        source.handle_input(now, b"id: stale\ndata: stale\n\n");
        source.handle_transmitted(now, 1000);
        source.handle_eof(now);
        source.handle_transport_error(now, ConnectionReset.into());
    };
    // A redirect: the next connection is wanted at once.
    let mut client = Client::new(EventSourceConfig::default());
    client.connect();
    client.told();
    let redirect = b"HTTP/1.1 302 Found\r\nlocation: /there\r\n\r\n";
    client.source.handle_input(client.now, redirect);
    stale(&mut client);
    assert_eq!(client.poll_one().unwrap(), "disconnect");
    stale(&mut client);
    assert_eq!(client.told(), ["disconnect", "connect http example.org 80"]);
    assert!(client.connect().starts_with("GET /there "));

    // A loss: the next connection is wanted after a wait, of which the caller has not been told yet.
    let mut client = Client::open(EventSourceConfig::default());
    client.end();
    let mut silent = Client::open(EventSourceConfig::default());
    silent.source.handle_eof(silent.now);
    silent.poll_one();
    stale(&mut silent);
    assert_eq!(silent.source.phase(), Phase::Waiting);
    silent.now += secs(10);
    silent.source.handle_timeout(silent.now);
    stale(&mut silent);
    assert_eq!(silent.source.phase(), Phase::Connecting);
    silent.poll();
    client.wait();
    assert_eq!(silent.told(), client.told());
    assert!(!silent.connect().contains("stale"));
}

fn config() -> impl Strategy<Value = EventSourceConfig> {
    let attempts = prop::option::of(1..4_u32);
    let idle = prop::option::of((0..3_u64).prop_map(secs));
    (any::<bool>(), attempts, idle, 0..3_u32, 0..30_usize).prop_map(
        |(once, attempts, idle, redirects, size)| {
            let mut config = EventSourceConfig::default();
            if once {
                config.reconnection = None;
            } else {
                config.reconnection.as_mut().unwrap().max_attempts = attempts;
            }
            config.idle_timeout = idle;
            config.max_redirects = redirects;
            config.max_unexpected_body = size;
            config.high_water_mark = size;
            config.retry_statuses = vec![StatusCode::SERVICE_UNAVAILABLE];
            config.body = "body".into();
            config
        },
    )
}

/// Mostly what a caller would do, now and then something else.
fn call() -> impl Strategy<Value = Call> {
    let plausible = prop_oneof![
        4 => Just(Call::Connected),
        6 => prop::sample::select(INPUTS.to_vec()).prop_map(Call::Input),
        2 => Just(Call::Input(OPEN.as_bytes())),
        5 => Just(Call::Poll),
        3 => Just(Call::PollOne),
        2 => Just(Call::NextDeadline),
        1 => (0..5000_u64).prop_map(|time| Call::Timeout(millis(time))),
        1 => (0..300_usize).prop_map(Call::Transmitted),
        1 => Just(Call::TakeRequest),
        1 => prop::sample::select(vec![200, 200, 302, 404, 503]).prop_map(Call::Response),
        1 => Just(Call::Body(b"id: 4\ndata: x\n\n")),
        1 => Just(Call::BodyEnd),
        2 => prop::sample::select(vec![None, None, Some("3"), Some("")]).prop_map(Call::Send),
    ];
    prop_oneof![9 => plausible, 1 => prop::sample::select(calls())]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_told_makes_sense_in_any_order_of_calls(
        config in config(),
        prepares in any::<bool>(),
        calls in prop::collection::vec(call(), 0..80),
    ) {
        let mut trial = match prepares {
            false => Trial::new(config),
            true => Trial::prepared(config),
        };
        for call in &calls {
            trial.call(call);
        }
        trial.settle();
        trial.call(&Call::Close);
        trial.settle();
        prop_assert!(trial.law.closed);
        let ends = trial.client.told();
        let ends = ends.iter().filter(|line| line.starts_with("closed") || line.starts_with("failed"));
        prop_assert_eq!(ends.count(), 1);
    }
}
