//! The application reconnects at once, pauses and resumes.

use std::io::ErrorKind::ConnectionRefused;

use sse_core::{
    client::{EventSourceConfig, Loss, Phase},
    http::{HeaderValue, Method, Response, header},
};

use crate::harness::{Client, OPEN, field, request_line, secs};

fn reconnect(client: &mut Client) {
    client.source.reconnect(client.now).unwrap();
    client.poll();
}

fn pause(client: &mut Client) {
    client.source.pause(client.now).unwrap();
    client.poll();
}

fn resume(client: &mut Client) {
    client.source.resume(client.now).unwrap();
    client.poll();
}

/// Returns a client that waits after a loss, with an empty log.
fn waiting() -> Client {
    let mut client = Client::new(EventSourceConfig::default());
    client.connect();
    client.fail(ConnectionRefused);
    client.told();
    client
}

#[test]
fn a_wait_is_cut_short_down_to_the_floor() {
    let mut client = waiting();
    reconnect(&mut client);
    assert_eq!(client.source.phase(), Phase::Waiting);
    assert_eq!(client.wait(), secs(1));
    assert_eq!(client.told(), ["connect http example.org 80"]);

    // Once the floor has passed, the attempt is made at once; asking again does not make it sooner.
    let mut client = waiting();
    client.advance(secs(2));
    reconnect(&mut client);
    reconnect(&mut client);
    client.source.handle_timeout(client.now);
    assert_eq!(client.told(), ["connect http example.org 80"]);
}

#[test]
fn a_wait_that_is_shorter_stays_as_it_is() {
    let mut client = waiting();
    let until = client.source.poll_timeout().unwrap();
    client.now = until - secs(1) / 2;
    // The attempt was longer ago than the floor, so the next is made now.
    reconnect(&mut client);
    assert_eq!(client.source.poll_timeout(), Some(client.now));
    let mut config = EventSourceConfig::default();
    let reconnection = config.reconnection.as_mut().unwrap();
    (reconnection.time, reconnection.floor) = (secs(1), secs(1));
    let mut client = Client::new(config);
    client.connect();
    client.advance(secs(29));
    client.fail(ConnectionRefused);
    let until = client.source.poll_timeout().unwrap();
    reconnect(&mut client);
    assert!(client.source.poll_timeout().unwrap() <= until);
}

