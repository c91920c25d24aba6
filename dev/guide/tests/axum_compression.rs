//! Event streams beside `tower-http`'s compression, in axum.

use std::{net::SocketAddr, time::Duration};

use axum::{
    extract::{FromRef, State},
    response::IntoResponse,
    routing::get,
};
use sse_core::gzip::GzipDecoder;
use sse_tokio::{Embedding, EmbeddingConfig, Tokio, Topic, TopicConfig, axum::Sse};
use tower_http::compression::{CompressionLayer, predicate::SizeAbove};

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(300);

/// A topic that compresses, and one that does not.
#[derive(Clone)]
struct App {
    sse: Embedding,
    compressed: Topic,
    plain: Topic,
}

impl FromRef<App> for Embedding {
    fn from_ref(app: &App) -> Self {
        app.sse.clone()
    }
}

async fn compressed(State(app): State<App>, sse: Sse) -> impl IntoResponse {
    let subscriber = app.compressed.resume(&sse);
    sse.reply(subscriber)
}

async fn plain(State(app): State<App>, sse: Sse) -> impl IntoResponse {
    let subscriber = app.plain.resume(&sse);
    sse.reply(subscriber)
}

impl App {
    fn new() -> Self {
        let mut config = TopicConfig::default();
        let plain = Topic::on(Tokio, config.clone());
        config.compress = true;
        Self {
            sse: Embedding::on(Tokio, EmbeddingConfig::default()),
            compressed: Topic::on(Tokio, config),
            plain,
        }
    }

    fn routes(&self) -> axum::Router {
        axum::Router::new()
            .route("/compressed", get(compressed))
            .route("/plain", get(plain))
            .route("/page", get(async || "a page ".repeat(1000)))
            .with_state(self.clone())
    }
}

async fn serve(router: axum::Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// A client that accepts `gzip`, and what it has received.
struct Client {
    response: reqwest::Response,
    decoder: Option<GzipDecoder>,
    text: Vec<u8>,
}

impl Client {
    async fn ask(address: SocketAddr, path: &str) -> Self {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.get(format!("http://{address}{path}"));
        let request = request.header("accept-encoding", "gzip");
        let response = request.send().await.unwrap();
        let codings: Vec<_> = response
            .headers()
            .get_all("content-encoding")
            .iter()
            .collect();
        let decoder = match codings[..] {
            [] => None,
            [coding] if coding == "gzip" => Some(GzipDecoder::new(1000)),
            _ => panic!("{codings:?}"),
        };
        Self {
            response,
            decoder,
            text: Vec::new(),
        }
    }

    fn is_coded(&self) -> bool {
        self.decoder.is_some()
    }

    /// Reads until `what` has arrived. The body must not end before.
    async fn read_until(&mut self, what: &str) {
        while !String::from_utf8_lossy(&self.text).contains(what) {
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk());
            let chunk = chunk.await.expect(what).unwrap().expect(what);
            match &mut self.decoder {
                None => self.text.extend_from_slice(&chunk),
                Some(decoder) => {
                    let mut input = &chunk[..];
                    while decoder.decode(&mut input, &mut self.text).unwrap() {}
                }
            }
        }
    }

    /// Receives events one by one: each is published when the one before has arrived.
    async fn gets_each_event(&mut self, topic: &Topic) {
        while topic.stats().subscribers == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for n in 0..20 {
            let data = format!("event {n} of a stream");
            topic.publish(data.as_str()).unwrap();
            self.read_until(&format!("data: {data}\n\n")).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn as_it_comes_the_layer_leaves_event_streams_alone() {
    let app = App::new();
    let address = serve(app.routes().layer(CompressionLayer::new())).await;
    assert!(Client::ask(address, "/page").await.is_coded());
    let mut client = Client::ask(address, "/compressed").await;
    assert!(client.is_coded());
    client.gets_each_event(&app.compressed).await;
    let mut client = Client::ask(address, "/plain").await;
    assert!(!client.is_coded());
    client.gets_each_event(&app.plain).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_compress_everything_it_leaves_alone_what_is_compressed_already() {
    let app = App::new();
    let layer = CompressionLayer::new().compress_when(SizeAbove::new(0));
    let address = serve(app.routes().layer(layer)).await;
    let mut client = Client::ask(address, "/compressed").await;
    assert!(client.is_coded());
    client.gets_each_event(&app.compressed).await;
    // The layer compresses the other streams, and flushes each event.
    let mut client = Client::ask(address, "/plain").await;
    assert!(client.is_coded());
    client.gets_each_event(&app.plain).await;
}
