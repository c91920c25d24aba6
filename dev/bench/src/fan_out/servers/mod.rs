//! The servers that are measured, each in the way that its documentation shows.

mod bare;
mod ours;
#[cfg(feature = "peers")]
mod with_actix;
#[cfg(feature = "peers")]
mod with_axum;

use crate::Result;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The limit: `epoll`, and one `write` of bytes that were there before for every socket.
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
        }
    }

    pub(crate) fn named(name: &str) -> Result<Self> {
        let found = Self::ALL.iter().find(|kind| kind.name() == name);
        found
            .copied()
            .ok_or_else(|| format!("there is no server {name}").into())
    }

    /// Serves until this program is ended.
    pub(crate) fn serve(self, control: &str) -> Result<()> {
        match self {
            Self::Bare => bare::serve(control),
            Self::Tokio => ours::serve_tokio(control),
            Self::Smol => ours::serve_smol(control),
            Self::AsyncStd => ours::serve_async_std(control),
            #[cfg(feature = "peers")]
            Self::Axum => with_axum::serve(control, false),
            #[cfg(feature = "peers")]
            Self::AxumNodelay => with_axum::serve(control, true),
            #[cfg(feature = "peers")]
            Self::Actix => with_actix::serve(control),
        }
    }
}

/// A runtime of tokio's on one thread.
fn tokio_runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?)
}

/// The connection to whom a server on tokio obeys.
async fn tokio_control(address: &str) -> Result<tokio_util::compat::Compat<tokio::net::TcpStream>> {
    use tokio_util::compat::TokioAsyncReadCompatExt;
    Ok(tokio::net::TcpStream::connect(address).await?.compat())
}
