//! The server connection as a state machine: no socket, and time is a number.
#![cfg(feature = "server")]
#![allow(clippy::disallowed_methods)] // an `Instant` has to come from somewhere

mod body;
mod bounds;
mod budget;
mod deadlines;
mod embedded;
mod every_phase;
mod response;
mod streams;

use std::{
    io,
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use sse_core::{
    Comment, Event, EventType, Transmit,
    http::{BodyLength, HeaderValue, Response, StatusCode},
    lifecycle::{CloseReason, Deadline},
    server::{
        Connection, ConnectionConfig, ConnectionEvent, KeepAlive, Phase, RespondError,
        ResponseBody, SendError, StreamOptions, WrongPhase,
    },
};

const POST: &[u8] = b"POST /events HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
const REQUEST: &[u8] = b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n";

/// A connection, its output and its events, on a clock that the test moves.
struct Pump {
    connection: Connection,
    now: Instant,
    start: Instant,
    wire: Vec<u8>,
    said: Vec<&'static str>,
    body_received: Option<Bytes>,
    /// The response of a connection inside a foreign server.
    response: Option<Response<BodyLength>>,
    /// Whether the output had to be broken off.
    broken_off: bool,
    closed: Option<CloseReason>,
    cleaned_up: Arc<Mutex<Vec<CloseReason>>>,
}

impl Pump {
    fn new(config: ConnectionConfig) -> Self {
        let now = Instant::now();
        // Sun, 06 Nov 1994 08:49:37 GMT
        let date = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        Self::around(now, Connection::new(now, date, Arc::new(config)))
    }

    fn around(now: Instant, connection: Connection) -> Self {
        let cleaned_up = Arc::<Mutex<Vec<_>>>::default();
        let log = cleaned_up.clone();
        connection
            .clean_up()
            .add(move |reason| log.lock().unwrap().push(reason.clone()));
        Self {
            connection,
            now,
            start: now,
            wire: Vec::new(),
            said: Vec::new(),
            body_received: None,
            response: None,
            broken_off: false,
            closed: None,
            cleaned_up,
        }
    }

    fn default() -> Self {
        Self::new(ConnectionConfig::default())
    }

    fn streaming(config: ConnectionConfig) -> Self {
        let mut pump = Self::new(config);
        pump.input(REQUEST);
        pump.respond(Response::new(ResponseBody::event_stream()))
            .unwrap();
        pump
    }

    /// Returns a connection in `phase`, reached the usual way, with nothing pending.
    fn in_phase(phase: Phase) -> Self {
        let mut pump = Self::default();
        if phase == Phase::Head {
            return pump;
        }
        pump.input(REQUEST);
        pump.events();
        if phase == Phase::Responding {
            return pump;
        }
        if phase == Phase::Body {
            let mut pump = Self::default();
            pump.input(POST);
            pump.events();
            pump.connection.receive_body(pump.now).unwrap();
            return pump;
        }
        pump.respond(Response::new(ResponseBody::event_stream()))
            .unwrap();
        pump.write();
        if phase == Phase::Streaming {
            return pump;
        }
        pump.send("one").unwrap();
        pump.connection.finish(pump.now).unwrap();
        if phase == Phase::Closed {
            pump.run();
        }
        assert_eq!(pump.connection.phase(), phase);
        pump
    }

    fn input(&mut self, bytes: &[u8]) {
        self.connection.handle_input(self.now, bytes);
    }

    fn respond(&mut self, response: Response<ResponseBody>) -> Result<(), RespondError> {
        self.connection.respond(self.now, response)
    }

    fn send(&mut self, data: &str) -> Result<(), SendError> {
        self.connection.send(self.now, &Event::new(data))
    }

    /// Writes everything, at most `most` bytes at a time.
    fn write_by(&mut self, most: usize) {
        loop {
            let transmit = self.connection.poll_transmit();
            let bytes = bytes(&transmit);
            assert_eq!(transmit.len(), bytes.len());
            assert!(transmit.slices().iter().all(|slice| !slice.is_empty()));
            if bytes.is_empty() {
                return;
            }
            let n = bytes.len().min(most);
            self.wire.extend_from_slice(&bytes[..n]);
            self.connection.handle_transmitted(self.now, n);
        }
    }

    fn write(&mut self) {
        self.write_by(usize::MAX);
    }

    fn events(&mut self) {
        while let Some(event) = self.connection.poll_event(self.now) {
            assert_eq!(self.closed, None, "closed comes last");
            match event {
                ConnectionEvent::Request(_) => self.said.push("request"),
                ConnectionEvent::RequestBody(body) => {
                    self.said.push("body");
                    self.body_received = Some(body);
                }
                ConnectionEvent::Respond(response) => {
                    self.said.push("respond");
                    self.response = Some(*response);
                }
                ConnectionEvent::EndOutput { broken_off } => {
                    self.broken_off = broken_off;
                    self.said.push("end output");
                    self.connection.handle_output_ended(self.now);
                }
                ConnectionEvent::Closed(reason) => self.closed = Some(reason),
                other => panic!("unknown: {other:?}"),
            }
        }
    }

    /// Does everything that has to be done now.
    fn run(&mut self) {
        self.write();
        self.events();
    }

    /// Lets time pass, and does what is due on the way.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(deadline) = self.connection.poll_timeout().filter(|&at| at <= end) {
            assert!(deadline >= self.now, "deadlines do not lie in the past");
            self.now = deadline;
            self.connection.handle_timeout(deadline);
        }
        self.now = end;
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.wire).into_owned()
    }

    fn body(&self) -> String {
        self.text().split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    fn status(&self) -> String {
        self.text().split(' ').nth(1).unwrap_or_default().to_owned()
    }
}

fn bytes(transmit: &Transmit<'_>) -> Vec<u8> {
    let slices = transmit.slices();
    slices
        .iter()
        .flat_map(|slice| slice.iter().copied())
        .collect()
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}
