//! The bounds of a server.

use std::time::Duration;

use crate::{Lifetime, OpenStreams, ShutdownSpread, TrustedProxies};

use sse_core::server;

/// The bounds of a [`Server`](super::Server), and of a
/// [`ConnectionServer`](super::ConnectionServer).
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
    /// The largest number of open connections. 10,000 by default. A new connection beyond it gets a 503;
    /// no open one is closed to make room.
    pub max_connections: usize,
    /// The longest `Retry-After` of such a 503, which is a random whole number of seconds between 1 and
    /// this, so that rejected clients do not all reconnect at once. 10 s by default.
    pub max_retry_after: Duration,
    /// The longest life of streams. `None`, no limit, by default.
    pub lifetime: Option<Lifetime>,
    /// The time that a graceful shutdown waits for open streams to end by themselves before it cuts them.
    /// 10 s by default.
    pub shutdown_timeout: Duration,
    /// How a graceful shutdown spreads the ends of streams that clients can resume, so that these do not
    /// reconnect at the same moment. By default about 1,000 of them end in each second, over at most 5 s;
    /// fewer than 100 end at once.
    pub shutdown_spread: ShutdownSpread,
    /// The proxies that are trusted to name the client. None by default: the client is then the peer that
    /// connected.
    pub trusted_proxies: Option<TrustedProxies>,
    /// The list of open streams, by which they can be ended from outside. `None` by default.
    pub open_streams: Option<OpenStreams>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            connection: server::ConnectionConfig::default(),
            max_connections: 10_000,
            max_retry_after: Duration::from_secs(10),
            lifetime: None,
            shutdown_timeout: Duration::from_secs(10),
            shutdown_spread: ShutdownSpread::default(),
            trusted_proxies: None,
            open_streams: None,
        }
    }
}
