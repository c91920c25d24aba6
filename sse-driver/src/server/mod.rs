//! Accepting: the server that an adapter's users see.

mod acceptor;
mod config;
mod connection_server;
mod handle;
mod pump;
mod read_waker;
#[cfg(all(test, loom, feature = "loom"))]
mod under_loom;
#[cfg(unix)]
mod unix_socket;

use std::{
    fmt,
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll},
    time::Duration,
};

use sse_core::lifecycle::ShutdownSignal;

#[cfg(feature = "tls")]
use crate::tls::Tls;
use crate::{
    BindOptions, Runtime, Transport, bind,
    connections::{Connections, Report},
    router::{RouteError, Router},
    socket::Socket,
    trace,
    wait::{let_others_run, within},
};

use acceptor::{Accepted, Acceptor, Close, Listener, Newcomer};
pub use config::ServerConfig;
pub use connection_server::ConnectionServer;
pub use handle::ServerHandle;

/// A server on one listening socket.
///
/// Each adapter has it under its own runtime: `sse_tokio::Server` is `Server<Tokio>`. The crates
/// of the adapters show it at work.
pub struct Server<R: Runtime> {
    runtime: R,
    acceptor: Arc<Acceptor<R>>,
    config: ServerConfig,
    #[cfg(feature = "tls")]
    tls: Option<Arc<rustls::ServerConfig>>,
    connections: Arc<Connections>,
}

/// After how many newcomers the connections that are there have a turn, even if more wait.
const NEWCOMERS: u32 = 32;

/// How long to wait after accepting failed: first, and at most.
const ACCEPT_BACK_OFF: [Duration; 2] = [Duration::from_millis(10), Duration::from_secs(1)];

impl<R: Runtime + Default> Server<R> {
    /// Listens on `address`, which is `host:port`; port 0 is any free one. Of a host with several
    /// addresses it is the first that can be listened on.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] where `address` is no host and port. Else what the operating
    /// system says, with the address named: it is in use, for example, or not this machine's.
    pub async fn bind(address: impl AsRef<str>) -> io::Result<Self> {
        Self::bind_with(address, BindOptions::default()).await
    }

    /// Listens on `address` as [`bind`](Self::bind) does, with these options.
    ///
    /// # Errors
    ///
    /// As for [`bind`](Self::bind).
    pub async fn bind_with(address: impl AsRef<str>, options: BindOptions) -> io::Result<Self> {
        let (runtime, address) = (R::default(), address.as_ref());
        let listener = bind::bind(&runtime, address, &options).await;
        let listener = listener.map_err(|error| {
            io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
        })?;
        Ok(Self::new(runtime, listener))
    }

    /// Listens on a Unix socket at `path`, behind a proxy on the same machine for example.
    ///
    /// The file is made by the rules of the process's umask: put it into a directory that only those may
    /// enter who may connect, or change its permissions afterwards. A file that a server left behind that
    /// is gone gives way; one on which a process listens does not. The file is removed when the server
    /// stops listening.
    ///
    /// Connections have no peer address ([`Request::peer_addr`](crate::router::Request::peer_addr)); a proxy
    /// can name the client ([`TrustedProxies::and_unix_sockets`](crate::TrustedProxies::and_unix_sockets)).
    ///
    /// # Errors
    ///
    /// What the operating system says, with the path named: [`io::ErrorKind::AddrInUse`] where a process
    /// listens there, or something else has that name. [`io::ErrorKind::Unsupported`] where the runtime
    /// has no Unix sockets.
    #[cfg(unix)]
    pub async fn bind_unix(path: impl AsRef<std::path::Path>) -> io::Result<Self> {
        let (runtime, path) = (R::default(), path.as_ref());
        let socket = unix_socket::UnixSocket::bind(&runtime, path).map_err(|error| {
            let path = path.display();
            io::Error::new(error.kind(), format!("cannot listen on {path}: {error}"))
        })?;
        Ok(Self::listening(runtime, Listener::Unix(socket)))
    }
}

