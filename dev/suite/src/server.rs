//! The server, with clients that see every byte.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use sse_core::{
    Event, EventType, Json,
    http::{HeaderValue, Response, StatusCode, header::SET_COOKIE},
    lifecycle::{CloseReason, Deadline},
    topic::{Topic, TopicConfig},
};
use sse_driver::{
    BindOptions, OpenStream, OpenStreams, ServerConfig,
    router::{Cors, Refusal, Reply, Request, Router},
};

use crate::{
    Adapter, PATIENCE, Server,
    handlers::{expect, hello_and_silence, log, logged},
    port::Port,
    running::{Client, start, start_at, start_with},
    yield_now,
};

pub fn any_value_that_a_handler_yields_is_sent_as_an_event<A: Adapter>() {
    let full = || {
        Event::new("a\nb")
            .of_type(const { EventType::from_static("t") })
            .under_id(7)
            .with_reconnection_time(Duration::from_secs(2))
    };
    let router = Router::new()
        .events("/strings", |_| stream::iter(["", " a", "ä\r\nb\rc"]))
        .events("/numbers", |_| stream::iter([1.5, -2.0]))
        .events("/booleans", |_| stream::iter([true]))
        .events("/values", |_| {
            stream::iter([serde_json::json!({"a": null})])
        })
        .events("/lists", |_| stream::iter([vec!["a\n"]]))
        .events("/maps", |_| stream::iter([BTreeMap::from([("a", 1)])]))
        .events("/json", |_| stream::iter([Json(("x", 1))]))
        .events("/full", move |_| stream::iter([full()]));
    let server = start::<A>(router);
    for (path, expected) in [
        (
            "/strings",
            "data:\n\ndata:  a\n\ndata: ä\ndata: b\ndata: c\n\n",
        ),
        ("/numbers", "data: 1.5\n\ndata: -2.0\n\n"),
        ("/booleans", "data: true\n\n"),
        ("/values", "data: {\"a\":null}\n\n"),
        ("/lists", "data: [\"a\\n\"]\n\n"),
        ("/maps", "data: {\"a\":1}\n\n"),
        ("/json", "data: [\"x\",1]\n\n"),
        (
            "/full",
            "event: t\nid: 7\nretry: 2000\ndata: a\ndata: b\n\n",
        ),
    ] {
        let answer = server.get(path).answer();
        assert_eq!(answer.events(), (expected.into(), true), "{path}");
        assert_eq!(answer.field("content-type"), Some("text/event-stream"));
    }
}

pub fn a_stream_that_ends_closes_the_connection_and_cleans_up<A: Adapter>() {
    let (log, told) = log();
    let hello = logged(&log, || stream::iter(["Hello, world!", "Goodbye, world!"]));
    let server = start::<A>(Router::new().events("/", hello));
    let answer = server.get("/").answer();
    let events = "data: Hello, world!\n\ndata: Goodbye, world!\n\n";
    assert_eq!(answer.events(), (events.into(), true));
    expect(&told, "the stream ended");
    server.empty();
    assert!(told.try_recv().is_err(), "clean-up ran once");
}

pub fn a_client_that_goes_away_is_noticed_while_the_stream_is_idle<A: Adapter>() {
    let (log, told) = log();
    let server = start::<A>(Router::new().events("/", logged(&log, hello_and_silence)));
    let leave: [fn(Client); 2] = [drop, Client::reset];
    for leave in leave {
        let mut client = server.get("/");
        client.read_until("hello");
        leave(client);
        expect(&told, "the client went away");
    }
    let mut client = server.get("/");
    client.read_until("hello");
    client.half_close();
    expect(&told, "the client went away");
}

pub fn a_stream_that_fails_breaks_off_and_says_why<A: Adapter>() {
    let (log, told) = log();
    let failing = || stream::iter([Ok("one"), Err("the source is gone")]);
    let unserialisable = || stream::iter([BTreeMap::from([((1, 2), "keys are no text")])]);
    let panicking = || {
        stream::iter([1, 0]).map(|n| {
            assert_ne!(n, 0, "expected in this test");
            n
        })
    };
    let router = Router::new()
        .events("/failing", logged(&log, failing))
        .events("/unserialisable", logged(&log, unserialisable))
        .events("/panicking", logged(&log, panicking));
    let server = start::<A>(router);
    for (path, sent, reason) in [
        (
            "/failing",
            "data: one\n\n",
            "the stream failed: the source is gone",
        ),
        (
            "/unserialisable",
            "",
            "the stream failed: the value cannot be serialised to JSON: key must be a string",
        ),
        ("/panicking", "data: 1\n\n", "the handler panicked"),
    ] {
        let answer = server.get(path).answer();
        assert_eq!(answer.events(), (sent.into(), false), "{path}");
        expect(&told, reason);
    }
}

