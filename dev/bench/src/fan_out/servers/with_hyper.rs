//! Our embedding in hyper, without a framework around it, as `docs/hyper.md` shows it.

use std::convert::Infallible;

use hyper::{
    Request,
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use sse_tokio::Embedding;
use tokio::net::TcpListener;

use super::{publish_on_command, tokio_control, tokio_runtime};
use crate::Result;

pub(crate) fn serve(control: &str, is_http2: bool) -> Result<()> {
    tokio_runtime()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let topic = publish_on_command(tokio_control(control).await?, port);
        let embedding = Embedding::default();
        loop {
            let (socket, _) = listener.accept().await?;
            socket.set_nodelay(true)?;
            let (embedding, topic) = (embedding.clone(), topic.clone());
            let events = service_fn(move |request: Request<Incoming>| {
                let topic = topic.clone();
                let response = embedding.respond(request, None, move |_| topic.subscribe());
                async { Ok::<_, Infallible>(response.await) }
            });
            let socket = TokioIo::new(socket);
            match is_http2 {
                false => {
                    let connection = http1::Builder::new().serve_connection(socket, events);
                    // It ends with an error when the client goes.
                    tokio::spawn(async { _ = connection.await });
                }
                true => {
                    let builder = http2::Builder::new(TokioExecutor::new());
                    let connection = builder.serve_connection(socket, events);
                    tokio::spawn(async { _ = connection.await });
                }
            }
        }
    })
}
