//! The behaviour of a decoder at its bounds, for whole streams and byte by byte.

#[cfg(feature = "server")]
use sse_core::http::{HeadLimits, RequestHeadReader};
use sse_core::{DecodeBound, Decoded, Decoder, DecoderLimits, MessageEvent};

/// The data of each event, and each bound that was exceeded.
type Outcome = Vec<Result<String, DecodeBound>>;

fn decode<'c>(decoder: &mut Decoder, chunks: impl IntoIterator<Item = &'c [u8]>) -> Outcome {
    let mut outcome = Vec::new();
    for mut input in chunks {
        loop {
            outcome.push(match decoder.decode(&mut input) {
                Ok(Some(Decoded::Event(event))) => Ok(event.data().to_owned()),
                Ok(Some(Decoded::IdTooLong(error))) => Err(error.bound()),
                Ok(Some(_)) => continue,
                Ok(None) => break,
                Err(error) => Err(error.bound()),
            });
        }
    }
    outcome
}

/// Returns the last event ID and the outcome, which must be the same however the stream is cut.
fn outcome(limits: DecoderLimits, stream: &str) -> (String, Outcome) {
    let [whole, in_bytes] = [stream.len(), 1].map(|size| {
        let mut decoder = Decoder::with_limits(limits);
        let outcome = decode(&mut decoder, stream.as_bytes().chunks(size));
        (decoder.last_event_id().to_owned(), outcome)
    });
    assert_eq!(whole, in_bytes, "{stream:?}");
    whole
}

fn ok(data: &str) -> Result<String, DecodeBound> {
    Ok(data.to_owned())
}

/// Fuzzing found this, in the decoder that the fuzz target compares with.
#[test]
fn a_second_byte_order_mark_counts_as_text() {
    let limits = DecoderLimits::default().with_line(1);
    for stream in ["\u{FEFF}\u{FEFF}", "\u{FEFF}\u{FEFF}\n\n"] {
        let expected = vec![Err(DecodeBound::Line)];
        assert_eq!(outcome(limits, stream).1, expected, "{stream:?}");
    }
}

#[test]
fn an_error_tells_how_many_bytes_its_bound_allows() {
    let limits = DecoderLimits::default()
        .with_line(30)
        .with_event(20)
        .with_id(10);
    let long = "x".repeat(25);
    for (stream, bound, limit) in [
        (format!("data: {long}{long}\n\n"), DecodeBound::Line, 30),
        (format!("data:{long}\n\n"), DecodeBound::Event, 20),
        (format!("id:{long}\n\n"), DecodeBound::Id, 10),
    ] {
        let mut decoder = Decoder::with_limits(limits);
        let error = match decoder.decode(&mut stream.as_bytes()) {
            Ok(Some(Decoded::IdTooLong(error))) | Err(error) => error,
            other => panic!("{other:?}"),
        };
        assert_eq!((error.bound(), error.limit()), (bound, limit));
    }
}

