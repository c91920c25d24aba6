//! The delivery at the end of a connection, and the reports of it.
#![cfg(feature = "server")]
#![allow(clippy::disallowed_methods)] // an `Instant` has to come from somewhere

use std::{
    io::ErrorKind,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use sse_core::{
    Event,
    http::{HeaderName, HeaderValue, Response, StatusCode},
    lifecycle::{CloseReason, Deadline},
    server::{Connection, ConnectionConfig, ConnectionEvent, Phase, ResponseBody},
};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn asked(now: Instant, config: ConnectionConfig) -> Connection {
    let mut connection = Connection::new(now, SystemTime::UNIX_EPOCH, Arc::new(config));
    connection.handle_input(now, REQUEST);
    let event = connection.poll_event(now);
    assert!(matches!(event, Some(ConnectionEvent::Request(_))));
    connection
}

fn streaming(now: Instant, config: ConnectionConfig) -> Connection {
    let mut connection = asked(now, config);
    let response = Response::new(ResponseBody::event_stream());
    connection.respond(now, response).unwrap();
    connection
}

/// Writes all available bytes, and returns their number.
fn transmit_all(connection: &mut Connection, now: Instant) -> usize {
    let mut all = 0;
    loop {
        let len = connection.poll_transmit().len();
        if len == 0 {
            return all;
        }
        all += len;
        connection.handle_transmitted(now, len);
    }
}

fn reason(connection: &mut Connection, now: Instant) -> Option<CloseReason> {
    loop {
        match connection.poll_event(now)? {
            ConnectionEvent::Closed(reason) => return Some(reason),
            _ => continue,
        }
    }
}

#[test]
fn once_everything_is_transmitted_the_stream_has_ended_whatever_comes_next() {
    let now = Instant::now();
    for reset in [true, false] {
        let mut connection = streaming(now, ConnectionConfig::default());
        connection.send(now, &Event::new("x")).unwrap();
        connection.finish(now).unwrap();
        transmit_all(&mut connection, now);
        match reset {
            true => connection.handle_transport_error(now, ErrorKind::ConnectionReset.into()),
            false => connection.close(now, CloseReason::Shutdown).unwrap(),
        }
        assert_eq!(reason(&mut connection, now), Some(CloseReason::StreamEnded));
    }
}

#[test]
fn before_that_it_has_not() {
    let now = Instant::now();
    let mut connection = streaming(now, ConnectionConfig::default());
    connection.send(now, &Event::new("x")).unwrap();
    connection.finish(now).unwrap();
    let len = connection.poll_transmit().len();
    connection.handle_transmitted(now, len - 1);
    connection.handle_transport_error(now, ErrorKind::ConnectionReset.into());
    assert_eq!(
        reason(&mut connection, now),
        Some(CloseReason::ClientWentAway)
    );
}

#[test]
fn a_large_response_has_time_in_proportion() {
    let start = Instant::now();
    let mut config = ConnectionConfig::default();
    config.drain_timeout = Duration::from_secs(10);
    let mut connection = asked(start, config);
    // With its head it is a little more than four times 64 KiB.
    let body = vec![b'x'; 4 * 64 * 1024];
    connection
        .respond(start, Response::new(ResponseBody::Whole(body.into())))
        .unwrap();
    for second in 1..50 {
        let now = start + Duration::from_secs(second);
        connection.handle_timeout(now);
        assert_eq!(connection.phase(), Phase::Delivering, "after {second} s");
        let _ = connection.poll_transmit();
        connection.handle_transmitted(now, 1000);
    }
    connection.handle_timeout(start + Duration::from_secs(50));
    let expected = CloseReason::TimedOut(Deadline::Drain);
    assert_eq!(reason(&mut connection, start), Some(expected));
}

#[test]
fn an_answer_is_not_lost_to_what_follows_the_request() {
    let now = Instant::now();
    // The body comes in one piece with the head, or after it.
    for (request, later) in [
        (&b"GET / HTTP/1.1\r\nHost: a\r\n\r\nmore"[..], &b""[..]),
        (REQUEST, b"more"),
    ] {
        let mut connection = Connection::new(now, SystemTime::UNIX_EPOCH, Arc::default());
        connection.handle_input(now, request);
        connection.handle_input(now, later);
        let _ = connection.poll_event(now);
        let mut refusal = Response::new(ResponseBody::Whole("no\n".into()));
        *refusal.status_mut() = StatusCode::NOT_FOUND;
        connection.respond(now, refusal).unwrap();
        transmit_all(&mut connection, now);
        assert!(matches!(
            connection.poll_event(now),
            Some(ConnectionEvent::EndOutput { .. })
        ));
        connection.handle_output_ended(now);
        // Closing now would reset the connection.
        assert!(connection.poll_event(now).is_none());
        connection.handle_eof(now);
        assert_eq!(
            reason(&mut connection, now),
            Some(CloseReason::ResponseSent)
        );
    }
}

#[test]
fn a_high_water_mark_of_0_lets_one_event_through_at_a_time() {
    let now = Instant::now();
    let mut config = ConnectionConfig::default();
    config.response.high_water_mark = 0;
    let mut connection = streaming(now, config);
    transmit_all(&mut connection, now);
    for _ in 0..3 {
        connection.send(now, &Event::new("x")).unwrap();
        assert!(!connection.has_room());
        transmit_all(&mut connection, now);
    }
    // The same is true of keep-alive comments.
    let deadline = connection.poll_timeout().unwrap();
    connection.handle_timeout(deadline);
    assert!(transmit_all(&mut connection, deadline) > 0);
    assert!(connection.poll_timeout().is_some());
}

#[test]
fn the_largest_number_of_fields_does_not_panic() {
    let now = Instant::now();
    let mut connection = asked(now, ConnectionConfig::default());
    let mut response = Response::new(ResponseBody::event_stream());
    for number in 0.. {
        let name = HeaderName::try_from(format!("x-{number}")).unwrap();
        let value = HeaderValue::from_static("x");
        if response.headers_mut().try_insert(name, value).is_err() {
            break;
        }
    }
    connection.respond(now, response).unwrap();
    assert_eq!(connection.phase(), Phase::Streaming);
}

/// Fuzzing found this: it set a deadline that no peer could meet.
#[test]
fn the_output_may_end_after_the_connection() {
    let now = Instant::now();
    let mut connection = asked(now, ConnectionConfig::default());
    connection
        .respond(now, Response::new(ResponseBody::Whole("x".into())))
        .unwrap();
    transmit_all(&mut connection, now);
    assert!(matches!(
        connection.poll_event(now),
        Some(ConnectionEvent::EndOutput { .. })
    ));
    connection.handle_transport_error(now, ErrorKind::ConnectionReset.into());
    assert_eq!(
        reason(&mut connection, now),
        Some(CloseReason::ResponseSent)
    );
    connection.handle_output_ended(now);
    assert_eq!(connection.poll_timeout(), None);
    assert!(connection.poll_event(now).is_none());
}
