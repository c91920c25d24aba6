//! Requests that one reader would take for one and another for two.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::{StreamExt, stream};
use sse_core::Event;
use sse_driver::router::{Request, Router};

use crate::{
    Adapter,
    handlers::hello_and_silence,
    running::{Answer, Running, start},
};

/// The request that an attacker wants to have answered.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

/// Starts a server, and counts the requests that no client may make.
fn guarded<A: Adapter>() -> (Running, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    let router = Router::new()
        .events("/", |_| stream::iter(["once"]))
        .events("/idle", |_| hello_and_silence())
        .post("/post", |_| stream::iter(["posted"]))
        .events("/smuggled", move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            stream::iter(["secret"])
        });
    (start::<A>(router), calls)
}

fn answers(text: &Answer) -> usize {
    text.0.matches("connection: close\r\n").count()
}

pub fn ambiguous_requests_are_refused_and_nothing_is_smuggled<A: Adapter>() {
    let (server, calls) = guarded::<A>();
    let length = SMUGGLED.len();
    let table = [
        // The header fields of a POST to /, its body, the status.
        (
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "0\r\n\r\n",
            400,
        ),
        (
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            "0\r\n\r\n",
            400,
        ),
        ("Content-Length: 0\r\nContent-Length: 44\r\n", "", 400),
        ("Content-Length: 0\r\nContent-Length: 0\r\n", "", 400),
        ("Content-Length: 0, 0\r\n", "", 400),
        ("Content-Length: +0\r\n", "", 400),
        ("Content-Length: -0\r\n", "", 400),
        ("Content-Length: 0x0\r\n", "", 400),
        ("Content-Length:\r\n", "", 400),
        ("Content-Length : 0\r\n", "", 400),
        ("Content-Length: 99999999999999999999\r\n", "", 400),
        ("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n", 400),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "0\r\n\r\n",
            400,
        ),
        ("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n", 501),
        ("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n", 501),
        ("Transfer-Encoding: identity\r\n", "", 501),
        ("Transfer-Encoding:\r\n", "", 400),
        ("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n", 400),
        ("Transfer-Encoding: chunked\r\n : x\r\n", "0\r\n\r\n", 400),
        ("X: y\rTransfer-Encoding: chunked\r\n", "0\r\n\r\n", 400),
        ("X: y\0\r\n", "", 400),
        ("Host: b\r\n", "", 400),
    ];
    for (fields, body, status) in table {
        let request = format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}{SMUGGLED}");
        let answer = server.request(&request);
        assert_eq!(answer.status(), status, "{fields:?}");
        assert_eq!(answers(&answer), 1, "{answer:?}");
    }
    for (request, status) in [
        // Bodies with framing that the server does not accept, with a request in them.
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"),
            413,
        ),
        (
            format!(
                "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n"
            ),
            413,
        ),
        ("POST / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 405),
        ("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 200),
        (
            "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
            400,
        ),
        ("GET / HTTP/1.1\r\nHost: a,b\r\n\r\n".to_owned(), 400),
        ("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 400),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), 505),
        ("GET /\tHTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1 x\r\nHost: a\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nHost: a\r\n x\r\n\r\n".to_owned(), 400),
    ] {
        let answer = server.request(request.clone() + SMUGGLED);
        assert_eq!(answer.status(), status, "{request}");
        assert_eq!(answers(&answer), 1, "{answer:?}");
    }
    server.empty();
    assert_eq!(calls.load(Ordering::Relaxed), 0);
}

pub fn a_body_ends_where_its_framing_says_and_so_does_the_connection<A: Adapter>() {
    let (server, calls) = guarded::<A>();
    let length = SMUGGLED.len();
    let chunked = |chunks: &str| format!("Transfer-Encoding: chunked\r\n\r\n{chunks}");
    for (rest, status) in [
        ("Content-Length: 5\r\n\r\nhello".to_owned(), 200),
        ("Content-Length: 0\r\n\r\n".to_owned(), 200),
        ("\r\n".to_owned(), 200),
        (chunked("5\r\nhello\r\n0\r\n\r\n"), 200),
        (
            chunked("0005;a=\"b\"\r\nhello\r\n0\r\nHost: b\r\n\r\n"),
            200,
        ),
        // The other request is in the body, where it is only data.
        (format!("Content-Length: {length}\r\n\r\n"), 200),
        (chunked("5\nhello\r\n0\r\n\r\n"), 400),
        (chunked("5\r\nhello0\r\n\r\n"), 400),
        (chunked("5\r\nhello\n0\r\n\r\n"), 400),
        (chunked("5;\nhello\r\n0\r\n\r\n"), 400),
        (chunked("5;\rx\r\nhello\r\n0\r\n\r\n"), 400),
        (chunked("0x5\r\nhello\r\n0\r\n\r\n"), 400),
        (chunked("+5\r\nhello\r\n0\r\n\r\n"), 400),
        (chunked("-1\r\nhello\r\n0\r\n\r\n"), 400),
        (chunked("\r\n0\r\n\r\n"), 400),
        (chunked("5 5\r\nhello\r\n0\r\n\r\n"), 400),
        (chunked("5;\0\r\nhello\r\n0\r\n\r\n"), 400),
        (chunked("5\r\nhello\r\n0\r\n\n"), 400),
        (chunked("0\r\nX: y\rz\r\n\r\n"), 400),
        (chunked("0\r\nX: y\0\r\n\r\n"), 400),
        (chunked("10000000000000005\r\nhello\r\n0\r\n\r\n"), 400),
        (chunked(&format!("5;{}", "x".repeat(5_000))), 400),
        (chunked(&format!("0\r\nX: {}", "x".repeat(20_000))), 431),
    ] {
        let request = format!("POST /post HTTP/1.1\r\nHost: a\r\n{rest}{SMUGGLED}");
        let answer = server.request(&request);
        assert_eq!(answer.status(), status, "{rest:.80}");
        assert_eq!(answers(&answer), 1, "{answer:?}");
    }
    server.empty();
    assert_eq!(calls.load(Ordering::Relaxed), 0);
}

pub fn a_second_request_is_never_answered<A: Adapter>() {
    let (server, calls) = guarded::<A>();
    let upgrade = "Connection: keep-alive, Upgrade\r\nUpgrade: h2c\r\n";
    for first in [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\nHost: a\n\n".to_owned(),
        format!("GET / HTTP/1.1\r\nHost: a\r\n{upgrade}\r\n"),
    ] {
        let answer = server.request(first.clone() + &SMUGGLED.repeat(3));
        assert_eq!(answer.events(), ("data: once\n\n".into(), true), "{first}");
        assert_eq!(answer.field("connection"), Some("close"));
    }
    // A request that comes while the stream is open does not end the stream.
    let mut client = server.get("/idle");
    client.read_until("hello");
    for _ in 0..3 {
        client.send(SMUGGLED);
    }
    client.half_close();
    assert_eq!(client.answer_rest(), "");
    server.empty();
    assert_eq!(calls.load(Ordering::Relaxed), 0);
}

pub fn a_request_cannot_forge_a_response<A: Adapter>() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let router = Router::new().events("/echo/{text}", move |request: Request| {
        // Everything that a client can choose is sent back, as an event.
        let text = request.path_param("text").unwrap().to_owned();
        let id = request.last_event_id().unwrap_or_default().to_owned();
        log.lock().unwrap().push(text.clone());
        stream::iter([text, id]).map(Event::new)
    });
    let server = start::<A>(router);
    let forged = "a%0D%0A%0D%0AHTTP%2F1.1%20200%20OK%0D%0Adata:%20b%0A%0Aid:%209";
    let answer = server.request(format!(
        "GET /echo/{forged} HTTP/1.1\r\nHost: a\r\nLast-Event-ID: data: c\r\n\r\n"
    ));
    let events = "data: a\ndata:\ndata: HTTP/1.1 200 OK\ndata: data: b\ndata:\ndata: id: 9\n\n\
                  data: data: c\n\n";
    assert_eq!(answer.events(), (events.into(), true));
    assert_eq!(seen.lock().unwrap().len(), 1);
}