impl<R: Runtime> Server<R> {
    /// Creates a server on a socket that listens already.
    pub fn new(runtime: R, listener: R::Listener) -> Self {
        Self::listening(runtime, Listener::Tcp(listener))
    }

    /// Creates a server on a Unix socket that listens already, such as one of systemd's. Its file is not
    /// removed.
    ///
    /// # Errors
    ///
    /// What the operating system says, and [`io::ErrorKind::Unsupported`] where the runtime has no Unix
    /// sockets.
    #[cfg(unix)]
    pub fn new_unix(runtime: R, listener: std::os::unix::net::UnixListener) -> io::Result<Self> {
        let socket = unix_socket::UnixSocket::of(&runtime, listener)?;
        Ok(Self::listening(runtime, Listener::Unix(socket)))
    }

    fn listening(runtime: R, listener: Listener<R>) -> Self {
        Self {
            runtime,
            acceptor: Arc::new(Acceptor::new(listener)),
            config: ServerConfig::default(),
            #[cfg(feature = "tls")]
            tls: None,
            connections: Arc::default(),
        }
    }

    /// Takes other bounds than the default ones.
    #[must_use]
    pub fn with_config(mut self, config: ServerConfig) -> Self {
        self.connections
            .set_budget(&config.connection.response.budget);
        self.config = config;
        self
    }

