//! Requests with a body, from clients that see every byte and from an event source.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use futures_util::{Stream, StreamExt, stream};
use sse_core::{
    client::{ClientEvent, End, EventSourceConfig},
    http::{HeaderValue, Method, Response, header},
    lifecycle::CloseReason,
};
use sse_driver::{
    ServerConfig,
    router::{Refusal, Request, Router},
};

use crate::{
    Adapter, EventSource, PATIENCE, patiently,
    running::{start, start_with},
};

/// Yields each word of the body as an event.
fn words(request: Request) -> impl Stream<Item = String> {
    let text = String::from_utf8_lossy(request.body()).into_owned();
    let words: Vec<_> = text.split_whitespace().map(str::to_owned).collect();
    stream::iter(words)
}

const LENGTH: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\none two";
const CHUNKS: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
                      3;x\r\none\r\n4\r\n two\r\n0\r\nTrailer: y\r\n\r\n";

pub fn a_body_reaches_its_handler_however_it_is_sent<A: Adapter>() {
    let server = start::<A>(Router::new().post("/", words));
    for request in [LENGTH, CHUNKS] {
        for step in [1, 7, request.len()] {
            let mut client = server.connect();
            for piece in request.as_bytes().chunks(step) {
                client.send(piece);
            }
            let answer = client.answer();
            let events = "data: one\n\ndata: two\n\n";
            assert_eq!(
                answer.events(),
                (events.into(), true),
                "{request} by {step}"
            );
        }
    }
    // No body is an empty body, and bytes after a body are not a second request.
    let empty = server.request("POST / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(empty.events(), (String::new(), true));
    let answer = server.request(LENGTH.repeat(2));
    assert_eq!(answer.0.matches("HTTP/1.1 ").count(), 1);
}

pub fn a_client_that_waits_to_send_its_body_is_told_to_go_on<A: Adapter>() {
    let server = start::<A>(
        Router::new()
            .post("/", words)
            .get("/page", |_| Response::new("page")),
    );
    let mut client = server.connect();
    let head = "HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\nExpect: 100-continue\r\n\r\n";
    client.send(format!("POST / {head}"));
    assert_eq!(
        client.read_until("\r\n\r\n"),
        "HTTP/1.1 100 Continue\r\n\r\n"
    );
    client.send("one two");
    assert!(client.answer().body().contains("data: two\n\n"));
    // A handler that takes no body responds at once, with a final status.
    for (path, status) in [("/page", 405), ("/none", 404)] {
        let answer = server.request(format!("POST {path} {head}"));
        assert_eq!(answer.status(), status);
    }
}

pub fn a_body_that_is_too_large_or_too_slow_is_refused<A: Adapter>() {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    let mut config = ServerConfig::default();
    config.connection.response.body_limit = 7;
    // However slow a client is that goes on sending, it gets the answer.
    config.connection.linger_timeout = PATIENCE;
    config.connection.response.body_timeout = Duration::from_millis(100);
    let router = Router::new().post("/", move |request| {
        count.fetch_add(1, Ordering::Relaxed);
        words(request)
    });
    let server = start_with::<A>(config, router);
    let post =
        |lines: &str, body: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n{body}");
    let chunked = "Transfer-Encoding: chunked";
    for (request, status) in [
        (post("Content-Length: 8", ""), 413),
        // The response arrives although the client goes on sending.
        (post("Content-Length: 200000", &"x".repeat(200_000)), 413),
        (post(chunked, "8\r\n12345678\r\n0\r\n\r\n"), 413),
        (post("Content-Length: 7", "one tw"), 408),
        (post(chunked, "3\r\none\r\n"), 408),
        (post(chunked, "nonsense\r\n"), 400),
        (
            post(
                "Content-Length: 7\r\nTransfer-Encoding: chunked",
                "0\r\n\r\n",
            ),
            400,
        ),
        (
            post("Content-Length: 7\r\nContent-Length: 7", "one two"),
            400,
        ),
    ] {
        let answer = server.request(&request);
        assert_eq!(answer.status(), status, "{request:.120}");
    }
    server.empty();
    assert_eq!(calls.load(Ordering::Relaxed), 0, "no handler was asked");
    assert_eq!(server.request(LENGTH).status(), 200);
}

pub fn a_client_that_leaves_in_mid_body_leaves_nothing_behind<A: Adapter>() {
    let (told, reasons) = mpsc::channel();
    let told = Mutex::new(told);
    let router = Router::new().post("/", move |request: Request| {
        let told = told.lock().unwrap().clone();
        request
            .clean_up()
            .add(move |reason| told.send(reason.clone()).unwrap());
        stream::pending::<String>()
    });
    let server = start::<A>(router);
    let mut leaves_early = server.connect();
    leaves_early.send(&LENGTH[..LENGTH.len() - 1]);
    drop(leaves_early);
    let mut leaves = server.connect();
    leaves.send(LENGTH);
    leaves.read_until("\r\n\r\n");
    drop(leaves);
    assert_eq!(
        reasons.recv_timeout(PATIENCE),
        Ok(CloseReason::ClientWentAway)
    );
    server.empty();
    assert!(
        reasons.try_recv().is_err(),
        "the other handler was not asked"
    );
}

pub fn an_event_source_posts_and_is_answered_with_a_stream<A: Adapter>() {
    A::block_on(async {
        let handler = |request: Request| -> Result<_, Refusal> {
            let words: Vec<String> = request.json()?;
            Ok(stream::iter(words).chain(stream::iter([request.method().to_string()])))
        };
        let server = start::<A>(Router::new().post("/", handler));
        let url = format!("http://{}/", server.address);
        let mut config = EventSourceConfig::default();
        config.method = Method::POST;
        config.reconnection = None;
        let json = HeaderValue::from_static("application/json");
        config.headers.insert(header::CONTENT_TYPE, json);
        // More than one read returns.
        let words: Vec<String> = (0..2000).map(|n| format!("word {n}")).collect();
        config.body = serde_json::to_vec(&words).unwrap().into();

        let mut source = EventSource::<A>::with_config(&url, config.clone()).unwrap();
        for word in &words {
            let event = patiently::<A, _>(source.next()).await.unwrap().unwrap();
            assert_eq!(event.data(), word);
        }
        let event = patiently::<A, _>(source.next()).await.unwrap().unwrap();
        assert_eq!(event.data(), "POST");
        // The request is sent once; the end of its stream is final.
        let mut last = None;
        while let Some(update) = patiently::<A, _>(source.next_update()).await {
            last = Some(update);
        }
        assert!(
            matches!(last, Some(ClientEvent::Closed(Ok(End::StreamEnded)))),
            "{last:?}"
        );

        // A refusal says what is wrong with the body.
        config.body = "[1]".into();
        let mut source = EventSource::<A>::with_config(&url, config).unwrap();
        let error = patiently::<A, _>(source.next()).await.unwrap().unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("422") && text.contains("expected a string"),
            "{text}"
        );
    });
}
