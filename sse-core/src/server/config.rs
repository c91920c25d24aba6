//! The bounds of a server connection.

use std::time::Duration;

use crate::{Budget, http::HeadLimits};

/// The bounds of a server connection: every wait and every buffer has one.
///
/// ```
/// use std::time::Duration;
/// use sse_core::server::ConnectionConfig;
///
/// let mut config = ConnectionConfig::default();
/// config.stall_timeout = Duration::from_secs(60);
/// config.response.keep_alive = Some(Duration::from_secs(5));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionConfig {
    /// How long the whole request head may take, from the moment of accepting. 10 s by default.
    /// A client that has sent part of one by then is answered 408; one that never said anything
    /// is closed without an answer.
    pub head_timeout: Duration,
    /// The bounds of a request head: 16 KiB, 100 field lines, a target of 8 KiB by default.
    pub head_limits: HeadLimits,
    /// How long a write may make no progress at all, and how long written bytes may go without an
    /// acknowledgement, where the transport can tell (TCP on Linux can). 30 s by default; then
    /// the connection is cut. With 0, a client that does not take everything at once is.
    pub stall_timeout: Duration,
    /// How long everything after the end of a stream or of a whole response may take, delivering
    /// what is queued and closing, for each 64 KiB that are queued. 30 s by default; then the
    /// connection is cut.
    pub drain_timeout: Duration,
    /// How long, after an answer that did not wait for the whole request, to go on reading what
    /// the client is still sending, so that the answer is not lost to a reset. 1 s by default.
    pub linger_timeout: Duration,
    /// How many such bytes to read and discard. 256 KiB by default; then the connection is closed.
    pub linger_limit: usize,
    /// The bounds of the response, and of the request's body.
    pub response: ResponseConfig,
}

/// The bounds of a response, and of the body of the request that it answers: what holds on a socket
/// and inside a foreign server alike.
///
/// ```
/// use std::time::Duration;
/// use sse_core::server::ResponseConfig;
///
/// let mut config = ResponseConfig::default();
/// config.keep_alive = Some(Duration::from_secs(5));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResponseConfig {
    /// How long the whole request body may take, from the moment that it was
    /// [asked for](super::Connection::receive_body). 30 s by default; then the client is answered
    /// 408. It is one deadline for all of it, so that a body that trickles in meets it, too: with
    /// the usual bound of 1 MiB, the largest body has to come at 35 KiB/s.
    pub body_timeout: Duration,
    /// How many bytes a request body may have, without its framing. 1 MiB by default; beyond it
    /// the answer is 413. So much memory at most is held for it, and as it comes in, not before.
    pub body_limit: usize,
    /// How long the handler may take to answer, from the moment the head was complete, or the body
    /// where there was one to receive. 30 s by default; then the client is answered 503.
    pub respond_timeout: Duration,
    /// After how much idle time a stream sends a comment, so that proxies leave the connection
    /// alone and a client that vanished without a word is found out: it acknowledges no bytes,
    /// and the stall timeout passes. 15 s by default, at least 10 ms. `None` for never: a client
    /// that vanishes from an idle stream is then not found out until something is sent.
    pub keep_alive: Option<Duration>,
    /// How many queued bytes are enough: at or above it [`send`] takes no event, and the
    /// handler's stream is not polled. 64 KiB by default. The queue holds at most this much and
    /// one event more, or one [batch](crate::EncodedEvents) of a topic's events, which is
    /// memory shared with others. What the kernel, or a foreign server, takes for the client beyond
    /// that is its own.
    ///
    /// [`send`]: super::Connection::send
    pub high_water_mark: usize,
    /// The memory that request bodies and queued output share with other connections, servers,
    /// embeddings and topics. Where it has no room, a request body is refused with 503, and a
    /// stream takes an event only when everything before it was transmitted. The [budget of the
    /// process](Budget::of_process) by default.
    pub budget: Budget,
    /// Inside a foreign server alone: how long a body whose stream failed waits before it fails,
    /// too. 100 ms by default. Servers discard what they have not written when a body fails, hyper
    /// among them; this is their time to write the last events.
    pub fail_delay: Duration,
}

impl Default for ConnectionConfig {
    fn default() -> Self {
        Self {
            head_timeout: Duration::from_secs(10),
            head_limits: HeadLimits::default(),
            stall_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(30),
            linger_timeout: Duration::from_secs(1),
            linger_limit: 256 * 1024,
            response: ResponseConfig::default(),
        }
    }
}

impl Default for ResponseConfig {
    fn default() -> Self {
        Self {
            body_timeout: Duration::from_secs(30),
            body_limit: 1024 * 1024,
            respond_timeout: Duration::from_secs(30),
            keep_alive: Some(Duration::from_secs(15)),
            high_water_mark: 64 * 1024,
            budget: Budget::default(),
            fail_delay: Duration::from_millis(100),
        }
    }
}
