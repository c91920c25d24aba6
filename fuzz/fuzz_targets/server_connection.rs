//! Calls a server connection in any order: nothing panics, its end is reported once and last, nothing is
//! written after it, the queue is bounded, the request body is the one that was sent and no larger than
//! allowed, and clean-up runs once. The same holds on a socket and inside a foreign server, which gets at
//! most one response, before its body.
#![no_main]

use std::{
    io::ErrorKind,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use sse_core::{
    Comment, Event,
    http::{BodyLength, Request, RequestHead, Response, StatusCode},
    lifecycle::CloseReason,
    server::{Connection, ConnectionConfig, ConnectionEvent, Phase, ResponseBody, SendError},
};

#[derive(Arbitrary, Debug)]
enum Call {
    Request(Head),
    Input(Vec<u8>),
    Eof,
    TransportError(bool),
    Wait(u16),
    WaitForDeadline,
    Respond { stream: bool, status: u16 },
    Send(String),
    Comment(String),
    Finish,
    Abort,
    Close,
    Transmit(u16),
    TakeBody,
    Body(Vec<u8>),
    BodyEnd,
    Poll,
    OutputEnded,
    ReceiveBody,
}

/// Heads that random bytes seldom form.
#[derive(Arbitrary, Debug)]
enum Head {
    Http11,
    Http10,
    WithBody,
    Bodyless,
    Chunked,
    Waiting,
    TooLarge,
}

impl Head {
    fn bytes(&self) -> &'static [u8] {
        match self {
            Self::Http11 => b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            Self::Http10 => b"GET / HTTP/1.0\r\n\r\n",
            Self::WithBody => b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel",
            Self::Chunked => {
                b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nhel\r\n"
            }
            Self::Waiting => {
                b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
            }
            Self::TooLarge => b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 65\r\n\r\nhel",
            Self::Bodyless => b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
        }
    }
}

const BODY_LIMIT: usize = 64;

#[derive(Arbitrary, Debug)]
struct Run {
    /// Inside a foreign server, and not on a socket.
    in_server: bool,
    has_body: bool,
    calls: Vec<Call>,
}

fn connection(run: &Run, now: Instant, config: ConnectionConfig) -> Connection {
    if !run.in_server {
        return Connection::new(now, SystemTime::UNIX_EPOCH, Arc::new(config));
    }
    let mut request = Request::post("/").header("host", "a");
    if run.has_body {
        request = request.header("content-length", "5");
    }
    let request = request.body(()).expect("a proper request");
    let head = RequestHead::new(request).expect("it is checked");
    Connection::for_response(now, Arc::new(config.response), &head)
}