pub fn a_handler_that_panics_is_a_500_and_the_server_goes_on<A: Adapter>() {
    let router = Router::new()
        .get("/panic", |_| -> Reply { panic!("expected in this test") })
        .get("/page", |_| Response::new("<p>hello"));
    let server = start::<A>(router);
    assert_eq!(server.get("/panic").answer().status(), 500);
    let page = server.get("/page").answer();
    assert_eq!((page.status(), page.body()), (200, "<p>hello"));
}

pub fn a_handler_may_refuse_set_fields_and_wait<A: Adapter>() {
    let router = Router::new()
        .events("/refused", async |_| {
            yield_now().await;
            Err::<stream::Empty<&str>, _>(Refusal::new(StatusCode::FORBIDDEN, "not you\n"))
        })
        .events("/cookies", |_| {
            Reply::events(stream::iter(["x"]))
                .with_status(StatusCode::ACCEPTED)
                .with_header(SET_COOKIE, HeaderValue::from_static("a=1"))
                .with_header(SET_COOKIE, HeaderValue::from_static("b=2"))
        })
        .events("/rooms/{room}", |request: Request| {
            let room = request.path_param("room").unwrap().to_owned();
            let after = request.last_event_id().unwrap_or("none").to_owned();
            stream::iter([room, after])
        });
    let server = start::<A>(router);
    let refused = server.get("/refused").answer();
    assert_eq!((refused.status(), refused.body()), (403, "not you\n"));
    let cookies = server.get("/cookies").answer();
    assert_eq!(cookies.status(), 202);
    assert_eq!(cookies.head().matches("set-cookie: ").count(), 2);
    let room =
        server.request("GET /rooms/caf%C3%A9 HTTP/1.1\r\nHost: a\r\nLast-Event-ID: 7\r\n\r\n");
    assert_eq!(room.events().0, "data: café\n\ndata: 7\n\n");
}

