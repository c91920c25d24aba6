//! The measured servers, each set up as its documentation shows.

mod bare;
mod ours;
#[cfg(feature = "peers")]
mod with_actix;
#[cfg(feature = "peers")]
mod with_axum;
#[cfg(feature = "peers")]
mod with_hyper;

use std::sync::Arc;

use sse_tokio::tls::rustls::ServerConfig;

use crate::{
    Result,
    control::{MARK, Process},
    load::Protocol,
    tls::{self, Handshakes},
};

/// The data of every event: 150 bytes.
pub(crate) fn data() -> String {
    format!("{:x<149}{}", "", char::from(MARK))
}

/// The configuration of a server over TLS.
type Tls = Option<Arc<ServerConfig>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The limit: `epoll`, and one `write` of bytes that were encoded beforehand for every socket.
    Bare,
    Tokio,
    Smol,
    AsyncStd,
    #[cfg(feature = "peers")]
    Axum,
    #[cfg(feature = "peers")]
    AxumNodelay,
    #[cfg(feature = "peers")]
    Actix,
    /// Event streams in another server: with this many on each connection of HTTP/2, or over HTTP/1.1.
    #[cfg(feature = "peers")]
    Embedded {
        how: Embedded,
        streams: Option<Streams>,
    },
}

/// What makes the event streams, and in which server.
#[cfg(feature = "peers")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Embedded {
    AxumSse,
    OursInAxum,
    OursInHyper,
}

/// The number of streams of an HTTP/2 connection.
#[cfg(feature = "peers")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Streams {
    One,
    Hundred,
}

impl Kind {
    pub(crate) const ALL: &[Self] = &[
        Self::Bare,
        Self::Tokio,
        Self::Smol,
        Self::AsyncStd,
        #[cfg(feature = "peers")]
        Self::Axum,
        #[cfg(feature = "peers")]
        Self::AxumNodelay,
        #[cfg(feature = "peers")]
        Self::Actix,
    ];

    /// Starts the server in a process of its own.
    pub(crate) fn start(self, handshakes: Handshakes) -> Result<Process> {
        let identity = tls::identity_pem()?;
        Process::start([self.name(), handshakes.name()], |command| {
            command.env(tls::IDENTITY, identity);
            // The servers on tokio set this in code.
            command.env("ASYNC_STD_THREAD_COUNT", "1");
            command.env("SMOL_THREADS", "1");
        })
    }

    /// The servers that have TLS.
    pub(crate) const OVER_TLS: &[Self] = &[
        Self::Bare,
        Self::Tokio,
        Self::Smol,
        Self::AsyncStd,
        #[cfg(feature = "peers")]
        Self::AxumNodelay,
    ];

    /// Ours in axum and in hyper alone, and axum's own.
    #[cfg(feature = "peers")]
    pub(crate) const EMBEDDED: &[Self] = &[
        Self::Bare,
        Self::embedded(Embedded::AxumSse, None),
        Self::embedded(Embedded::OursInAxum, None),
        Self::embedded(Embedded::OursInHyper, None),
        Self::embedded(Embedded::AxumSse, Some(Streams::One)),
        Self::embedded(Embedded::OursInAxum, Some(Streams::One)),
        Self::embedded(Embedded::OursInHyper, Some(Streams::One)),
        Self::embedded(Embedded::AxumSse, Some(Streams::Hundred)),
        Self::embedded(Embedded::OursInAxum, Some(Streams::Hundred)),
        Self::embedded(Embedded::OursInHyper, Some(Streams::Hundred)),
    ];
    #[cfg(not(feature = "peers"))]
    pub(crate) const EMBEDDED: &[Self] = &[Self::Bare];

    #[cfg(feature = "peers")]
    const fn embedded(how: Embedded, streams: Option<Streams>) -> Self {
        Self::Embedded { how, streams }
    }

