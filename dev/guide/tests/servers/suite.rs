//! The promises that hold in every server.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    sync::atomic::Ordering,
    time::Duration,
};

use sse_tokio::{EventSource, EventSourceError, MessageEvent, Router, client::EventSourceConfig};
use tokio::time::timeout;

use crate::{
    app::{App, PATIENCE},
    run::Running,
};

/// Returns an event source that connects once.
fn once(server: &Running, path: &str) -> EventSource {
    let mut config = EventSourceConfig::default();
    config.reconnection = None;
    source(server, path, config)
}

fn source(server: &Running, path: &str, config: EventSourceConfig) -> EventSource {
    EventSource::with_config(format!("http://{}{path}", server.address), config).unwrap()
}

async fn next(source: &mut EventSource) -> Option<Result<MessageEvent, EventSourceError>> {
    timeout(PATIENCE, source.next())
        .await
        .expect("an event or an end")
}

async fn next_data(source: &mut EventSource) -> String {
    next(source).await.unwrap().unwrap().data().to_owned()
}

/// Returns the response to a request, up to the end of the connection.
async fn ask(server: &Running, method: &str, path: &str) -> String {
    let mut socket = TcpStream::connect(server.address).unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    tokio::task::spawn_blocking(move || {
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    })
    .await
    .unwrap()
}

pub async fn a_client_that_leaves_an_idle_stream_is_cleaned_up<F>(start: impl Fn(Router) -> F)
where
    F: Future<Output = Running>,
{
    let app = App::new();
    let server = start(app.router()).await;
    let mut staying = once(&server, "/idle");
    assert_eq!(next_data(&mut staying).await, "first");
    let mut leaving = once(&server, "/idle");
    assert_eq!(next_data(&mut leaving).await, "first");
    assert_eq!(app.log.lines(), [""; 0]);
    drop(leaving);
    app.log.expect(&["/idle: the client went away"]).await;
    drop(staying);
    app.log.expect(&["/idle: the client went away"; 2]).await;
}

pub async fn a_stream_ends_and_then_clean_up_runs<F>(start: impl Fn(Router) -> F)
where
    F: Future<Output = Running>,
{
    let app = App::new();
    let server = start(app.router()).await;
    let mut events = once(&server, "/end");
    assert_eq!(next_data(&mut events).await, "one");
    assert_eq!(next_data(&mut events).await, "two");
    assert!(next(&mut events).await.is_none());
    app.log.expect(&["/end: the stream ended"]).await;
    // Every byte is there, the last chunk included.
    let answer = ask(&server, "GET", "/end").await;
    assert!(
        answer.ends_with("data: one\n\ndata: two\n\n\r\n0\r\n\r\n"),
        "{answer}"
    );
}

pub async fn a_stream_that_fails_is_broken_off<F>(start: impl Fn(Router) -> F)
where
    F: Future<Output = Running>,
{
    let app = App::new();
    let server = start(app.router()).await;
    let answer = ask(&server, "GET", "/error").await;
    assert!(answer.contains("data: before\n\n"), "{answer}");
    assert!(
        !answer.ends_with("0\r\n\r\n"),
        "the body must not end properly: {answer}"
    );
    app.log
        .expect(&["/error: the stream failed: out of paper"])
        .await;
}

pub async fn a_handler_that_panics_is_a_500_and_a_stream_that_does_is_broken_off<F>(
    start: impl Fn(Router) -> F,
) where
    F: Future<Output = Running>,
{
    let app = App::new();
    let server = start(app.router()).await;
    let answer = ask(&server, "GET", "/panic-at-once").await;
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    app.log
        .expect(&["/panic-at-once: the handler panicked"])
        .await;
    let answer = ask(&server, "GET", "/panic").await;
    assert!(
        answer.contains("data: 0\n\n") && !answer.ends_with("0\r\n\r\n"),
        "{answer}"
    );
    let panicked = [
        "/panic-at-once: the handler panicked",
        "/panic: the handler panicked",
    ];
    app.log.expect(&panicked).await;
}

pub async fn an_idle_stream_sends_comments<F>(start: impl Fn(Router) -> F)
where
    F: Future<Output = Running>,
{
    let app = App::new();
    let server = start(app.router()).await;
    let mut socket = TcpStream::connect(server.address).unwrap();
    socket
        .write_all(b"GET /silent HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let socket = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        while text.matches(":\n").count() < 2 {
            let mut buffer = [0; 1024];
            let n = socket.read(&mut buffer).unwrap();
            assert!(n > 0, "it ended: {text}");
            text += str::from_utf8(&buffer[..n]).unwrap();
        }
        let fields = text.to_ascii_lowercase();
        assert!(
            fields.contains("content-type: text/event-stream\r\n"),
            "{text}"
        );
        assert!(fields.contains("x-accel-buffering: no\r\n"), "{text}");
        socket
    })
    .await
    .unwrap();
    // A client that closed only its sending side counts as gone, too.
    socket.shutdown(Shutdown::Write).unwrap();
    app.log.expect(&["/silent: the client went away"]).await;
}

