//! From a request to the end of its response, ended by either side.

use std::error::Error;

use super::*;

#[test]
fn an_event_stream_from_head_to_end() {
    let mut pump = Pump::streaming(ConnectionConfig::default());
    assert_eq!(pump.connection.phase(), Phase::Streaming);
    pump.run();
    pump.send("one").unwrap();
    pump.send("two").unwrap();
    pump.run();
    pump.send("three").unwrap();
    pump.connection.finish(pump.now).unwrap();
    pump.run();

    // One flush is one chunk, however many events it has.
    assert_eq!(
        pump.body(),
        "16\r\ndata: one\n\ndata: two\n\n\r\nd\r\ndata: three\n\n\r\n0\r\n\r\n"
    );
    let text = pump.text().to_lowercase();
    assert!(text.starts_with("http/1.1 200 ok\r\n"), "{text}");
    for field in [
        "content-type: text/event-stream",
        "cache-control: no-cache, no-transform",
        "x-accel-buffering: no",
        "transfer-encoding: chunked",
        "connection: close",
        "date: sun, 06 nov 1994 08:49:37 gmt",
    ] {
        assert_eq!(
            text.matches(&format!("\r\n{field}\r\n")).count(),
            1,
            "{field}"
        );
    }
    assert_eq!(
        text.split("\r\n\r\n").next().unwrap().lines().count(),
        7,
        "{text}"
    );
    assert_eq!(pump.said, ["request", "end output"]);
    assert_eq!(pump.closed, Some(CloseReason::StreamEnded));
    assert_eq!(pump.connection.poll_timeout(), None);
}

#[test]
fn any_size_of_write_gives_the_same_bytes() {
    let whole = {
        let mut pump = Pump::streaming(ConnectionConfig::default());
        pump.send("one\ntwo").unwrap();
        pump.connection.finish(pump.now).unwrap();
        pump.run();
        pump.wire
    };
    for most in 1..whole.len() {
        let mut pump = Pump::streaming(ConnectionConfig::default());
        pump.send("one\ntwo").unwrap();
        pump.connection.finish(pump.now).unwrap();
        pump.write_by(most);
        pump.events();
        assert_eq!(pump.wire, whole, "{most} at a time");
        assert_eq!(pump.closed, Some(CloseReason::StreamEnded));
    }
}

#[test]
fn events_sent_while_a_chunk_is_half_written_come_after_it_whole() {
    for half in 1..20 {
        let mut pump = Pump::streaming(ConnectionConfig::default());
        pump.run();
        pump.wire.clear();
        pump.send("one").unwrap();
        let first = bytes(&pump.connection.poll_transmit());
        let half = half.min(first.len());
        pump.wire.extend_from_slice(&first[..half]);
        pump.connection.handle_transmitted(pump.now, half);
        pump.send("two").unwrap();
        pump.connection.finish(pump.now).unwrap();
        pump.run();
        assert_eq!(
            pump.text(),
            "b\r\ndata: one\n\n\r\nb\r\ndata: two\n\n\r\n0\r\n\r\n",
            "{half} bytes first"
        );
    }
}

#[test]
fn http_1_0_gets_a_body_that_ends_with_the_connection() {
    let mut pump = Pump::default();
    pump.input(b"GET / HTTP/1.0\r\n\r\n");
    pump.respond(Response::new(ResponseBody::event_stream()))
        .unwrap();
    pump.send("one").unwrap();
    pump.connection.finish(pump.now).unwrap();
    pump.run();
    assert_eq!(pump.body(), "data: one\n\n");
    assert!(!pump.text().to_lowercase().contains("transfer-encoding"));
    assert_eq!(pump.closed, Some(CloseReason::StreamEnded));
}

