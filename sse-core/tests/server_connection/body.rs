//! Requests with a body.

use sse_core::{
    http::{Response, StatusCode},
    lifecycle::{CloseReason, Deadline},
    server::{ConnectionConfig, ConnectionEvent, Phase, ResponseBody, WrongPhase},
};

use super::{Pump, REQUEST, bytes, secs};

/// Returns a request with these header lines, and the bytes after its head.
fn post(lines: &str, rest: &str) -> Vec<u8> {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n{rest}").into_bytes()
}

/// Returns a connection that gets these bytes, `step` at a time. It asks for the body as soon as it has
/// the head.
fn asking(config: ConnectionConfig, wire: &[u8], step: usize) -> Pump {
    let mut pump = Pump::new(config);
    for piece in wire.chunks(step) {
        pump.input(piece);
        let had_request = !pump.said.is_empty();
        pump.events();
        if !had_request && pump.said == ["request"] {
            pump.connection.receive_body(pump.now).unwrap();
            pump.events();
        }
    }
    pump
}

fn limited(body_limit: usize) -> ConnectionConfig {
    let mut config = ConnectionConfig::default();
    config.response.body_limit = body_limit;
    config
}

#[test]
fn a_body_is_the_same_however_it_arrives() {
    for (lines, rest, body) in [
        ("Content-Length: 0", "", ""),
        ("Content-Length: 5", "hello", "hello"),
        ("Transfer-Encoding: chunked", "0\r\n\r\n", ""),
        (
            "Transfer-Encoding: chunked",
            "2;x=\"y\"\r\nhe\r\n003\r\nllo\r\n0\r\nTrailer: not looked at\r\n\r\n",
            "hello",
        ),
    ] {
        let wire = post(lines, rest);
        for step in [1, 7, wire.len()] {
            let mut pump = asking(limited(5), &wire, step);
            let case = format!("{rest:?} in steps of {step}");
            assert_eq!(pump.said, ["request", "body"], "{case}");
            assert_eq!(
                pump.body_received.as_deref(),
                Some(body.as_bytes()),
                "{case}"
            );
            assert_eq!(pump.connection.phase(), Phase::Responding, "{case}");
            pump.respond(Response::new(ResponseBody::event_stream()))
                .unwrap();
            pump.send("hi").unwrap();
            pump.connection.finish(pump.now).unwrap();
            pump.run();
            assert_eq!(pump.body(), "a\r\ndata: hi\n\n\r\n0\r\n\r\n", "{case}");
            assert_eq!(pump.closed, Some(CloseReason::StreamEnded), "{case}");
        }
    }
}