#[test]
fn an_open_stream_gives_out_what_it_received_and_is_asked_for_again() {
    let mut client = Client::open(EventSourceConfig::default());
    client.advance(secs(10));
    client
        .source
        .handle_input(client.now, b"id: 1\ndata: a\n\ndata: half");
    client.source.reconnect(client.now).unwrap();
    // The connection is given up.
    client
        .source
        .handle_input(client.now, b"\n\ndata: late\n\n");
    assert_eq!(
        client.told(),
        [r#"message "1" "a""#, "disconnect", "lost Replaced",]
    );
    assert_eq!(client.waits, [secs(0)]);
    assert_eq!(field(&client.reconnect(), "last-event-id"), Some("1"));
}

#[test]
fn an_attempt_that_hangs_is_given_up() {
    for stand in [false, true] {
        let mut client = Client::new(EventSourceConfig::default());
        client.poll();
        if stand {
            client.connect();
        }
        client.told();
        client.advance(secs(20));
        reconnect(&mut client);
        assert_eq!(client.told(), ["disconnect", "lost Replaced"]);
        client.wait();
        assert_eq!(client.told(), ["connect http example.org 80"]);
    }
    // A client that has just begun waits for the floor.
    let mut client = Client::new(EventSourceConfig::default());
    client.connect();
    reconnect(&mut client);
    assert_eq!(client.wait(), secs(1));
}

#[test]
fn reconnecting_forgets_nothing() {
    let mut client = Client::new(EventSourceConfig::default());
    client.connect();
    client.receive("HTTP/1.1 302 Found\r\nlocation: /there\r\n\r\n");
    client.connect();
    client.receive(OPEN);
    client.receive("retry: 50000\nid: 1\ndata: a\n\n");
    reconnect(&mut client);
    let request = client.reconnect();
    assert_eq!(request_line(&request), "GET /there HTTP/1.1");
    assert_eq!(field(&request, "last-event-id"), Some("1"));
    // The reconnection time is the server's, and earlier losses count.
    client.end();
    let first = *client.waits.last().unwrap();
    assert!((secs(50)..=secs(100)).contains(&first), "{first:?}");
    for _ in 0..9 {
        reconnect(&mut client);
        client.reconnect();
        client.end();
    }
    let waits = &client.waits;
    assert!(waits.iter().any(|&wait| wait > secs(150)), "{waits:?}");
}

#[test]
fn reconnecting_is_not_a_failed_attempt() {
    let mut config = EventSourceConfig::default();
    let reconnection = config.reconnection.as_mut().unwrap();
    reconnection.max_attempts = Some(2);
    reconnection.first_failure_is_final = true;
    let mut client = Client::new(config);
    for _ in 0..10 {
        client.connect();
        reconnect(&mut client);
        client.wait();
    }
    client.connect();
    client.receive(OPEN);
    client.fail(ConnectionRefused);
    client.reconnect();
    client.fail(ConnectionRefused);
    client.wait();
    assert_eq!(client.source.phase(), Phase::Connecting);
    client.fail(ConnectionRefused);
    assert_eq!(client.failure.unwrap().name(), "GaveUp");
}

#[test]
fn a_stream_that_was_open_when_it_was_given_up_ends_the_failures_before() {
    let mut config = EventSourceConfig::default();
    config.reconnection.as_mut().unwrap().max_attempts = Some(2);
    let mut client = Client::new(config);
    client.connect();
    client.fail(ConnectionRefused);
    client.reconnect();
    client.receive(OPEN);
    reconnect(&mut client);
    client.reconnect();
    client.fail(ConnectionRefused);
    assert_eq!(client.source.phase(), Phase::Waiting);
    client.reconnect();
    client.fail(ConnectionRefused);
    assert_eq!(client.failure.unwrap().name(), "GaveUp");
}

#[test]
fn attempts_are_never_closer_than_the_floor_however_often_one_asks() {
    let mut client = Client::new(EventSourceConfig::default());
    let mut before = None;
    for round in 0..100_u32 {
        client.poll();
        if client.source.phase() == Phase::Connecting {
            let now = client.now;
            if let Some(before) = before.replace(now) {
                assert!(now >= before + secs(1), "round {round}");
            }
            client.connect();
            if round % 3 == 0 {
                client.receive(OPEN);
            }
        }
        match round % 4 {
            0 => {
                pause(&mut client);
                resume(&mut client);
            }
            _ => reconnect(&mut client),
        }
        client.advance(secs(1) / 4);
    }
}

#[test]
fn a_pause_closes_the_connection_until_it_is_over() {
    let mut client = Client::open(EventSourceConfig::default());
    client.advance(secs(10));
    client
        .source
        .handle_input(client.now, b"id: 1\ndata: a\n\n");
    pause(&mut client);
    assert_eq!(
        client.told(),
        [r#"message "1" "a""#, "disconnect", "paused"]
    );
    assert_eq!(client.source.phase(), Phase::Paused);
    client.advance(secs(100_000));
    reconnect(&mut client);
    assert_eq!(client.told(), [""; 0]);
    resume(&mut client);
    assert_eq!(field(&client.connect(), "last-event-id"), Some("1"));
}

#[test]
fn a_pause_keeps_what_is_left_of_a_wait() {
    let mut config = EventSourceConfig::default();
    config.retry_statuses = vec![sse_core::http::StatusCode::SERVICE_UNAVAILABLE];
    let mut client = Client::new(config);
    client.connect();
    client.receive("HTTP/1.1 503 Later\r\nretry-after: 300\r\ncontent-length: 0\r\n\r\n");
    client.told();
    pause(&mut client);
    assert_eq!(client.told(), ["paused"]);
    client.advance(secs(100));
    resume(&mut client);
    assert_eq!(client.source.phase(), Phase::Waiting);
    assert_eq!(client.wait(), secs(200));
    assert_eq!(client.told(), ["connect http example.org 80"]);
}

#[test]
fn a_pause_can_come_at_any_time() {
    // No connection was asked for yet.
    let mut client = Client::new(EventSourceConfig::default());
    pause(&mut client);
    assert_eq!(client.told(), ["paused"]);
    resume(&mut client);
    assert_eq!(client.told(), ["connect http example.org 80"]);
    // The client is connecting, or the request is being sent.
    for stand in [false, true] {
        let mut client = Client::new(EventSourceConfig::default());
        client.poll();
        if stand {
            client.connect();
        }
        client.told();
        pause(&mut client);
        assert_eq!(client.told(), ["disconnect", "paused"]);
        resume(&mut client);
        assert_eq!(client.wait(), secs(1), "attempts are never closer");
        assert_eq!(client.told(), ["connect http example.org 80"]);
    }
    // A request is being prepared.
    let mut client = Client::prepared(EventSourceConfig::default());
    client.poll();
    let attempt = client.attempt.take().unwrap();
    pause(&mut client);
    assert_eq!(client.told(), ["prepare 1", "paused"]);
    assert!(client.source.attempt(client.now, attempt).is_err());
    resume(&mut client);
    assert_eq!(client.told(), ["prepare 1"]);
    // After the end there is nothing to control.
    client.source.close(client.now).unwrap();
    for result in [
        client.source.reconnect(client.now),
        client.source.pause(client.now),
        client.source.resume(client.now),
    ] {
        assert_eq!(result.unwrap_err().phase, Phase::Closed);
    }
}

#[test]
fn reconnecting_ends_no_pause_that_has_events_to_return_first() {
    let mut client = Client::open(EventSourceConfig::default());
    client.source.handle_input(client.now, b"data: a\n\n");
    client.source.pause(client.now).unwrap();
    client.source.reconnect(client.now).unwrap();
    assert_eq!(client.told(), [r#"message "" "a""#, "disconnect", "paused"]);
    assert_eq!(client.source.phase(), Phase::Paused);
}

#[test]
fn a_pause_that_is_over_before_the_events_are_taken_is_another_connection() {
    let mut client = Client::open(EventSourceConfig::default());
    client.source.handle_input(client.now, b"data: a\n\n");
    client.source.pause(client.now).unwrap();
    client.source.resume(client.now).unwrap();
    assert_eq!(
        client.told(),
        [r#"message "" "a""#, "disconnect", "lost Replaced"]
    );
    client.reconnect();
}

#[test]
fn a_request_that_is_made_once_is_not_made_again() {
    let mut config = EventSourceConfig::default();
    config.reconnection = None;
    let mut client = Client::open(config);
    pause(&mut client);
    reconnect(&mut client);
    assert_eq!(client.told(), [""; 0]);
    assert_eq!(client.source.phase(), Phase::Open);
}

#[test]
fn an_attempt_is_told_that_it_follows_a_pause() {
    let mut client = Client::prepared(EventSourceConfig::default());
    client.poll();
    let attempt = client.attempt.take().unwrap();
    client.source.attempt(client.now, attempt).unwrap();
    client.connect();
    client.receive(OPEN);
    pause(&mut client);
    resume(&mut client);
    client.wait();
    let attempt = client.attempt.take().unwrap();
    assert!(matches!(attempt.loss, Some(Loss::Paused)));
    assert_eq!(attempt.number, 1);
}

#[test]
fn the_first_failure_can_be_final() {
    let mut config = EventSourceConfig::default();
    config.reconnection.as_mut().unwrap().first_failure_is_final = true;
    let mut client = Client::new(config.clone());
    client.poll();
    client.fail(ConnectionRefused);
    assert_eq!(client.failure.unwrap().name(), "Lost");

    // A redirect is part of the attempt.
    let mut client = Client::new(config.clone());
    client.connect();
    client.receive("HTTP/1.1 302 Found\r\nlocation: /there\r\n\r\n");
    client.connect();
    client.end();
    assert_eq!(client.failure.unwrap().name(), "Lost");

    // An unexpected response stays a failure or a loss as before.
    config.retry_statuses = vec![sse_core::http::StatusCode::SERVICE_UNAVAILABLE];
    let mut client = Client::new(config.clone());
    client.connect();
    client.receive("HTTP/1.1 503 Later\r\ncontent-length: 5\r\n\r\nlater");
    assert_eq!(
        client.told().last().unwrap(),
        r#"failed Status 503 "later""#
    );

    // Once the stream was open, losses are losses.
    let mut client = Client::new(config);
    client.connect();
    client.receive(OPEN);
    for _ in 0..10 {
        client.end();
        client.reconnect();
    }
}

#[test]
fn a_stream_that_was_posted_for_can_go_on_by_get() {
    let mut config = EventSourceConfig::default();
    config.resume_by_get = true;
    config.method = Method::POST;
    config.body = "{}".into();
    let json = HeaderValue::from_static("application/json");
    config.headers.insert(header::CONTENT_TYPE, json);
    for elsewhere in [false, true] {
        let mut client = Client::new(config.clone());
        client.connect();
        client.fail(ConnectionRefused);
        // The stream was not open yet.
        let open = |client: &mut Client| match elsewhere {
            false => client.receive(OPEN),
            true => {
                let response = Response::builder().header("content-type", "text/event-stream");
                let response = response.body(()).unwrap();
                client.source.handle_response(client.now, response);
            }
        };
        client.wait();
        if elsewhere {
            assert_eq!(client.take_request().method(), Method::POST);
        } else {
            assert_eq!(request_line(&client.connect()), "POST /events HTTP/1.1");
        }
        open(&mut client);
        client.source.handle_body(client.now, b"id: 7\ndata: a\n\n");
        client.end();
        let request = client.reconnect();
        assert_eq!(request_line(&request), "GET /events HTTP/1.1");
        assert_eq!(field(&request, "last-event-id"), Some("7"));
        assert_eq!(field(&request, "content-type"), None);
        assert_eq!(field(&request, "content-length"), None);
        assert!(request.ends_with("\r\n\r\n"));
    }
}