fuzz_target!(|run: Run| {
    let mut config = ConnectionConfig::default();
    config.response.high_water_mark = 256;
    config.response.body_limit = BODY_LIMIT;
    let most = config.response.high_water_mark;
    let mut now = Instant::now();
    let mut connection = connection(&run, now, config);
    let cleaned = Arc::new(AtomicUsize::new(0));
    let counter = cleaned.clone();
    connection.clean_up().add(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    let (mut closed, mut requests, mut largest) = (0, 0, 0);
    // The announced length, once the request is complete.
    let mut announced = None;
    let (mut asked, mut bodies) = (0, 0);

    let mut responses = 0;
    for call in run.calls {
        let before = connection.phase();
        match call {
            Call::Request(head) => connection.handle_input(now, head.bytes()),
            Call::Input(bytes) => connection.handle_input(now, &bytes),
            Call::Eof => connection.handle_eof(now),
            Call::TransportError(stalled) => {
                let kind = match stalled {
                    true => ErrorKind::TimedOut,
                    false => ErrorKind::ConnectionReset,
                };
                connection.handle_transport_error(now, kind.into());
            }
            Call::Wait(millis) => {
                now += Duration::from_millis(millis.into());
                connection.handle_timeout(now);
            }
            Call::WaitForDeadline => {
                if let Some(deadline) = connection.poll_timeout() {
                    now = now.max(deadline);
                    connection.handle_timeout(now);
                    let next = connection.poll_timeout();
                    assert!(next.is_none_or(|next| next > now), "a deadline that stays");
                }
            }
            Call::Respond { stream, status } => {
                let body = match stream {
                    true => ResponseBody::event_stream(),
                    false => ResponseBody::Whole("whole".into()),
                };
                let mut response = Response::new(body);
                *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
                if connection.respond(now, response).is_err() {
                    assert_eq!(connection.phase(), before, "an error changes nothing");
                }
            }
            Call::Send(text) => {
                largest = largest.max(text.len() * 7 + 16);
                let had_room = connection.has_room();
                match connection.send(now, &Event::new(text)) {
                    Ok(()) => assert!(had_room),
                    Err(SendError::Full) => assert!(!had_room && before == Phase::Streaming),
                    Err(_) => assert_ne!(before, Phase::Streaming),
                }
            }
            Call::Comment(text) => {
                largest = largest.max(text.len() * 3 + 16);
                let _ = connection.comment(now, &Comment::new(text));
            }
            Call::Finish => {
                let result = connection.finish(now);
                assert_eq!(result.is_ok(), before == Phase::Streaming);
            }
            Call::Abort => {
                let _ = connection.abort(now, CloseReason::HandlerPanicked);
            }
            Call::Close => {
                let _ = connection.close(now, CloseReason::Shutdown);
                assert_eq!(connection.phase(), Phase::Closed);
            }
            Call::Transmit(n) => {
                let there = connection.poll_transmit().len();
                assert!(there == 0 || connection.phase() != Phase::Closed);
                connection.handle_transmitted(now, usize::from(n).min(there));
            }
            Call::Body(bytes) => connection.handle_body(now, &bytes),
            Call::BodyEnd => connection.handle_body_end(now),
            Call::TakeBody => {
                let queued = connection.queued();
                let taken = connection.take_body(now).map_or(0, |bytes| bytes.len());
                assert!(run.in_server || taken == 0);
                // A part of the first piece may have been transmitted.
                assert!(connection.queued() + taken <= queued);
            }
            Call::Poll => match connection.poll_event(now) {
                Some(ConnectionEvent::Request(head)) => {
                    assert_eq!(bodies, 0, "the request comes first");
                    requests += 1;
                    announced = Some(head.body());
                }
                Some(ConnectionEvent::RequestBody(body)) => {
                    assert_eq!(before, Phase::Responding);
                    assert!(body.len() <= BODY_LIMIT);
                    match announced {
                        Some(BodyLength::None) => assert_eq!(body.len(), 0),
                        Some(BodyLength::Exact(length)) => assert_eq!(body.len() as u64, length),
                        Some(BodyLength::Chunked) => {}
                        None => assert!(run.in_server, "a body without a request"),
                    }
                    bodies += 1;
                }
                Some(ConnectionEvent::Respond(_)) => {
                    assert!(run.in_server);
                    responses += 1;
                }
                Some(ConnectionEvent::Closed(_)) => closed += 1,
                Some(_) | None => {}
            },
            Call::OutputEnded => connection.handle_output_ended(now),
            Call::ReceiveBody => match connection.receive_body(now) {
                Ok(()) => {
                    assert_eq!(before, Phase::Responding);
                    asked += 1;
                }
                Err(error) => assert_eq!((error.phase, connection.phase()), (before, before)),
            },
        }
        assert!(requests <= 1 && responses <= 1 && closed <= 1);
        assert!(asked <= 1 && bodies <= asked);
        if closed == 1 {
            assert!(connection.poll_event(now).is_none(), "told after the end");
            assert!(
                connection.poll_timeout().is_none(),
                "a deadline after the end"
            );
        }
        // The response's head, and one event above the mark.
        assert!(connection.queued() <= most + largest + 1024);
        assert_eq!(
            cleaned.load(Ordering::Relaxed),
            0,
            "the connection is still there"
        );
    }
    drop(connection);
    assert_eq!(cleaned.load(Ordering::Relaxed), 1);
});