    /// Returns the protocol of its clients.
    pub(crate) fn protocol(self) -> Protocol {
        match self {
            #[cfg(feature = "peers")]
            Self::Embedded {
                streams: Some(Streams::One),
                ..
            } => Protocol::Http2(1),
            #[cfg(feature = "peers")]
            Self::Embedded {
                streams: Some(Streams::Hundred),
                ..
            } => Protocol::Http2(100),
            _ => Protocol::Http1,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Tokio => "sse-tokio",
            Self::Smol => "sse-smol",
            Self::AsyncStd => "sse-async-std",
            #[cfg(feature = "peers")]
            Self::Axum => "axum",
            #[cfg(feature = "peers")]
            Self::AxumNodelay => "axum, TCP_NODELAY",
            #[cfg(feature = "peers")]
            Self::Actix => "actix-web",
            #[cfg(feature = "peers")]
            Self::Embedded { how, streams } => match (how, streams) {
                (Embedded::AxumSse, None) => "axum's `Sse`, HTTP/1.1",
                (Embedded::OursInAxum, None) => "`Embedding` in axum, HTTP/1.1",
                (Embedded::OursInHyper, None) => "`Embedding` in hyper, HTTP/1.1",
                (Embedded::AxumSse, Some(Streams::One)) => "axum's `Sse`, HTTP/2, 1 stream each",
                (Embedded::OursInAxum, Some(Streams::One)) => {
                    "`Embedding` in axum, HTTP/2, 1 stream each"
                }
                (Embedded::OursInHyper, Some(Streams::One)) => {
                    "`Embedding` in hyper, HTTP/2, 1 stream each"
                }
                (Embedded::AxumSse, Some(Streams::Hundred)) => {
                    "axum's `Sse`, HTTP/2, 100 streams each"
                }
                (Embedded::OursInAxum, Some(Streams::Hundred)) => {
                    "`Embedding` in axum, HTTP/2, 100 streams each"
                }
                (Embedded::OursInHyper, Some(Streams::Hundred)) => {
                    "`Embedding` in hyper, HTTP/2, 100 streams each"
                }
            },
        }
    }

    pub(crate) fn named(name: &str) -> Result<Self> {
        let mut all = Self::ALL.iter().chain(Self::EMBEDDED);
        let found = all.find(|kind| kind.name() == name);
        found
            .copied()
            .ok_or_else(|| format!("there is no server {name}").into())
    }

    /// Serves until this program is ended, over TLS where it is one of [those](Self::OVER_TLS).
    pub(crate) fn serve(self, control: &str, tls: Tls) -> Result<()> {
        match self {
            Self::Bare => bare::serve(control, tls),
            Self::Tokio => ours::serve_tokio(control, tls),
            Self::Smol => ours::serve_smol(control, tls),
            Self::AsyncStd => ours::serve_async_std(control, tls),
            #[cfg(feature = "peers")]
            Self::Axum => with_axum::serve(control, false, None),
            #[cfg(feature = "peers")]
            Self::AxumNodelay => with_axum::serve(control, true, tls),
            #[cfg(feature = "peers")]
            Self::Actix => with_actix::serve(control),
            #[cfg(feature = "peers")]
            Self::Embedded { how, streams } => match how {
                Embedded::AxumSse => with_axum::serve(control, true, None),
                Embedded::OursInAxum => with_axum::serve_embedding(control),
                Embedded::OursInHyper => with_hyper::serve(control, streams.is_some()),
            },
        }
    }
}

/// A runtime of tokio's on one thread.
fn tokio_runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?)
}

/// Connects to the program that sends a server on tokio its commands.
async fn tokio_control(address: &str) -> Result<tokio_util::compat::Compat<tokio::net::TcpStream>> {
    use tokio_util::compat::TokioAsyncReadCompatExt;
    Ok(tokio::net::TcpStream::connect(address).await?.compat())
}

/// Returns a topic to which events are published when the program that measures says so.
#[cfg(feature = "peers")]
fn publish_on_command(
    control: tokio_util::compat::Compat<tokio::net::TcpStream>,
    port: u16,
) -> sse_tokio::Topic {
    let topic = sse_tokio::Topic::on(sse_tokio::Tokio, sse_tokio::TopicConfig::default());
    let publisher = topic.clone();
    tokio::spawn(async move {
        let event = sse_core::Event::new(data());
        let publish = |events| {
            for _ in 0..events {
                // This cannot fail: the event is small enough, and has no ID.
                let _ = publisher.publish(event.clone());
            }
        };
        let _ = crate::control::obey(control, port, publish).await;
        std::process::exit(0);
    });
    topic
}