pub fn bad_input_gets_a_clear_answer_and_others_are_served<A: Adapter>() {
    let server = start::<A>(Router::new().events("/", |_| hello_and_silence()));
    let mut good = server.get("/");
    good.read_until("hello");
    let long = "x".repeat(20_000);
    let table = [
        ("nonsense\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n".to_owned(), 505),
        ("GET /no HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 404),
        ("DELETE / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 405),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n\r\n".to_owned(),
            406,
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc".to_owned(),
            413,
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n".to_owned(),
            501,
        ),
        (format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"), 414),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n"),
            431,
        ),
        ("OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 204),
        ("\u{16}\u{3}\u{1}".to_owned(), 400),
    ];
    for (request, status) in table {
        let answer = server.request(&request);
        assert_eq!(answer.status(), status, "{request:.40}");
        let is_text = answer.field("content-type") == Some("text/plain; charset=utf-8");
        assert_eq!(
            is_text && answer.body().ends_with('\n'),
            status != 204,
            "{answer:?}"
        );
    }
    let answer = server.request("PUT / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(answer.field("allow"), Some("GET, HEAD, OPTIONS"));
    let head = server.request("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((head.status(), head.body()), (200, ""));
    assert_eq!(head.field("content-type"), Some("text/event-stream"));
}

pub fn a_request_may_drip_in_and_a_second_one_is_not_served<A: Adapter>() {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    let router = Router::new().events("/", move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        stream::iter(["once"])
    });
    let server = start::<A>(router);
    let mut client = server.connect();
    for byte in b"GET / HTTP/1.0\r\n\r\n" {
        client.send([*byte]);
    }
    // HTTP/1.0 has no chunks: the body ends with the connection.
    assert_eq!(client.answer().body(), "data: once\n\n");

    let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let answer = server.request(request.repeat(2));
    assert_eq!(answer.events(), ("data: once\n\n".into(), true));
    server.empty();
    assert_eq!(calls.load(Ordering::Relaxed), 2);
}

pub fn deadlines_are_kept_on_real_sockets<A: Adapter>() {
    let mut config = ServerConfig::default();
    config.connection.head_timeout = Duration::from_millis(100);
    let hasty = start_with::<A>(config, Router::new());
    let slow = hasty.request("GET /");
    assert_eq!(slow.status(), 408);
    let silent = hasty.connect().answer();
    assert_eq!(silent.0, "");

    let (log, told) = log();
    let mut config = ServerConfig::default();
    config.connection.stall_timeout = Duration::from_millis(200);
    config.connection.response.keep_alive = Some(Duration::from_millis(20));
    let endless = || stream::repeat("x".repeat(10_000));
    let router = Router::new()
        .events("/idle", logged(&log, hello_and_silence))
        .events("/endless", logged(&log, endless));
    let server = start_with::<A>(config, router);

    // A client that never reads is cut, and the shutdown does not wait for it.
    let never_reads = server.get("/endless");
    let mut idle = server.get("/idle");
    idle.read_until("hello");
    idle.read_until("2\r\n:\n\r\n");
    expect(&told, &CloseReason::TimedOut(Deadline::Stall).to_string());
    idle.read_until("2\r\n:\n\r\n");
    drop(never_reads);
}

pub fn at_the_limit_a_new_client_is_refused_and_no_client_evicted<A: Adapter>() {
    let mut config = ServerConfig::default();
    config.max_connections = 1;
    let (log, told) = log();
    let server = start_with::<A>(
        config,
        Router::new().events("/", logged(&log, hello_and_silence)),
    );
    let mut first = server.get("/");
    first.read_until("hello");
    let refused = server.get("/").answer();
    assert_eq!(refused.status(), 503);
    let seconds: u64 = refused.field("retry-after").unwrap().parse().unwrap();
    assert!((1..=10).contains(&seconds), "{seconds}");
    drop(first);
    expect(&told, "the client went away");
    server.empty();
    server.get("/").read_until("hello");
}

pub fn a_graceful_shutdown_lets_streams_end_and_is_followed_by_a_cut<A: Adapter>() {
    let (log, told) = log();
    let polite = |request: Request| {
        hello_and_silence()
            .take_until(request.shutdown())
            .chain(stream::iter(["last words"]))
    };
    let mut config = ServerConfig::default();
    // However slow this machine is, the polite stream ends before.
    config.shutdown_timeout = PATIENCE;
    let router = Router::new()
        .events("/polite", polite)
        .events("/stubborn", logged(&log, hello_and_silence));
    let port = Port::reserve();
    let server = start_at::<A>(port.address().to_string(), config, router);
    let mut polite = server.get("/polite");
    polite.read_until("hello");
    let mut stubborn = server.get("/stubborn");
    stubborn.read_until("hello");
    let silent = server.connect();
    server.wait_for_open(3);

    server.handle.shut_down();
    // At once, and not only when the server's task runs.
    let refused = TcpStream::connect(server.address).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    let rest = polite.answer_rest();
    assert!(
        rest.ends_with("data: last words\n\n\r\n0\r\n\r\n"),
        "{rest}"
    );
    // A second call changes nothing.
    server.handle.shut_down();
    assert_eq!(silent.answer().0, "");
    server.wait_for_open(1);
    assert!(told.try_recv().is_err(), "the stubborn one has time");
    server.handle.cut();
    expect(&told, "the server was shut down");
    let rest = stubborn.answer_rest();
    assert!(!rest.contains("0\r\n\r\n"), "{rest}");

    let report = server.report();
    assert_eq!((report.accepted, report.cut), (3, 1));
    assert!(TcpStream::connect(port.address()).is_err());
}

pub fn a_shutdown_cuts_at_its_deadline_what_has_not_ended<A: Adapter>() {
    let (log, told) = log();
    let mut config = ServerConfig::default();
    config.shutdown_timeout = Duration::from_millis(200);
    let router = Router::new().events("/", logged(&log, hello_and_silence));
    let server = start_with::<A>(config, router);
    let mut stubborn = server.get("/");
    stubborn.read_until("hello");
    server.handle.shut_down();
    expect(&told, "the server was shut down");
    let rest = stubborn.answer_rest();
    assert!(!rest.contains("0\r\n\r\n"), "{rest}");
    assert_eq!(server.report().cut, 1);
}

pub fn a_shutdown_spreads_the_ends_of_resumable_streams<A: Adapter>() {
    const CLIENTS: usize = 6;
    let (log, told) = log();
    let topic = Topic::new(TopicConfig::default(), 7, Instant::now);
    let source = topic.clone();
    let mut config = ServerConfig::default();
    // A window of 300 ms for all of them.
    config.shutdown_spread.per_second = 20;
    let subscribed = logged(&log, move || source.subscribe());
    let server = start_with::<A>(config, Router::new().events("/", subscribed));
    let clients = [(); CLIENTS].map(|()| {
        let mut client = server.get("/");
        client.read_until("\r\n\r\n");
        client
    });
    topic.publish("hello").unwrap();
    server.handle.shut_down();

    let mut retries = BTreeSet::new();
    for client in clients {
        let rest = client.answer_rest();
        assert!(rest.contains("data: hello\n\n"), "{rest}");
        assert!(rest.ends_with("\r\n0\r\n\r\n"), "{rest}");
        let (_, retry) = rest.split_once("retry: ").expect("a last line");
        retries.insert(retry.to_owned());
        expect(&told, "the server was shut down");
    }
    assert!(retries.len() > 1, "{retries:?}");
    assert_eq!(server.report().cut, 0);
    assert!(told.try_recv().is_err(), "clean-up ran once");
}

pub fn an_open_stream_is_listed_and_ended_from_another_thread<A: Adapter>() {
    let (log, told) = log();
    let streams = OpenStreams::new();
    let mut config = ServerConfig::default();
    config.open_streams = Some(streams.clone());
    let server = start_with::<A>(
        config,
        Router::new().events("/feed/{name}", logged(&log, hello_and_silence)),
    );
    let (mut alice, mut bob) = (server.get("/feed/alice"), server.get("/feed/bob"));
    alice.read_until("data: hello\n\n");
    bob.read_until("data: hello\n\n");

    let listed = streams.list();
    let peers = listed.iter().map(|stream| stream.peer);
    let own = [&alice, &bob].map(|client| client.0.local_addr().ok());
    assert_eq!(peers.collect::<BTreeSet<_>>(), BTreeSet::from(own));
    let is_alices = |stream: &OpenStream| stream.path == "/feed/alice";
    assert_eq!(streams.end_where(is_alices, "logged out"), 1);
    assert!(alice.answer_rest().ends_with("0\r\n\r\n"));
    expect(&told, "the stream was ended: logged out");
    server.wait_for_open(1);
    let left: Vec<_> = streams.list().into_iter().map(|it| it.path).collect();
    assert_eq!(left, ["/feed/bob"]);
}

pub fn dropping_the_server_cuts_its_connections<A: Adapter>() {
    let (log, told) = log();
    let server = start::<A>(Router::new().events("/", logged(&log, hello_and_silence)));
    let mut client = server.get("/");
    client.read_until("hello");
    server.abandon();
    expect(&told, "the server was shut down");
}

pub fn pages_of_allowed_origins_may_read<A: Adapter>() {
    let cors = Cors::origins(["https://a.example"]).unwrap();
    let server = start::<A>(
        Router::new()
            .events("/", |_| stream::iter(["x"]))
            .cors(cors),
    );
    let answer = server.request("GET / HTTP/1.1\r\nHost: a\r\nOrigin: https://a.example\r\n\r\n");
    assert_eq!(
        answer.field("access-control-allow-origin"),
        Some("https://a.example")
    );
    let preflight = server.request(
        "OPTIONS / HTTP/1.1\r\nHost: a\r\nOrigin: https://a.example\r\n\
             Access-Control-Request-Method: GET\r\n\r\n",
    );
    assert_eq!(preflight.status(), 204);
    assert_eq!(
        preflight.field("access-control-allow-methods"),
        Some("GET, HEAD")
    );
}

/// A burst of clients waits in the system's queue, whose length the server sets.
pub fn as_many_wait_to_be_accepted_as_the_system_allows<A: Adapter>() {
    const BURST: usize = 400;
    // The system's limit. Linux tells it; other systems allow fewer by default.
    let allowed = std::fs::read_to_string("/proc/sys/net/core/somaxconn");
    let allowed = allowed.map_or(100, |number| number.trim().parse().unwrap());
    A::block_on(async {
        let server = Server::<A>::bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap();
        // The server does not accept, so a client that the system does not let wait gets no answer.
        let clients: Vec<_> = (0..BURST.min(allowed))
            .map(|_| TcpStream::connect_timeout(&address, PATIENCE).unwrap())
            .collect();
        drop(clients);

        let mut options = BindOptions::default();
        options.backlog = 2;
        let server = Server::<A>::bind_with("127.0.0.1:0", options).await;
        let address = server.as_ref().unwrap().local_addr().unwrap();
        let moment = Duration::from_millis(100);
        let clients: Vec<_> = (0..10)
            .map(|_| TcpStream::connect_timeout(&address, moment))
            .collect();
        assert!(clients.iter().any(Result::is_err), "all of them wait");
    });
}

pub fn an_address_may_have_a_name_and_has_a_port<A: Adapter>() {
    A::block_on(async {
        let server = Server::<A>::bind("localhost:0").await.unwrap();
        assert!(server.local_addr().unwrap().ip().is_loopback());
        let address = server.local_addr().unwrap();
        let error = Server::<A>::bind(address).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse, "{error}");
        for address in ["localhost", "127.0.0.1", "localhost:http", "[::1]", ""] {
            let error = Server::<A>::bind(address).await.unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput, "{address}");
            let expected = format!("cannot listen on {address}: ");
            assert!(error.to_string().contains(&expected), "{error}");
        }
    });
}

pub fn a_taken_port_is_an_error_that_names_the_address<A: Adapter>() {
    A::block_on(async {
        let server = Server::<A>::bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap().to_string();
        let error = Server::<A>::bind(&address).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
        let expected = format!("cannot listen on {address}: ");
        assert!(error.to_string().contains(&expected), "{error}");
    });
}
