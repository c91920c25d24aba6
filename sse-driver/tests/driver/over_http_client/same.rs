//! The same scenarios over a connection and over a client have the same results.

use std::{
    fmt,
    future::pending,
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::poll_fn;
use http_body::{Body, Frame};
use sse_core::{
    client::{Attempt, EventSourceConfig},
    http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header},
};
use sse_driver::{Clock, HttpClient, Runtime, Timer, Transport};

use crate::{
    harness::secs,
    sim::{Sim, SimListener, SimTimer},
    subscriber::{note, source_with},
};

/// A response: its head at once, and each piece of its body after some time.
#[derive(Clone, Copy)]
struct Answer {
    status: u16,
    fields: &'static [(&'static str, &'static str)],
    pieces: &'static [&'static str],
    end: End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Proper,
    Reset,
    /// It stays open.
    None,
}

const BETWEEN_PIECES: Duration = Duration::from_millis(10);

const STREAM: &[(&str, &str)] = &[("content-type", "text/event-stream")];

const fn answer(
    status: u16,
    fields: &'static [(&'static str, &'static str)],
    pieces: &'static [&'static str],
    end: End,
) -> Answer {
    Answer {
        status,
        fields,
        pieces,
        end,
    }
}

/// The responses to one request after the other, the last of which is for all later ones; and the last
/// event.
const SCENARIOS: &[(&str, &[Answer], &str)] = &[
    (
        "a stream that stays open",
        &[answer(
            200,
            STREAM,
            &["id: 1\ndata: a\n\n: c\nretry: 2000\n", "data: b\n\n"],
            End::None,
        )],
        "event: b",
    ),
    (
        "streams that end and break off",
        &[
            answer(
                200,
                STREAM,
                &["id: 1\ndata: a\n\nda", "ta: half"],
                End::Proper,
            ),
            answer(200, STREAM, &["data: b\n", "\n"], End::Reset),
            answer(200, STREAM, &[], End::Reset),
            answer(200, STREAM, &["id: 2\ndata: c\n\n"], End::None),
        ],
        "event: c",
    ),
    (
        "a stream that falls silent",
        &[answer(200, STREAM, &["data: a\n\n"], End::None)],
        "lost: the event stream was silent for too long",
    ),
    (
        "no answer",
        &[
            answer(0, &[], &[], End::Reset),
            answer(204, &[], &[], End::Proper),
        ],
        "over: the server has nothing more to send (204)",
    ),
    (
        "an answer that never comes",
        &[
            answer(0, &[], &[], End::None),
            answer(204, &[], &[], End::Proper),
        ],
        "over: the server has nothing more to send (204)",
    ),
    (
        "redirects, one of them to another origin",
        &[
            answer(307, &[("location", "/there")], &[], End::Proper),
            answer(302, &[("location", "http://other/")], &[], End::Proper),
            answer(200, STREAM, &["data: a\n\n"], End::Proper),
            answer(200, STREAM, &["data: b\n\n"], End::None),
        ],
        "event: b",
    ),
    (
        "redirects without an end",
        &[answer(307, &[("location", "/again")], &[], End::Proper)],
        "lost: the server redirected too many times",
    ),
    (
        "a redirect to nowhere",
        &[answer(302, &[], &[], End::Proper)],
        "failed: the server redirected without saying where to",
    ),
    (
        "a status that is final",
        &[answer(404, &[], &["not ", "here"], End::Proper)],
        "failed: the server answered 404 Not Found: not here",
    ),
    (
        "a busy server",
        &[
            answer(503, &[("retry-after", "100")], &["later"], End::Proper),
            answer(200, STREAM, &["data: a\n\n"], End::None),
        ],
        "event: a",
    ),
    (
        "another content type",
        &[answer(
            200,
            &[("content-type", "application/json")],
            &["{}"],
            End::Reset,
        )],
        "failed: the server answered with \"application/json\" instead of \"text/event-stream\": {}",
    ),
    (
        "a content coding",
        &[answer(
            200,
            &[
                ("content-type", "text/event-stream"),
                ("content-encoding", "br"),
            ],
            &[],
            End::None,
        )],
        "failed: the server answered with the content coding \"br\", which the request did not ask for",
    ),
];

