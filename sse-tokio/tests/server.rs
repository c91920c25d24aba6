//! The server over real sockets, with clients that see every byte.
//!
//! No test sleeps to let something happen: each waits for what it is about, and gives up after a
//! while.

use std::{
    collections::BTreeMap,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{Stream, StreamExt, stream};
use sse_tokio::{
    CloseReason, Config, Cors, Event, Json, Refusal, Reply, Report, Request, Response, RouteError,
    Router, Server, ServerHandle, StatusCode, Timer,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    task::JoinHandle,
    time::timeout,
};

/// How long anything may take before a test gives up. Nothing is asserted about time.
const PATIENCE: Duration = Duration::from_secs(30);

async fn patiently<T>(what: &str, future: impl Future<Output = T>) -> T {
    match timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited too long for {what}"),
    }
}

struct Running {
    address: SocketAddr,
    handle: ServerHandle,
    serving: JoinHandle<Result<Report, RouteError>>,
}

async fn start(router: Router) -> Running {
    start_with(Config::default(), router).await
}

async fn start_with(config: Config, router: Router) -> Running {
    let server = Server::bind("127.0.0.1:0")
        .await
        .unwrap()
        .with_config(config);
    Running {
        address: server.local_addr().unwrap(),
        handle: server.handle(),
        serving: tokio::spawn(server.serve(router)),
    }
}

impl Running {
    async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.address).await.unwrap())
    }

    /// A client that has sent a request.
    async fn get(&self, path: &str) -> Client {
        let mut client = self.connect().await;
        client
            .send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"))
            .await;
        client
    }

    async fn request(&self, bytes: impl AsRef<[u8]>) -> Answer {
        let mut client = self.connect().await;
        client.send(bytes).await;
        client.answer().await
    }

    async fn report(self) -> Report {
        patiently("the server's end", self.serving)
            .await
            .unwrap()
            .unwrap()
    }

    /// Until nobody is connected any more.
    async fn empty(&self) {
        self.wait_for_open(0).await;
    }

    async fn wait_for_open(&self, connections: usize) {
        patiently("connections to come or go", async {
            while self.handle.open_connections() != connections {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

struct Client(TcpStream);

impl Client {
    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Everything up to the end of the connection.
    async fn answer(mut self) -> Answer {
        let mut bytes = Vec::new();
        patiently("the end of the answer", self.0.read_to_end(&mut bytes))
            .await
            .unwrap();
        Answer(String::from_utf8(bytes).unwrap())
    }

    /// Reads until this has come.
    async fn read_until(&mut self, end: &str) -> String {
        let mut text = String::new();
        let mut buffer = [0; 1024];
        while !text.contains(end) {
            let n = patiently(end, self.0.read(&mut buffer)).await.unwrap();
            assert_ne!(n, 0, "the connection ended before {end:?} came: {text}");
            text += str::from_utf8(&buffer[..n]).unwrap();
        }
        text
    }

    /// What is left, the connection's end or reset included.
    async fn answer_rest(mut self) -> String {
        let mut bytes = Vec::new();
        let _ = patiently("the end", self.0.read_to_end(&mut bytes)).await;
        String::from_utf8(bytes).unwrap()
    }

    /// Closes with a reset instead of an end.
    fn reset(self) {
        let socket = socket2::SockRef::from(&self.0);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }
}

/// A whole answer.
#[derive(Debug)]
struct Answer(String);

impl Answer {
    fn status(&self) -> u16 {
        self.0.split(' ').nth(1).unwrap().parse().unwrap()
    }

    fn head(&self) -> &str {
        self.0.split_once("\r\n\r\n").unwrap().0
    }

    fn body(&self) -> &str {
        self.0.split_once("\r\n\r\n").unwrap().1
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.head().lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            (key == name).then_some(value)
        })
    }

    /// The body without its chunks, and whether it ends properly.
    fn events(&self) -> (String, bool) {
        assert_eq!(self.field("transfer-encoding"), Some("chunked"));
        let (mut text, mut rest) = (String::new(), self.body());
        while let Some((size, tail)) = rest.split_once("\r\n") {
            let size = usize::from_str_radix(size, 16).unwrap();
            if size == 0 {
                assert_eq!(tail, "\r\n", "nothing comes after the end");
                return (text, true);
            }
            text += &tail[..size];
            rest = tail[size..].strip_prefix("\r\n").unwrap();
        }
        (text, false)
    }
}

/// Where clean-ups are told, and what happened before them.
fn log() -> (
    mpsc::UnboundedSender<String>,
    mpsc::UnboundedReceiver<String>,
) {
    mpsc::unbounded_channel()
}

/// A route that logs its clean-up, and the end of its stream before that.
fn logged<S>(
    log: &mpsc::UnboundedSender<String>,
    stream: impl Fn() -> S + Send + Sync + 'static,
) -> impl Fn(Request) -> Guarded<S> + Send + Sync + 'static {
    let log = log.clone();
    move |request| {
        let told = log.clone();
        request
            .clean_up()
            .add(move |reason| told.send(reason.to_string()).unwrap());
        Guarded {
            stream: Box::pin(stream()),
            log: log.clone(),
        }
    }
}

/// A stream that says when it is dropped.
struct Guarded<S> {
    stream: Pin<Box<S>>,
    log: mpsc::UnboundedSender<String>,
}

impl<S: Stream> Stream for Guarded<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        self.stream.as_mut().poll_next(cx)
    }
}

