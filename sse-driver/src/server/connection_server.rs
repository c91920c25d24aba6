//! A server of connections from any source.

use std::{
    fmt,
    future::{Future, poll_fn},
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Poll, ready},
};

use sse_core::server::{Connection, ConnectionConfig};

use super::{ServerConfig, ServerHandle, acceptor::Acceptor, pump::Pump};
use crate::{
    Runtime, Transport,
    connections::{Connections, Endings, Report},
    exchange::Exchange,
    no_place::NoPlace,
    router::{RouteError, Router, Routes},
    trace,
};

/// The largest number of connections beyond the limit that get a 503 at a time. Any more are closed
/// without a response.
const MAX_TURNED_AWAY: usize = 64;

/// A server without a listening socket: it serves connections that were accepted, wrapped or made
/// elsewhere, such as those of a Unix socket, of the caller's own accept loop, or in memory.
///
/// A [`Server`](super::Server) is one of these with a listening socket. Clones are handles to the same
/// server.
///
/// ```
/// use sse_driver::{ConnectionServer, Runtime, ServerConfig, router::{RouteError, Router}};
///
/// /// Serves the connections of a listening socket until it fails.
/// async fn serve<R: Runtime>(runtime: R, listener: R::Listener, router: Router) -> Result<(), RouteError> {
///     let server = ConnectionServer::on(runtime.clone(), router, ServerConfig::default())?;
///     while let Ok((transport, peer)) = runtime.accept(&listener).await {
///         runtime.spawn(server.serve_connection(transport, Some(peer)));
///     }
///     Ok(())
/// }
/// ```
pub struct ConnectionServer<R: Runtime> {
    shared: Arc<Shared<R>>,
}

struct Shared<R> {
    runtime: R,
    routes: Arc<Routes>,
    config: ServerConfig,
    /// The settings of connections, in the form in which each connection holds them.
    connection: Arc<ConnectionConfig>,
    connections: Arc<Connections>,
    no_place: NoPlace,
}

impl<R: Runtime> ConnectionServer<R> {
    /// Creates a server of `router` on this runtime's clock and timers.
    ///
    /// # Errors
    ///
    /// [`RouteError`] where a route of the router is not valid.
    pub fn on(runtime: R, router: Router, config: ServerConfig) -> Result<Self, RouteError> {
        Self::with_connections(runtime, router, config, Arc::default())
    }

    pub(super) fn with_connections(
        runtime: R,
        router: Router,
        config: ServerConfig,
        connections: Arc<Connections>,
    ) -> Result<Self, RouteError> {
        connections.set_budget(&config.connection.response.budget);
        connections.set_open_streams(config.open_streams.as_ref());
        connections.set_trusted_proxies(config.trusted_proxies.as_ref());
        connections.set_endings(Endings::new(
            config.lifetime,
            config.shutdown_spread,
            config.shutdown_timeout,
            runtime.seed(),
        ));
        Ok(Self {
            shared: Arc::new(Shared {
                routes: Arc::new(router.build()?),
                connection: Arc::new(config.connection.clone()),
                no_place: NoPlace::new(runtime.seed(), config.max_retry_after),
                connections,
                config,
                runtime,
            }),
        })
    }

    /// Returns a handle that watches the server and shuts it down, from any task or thread.
    #[must_use]
    pub fn handle(&self) -> ServerHandle {
        ServerHandle {
            connections: self.shared.connections.clone(),
            // There is no socket to close.
            acceptor: Weak::<Acceptor<R>>::new(),
        }
    }

    /// Serves one connection: the future becomes ready when the connection is over and its clean-up has
    /// run. Dropping it before that closes the connection, and clean-up runs nevertheless.
    ///
    /// The connection counts from this call on, not from the first poll. At the
    /// [limit](ServerConfig::max_connections) it gets a 503, and while 64 others are getting one it is
    /// closed without a response. `peer` is the address that
    /// [`Request::peer_addr`](crate::router::Request::peer_addr) returns; a connection over a Unix socket
    /// or in memory has none.
    ///
    /// The driver joins small writes, so a TCP socket should have `TCP_NODELAY` set. The driver cannot
    /// set TCP options on a transport of the caller's: a client that vanished is detected only when the
    /// transport's writes [stall](ConnectionConfig::stall_timeout).
    pub fn serve_connection<T: Transport>(
        &self,
        transport: T,
        peer: Option<SocketAddr>,
    ) -> impl Future<Output = ()> + Send + use<R, T> {
        let mut pump = self.pump(transport, peer);
        // The state of an `async` block would hold the pump twice.
        poll_fn(move |cx| {
            if let Some(running) = &mut pump {
                ready!(Pin::new(running).poll(cx));
                pump = None;
            }
            Poll::Ready(())
        })
    }

    /// Returns the future that drives the connection; `None` where it is closed at once.
    pub(super) fn pump<T: Transport>(
        &self,
        transport: T,
        peer: Option<SocketAddr>,
    ) -> Option<Pump<R, T>> {
        let Shared {
            runtime,
            routes,
            config,
            connection,
            connections,
            no_place,
        } = &*self.shared;
        let now = runtime.now();
        let connection = Connection::new(now, runtime.date(), connection.clone());
        let exchange = |place| Exchange::new(connection, transport, place, routes.clone(), peer);
        let exchange = match connections.enter(config.max_connections) {
            Some(place) => {
                connections.count_accepted();
                exchange(place)
            }
            None => {
                trace::turned_away(peer);
                connections.count_turned_away();
                let mut exchange = exchange(connections.enter_turned_away(MAX_TURNED_AWAY)?);
                exchange.turn_away(now, no_place.response(NoPlace::CONNECTIONS));
                exchange
            }
        };
        Some(Pump::new(runtime.clone(), peer, exchange))
    }

    /// Shuts down gracefully, as [`Server::serve`](super::Server::serve) describes: begins the shutdown,
    /// waits until every connection has ended by itself, for at most
    /// [`shutdown_timeout`](ServerConfig::shutdown_timeout), then cuts the others, and returns the
    /// counters. Stop accepting connections before that.
    ///
    /// The connections end in their own tasks: the futures of
    /// [`serve_connection`](Self::serve_connection) have to be polled meanwhile.
    pub async fn shut_down(&self) -> Report {
        let Shared {
            runtime,
            config,
            connections,
            ..
        } = &*self.shared;
        connections
            .shut_down_within(runtime, config.shutdown_timeout)
            .await
    }
}

impl<R: Runtime + Default> ConnectionServer<R> {
    /// Creates a server of `router`.
    ///
    /// # Errors
    ///
    /// [`RouteError`] where a route of the router is not valid.
    pub fn new(router: Router, config: ServerConfig) -> Result<Self, RouteError> {
        Self::on(R::default(), router, config)
    }
}

impl<R: Runtime> Clone for ConnectionServer<R> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
        }
    }
}

impl<R: Runtime> fmt::Debug for ConnectionServer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionServer")
            .field("config", &self.shared.config)
            .field("open", &self.shared.connections.open())
            .finish_non_exhaustive()
    }
}
