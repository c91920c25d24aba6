//! The connectors, which make an event source's connections.

use std::{fmt, future::Future, io, path::PathBuf, pin::Pin, time::Duration};
#[cfg(feature = "tls")]
use std::{future::poll_fn, sync::Arc};

use http::HeaderValue;
#[cfg(feature = "tls")]
use rustls::pki_types::ServerName;
use sse_core::client::Endpoint;

use super::attempts;
#[cfg(feature = "tls")]
use super::certificate;
#[cfg(feature = "tls")]
use crate::tls::Tls;
use crate::{Runtime, Transport};

/// The range of TCP's keep-alive that systems accept, in whole seconds. They ignore other values
/// silently, and probe only after two hours.
const PROBES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(32_767));

/// Makes the connections of an [`EventSource`](crate::EventSource), which gets it by
/// [`with_connector`](crate::EventSource::with_connector).
///
/// The connector returns a byte stream to the endpoint: the event source speaks TLS over it if the URL is
/// `https`, writes the request and reads the response. An error is a loss, after which the event source
/// waits and connects again; an error of [`io::ErrorKind::Unsupported`] ends the subscription. A panic,
/// of the connector or of its transport, is a loss whose cause is
/// [`TransportPanicked`](crate::TransportPanicked). The future is dropped once
/// [`connect_timeout`](sse_core::client::EventSourceConfig::connect_timeout) has passed, or when the
/// event source is dropped.
///
/// [`TcpConnector`] is the default. The others are [`UnixConnector`] and, with the feature `proxy`,
/// `Proxy`. A function that takes a [`Dial`] is a connector, too:
///
/// ```
/// # use sse_driver::{Connected, Dial, EventSource, Runtime};
/// # use sse_core::client::InvalidRequest;
/// /// Connects to another host than the URL names, as `curl --connect-to` does.
/// fn staging<R: Runtime + Default>() -> Result<EventSource<R>, InvalidRequest> {
///     let source = EventSource::new("https://example.org/events")?;
///     Ok(source.with_connector(|dial: Dial<R>| async move {
///         let port = dial.endpoint().port;
///         dial.tcp("staging.example.org", port).await.map(Connected::direct)
///     }))
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not connect an event source",
    note = "a connector is a `Proxy`, a `UnixConnector`, a `TcpConnector`, or a function of a `Dial` that \
            returns a future of an `io::Result<Connected>` and is `Send + Sync + 'static`"
)]
pub trait Connector<R: Runtime>: Send + Sync + 'static {
    /// Makes a connection for `dial`.
    fn connect(&self, dial: Dial<R>) -> Connecting;
}

/// The future of a connection that a [`Connector`] makes. An error of it is a loss, after which the event
/// source waits and connects again; [`io::ErrorKind::Unsupported`] ends the subscription.
pub type Connecting = Pin<Box<dyn Future<Output = io::Result<Connected>> + Send>>;

impl<R, F, C> Connector<R> for F
where
    R: Runtime,
    F: Fn(Dial<R>) -> C + Send + Sync + 'static,
    C: Future<Output = io::Result<Connected>> + Send + 'static,
{
    fn connect(&self, dial: Dial<R>) -> Connecting {
        Box::pin(self(dial))
    }
}

/// A connection that a [`Connector`] made: a transport, and whether it leads to the server or to a proxy
/// that forwards requests.
///
/// ```
/// use std::io;
/// use sse_driver::{Connected, Dial, Runtime, Transport};
///
/// /// Connects to a proxy that forwards the requests of `http` URLs.
/// async fn through_a_proxy<R: Runtime>(dial: Dial<R>) -> io::Result<Connected> {
///     let transport = dial.tcp("proxy.example.org", 3128).await?;
///     Ok(Connected::to_proxy(transport, None))
/// }
/// ```
pub struct Connected {
    pub(super) transport: Box<dyn Transport>,
    pub(super) route: Route,
}

/// The other end of a connection.
#[derive(Clone, Debug)]
pub(super) enum Route {
    /// The server, or a tunnel to it.
    Direct,
    /// A proxy that forwards requests, and the credentials for it.
    Proxy(Option<HeaderValue>),
}

impl Connected {
    /// Creates a connection to the server itself, or through a tunnel to it. With an `https` URL the
    /// event source speaks TLS over `transport`, which is therefore not a TLS stream yet.
    #[must_use]
    pub fn direct(transport: impl Transport) -> Self {
        Self {
            transport: Box::new(transport),
            route: Route::Direct,
        }
    }

