//! The bounds of an embedding.

use std::time::Duration;

/// The bounds of an [`Embedding`](super::Embedding).
///
/// ```
/// use std::time::Duration;
/// use sse_driver::embedding::EmbeddingConfig;
///
/// let mut config = EmbeddingConfig::default();
/// config.keep_alive = Some(Duration::from_secs(5));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EmbeddingConfig {
    /// How long the whole request body may take, where a route takes one. 30 s by default; then
    /// the client is answered 408.
    pub body_timeout: Duration,
    /// How many bytes a request body may have. 1 MiB by default; beyond it the answer is 413. So
    /// much memory at most is held for it, and as it comes in, not before.
    pub body_limit: usize,
    /// How long a handler may take to answer. 30 s by default; then the client is answered 503.
    pub respond_timeout: Duration,
    /// After how much idle time a stream sends a comment, so that proxies leave the connection
    /// alone and the server finds out who vanished. 15 s by default, at least 10 ms. `None` for
    /// never.
    pub keep_alive: Option<Duration>,
    /// Up to how many bytes of events that are ready are put together in one piece of data. 64 KiB
    /// by default. A body holds at most this much and one event more, and one
    /// [batch](sse_core::topic::EncodedEvents) of a topic's events, which is memory shared with
    /// others. What the server takes beyond that is its own.
    pub high_water_mark: usize,
    /// How long a body whose stream failed waits before it fails, too. 100 ms by default. Servers
    /// throw away what they have not written when a body fails, hyper among them; this is their
    /// time to write the last events.
    pub fail_delay: Duration,
    /// How many responses may be open. 10,000 by default. A request beyond it is answered 503;
    /// nobody is closed to make room.
    pub max_open: usize,
    /// The longest `Retry-After` of such a 503, which is a whole number of seconds between 1 and
    /// this, chosen anew for each. 10 s by default.
    pub max_retry_after: Duration,
    /// How long [`shut_down`](super::Embedding::shut_down) waits for streams to end by themselves
    /// before it cuts them. 10 s by default.
    pub shutdown_timeout: Duration,
}

impl Default for EmbeddingConfig {
    fn default() -> Self {
        Self {
            body_timeout: Duration::from_secs(30),
            body_limit: 1024 * 1024,
            respond_timeout: Duration::from_secs(30),
            keep_alive: Some(Duration::from_secs(15)),
            high_water_mark: 64 * 1024,
            fail_delay: Duration::from_millis(100),
            max_open: 10_000,
            max_retry_after: Duration::from_secs(10),
            shutdown_timeout: Duration::from_secs(10),
        }
    }
}
