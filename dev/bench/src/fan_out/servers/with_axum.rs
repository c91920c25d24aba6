//! axum: `Sse` over the stream of a broadcast channel, as its documentation shows it. Finished
//! events are sent through the channel, so that each is built once.

use std::convert::Infallible;

use axum::{
    Router,
    extract::Request,
    response::sse::{Event, Sse},
    routing::get,
    serve::ListenerExt,
};
use futures_util::{Stream, StreamExt, future::ready, stream};
use sse_tokio::Embedding;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::broadcast,
};
use tokio_stream::wrappers::BroadcastStream;

use super::{Tls, data, publish_on_command, tokio_control, tokio_runtime};
use crate::{
    Result,
    control::{id, obey},
    tls_listener::TlsListener,
};

/// The number of events that the channel holds.
const CAPACITY: usize = 1024;

pub(crate) fn serve(control: &str, nodelay: bool, tls: Tls) -> Result<()> {
    tokio_runtime()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let control = tokio_control(control).await?;
        let (sender, _) = broadcast::channel(CAPACITY);

        let publisher = sender.clone();
        tokio::spawn(async move {
            let (data, mut sequence) = (data(), 10_000);
            let publish = |events| {
                for _ in 0..events {
                    sequence += 1;
                    // This fails when there is no receiver.
                    let _ = publisher.send(Event::default().id(id(sequence)).data(&data));
                }
            };
            let _ = obey(control, port, publish).await;
            std::process::exit(0);
        });

        let app = Router::new()
            .route("/events", get(async move || sse(&sender)))
            .route("/first", get(first));
        serve_app(listener, app, nodelay, tls).await
    })
}

/// Our embedding: a topic, and a handler that returns a subscriber.
pub(crate) fn serve_embedding(control: &str) -> Result<()> {
    tokio_runtime()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let control = tokio_control(control).await?;
        let topic = publish_on_command(control, port);
        let embedding = Embedding::default();
        let events = move |request: Request| {
            let topic = topic.clone();
            embedding.respond(request, None, move |_| topic.subscribe())
        };
        serve_app(
            listener,
            Router::new().route("/events", get(events)),
            true,
            None,
        )
        .await
    })
}

/// HTTP/1.1, or HTTP/2 if the client begins with it.
async fn serve_app(listener: TcpListener, app: Router, nodelay: bool, tls: Tls) -> Result<()> {
    if let Some(tls) = tls {
        axum::serve(TlsListener::new(listener, tls)?, app).await?;
        return Ok(());
    }
    let listener = listener.tap_io(move |socket: &mut TcpStream| {
        if nodelay {
            let _ = socket.set_nodelay(true);
        }
    });
    axum::serve(listener, app).await?;
    Ok(())
}

/// A stream with one event.
async fn first() -> Sse<impl Stream<Item = std::result::Result<Event, Infallible>>> {
    let event = Event::default().id(id(10_000)).data(data());
    Sse::new(stream::iter([Ok(event)]).chain(stream::pending()))
}

fn sse(
    sender: &broadcast::Sender<Event>,
) -> Sse<impl Stream<Item = std::result::Result<Event, Infallible>> + use<>> {
    let events = BroadcastStream::new(sender.subscribe());
    Sse::new(events.filter_map(|event| ready(event.ok().map(Ok))))
}
