//! The server, under hostile clients.

use std::{net::TcpStream, sync::mpsc, thread, time::Duration};

use futures_util::{Stream, StreamExt, stream};
use sse_core::{http::Response, lifecycle::CloseReason};
use sse_driver::{
    ServerConfig,
    router::{Reply, Router},
};

use crate::{
    Adapter, PATIENCE,
    handlers::{Tally, hello_and_silence},
    port::Port,
    running::{Running, start, start_at, start_with},
    yield_now,
};

/// A request that is answered with an endless stream.
const ENDLESS: &str = "GET /endless HTTP/1.1\r\nHost: a\r\n\r\n";

/// Asserts that another client is served, whatever the hostile ones do.
fn still_serves(server: &Running) {
    server.get("/idle").read_until("hello");
}

fn idle() -> Router {
    Router::new().events("/idle", |_| hello_and_silence())
}

pub fn heads_that_drip_in_for_ever_are_not_waited_for<A: Adapter>() {
    let mut config = ServerConfig::default();
    config.connection.head_timeout = Duration::from_millis(300);
    // However slow this machine is, a client that goes on sending gets the answer.
    config.connection.linger_timeout = PATIENCE;
    // However fast the clients drip, the size of the head is not the reason for the end.
    config.connection.head_limits.head = usize::MAX;
    let server = start_with::<A>(config, idle());
    let slow: Vec<_> = (0..20)
        .map(|_| {
            let mut client = server.connect();
            client.send("GET /idle HTTP/1.1\r\nHost: a\r\nX-Slow: ");
            thread::spawn(move || client.drip_until_answered(b'x'))
        })
        .collect();
    // A client that is slow because the machine is gets no more time than they do, and tries again.
    while !server.get("/idle").answer_up_to("hello").contains("hello") {}
    for client in slow {
        assert_eq!(client.join().unwrap().status(), 408);
    }
    server.empty();
}

pub fn a_half_close_ends_what_is_not_yet_answered<A: Adapter>() {
    let tally = Tally::default();
    let page = "x".repeat(8 << 20);
    let router = idle()
        .get("/page", {
            let page = page.clone();
            move |_| Response::new(page.clone())
        })
        .get("/late", |_| std::future::pending::<Reply>())
        .events("/endless", tally.route(|_| stream::repeat("x")));
    let server = start::<A>(router);

    for beginning in ["", "GET / HT", "GET / HTTP/1.1\r\nHost: a\r\n"] {
        let mut client = server.connect();
        client.send(beginning);
        client.half_close();
        assert_eq!(client.answer().0, "", "{beginning:?}");
    }
    // The handler has not responded yet.
    let late = server.get("/late");
    late.half_close();
    assert_eq!(late.answer().0, "");

    // The response is being sent.
    let mut client = server.get("/page");
    let beginning = client.read_until("\r\n\r\n");
    client.half_close();
    let answer = beginning + &client.answer().0;
    assert!(answer.ends_with(&page), "{} bytes", answer.len());

    // In the middle of the events.
    let mut client = server.get("/endless");
    client.read_until("data: x\n\n");
    client.half_close();
    assert!(!client.answer_rest().ends_with("0\r\n\r\n"));
    server.empty();
    assert_eq!(tally.once_each(), [CloseReason::ClientWentAway]);
}

pub fn resets_in_mid_stream_are_noticed_each_once<A: Adapter>() {
    const CLIENTS: usize = 100;
    let tally = Tally::default();
    let endless = tally.route(|_| stream::repeat("x".repeat(10_000)));
    let server = start::<A>(idle().events("/endless", endless));
    for batch in 0..4 {
        let mut clients = Vec::new();
        for _ in 0..CLIENTS / 4 {
            let mut client = server.connect();
            client.send(ENDLESS);
            clients.push(client);
        }
        for (number, mut client) in clients.into_iter().enumerate() {
            // Some at once, others with events in both buffers.
            if number % 2 == batch % 2 {
                client.read_until("data: x");
            }
            client.reset();
        }
    }
    server.empty();
    // Some clients left before they sent a request.
    let reasons = tally.once_each();
    assert!(reasons.len() >= CLIENTS / 2, "{}", reasons.len());
    let went_away = |reason: &CloseReason| *reason == CloseReason::ClientWentAway;
    assert!(reasons.iter().all(went_away), "{reasons:?}");
    still_serves(&server);
}