#[test]
fn at_a_bound_is_within_it_and_past_it_is_an_error() {
    let none = DecoderLimits::default();
    let line = DecodeBound::Line;
    let event = DecodeBound::Event;
    for (limits, stream, expected) in [
        // The bound is on any line, without its end.
        (none.with_line(7), "data:ab\n\n", ok("ab")),
        (none.with_line(7), "data:ab\r\n\r\n", ok("ab")),
        (none.with_line(7), "data:abc\n\n", Err(line)),
        (none.with_line(7), ":comment\n\n", Err(line)),
        (none.with_line(7), "unknown: x\n\n", Err(line)),
        (none.with_line(7), "\u{FEFF}data:ab\n\n", ok("ab")),
        // The bound is on the data with the line feeds between the lines, and the event type.
        (none.with_event(5), "data: 12345\n\n", ok("12345")),
        (none.with_event(5), "data: 123456\n\n", Err(event)),
        (none.with_event(5), "data: 12\ndata: 45\n\n", ok("12\n45")),
        (none.with_event(5), "data: 12\ndata: 456\n\n", Err(event)),
        (
            none.with_event(5),
            "data: 123\ndata:\ndata:\n\n",
            ok("123\n\n"),
        ),
        (
            none.with_event(5),
            "data: 123\ndata:\ndata:\ndata:\n\n",
            Err(event),
        ),
        (none.with_event(5), "event: abc\ndata: 12\n\n", ok("12")),
        (none.with_event(5), "event: abc\ndata: 123\n\n", Err(event)),
        (none.with_event(5), "data: 12\nevent: abcd\n\n", Err(event)),
        (
            none.with_event(5),
            "event: abcd\nevent: a\ndata: 1234\n\n",
            ok("1234"),
        ),
        (none.with_event(5), "event: abcdef\n\n", Err(event)),
        (
            none.with_event(5),
            "id: 123456\nx: 123456\ndata: 1\n\n",
            ok("1"),
        ),
        // The bound is on the id. An id with a NUL is ignored, and may be as long as its line.
        (none.with_id(3), "id: 123\ndata: x\n\n", ok("x")),
        (none.with_id(3), "id: 1234\0\ndata: x\n\n", ok("x")),
        // The first bound that is exceeded is the one that is reported.
        (
            none.with_line(9).with_event(3),
            "data: 12345\n\n",
            Err(line),
        ),
        (none.with_line(9).with_event(2), "data: 123\n\n", Err(event)),
    ] {
        assert_eq!(outcome(limits, stream).1, [expected], "{stream:?}");
    }
}

#[test]
fn text_counts_with_its_replacements() {
    let limits = DecoderLimits::default().with_event(6).with_id(6);
    for (stream, expected) in [
        (&b"data: \xFF\xFF\n\n"[..], ok("\u{FFFD}\u{FFFD}")),
        (b"data: \xFF\xFFx\n\n", Err(DecodeBound::Event)),
        (b"event: \xFF\xFFx\ndata\n\n", Err(DecodeBound::Event)),
    ] {
        let mut decoder = Decoder::with_limits(limits);
        assert_eq!(decode(&mut decoder, [stream]), [expected]);
        assert_eq!(decode(&mut decoder, [&b"data: x\n\n"[..]]), [ok("x")]);
    }
    let mut decoder = Decoder::with_limits(limits);
    let outcome = decode(&mut decoder, [&b"id: \xFF\xFFx\ndata\n\n"[..]]);
    assert_eq!(outcome, [Err(DecodeBound::Id), ok("")]);
}

#[test]
fn an_id_past_its_bound_is_told_and_does_not_cost_its_event() {
    let limits = DecoderLimits::default().with_id(3);
    let id = DecodeBound::Id;
    for (event, last_event_id) in [
        ("id: 1234\ndata: b\n\n", "1"),
        ("data: b\nid: 1234\n\n", "1"),
        ("event: e\nid: 1234\nretry: 5\ndata: b\n\n", "1"),
        // The event counts as if it were not there.
        ("id: 2\nid: 1234\ndata: b\n\n", "2"),
        ("id: 1234\nid: 2\ndata: b\n\n", "2"),
    ] {
        let stream = format!("id: 1\ndata: a\n\n{event}data: c\n\n");
        let expected = (
            last_event_id.to_owned(),
            vec![ok("a"), Err(id), ok("b"), ok("c")],
        );
        assert_eq!(outcome(limits, &stream), expected, "{event:?}");
    }
    // The bound is reported before the event comes, because its id comes before it is complete.
    let mut decoder = Decoder::with_limits(limits);
    assert_eq!(decode(&mut decoder, [&b"id: 1234\n"[..]]), [Err(id)]);
    let mut input = &b"data: b\n\n"[..];
    let event = decoder.decode_event(&mut input).unwrap().unwrap();
    assert_eq!((event.data(), event.last_event_id()), ("b", ""));
}

