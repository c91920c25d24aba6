//! A connection writes exactly what it was given, in order, however its bytes are taken: its own events
//! and shared ones.
#![cfg(feature = "server")]
#![allow(clippy::disallowed_methods)] // an `Instant` has to come from somewhere

use std::{
    sync::Arc,
    task::Poll,
    time::{Instant, SystemTime},
};

use proptest::prelude::*;
use sse_core::{
    Comment, Event,
    http::Response,
    server::{Connection, ConnectionConfig, ConnectionEvent, Phase, ResponseBody, SendError},
    topic::{self, Batch, EncodedEvents, Subscriber, Topic},
};

#[derive(Clone, Debug)]
enum Step {
    Send(usize),
    /// Queues an event without any field, which has no bytes.
    SendNothing,
    Comment,
    SendEncoded(u8),
    /// Writes at most this many bytes.
    Transmit(usize),
    TransmitAll,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0..40_usize).prop_map(Step::Send),
        1 => Just(Step::SendNothing),
        1 => Just(Step::Comment),
        4 => (1..4_u8).prop_map(Step::SendEncoded),
        2 => (1..120_usize).prop_map(Step::Transmit),
        1 => Just(Step::TransmitAll),
    ]
}

fn topic() -> (Topic, Subscriber) {
    let topic = Topic::new(topic::TopicConfig::default(), 0, Instant::now);
    let subscriber = topic.subscribe();
    (topic, subscriber)
}

fn encoded(topic: &Topic, subscriber: &mut Subscriber, count: u8) -> EncodedEvents {
    for _ in 0..count {
        topic.publish("topic").unwrap();
    }
    match subscriber.try_next() {
        Poll::Ready(Some(Ok(Batch::Events(events)))) => events,
        other => panic!("{other:?}"),
    }
}

fn streaming(version: &str) -> Connection {
    let (now, mut config) = (Instant::now(), ConnectionConfig::default());
    config.response.high_water_mark = 1000;
    let mut connection = Connection::new(now, SystemTime::UNIX_EPOCH, Arc::new(config));
    connection.handle_input(
        now,
        format!("GET / {version}\r\nHost: a\r\n\r\n").as_bytes(),
    );
    assert!(matches!(
        connection.poll_event(now),
        Some(ConnectionEvent::Request(_))
    ));
    connection
        .respond(now, Response::new(ResponseBody::event_stream()))
        .unwrap();
    connection
}

/// Writes at most `most` bytes, as one vectored write.
fn transmit(connection: &mut Connection, most: usize, wire: &mut Vec<u8>) -> usize {
    let transmit = connection.poll_transmit();
    let mut left = most;
    for slice in transmit.slices() {
        assert!(!slice.is_empty());
        let taken = slice.len().min(left);
        wire.extend_from_slice(&slice[..taken]);
        left -= taken;
    }
    let written = transmit.len().min(most);
    assert_eq!(written, most - left);
    connection.handle_transmitted(Instant::now(), written);
    written
}

