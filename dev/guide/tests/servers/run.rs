//! The four servers.

use std::{
    convert::Infallible,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use sse_tokio::{Embedding, EmbeddingConfig, Router, Server, ServerConfig, Tokio};

/// A running server.
pub struct Running {
    pub address: SocketAddr,
    /// Begins the shutdown, which streams can see.
    pub begin_shutdown: Box<dyn Fn() + Send>,
    pub cut: Box<dyn Fn() + Send>,
}

/// A short interval, for a test.
const KEEP_ALIVE: Duration = Duration::from_millis(50);

fn embedding_config() -> EmbeddingConfig {
    let mut config = EmbeddingConfig::default();
    config.response.keep_alive = Some(KEEP_ALIVE);
    config
}

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn running<R: sse_tokio::driver::Runtime>(
    address: SocketAddr,
    embedding: &sse_tokio::driver::embedding::Embedding<R>,
) -> Running {
    let (begin, cut) = (embedding.clone(), embedding.clone());
    Running {
        address,
        begin_shutdown: Box::new(move || begin.begin_shutdown()),
        cut: Box::new(move || cut.cut()),
    }
}

pub async fn our_own(router: Router) -> Running {
    let mut config = ServerConfig::default();
    config.connection.response.keep_alive = Some(KEEP_ALIVE);
    let server = Server::bind("127.0.0.1:0")
        .await
        .unwrap()
        .with_config(config);
    let (begin, cut) = (server.handle(), server.handle());
    let address = server.local_addr().unwrap();
    tokio::spawn(server.serve(router));
    Running {
        address,
        begin_shutdown: Box::new(move || begin.shut_down()),
        cut: Box::new(move || cut.cut()),
    }
}

/// Over HTTP/1.1 and HTTP/2.
pub async fn hyper_on_tokio(router: Router) -> Running {
    let embedding = Embedding::on(Tokio, embedding_config());
    let (listener, address) = listen();
    let running = running(address, &embedding);
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let routes = Arc::new(router.build().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, peer)) = listener.accept().await {
            let (embedding, routes) = (embedding.clone(), routes.clone());
            let service = service_fn(move |request: hyper::Request<Incoming>| {
                let answer = embedding.route(&routes, request, Some(peer));
                async { Ok::<_, Infallible>(answer.await) }
            });
            tokio::spawn(async move {
                let mut server = auto::Builder::new(TokioExecutor::new());
                server.http1().timer(TokioTimer::new());
                server.http2().timer(TokioTimer::new());
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    running
}

pub async fn hyper_on_smol(router: Router) -> Running {
    use sse_smol::{Embedding, Smol};

    let embedding = Embedding::on(Smol, embedding_config());
    let (listener, address) = listen();
    let running = running(address, &embedding);
    let listener = smol::Async::new(listener).unwrap();
    let routes = Arc::new(router.build().unwrap());
    smol::spawn(async move {
        while let Ok((stream, peer)) = listener.accept().await {
            let (embedding, routes) = (embedding.clone(), routes.clone());
            let service = service_fn(move |request: hyper::Request<Incoming>| {
                let answer = embedding.route(&routes, request, Some(peer));
                async { Ok::<_, Infallible>(answer.await) }
            });
            smol::spawn(
                http1::Builder::new()
                    .timer(smol_hyper::rt::SmolTimer::new())
                    .serve_connection(smol_hyper::rt::FuturesIo::new(stream), service),
            )
            .detach();
        }
    })
    .detach();
    running
}

/// Every path leads to our routes, which are the fallback of the application.
pub async fn axum(router: Router) -> Running {
    let embedding = Embedding::on(Tokio, embedding_config());
    let (listener, address) = listen();
    let running = running(address, &embedding);
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let routes = Arc::new(router.build().unwrap());
    let app = axum::Router::new()
        .fallback(move |request: axum::extract::Request| embedding.route(&routes, request, None));
    tokio::spawn(async { axum::serve(listener, app).await });
    running
}
