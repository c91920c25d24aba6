//! A connection behind somebody else's parser, and a stream in somebody else's response.

use std::{io, sync::Arc};

use sse_core::{
    http::{Request, RequestHead, RequestHeadError, Response, Version},
    lifecycle::{CloseReason, Timer},
    server::{Body, Connection, ConnectionConfig, Phase},
};

use super::{Pump, secs};

/// A pump around another connection, with the same clean-up.
fn around(make: impl FnOnce(&Pump, Arc<ConnectionConfig>) -> Connection) -> Pump {
    let mut pump = Pump::default();
    pump.connection = make(&pump, Arc::default());
    let log = pump.cleaned_up.clone();
    log.lock().unwrap().clear(); // that of the connection before
    let clean_up = pump.connection.clean_up();
    clean_up.add(move |reason| log.lock().unwrap().push(reason.clone()));
    pump
}

fn for_request(request: Request<()>) -> Pump {
    let head = RequestHead::new(request).unwrap();
    around(|pump, config| {
        let date = std::time::SystemTime::UNIX_EPOCH + secs(784_111_777);
        Connection::for_request(pump.now, date, config, &head)
    })
}

fn for_body() -> Pump {
    around(|pump, config| Connection::for_body(pump.now, config))
}

fn conclude(mut pump: Pump) -> (String, Vec<&'static str>, Option<CloseReason>) {
    pump.respond(Response::new(Body::EventStream)).unwrap();
    pump.send("one").unwrap();
    pump.connection.finish(pump.now).unwrap();
    pump.run();
    (pump.text(), pump.said, pump.closed)
}

#[test]
fn a_parsed_request_is_answered_like_one_that_was_read() {
    for (version, line, host) in [
        (Version::HTTP_11, "HTTP/1.1", "Host: a\r\n"),
        (Version::HTTP_10, "HTTP/1.0", ""),
    ] {
        let mut read = Pump::default();
        read.input(format!("GET / {line}\r\n{host}\r\n").as_bytes());
        let request = Request::get("/").version(version).header("host", "a");
        let mut parsed = for_request(request.body(()).unwrap());
        assert_eq!(parsed.connection.phase(), Phase::Responding);
        parsed.events();
        assert_eq!(parsed.said, [""; 0], "whoever parsed it knows of it");
        let (read, parsed) = (conclude(read), conclude(parsed));
        assert_eq!((read.0, read.2), (parsed.0, parsed.2));
    }
    let mut late = for_request(Request::get("/").header("host", "a").body(()).unwrap());
    late.pass(secs(30));
    late.run();
    assert_eq!(late.status(), "503");
}

#[test]
fn the_body_of_a_parsed_request_is_received() {
    let request = Request::post("/")
        .header("host", "a")
        .header("content-length", "5");
    let mut pump = for_request(request.body(()).unwrap());
    pump.input(b"hel");
    pump.connection.receive_body(pump.now).unwrap();
    pump.input(b"lo");
    pump.events();
    assert_eq!(pump.body_received.as_deref(), Some(&b"hello"[..]));
}

#[test]
fn a_parsed_request_that_is_in_doubt_is_none() {
    let refused = |request: Request<()>| RequestHead::new(request).unwrap_err();
    let get = || Request::get("/");
    for (request, says) in [
        (get(), "no Host"),
        (
            get().header("host", "a").header("host", "a"),
            "more than one Host",
        ),
        (get().header("host", "a b"), "not a host"),
        (
            get()
                .header("host", "a")
                .header("content-length", "1")
                .header("content-length", "1"),
            "more than one Content-Length",
        ),
        (
            get()
                .header("host", "a")
                .header("content-length", "1")
                .header("transfer-encoding", "chunked"),
            "both",
        ),
        (
            get().header("host", "a").header("content-length", "+1"),
            "not a number",
        ),
    ] {
        let error = refused(request.body(()).unwrap());
        assert!(error.to_string().contains(says), "{error}");
    }
    let http2 = get().version(Version::HTTP_2).body(()).unwrap();
    assert_eq!(refused(http2), RequestHeadError::UnknownVersion);
}

#[test]
fn a_stream_in_another_response_is_events_and_nothing_else() {
    let mut pump = for_body();
    assert_eq!(pump.connection.phase(), Phase::Streaming);
    assert!(pump.connection.has_room());
    pump.send("one").unwrap();
    pump.write_by(3);
    pump.send("two").unwrap();
    pump.connection.finish(pump.now).unwrap();
    pump.run();
    assert_eq!(pump.text(), "data: one\n\ndata: two\n\n");
    assert_eq!(pump.said, ["end output"]);
    assert_eq!(pump.closed, Some(CloseReason::StreamEnded));
    drop(pump.connection);
    assert_eq!(*pump.cleaned_up.lock().unwrap(), [CloseReason::StreamEnded]);
}

#[test]
fn its_lifecycle_is_that_of_any_other() {
    // Idle: a comment; and who does not take it is cut.
    let mut pump = for_body();
    pump.pass(secs(15));
    pump.write();
    assert_eq!(pump.text(), ":\n");
    pump.pass(secs(15 + 30));
    pump.run();
    assert_eq!(pump.closed, Some(CloseReason::TimedOut(Timer::Stall)));

    let mut pump = for_body();
    pump.connection.handle_eof(pump.now);
    pump.run();
    assert_eq!(pump.closed, Some(CloseReason::ClientWentAway));

    let mut pump = for_body();
    pump.connection
        .handle_transport_error(pump.now, io::ErrorKind::BrokenPipe);
    pump.run();
    assert_eq!(pump.closed, Some(CloseReason::ClientWentAway));

    let mut pump = for_body();
    pump.send("one").unwrap();
    pump.connection
        .abort(pump.now, CloseReason::HandlerPanicked)
        .unwrap();
    pump.run();
    assert_eq!(pump.text(), "data: one\n\n");
    assert_eq!(pump.closed, Some(CloseReason::HandlerPanicked));

    // There is no head to give, and no request to read.
    let mut pump = for_body();
    assert!(pump.respond(Response::new(Body::EventStream)).is_err());
    pump.input(super::REQUEST);
    pump.run();
    assert_eq!(pump.said, [""; 0]);
}
