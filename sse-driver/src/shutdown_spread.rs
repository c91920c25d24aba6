//! How the clients of resumable streams reconnect after a graceful shutdown.

use std::time::Duration;

/// How a graceful shutdown keeps clients from reconnecting at the same moment, in a
/// [`ServerConfig`](crate::ServerConfig) or an `EmbeddingConfig`.
///
/// Streams that clients can resume, such as those of a topic, do not end together at a shutdown. Each
/// ends at a random time of its own, within a window that begins with the shutdown, and continues until
/// then. Its client gets a random reconnection time of its own (a `retry` line, which is not an event),
/// from a second window. The streams of handlers are not ended: they see the shutdown, and may send a
/// last event when they like.
///
/// Both windows grow with the number of open connections, so that about [`per_second`](Self::per_second)
/// streams end in each second, up to the bounds below. A server with fewer connections than would end in
/// a tenth of a second ends all of its streams at once, and sends no reconnection time.
///
/// | deployment | setting |
/// |---|---|
/// | other servers take over, behind a load balancer | the defaults |
/// | one server that is restarted: clients wait for it, whether its port stays open or not | [`ends`](Self::ends) of zero, so that the new process starts at once |
/// | clients that do not follow `retry` | a longer `ends`, and a [`shutdown_timeout`](crate::ServerConfig::shutdown_timeout) of twice that |
///
/// ```
/// use std::time::Duration;
/// use sse_driver::ServerConfig;
///
/// let mut config = ServerConfig::default();
/// // 10,000 clients are gone at once, and come back over 20 s.
/// config.shutdown_spread.ends = Duration::ZERO;
/// config.shutdown_spread.retry = Duration::from_secs(20);
/// config.shutdown_spread.per_second = 500;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownSpread {
    /// The longest window over which streams end. 5 s by default, and never more than half of the
    /// shutdown's timeout, so that queued bytes can be delivered. With zero, all end at once.
    pub ends: Duration,
    /// The longest window of the reconnection times: they lie between 1 s and 1 s more than the window. 5
    /// s by default. With zero, clients get none, and keep the one that they have, which is about 3 s in
    /// browsers. A client keeps the time until it gets another one.
    pub retry: Duration,
    /// The number of streams that end in a second, as far as the bounds allow it. 1,000 by default; 0
    /// counts as 1.
    pub per_second: u32,
}

impl Default for ShutdownSpread {
    fn default() -> Self {
        Self {
            ends: Duration::from_secs(5),
            retry: Duration::from_secs(5),
            per_second: 1_000,
        }
    }
}