pub fn a_crowd_at_the_limit_is_refused_and_no_client_evicted<A: Adapter>() {
    const HELD: usize = 5;
    let mut config = ServerConfig::default();
    config.max_connections = HELD;
    config.connection.response.keep_alive = Some(Duration::from_millis(10));
    let tally = Tally::default();
    let server = start_with::<A>(
        config,
        Router::new().events("/idle", tally.route(|_| hello_and_silence())),
    );
    let mut held: Vec<_> = (0..HELD).map(|_| server.get("/idle")).collect();
    for client in &mut held {
        client.read_until("hello");
    }
    let mut told = 0;
    for _ in 0..2 {
        // More clients at a time than get a response that says why.
        let crowd: Vec<_> = (0..100).map(|_| server.connect()).collect();
        for newcomer in crowd {
            let answer = newcomer.answer_rest();
            if answer.is_empty() {
                continue;
            }
            assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
            assert!(answer.contains("\r\nretry-after: "), "{answer}");
            told += 1;
        }
    }
    assert!(told >= 64, "{told} of 200 were told");
    // No connection was closed to make room: all of them still receive events.
    for client in &mut held {
        client.read_until("2\r\n:\n\r\n");
    }
    assert_eq!(tally.requests(), HELD);

    // A place that became free is for the next client.
    drop(held.pop());
    server.wait_for_open(HELD - 1);
    still_serves(&server);
    drop(held);
    server.empty();
    server.handle.shut_down();
    let report = server.report();
    assert_eq!(
        (report.accepted, report.turned_away),
        (HELD as u64 + 1, 200)
    );
    assert_eq!(tally.once_each().len(), HELD + 1);
}

pub fn a_body_that_is_too_large_is_refused_while_it_arrives<A: Adapter>() {
    let mut config = ServerConfig::default();
    // However slow this machine is: in this test the amount counts, not the time.
    config.connection.linger_timeout = PATIENCE;
    config.connection.drain_timeout = PATIENCE;
    let server = start_with::<A>(config, idle());
    let mut good = server.get("/idle");
    good.read_until("hello");
    // More than any bound, and less than the server reads after a refusal.
    let long = |text: &str| text.repeat(150_000 / text.len());
    let head = "GET /idle HTTP/1.1\r\nHost: a\r\n";
    let table = [
        ("a target", format!("GET /{}", long("x")), 414),
        ("a method", long("X"), 400),
        ("empty lines", long("\r\n"), 431),
        ("a field", format!("{head}X: {}", long("x")), 431),
        ("a field's name", head.to_owned() + &long("x"), 431),
        ("fields", head.to_owned() + &long("a: b\r\n"), 431),
        (
            "one field more than there may be",
            head.to_owned() + &"a: b\r\n".repeat(100) + "\r\n" + &long("x"),
            431,
        ),
        (
            "a target one byte longer than it may be",
            format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(8192)),
            414,
        ),
        (
            "a body",
            format!("{head}Content-Length: 150000\r\n\r\n{}", long("x")),
            413,
        ),
        (
            "a body's length",
            format!("{head}Content-Length: {}\r\n\r\n", "9".repeat(100)),
            400,
        ),
        (
            "as many fields as there may be",
            head.to_owned() + &"a: b\r\n".repeat(99) + "\r\n",
            200,
        ),
        (
            "a target as long as it may be",
            format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(8191)),
            404,
        ),
    ];
    for (what, request, status) in table {
        let mut client = server.connect();
        client.send(&request);
        let text = match status {
            200 => client.read_until("hello"),
            _ => client.answer().0,
        };
        assert!(
            text.starts_with(&format!("HTTP/1.1 {status} ")),
            "{what}: {text}"
        );
    }
    // The server does not read forever from a client that never stops sending.
    for beginning in ["", "GET /", head] {
        let mut client = server.connect();
        client.send(beginning);
        client.send_for_ever("x");
    }
    drop(good);
    server.empty();
}

