//! The measured servers, each set up as its documentation shows.

mod bare;
mod ours;
#[cfg(feature = "peers")]
mod with_actix;
#[cfg(feature = "peers")]
mod with_axum;

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
    /// axum's own `Sse`, or our embedding, in axum: with this many streams on each connection of
    /// HTTP/2, or over HTTP/1.1.
    #[cfg(feature = "peers")]
    InAxum {
        ours: bool,
        streams: Option<Streams>,
    },
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

    /// Ours and axum's own, both in axum.
    pub(crate) const EMBEDDED: &[Self] = &[
        Self::Bare,
        #[cfg(feature = "peers")]
        Self::in_axum(false, None),
        #[cfg(feature = "peers")]
        Self::in_axum(true, None),
        #[cfg(feature = "peers")]
        Self::in_axum(false, Some(Streams::One)),
        #[cfg(feature = "peers")]
        Self::in_axum(true, Some(Streams::One)),
        #[cfg(feature = "peers")]
        Self::in_axum(false, Some(Streams::Hundred)),
        #[cfg(feature = "peers")]
        Self::in_axum(true, Some(Streams::Hundred)),
    ];

    #[cfg(feature = "peers")]
    const fn in_axum(ours: bool, streams: Option<Streams>) -> Self {
        Self::InAxum { ours, streams }
    }

    /// Returns the protocol of its clients.
    pub(crate) fn protocol(self) -> Protocol {
        match self {
            #[cfg(feature = "peers")]
            Self::InAxum {
                streams: Some(Streams::One),
                ..
            } => Protocol::Http2(1),
            #[cfg(feature = "peers")]
            Self::InAxum {
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
            Self::InAxum { ours, streams } => match (ours, streams) {
                (false, None) => "axum's `Sse`, HTTP/1.1",
                (true, None) => "`Embedding` in axum, HTTP/1.1",
                (false, Some(Streams::One)) => "axum's `Sse`, HTTP/2, 1 stream each",
                (true, Some(Streams::One)) => "`Embedding` in axum, HTTP/2, 1 stream each",
                (false, Some(Streams::Hundred)) => "axum's `Sse`, HTTP/2, 100 streams each",
                (true, Some(Streams::Hundred)) => "`Embedding` in axum, HTTP/2, 100 streams each",
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
            Self::InAxum { ours: true, .. } => with_axum::serve_embedding(control),
            #[cfg(feature = "peers")]
            Self::InAxum { ours: false, .. } => with_axum::serve(control, true, None),
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
