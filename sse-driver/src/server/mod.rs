//! The server, which accepts connections.

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
/// Each adapter has it for its own runtime: `sse_tokio::Server` is `Server<Tokio>`. The front pages of
/// the adapters have examples.
pub struct Server<R: Runtime> {
    runtime: R,
    acceptor: Arc<Acceptor<R>>,
    config: ServerConfig,
    #[cfg(feature = "tls")]
    tls: Option<Arc<rustls::ServerConfig>>,
    connections: Arc<Connections>,
}

/// The number of new connections after which the existing ones get a turn, even if more wait: a quarter
/// of the existing ones, between these bounds.
///
/// A turn of thousands of streams takes a server of one thread long. With the same few newcomers between
/// two turns, clients that all come back at once would wait many turns, and the system would drop what
/// its queue of new connections has no room for. At the upper bound a turn waits some 20 ms for them.
const NEWCOMERS: [usize; 2] = [32, 1024];

/// The wait after a failed accept: the first, and the longest.
const ACCEPT_BACK_OFF: [Duration; 2] = [Duration::from_millis(10), Duration::from_secs(1)];

impl<R: Runtime + Default> Server<R> {
    /// Listens on `address`, which is the text `host:port` or a [`SocketAddr`]; with port 0, on any free port.
    /// If a host has several addresses, it listens on the first one for which that is possible.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] where `address` is not a host and port. Otherwise the error of the
    /// operating system, with the address in its text, such as that the address is in use or does not
    /// belong to this machine.
    pub async fn bind(address: impl fmt::Display) -> io::Result<Self> {
        Self::bind_with(address, BindOptions::default()).await
    }

    /// Listens on `address` as [`bind`](Self::bind) does, with these options.
    ///
    /// # Errors
    ///
    /// The errors of [`bind`](Self::bind).
    pub async fn bind_with(address: impl fmt::Display, options: BindOptions) -> io::Result<Self> {
        let (runtime, address) = (R::default(), address.to_string());
        let listener = bind::bind(&runtime, &address, &options).await;
        let listener = listener.map_err(|error| {
            io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
        })?;
        Ok(Self::new(runtime, listener))
    }

    /// Listens on a Unix socket at `path`, such as behind a proxy on the same machine.
    ///
    /// The umask of the process decides the permissions of the file: put it into a directory that only
    /// permitted users can enter, or change its permissions afterwards. The file of a server that is gone
    /// is replaced; one on which a process listens is not. The file is removed when the server stops
    /// listening.
    ///
    /// Connections have no peer address ([`Request::peer_addr`](crate::router::Request::peer_addr)); a
    /// proxy can name the client
    /// ([`TrustedProxies::and_unix_sockets`](crate::TrustedProxies::and_unix_sockets)).
    ///
    /// # Errors
    ///
    /// The error of the operating system, with the path in its text: [`io::ErrorKind::AddrInUse`] where a
    /// process listens there, or a file that is not a socket has that name.
    /// [`io::ErrorKind::Unsupported`] where the runtime has no Unix sockets.
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
    /// Creates a server on a socket that is listening already.
    pub fn new(runtime: R, listener: R::Listener) -> Self {
        Self::listening(runtime, Listener::Tcp(listener))
    }

    /// Creates a server on a Unix socket that is listening already, such as one from systemd. Its file is
    /// not removed.
    ///
    /// # Errors
    ///
    /// The error of the operating system, or [`io::ErrorKind::Unsupported`] where the runtime has no Unix
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

    /// Sets the bounds of the server.
    #[must_use]
    pub fn with_config(mut self, config: ServerConfig) -> Self {
        self.connections
            .set_budget(&config.connection.response.budget);
        self.config = config;
        self
    }

