//! Accepting: the server that an adapter's users see.

mod acceptor;
mod connections;
mod pump;
mod read_waker;
mod stats;

use std::{
    fmt,
    future::{Future, poll_fn},
    io, mem,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{Arc, Weak},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use ::http::{HeaderValue, Response, StatusCode, header};

#[cfg(feature = "tls")]
use crate::tls::Tls;
use crate::{
    BindOptions, Runtime, Timer, bind,
    exchange::Exchange,
    router::{RouteError, Router, Routes},
    socket::Socket,
    trace,
};
use sse_core::{
    internal::Jitter,
    lifecycle::ShutdownSignal,
    server::{self, Body, Connection},
};

use acceptor::{Accepted, Acceptor, Close};
pub(crate) use connections::{Connections, Place};
use pump::Pump;
pub use stats::ServerStats;
use stats::count;

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

/// The bounds of a [`Server`].
///
/// ```
/// use std::time::Duration;
/// use sse_driver::ServerConfig;
///
/// let mut config = ServerConfig::default();
/// config.max_connections = 50_000;
/// config.connection.response.keep_alive = Some(Duration::from_secs(30));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerConfig {
    /// The bounds of each connection.
    pub connection: server::ConnectionConfig,
    /// How many connections may be open. 10,000 by default. A newcomer beyond it is answered 503;
    /// nobody is closed to make room.
    pub max_connections: usize,
    /// The longest `Retry-After` of such a 503, which is a whole number of seconds between 1 and
    /// this, chosen anew for each, so that those who were refused do not come back all at once.
    /// 10 s by default.
    pub max_retry_after: Duration,
    /// How long a graceful shutdown waits for open streams to end by themselves before it cuts
    /// them. 10 s by default.
    pub shutdown_timeout: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            connection: server::ConnectionConfig::default(),
            max_connections: 10_000,
            max_retry_after: Duration::from_secs(10),
            shutdown_timeout: Duration::from_secs(10),
        }
    }
}

/// What a server did, told when it has shut down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// How many connections were taken.
    pub accepted: u64,
    /// How many were refused at the connection limit.
    pub refused: u64,
    /// How often accepting failed: out of file descriptors, say, or a TLS configuration of which
    /// rustls makes no connection.
    pub accept_errors: u64,
    /// How many connections with a request were cut, at the shutdown's deadline or by
    /// [`cut`](ServerHandle::cut).
    pub cut: u64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            accepted,
            refused,
            accept_errors,
            cut,
        } = self;
        write!(
            f,
            "{accepted} connections accepted, {refused} refused at the limit, \
             {accept_errors} failed to be accepted, {cut} cut when it was shut down"
        )
    }
}

/// Shuts a [`Server`] down from elsewhere. Clones are handles to the same server.
#[derive(Clone, Debug)]
pub struct ServerHandle {
    connections: Arc<Connections>,
    /// Not held: a server that is dropped does not listen any more.
    acceptor: Weak<dyn Close>,
}

impl ServerHandle {
    /// Begins a graceful shutdown, as [`Server::serve`] describes it. Does nothing the second time.
    ///
    /// When it returns, the server does not listen any more: who connects is refused, and can go to
    /// another server at once.
    pub fn shut_down(&self) {
        self.stop_listening();
        self.connections.shut_down();
    }

    /// Ends every connection at once, without waiting for streams to end. The server does not
    /// listen any more, as with [`shut_down`](Self::shut_down).
    pub fn cut(&self) {
        self.stop_listening();
        self.connections.cut();
    }

    /// Before anyone is woken: who is woken may be many, and who connects meanwhile would wait.
    fn stop_listening(&self) {
        if let Some(acceptor) = self.acceptor.upgrade() {
            acceptor.close();
        }
    }

    /// What the server has done so far, and what it is doing. Cheap, and at any time: some twenty
    /// numbers are read.
    #[must_use]
    pub fn stats(&self) -> ServerStats {
        self.connections.stats()
    }

    /// How many connections are open.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.connections.open()
    }
}

/// How many connections beyond the limit are told so at a time. Any more are closed without a
/// word.
const MAX_REFUSALS: usize = 64;

/// After how many newcomers the connections that are there have a turn, even if more wait.
const NEWCOMERS: u32 = 32;

/// How long to wait after accepting failed: first, and at most.
const ACCEPT_BACK_OFF: [Duration; 2] = [Duration::from_millis(10), Duration::from_secs(1)];

/// How long to wait, at a shutdown's end, for tasks that were told to end. They need a turn each, and
/// nothing else: only one that keeps its thread from the others takes as long.
const LAST_WAIT: Duration = Duration::from_secs(5);

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

    /// What [`bind`](Self::bind) does, with other options than the default ones.
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
}

impl<R: Runtime> Server<R> {
    /// A server on a socket that listens already.
    pub fn new(runtime: R, listener: R::Listener) -> Self {
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
        self.config = config;
        self
    }

    /// Speaks TLS on every connection, by `config`: `https` instead of `http`.
    ///
    /// The crate `sse-tls` makes a configuration of PEM files; any other will do, one that asks
    /// for client certificates, say. If it names no protocol (ALPN), `http/1.1` is the one. Early
    /// data (0-RTT) is not taken, since anyone could send it again.
    ///
    /// The handshake counts as part of the request head: both have
    /// [`head_timeout`](server::ConnectionConfig::head_timeout) together.
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

