//! The guarantees of a decoder beside the standard: when events come, where their bytes are, and which ID
//! a request can carry.

use std::time::Duration;

use sse_core::{
    Decoded, Decoder, DecoderLimits, Event, EventError, EventId, MessageEvent, MessageEventRef,
};

fn event<'a>(decoded: Option<Decoded<'a>>) -> MessageEventRef<'a> {
    match decoded {
        Some(Decoded::Event(event)) => event,
        other => panic!("{other:?} is not an event"),
    }
}

/// Returns whether `text` is a part of `chunk`, and not a copy.
fn lies_in(text: &str, chunk: &[u8]) -> bool {
    let chunk = chunk.as_ptr_range();
    let text = text.as_bytes().as_ptr_range();
    chunk.start <= text.start && text.end <= chunk.end
}

#[test]
fn an_event_in_one_chunk_stays_where_it_is() {
    for stream in [
        "data: Hello\n\n",
        "data:Hello\r\n\r\n",
        "event: greeting\ndata: Hello\n\n",
        "data: Hello\rid: 1\revent: greeting\r\r",
        "data: grüezi 日本語\nunknown: x\n\n",
    ] {
        let chunk = [": before\n", stream, "data: after"].concat();
        let mut decoder = Decoder::new();
        let mut input = chunk.as_bytes();
        assert!(matches!(
            decoder.decode(&mut input),
            Ok(Some(Decoded::Comment(_)))
        ));
        let event = event(decoder.decode(&mut input).unwrap());
        assert!(lies_in(event.data(), chunk.as_bytes()), "data: {stream:?}");
        if stream.contains("event") {
            assert!(
                lies_in(event.event_type(), chunk.as_bytes()),
                "event type: {stream:?}"
            );
        }
    }
}

#[test]
fn an_owned_event_is_one_piece_of_text_that_keeps_no_chunk_alive() {
    let chunk = b"event: e\nid: 1\ndata: a\n\nevent: message\ndata: b\n\n";
    let mut input = &chunk[..];
    let mut decoder = Decoder::new();
    let first = decoder.decode_event(&mut input).unwrap().unwrap();
    let parts = [first.data(), first.event_type(), first.last_event_id()];
    assert_eq!(parts, ["a", "e", "1"]);
    assert!(parts.iter().all(|part| !lies_in(part, chunk)));
    let places = parts.map(|part| part.as_ptr().addr());
    assert_eq!(places, [0, 1, 2].map(|n| places[0] + n));

    let data = first.data().as_ptr();
    let copy = first.clone();
    assert_eq!(copy, first);
    assert_eq!(copy.into_data().as_ptr(), data);
    let event = Event::try_from(first).unwrap();
    assert_eq!(event.data().map(str::as_ptr), Some(data));
    let id = event.id().map(EventId::as_str);
    assert_eq!((event.event_type().unwrap().as_str(), id), ("e", Some("1")));

    // A type `message` that the server sends is the same as none.
    let second = decoder.decode_event(&mut input).unwrap().unwrap();
    let mut rest = &b"data: b\n\n"[..];
    assert_eq!(decoder.decode_event(&mut rest), Ok(Some(second.clone())));
    assert_eq!(second.event_type(), "message");
    assert_eq!(Event::try_from(second).unwrap().event_type(), None);
}

/// After this much, a chunk's end makes no difference to how an event is decoded.
const FAR_FROM_THE_END: &str =
    "\n:0123456789012345678901234567890123456789012345678901234567890123\n";

#[test]
fn a_plain_event_in_a_chunk_is_told_from_the_end_of_another() {
    let after = |first: &str, chunk: &str| {
        let mut decoder = Decoder::new();
        assert_eq!(decoder.decode(&mut first.as_bytes()), Ok(None));
        let chunk = format!("{chunk}{FAR_FROM_THE_END}");
        let event = decoder.decode_event(&mut chunk.as_bytes());
        event.unwrap().unwrap()
    };
    let plain = "data: b\n\n";
    assert_eq!(after("", plain).data(), "b");
    assert_eq!(after("id: 1\n", plain).last_event_id(), "1");
    assert_eq!(after("event: e\n", plain).event_type(), "e");
    assert_eq!(after("data: a\n", plain).data(), "a\nb");
    assert_eq!(
        after("data: a\r", "\ndata: b\r\ndata: c\r\r").data(),
        "a\nb\nc"
    );
    assert_eq!(after("data: a\r\n", "data: b\r\n\r\n").data(), "a\nb");
}

