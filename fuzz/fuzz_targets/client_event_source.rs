//! Calls an event source in any order: nothing panics, its end is reported once and last, connections
//! come one after the other, no wait is shorter than the floor, each request carries the last event ID if
//! a header field can, and only an event changes the ID.
#![no_main]

use std::{
    io::{self, ErrorKind},
    time::{Duration, Instant},
};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use sse_core::{
    client::{ClientEvent, EventSource, EventSourceConfig, Loss, Phase},
    http::Response,
};

#[derive(Arbitrary, Debug)]
struct Input {
    once: bool,
    max_attempts: Option<u8>,
    seed: u64,
    calls: Vec<Call>,
}

/// The seeds name these by their numbers: new ones go to the end.
#[derive(Arbitrary, Debug)]
enum Call {
    Connected,
    Answer(Answer),
    Input(Vec<u8>),
    Events(String),
    Eof,
    TransportError,
    Wait(u16),
    WaitForDeadline,
    Transmit(u16),
    Poll,
    PollAll,
    Close,
    /// With this ID.
    WholeEvent(u8),
    /// A foreign HTTP client gets the request, and has these.
    TakeRequest,
    Response(u16),
    Body(String),
    BodyEnd,
    /// From now on each attempt is prepared first.
    Prepare,
    /// With this ID, or with the one that it has.
    Send(Option<u8>),
    PutOff(u16),
    Stop,
    PreparationError,
    Reconnect,
    Pause,
    Resume,
    /// Input, without the time.
    PollReceived,
    /// The same, of events alone.
    PollReceivedEvent,
    /// Input in a buffer that is lent, with so many bytes behind it, and the buffer back at some time.
    LentInput(Vec<u8>, u8),
    TakeBuffer,
}

/// Heads that random bytes seldom form.
#[derive(Arbitrary, Debug)]
enum Answer {
    Open,
    OpenChunked,
    NoContent,
    Elsewhere,
    Refused,
    Interim,
}

impl Answer {
    fn bytes(&self) -> &'static [u8] {
        match self {
            Self::Open => b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n",
            Self::OpenChunked => {
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
                  Transfer-Encoding: chunked\r\n\r\n"
            }
            Self::NoContent => b"HTTP/1.1 204 No Content\r\n\r\n",
            Self::Elsewhere => b"HTTP/1.1 302 Found\r\nLocation: /there\r\n\r\n",
            Self::Refused => b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno",
            Self::Interim => b"HTTP/1.1 103 Early Hints\r\n\r\n",
        }
    }
}

/// The guarantees of an event source, checked after each call.
struct Laws {
    connected: bool,
    closed: bool,
    floor: Option<Duration>,
    /// The time of the last connection attempt, and whether the connection was lost.
    connected_at: Option<Instant>,
    lost: bool,
}

impl Laws {
    fn check(&mut self, event: &ClientEvent, now: Instant) {
        assert!(!self.closed, "told after the end: {event:?}");
        match event {
            ClientEvent::Prepare(_) => assert!(!self.connected, "there is a connection"),
            ClientEvent::Connect(_) => {
                assert!(!self.connected, "a second connection");
                if let (true, Some(before), Some(floor)) =
                    (self.lost, self.connected_at, self.floor)
                {
                    assert!(now >= before + floor, "too soon");
                }
                (self.connected_at, self.lost) = (Some(now), false);
                self.connected = true;
            }
            ClientEvent::Disconnect => {
                assert!(self.connected, "nothing to disconnect");
                self.connected = false;
            }
            ClientEvent::Lost { loss, wait } => {
                assert!(!self.connected, "lost, but not disconnected");
                let floor = self.floor.expect("nothing is lost that is made once");
                assert!(*wait >= floor || matches!(loss, Loss::Replaced), "{wait:?}");
                self.lost = true;
            }
            ClientEvent::Paused => {
                assert!(!self.connected, "paused, but not disconnected");
                self.lost = true;
            }
            ClientEvent::Closed(_) => {
                assert!(!self.connected, "over, but not disconnected");
                self.closed = true;
            }
            _ => assert!(self.connected, "received without a connection"),
        }
    }
}

/// The last event ID in the request that is to be written; nothing where there is none.
fn last_event_id_sent(source: &mut EventSource) -> Vec<u8> {
    const NAME: &[u8] = b"last-event-id: ";
    let transmit = source.poll_transmit();
    let request: Vec<u8> = transmit
        .slices()
        .iter()
        .flat_map(|part| part.to_vec())
        .collect();
    let mut lines = request.split(|byte| *byte == b'\n');
    let value = lines.find_map(|line| line.strip_prefix(NAME)?.strip_suffix(b"\r"));
    value.unwrap_or_default().to_vec()
}

fn can_be_sent(id: &[u8]) -> bool {
    id.iter().all(|b| *b == b'\t' || !b.is_ascii_control())
}

/// A response from a foreign HTTP client.
fn response(status: u16) -> Option<Response<()>> {
    let response = Response::builder()
        .status(status)
        .header("content-type", "text/event-stream")
        .header("location", "/there");
    response.body(()).ok()
}