impl<S> Drop for Guarded<S> {
    fn drop(&mut self) {
        // Nobody listens any more at the end of a test.
        let _ = self.log.send("the stream was dropped".into());
    }
}

async fn expect(log: &mut mpsc::UnboundedReceiver<String>, reason: &str) {
    for expected in ["the stream was dropped", reason] {
        let line = patiently(expected, log.recv()).await.unwrap();
        assert_eq!(line, expected);
    }
}

/// One event, and then nothing for ever.
fn hello_and_silence() -> impl Stream<Item = &'static str> {
    stream::iter(["hello"]).chain(stream::pending())
}

#[tokio::test]
async fn whatever_a_handler_yields_goes_out_as_an_event() {
    let full = || {
        Event::new("a\nb")
            .with_event_type("t")?
            .with_id(7)
            .map(|event| event.with_reconnection_time(Duration::from_secs(2)))
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
    let server = start(router).await;
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
        let answer = server.get(path).await.answer().await;
        assert_eq!(answer.events(), (expected.into(), true), "{path}");
        assert_eq!(answer.field("content-type"), Some("text/event-stream"));
    }
}

#[tokio::test]
async fn a_stream_that_ends_closes_the_connection_and_cleans_up() {
    let (log, mut told) = log();
    let hello = logged(&log, || stream::iter(["Hello, world!", "Goodbye, world!"]));
    let server = start(Router::new().events("/", hello)).await;
    let answer = server.get("/").await.answer().await;
    let events = "data: Hello, world!\n\ndata: Goodbye, world!\n\n";
    assert_eq!(answer.events(), (events.into(), true));
    expect(&mut told, "the stream ended").await;
    server.empty().await;
    assert!(told.try_recv().is_err(), "clean-up ran once");
}

#[tokio::test]
async fn a_client_that_goes_away_is_noticed_while_the_stream_is_idle() {
    let (log, mut told) = log();
    let server = start(Router::new().events("/", logged(&log, hello_and_silence))).await;
    let leave: [fn(Client); 2] = [drop, Client::reset];
    for leave in leave {
        let mut client = server.get("/").await;
        client.read_until("hello").await;
        leave(client);
        expect(&mut told, "the client went away").await;
    }
    let mut client = server.get("/").await;
    client.read_until("hello").await;
    client.0.shutdown().await.unwrap();
    expect(&mut told, "the client went away").await;
}

#[tokio::test]
async fn a_stream_that_fails_breaks_off_and_says_why() {
    let (log, mut told) = log();
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
    let server = start(router).await;
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
        let answer = server.get(path).await.answer().await;
        assert_eq!(answer.events(), (sent.into(), false), "{path}");
        expect(&mut told, reason).await;
    }
}

#[tokio::test]
async fn a_handler_that_panics_is_a_500_and_the_server_goes_on() {
    let router = Router::new()
        .get("/panic", |_| -> Reply { panic!("expected in this test") })
        .get("/page", |_| Response::new("<p>hello"));
    let server = start(router).await;
    assert_eq!(server.get("/panic").await.answer().await.status(), 500);
    let page = server.get("/page").await.answer().await;
    assert_eq!((page.status(), page.body()), (200, "<p>hello"));
}