#[test]
fn a_body_that_is_not_as_it_should_be_is_refused_however_it_arrives() {
    let extension = format!("1;{}\r\na\r\n", "e".repeat(5000));
    let trailers = format!("0\r\na: {}\r\n\r\n", "t".repeat(17_000));
    let chunks = "Transfer-Encoding: chunked";
    for (lines, rest, status, says) in [
        ("Content-Length: 6", "", 413, "up to 5 bytes"),
        ("Content-Length: 6", "hello!", 413, "up to 5 bytes"),
        ("Content-Length: 18446744073709551615", "", 413, "5 bytes"),
        (chunks, "6\r\nhello!\r\n0\r\n\r\n", 413, "up to 5 bytes"),
        (chunks, "3\r\nabc\r\n3\r\nabc\r\n", 413, "up to 5 bytes"),
        (chunks, "x\r\n", 400, "size is not valid"),
        (chunks, "-1\r\n", 400, "size is not valid"),
        (chunks, "+1\r\n", 400, "size is not valid"),
        (chunks, "0x1\r\n", 400, "size is not valid"),
        (chunks, " 1\r\n", 400, "size is not valid"),
        (chunks, "\r\n", 400, "size is not valid"),
        (chunks, "1\na\n0\n\n", 400, "size is not valid"),
        (
            chunks,
            "00000000000000001\r\na\r\n",
            400,
            "size is not valid",
        ),
        (
            chunks,
            "10000000000000000\r\na\r\n",
            400,
            "size is not valid",
        ),
        (
            chunks,
            "1\r\nab\r\n",
            400,
            "that does not end after its size",
        ),
        (
            chunks,
            "1\r\na0\r\n\r\n",
            400,
            "that does not end after its size",
        ),
        (chunks, "1 2\r\na\r\n0\r\n\r\n", 400, "size is not valid"),
        (chunks, "1;a\0\r\na\r\n", 400, "control character"),
        (chunks, "0\r\n\n", 400, "trailers that are not"),
        (chunks, "0\r\na: b\rc\r\n\r\n", 400, "trailers that are not"),
        (chunks, "0\r\na: \0\r\n\r\n", 400, "trailers that are not"),
        (chunks, &extension, 400, "extensions"),
        (chunks, &trailers, 431, "trailers"),
        // The head alone reveals these.
        (
            "Content-Length: 1\r\nTransfer-Encoding: chunked",
            "0\r\n\r\n",
            400,
            "both",
        ),
        (
            "Content-Length: 1\r\nContent-Length: 1",
            "a",
            400,
            "more than one",
        ),
        ("Content-Length: +1", "a", 400, "not a number"),
        (
            "Transfer-Encoding: gzip, chunked",
            "0\r\n\r\n",
            501,
            "coding",
        ),
    ] {
        let wire = post(lines, rest);
        for step in [1, 7, wire.len()] {
            let case = format!("{lines:?} {:.40} in steps of {step}", format!("{rest:?}"));
            let mut pump = asking(limited(5), &wire, step);
            pump.run();
            assert_eq!(pump.status(), status.to_string(), "{case}");
            assert!(pump.body().contains(says), "{case}: {}", pump.body());
            assert_eq!(pump.body_received, None, "{case}");
            assert_eq!(pump.connection.phase(), Phase::Lingering, "{case}");
            // The client may still be sending: the response must not be lost to a reset.
            pump.pass(secs(1));
            pump.run();
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(pump.closed, Some(CloseReason::Rejected(status)), "{case}");
        }
    }
}

#[test]
fn bytes_after_a_body_are_not_a_second_request() {
    for lines in [
        post("Content-Length: 5", "hello"),
        post("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"),
    ] {
        let wire = [&lines, REQUEST].concat();
        for step in [1, 7, wire.len()] {
            let mut pump = asking(ConnectionConfig::default(), &wire, step);
            pump.input(REQUEST);
            pump.respond(Response::new(ResponseBody::event_stream()))
                .unwrap();
            pump.input(REQUEST);
            pump.run();
            assert_eq!(pump.said, ["request", "body"]);
            assert_eq!(pump.body_received.as_deref(), Some(&b"hello"[..]));
            assert_eq!(pump.text().matches("HTTP/1.1 ").count(), 1);
        }
    }
}

#[test]
fn a_body_may_be_there_before_it_is_asked_for() {
    let mut pump = Pump::default();
    pump.input(&post("Content-Length: 5", "hel"));
    pump.input(b"lo");
    pump.events();
    assert_eq!(pump.said, ["request"]);
    assert_eq!(pump.connection.phase(), Phase::Responding);
    pump.connection.receive_body(pump.now).unwrap();
    assert_eq!(pump.connection.phase(), Phase::Responding);
    pump.events();
    assert_eq!(pump.body_received.as_deref(), Some(&b"hello"[..]));

    // The same is true of a fault.
    let mut pump = Pump::default();
    pump.input(&post("Transfer-Encoding: chunked", "nonsense"));
    pump.events();
    pump.connection.receive_body(pump.now).unwrap();
    pump.run();
    assert_eq!(pump.status(), "400");
}