pub async fn a_client_that_comes_back_resumes<F>(start: impl Fn(Router) -> F)
where
    F: Future<Output = Running>,
{
    let app = App::new();
    let server = start(app.router()).await;
    // Nothing is published before the subscriber is there.
    let mut first = once(&server, "/topic");
    let publishing = async {
        while app.topic.stats().subscribers == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        app.topic.publish("0").unwrap();
    };
    let (seen, ()) = tokio::join!(next(&mut first), publishing);
    let seen = seen.unwrap().unwrap();
    assert_eq!(seen.data(), "0");
    drop(first);
    app.log.expect(&["/topic: the client went away"]).await;
    for n in 1..3 {
        app.topic.publish(n.to_string()).unwrap();
    }

    let mut config = EventSourceConfig::default();
    config.last_event_id = sse_tokio::EventId::new(seen.last_event_id().to_owned()).unwrap();
    let mut again = source(&server, "/topic", config);
    for expected in ["1", "2"] {
        assert_eq!(next_data(&mut again).await, expected);
    }
    app.topic.publish("3").unwrap();
    assert_eq!(next_data(&mut again).await, "3");
}

pub async fn a_client_that_does_not_read_holds_the_stream_back<F>(start: impl Fn(Router) -> F)
where
    F: Future<Output = Running>,
{
    let app = App::new();
    let server = start(app.router()).await;
    let mut socket = TcpStream::connect(server.address).unwrap();
    socket
        .write_all(b"GET /flood HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    let flooded = || app.flooded.load(Ordering::Relaxed);
    // Wait until the handler yields no more: the buffers of the kernel and of the server are full.
    let mut before = 0;
    timeout(PATIENCE, async {
        while flooded() == 0 || flooded() != before {
            before = flooded();
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    })
    .await
    .expect("it goes on without a reader");
    // Once the client reads, the stream continues.
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut buffer = vec![0; 1 << 20];
    let mut reader = socket.try_clone().unwrap();
    tokio::task::spawn_blocking(move || {
        for _ in 0..64 {
            reader.read_exact(&mut buffer).unwrap();
        }
    })
    .await
    .unwrap();
    assert!(flooded() > before);
    drop(socket);
    app.log.expect(&["/flood: the client went away"]).await;
}

pub async fn refusals_and_pages_and_heads_are_what_they_are<F>(start: impl Fn(Router) -> F)
where
    F: Future<Output = Running>,
{
    let app = App::new();
    let server = start(app.router()).await;
    let answer = ask(&server, "GET", "/refused").await;
    assert!(
        answer.starts_with("HTTP/1.1 403 ") && answer.ends_with("\r\n\r\nnot you\n"),
        "{answer}"
    );
    app.log.expect(&["/refused: the response was sent"]).await;
    let answer = ask(&server, "GET", "/page").await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\n<!doctype html>"));
    let answer = ask(&server, "HEAD", "/page").await.to_ascii_lowercase();
    assert!(
        answer.contains("content-length: 15\r\n") && answer.ends_with("\r\n\r\n"),
        "{answer}"
    );
    let answer = ask(&server, "HEAD", "/idle").await.to_ascii_lowercase();
    assert!(
        answer.contains("content-type: text/event-stream\r\n"),
        "{answer}"
    );
    assert!(!answer.contains("content-length: 0"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    let answer = ask(&server, "GET", "/nowhere").await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    let answer = ask(&server, "POST", "/idle").await;
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
}

pub async fn a_shutdown_is_seen_and_then_cuts<F>(start: impl Fn(Router) -> F)
where
    F: Future<Output = Running>,
{
    let app = App::new();
    let server = start(app.router()).await;
    let mut polite = once(&server, "/last-words");
    let mut stubborn = once(&server, "/idle");
    assert_eq!(next_data(&mut polite).await, "first");
    assert_eq!(next_data(&mut stubborn).await, "first");
    (server.begin_shutdown)();
    assert_eq!(next_data(&mut polite).await, "goodbye");
    app.log.expect(&["/last-words: the stream ended"]).await;
    (server.cut)();
    let lines = [
        "/last-words: the stream ended",
        "/idle: the server was shut down",
    ];
    app.log.expect(&lines).await;
}