    /// Sets up TLS on every connection with `config`: `https` instead of `http`.
    ///
    /// The functions of [`tls`](crate::tls) create a configuration from PEM files (feature `tls-ring`;
    /// `tls` in an adapter). Any other configuration of `rustls` is accepted, such as one that asks for
    /// client certificates. HTTP/2 is left out of its protocols (ALPN), because the server does not speak
    /// it, and if no other is named, `http/1.1` is used. Early data (0-RTT) is not accepted, because an
    /// attacker could send it again.
    ///
    /// The handshake counts as part of the request head:
    /// [`head_timeout`](sse_core::server::ConnectionConfig::head_timeout) bounds both together.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_tls(mut self, mut config: Arc<rustls::ServerConfig>) -> Self {
        let ours = Arc::make_mut(&mut config);
        ours.max_early_data_size = 0;
        ours.alpn_protocols.retain(|protocol| protocol != b"h2");
        if ours.alpn_protocols.is_empty() {
            ours.alpn_protocols = vec![b"http/1.1".to_vec()];
        }
        self.tls = Some(config);
        self
    }

    /// Returns the address on which the server listens.
    ///
    /// # Errors
    ///
    /// The error of the operating system, [`io::ErrorKind::NotConnected`] once the server was shut down,
    /// and [`io::ErrorKind::Unsupported`] on a Unix socket.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.acceptor.local_addr(&self.runtime)
    }

    /// Returns a handle that shuts the server down.
    #[must_use]
    pub fn handle(&self) -> ServerHandle {
        // The type is needed for a `Weak` of any runtime's acceptor.
        let acceptor: Weak<Acceptor<R>> = Arc::downgrade(&self.acceptor);
        ServerHandle {
            connections: self.connections.clone(),
            acceptor,
        }
    }

    /// Serves `router` until a [handle](Self::handle) shuts the server down, and then returns the
    /// counters.
    ///
    /// A shutdown is graceful: the server stops accepting, handlers see the shutdown
    /// ([`ShutdownSignal`]), and open streams have [`shutdown_timeout`](ServerConfig::shutdown_timeout)
    /// to end by themselves. The streams of a topic's subscribers end properly, because their clients
    /// resume elsewhere: each at a time of its own if there are many of them
    /// ([`ShutdownSpread`](crate::ShutdownSpread)).
    /// [`Reply::with_end_at_shutdown`](crate::router::Reply::with_end_at_shutdown) changes which streams
    /// do so. A stream that is still open is cut at the deadline, or earlier by [`ServerHandle::cut`],
    /// which a second signal should call. Both close with
    /// [`CloseReason::Shutdown`](sse_core::lifecycle::CloseReason::Shutdown), and the report counts the
    /// streams that were cut. A client that still waits for its response then gets a 503, and has a
    /// second to take it. For a task that cannot be cut, because a handler blocks its thread, the server
    /// waits 5 s, and does not count it.
    ///
    /// The server survives errors of accepting, such as running out of file descriptors: it waits a
    /// little, at most a second, and tries again. Dropping this future cuts every connection.
    ///
    /// # Errors
    ///
    /// [`RouteError`], at once, where a route of the router is not valid.
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

    /// Accepts connections until the shutdown begins.
    async fn accept_all(&self, server: &ConnectionServer<R>) {
        let mut back_off = ACCEPT_BACK_OFF[0];
        let mut shutdown = self.connections.shutdown.signal();
        let mut newcomers = 0;
        while let Some(accepted) = self.accept(&mut shutdown).await {
            newcomers += 1;
            let at_a_time = self.connections.open() / 4;
            if newcomers >= at_a_time.clamp(NEWCOMERS[0], NEWCOMERS[1]) {
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

    /// Serves a new connection in a task of its own.
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

    /// Returns the next connection, unless the shutdown begins first.
    async fn accept(&self, shutdown: &mut ShutdownSignal) -> Option<Accepted<R>> {
        poll_fn(|cx: &mut Context<'_>| {
            if Pin::new(&mut *shutdown).poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            self.acceptor.poll_accept(&self.runtime, cx)
        })
        .await
    }

    /// Returns `None` where rustls rejects its configuration, which is told as an error of accepting.
    fn socket<T: Transport>(&self, transport: T) -> Option<Socket<T>> {
        #[cfg(feature = "tls")]
        if let Some(config) = &self.tls {
            let tls = Tls::server(transport, config.clone());
            let tls = tls.map_err(|error| trace::accept_failed(&io::Error::other(error)));
            return Some(Socket::Tls(Box::new(tls.ok()?)));
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

/// Returns whether the error concerns only this connection, which was gone before it was accepted: the
/// next one may be fine.
fn is_the_peers(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// Cuts the connections when the server's future is dropped, because no shutdown can end them then.
struct CutOnDrop(Arc<Connections>);

impl Drop for CutOnDrop {
    fn drop(&mut self) {
        self.0.cut();
    }
}