#[test]
fn head_gets_the_fields_and_no_body() {
    let mut pump = Pump::default();
    pump.input(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    pump.respond(Response::new(ResponseBody::event_stream()))
        .unwrap();
    assert_eq!(pump.connection.phase(), Phase::Delivering);
    pump.run();
    assert!(pump.text().contains("content-type: text/event-stream"));
    assert_eq!(pump.body(), "");
    assert_eq!(pump.closed, Some(CloseReason::ResponseSent));

    let mut pump = Pump::default();
    pump.input(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    pump.respond(Response::new(ResponseBody::Whole("page".into())))
        .unwrap();
    pump.run();
    assert!(pump.text().contains("content-length: 4\r\n"));
    assert_eq!(pump.body(), "");
}

#[test]
fn a_status_without_a_body_opens_no_stream() {
    for status in [204, 205, 304] {
        let mut response = Response::new(ResponseBody::event_stream());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        let mut pump = Pump::default();
        pump.input(REQUEST);
        pump.respond(response).unwrap();
        pump.run();
        assert_eq!(pump.body(), "", "{status}");
        assert_eq!(pump.closed, Some(CloseReason::ResponseSent));
    }
}

#[test]
fn a_status_without_a_body_has_no_length() {
    for status in [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED] {
        let mut pump = Pump::default();
        pump.input(REQUEST);
        let mut response = Response::new(ResponseBody::Whole("not sent".into()));
        *response.status_mut() = status;
        pump.respond(response).unwrap();
        pump.run();
        assert_eq!(pump.status(), status.as_str());
        assert_eq!(pump.body(), "");
        let head = pump.text().to_lowercase();
        assert!(!head.contains("content-length"), "{head}");
        assert_eq!(pump.closed, Some(CloseReason::ResponseSent));
    }
}

#[test]
fn every_answer_has_a_date_whatever_it_interrupts() {
    let no_request = || {
        let mut pump = Pump::default();
        pump.input(b"no request\r\n\r\n");
        pump
    };
    let no_body = || {
        let mut pump = Pump::in_phase(Phase::Body);
        pump.pass(secs(30));
        pump
    };
    let no_answer = || {
        let mut pump = Pump::in_phase(Phase::Responding);
        pump.pass(secs(30));
        pump
    };
    for (status, mut pump) in [
        ("400", no_request()),
        ("408", no_body()),
        ("503", no_answer()),
    ] {
        pump.write();
        assert_eq!(pump.status(), status);
        let head = pump.text().to_lowercase();
        assert!(head.contains("\r\ndate: sun, 06 nov 1994 08:"), "{head}");
    }
}

#[test]
fn an_interim_status_is_refused() {
    let mut response = Response::new(ResponseBody::event_stream());
    *response.status_mut() = StatusCode::EARLY_HINTS;
    let mut pump = Pump::in_phase(Phase::Responding);
    let error = pump.respond(response).unwrap_err();
    assert_eq!(error, RespondError::InterimStatus(StatusCode::EARLY_HINTS));
    assert_eq!(pump.connection.phase(), Phase::Responding);
}

#[test]
fn a_handlers_own_fields_win_except_over_the_framing() {
    let mut response = Response::new(ResponseBody::event_stream());
    for (name, value) in [
        ("cache-control", "no-store"),
        ("set-cookie", "a=1"),
        ("transfer-encoding", "gzip"),
        ("content-length", "7"),
        ("connection", "keep-alive"),
    ] {
        response
            .headers_mut()
            .append(name, HeaderValue::from_static(value));
    }
    let mut pump = Pump::default();
    pump.input(REQUEST);
    pump.respond(response).unwrap();
    pump.run();
    let text = pump.text();
    for field in [
        "cache-control: no-store",
        "set-cookie: a=1",
        "transfer-encoding: chunked",
    ] {
        assert!(
            text.contains(&format!("\r\n{field}\r\n")),
            "{field} in {text}"
        );
    }
    for field in ["no-cache", "gzip", "content-length", "keep-alive"] {
        assert!(!text.contains(field), "{field} in {text}");
    }
}

#[test]
fn bytes_after_the_head_are_not_a_second_request() {
    let mut pump = Pump::default();
    pump.input(&[REQUEST, REQUEST].concat());
    pump.events();
    pump.respond(Response::new(ResponseBody::event_stream()))
        .unwrap();
    pump.input(REQUEST);
    pump.run();
    assert_eq!(pump.said, ["request"]);
    assert_eq!(pump.connection.phase(), Phase::Streaming);
}

#[test]
fn a_client_that_goes_away_ends_every_phase_but_draining() {
    for phase in [Phase::Head, Phase::Responding, Phase::Streaming] {
        let mut pump = Pump::in_phase(phase);
        pump.connection.handle_eof(pump.now);
        pump.run();
        assert_eq!(pump.closed, Some(CloseReason::ClientWentAway), "{phase:?}");
        drop(pump.connection);
        assert_eq!(
            *pump.cleaned_up.lock().unwrap(),
            [CloseReason::ClientWentAway]
        );
    }
    // A client that has only closed its sending half gets the queued bytes.
    let mut pump = Pump::in_phase(Phase::Delivering);
    pump.connection.handle_eof(pump.now);
    pump.run();
    assert!(pump.text().ends_with("0\r\n\r\n"));
    assert!(!pump.broken_off, "the stream ended properly");
    assert_eq!(pump.closed, Some(CloseReason::StreamEnded));
}

#[test]
fn a_reset_before_everything_is_delivered_is_the_reason() {
    let mut pump = Pump::in_phase(Phase::Delivering);
    pump.connection
        .handle_transport_error(pump.now, io::ErrorKind::ConnectionReset.into());
    pump.run();
    assert_eq!(pump.closed, Some(CloseReason::ClientWentAway));
}

#[test]
fn a_transport_that_times_out_has_found_a_stall() {
    let mut pump = Pump::in_phase(Phase::Streaming);
    pump.connection
        .handle_transport_error(pump.now, io::ErrorKind::TimedOut.into());
    pump.run();
    assert_eq!(pump.closed, Some(CloseReason::TimedOut(Deadline::Stall)));
}

#[test]
fn a_dropped_connection_says_so_to_clean_up() {
    let pump = Pump::in_phase(Phase::Streaming);
    let log = pump.cleaned_up.clone();
    drop(pump);
    assert_eq!(*log.lock().unwrap(), [CloseReason::TaskDropped]);
}

#[test]
fn a_connection_that_is_dropped_once_the_client_has_everything_keeps_its_reason() {
    let mut pump = Pump::new(ConnectionConfig::default());
    pump.input(POST);
    pump.events();
    pump.respond(Response::new(ResponseBody::Whole("early".into())))
        .unwrap();
    pump.run();
    assert_eq!(pump.connection.phase(), Phase::Lingering);
    let log = pump.cleaned_up.clone();
    drop(pump);
    assert_eq!(*log.lock().unwrap(), [CloseReason::ResponseSent]);
}

#[test]
fn an_aborted_stream_delivers_what_is_queued_and_breaks_off() {
    let mut pump = Pump::streaming(ConnectionConfig::default());
    pump.send("one").unwrap();
    let reason = CloseReason::StreamError("no more".into());
    pump.connection.abort(pump.now, reason.clone()).unwrap();
    pump.run();
    assert_eq!(pump.body(), "b\r\ndata: one\n\n\r\n", "and no last chunk");
    assert!(pump.broken_off);
    assert_eq!(pump.closed, Some(reason));
}

#[test]
fn an_abort_before_the_answer_is_a_500() {
    let mut pump = Pump::in_phase(Phase::Responding);
    pump.connection
        .abort(pump.now, CloseReason::HandlerPanicked)
        .unwrap();
    pump.run();
    assert_eq!(pump.status(), "500");
    assert!(!pump.broken_off, "the answer is whole");
    assert_eq!(pump.closed, Some(CloseReason::HandlerPanicked));
}

#[test]
fn close_cuts_at_once() {
    let mut pump = Pump::streaming(ConnectionConfig::default());
    pump.send("never seen").unwrap();
    pump.connection
        .close(pump.now, CloseReason::Shutdown)
        .unwrap();
    pump.run();
    assert_eq!(pump.wire, b"");
    assert_eq!(pump.said, ["end output"; 0]);
    assert_eq!(pump.closed, Some(CloseReason::Shutdown));
}

#[test]
fn a_shutdown_before_the_answer_is_a_503() {
    for phase in [Phase::Body, Phase::Responding] {
        let mut pump = Pump::in_phase(phase);
        pump.connection
            .abort(pump.now, CloseReason::Shutdown)
            .unwrap();
        pump.run();
        assert_eq!(pump.status(), "503");
        pump.pass(secs(1));
        pump.run();
        assert_eq!(pump.closed, Some(CloseReason::Shutdown));
    }
}

#[test]
fn an_extension_that_panics_leaves_nothing_half_done() {
    #[derive(Clone)]
    struct PanicsWhenDropped;
    impl Drop for PanicsWhenDropped {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }
    for body in [
        ResponseBody::event_stream(),
        ResponseBody::Whole("whole".into()),
    ] {
        let mut pump = Pump::in_phase(Phase::Responding);
        let mut response = Response::new(body);
        response.extensions_mut().insert(PanicsWhenDropped);
        let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _ = pump.respond(response);
        }));
        assert!(unwound.is_err());
        assert_ne!(pump.connection.phase(), Phase::Responding);
        let _ = pump.connection.finish(pump.now);
        pump.run();
        assert_eq!(pump.status(), "200");
        assert!(pump.closed.is_some());
    }
}