#[test]
fn a_body_that_is_not_asked_for_is_discarded() {
    let mut pump = Pump::default();
    pump.input(&post("Content-Length: 5", "hello"));
    pump.respond(Response::new(ResponseBody::Whole("no need".into())))
        .unwrap();
    pump.run();
    assert_eq!(pump.status(), "200");
    assert_eq!(pump.said, ["request", "end output"]);
    // All of the request came, so there is nothing to wait for.
    assert_eq!(pump.closed, Some(CloseReason::ResponseSent));

    let mut pump = Pump::default();
    pump.input(&post("Content-Length: 5", "hel"));
    pump.respond(Response::new(ResponseBody::Whole("no need".into())))
        .unwrap();
    pump.run();
    assert_eq!(pump.closed, None, "the rest of it is still on its way");
    pump.pass(secs(1));
    pump.run();
    assert_eq!(pump.closed, Some(CloseReason::ResponseSent));
}

#[test]
fn a_request_without_a_body_has_an_empty_one_and_only_once() {
    let mut pump = Pump::in_phase(Phase::Responding);
    pump.connection.receive_body(pump.now).unwrap();
    pump.events();
    assert_eq!(pump.body_received.as_deref(), Some(&b""[..]));
    assert_eq!(
        pump.connection.receive_body(pump.now),
        Err(WrongPhase {
            call: "receive_body",
            phase: Phase::Responding
        })
    );
    pump.events();
    assert_eq!(pump.said, ["request", "body"]);
}

// ---- Expect: 100-continue ----

const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

#[test]
fn a_client_that_waits_is_told_to_go_on_once_the_body_is_wanted() {
    for most in [1, 7, usize::MAX] {
        let mut pump = Pump::default();
        pump.input(&post("Content-Length: 5\r\nExpect: 100-Continue", ""));
        pump.run();
        assert_eq!(pump.wire, b"", "the application has not asked yet");
        pump.connection.receive_body(pump.now).unwrap();
        pump.write_by(most);
        assert_eq!(pump.text(), CONTINUE);
        assert_eq!(pump.connection.queued(), 0);
        pump.input(b"hello");
        pump.events();
        assert_eq!(pump.body_received.as_deref(), Some(&b"hello"[..]));
        pump.respond(Response::new(ResponseBody::event_stream()))
            .unwrap();
        pump.run();
        assert!(
            pump.text()
                .starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
        );
        assert_eq!(pump.text().matches("100").count(), 1);
    }
}

#[test]
fn an_interim_response_that_is_half_written_stays_whole() {
    for half in 0..CONTINUE.len() {
        let mut pump = Pump::default();
        pump.input(&post("Content-Length: 5\r\nExpect: 100-continue", ""));
        pump.connection.receive_body(pump.now).unwrap();
        let interim = bytes(&pump.connection.poll_transmit());
        pump.wire.extend_from_slice(&interim[..half]);
        pump.connection.handle_transmitted(pump.now, half);
        pump.input(b"hello");
        pump.events();
        pump.respond(Response::new(ResponseBody::event_stream()))
            .unwrap();
        pump.send("hi").unwrap();
        pump.connection.finish(pump.now).unwrap();
        pump.run();
        let text = pump.text();
        let response = text
            .strip_prefix(CONTINUE)
            .unwrap_or_else(|| panic!("{half}: {text}"));
        assert!(
            response.starts_with("HTTP/1.1 200 OK\r\n"),
            "{half}: {text}"
        );
        assert!(
            response.ends_with("\r\n\r\na\r\ndata: hi\n\n\r\n0\r\n\r\n"),
            "{half}: {text}"
        );
        assert_eq!(pump.closed, Some(CloseReason::StreamEnded));
    }
}

#[test]
fn clients_that_get_no_100() {
    let wants = "Content-Length: 5\r\nExpect: 100-continue";
    // These are clients that do not wait, that have begun to send, whose body is too large, and of
    // HTTP/1.0.
    for wire in [
        post("Content-Length: 5", ""),
        post("Content-Length: 5\r\nExpect: the unexpected", ""),
        post(wants, "h"),
        post("Content-Length: 5000000\r\nExpect: 100-continue", ""),
        format!("POST / HTTP/1.0\r\n{wants}\r\n\r\n").into_bytes(),
    ] {
        let mut pump = Pump::default();
        pump.input(&wire);
        pump.events();
        pump.connection.receive_body(pump.now).unwrap();
        pump.run();
        assert!(!pump.text().contains("100"), "{}", pump.text());
    }
    // A final response makes it unnecessary.
    let mut pump = Pump::default();
    pump.input(&post(wants, ""));
    pump.respond(Response::new(ResponseBody::Whole("no".into())))
        .unwrap();
    pump.run();
    assert!(pump.text().starts_with("HTTP/1.1 200 OK\r\n"));
}