    /// Speaks TLS on every connection, by `config`: `https` instead of `http`.
    ///
    /// The functions of [`tls`](crate::tls) make a configuration of PEM files (feature `tls-ring`;
    /// `tls` in an adapter). Any other configuration of `rustls` is accepted, for example one that
    /// asks for client certificates. If it names no protocol (ALPN), `http/1.1` is used. Early data
    /// (0-RTT) is not accepted, since an attacker could send it again.
    ///
    /// The handshake counts as part of the request head: both have
    /// [`head_timeout`](sse_core::server::ConnectionConfig::head_timeout) together.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_tls(mut self, mut config: Arc<rustls::ServerConfig>) -> Self {
        let ours = Arc::make_mut(&mut config);
        ours.max_early_data_size = 0;
        if ours.alpn_protocols.is_empty() {
            ours.alpn_protocols = vec![b"http/1.1".to_vec()];
        }
        self.tls = Some(config);
        self
    }

    /// Returns where the server listens.
    ///
    /// # Errors
    ///
    /// What the operating system says, [`io::ErrorKind::NotConnected`] once the server was shut down, and
    /// [`io::ErrorKind::Unsupported`] on a Unix socket.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.acceptor.local_addr(&self.runtime)
    }

    /// Returns a handle that shuts the server down.
    #[must_use]
    pub fn handle(&self) -> ServerHandle {
        // The type is needed for a `Weak` of any runtime's.
        let acceptor: Weak<Acceptor<R>> = Arc::downgrade(&self.acceptor);
        ServerHandle {
            connections: self.connections.clone(),
            acceptor,
        }
    }

    /// Serves `router` until a [handle](Self::handle) shuts the server down, and then tells what
    /// it did.
    ///
    /// A shutdown is graceful: nothing more is accepted, handlers see it coming
    /// ([`ShutdownSignal`]), and open streams have
    /// [`shutdown_timeout`](ServerConfig::shutdown_timeout) to end by themselves. A topic's
    /// subscribers end properly, since their clients resume elsewhere what they have not had: each at a
    /// time of its own where there are many of them ([`ShutdownSpread`](crate::ShutdownSpread)).
    /// [`Reply::with_end_at_shutdown`](crate::router::Reply::with_end_at_shutdown) changes which streams
    /// do so.
    /// A stream that is still open at the deadline is cut, or earlier by
    /// [`ServerHandle::cut`], which a second signal should call. Both close with
    /// [`CloseReason::Shutdown`](sse_core::lifecycle::CloseReason::Shutdown), and the report counts
    /// those that were cut. A client that still waits for its answer then gets a 503, and has a second
    /// to take it. For a task that cannot be cut, because a handler keeps its thread, the server
    /// waits 5 s, and leaves it out of the report.
    ///
    /// Errors of accepting, such as running out of file descriptors, are survived: the server
    /// waits a little, at most a second, and tries again. When this future is dropped, every
    /// connection is cut.
    ///
    /// # Errors
    ///
    /// [`RouteError`] at once where a route of the router is not valid.
    pub async fn serve(self, router: Router) -> Result<Report, RouteError> {
        let Self {
            runtime,
            acceptor,
            config,
            connections,
            ..
        } = &self;
        let server = ConnectionServer::with_connections(
            runtime.clone(),
            router,
            config.clone(),
            connections.clone(),
        )?;
        let _cut = CutOnDrop(connections.clone());
        self.accept_all(&server).await;
        acceptor.close();
        Ok(server.shut_down().await)
    }

    /// Until the shutdown begins.
    async fn accept_all(&self, server: &ConnectionServer<R>) {
        let mut back_off = ACCEPT_BACK_OFF[0];
        let mut shutdown = self.connections.shutdown.signal();
        let mut newcomers = 0;
        while let Some(accepted) = self.accept(&mut shutdown).await {
            newcomers += 1;
            if newcomers == NEWCOMERS {
                newcomers = 0;
                let_others_run().await;
            }
            let newcomer = match accepted {
                Ok(newcomer) => newcomer,
                Err(error) => {
                    trace::accept_failed(&error);
                    self.connections.count_accept_error();
                    if !is_the_peers(&error) {
                        let deadline = self.runtime.now().checked_add(back_off);
                        within(&self.runtime, deadline, &mut shutdown).await;
                        back_off = (back_off * 2).min(ACCEPT_BACK_OFF[1]);
                    }
                    continue;
                }
            };
            back_off = ACCEPT_BACK_OFF[0];
            match newcomer {
                Newcomer::Tcp(transport, peer) => {
                    let stall = self.config.connection.stall_timeout;
                    self.runtime.set_user_timeout(&transport, stall);
                    self.start(server, transport, Some(peer));
                }
                #[cfg(unix)]
                Newcomer::Unix(transport) => self.start(server, transport, None),
            }
        }
    }

    /// Has a newcomer served by a task of its own.
    fn start<T: Transport>(
        &self,
        server: &ConnectionServer<R>,
        transport: T,
        peer: Option<SocketAddr>,
    ) {
        let Some(socket) = self.socket(transport) else {
            self.connections.count_accept_error();
            return;
        };
        if let Some(pump) = server.pump(socket, peer) {
            self.runtime.spawn(pump);
        }
    }

    /// The next connection, unless the shutdown begins first.
    async fn accept(&self, shutdown: &mut ShutdownSignal) -> Option<Accepted<R>> {
        poll_fn(|cx: &mut Context<'_>| {
            if Pin::new(&mut *shutdown).poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            self.acceptor.poll_accept(&self.runtime, cx)
        })
        .await
    }

    /// `None` where rustls makes no connection of its configuration.
    fn socket<T: Transport>(&self, transport: T) -> Option<Socket<T>> {
        #[cfg(feature = "tls")]
        if let Some(config) = &self.tls {
            let tls = Tls::server(transport, config.clone()).ok()?;
            return Some(Socket::Tls(Box::new(tls)));
        }
        Some(Socket::Plain(transport))
    }
}

impl<R: Runtime> fmt::Debug for Server<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("local_addr", &self.local_addr())
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// A connection that was gone before it was accepted: the next one may be fine.
fn is_the_peers(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// Cuts the connections where the server's future is dropped, since no shutdown can end them then.
struct CutOnDrop(Arc<Connections>);

impl Drop for CutOnDrop {
    fn drop(&mut self) {
        self.0.cut();
    }
}