fn configure(config: &mut EventSourceConfig) {
    config.method = Method::POST;
    config.body = "{}".into();
    let secret = HeaderValue::from_static("Bearer secret");
    config.headers.insert(header::AUTHORIZATION, secret);
    config.retry_statuses = vec![StatusCode::SERVICE_UNAVAILABLE];
    config.idle_timeout = Some(secs(100));
    config.head_timeout = secs(5);
    config.connect_timeout = secs(0);
}

/// What happened, and when, in milliseconds.
#[derive(Clone)]
struct Log {
    sim: Sim,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Log {
    fn new(sim: &Sim) -> Self {
        let lines = Arc::default();
        Self {
            sim: sim.clone(),
            lines,
        }
    }

    fn push(&self, line: impl fmt::Display) {
        let line = format!("{} {line}", self.sim.elapsed().as_millis());
        self.lines.lock().unwrap().push(line);
    }

    /// Logs the parts of a request that both ways have.
    fn request(&self, method: &Method, path: &str, headers: &HeaderMap, body: &str) {
        let of_the_connection = ["host", "connection", "content-length"];
        let fields: Vec<_> = headers
            .iter()
            .filter(|(name, _)| !of_the_connection.contains(&name.as_str()))
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        self.push(format_args!("{method} {path} {fields:?} {body}"));
    }
}

/// The responses, one after the other.
#[derive(Clone)]
struct Script {
    answers: &'static [Answer],
    next: Arc<AtomicUsize>,
    log: Log,
}

impl Script {
    fn new(sim: &Sim, answers: &'static [Answer]) -> Self {
        Self {
            answers,
            next: Arc::default(),
            log: Log::new(sim),
        }
    }

    fn next(&self) -> Answer {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        self.answers[next.min(self.answers.len() - 1)]
    }
}

async fn sleep(sim: &Sim, time: Duration) {
    let mut timer = sim.timer(sim.now() + time);
    poll_fn(|cx| timer.poll_elapsed(cx)).await;
}

/// A server that follows the script, over connections.
async fn serve(sim: Sim, listener: SimListener, script: Script) {
    loop {
        let (socket, _) = sim.accept(&listener).await.unwrap();
        let answer = script.next();
        let log = script.log.clone();
        sim.spawn(respond(sim.clone(), socket, answer, log));
    }
}

async fn respond(sim: Sim, mut socket: Box<dyn Transport>, answer: Answer, log: Log) {
    let head = read(&mut socket, |text| text.ends_with("\r\n\r\n")).await;
    let length = note_request(&log, &head);
    // Closing with unread bytes of the request would reset the connection.
    if answer.end != End::Reset {
        read(&mut socket, |text| text.len() == length).await;
    }
    if answer.status != 0 {
        let mut head = format!("HTTP/1.1 {} \r\n", answer.status);
        for (name, value) in answer.fields {
            head += &format!("{name}: {value}\r\n");
        }
        let _ = write(&mut socket, &(head + "\r\n")).await;
    }
    for piece in answer.pieces {
        sleep(&sim, BETWEEN_PIECES).await;
        let _ = write(&mut socket, piece).await;
    }
    match answer.end {
        End::None => pending().await,
        End::Proper | End::Reset => sleep(&sim, BETWEEN_PIECES).await,
    }
}

async fn read(socket: &mut Box<dyn Transport>, is_all: impl Fn(&str) -> bool) -> String {
    let mut text = String::new();
    while !is_all(&text) {
        let mut byte = [0];
        let count = poll_fn(|cx| socket.poll_read(cx, &mut byte)).await;
        assert_eq!(count.unwrap(), 1);
        text.push(byte[0].into());
    }
    text
}

async fn write(socket: &mut Box<dyn Transport>, text: &str) -> io::Result<()> {
    let slices = [IoSlice::new(text.as_bytes())];
    let count = poll_fn(|cx| socket.poll_write_vectored(cx, &slices)).await?;
    assert_eq!(count, text.len());
    poll_fn(|cx| socket.poll_flush(cx)).await
}

/// Logs a request, and returns the length of its body.
fn note_request(log: &Log, head: &str) -> usize {
    let mut lines = head.trim_end().split("\r\n");
    let mut words = lines.next().unwrap().split(' ');
    let method = words.next().unwrap().parse().unwrap();
    let path = words.next().unwrap();
    let mut headers = HeaderMap::new();
    let mut length = 0;
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        if name == "content-length" {
            length = value.parse().unwrap();
        }
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.insert(name, value.parse().unwrap());
    }
    log.request(&method, path, &headers, &"{}"[..length]);
    length
}