fn unchunk(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    loop {
        let line = body.iter().position(|byte| *byte == b'\r').unwrap();
        let size = str::from_utf8(&body[..line]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        let chunk = &body[line + 2..];
        whole.extend_from_slice(&chunk[..size]);
        body = chunk[size..].strip_prefix(b"\r\n").unwrap();
        if size == 0 {
            assert!(body.is_empty());
            return whole;
        }
    }
}

proptest! {
    #[test]
    fn everything_that_was_taken_is_written_in_order(
        steps in prop::collection::vec(step(), 0..80),
        in_chunks: bool,
    ) {
        let (topic, mut subscriber) = topic();
        let mut connection = streaming(if in_chunks { "HTTP/1.1" } else { "HTTP/1.0" });
        let now = Instant::now();
        let (mut wire, mut given) = (Vec::new(), Vec::new());
        for step in steps {
            let (queued, has_room) = (connection.queued(), connection.has_room());
            let mut new = Vec::new();
            let result = match step {
                Step::Send(len) => {
                    let event = Event::new("x".repeat(len));
                    event.encode(&mut new);
                    connection.send(now, &event)
                }
                Step::SendNothing => connection.send(now, &Event::without_data()),
                Step::Comment => {
                    Comment::KEEP_ALIVE.encode(&mut new);
                    connection.comment(now, &Comment::KEEP_ALIVE)
                }
                Step::SendEncoded(count) => {
                    let events = encoded(&topic, &mut subscriber, count);
                    new.extend_from_slice(events.as_bytes());
                    connection.send_encoded(now, events)
                }
                Step::Transmit(most) => {
                    transmit(&mut connection, most, &mut wire);
                    continue;
                }
                Step::TransmitAll => {
                    while transmit(&mut connection, usize::MAX, &mut wire) > 0 {}
                    prop_assert_eq!(connection.queued(), 0);
                    continue;
                }
            };
            match has_room {
                true => {
                    prop_assert_eq!(result, Ok(()));
                    prop_assert_eq!(connection.queued(), queued + new.len());
                    given.extend_from_slice(&new);
                }
                false => {
                    prop_assert_eq!(result, Err(SendError::Full));
                    prop_assert_eq!(connection.queued(), queued);
                }
            }
        }
        connection.finish(now).unwrap();
        while transmit(&mut connection, 7, &mut wire) > 0 {}
        let ended = matches!(connection.poll_event(now), Some(ConnectionEvent::EndOutput { .. }));
        prop_assert!(ended);
        let body = wire.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
        let body = match in_chunks {
            true => unchunk(&wire[body..]),
            false => wire[body..].to_vec(),
        };
        prop_assert_eq!(body, given);
    }
}

#[test]
fn encoded_events_are_written_from_where_they_lie_and_then_released() {
    let (topic, mut subscriber) = topic();
    let mut connection = streaming("HTTP/1.1");
    let mut wire = Vec::new();
    transmit(&mut connection, usize::MAX, &mut wire);

    let events = encoded(&topic, &mut subscriber, 3);
    let bytes = events.clone().into_bytes();
    topic.publish("newer").unwrap();
    connection.send_encoded(Instant::now(), events).unwrap();
    let lies_there = |slice: &&std::io::IoSlice<'_>| slice.as_ptr_range().contains(&bytes.as_ptr());
    let transmit_now = connection.poll_transmit();
    assert_eq!(transmit_now.slices().iter().filter(lies_there).count(), 1);
    assert!(!bytes.is_unique());
    transmit(&mut connection, usize::MAX, &mut wire);
    assert!(bytes.is_unique());
}

#[test]
fn shared_events_are_one_slice_with_their_framing() {
    let (topic, mut first) = topic();
    let mut second = topic.subscribe();
    let events = [
        encoded(&topic, &mut first, 3),
        encoded(&topic, &mut second, 0),
    ];
    let slices = events.map(|events| {
        let mut connection = streaming("HTTP/1.1");
        transmit(&mut connection, usize::MAX, &mut Vec::new());
        let given = events.as_bytes().to_vec();
        connection.send_encoded(Instant::now(), events).unwrap();
        let transmit_now = connection.poll_transmit();
        let [slice] = transmit_now.slices() else {
            panic!("{transmit_now:?}");
        };
        assert_eq!(slice[..], *chunk(&given));
        slice.as_ptr()
    });
    assert_eq!(slices[0], slices[1]);
}

#[test]
fn shared_bytes_are_framed_anew_where_other_bytes_are_in_their_chunk() {
    let (topic, mut subscriber) = topic();
    let mut connection = streaming("HTTP/1.1");
    transmit(&mut connection, usize::MAX, &mut Vec::new());
    let events = encoded(&topic, &mut subscriber, 1);
    let given = events.as_bytes().to_vec();
    connection.send_encoded(Instant::now(), events).unwrap();
    // The piece is offered alone, not taken, and then offered with another one after it.
    assert_eq!(connection.poll_transmit().len(), chunk(&given).len());
    connection
        .comment(Instant::now(), &Comment::KEEP_ALIVE)
        .unwrap();
    let (mut wire, mut both) = (Vec::new(), given);
    Comment::KEEP_ALIVE.encode(&mut both);
    transmit(&mut connection, usize::MAX, &mut wire);
    assert_eq!(wire, chunk(&both));
}

#[test]
fn a_connection_without_chunks_writes_what_is_shared_without_framing() {
    let (topic, mut subscriber) = topic();
    let mut connection = streaming("HTTP/1.0");
    let mut wire = Vec::new();
    transmit(&mut connection, usize::MAX, &mut Vec::new());
    let events = encoded(&topic, &mut subscriber, 2);
    let given = events.as_bytes().to_vec();
    connection.send_encoded(Instant::now(), events).unwrap();
    transmit(&mut connection, usize::MAX, &mut wire);
    assert_eq!(wire, given);
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

#[test]
fn the_body_ends_behind_the_last_of_many_writes() {
    let (topic, mut subscriber) = topic();
    let mut connection = streaming("HTTP/1.1");
    let (mut head, mut wire, mut given) = (Vec::new(), Vec::new(), Vec::new());
    transmit(&mut connection, usize::MAX, &mut head);
    // These are far more pieces than one vectored write takes.
    for _ in 0..40 {
        let events = encoded(&topic, &mut subscriber, 1);
        given.extend_from_slice(events.as_bytes());
        connection.send_encoded(Instant::now(), events).unwrap();
    }
    connection.finish(Instant::now()).unwrap();
    let mut writes = 0;
    loop {
        let before = wire.len();
        if transmit(&mut connection, usize::MAX, &mut wire) == 0 {
            break;
        }
        writes += 1;
        // The bytes of one write are a chunk of their own.
        let written = str::from_utf8(&wire[before..]).unwrap();
        let (size, chunk) = written.split_once("\r\n").unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        let behind = &chunk[size..];
        assert!(behind == "\r\n" || behind == "\r\n0\r\n\r\n", "{behind:?}");
    }
    assert_eq!(
        writes, 4,
        "a write has 16 slices, 3 of them around the events"
    );
    assert_eq!(unchunk(&wire), given);
}

#[test]
fn a_connection_that_ends_releases_what_it_did_not_write() {
    let (topic, mut subscriber) = topic();
    let mut connection = streaming("HTTP/1.1");
    let events = encoded(&topic, &mut subscriber, 3);
    let bytes = events.clone().into_bytes();
    topic.publish("newer").unwrap();
    connection.send_encoded(Instant::now(), events).unwrap();
    connection.handle_eof(Instant::now());
    assert_eq!(connection.phase(), Phase::Closed);
    assert!(bytes.is_unique());
    let late = encoded(&topic, &mut subscriber, 1);
    assert!(matches!(
        connection.send_encoded(Instant::now(), late),
        Err(SendError::WrongPhase(error)) if error.call == "send_encoded"
    ));
}
