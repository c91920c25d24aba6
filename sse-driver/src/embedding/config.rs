//! The bounds of an embedding.

use std::time::Duration;

use crate::{Lifetime, OpenStreams, ShutdownSpread, TrustedProxies};

use sse_core::server::ResponseConfig;

/// The bounds of an [`Embedding`](super::Embedding).
///
/// ```
/// use std::time::Duration;
/// use sse_driver::embedding::EmbeddingConfig;
///
/// let mut config = EmbeddingConfig::default();
/// config.response.keep_alive = Some(Duration::from_secs(5));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EmbeddingConfig {
    /// The bounds of a response, and of the body of the request that it answers. Its
    /// [`high_water_mark`](ResponseConfig::high_water_mark) is also the largest size of one piece of the
    /// body.
    pub response: ResponseConfig,
    /// The largest number of open responses. 10,000 by default. A request beyond it gets a 503; no open
    /// response is closed to make room.
    pub max_open: usize,
    /// The longest `Retry-After` of such a 503, which is a random whole number of seconds between 1 and
    /// this. 10 s by default.
    pub max_retry_after: Duration,
    /// The longest life of streams. `None`, no limit, by default.
    pub lifetime: Option<Lifetime>,
    /// The time that [`shut_down`](super::Embedding::shut_down) waits for streams to end by themselves
    /// before it cuts them. 10 s by default.
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

impl Default for EmbeddingConfig {
    fn default() -> Self {
        Self {
            response: ResponseConfig::default(),
            max_open: 10_000,
            max_retry_after: Duration::from_secs(10),
            lifetime: None,
            shutdown_timeout: Duration::from_secs(10),
            shutdown_spread: ShutdownSpread::default(),
            trusted_proxies: None,
            open_streams: None,
        }
    }
}
