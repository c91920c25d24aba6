//! Encoding: for clients more lenient than the standard, and into different buffers.

use std::time::Duration;

use bytes::BytesMut;
use sse_core::{Comment, Decoded, Decoder, Event};

/// Returns the data of each block as a client reads it that dispatches at every blank line, even without
/// data. Many do.
fn read_leniently(wire: &[u8]) -> Vec<String> {
    let (mut events, mut data) = (Vec::new(), Vec::new());
    for line in str::from_utf8(wire).unwrap().lines() {
        match line.split_once(':') {
            None if line.is_empty() => events.push(std::mem::take(&mut data).join("\n")),
            Some(("data", value)) => data.push(value.strip_prefix(' ').unwrap_or(value)),
            _ => {}
        }
    }
    assert!(data.is_empty(), "an event without its blank line");
    events
}

/// Returns the data of each event by the standard.
fn read_strictly(wire: &[u8]) -> Vec<String> {
    let (mut decoder, mut input, mut events) = (Decoder::new(), wire, Vec::new());
    while let Some(decoded) = decoder.decode(&mut input).unwrap() {
        if let Decoded::Event(event) = decoded {
            events.push(event.data().to_owned());
        }
    }
    events
}

#[test]
fn comments_and_reconnection_times_are_events_to_no_client() {
    let only_time = Event::without_data().with_reconnection_time(Duration::from_secs(1));
    let one = Event::new("one").with_event_type("a").unwrap();
    let two = Event::new("two").with_id("7").unwrap();

    let mut wire = Vec::new();
    Comment::KEEP_ALIVE.encode(&mut wire);
    only_time.encode(&mut wire);
    one.encode(&mut wire);
    Comment::new("still\nhere").encode(&mut wire);
    Comment::KEEP_ALIVE.encode(&mut wire);
    two.encode(&mut wire);
    only_time.encode(&mut wire);
    Event::without_data().encode(&mut wire);
    Comment::KEEP_ALIVE.encode(&mut wire);
    assert_eq!(
        str::from_utf8(&wire).unwrap(),
        ":\nretry: 1000\nevent: a\ndata: one\n\n: still\n: here\n:\nid: 7\ndata: two\n\n\
         retry: 1000\n:\n"
    );
    assert_eq!(read_leniently(&wire), ["one", "two"]);
    assert_eq!(read_strictly(&wire), ["one", "two"]);
}

#[test]
fn a_reconnection_time_by_itself_takes_effect_at_the_end_of_its_line() {
    let (mut wire, time) = (Vec::new(), Duration::from_millis(1500));
    Event::without_data()
        .with_reconnection_time(time)
        .encode(&mut wire);
    let (mut decoder, mut input) = (Decoder::new(), &wire[..]);
    let decoded = decoder.decode(&mut input).unwrap();
    assert_eq!(decoded, Some(Decoded::ReconnectionTime(time)));
}

/// Without its blank line such a field would belong to the next event.
#[test]
fn an_id_or_an_event_type_by_itself_ends_with_a_blank_line() {
    let only_id = Event::without_data().with_id("1").unwrap();
    let only_type = Event::without_data().with_event_type("a").unwrap();
    for (event, expected) in [(only_id, "id: 1\n\n"), (only_type, "event: a\n\n")] {
        let mut wire = Vec::new();
        event.encode(&mut wire);
        assert_eq!(str::from_utf8(&wire).unwrap(), expected);
    }
}

#[test]
fn a_buffer_of_bytes_gets_what_a_vector_gets() {
    let event = Event::new("a\nb").under_id(7).with_event_type("x").unwrap();
    let (mut vector, mut bytes) = (Vec::new(), BytesMut::new());
    event.encode(&mut vector);
    Comment::new("c\nd").encode(&mut vector);
    event.encode(&mut bytes);
    Comment::new("c\nd").encode(&mut bytes);
    assert_eq!(vector, b"event: x\nid: 7\ndata: a\ndata: b\n\n: c\n: d\n");
    assert_eq!(bytes, vector);
}

/// A buffer that grew by doubling would be up to twice as large as its content.
#[test]
fn room_is_made_once_and_no_more_than_one_line_of_data_takes() {
    const FIELDS: usize = "event: \nid: \nretry: 18446744073709551615\ndata: \n\n".len();
    let long = "x".repeat(1000);
    let event = Event::new(long.as_str()).with_id(long.as_str()).unwrap();
    let event = event.with_event_type(long.as_str()).unwrap();
    let (mut vector, mut bytes) = (Vec::new(), BytesMut::new());
    event.encode(&mut vector);
    event.encode(&mut bytes);
    for (len, capacity) in [
        (vector.len(), vector.capacity()),
        (bytes.len(), bytes.capacity()),
    ] {
        assert!(len > 3000 && capacity <= 3000 + FIELDS, "{capacity}");
    }

    let mut vector = Vec::new();
    Comment::new(long.as_str()).encode(&mut vector);
    assert!(vector.capacity() <= 1000 + ": \n".len());
}
