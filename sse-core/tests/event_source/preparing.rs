//! The application may change each request before it is sent.

use std::io::ErrorKind::ConnectionRefused;

use sse_core::{
    EventId,
    client::{AttemptError, EventSource, EventSourceConfig, InvalidRequest, Phase},
    http::{HeaderValue, Method, header},
};

use crate::harness::{Client, OPEN, body, field, request_line, secs};

/// Lets the attempt be changed, makes it, and gives the request.
fn send(client: &mut Client, change: impl FnOnce(&mut sse_core::client::Attempt)) -> String {
    client.poll();
    let mut attempt = client.attempt.take().expect("an attempt is being prepared");
    change(&mut attempt);
    client.source.send(client.now, attempt).unwrap();
    client.connect()
}

#[test]
fn without_preparation_nobody_is_asked() {
    let mut client = Client::new(EventSourceConfig::default());
    assert_eq!(client.source.phase(), Phase::Connecting);
    assert_eq!(client.told(), ["connect http example.org 80"]);
}

#[test]
fn an_attempt_that_is_not_changed_is_the_request_as_it_would_be() {
    let mut config = EventSourceConfig::default();
    config.method = Method::POST;
    config.body = "x".into();
    config.last_event_id = Some(EventId::from(7));
    for agent in ["mine", ""] {
        let agent = HeaderValue::from_static(agent);
        config.headers.insert(header::USER_AGENT, agent);
        let mut client = Client::prepared(config.clone());
        assert_eq!(client.source.phase(), Phase::Preparing);
        let request = send(&mut client, |_| ());
        assert_eq!(request, Client::new(config.clone()).connect());
        assert_eq!(client.told(), ["prepare 1", "connect http example.org 80"]);
    }
}

#[test]
fn everything_of_a_request_can_be_changed_and_stays_changed() {
    let mut client = Client::prepared(EventSourceConfig::default());
    let request = send(&mut client, |attempt| {
        attempt.url = "https://other.example/there?x#part".into();
        attempt.method = Method::POST;
        attempt.body = "body".into();
        let token = HeaderValue::from_static("Bearer 1");
        attempt.headers.insert(header::AUTHORIZATION, token);
        // These are not the application's.
        attempt
            .headers
            .insert(header::HOST, HeaderValue::from_static("evil"));
        attempt.last_event_id = EventId::new("9").unwrap();
    });
    assert_eq!(
        client.told().last().unwrap(),
        "connect https other.example 443"
    );
    assert_eq!(request_line(&request), "POST /there?x HTTP/1.1");
    assert_eq!(field(&request, "host"), Some("other.example"));
    assert_eq!(field(&request, "authorization"), Some("Bearer 1"));
    assert_eq!(field(&request, "last-event-id"), Some("9"));
    assert_eq!(body(&request), "body");
    assert_eq!(client.source.url(), "https://other.example/there?x#part");

    client.end();
    client.wait();
    let again = send(&mut client, |attempt| {
        assert_eq!(attempt.number, 2);
        let token = HeaderValue::from_static("Bearer 2");
        attempt.headers.insert(header::AUTHORIZATION, token);
    });
    assert_eq!(again, request.replace("Bearer 1", "Bearer 2"));
}

#[test]
fn the_number_counts_the_attempts_since_the_stream_was_open() {
    let mut client = Client::prepared(EventSourceConfig::default());
    for number in 1..4 {
        send(&mut client, |attempt| assert_eq!(attempt.number, number));
        client.fail(ConnectionRefused);
        client.wait();
    }
    send(&mut client, |attempt| assert_eq!(attempt.number, 4));
    client.receive(OPEN);
    client.receive("id: 5\ndata: x\n\n");
    client.end();
    client.wait();
    let request = send(&mut client, |attempt| {
        assert_eq!(attempt.number, 1);
        assert_eq!(attempt.last_event_id.as_str(), "5");
        attempt.last_event_id = EventId::default();
    });
    assert_eq!(field(&request, "last-event-id"), None);
    assert_eq!(client.source.last_event_id(), "");
}

#[test]
fn there_is_no_deadline_while_the_application_prepares() {
    let mut client = Client::prepared(EventSourceConfig::default());
    client.poll();
    assert_eq!(client.source.poll_timeout(), None);
    client.advance(secs(100_000));
    assert_eq!(client.source.phase(), Phase::Preparing);
    send(&mut client, |_| ());
    assert_eq!(client.wait(), secs(30), "the head's deadline begins here");
}

#[test]
fn an_attempt_can_be_put_off_and_called_off() {
    let mut client = Client::prepared(EventSourceConfig::default());
    client.told();
    client.source.wait(client.now, secs(5)).unwrap();
    assert_eq!(client.source.phase(), Phase::Waiting);
    assert_eq!(client.wait(), secs(5));
    assert_eq!(client.told(), ["prepare 1"]);
    client.source.close();
    assert_eq!(client.told(), ["closed Closed"]);
}

#[test]
fn a_redirect_is_part_of_its_attempt() {
    let mut config = EventSourceConfig::default();
    let token = HeaderValue::from_static("Bearer 1");
    config.headers.insert(header::AUTHORIZATION, token);
    let mut client = Client::prepared(config);
    send(&mut client, |_| ());
    client.told();
    client.receive("HTTP/1.1 302 Found\r\nlocation: http://other.example/\r\n\r\n");
    assert_eq!(
        client.told(),
        ["disconnect", "connect http other.example 80"]
    );
    let request = client.connect();
    assert_eq!(field(&request, "authorization"), None);
    // The next attempt begins with what the redirect left.
    client.end();
    client.wait();
    send(&mut client, |attempt| {
        assert_eq!(attempt.url, "http://other.example/");
        assert!(attempt.headers.is_empty());
    });
}

#[test]
fn what_cannot_be_sent_is_an_error_and_changes_nothing() {
    let mut client = Client::prepared(EventSourceConfig::default());
    client.poll();
    let attempt = client.attempt.take().unwrap();
    for (url, error) in [
        ("ftp://a/", InvalidRequest::Scheme("ftp".into())),
        ("http://me@a/", InvalidRequest::User),
        (
            &format!("http://a/{}", "x".repeat(70_000)),
            InvalidRequest::Length,
        ),
    ] {
        let mut bad = attempt.clone();
        bad.url = url.to_owned();
        let result = client.source.send(client.now, bad);
        assert_eq!(result, Err(AttemptError::Invalid(error)));
        assert_eq!(client.source.phase(), Phase::Preparing);
        assert_eq!(client.source.url(), "http://example.org/events");
    }
    client.source.send(client.now, attempt.clone()).unwrap();
    // It is sent, and there is no other to send.
    let error = client.source.send(client.now, attempt).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`send` was called in the phase Connecting, which does not allow it; \
         look at `phase()` and `poll_event()` first"
    );
    let error = client.source.wait(client.now, secs(1)).unwrap_err();
    assert_eq!((error.call, error.phase), ("wait", Phase::Connecting));
}

#[test]
fn preparation_that_comes_too_late_begins_with_the_next_attempt() {
    let mut source = EventSource::new("http://a/", EventSourceConfig::default(), 7).unwrap();
    let now = std::time::Instant::now();
    source.poll_event(now);
    let mut source = source.with_preparation();
    assert_eq!(source.phase(), Phase::Connecting);
    source.handle_transport_error(now, ConnectionRefused.into());
    source.handle_timeout(now + secs(1000));
    assert_eq!(source.phase(), Phase::Preparing);
}