    /// Where the server listens.
    ///
    /// # Errors
    ///
    /// What the operating system says, and [`io::ErrorKind::NotConnected`] once the server was shut
    /// down.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.acceptor.local_addr(&self.runtime)
    }

    /// A handle that shuts the server down.
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
    /// subscribers end at once and properly, since their clients resume elsewhere what they have not
    /// had; [`Reply::with_end_at_shutdown`](crate::router::Reply::with_end_at_shutdown) changes that.
    /// A stream that is still open at the deadline is cut. Both close with
    /// [`CloseReason::Shutdown`](sse_core::lifecycle::CloseReason::Shutdown), and the report counts
    /// those that were cut. For tasks that do not let themselves be cut, because a handler keeps
    /// their thread, the server waits 5 s, and leaves them out of the report.
    ///
    /// Errors of accepting, such as running out of file descriptors, are survived: the server
    /// waits a little, at most a second, and tries again. When this future is dropped, every
    /// connection is cut.
    ///
    /// # Errors
    ///
    /// [`RouteError`] at once where a route of the router is not valid.
    pub async fn serve(self, router: Router) -> Result<Report, RouteError> {
        let routes = Arc::new(router.build()?);
        let _cut = CutOnDrop(self.connections.clone());
        self.accept_all(routes).await;

        let Self {
            runtime,
            acceptor,
            config,
            connections,
            ..
        } = self;
        acceptor.close();
        trace::shutting_down(connections.open());
        let deadline = runtime.now().checked_add(config.shutdown_timeout);
        within(&runtime, deadline, connections.all_gone()).await;
        connections.cut();
        let deadline = runtime.now().checked_add(LAST_WAIT);
        within(&runtime, deadline, connections.all_gone()).await;
        let report = connections.report();
        trace::shut_down(&report);
        Ok(report)
    }

    /// Until the shutdown begins.
    async fn accept_all(&self, routes: Arc<Routes>) {
        let counters = &self.connections.counters;
        let mut jitter = Jitter::new(self.runtime.seed());
        let mut back_off = ACCEPT_BACK_OFF[0];
        let mut shutdown = self.connections.shutdown.signal();
        let config = Arc::new(self.config.connection.clone());

        let mut newcomers = 0;
        while let Some(accepted) = self.accept(&mut shutdown).await {
            newcomers += 1;
            if newcomers == NEWCOMERS {
                newcomers = 0;
                let_others_run().await;
            }
            let (transport, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    trace::accept_failed(&error);
                    count(&counters.accept_errors);
                    if !is_the_peers(&error) {
                        let deadline = self.runtime.now().checked_add(back_off);
                        within(&self.runtime, deadline, &mut shutdown).await;
                        back_off = (back_off * 2).min(ACCEPT_BACK_OFF[1]);
                    }
                    continue;
                }
            };
            back_off = ACCEPT_BACK_OFF[0];
            let stall = config.stall_timeout;
            self.runtime.set_user_timeout(&transport, stall);

            let Some(socket) = self.socket(transport) else {
                count(&counters.accept_errors);
                continue;
            };

            let now = self.runtime.now();
            let connection = Connection::new(now, self.runtime.date(), config.clone());
            let exchange =
                |place| Exchange::new(connection, socket, place, routes.clone(), Some(peer));
            let exchange = match self.connections.enter(self.config.max_connections) {
                Some(place) => {
                    self.connections.count_accepted();
                    exchange(place)
                }
                None => {
                    trace::refused(peer);
                    self.connections.count_refused();
                    let Some(place) = self.connections.enter_refused(MAX_REFUSALS) else {
                        continue;
                    };
                    let mut exchange = exchange(place);
                    exchange.refuse(now, self.refusal(&mut jitter));
                    exchange
                }
            };
            self.runtime
                .spawn(Pump::new(self.runtime.clone(), peer, exchange));
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
    fn socket(&self, transport: R::Transport) -> Option<Socket<R::Transport>> {
        #[cfg(feature = "tls")]
        if let Some(config) = &self.tls {
            let tls = Tls::server(transport, config.clone()).ok()?;
            return Some(Socket::Tls(Box::new(tls)));
        }
        Some(Socket::Plain(transport))
    }

    fn refusal(&self, jitter: &mut Jitter) -> Response<Body> {
        let longest = self.config.max_retry_after.as_secs().max(1);
        let seconds = 1 + jitter.below(longest);
        let mut response = Response::new(Body::Whole(
            "The server has as many connections as it can take. Try again later.\n".into(),
        ));
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        headers.insert(header::RETRY_AFTER, seconds.into());
        response
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

/// The server is gone, so its connections have nobody to shut them down.
struct CutOnDrop(Arc<Connections>);

impl Drop for CutOnDrop {
    fn drop(&mut self) {
        self.0.cut();
    }
}

/// Gives the thread to other tasks for a turn.
async fn let_others_run() {
    let mut had_their_turn = false;
    poll_fn(|cx| {
        if mem::replace(&mut had_their_turn, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Waits for `future`, but not past `deadline`.
pub(crate) async fn within<R: Runtime>(
    runtime: &R,
    deadline: Option<Instant>,
    future: impl Future<Output = ()>,
) {
    let mut future = pin!(future);
    let mut timer = deadline.map(|deadline| runtime.timer(deadline));
    poll_fn(|cx| {
        if future.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        match &mut timer {
            Some(timer) => timer.poll_elapsed(cx),
            None => Poll::Pending,
        }
    })
    .await;
}