pub fn a_client_that_talks_on_does_not_keep_events_from_itself<A: Adapter>() {
    let (tell, told) = mpsc::channel();
    let tally = Tally::default();
    let told = std::sync::Mutex::new(Some(told));
    let router = Router::new().events(
        "/",
        tally.route(move |_| {
            let told = told.lock().unwrap().take().expect("one request");
            stream::iter(["hello"])
                .chain(stream::pending::<&str>().take_until(wait_for(told)))
                .chain(stream::iter(["goodbye"]))
        }),
    );
    let server = start::<A>(router);
    let mut client = server.get("/");
    client.read_until("hello");
    // Far more than the server reads after a refusal.
    let flood = "GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(100_000);
    client.send(flood);
    tell.send(()).unwrap();
    client.read_until("goodbye");
    drop(client);
    server.empty();
    assert_eq!(tally.once_each().len(), 1);
}

/// Becomes ready once a message is sent, from any thread.
async fn wait_for(told: mpsc::Receiver<()>) {
    while told.try_recv() == Err(mpsc::TryRecvError::Empty) {
        yield_now().await;
    }
}

/// Yields events without end, and lets other tasks run after each.
fn busy() -> impl Stream<Item = String> {
    stream::repeat(()).then(async |()| {
        yield_now().await;
        "x".repeat(10_000)
    })
}

pub fn a_shutdown_under_load_ends_everything_once<A: Adapter>() {
    const EACH: usize = 8;
    let (polite, endless, idle) = (Tally::default(), Tally::default(), Tally::default());
    let router = Router::new()
        .events(
            "/polite",
            polite.route(|request| {
                busy()
                    .take_until(request.shutdown())
                    .chain(stream::iter(["last words".to_owned()]))
            }),
        )
        .events("/endless", endless.route(|_| busy()))
        .events("/idle", idle.route(|_| hello_and_silence()));
    let mut config = ServerConfig::default();
    // However slow this machine is, the polite streams end before.
    config.shutdown_timeout = PATIENCE;
    config.connection.head_timeout = PATIENCE;
    config.connection.stall_timeout = PATIENCE;
    let port = Port::reserve();
    let server = start_at::<A>(port.address().to_string(), config, router);

    let mut never_read = Vec::new();
    let mut readers = Vec::new();
    let mut silent = Vec::new();
    for _ in 0..EACH {
        never_read.push(server.get("/endless"));
        silent.push(server.connect());
        for path in ["/polite", "/endless", "/idle"] {
            let mut client = server.get(path);
            client.read_until("data: ");
            readers.push((path, thread::spawn(move || client.answer_rest())));
        }
    }
    server.wait_for_open(5 * EACH);
    while endless.requests() < 2 * EACH {
        thread::yield_now();
    }
    server.handle.shut_down();
    // The polite and the silent ones are gone, and the others do not end by themselves.
    server.wait_for_open(3 * EACH);
    server.handle.cut();
    let report = server.report();
    assert_eq!(report.accepted, 5 * EACH as u64);
    assert_eq!(report.cut, 3 * EACH as u64);
    assert!(TcpStream::connect(port.address()).is_err());

    for (path, reader) in readers {
        let text = reader.join().unwrap();
        let ends_properly = text.ends_with("data: last words\n\n\r\n0\r\n\r\n");
        assert_eq!(ends_properly, path == "/polite", "{path}");
    }
    for client in silent {
        assert_eq!(client.answer_rest(), "");
    }
    for (tally, count, reason) in [
        (polite, EACH, CloseReason::StreamEnded),
        (endless, 2 * EACH, CloseReason::Shutdown),
        (idle, EACH, CloseReason::Shutdown),
    ] {
        assert_eq!(tally.once_each(), vec![reason; count]);
    }
}
