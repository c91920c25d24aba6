//! Connecting to an endpoint, with TLS where its URL says so.

use std::{future::Future, io, pin::Pin, time::Duration};
#[cfg(feature = "tls")]
use std::{future::poll_fn, sync::Arc};

#[cfg(feature = "tls")]
use rustls::pki_types::ServerName;

use super::attempts;
#[cfg(feature = "tls")]
use crate::tls::Tls;
use crate::{Runtime, socket::Socket};
use sse_core::client::Endpoint;

/// What systems take for TCP's keep-alive, in whole seconds. Anything else they refuse in silence,
/// and probe after two hours.
const PROBES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(32_767));

/// A connection that is being made.
pub(super) type Dialing<R> =
    Pin<Box<dyn Future<Output = io::Result<Socket<<R as Runtime>::Transport>>> + Send>>;

/// Makes connections.
#[derive(Clone)]
pub(super) struct Dialer<R> {
    runtime: R,
    /// After how much silence connections are probed.
    probe_after: Option<Duration>,
    /// Where it is not what the runtime brings along.
    #[cfg(feature = "tls")]
    tls: Option<Arc<rustls::ClientConfig>>,
}

impl<R: Runtime> Dialer<R> {
    pub(super) fn new(runtime: R, probe_after: Option<Duration>) -> Self {
        Self {
            runtime,
            probe_after,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    #[cfg(feature = "tls")]
    pub(super) fn set_tls(&mut self, config: Arc<rustls::ClientConfig>) {
        self.tls = Some(config);
    }

    pub(super) fn dial(&self, endpoint: Endpoint) -> Dialing<R> {
        let dialer = self.clone();
        Box::pin(async move {
            match endpoint.tls {
                true => dialer.tls(&endpoint).await,
                false => dialer.plain(&endpoint).await.map(Socket::Plain),
            }
        })
    }

    async fn plain(&self, endpoint: &Endpoint) -> io::Result<R::Transport> {
        let Endpoint { host, port, .. } = endpoint;
        let transport = attempts::connect(&self.runtime, host, *port).await?;
        if let Some(after) = self.probe_after {
            let (shortest, longest) = PROBES;
            self.runtime
                .set_probing(&transport, after.clamp(shortest, longest));
        }
        Ok(transport)
    }

    #[cfg(feature = "tls")]
    async fn tls(&self, endpoint: &Endpoint) -> io::Result<Socket<R::Transport>> {
        let config = match &self.tls {
            Some(config) => config.clone(),
            None => self.runtime.client_tls()?,
        };
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
        let name = ServerName::try_from(endpoint.host.clone()).map_err(invalid)?;
        let transport = self.plain(endpoint).await?;
        let tls = Tls::client(transport, config, name).map_err(io::Error::other)?;
        let mut tls = Box::new(tls);
        poll_fn(|cx| tls.poll_handshake(cx)).await?;
        Ok(Socket::Tls(tls))
    }

    #[cfg(not(feature = "tls"))]
    async fn tls(&self, _: &Endpoint) -> io::Result<Socket<R::Transport>> {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "https is not built in: turn the feature `tls` on",
        ))
    }
}