#[test]
fn a_refused_call_says_what_to_do_and_names_its_cause() {
    let mut pump = Pump::new(ConnectionConfig::default());
    pump.input(REQUEST);
    pump.events();
    let mut interim = Response::new(ResponseBody::event_stream());
    *interim.status_mut() = StatusCode::CONTINUE;
    let error = pump.respond(interim).unwrap_err();
    assert_eq!(
        error.to_string(),
        "100 Continue is an interim status; respond with a final one, 200 or above"
    );
    assert!(error.source().is_none());

    let error = pump.send("too early").unwrap_err();
    let cause = error.source().unwrap().downcast_ref::<WrongPhase>();
    assert_eq!(cause.unwrap().to_string(), error.to_string());
    pump.respond(Response::new(ResponseBody::event_stream()))
        .unwrap();
    let error = pump
        .respond(Response::new(ResponseBody::event_stream()))
        .unwrap_err();
    let cause = error.source().unwrap().downcast_ref::<WrongPhase>();
    assert_eq!(cause.unwrap().to_string(), error.to_string());

    while pump.connection.has_room() {
        pump.send(&"x".repeat(10_000)).unwrap();
    }
    let error = pump.send("too much").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the queue is at its high-water mark; send again when `has_room()` says so"
    );
    assert!(error.source().is_none());
}
