//! The servers: topics, and axum with a broadcast channel, as its documentation shows it.

#[cfg(feature = "peers")]
use std::convert::Infallible;
use std::process;

use sse_core::server::StreamCompression;
use sse_tokio::{Reply, Request, Router, Server, Tokio, Topic, TopicConfig};
#[cfg(feature = "peers")]
use {
    axum::response::sse::{self, Sse},
    futures_util::{Stream, StreamExt, future::ready},
    tokio::{net::TcpListener, sync::broadcast},
    tokio_stream::wrappers::BroadcastStream,
    tower_http::compression::{CompressionLayer, predicate::SizeAbove},
};

#[cfg(feature = "peers")]
use crate::control::id;
use crate::{Result, control::obey, corpora::Corpus};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A topic that does not compress.
    Plain,
    /// A topic that compresses, once for all.
    Shared,
    /// A topic that does not compress, and a compressor for each connection.
    Own,
    #[cfg(feature = "peers")]
    Axum,
    /// axum, with a compressor for each connection: the layer of `tower-http`, with a setting to
    /// compress event streams, too.
    #[cfg(feature = "peers")]
    AxumCompressed,
}

/// The number of bits of a command that count events. The bits above them name the corpus.
pub(crate) const EVENT_BITS: u32 = 24;

impl Kind {
    pub(crate) const ALL: &[Self] = &[
        Self::Plain,
        Self::Shared,
        Self::Own,
        #[cfg(feature = "peers")]
        Self::Axum,
        #[cfg(feature = "peers")]
        Self::AxumCompressed,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "a topic, not compressed",
            Self::Shared => "a topic, compressed once",
            Self::Own => "a topic, a compressor for each connection",
            #[cfg(feature = "peers")]
            Self::Axum => "axum, not compressed",
            #[cfg(feature = "peers")]
            Self::AxumCompressed => "axum with tower-http's `CompressionLayer`",
        }
    }

    pub(crate) fn named(name: &str) -> Result<Self> {
        let found = Self::ALL.iter().find(|kind| kind.name() == name);
        found
            .copied()
            .ok_or_else(|| format!("there is no server {name}").into())
    }

    /// Returns whether its responses are compressed.
    pub(crate) fn is_coded(self) -> bool {
        match self {
            Self::Plain => false,
            Self::Shared | Self::Own => true,
            #[cfg(feature = "peers")]
            Self::Axum => false,
            #[cfg(feature = "peers")]
            Self::AxumCompressed => true,
        }
    }

    /// Serves until this program is ended.
    pub(crate) fn serve(self, control: &str) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        match self {
            Self::Plain => runtime.block_on(serve(control, false, StreamCompression::Off)),
            Self::Shared => runtime.block_on(serve(control, true, StreamCompression::Shared)),
            Self::Own => runtime.block_on(serve(control, false, StreamCompression::Own)),
            #[cfg(feature = "peers")]
            Self::Axum => runtime.block_on(serve_axum(control, false)),
            #[cfg(feature = "peers")]
            Self::AxumCompressed => runtime.block_on(serve_axum(control, true)),
        }
    }
}

/// Publishes as the commands say, and ends with the program that started this one.
async fn obey_all(control: String, port: u16, mut publish: impl FnMut(Corpus, u64)) -> Result<()> {
    use tokio_util::compat::TokioAsyncReadCompatExt;

    let control = tokio::net::TcpStream::connect(control).await?.compat();
    let mut published = 0;
    let obeyed = obey(control, port, |command| {
        let corpus = Corpus::ALL[(command >> EVENT_BITS) as usize];
        for _ in 0..command & ((1 << EVENT_BITS) - 1) {
            publish(corpus, published);
            published += 1;
        }
    });
    let _ = obeyed.await;
    process::exit(0)
}

/// Serves a topic of ours, with default settings otherwise.
async fn serve(control: &str, compress: bool, compression: StreamCompression) -> Result<()> {
    let mut config = TopicConfig::default();
    config.compress = compress;
    let topics = Corpus::ALL.map(|_| Topic::on(Tokio, config.clone()));
    let server = Server::bind("127.0.0.1:0").await?;
    let port = server.local_addr()?.port();
    let publishers = topics.clone();
    tokio::spawn(obey_all(control.into(), port, move |corpus, n| {
        // This cannot fail: the event is small enough, and has no ID.
        let _ = publishers[corpus.number()].publish(corpus.data(n));
    }));
    let mut router = Router::new();
    for (corpus, topic) in Corpus::ALL.into_iter().zip(topics) {
        router = router.events(format!("/{}", corpus.name()), move |_: Request| {
            Reply::events(topic.subscribe()).with_compression(compression)
        });
    }
    server.serve(router).await?;
    Ok(())
}

#[cfg(feature = "peers")]
async fn serve_axum(control: &str, is_compressed: bool) -> Result<()> {
    use axum::{routing::get, serve::ListenerExt};

    /// The number of events that a channel holds.
    const CAPACITY: usize = 1024;

    let senders = Corpus::ALL.map(|_| broadcast::channel::<sse::Event>(CAPACITY).0);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let publishers = senders.clone();
    tokio::spawn(obey_all(control.into(), port, move |corpus, n| {
        let event = sse::Event::default().id(id(n)).data(corpus.data(n));
        // This fails when there is no receiver.
        let _ = publishers[corpus.number()].send(event);
    }));
    let mut app = axum::Router::new();
    for (corpus, sender) in Corpus::ALL.into_iter().zip(senders) {
        let handler = async move || stream(&sender);
        app = app.route(&format!("/{}", corpus.name()), get(handler));
    }
    if is_compressed {
        app = app.layer(CompressionLayer::new().compress_when(SizeAbove::new(0)));
    }
    // As our server does.
    let listener = listener.tap_io(|socket| {
        let _ = socket.set_nodelay(true);
    });
    axum::serve(listener, app).await?;
    Ok(())
}

#[cfg(feature = "peers")]
fn stream(
    sender: &broadcast::Sender<sse::Event>,
) -> Sse<impl Stream<Item = std::result::Result<sse::Event, Infallible>> + use<>> {
    let events = BroadcastStream::new(sender.subscribe());
    Sse::new(events.filter_map(|event| ready(event.ok().map(Ok))))
}