#[tokio::test]
async fn a_handler_may_refuse_set_fields_and_wait() {
    let router = Router::new()
        .events("/refused", async |_| {
            tokio::task::yield_now().await;
            Err::<stream::Empty<&str>, _>(Refusal::new(StatusCode::FORBIDDEN, "not you\n"))
        })
        .events("/cookies", |_| {
            use sse_tokio::http::{HeaderValue, header::SET_COOKIE};
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
    let server = start(router).await;
    let refused = server.get("/refused").await.answer().await;
    assert_eq!((refused.status(), refused.body()), (403, "not you\n"));
    let cookies = server.get("/cookies").await.answer().await;
    assert_eq!(cookies.status(), 202);
    assert_eq!(cookies.head().matches("set-cookie: ").count(), 2);
    let room = server
        .request("GET /rooms/caf%C3%A9 HTTP/1.1\r\nHost: a\r\nLast-Event-ID: 7\r\n\r\n")
        .await;
    assert_eq!(room.events().0, "data: café\n\ndata: 7\n\n");
}

#[tokio::test]
async fn bad_input_gets_a_clear_answer_and_others_are_served() {
    let server = start(Router::new().events("/", |_| hello_and_silence())).await;
    let mut good = server.get("/").await;
    good.read_until("hello").await;
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
        let answer = server.request(&request).await;
        assert_eq!(answer.status(), status, "{request:.40}");
        let is_text = answer.field("content-type") == Some("text/plain; charset=utf-8");
        assert_eq!(
            is_text && answer.body().ends_with('\n'),
            status != 204,
            "{answer:?}"
        );
    }
    let answer = server.request("PUT / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(answer.field("allow"), Some("GET, HEAD, OPTIONS"));
    let head = server.request("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!((head.status(), head.body()), (200, ""));
    assert_eq!(head.field("content-type"), Some("text/event-stream"));
}

#[tokio::test]
async fn a_request_may_drip_in_and_a_second_one_is_not_served() {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    let router = Router::new().events("/", move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        stream::iter(["once"])
    });
    let server = start(router).await;
    let mut client = server.connect().await;
    for byte in b"GET / HTTP/1.0\r\n\r\n" {
        client.send([*byte]).await;
    }
    // HTTP/1.0 knows no chunks: the body ends with the connection.
    assert_eq!(client.answer().await.body(), "data: once\n\n");

    let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let answer = server.request(request.repeat(2)).await;
    assert_eq!(answer.events(), ("data: once\n\n".into(), true));
    server.empty().await;
    assert_eq!(calls.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn deadlines_are_kept_on_real_sockets() {
    let (log, mut told) = log();
    let mut config = Config::default();
    config.connection.head_timeout = Duration::from_millis(100);
    config.connection.stall_timeout = Duration::from_millis(200);
    config.connection.keep_alive = Some(Duration::from_millis(20));
    let endless = || stream::repeat("x".repeat(10_000));
    let router = Router::new()
        .events("/idle", logged(&log, hello_and_silence))
        .events("/endless", logged(&log, endless));
    let server = start_with(config, router).await;

    let slow = server.request("GET /").await;
    assert_eq!(slow.status(), 408);
    let silent = server.connect().await.answer().await;
    assert_eq!(silent.0, "");

    // Somebody who never reads is cut, and nobody waits for them.
    let never_reads = server.get("/endless").await;
    let mut idle = server.get("/idle").await;
    idle.read_until("hello").await;
    idle.read_until("3\r\n:\n\n\r\n").await;
    expect(&mut told, &CloseReason::TimedOut(Timer::Stall).to_string()).await;
    idle.read_until("3\r\n:\n\n\r\n").await;
    drop(never_reads);
}

#[tokio::test]
async fn at_the_limit_a_newcomer_is_refused_and_nobody_evicted() {
    let mut config = Config::default();
    config.max_connections = 1;
    let (log, mut told) = log();
    let server = start_with(
        config,
        Router::new().events("/", logged(&log, hello_and_silence)),
    )
    .await;
    let mut first = server.get("/").await;
    first.read_until("hello").await;
    let refused = server.get("/").await.answer().await;
    assert_eq!(refused.status(), 503);
    let seconds: u64 = refused.field("retry-after").unwrap().parse().unwrap();
    assert!((1..=10).contains(&seconds), "{seconds}");
    drop(first);
    expect(&mut told, "the client went away").await;
    server.empty().await;
    server.get("/").await.read_until("hello").await;
}

#[tokio::test]
async fn a_graceful_shutdown_lets_streams_end_and_cuts_the_rest() {
    let (log, mut told) = log();
    let polite = |request: Request| {
        hello_and_silence()
            .take_until(request.shutdown())
            .chain(stream::iter(["last words"]))
    };
    let mut config = Config::default();
    config.shutdown_timeout = Duration::from_millis(200);
    let router = Router::new()
        .events("/polite", polite)
        .events("/stubborn", logged(&log, hello_and_silence));
    let server = start_with(config, router).await;
    let mut polite = server.get("/polite").await;
    polite.read_until("hello").await;
    let mut stubborn = server.get("/stubborn").await;
    stubborn.read_until("hello").await;
    let silent = server.connect().await;
    server.wait_for_open(3).await;

    server.handle.shut_down();
    let rest = polite.answer_rest().await;
    assert!(
        rest.ends_with("data: last words\n\n\r\n0\r\n\r\n"),
        "{rest}"
    );
    expect(&mut told, "the server was shut down").await;
    assert_eq!(silent.answer().await.0, "");
    let rest = stubborn.answer_rest().await;
    assert!(!rest.contains("0\r\n\r\n"), "{rest}");

    let address = server.address;
    let report = server.report().await;
    assert_eq!((report.accepted, report.cut), (3, 1));
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn dropping_the_server_cuts_its_connections() {
    let (log, mut told) = log();
    let server = start(Router::new().events("/", logged(&log, hello_and_silence))).await;
    let mut client = server.get("/").await;
    client.read_until("hello").await;
    server.serving.abort();
    expect(&mut told, "the server was shut down").await;
}

#[test]
fn a_runtime_that_shuts_down_runs_every_clean_up() {
    let (log, mut told) = log();
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap()
    };
    let (servers, clients) = (runtime(), runtime());
    let router = Router::new().events("/", logged(&log, hello_and_silence));
    let server = servers.block_on(start(router));
    let open: Vec<_> = (0..10)
        .map(|_| {
            clients.block_on(async {
                let mut client = server.get("/").await;
                client.read_until("hello").await;
                client
            })
        })
        .collect();
    drop(servers);
    let mut reasons = Vec::new();
    while let Ok(line) = told.try_recv() {
        reasons.push(line);
    }
    reasons.retain(|line| line != "the stream was dropped");
    assert_eq!(reasons.len(), open.len(), "once each: {reasons:?}");
    // Whichever is dropped first: the server, which cuts its connections, or their tasks.
    for reason in reasons {
        let is_right = [CloseReason::TaskDropped, CloseReason::Shutdown]
            .iter()
            .any(|expected| expected.to_string() == reason);
        assert!(is_right, "{reason}");
    }
}

#[tokio::test]
async fn nothing_is_left_of_connections_that_are_over() {
    let descriptors = || std::fs::read_dir("/proc/self/fd").map(Iterator::count).ok();
    let server = start(Router::new().events("/", |_| hello_and_silence())).await;
    let before = descriptors();
    for _ in 0..10 {
        let mut clients = Vec::new();
        for _ in 0..30 {
            let mut client = server.get("/").await;
            client.read_until("hello").await;
            clients.push(client);
        }
        drop(clients);
        server.empty().await;
    }
    assert_eq!(descriptors(), before);
}

#[tokio::test]
async fn pages_of_allowed_origins_may_read() {
    let cors = Cors::origins(["https://a.example"]).unwrap();
    let server = start(
        Router::new()
            .events("/", |_| stream::iter(["x"]))
            .cors(cors),
    )
    .await;
    let answer = server
        .request("GET / HTTP/1.1\r\nHost: a\r\nOrigin: https://a.example\r\n\r\n")
        .await;
    assert_eq!(
        answer.field("access-control-allow-origin"),
        Some("https://a.example")
    );
    let preflight = server
        .request(
            "OPTIONS / HTTP/1.1\r\nHost: a\r\nOrigin: https://a.example\r\n\
             Access-Control-Request-Method: GET\r\n\r\n",
        )
        .await;
    assert_eq!(preflight.status(), 204);
    assert_eq!(
        preflight.field("access-control-allow-methods"),
        Some("GET, HEAD")
    );
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_names_the_address() {
    let server = Server::bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().unwrap().to_string();
    let error = Server::bind(&address).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    assert!(
        error
            .to_string()
            .contains(&format!("cannot listen on {address}: ")),
        "{error}"
    );
}
