//! The texts of failures, whatever the server put into them.

use std::{error::Error, fmt, io};

use sse_core::client::{End, EventSource, EventSourceConfig, InvalidRequest, Loss};

use crate::harness::{CHUNKED, Client};

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
            "the server answered with the content coding \"br\", which the request did not ask for",
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
    client.source.handle_transport_error(client.now, error);
    client.poll();
    assert_eq!(
        client.failure.unwrap().to_string(),
        "gave up; the last loss: cannot connect to example.org:80: no such host"
    );
}

#[test]
fn errors_of_credentials_and_urls_name_the_fault() {
    let mut config = EventSourceConfig::default();
    let errors = [
        config.set_bearer("").unwrap_err(),
        config.set_bearer("secret\n").unwrap_err(),
        config.set_basic("a:b", "").unwrap_err(),
        config.set_basic("a", "\0").unwrap_err(),
    ];
    let says = ["is empty", "at byte 6", "colon", "control character"];
    for (error, says) in errors.iter().zip(says) {
        assert!(error.to_string().contains(says), "{error}");
    }
    for url in ["", "example.org/events", "127.0.0.1:8080/events", "/events"] {
        let error = EventSource::new(url, config.clone(), 7).unwrap_err();
        assert_eq!(
            error.to_string(),
            "this is not an http or https URL: it has no scheme; let it begin with http:// or https://",
            "{url}"
        );
    }
    let error = EventSource::new("http://", config, 7).unwrap_err();
    let text = error.to_string();
    assert!(text.contains(&root(&error).to_string()), "{text}");
    assert!(!root(&error).to_string().is_empty());
}

#[test]
fn an_end_says_which_side_it_came_from() {
    for (end, says) in [
        (End::Closed, "the application closed it"),
        (End::NoContent, "the server has nothing more to send (204)"),
        (End::StreamEnded, "the server ended the event stream"),
    ] {
        assert_eq!(end.to_string(), says);
    }
}

#[test]
fn a_servers_text_cannot_control_a_terminal() {
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

/// An error that a transport may wrap, as TLS does.
#[derive(Debug)]
struct Distrust(&'static str);

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no trust in {}", self.0)
    }
}

impl Error for Distrust {}

/// Returns the last of the sources.
fn root<'e>(error: &'e (dyn Error + 'static)) -> &'e (dyn Error + 'static) {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root
}

#[test]
fn a_failure_keeps_what_caused_it() {
    for max_attempts in [None, Some(1)] {
        let mut config = EventSourceConfig::default();
        match (&mut config.reconnection, max_attempts) {
            (Some(reconnection), Some(_)) => reconnection.max_attempts = max_attempts,
            (reconnection, _) => *reconnection = None,
        }
        let mut client = Client::new(config);
        client.poll();
        let error = io::Error::new(io::ErrorKind::InvalidData, Distrust("a stranger"));
        client.source.handle_transport_error(client.now, error);
        client.poll();

        let failure = client.failure.expect("a failure");
        let expected = ["Lost", "GaveUp"][usize::from(max_attempts.is_some())];
        assert_eq!(failure.name(), expected);
        // The standard library's means find the error of the transport,
        let io_error = root(&failure)
            .downcast_ref::<io::Error>()
            .expect("an io error");
        assert_eq!(io_error.kind(), io::ErrorKind::InvalidData);
        // and so does a search by type, anywhere in the chain.
        assert_eq!(failure.cause::<Loss>().map(Loss::name), Some("Transport"));
        assert!(failure.cause::<io::Error>().is_some());
        let distrust = failure.cause::<Distrust>().expect("what TLS said");
        assert_eq!(distrust.0, "a stranger");
        assert!(failure.cause::<fmt::Error>().is_none());
    }
}

#[test]
fn an_operating_systems_error_keeps_its_number() {
    let mut client = Client::new(EventSourceConfig::default());
    client.poll();
    let refused = io::Error::from_raw_os_error(111);
    client.source.handle_transport_error(client.now, refused);
    let loss = client.lost();
    let error = loss.cause::<io::Error>().expect("an io error");
    assert_eq!(error.raw_os_error(), Some(111));
    let Loss::Transport(transport) = &loss else {
        panic!("{loss:?}")
    };
    assert_eq!(transport.io_error().raw_os_error(), Some(111));
    assert!(transport.source().is_some());
}

#[test]
fn a_broken_answer_names_its_fault() {
    let mut client = Client::new(EventSourceConfig::default());
    client.connect();
    client.source.handle_input(client.now, b"rubbish");
    let loss = client.lost();
    assert_eq!(loss.name(), "BadHead");
    assert!(loss.cause::<sse_core::http::ResponseHeadError>().is_some());
    assert!(loss.cause::<io::Error>().is_none());
}

#[test]
fn a_broken_body_names_its_fault() {
    let mut client = Client::new(EventSourceConfig::default());
    client.connect();
    client.receive(CHUNKED);
    client.source.handle_input(client.now, b"no size\r\n");
    let loss = client.lost();
    assert_eq!(loss.name(), "BadBody");
    let cause = loss.source().expect("a cause").to_string();
    assert!(loss.to_string().ends_with(&cause), "{loss}: {cause}");
}

#[test]
fn an_invalid_url_says_why() {
    let error = EventSource::new("http://", EventSourceConfig::default(), 1).unwrap_err();
    let cause = error.source().expect("a cause").to_string();
    assert!(error.to_string().ends_with(&cause), "{error}: {cause}");
    let long = format!("http://a/{}", "x".repeat(70_000));
    let error = EventSource::new(&long, EventSourceConfig::default(), 1).unwrap_err();
    assert_eq!(error, InvalidRequest::Length);
}
