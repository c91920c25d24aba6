//! A connection behind a foreign parser.

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use sse_core::{
    http::{Request, RequestHead, RequestHeadError, Response, Version},
    lifecycle::CloseReason,
    server::{Connection, ConnectionConfig, Phase, ResponseBody},
};

use super::{Pump, secs};

fn for_request(request: Request<()>) -> Pump {
    let head = RequestHead::new(request).unwrap();
    let now = Instant::now();
    let date = SystemTime::UNIX_EPOCH + secs(784_111_777);
    let config = Arc::new(ConnectionConfig::default());
    Pump::around(now, Connection::for_request(now, date, config, &head))
}

fn conclude(mut pump: Pump) -> (String, Vec<&'static str>, Option<CloseReason>) {
    pump.respond(Response::new(ResponseBody::event_stream()))
        .unwrap();
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
        assert_eq!(parsed.said, [""; 0], "the parser's caller knows of it");
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
fn a_parsed_request_that_is_ambiguous_is_refused() {
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