#[test]
fn events_by_themselves_come_whatever_their_ids_are() {
    let mut decoder = Decoder::with_limits(DecoderLimits::default().with_id(3));
    let mut input = &b"id: 1234\ndata: a\n\nid: 2\ndata: b\n\n"[..];
    for expected in ["a", "b"] {
        let event = decoder.decode_event(&mut input).unwrap().unwrap();
        assert_eq!(event.data(), expected);
    }
}

/// A client can send the longest id that is kept: this crate's server accepts the request.
#[cfg(feature = "server")]
#[test]
fn by_default_the_longest_id_fits_into_a_request() {
    let id = "x".repeat(DecoderLimits::default().id());
    let head = format!(
        "GET /{} HTTP/1.1\r\nhost: example.org\r\nlast-event-id: {id}\r\n\r\n",
        "path/".repeat(1000)
    );
    let mut reader = RequestHeadReader::new(HeadLimits::default());
    let read = reader.read(&mut head.as_bytes()).unwrap().unwrap();
    assert_eq!(read.request().headers()["last-event-id"], id.as_str());
}

#[test]
fn an_event_past_a_bound_counts_as_never_sent() {
    let long = "x".repeat(100);
    for rest in [
        format!("data: {long}\n\n"),
        format!("data: {long}"),
        format!(": {long}\nid: 3\nretry: 1\n: a comment\ndata: {long}\ndata: x\n\n"),
        format!("{long}\r\r"),
        format!("{long}\r\n\r\n"),
    ] {
        let limits = DecoderLimits::default().with_line(20);
        let stream = format!("id: 1\ndata: first\n\nevent: e\ndata: 2\nid: 2\n{rest}");
        let (last_event_id, events) = outcome(limits, &stream);
        assert_eq!(events, [ok("first"), Err(DecodeBound::Line)], "{rest:?}");
        assert_eq!(last_event_id, "1", "{rest:?}");
    }
}

#[test]
fn an_event_too_large_for_its_replacements_counts_as_never_sent() {
    let mut decoder = Decoder::with_limits(DecoderLimits::default().with_event(5));
    let mut input = &b"event: e\nid: 2\ndata: \xFF\xFF\n\ndata: next\n\n"[..];
    let error = decoder.decode(&mut input).unwrap_err();
    assert_eq!(error.bound(), DecodeBound::Event);
    let event = decoder.decode_event(&mut input).unwrap().unwrap();
    let (event_type, data) = (event.event_type(), event.data());
    assert_eq!(
        (event_type, data, event.last_event_id()),
        ("message", "next", "")
    );
}

#[test]
fn decoding_goes_on_at_the_next_event() {
    let limits = DecoderLimits::default().with_line(10);
    let long = "x".repeat(11);
    let stream = format!(
        "id: 1\ndata: a\n\ndata: {long}\ndata: b\n\ndata: c\n\n{long}\r\r\n{long}\n\ndata: d\r\r"
    );
    let line = DecodeBound::Line;
    let expected = [ok("a"), Err(line), ok("c"), Err(line), Err(line), ok("d")];
    assert_eq!(outcome(limits, &stream), ("1".into(), expected.into()));
}

#[test]
fn an_error_comes_as_soon_as_the_line_is_too_long() {
    let mut decoder = Decoder::with_limits(DecoderLimits::default().with_line(10));
    assert_eq!(decode(&mut decoder, [&b"data: 7890"[..]]), []);
    assert_eq!(decode(&mut decoder, [&b"1"[..]]), [Err(DecodeBound::Line)]);
    assert_eq!(
        decode(&mut decoder, [&b"2\n"[..], b"\r\ndata: x\n\n"]),
        [ok("x")]
    );
}