#[test]
fn a_plain_event_past_the_bound_is_an_error_also_far_from_the_end_of_its_chunk() {
    let limits = DecoderLimits::default().with_event(4);
    let stream = format!("data: 1234\n\ndata: 12345\n\ndata: 1\n\n{FAR_FROM_THE_END}");
    let (mut decoder, mut input) = (Decoder::with_limits(limits), stream.as_bytes());
    let mut next = || {
        decoder
            .decode_event(&mut input)
            .map(|event| event.map(MessageEvent::into_data))
    };
    assert_eq!(next(), Ok(Some("1234".into())));
    assert!(next().is_err());
    assert_eq!(next(), Ok(Some("1".into())));
}

#[test]
fn an_event_is_dispatched_by_the_first_byte_of_its_blank_line() {
    for end in ["\n", "\r", "\r\n"] {
        let mut decoder = Decoder::new();
        let mut line = format!("data: Hello{end}");
        assert_eq!(decoder.decode(&mut line.as_bytes()), Ok(None));
        let first = &end[..1];
        assert_eq!(
            event(decoder.decode(&mut first.as_bytes()).unwrap()).data(),
            "Hello"
        );
        // The rest of the line's end is not part of another line.
        line = format!("{}data: next\n\n", &end[1..]);
        assert_eq!(
            event(decoder.decode(&mut line.as_bytes()).unwrap()).data(),
            "next"
        );
    }
}

#[test]
fn the_rest_of_the_input_can_be_decoded_later() {
    let chunk = b"data: 1\r\n\r\ndata: 2\r\rdata: 3\n\n".to_vec();
    let mut decoder = Decoder::new();
    let mut data = Vec::new();
    let mut rest = chunk;
    while !rest.is_empty() {
        let mut input = rest.as_slice();
        if let Some(Decoded::Event(event)) = decoder.decode(&mut input).unwrap() {
            data.push(event.data().to_owned());
        }
        rest = input.to_vec();
    }
    assert_eq!(data, ["1", "2", "3"]);
}

#[test]
fn comments_and_reconnection_times_come_in_the_midst_of_an_event() {
    let mut input = &b"event: e\ndata: a\n: c\xFFd\ndata: b\nretry: 7\nid: 1\ndata: c\n\n"[..];
    let mut decoder = Decoder::new();
    assert_eq!(
        decoder.decode(&mut input),
        Ok(Some(Decoded::Comment(" c\u{FFFD}d")))
    );
    let time = Duration::from_millis(7);
    assert_eq!(
        decoder.decode(&mut input),
        Ok(Some(Decoded::ReconnectionTime(time)))
    );
    assert_eq!(decoder.reconnection_time(), Some(time));
    assert_eq!(decoder.last_event_id(), "");
    let event = event(decoder.decode(&mut input).unwrap());
    let (event_type, data) = (event.event_type(), event.data());
    assert_eq!(
        (event_type, data, event.last_event_id()),
        ("e", "a\nb\nc", "1")
    );
    assert_eq!(decoder.last_event_id(), "1");
}

#[test]
fn a_reconnection_time_past_what_fits_is_the_longest_there_is() {
    let mut input = &b"retry: 18446744073709551616\n"[..];
    assert_eq!(
        Decoder::new().decode(&mut input),
        Ok(Some(Decoded::ReconnectionTime(Duration::from_millis(
            u64::MAX
        ))))
    );
}

