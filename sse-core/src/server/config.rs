//! The bounds of a server connection.

use std::time::Duration;

use crate::{Budget, http::HeadLimits};

/// The bounds of a server connection. Every wait and every buffer has one.
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
    /// The time that the whole request head may take, from accepting the connection on. 10 s by default.
    /// A client that has sent a part of it by then gets a 408; the connection of one that sent nothing is
    /// closed without a response.
    pub head_timeout: Duration,
    /// The bounds of a request head: 16 KiB, 100 field lines, a target of 8 KiB by default.
    pub head_limits: HeadLimits,
    /// The time that a write may make no progress, and that written bytes may go without an
    /// acknowledgement where the transport can tell (TCP on Linux can). 30 s by default; then the
    /// connection is cut. With 0, a client that does not take everything at once is cut.
    pub stall_timeout: Duration,
    /// The time that everything after the end of a stream or of a whole response may take, which is
    /// delivering the queued bytes and closing, for each 64 KiB that are queued. 30 s by default; then
    /// the connection is cut.
    pub drain_timeout: Duration,
    /// The time to go on reading after a response that did not wait for the whole request, so that a
    /// reset does not destroy the response on its way. 1 s by default.
    pub linger_timeout: Duration,
    /// The number of such bytes to read and discard. 256 KiB by default; then the connection is closed.
    pub linger_limit: usize,
    /// The bounds of the response, and of the request's body.
    pub response: ResponseConfig,
}

/// The bounds of a response, and of the body of the request that it answers, both on a socket and inside
/// a foreign server.
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
    /// The time that the whole request body may take, from the moment the handler
    /// [asks for it](super::Connection::receive_body). 30 s by default; then the client gets the status
    /// 408. The deadline is for the whole body, so that a body that arrives slowly but steadily meets it,
    /// too: with the default bound of 1 MiB, the largest body has to arrive at 35 KiB/s.
    pub body_timeout: Duration,
    /// The largest request body in bytes, without its framing. 1 MiB by default; beyond it the client
    /// gets a 413. At most this much memory is held for the body, and only as its bytes arrive.
    pub body_limit: usize,
    /// The time that the handler may take to respond, from the moment the request head is complete, or
    /// the body if the handler asked for it. 30 s by default; then the client gets a 503.
    pub respond_timeout: Duration,
    /// The idle time after which a stream sends a comment. It keeps proxies from closing the connection,
    /// and detects a client that vanished: the client acknowledges no bytes, and the stall timeout
    /// passes. 15 s by default, at least 10 ms. `None` sends no comments: a client that vanished from an
    /// idle stream is then detected only when the next event is sent.
    pub keep_alive: Option<Duration>,
    /// The high-water mark in bytes: while this many bytes or more are queued, [`send`] takes no event,
    /// and the handler's stream is not polled. 64 KiB by default. The queue holds at most this much and
    /// one more event, or one more [batch](crate::EncodedEvents) of a topic's events, whose memory is
    /// shared. Bytes in the buffers of the kernel or of a foreign server do not count.
    ///
    /// [`send`]: super::Connection::send
    pub high_water_mark: usize,
    /// The bound on the memory that request bodies and queued output share with other connections,
    /// servers, embeddings and topics. While it is exhausted, a request body is rejected with 503, and a
    /// stream takes an event only when everything before it was transmitted. The [budget of the
    /// process](Budget::of_process) by default.
    pub budget: Budget,
    /// Only inside a foreign server: the time that a body whose stream failed waits before it fails, too.
    /// 100 ms by default. When a body fails, servers such as hyper discard the bytes that they have not
    /// written; this time lets them write the last events.
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
