//! Our three servers: a topic, and a handler that returns a subscriber, with default settings.

use std::process;

use futures_util::{AsyncRead, AsyncWrite, StreamExt, stream};
use sse_async_std::AsyncStd;
use sse_core::{
    Event,
    topic::{Topic, TopicConfig},
};
use sse_smol::Smol;
use sse_tokio::{
    Tokio,
    driver::{Runtime, Server, router::Router},
};

use super::{Tls, data, tokio_control, tokio_runtime};
use crate::{
    Result,
    control::{id, obey},
};

pub(crate) fn serve_tokio(control: &str, tls: Tls) -> Result<()> {
    tokio_runtime()?.block_on(async {
        let control = tokio_control(control).await?;
        tokio::spawn(serve(Tokio, control, tls)).await?
    })
}

pub(crate) fn serve_smol(control: &str, tls: Tls) -> Result<()> {
    smol::block_on(async {
        let control = smol::net::TcpStream::connect(control).await?;
        smol::spawn(serve(Smol, control, tls)).await
    })
}

pub(crate) fn serve_async_std(control: &str, tls: Tls) -> Result<()> {
    async_std::task::block_on(async {
        let control = async_std::net::TcpStream::connect(control).await?;
        async_std::task::spawn(serve(AsyncStd, control, tls)).await
    })
}

async fn serve<R: Runtime + Default>(
    runtime: R,
    control: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    tls: Tls,
) -> Result<()> {
    let mut server = Server::<R>::bind("127.0.0.1:0").await?;
    if let Some(tls) = tls {
        server = server.with_tls(tls);
    }
    let port = server.local_addr()?.port();
    let topic = Topic::on(runtime.clone(), TopicConfig::default());
    let publisher = topic.clone();
    runtime.spawn(async move {
        let event = Event::new(data());
        let publish = |events| {
            for _ in 0..events {
                // This cannot fail: the event is small enough, and has no ID.
                let _ = publisher.publish(event.clone());
            }
        };
        // An error means that the process that started this one has ended.
        let _ = obey(control, port, publish).await;
        process::exit(0);
    });
    server
        .serve(
            Router::new()
                .events("/events", move |_| topic.subscribe())
                .events("/first", |_| {
                    let first = Event::new(data()).with_id(id(10_000));
                    stream::iter([first]).chain(stream::pending())
                }),
        )
        .await?;
    Ok(())
}