// ---- deadlines and bounds ----

#[test]
fn a_body_that_trickles_in_meets_the_deadline() {
    let mut pump = Pump::default();
    pump.input(&post("Content-Length: 5000", ""));
    pump.events();
    // The time before the application asks for it does not count.
    pump.pass(secs(20));
    pump.connection.receive_body(pump.now).unwrap();
    for _ in 0..29 {
        pump.input(b"x");
        pump.pass(secs(1));
    }
    assert_eq!(pump.connection.phase(), Phase::Body);
    pump.pass(secs(1));
    pump.run();
    assert_eq!(pump.status(), "408");
    pump.pass(secs(1));
    pump.run();
    assert_eq!(pump.closed, Some(CloseReason::TimedOut(Deadline::Body)));
    drop(pump.connection);
    let told = pump.cleaned_up.lock().unwrap();
    assert_eq!(*told, [CloseReason::TimedOut(Deadline::Body)]);
}

#[test]
fn the_handlers_time_begins_with_the_end_of_the_body() {
    let mut pump = Pump::default();
    pump.input(&post("Content-Length: 5", ""));
    pump.connection.receive_body(pump.now).unwrap();
    pump.pass(secs(29));
    pump.input(b"hello");
    pump.pass(secs(29));
    assert_eq!(pump.connection.phase(), Phase::Responding);
    pump.pass(secs(1));
    pump.run();
    assert_eq!(pump.status(), "503");
}

#[test]
fn a_client_that_does_not_read_its_100_is_cut() {
    let mut config = ConnectionConfig::default();
    config.response.body_timeout = secs(1000);
    let mut pump = Pump::new(config);
    pump.input(&post("Content-Length: 5\r\nExpect: 100-continue", ""));
    pump.events();
    pump.connection.receive_body(pump.now).unwrap();
    pump.pass(secs(30));
    pump.run();
    assert_eq!(pump.closed, Some(CloseReason::TimedOut(Deadline::Stall)));
}

#[test]
fn a_body_fits_exactly_or_not_at_all() {
    for (limit, fits) in [(4, false), (5, true), (6, true)] {
        for wire in [
            post("Content-Length: 5", "hello"),
            post("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"),
        ] {
            let mut pump = asking(limited(limit), &wire, usize::MAX);
            pump.run();
            assert_eq!(pump.body_received.is_some(), fits, "{limit}");
            assert_eq!(pump.status() == "413", !fits, "{limit}");
        }
    }
}

#[test]
fn a_client_that_leaves_before_the_end_of_its_body_has_gone_away() {
    let mut pump = Pump::in_phase(Phase::Body);
    pump.input(b"hel");
    pump.connection.handle_eof(pump.now);
    pump.run();
    assert_eq!(pump.wire, b"");
    assert_eq!(pump.body_received, None);
    assert_eq!(pump.closed, Some(CloseReason::ClientWentAway));
}

#[test]
fn the_body_is_told_after_the_request() {
    let mut pump = Pump::default();
    pump.input(&post("Content-Length: 5", "hello"));
    pump.connection.receive_body(pump.now).unwrap();
    let first = pump.connection.poll_event(pump.now);
    assert!(
        matches!(first, Some(ConnectionEvent::Request(_))),
        "{first:?}"
    );
    let second = pump.connection.poll_event(pump.now);
    assert!(
        matches!(second, Some(ConnectionEvent::RequestBody(_))),
        "{second:?}"
    );
    assert!(pump.connection.poll_event(pump.now).is_none());
}