    /// Creates a connection to an HTTP proxy that forwards requests: the request names its target by the
    /// whole URL, and carries `authorization` as `Proxy-Authorization`. This is for `http` URLs only:
    /// with `https` it is an error, because a proxy cannot forward encrypted requests. Let the proxy make
    /// a tunnel then.
    #[must_use]
    pub fn to_proxy(transport: impl Transport, authorization: Option<HeaderValue>) -> Self {
        Self {
            transport: Box::new(transport),
            route: Route::Proxy(authorization),
        }
    }
}

/// A request for a connection, which a [`Connector`] gets: the endpoint of the URL, and the means to
/// connect to it or to another host.
///
/// ```
/// use std::io;
/// use sse_driver::{Connected, Dial, Runtime};
///
/// /// Connects to `localhost` instead of the host that the URL names.
/// async fn local<R: Runtime>(dial: Dial<R>) -> io::Result<Connected> {
///     println!("wanted: {}:{}", dial.endpoint().host, dial.endpoint().port);
///     dial.tcp("localhost", dial.endpoint().port).await.map(Connected::direct)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Dial<R> {
    pub(super) runtime: R,
    pub(super) endpoint: Endpoint,
    /// The idle time after which TCP connections are probed.
    pub(super) probe_after: Option<Duration>,
    /// The TLS configuration, if it is not the runtime's own.
    #[cfg(feature = "tls")]
    pub(super) tls: Option<Arc<rustls::ClientConfig>>,
}

impl<R: Runtime> Dial<R> {
    /// Returns the endpoint of the URL: its host, which may be a name, its port, and whether it is
    /// `https`.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Returns the event source's runtime, such as for a timer, or to connect to a Unix socket.
    #[must_use]
    pub fn runtime(&self) -> &R {
        &self.runtime
    }

    /// Connects to `host`, a name or an address without brackets, over TCP. The host's addresses are
    /// tried as [RFC 8305](https://www.rfc-editor.org/rfc/rfc8305) says, and the idle connection is
    /// [probed](sse_core::client::EventSourceConfig::probe_after).
    ///
    /// # Errors
    ///
    /// The error of the last attempt, or of the name resolution.
    pub async fn tcp(&self, host: &str, port: u16) -> io::Result<R::Transport> {
        let transport = attempts::connect(&self.runtime, host, port).await?;
        if let Some(after) = self.probe_after {
            let (shortest, longest) = PROBES;
            self.runtime
                .set_probing(&transport, after.clamp(shortest, longest));
        }
        Ok(transport)
    }

    /// Starts TLS over `transport` with the event source's configuration, to a server whose certificate
    /// is for `host`. A connector needs this only for hops before the endpoint, such as a proxy: the
    /// event source itself speaks TLS to an `https` endpoint.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::Unsupported`], which no other attempt changes: where `host` is neither a valid
    /// name in a certificate nor an address, where the server does not agree on HTTP/1.1, where there is
    /// no configuration or `rustls` rejects it, and without the feature `tls`. Otherwise the error of the
    /// handshake.
    #[cfg(feature = "tls")]
    pub async fn tls(&self, transport: impl Transport, host: &str) -> io::Result<impl Transport> {
        let Secured { config, name } = self.secured(host)?;
        let tls = Tls::client(transport, config, name).map_err(invalid_config)?;
        let mut tls = Box::new(tls);
        let handshake = poll_fn(|cx| tls.poll_handshake(cx)).await;
        handshake.map_err(|error| certificate::explain(NoHttp1::explain(error)))?;
        Ok(tls)
    }

    /// Without the feature `tls` this always fails.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::Unsupported`], always.
    #[cfg(not(feature = "tls"))]
    pub async fn tls<T: Transport>(&self, transport: T, _: &str) -> io::Result<T> {
        self.can_be_secured()?;
        Ok(transport)
    }

    /// Checks what can be checked before connecting.
    pub(super) fn check(&self) -> io::Result<()> {
        match self.endpoint.tls {
            true => self.can_be_secured(),
            false => Ok(()),
        }
    }

    #[cfg(feature = "tls")]
    fn can_be_secured(&self) -> io::Result<()> {
        self.secured(&self.endpoint.host).map(drop)
    }

    #[cfg(not(feature = "tls"))]
    fn can_be_secured(&self) -> io::Result<()> {
        let text = "https is not built in: turn the feature `tls` on";
        Err(io::Error::new(io::ErrorKind::Unsupported, text))
    }

    #[cfg(feature = "tls")]
    fn secured(&self, host: &str) -> io::Result<Secured> {
        let config = match &self.tls {
            Some(config) => config.clone(),
            None => self.runtime.client_tls()?,
        };
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|error| unsupported(InvalidName(error)))?;
        Ok(Secured { config, name })
    }
}