#[test]
fn an_error_comes_with_the_line_that_makes_the_event_too_large() {
    for line in ["data: 456\n", "event: abcd\n"] {
        let mut decoder = Decoder::with_limits(DecoderLimits::default().with_event(5));
        let outcome = decode(&mut decoder, [&b"data: 12\n"[..], line.as_bytes()]);
        assert_eq!(outcome, [Err(DecodeBound::Event)], "{line:?}");
    }
}

#[test]
fn a_new_stream_has_nothing_to_discard() {
    let mut decoder = Decoder::with_limits(DecoderLimits::default().with_line(10));
    decode(&mut decoder, [&b"data: 7890123"[..]]);
    decoder.restart();
    assert_eq!(decode(&mut decoder, [&b"data: x\n\n"[..]]), [ok("x")]);
}

#[test]
fn an_error_says_what_to_do() {
    for (limits, stream, expected) in [
        (
            DecoderLimits::default().with_line(10),
            "data: 7890123\n\n",
            "a line in the event stream is longer than 10 bytes, and its event was discarded; \
             call the decoder again for the next event, or raise the bound with DecoderLimits::with_line",
        ),
        (
            DecoderLimits::default().with_event(3),
            "data: 1234\n\n",
            "an event in the event stream is longer than 3 bytes, and was discarded; \
             call the decoder again for the next event, or raise the bound with DecoderLimits::with_event",
        ),
        (
            DecoderLimits::default().with_id(3),
            "id: 1234\n\n",
            "an id in the event stream is longer than 3 bytes, and the last event ID stays \
             unchanged; call the decoder again for its event, or raise the bound with DecoderLimits::with_id",
        ),
    ] {
        let mut decoder = Decoder::with_limits(limits);
        let error = match decoder.decode(&mut stream.as_bytes()) {
            Ok(Some(Decoded::IdTooLong(error))) | Err(error) => error,
            other => panic!("{other:?}"),
        };
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn by_default_a_line_of_14_mb_passes_in_any_chunks() {
    let data = "0123456789".repeat(1_400_000);
    let stream = format!("data: {data}\n\n");
    for size in [16, 1460, stream.len()] {
        let mut decoder = Decoder::new();
        let events = decode(&mut decoder, stream.as_bytes().chunks(size));
        assert!(events == [ok(&data)], "in chunks of {size} bytes");
    }
}

#[test]
fn the_defaults_are_as_documented() {
    let limits = DecoderLimits::default();
    let mib = 1024 * 1024;
    assert_eq!(
        (limits.line(), limits.event(), limits.id()),
        (16 * mib, 16 * mib, 8 * 1024)
    );

    let line = |length| format!("data: {}\n\n", "x".repeat(length - "data: ".len()));
    assert!(matches!(outcome_of(&line(16 * mib)), Ok(Some(_))));
    assert!(outcome_of(&line(16 * mib + 1)).is_err());

    let half = line(8 * mib);
    let event = |rest: usize| format!("{}data: {}\n\n", &half[..half.len() - 1], "x".repeat(rest));
    let held = 8 * mib - "data: ".len() + "\n".len();
    assert!(matches!(outcome_of(&event(16 * mib - held)), Ok(Some(_))));
    assert!(outcome_of(&event(16 * mib - held + 1)).is_err());
}

fn outcome_of(stream: &str) -> Result<Option<MessageEvent>, sse_core::DecodeError> {
    Decoder::new().decode_event(&mut stream.as_bytes())
}

#[test]
fn a_reconnection_time_before_the_fault_has_been_reported() {
    let mut decoder = Decoder::with_limits(DecoderLimits::default().with_event(1));
    let mut input = &b"retry: 5\ndata: 12\nretry: 6\n\n: c\n"[..];
    assert!(matches!(
        decoder.decode(&mut input),
        Ok(Some(Decoded::ReconnectionTime(_)))
    ));
    assert!(decoder.decode(&mut input).is_err());
    assert_eq!(decoder.decode(&mut input), Ok(Some(Decoded::Comment(" c"))));
    assert_eq!(decoder.reconnection_time().unwrap().as_millis(), 5);
}
