//! Connects to an endpoint, with TLS if its URL is `https`.

use std::{future::Future, io, pin::Pin, sync::Arc, time::Duration};

use super::connector::{Connected, Connector, Dial, Route, TcpConnector};
use crate::{Runtime, contained::Contained};
use sse_core::client::Endpoint;

/// A connection that is being made.
pub(super) type Dialing = Pin<Box<dyn Future<Output = io::Result<Connected>> + Send>>;

/// Makes the connections of an event source.
pub(super) struct Dialer<R> {
    runtime: R,
    /// TCP if there is none.
    connector: Contained<Option<Arc<dyn Connector<R>>>>,
    /// The idle time after which connections are probed.
    probe_after: Option<Duration>,
    /// The TLS configuration, if it is not the runtime's own.
    #[cfg(feature = "tls")]
    tls: Option<Arc<rustls::ClientConfig>>,
}

impl<R: Runtime> Dialer<R> {
    pub(super) fn new(runtime: R, probe_after: Option<Duration>) -> Self {
        Self {
            runtime,
            connector: Contained::default(),
            probe_after,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    pub(super) fn set_connector(&mut self, connector: impl Connector<R>) {
        self.connector.set(Some(Arc::new(connector)));
    }

    #[cfg(feature = "tls")]
    pub(super) fn set_tls(&mut self, config: Arc<rustls::ClientConfig>) {
        self.tls = Some(speaking_http_1(config));
    }

    pub(super) fn dial(&self, endpoint: Endpoint) -> Dialing {
        let connector = (*self.connector).clone();
        let connector = connector.unwrap_or_else(|| Arc::new(TcpConnector));
        let dial = Dial {
            runtime: self.runtime.clone(),
            endpoint,
            probe_after: self.probe_after,
            #[cfg(feature = "tls")]
            tls: self.tls.clone(),
        };
        Box::pin(async move {
            dial.check()?;
            let connected = connector.connect(dial.clone()).await?;
            match (dial.endpoint.tls, &connected.route) {
                (false, _) => Ok(connected),
                (true, Route::Direct) => {
                    let tls = dial.tls(connected.transport, &dial.endpoint.host).await?;
                    Ok(Connected::direct(tls))
                }
                (true, Route::Proxy(_)) => {
                    let text =
                        "a proxy cannot forward https: the connector has to ask it for a tunnel";
                    Err(io::Error::new(io::ErrorKind::Unsupported, text))
                }
            }
        })
    }
}

/// Returns the configuration with HTTP/1.1 as its only protocol (ALPN); others could agree on a protocol
/// that is not supported.
#[cfg(feature = "tls")]
fn speaking_http_1(config: Arc<rustls::ClientConfig>) -> Arc<rustls::ClientConfig> {
    const PROTOCOL: &[u8] = b"http/1.1";
    if config.alpn_protocols == [PROTOCOL] {
        return config;
    }
    let mut config = Arc::unwrap_or_clone(config);
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Arc::new(config)
}
