//! Handlers of axum whose replies are event streams, over sockets.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::mpsc,
    time::Duration,
};

use axum::{
    extract::{FromRef, FromRequestParts, Path, State, connect_info::MockConnectInfo},
    response::IntoResponse,
    routing::get,
};
use futures_util::stream;
use sse_tokio::{
    Embedding, EmbeddingConfig, Refusal, Reply, ResumableStreams, StatusCode, Tokio, Topic,
    TopicConfig, axum::Sse,
};

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(300);

#[derive(Clone)]
struct App {
    sse: Embedding,
    news: Topic,
    answers: ResumableStreams,
    log: mpsc::SyncSender<String>,
}

impl FromRef<App> for Embedding {
    fn from_ref(app: &App) -> Self {
        app.sse.clone()
    }
}

async fn news(State(app): State<App>, sse: Sse) -> impl IntoResponse {
    let peer = sse.peer_addr().map(|peer| peer.ip().to_string());
    sse.clean_up().add(move |reason| {
        let _ = app
            .log
            .send(format!("{}: {reason}", peer.unwrap_or_default()));
    });
    let subscriber = app.news.resume(&sse);
    sse.reply(subscriber)
}

async fn answer(
    State(app): State<App>,
    Path(id): Path<String>,
    sse: Sse,
) -> Result<impl IntoResponse, Refusal> {
    let answers = ["Once", " upon", " a", " time"];
    let attachment = app
        .answers
        .attach_or_start(&id, &sse, |_| stream::iter(answers))?;
    Ok(sse.reply(attachment))
}

async fn refused(_: Sse) -> Result<&'static str, Refusal> {
    Err(Refusal::new(StatusCode::FORBIDDEN, "not for you\n"))
}

/// Starts an axum server with these routes.
async fn serve(config: EmbeddingConfig) -> (App, SocketAddr, mpsc::Receiver<String>) {
    let (log, told) = mpsc::sync_channel(16);
    let app = App {
        sse: Embedding::on(Tokio, config),
        news: Topic::on(Tokio, TopicConfig::default()),
        answers: ResumableStreams::on(Tokio, Default::default()),
        log,
    };
    let router = axum::Router::new()
        .route("/news", get(news))
        .route("/answers/{id}", get(answer))
        .route("/refused", get(refused))
        .route(
            "/count",
            get(async |sse: Sse| sse.reply(Reply::events(stream::iter(1..=3)))),
        )
        .with_state(app.clone())
        .into_make_service_with_connect_info::<SocketAddr>();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (app, address, told)
}

/// Returns a client that has sent this request.
fn ask(address: SocketAddr, path: &str, fields: &str) -> BufReader<TcpStream> {
    let mut socket = TcpStream::connect(address).unwrap();
    let limit = Some(PATIENCE);
    socket.set_read_timeout(limit).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{fields}\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    BufReader::new(socket)
}

fn whole(address: SocketAddr, path: &str, fields: &str) -> String {
    let mut text = String::new();
    ask(address, path, fields)
        .read_to_string(&mut text)
        .unwrap();
    text
}

/// Returns the rest of the first line that begins with `start`.
fn line(client: &mut impl BufRead, start: &str) -> String {
    loop {
        let mut line = String::new();
        assert_ne!(client.read_line(&mut line).unwrap(), 0, "no {start}");
        if let Some(rest) = line.strip_prefix(start) {
            return rest.trim_end().to_owned();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_is_a_reply_and_resumes() {
    let (app, address, told) = serve(EmbeddingConfig::default()).await;
    let mut client = ask(address, "/news", "");
    assert_eq!(line(&mut client, "content-type: "), "text/event-stream");
    while app.news.stats().subscribers == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    app.news.publish("one").unwrap();
    let id = line(&mut client, "id: ");
    assert_eq!(line(&mut client, "data: "), "one");
    drop(client);
    let why = told.recv_timeout(PATIENCE).unwrap();
    assert_eq!(why, "127.0.0.1: the client went away");

    app.news.publish("two").unwrap();
    let mut client = ask(address, "/news", &format!("Last-Event-ID: {id}\r\n"));
    assert_eq!(line(&mut client, "data: "), "two");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resumable_stream_is_a_reply_and_tells_a_client_that_has_all_not_to_come_back() {
    let (_, address, _) = serve(EmbeddingConfig::default()).await;
    let text = whole(address, "/answers/7", "");
    for word in ["Once", " upon", " a", " time", "{\"outcome\":\"complete\"}"] {
        assert!(text.contains(&format!("data: {word}\n\n")), "{text}");
    }
    let last = text
        .lines()
        .filter_map(|line| line.strip_prefix("id: "))
        .next_back();
    let again = whole(
        address,
        "/answers/7",
        &format!("Last-Event-ID: {}\r\n", last.unwrap()),
    );
    assert!(again.starts_with("HTTP/1.1 204 "), "{again}");
    let forgotten = whole(address, "/answers/8", "Last-Event-ID: x\r\n");
    assert!(forgotten.starts_with("HTTP/1.1 404 "), "{forgotten}");
}

#[tokio::test(flavor = "multi_thread")]
async fn any_stream_and_a_refusal_are_replies_and_one_too_many_is_refused() {
    let mut config = EmbeddingConfig::default();
    config.max_open = 1;
    let (app, address, _) = serve(config).await;
    let count = whole(address, "/count", "");
    assert!(
        count.contains("data: 1\n\ndata: 2\n\ndata: 3\n\n"),
        "{count}"
    );
    let refused = whole(address, "/refused", "");
    assert!(
        refused.starts_with("HTTP/1.1 403 ") && refused.ends_with("not for you\n"),
        "{refused}"
    );
    while app.sse.open() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    let mut open = ask(address, "/news", "");
    line(&mut open, "HTTP/1.1 200");
    let full = whole(address, "/count", "");
    assert!(full.starts_with("HTTP/1.1 503 "), "{full}");
    assert!(full.contains("retry-after: "), "{full}");
}

/// Tests of axum's handlers have no connection.
#[tokio::test]
async fn the_peer_may_be_the_mock_of_a_test() {
    let peer: SocketAddr = "192.0.2.1:7".parse().unwrap();
    let (mut parts, ()) = sse_tokio::http::Request::new(()).into_parts();
    parts.extensions.insert(MockConnectInfo(peer));
    let embedding = Embedding::default();
    let sse = Sse::from_request_parts(&mut parts, &embedding).await;
    assert_eq!(sse.unwrap().peer_addr(), Some(peer));
}
