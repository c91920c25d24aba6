//! What a failure says to a person, whatever the server put into it.

use std::io;

use sse_core::client::EventSourceConfig;

use crate::harness::Client;

fn message(answer: &str) -> String {
    let mut config = EventSourceConfig::default();
    config.reconnection = None;
    let mut client = Client::new(config);
    client.connect();
    client.receive(answer);
    client.end();
    client.failure.expect("a failure").to_string()
}

#[test]
fn failures_name_what_is_wrong() {
    for (answer, expected) in [
        (
            "HTTP/1.1 404 Nope\r\ncontent-length: 0\r\n\r\n",
            "the server answered 404 Not Found",
        ),
        (
            "HTTP/1.1 500 Oh\r\n\r\n\n \n  no database  \nat line 5",
            "the server answered 500 Internal Server Error: no database",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<html>",
            "the server answered with \"text/html\" instead of \"text/event-stream\": <html>",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            "the server answered without a content type instead of \"text/event-stream\"",
        ),
        (
            "HTTP/1.1 302 Found\r\n\r\n",
            "the server redirected without saying where to",
        ),
        (
            "HTTP/1.1 302 Found\r\nlocation: ftp://a\r\n\r\n",
            "the server redirected to \"ftp://a\", which is not an http or https URL without a user",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: br\r\n\r\n",
            "the server answered with the content coding \"br\", which was not asked for",
        ),
        ("", "the server closed the connection without an answer"),
    ] {
        assert_eq!(message(answer), expected, "{answer}");
    }
    let mut config = EventSourceConfig::default();
    config.reconnection.as_mut().unwrap().max_attempts = Some(1);
    let mut client = Client::new(config);
    client.poll();
    let error = io::Error::other("no such host");
    client.source.handle_transport_error(client.now, &error);
    client.poll();
    assert_eq!(
        client.failure.unwrap().to_string(),
        "gave up after too many attempts; the last: the connection failed: no such host"
    );
}

#[test]
fn what_a_server_sends_cannot_write_to_a_terminal() {
    for answer in [
        "HTTP/1.1 500 Oh\r\n\r\n\x1b[2Jgone\x07\u{85}\u{202e}",
        "HTTP/1.1 200 OK\r\ncontent-type: \u{1b}\u{9b}2J\u{202e}\r\n\r\n\x1b[2J",
        "HTTP/1.1 302 Found\r\nlocation: ftp://\u{202e}\u{9b}2J\r\n\r\n",
    ] {
        let message = message(answer);
        let is_safe = |c: char| !c.is_control() && c != '\u{202e}';
        assert!(message.chars().all(is_safe), "{message:?}");
    }
}

#[test]
fn a_long_line_is_cut() {
    let answer = format!("HTTP/1.1 500 Oh\r\n\r\n{}", "ü".repeat(4000));
    assert!(message(&answer).chars().count() < 300);
}
