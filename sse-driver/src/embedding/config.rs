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
    /// [`high_water_mark`](ResponseConfig::high_water_mark) is also how much is put together in one
    /// piece of data, at most.
    pub response: ResponseConfig,
    /// How many responses may be open. 10,000 by default. A request beyond it is answered 503;
    /// no open response is closed to make room.
    pub max_open: usize,
    /// The longest `Retry-After` of such a 503, which is a whole number of seconds between 1 and
    /// this, chosen anew for each. 10 s by default.
    pub max_retry_after: Duration,
    /// How long streams may last. As long as they like by default.
    pub lifetime: Option<Lifetime>,
    /// How long [`shut_down`](super::Embedding::shut_down) waits for streams to end by themselves
    /// before it cuts them. 10 s by default.
    pub shutdown_timeout: Duration,
    /// How a graceful shutdown spreads the ends of streams that clients can resume, so that these
    /// do not come back in one instant. About 1,000 of them end in a second by default, over 5 s at
    /// most; fewer than 100 end at once.
    pub shutdown_spread: ShutdownSpread,
    /// The proxies that say who a client is. By default none is believed, and the client is the peer that
    /// connected.
    pub trusted_proxies: Option<TrustedProxies>,
    /// Where open streams are listed, and ended from elsewhere. By default they are not.
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