/// A client that follows the script.
impl HttpClient for Script {
    type Body = Pieces;
    type Error = io::Error;

    async fn send(&self, request: Request<Bytes>) -> io::Result<Response<Pieces>> {
        let answer = self.next();
        let (head, body) = request.into_parts();
        let body = str::from_utf8(&body).unwrap();
        self.log
            .request(&head.method, head.uri.path(), &head.headers, body);
        if answer.status == 0 {
            return match answer.end {
                End::None => pending().await,
                _ => {
                    sleep(&self.log.sim, BETWEEN_PIECES).await;
                    Err(io::ErrorKind::ConnectionReset.into())
                }
            };
        }
        let sim = &self.log.sim;
        let mut response = Response::new(Pieces {
            pieces: answer.pieces,
            end: answer.end,
            timer: sim.timer(sim.now() + BETWEEN_PIECES),
            sim: sim.clone(),
        });
        *response.status_mut() = StatusCode::from_u16(answer.status).unwrap();
        for (name, value) in answer.fields {
            let value = HeaderValue::from_static(value);
            let name = HeaderName::from_static(name);
            response.headers_mut().append(name, value);
        }
        Ok(response)
    }
}

/// The body of a response.
struct Pieces {
    pieces: &'static [&'static str],
    end: End,
    timer: SimTimer,
    sim: Sim,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.pieces.is_empty() && self.end == End::None
            || self.timer.poll_elapsed(cx).is_pending()
        {
            return Poll::Pending;
        }
        let Some((piece, rest)) = self.pieces.split_first() else {
            return Poll::Ready(match self.end {
                End::Reset => Some(Err(io::ErrorKind::ConnectionReset.into())),
                _ => None,
            });
        };
        self.pieces = rest;
        let next = self.sim.now() + BETWEEN_PIECES;
        self.timer.reset(next);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(piece.as_bytes())))))
    }
}

#[derive(Clone, Copy, Debug)]
enum Way {
    Connection,
    Client,
}

/// Returns the events and requests within an hour, with their times.
fn play(answers: &'static [Answer], way: Way, prepares: bool) -> Vec<String> {
    let sim = Sim::new();
    let script = Script::new(&sim, answers);
    let log = script.log.clone();
    let mut source = source_with(&sim, "/events", configure);
    if prepares {
        source = source.prepare(async |attempt: Attempt| attempt);
    }
    match way {
        Way::Connection => {
            let listener = sim.listen();
            sim.spawn(serve(sim.clone(), listener, script));
        }
        Way::Client => source = source.with_http_client(script),
    }
    let job = sim.start({
        let log = log.clone();
        async move {
            while let Some(update) = source.next_update().await {
                log.push(note(&update));
            }
        }
    });
    sim.advance(secs(200));
    job.cancel();
    sim.settle();
    drop(job);
    log.lines.lock().unwrap().clone()
}

#[test]
fn a_client_and_connections_come_to_the_same() {
    for (name, answers, last) in SCENARIOS {
        for prepares in [false, true] {
            let expected = play(answers, Way::Connection, prepares);
            assert!(
                expected.iter().any(|line| line.ends_with(last)),
                "{name}: {expected:#?}"
            );
            assert_eq!(play(answers, Way::Client, prepares), expected, "{name}");
        }
    }
}