fuzz_target!(|input: Input| {
    let mut config = EventSourceConfig::default();
    match &mut config.reconnection {
        Some(reconnection) if !input.once => {
            reconnection.max_attempts = input.max_attempts.map(u32::from);
        }
        reconnection => *reconnection = None,
    }
    config.idle_timeout = Some(Duration::from_secs(20));
    let mut laws = Laws {
        connected: false,
        closed: false,
        floor: config.reconnection.as_ref().map(|settings| settings.floor),
        connected_at: None,
        lost: false,
    };
    let mut now = Instant::now();
    let mut source = EventSource::new("http://a/", config, input.seed).expect("a good URL");
    let mut attempt = None;

    for call in input.calls {
        let (phase, id) = (source.phase(), source.last_event_id().to_string());
        let is_connected = matches!(call, Call::Connected);
        let may_change_id = matches!(
            call,
            Call::Poll
                | Call::PollAll
                | Call::PollReceived
                | Call::PollReceivedEvent
                | Call::Send(Some(_))
        );
        match call {
            Call::Connected => source.handle_connected(now),
            Call::Answer(answer) => source.handle_input(now, answer.bytes()),
            Call::Input(bytes) => source.handle_input(now, &bytes),
            Call::Events(text) => source.handle_input(now, text.as_bytes()),
            Call::LentInput(bytes, behind) => {
                let n = bytes.len();
                let mut buffer = bytes;
                buffer.resize(n + usize::from(behind), b'x');
                source.handle_input_in(now, buffer, n);
            }
            Call::TakeBuffer => drop(source.take_buffer()),
            Call::WholeEvent(id) => {
                let event = format!("id: {id}\ndata: x\n\n");
                source.handle_input(now, event.as_bytes());
            }
            Call::Eof => source.handle_eof(now),
            Call::TransportError => {
                let error = io::Error::from(ErrorKind::ConnectionReset);
                source.handle_transport_error(now, error);
            }
            Call::Wait(millis) => {
                now += Duration::from_millis(millis.into());
                source.handle_timeout(now);
            }
            Call::WaitForDeadline => {
                if let Some(deadline) = source.poll_timeout() {
                    now = now.max(deadline);
                    source.handle_timeout(now);
                    let next = source.poll_timeout();
                    assert!(next.is_none_or(|next| next > now), "a deadline that stays");
                }
            }
            Call::Transmit(n) => {
                let there = source.poll_transmit().len();
                source.handle_transmitted(now, usize::from(n).min(there));
            }
            Call::Poll => {
                if let Some(event) = source.poll_event(now) {
                    laws.check(&event, now);
                    if let ClientEvent::Prepare(prepared) = event {
                        attempt = Some(prepared);
                    }
                }
            }
            Call::PollAll => {
                while let Some(event) = source.poll_event(now) {
                    laws.check(&event, now);
                    if let ClientEvent::Prepare(prepared) = event {
                        attempt = Some(prepared);
                    }
                }
            }
            Call::TakeRequest => {
                if let Ok(request) = source.take_request(now) {
                    assert_eq!(phase, Phase::Connecting);
                    let sent = request.headers().get("last-event-id");
                    let sent = sent.map(|id| id.as_bytes()).unwrap_or_default();
                    assert!(sent == id.as_bytes() || !can_be_sent(id.as_bytes()));
                }
            }
            Call::Response(status) => {
                if let Some(response) = response(status) {
                    source.handle_response(now, response);
                }
            }
            Call::Body(text) => source.handle_body(now, text.as_bytes()),
            Call::BodyEnd => source.handle_body_end(now),
            Call::Prepare => source = source.with_preparation(),
            Call::Send(id) => {
                if let Some(mut attempt) = attempt.take() {
                    if let Some(id) = id {
                        attempt.last_event_id = id.into();
                    }
                    let sent = source.attempt(now, *attempt);
                    assert_eq!(sent.is_ok(), phase == Phase::Preparing);
                }
            }
            Call::PutOff(millis) => {
                let put_off = source.wait(now, Duration::from_millis(millis.into()));
                assert_eq!(put_off.is_ok(), phase == Phase::Preparing);
            }
            Call::Stop => assert_eq!(source.stop(now).is_ok(), phase == Phase::Preparing),
            Call::Reconnect => assert_eq!(source.reconnect(now).is_ok(), phase != Phase::Closed),
            Call::Pause => assert_eq!(source.pause(now).is_ok(), phase != Phase::Closed),
            Call::Resume => assert_eq!(source.resume(now).is_ok(), phase != Phase::Closed),
            Call::PollReceived => {
                if let Some(event) = source.poll_received() {
                    laws.check(&event, now);
                }
            }
            Call::PollReceivedEvent => {
                let event = match source.poll_received_event() {
                    Ok(event) => event.map(ClientEvent::Event),
                    Err(error) => Some(ClientEvent::Discarded(error)),
                };
                if let Some(event) = event {
                    laws.check(&event, now);
                }
            }
            Call::PreparationError => source.handle_preparation_error(now, "no token"),
            Call::Close => {
                let closed = source.close(now);
                assert_eq!(closed.is_ok(), phase != Phase::Closed);
                assert_eq!(source.phase(), Phase::Closed);
            }
        }
        assert!(may_change_id || source.last_event_id() == *id, "forgotten");
        if is_connected && phase == Phase::Connecting && source.phase() == Phase::Requesting {
            let sent = last_event_id_sent(&mut source);
            assert!(can_be_sent(&sent), "a strict server refuses it");
            assert!(sent == id.as_bytes() || !can_be_sent(id.as_bytes()));
        }
    }
    // An error if the source is closed already.
    let _ = source.close(now);
    while let Some(event) = source.poll_event(now) {
        laws.check(&event, now);
    }
    assert!(laws.closed, "the end is always told");
});
