//! The server connection as a state machine: no socket, and time is a number.
#![cfg(feature = "server")]
#![allow(clippy::disallowed_methods)] // an `Instant` has to come from somewhere

mod body;
mod embedded;

use std::{
    io,
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use sse_core::{
    Comment, Event, Transmit,
    http::{HeaderValue, Response, StatusCode},
    lifecycle::{CloseReason, Timer},
    server::{
        Body, Connection, ConnectionConfig, ConnectionEvent, Phase, RespondError, SendError,
        WrongPhase,
    },
};

const POST: &[u8] = b"POST /events HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
const REQUEST: &[u8] = b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n";

/// A connection, what it wrote and what it said, on a clock that moves when told to.
struct Pump {
    connection: Connection,
    now: Instant,
    start: Instant,
    wire: Vec<u8>,
    said: Vec<&'static str>,
    body_received: Option<Bytes>,
    closed: Option<CloseReason>,
    cleaned_up: Arc<Mutex<Vec<CloseReason>>>,
}

impl Pump {
    fn new(config: ConnectionConfig) -> Self {
        let now = Instant::now();
        // Sun, 06 Nov 1994 08:49:37 GMT
        let date = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let connection = Connection::new(now, date, Arc::new(config));
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
        pump.respond(Response::new(Body::EventStream)).unwrap();
        pump
    }

    /// A connection in `phase`, reached the usual way, with nothing pending.
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
        pump.respond(Response::new(Body::EventStream)).unwrap();
        pump.write();
        if phase == Phase::Streaming {
            return pump;
        }
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

    fn respond(&mut self, response: Response<Body>) -> Result<(), RespondError> {
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
            self.connection.transmitted(self.now, n);
        }
    }

    fn write(&mut self) {
        self.write_by(usize::MAX);
    }

    fn events(&mut self) {
        while let Some(event) = self.connection.poll_event() {
            assert_eq!(self.closed, None, "closed comes last");
            match event {
                ConnectionEvent::Request(_) => self.said.push("request"),
                ConnectionEvent::RequestBody(body) => {
                    self.said.push("body");
                    self.body_received = Some(body);
                }
                ConnectionEvent::EndOutput => {
                    self.said.push("end output");
                    self.connection.output_ended(self.now);
                }
                ConnectionEvent::Closed(reason) => self.closed = Some(reason),
                other => panic!("unknown: {other:?}"),
            }
        }
    }

    /// Does all that is to be done now.
    fn run(&mut self) {
        self.write();
        self.events();
    }

    /// Lets time pass, doing on the way what is due.
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

#[test]
fn an_event_stream_from_head_to_end() {
    let mut pump = Pump::streaming(ConnectionConfig::default());
    assert_eq!(pump.connection.phase(), Phase::Streaming);
    pump.run();
    pump.send("one").unwrap();
    pump.send("two").unwrap();
    pump.run();
    pump.send("three").unwrap();
    pump.connection.finish(pump.now).unwrap();
    pump.run();

    // One flush is one chunk, however many events it carries.
    assert_eq!(
        pump.body(),
        "16\r\ndata: one\n\ndata: two\n\n\r\nd\r\ndata: three\n\n\r\n0\r\n\r\n"
    );
    let text = pump.text().to_lowercase();
    assert!(text.starts_with("http/1.1 200 ok\r\n"), "{text}");
    for field in [
        "content-type: text/event-stream",
        "cache-control: no-cache, no-transform",
        "x-accel-buffering: no",
        "transfer-encoding: chunked",
        "connection: close",
        "date: sun, 06 nov 1994 08:49:37 gmt",
    ] {
        assert_eq!(
            text.matches(&format!("\r\n{field}\r\n")).count(),
            1,
            "{field}"
        );
    }
    assert_eq!(
        text.split("\r\n\r\n").next().unwrap().lines().count(),
        7,
        "{text}"
    );
    assert_eq!(pump.said, ["request", "end output"]);
    assert_eq!(pump.closed, Some(CloseReason::StreamEnded));
    assert_eq!(pump.connection.poll_timeout(), None);
}

#[test]
fn any_size_of_write_gives_the_same_bytes() {
    let whole = {
        let mut pump = Pump::streaming(ConnectionConfig::default());
        pump.send("one\ntwo").unwrap();
        pump.connection.finish(pump.now).unwrap();
        pump.run();
        pump.wire
    };
    for most in 1..whole.len() {
        let mut pump = Pump::streaming(ConnectionConfig::default());
        pump.send("one\ntwo").unwrap();
        pump.connection.finish(pump.now).unwrap();
        pump.write_by(most);
        pump.events();
        assert_eq!(pump.wire, whole, "{most} at a time");
        assert_eq!(pump.closed, Some(CloseReason::StreamEnded));
    }
}

#[test]
fn events_sent_while_a_chunk_is_half_written_come_after_it_whole() {
    for half in 1..20 {
        let mut pump = Pump::streaming(ConnectionConfig::default());
        pump.run();
        pump.wire.clear();
        pump.send("one").unwrap();
        let first = bytes(&pump.connection.poll_transmit());
        let half = half.min(first.len());
        pump.wire.extend_from_slice(&first[..half]);
        pump.connection.transmitted(pump.now, half);
        pump.send("two").unwrap();
        pump.connection.finish(pump.now).unwrap();
        pump.run();
        assert_eq!(
            pump.text(),
            "b\r\ndata: one\n\n\r\nb\r\ndata: two\n\n\r\n0\r\n\r\n",
            "{half} bytes first"
        );
    }
}

#[test]
fn http_1_0_gets_a_body_that_ends_with_the_connection() {
    let mut pump = Pump::default();
    pump.input(b"GET / HTTP/1.0\r\n\r\n");
    pump.respond(Response::new(Body::EventStream)).unwrap();
    pump.send("one").unwrap();
    pump.connection.finish(pump.now).unwrap();
    pump.run();
    assert_eq!(pump.body(), "data: one\n\n");
    assert!(!pump.text().to_lowercase().contains("transfer-encoding"));
    assert_eq!(pump.closed, Some(CloseReason::StreamEnded));
}

#[test]
fn head_gets_the_fields_and_no_body() {
    let mut pump = Pump::default();
    pump.input(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    pump.respond(Response::new(Body::EventStream)).unwrap();
    assert_eq!(pump.connection.phase(), Phase::Draining);
    pump.run();
    assert!(pump.text().contains("content-type: text/event-stream"));
    assert_eq!(pump.body(), "");
    assert_eq!(pump.closed, Some(CloseReason::ResponseSent));

    let mut pump = Pump::default();
    pump.input(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    pump.respond(Response::new(Body::Whole("page".into())))
        .unwrap();
    pump.run();
    assert!(pump.text().contains("content-length: 4\r\n"));
    assert_eq!(pump.body(), "");
}

#[test]
fn a_status_without_a_body_opens_no_stream() {
    for status in [204, 205, 304] {
        let mut response = Response::new(Body::EventStream);
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        let mut pump = Pump::default();
        pump.input(REQUEST);
        pump.respond(response).unwrap();
        pump.run();
        assert_eq!(pump.body(), "", "{status}");
        assert_eq!(pump.closed, Some(CloseReason::ResponseSent));
    }
}

#[test]
fn an_interim_status_is_refused() {
    let mut response = Response::new(Body::EventStream);
    *response.status_mut() = StatusCode::EARLY_HINTS;
    let mut pump = Pump::in_phase(Phase::Responding);
    let error = pump.respond(response).unwrap_err();
    assert_eq!(error, RespondError::InterimStatus(StatusCode::EARLY_HINTS));
    assert_eq!(pump.connection.phase(), Phase::Responding);
}

#[test]
fn a_handlers_own_fields_win_except_over_the_framing() {
    let mut response = Response::new(Body::EventStream);
    for (name, value) in [
        ("cache-control", "no-store"),
        ("set-cookie", "a=1"),
        ("transfer-encoding", "gzip"),
        ("content-length", "7"),
        ("connection", "keep-alive"),
    ] {
        response
            .headers_mut()
            .append(name, HeaderValue::from_static(value));
    }
    let mut pump = Pump::default();
    pump.input(REQUEST);
    pump.respond(response).unwrap();
    pump.run();
    let text = pump.text();
    for field in [
        "cache-control: no-store",
        "set-cookie: a=1",
        "transfer-encoding: chunked",
    ] {
        assert!(
            text.contains(&format!("\r\n{field}\r\n")),
            "{field} in {text}"
        );
    }
    for field in ["no-cache", "gzip", "content-length", "keep-alive"] {
        assert!(!text.contains(field), "{field} in {text}");
    }
}

#[test]
fn bytes_after_the_head_are_not_a_second_request() {
    let mut pump = Pump::default();
    pump.input(&[REQUEST, REQUEST].concat());
    pump.events();
    pump.respond(Response::new(Body::EventStream)).unwrap();
    pump.input(REQUEST);
    pump.run();
    assert_eq!(pump.said, ["request"]);
    assert_eq!(pump.connection.phase(), Phase::Streaming);
}

#[test]
fn a_client_that_goes_away_ends_every_phase_but_draining() {
    for phase in [Phase::Head, Phase::Responding, Phase::Streaming] {
        let mut pump = Pump::in_phase(phase);
        pump.connection.handle_eof(pump.now);
        pump.run();
        assert_eq!(pump.closed, Some(CloseReason::ClientWentAway), "{phase:?}");
        drop(pump.connection);
        assert_eq!(
            *pump.cleaned_up.lock().unwrap(),
            [CloseReason::ClientWentAway]
        );
    }
    // What is queued is delivered to a client that has only closed its sending half.
    let mut pump = Pump::in_phase(Phase::Draining);
    pump.connection.handle_eof(pump.now);
    pump.run();
    assert!(pump.text().ends_with("0\r\n\r\n"));
    assert_eq!(pump.closed, Some(CloseReason::StreamEnded));
}

#[test]
fn a_reset_before_everything_is_delivered_is_the_reason() {
    let mut pump = Pump::in_phase(Phase::Draining);
    pump.connection
        .handle_transport_error(pump.now, io::ErrorKind::ConnectionReset);
    pump.run();
    assert_eq!(pump.closed, Some(CloseReason::ClientWentAway));
}

#[test]
fn a_transport_that_times_out_has_found_a_stall() {
    let mut pump = Pump::in_phase(Phase::Streaming);
    pump.connection
        .handle_transport_error(pump.now, io::ErrorKind::TimedOut);
    pump.run();
    assert_eq!(pump.closed, Some(CloseReason::TimedOut(Timer::Stall)));
}

#[test]
fn a_dropped_connection_says_so_to_clean_up() {
    let pump = Pump::in_phase(Phase::Streaming);
    let log = pump.cleaned_up.clone();
    drop(pump);
    assert_eq!(*log.lock().unwrap(), [CloseReason::TaskDropped]);
}

#[test]
fn an_aborted_stream_delivers_what_is_queued_and_breaks_off() {
    let mut pump = Pump::streaming(ConnectionConfig::default());
    pump.send("one").unwrap();
    let reason = CloseReason::StreamError("no more".into());
    pump.connection.abort(pump.now, reason.clone()).unwrap();
    pump.run();
    assert_eq!(pump.body(), "b\r\ndata: one\n\n\r\n", "and no last chunk");
    assert_eq!(pump.closed, Some(reason));
}

#[test]
fn an_abort_before_the_answer_is_a_500() {
    let mut pump = Pump::in_phase(Phase::Responding);
    pump.connection
        .abort(pump.now, CloseReason::HandlerPanicked)
        .unwrap();
    pump.run();
    assert_eq!(pump.status(), "500");
    assert_eq!(pump.closed, Some(CloseReason::HandlerPanicked));
}

#[test]
fn close_cuts_at_once() {
    let mut pump = Pump::streaming(ConnectionConfig::default());
    pump.send("never seen").unwrap();
    pump.connection
        .close(pump.now, CloseReason::Shutdown)
        .unwrap();
    pump.run();
    assert_eq!(pump.wire, b"");
    assert_eq!(pump.said, ["end output"; 0]);
    assert_eq!(pump.closed, Some(CloseReason::Shutdown));
}

// ---- deadlines ----

#[test]
fn a_silent_connection_is_closed_without_an_answer() {
    let mut pump = Pump::default();
    pump.pass(secs(9));
    assert_eq!(pump.connection.phase(), Phase::Head);
    pump.pass(secs(1));
    pump.run();
    assert_eq!(pump.wire, b"");
    assert_eq!(pump.closed, Some(CloseReason::TimedOut(Timer::Head)));
}

#[test]
fn a_slow_head_is_answered_408_however_it_drips() {
    let mut pump = Pump::default();
    for byte in &REQUEST[..9] {
        pump.input(&[*byte]);
        pump.pass(secs(1));
    }
    assert_eq!(pump.connection.phase(), Phase::Head);
    pump.pass(secs(1));
    pump.run();
    assert_eq!(pump.status(), "408");
    // It may still be sending: the answer is not lost to a reset.
    assert_eq!(pump.closed, None);
    pump.pass(secs(1));
    pump.run();
    assert_eq!(pump.closed, Some(CloseReason::TimedOut(Timer::Head)));
}

#[test]
fn a_handler_that_does_not_answer_is_a_503() {
    let mut pump = Pump::in_phase(Phase::Responding);
    pump.pass(secs(30));
    pump.run();
    assert_eq!(pump.status(), "503");
    assert_eq!(pump.closed, Some(CloseReason::TimedOut(Timer::Respond)));
    assert!(matches!(
        pump.respond(Response::new(Body::EventStream)),
        Err(RespondError::WrongPhase(WrongPhase {
            call: "respond",
            phase: Phase::Closed
        }))
    ));
}

#[test]
fn a_stalled_write_is_cut_and_progress_moves_the_deadline() {
    let mut pump = Pump::streaming(ConnectionConfig::default());
    pump.send("one").unwrap();
    pump.pass(secs(29));
    let _ = pump.connection.poll_transmit();
    pump.connection.transmitted(pump.now, 1);
    // Sending more is no progress.
    pump.pass(secs(29));
    pump.send("two").unwrap();
    assert_eq!(pump.connection.phase(), Phase::Streaming);
    pump.pass(secs(1));
    pump.events();
    assert_eq!(pump.closed, Some(CloseReason::TimedOut(Timer::Stall)));
}

#[test]
fn an_idle_stream_sends_comments_and_a_busy_one_does_not() {
    let mut pump = Pump::streaming(ConnectionConfig::default());
    pump.run();
    pump.wire.clear();
    pump.pass(secs(14));
    pump.send("one").unwrap();
    pump.write();
    pump.pass(secs(14));
    pump.write();
    assert_eq!(pump.text(), "b\r\ndata: one\n\n\r\n");
    pump.wire.clear();
    pump.pass(secs(1));
    pump.write();
    pump.pass(secs(15));
    pump.write();
    assert_eq!(pump.text(), "3\r\n:\n\n\r\n3\r\n:\n\n\r\n");
}

#[test]
fn a_peer_that_vanished_is_found_out_by_its_keep_alive() {
    let mut pump = Pump::streaming(ConnectionConfig::default());
    pump.run();
    pump.pass(secs(15 + 29));
    assert_eq!(pump.connection.phase(), Phase::Streaming);
    assert_eq!(pump.connection.queued(), 3, "one comment, not several");
    pump.pass(secs(1));
    pump.events();
    assert_eq!(pump.closed, Some(CloseReason::TimedOut(Timer::Stall)));
}

#[test]
fn without_keep_alive_an_idle_stream_has_no_deadline() {
    let mut config = ConnectionConfig::default();
    config.keep_alive = None;
    let mut pump = Pump::streaming(config);
    pump.run();
    assert_eq!(pump.connection.poll_timeout(), None);
}

#[test]
fn draining_has_a_deadline_that_progress_does_not_move() {
    let mut pump = Pump::streaming(ConnectionConfig::default());
    pump.send(&"x".repeat(1000)).unwrap();
    pump.connection.finish(pump.now).unwrap();
    while pump.now < pump.start + secs(29) {
        pump.pass(secs(1));
        let _ = pump.connection.poll_transmit();
        pump.connection.transmitted(pump.now, 1);
    }
    assert_eq!(pump.connection.phase(), Phase::Draining);
    pump.pass(secs(1));
    pump.events();
    assert_eq!(pump.closed, Some(CloseReason::TimedOut(Timer::Drain)));
}

#[test]
fn deadlines_beyond_the_end_of_time_are_none() {
    let mut config = ConnectionConfig::default();
    config.head_timeout = Duration::MAX;
    config.keep_alive = Some(Duration::MAX);
    config.stall_timeout = Duration::MAX;
    let mut pump = Pump::new(config);
    assert_eq!(pump.connection.poll_timeout(), None);
    pump.input(REQUEST);
    pump.respond(Response::new(Body::EventStream)).unwrap();
    assert_eq!(pump.connection.poll_timeout(), None);
}

// ---- bounds ----

#[test]
fn at_the_high_water_mark_nothing_more_is_taken() {
    let mut config = ConnectionConfig::default();
    config.high_water_mark = 1000;
    let mut pump = Pump::streaming(config);
    pump.run();
    let mut taken = 0;
    while pump.connection.has_room() {
        pump.send("0123456789").unwrap();
        taken += 1;
    }
    let queued = pump.connection.queued();
    assert!((1000..1000 + 18).contains(&queued), "{queued}");
    assert_eq!(pump.send("more"), Err(SendError::Full));
    let comment = pump.connection.comment(pump.now, &Comment::new("more"));
    assert_eq!(comment, Err(SendError::Full));
    assert_eq!(pump.connection.queued(), queued);
    pump.wire.clear();
    pump.write();
    assert!(pump.connection.has_room());
    assert_eq!(pump.text().matches("data: 0123456789\n\n").count(), taken);
}

#[test]
fn a_refused_client_that_goes_on_sending_is_read_up_to_a_bound() {
    let mut pump = Pump::default();
    pump.input(b"\0 bad\r\n\r\n");
    pump.run();
    assert_eq!(pump.status(), "400");
    assert_eq!(pump.said, ["end output"]);
    pump.input(&[0; 256 * 1024]);
    pump.run();
    assert_eq!(pump.closed, None);
    pump.input(&[0]);
    pump.run();
    assert_eq!(
        pump.closed,
        Some(CloseReason::Refused(StatusCode::BAD_REQUEST))
    );
}

#[test]
fn a_refused_client_that_closes_is_over_at_once() {
    let mut pump = Pump::default();
    pump.input(b"\0 bad\r\n\r\n");
    pump.run();
    pump.connection.handle_eof(pump.now);
    pump.run();
    assert_eq!(
        pump.closed,
        Some(CloseReason::Refused(StatusCode::BAD_REQUEST))
    );
}

#[test]
fn an_answer_may_come_before_the_request() {
    let mut response = Response::new(Body::Whole("busy\n".into()));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let mut pump = Pump::default();
    pump.respond(response).unwrap();
    pump.run();
    assert_eq!(pump.status(), "503");
    pump.input(REQUEST);
    pump.run();
    assert_eq!(pump.said, ["end output"]);
    pump.pass(secs(1));
    pump.run();
    assert_eq!(
        pump.closed,
        Some(CloseReason::Refused(StatusCode::SERVICE_UNAVAILABLE))
    );
}

// ---- every phase with every input ----

/// What follows after an input in each phase, in the order of `PHASES`. `None`: the caller's
/// mistake.
type Row = (
    &'static str,
    fn(&mut Pump) -> Result<(), WrongPhase>,
    [Option<Phase>; 6],
);

const PHASES: [Phase; 6] = [
    Phase::Head,
    Phase::Body,
    Phase::Responding,
    Phase::Streaming,
    Phase::Draining,
    Phase::Closed,
];

#[test]
fn every_phase_with_every_input() {
    use Phase::{Body as BodyPhase, Closed, Draining, Head, Responding, Streaming};

    fn verb(result: Result<(), RespondError>) -> Result<(), WrongPhase> {
        result.map_err(|error| match error {
            RespondError::WrongPhase(error) => error,
            other => panic!("{other}"),
        })
    }
    fn sent(result: Result<(), SendError>) -> Result<(), WrongPhase> {
        result.map_err(|error| match error {
            SendError::WrongPhase(error) => error,
            other => panic!("{other}"),
        })
    }

    let stay = PHASES.map(Some);
    let table: [Row; 16] = [
        (
            "a request",
            |p| {
                p.input(REQUEST);
                Ok(())
            },
            // Where a body is received, it is this.
            [
                Some(Responding),
                Some(Responding),
                Some(Responding),
                Some(Streaming),
                Some(Draining),
                Some(Closed),
            ],
        ),
        (
            "half a body",
            |p| {
                p.input(b"GET");
                Ok(())
            },
            stay,
        ),
        (
            "a body that is asked for",
            |p| p.connection.receive_body(p.now),
            // The request is one without a body.
            [None, None, Some(Responding), None, None, None],
        ),
        (
            "a body that comes too late",
            |p| {
                let late = p.connection.phase() == BodyPhase;
                p.pass(if late { secs(30) } else { secs(0) });
                Ok(())
            },
            [
                Some(Head),
                Some(Draining),
                Some(Responding),
                Some(Streaming),
                Some(Draining),
                Some(Closed),
            ],
        ),
        (
            "half a request",
            |p| {
                p.input(&REQUEST[..4]);
                Ok(())
            },
            stay,
        ),
        (
            "a bad request",
            |p| {
                p.input(b"\0\r\n\r\n");
                Ok(())
            },
            [
                Some(Draining),
                Some(Responding),
                Some(Responding),
                Some(Streaming),
                Some(Draining),
                Some(Closed),
            ],
        ),
        (
            "end of input",
            |p| {
                p.connection.handle_eof(p.now);
                Ok(())
            },
            [
                Some(Closed),
                Some(Closed),
                Some(Closed),
                Some(Closed),
                Some(Draining),
                Some(Closed),
            ],
        ),
        (
            "a reset",
            |p| {
                p.connection
                    .handle_transport_error(p.now, io::ErrorKind::ConnectionReset);
                Ok(())
            },
            [Some(Closed); 6],
        ),
        (
            "no time",
            |p| {
                p.connection.handle_timeout(p.now);
                Ok(())
            },
            stay,
        ),
        (
            "an event stream",
            |p| verb(p.respond(Response::new(Body::EventStream))),
            [None, None, Some(Streaming), None, None, None],
        ),
        (
            "a whole response",
            |p| verb(p.respond(Response::new(Body::Whole("x".into())))),
            [
                Some(Draining),
                Some(Draining),
                Some(Draining),
                None,
                None,
                None,
            ],
        ),
        (
            "an event",
            |p| sent(p.send("x")),
            [None, None, None, Some(Streaming), None, None],
        ),
        (
            "a comment",
            |p| sent(p.connection.comment(p.now, &Comment::KEEP_ALIVE)),
            [None, None, None, Some(Streaming), None, None],
        ),
        (
            "the end",
            |p| p.connection.finish(p.now),
            [None, None, None, Some(Draining), None, None],
        ),
        (
            "an abort",
            |p| p.connection.abort(p.now, CloseReason::HandlerPanicked),
            [
                None,
                Some(Draining),
                Some(Draining),
                Some(Draining),
                None,
                None,
            ],
        ),
        (
            "a close",
            |p| p.connection.close(p.now, CloseReason::Shutdown),
            [
                Some(Closed),
                Some(Closed),
                Some(Closed),
                Some(Closed),
                Some(Closed),
                None,
            ],
        ),
    ];
    assert_eq!(Head, PHASES[0]);

    for (name, call, expected) in table {
        for (phase, expected) in PHASES.into_iter().zip(expected) {
            let mut pump = Pump::in_phase(phase);
            let queued = pump.connection.queued();
            match (call(&mut pump), expected) {
                (Ok(()), Some(next)) => {
                    assert_eq!(pump.connection.phase(), next, "{name} in {phase:?}")
                }
                (Err(error), None) => {
                    assert_eq!(error.phase, phase);
                    assert_eq!(pump.connection.phase(), phase);
                    assert_eq!(pump.connection.queued(), queued, "nothing was changed");
                }
                (result, _) => panic!("{name} in {phase:?}: {result:?}"),
            }
            // Whatever it was, the connection ends, says so once, and cleans up once.
            pump.run();
            pump.pass(secs(100));
            pump.run();
            pump.connection.handle_eof(pump.now);
            pump.run();
            assert_eq!(pump.connection.phase(), Closed, "{name} in {phase:?}");
            assert!(pump.closed.is_some(), "{name} in {phase:?}");
            assert!(pump.connection.poll_event().is_none());
            let (reason, log) = (pump.closed.take().unwrap(), pump.cleaned_up.clone());
            drop(pump);
            assert_eq!(*log.lock().unwrap(), [reason], "{name} in {phase:?}");
        }
    }
}