#[test]
fn a_new_stream_drops_what_was_received_and_keeps_the_last_event_id() {
    let mut decoder = Decoder::new();
    decoder.set_last_event_id(&EventId::from(1));
    let mut input = &b"\xEF\xBB\xBFid: 2\nevent: e\ndata: lost\nda"[..];
    assert_eq!(decoder.decode(&mut input), Ok(None));
    decoder.restart();
    assert_eq!(decoder.last_event_id(), "1");
    let mut input = &b"\xEF\xBB\xBFdata: x\n\n"[..];
    let event = event(decoder.decode(&mut input).unwrap());
    let (event_type, data) = (event.event_type(), event.data());
    assert_eq!(
        (event_type, data, event.last_event_id()),
        ("message", "x", "1")
    );
}

#[test]
fn an_event_can_be_sent_on() {
    let sent_on = |stream: &[u8]| {
        let event = Decoder::new()
            .decode_event(&mut &stream[..])
            .unwrap()
            .unwrap();
        let mut wire = Vec::new();
        Event::try_from(event)?.encode(&mut wire);
        Ok::<_, EventError>(wire)
    };
    for stream in [
        &b"data: x\n\n"[..],
        b"event: e\nid: 1\ndata: a\ndata: b\n\n",
        b"data:\n\n",
    ] {
        assert_eq!(sent_on(stream).unwrap(), stream);
    }
    assert!(sent_on(b"event: a\0b\ndata: x\n\n").is_err());
}

#[test]
fn an_owned_event_says_what_the_borrowed_one_says() {
    let stream = &b"event: e\nid: 1\ndata: a\n\n"[..];
    let mut decoder = Decoder::new();
    let mut input = stream;
    let borrowed = event(decoder.decode(&mut input).unwrap());
    let owned = Decoder::new().decode_event(&mut &stream[..]).unwrap();
    assert_eq!(Some(MessageEvent::from(borrowed)), owned);
}

/// Returns the last event ID, and the one that a request can carry, after events with these ids.
fn after_ids(ids: &[&str]) -> (String, String) {
    let mut decoder = Decoder::new();
    for id in ids {
        let event = format!("id: {id}\ndata: x\n\n");
        assert!(decoder.decode(&mut event.as_bytes()).unwrap().is_some());
    }
    let (id, to_send) = (decoder.last_event_id(), decoder.last_event_id_to_send());
    (id.to_owned(), to_send.to_owned())
}

#[test]
fn the_newest_id_that_a_request_can_carry_outlives_any_number_that_it_cannot() {
    for (ids, to_send) in [
        (&["1", "2"][..], "2"),
        (&["1", "\x01"], "1"),
        (&["1", "\x01", "\x02"], "1"),
        (&["1", "\x01", "\x02", "\x03"], "1"),
        (&["1", "\x01", "2", "\x02"], "2"),
        (&["\x01", "\x02"], ""),
        (&["1", "", "\x01"], ""),
    ] {
        let last = (*ids.last().unwrap()).to_owned();
        assert_eq!(
            after_ids(ids),
            (last.clone(), to_send.to_owned()),
            "{ids:?}"
        );

        // The same is true where the application sets them.
        let mut decoder = Decoder::new();
        for id in ids {
            decoder.set_last_event_id(&EventId::new(*id).unwrap());
        }
        let (id, sent) = (decoder.last_event_id(), decoder.last_event_id_to_send());
        assert_eq!((id, sent), (&*last, to_send), "{ids:?}");
    }
}

#[test]
fn a_comment_between_the_fields_of_an_event_is_told_before_the_event() {
    let mut decoder = sse_core::Decoder::new();
    let mut input: &[u8] = b"event: a\n: between\ndata: x\n\n";
    let first = decoder.decode(&mut input).unwrap();
    let is_comment = matches!(first, Some(sse_core::Decoded::Comment(_)));
    assert!(is_comment, "the comment comes first");
    let second = decoder.decode(&mut input).unwrap();
    let Some(sse_core::Decoded::Event(event)) = second else {
        panic!("the event comes behind it")
    };
    assert_eq!((event.event_type(), event.data()), ("a", "x"));
}