/// The parts that TLS needs to begin.
#[cfg(feature = "tls")]
struct Secured {
    config: Arc<rustls::ClientConfig>,
    name: ServerName<'static>,
}

/// Wraps an error that no other attempt changes.
#[cfg(feature = "tls")]
fn unsupported(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, error)
}

/// Converts the error of a configuration, which is the same at each attempt unless there were no random
/// numbers for it.
#[cfg(feature = "tls")]
fn invalid_config(error: rustls::Error) -> io::Error {
    match error {
        rustls::Error::FailedToGetRandomBytes => io::Error::other(error),
        error => unsupported(error),
    }
}

/// The error of a host name that no certificate can have.
#[cfg(feature = "tls")]
#[derive(Debug)]
struct InvalidName(rustls::pki_types::InvalidDnsNameError);

#[cfg(feature = "tls")]
impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("https needs a host with a valid DNS name or an address; correct the URL")
    }
}

#[cfg(feature = "tls")]
impl std::error::Error for InvalidName {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// The error of a server that does not agree on HTTP/1.1, which no other attempt changes.
#[cfg(feature = "tls")]
#[derive(Debug)]
struct NoHttp1(rustls::Error);

#[cfg(feature = "tls")]
impl NoHttp1 {
    /// Explains the error of a handshake, if that is the reason; otherwise returns it unchanged.
    fn explain(error: io::Error) -> io::Error {
        let refused = rustls::Error::AlertReceived(rustls::AlertDescription::NoApplicationProtocol);
        let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
        match cause == Some(&refused) {
            true => unsupported(Self(refused)),
            false => error,
        }
    }
}

#[cfg(feature = "tls")]
impl fmt::Display for NoHttp1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the server does not speak HTTP/1.1; send the request with an HTTP client that speaks HTTP/2",
        )
    }
}

#[cfg(feature = "tls")]
impl std::error::Error for NoHttp1 {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// Connects over TCP to the host in the URL. This is the default.
///
/// ```
/// use sse_driver::{EventSource, Runtime, TcpConnector};
///
/// fn direct<R: Runtime + Default>(url: &str) -> Result<EventSource<R>, Box<dyn std::error::Error>> {
///     Ok(EventSource::<R>::new(url)?.with_connector(TcpConnector))
/// }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct TcpConnector;

impl<R: Runtime> Connector<R> for TcpConnector {
    fn connect(&self, dial: Dial<R>) -> Connecting {
        Box::pin(async move {
            let Endpoint { host, port, .. } = dial.endpoint();
            dial.tcp(host, *port).await.map(Connected::direct)
        })
    }
}

/// Connects to a Unix socket, whatever host the URL names: `Host` and, with `https`, the certificate are
/// those of the URL.
///
/// ```
/// # use sse_driver::{EventSource, Runtime, UnixConnector};
/// # use sse_core::client::InvalidRequest;
/// fn of_the_daemon<R: Runtime + Default>() -> Result<EventSource<R>, InvalidRequest> {
///     let source = EventSource::new("http://localhost/events")?;
///     Ok(source.with_connector(UnixConnector::new("/run/daemon.sock")))
/// }
/// ```
///
/// With a runtime without Unix sockets the subscription ends with an error of
/// [`io::ErrorKind::Unsupported`].
#[derive(Clone, Debug)]
pub struct UnixConnector {
    path: PathBuf,
}

impl UnixConnector {
    /// Creates a connector to the socket at `path`. The socket is looked up at each connection, so that
    /// it may be created later.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

impl<R: Runtime> Connector<R> for UnixConnector {
    fn connect(&self, dial: Dial<R>) -> Connecting {
        let path = self.path.clone();
        Box::pin(async move {
            let transport = dial.runtime().connect_unix(&path).await;
            let transport = transport.map_err(|error| Unreached::named(path.display(), error))?;
            Ok(Connected::direct(transport))
        })
    }
}

/// The error of a connection to something else than the server in the URL, with the name of that.
#[derive(Debug)]
pub(super) struct Unreached {
    name: String,
    error: io::Error,
}

impl Unreached {
    pub(super) fn named(name: impl fmt::Display, error: io::Error) -> io::Error {
        let name = name.to_string();
        io::Error::new(error.kind(), Self { name, error })
    }
}

impl fmt::Display for Unreached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.error)
    }
}

impl std::error::Error for Unreached {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl fmt::Debug for Connected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connected")
            .field("to_proxy", &matches!(self.route, Route::Proxy(_)))
            .finish_non_exhaustive()
    }
}
