//! The settings of a subscription: its request, its reconnections and its bounds.

use std::time::Duration;

use ::http::{HeaderMap, Method, StatusCode};
use bytes::Bytes;

use crate::{DecoderLimits, EventId, http::ResponseHeadLimits};

/// The settings of an [`EventSource`](super::EventSource): its request, its reconnections and its bounds.
///
/// ```
/// use sse_core::client::EventSourceConfig;
/// use sse_core::http::{HeaderValue, StatusCode, header};
///
/// let mut config = EventSourceConfig::default();
/// config.headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer 8f14e45f"));
/// config.retry_statuses = vec![StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE];
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EventSourceConfig {
    /// The method: `GET` by default.
    pub method: Method,
    /// Header fields of the request. The event source adds `Accept`, `Accept-Encoding` (`identity`, or
    /// `gzip, deflate` with the feature `compression` and the setting `accept_gzip`), `Cache-Control` and
    /// `User-Agent` (`sse-core/` and its version); a value given here replaces the added one, and an
    /// empty `User-Agent` leaves that field out. The event source sets `Host`, `Connection`, the framing
    /// of the body and `Last-Event-ID` itself and ignores values given here for them.
    ///
    /// A redirect to another origin removes `Authorization`, `Cookie` and `Proxy-Authorization` from all
    /// later requests. All other fields stay.
    pub headers: HeaderMap,
    /// The body of the request, which every reconnection sends again. Empty by default.
    pub body: Bytes,
    /// The last event ID to begin with, such as the one of an earlier run. Empty, which is none, by
    /// default.
    pub last_event_id: EventId,
    /// Whether requests are `GET` requests without a body once the stream was open. This is for an API
    /// that answers a `POST` with a stream, and continues it after a loss by `GET` and `Last-Event-ID`,
    /// as the Model Context Protocol does. A stream that is lost before its first ID is asked for by a `GET`
    /// without one, which such an API may answer with another stream: end the event source at that loss. False
    /// by default: a reconnection repeats the request unchanged.
    pub resume_by_get: bool,
    /// When to connect again after a loss. With `None` the request is made once: the end of its body is
    /// the end of the subscription, and any loss is a failure. The default is `Some`, with the defaults
    /// of [`Reconnection`].
    pub reconnection: Option<Reconnection>,
    /// Statuses that are a loss, after which the client connects again, instead of a failure, as the
    /// standard says. Empty by default, as in browsers, so that every status but 200 and 204 ends the
    /// subscription. The client honours their `Retry-After`, up to [`Reconnection::ceiling`].
    ///
    /// For a program that should outlast a restart or an overload of the server, name these:
    ///
    /// - 502 Bad Gateway, 503 Service Unavailable and 504 Gateway Timeout: the answers of proxies while
    ///   the server behind them restarts or does not answer;
    /// - 503 also from this crate's server, at its connection limit and when a handler does not answer in
    ///   time;
    /// - 408 Request Timeout: from this crate's server, when a request arrives too slowly;
    /// - 429 Too Many Requests: from servers and proxies that limit rates.
    ///
    /// ```
    /// use sse_core::{client::EventSourceConfig, http::StatusCode};
    ///
    /// let mut config = EventSourceConfig::default();
    /// config.retry_statuses = vec![
    ///     StatusCode::REQUEST_TIMEOUT,
    ///     StatusCode::TOO_MANY_REQUESTS,
    ///     StatusCode::BAD_GATEWAY,
    ///     StatusCode::SERVICE_UNAVAILABLE,
    ///     StatusCode::GATEWAY_TIMEOUT,
    /// ];
    /// ```
    pub retry_statuses: Vec<StatusCode>,
    /// The time that the application may take to prepare a request, from
    /// [`ClientEvent::Prepare`](super::ClientEvent::Prepare) on. After that the attempt is a loss. 30 s
    /// by default.
    pub prepare_timeout: Duration,
    /// The time that connecting may take, from [`ClientEvent::Connect`](super::ClientEvent::Connect) on:
    /// name resolution, the socket and TLS. After that the attempt is a loss. 30 s by default.
    pub connect_timeout: Duration,
    /// The time that the response's head may take, from the moment the connection is established. After
    /// that the attempt is a loss. 30 s by default.
    pub head_timeout: Duration,
    /// The time that an open event stream may pass without a byte, counted only while everything that was
    /// received has been taken. After that the connection is a loss. `None`, no limit, by default, as in
    /// browsers. With a server that sends keep-alive comments, a little more than twice their interval is
    /// a good value.
    pub idle_timeout: Option<Duration>,
    /// The idle time after which the operating system probes the server (TCP keep-alive, [RFC 9293
    /// section 3.8.4](https://www.rfc-editor.org/rfc/rfc9293#section-3.8.4)). A server that vanished is
    /// then a loss after four times this. 45 s by default; `None` turns it off. Systems take whole
    /// seconds, from 1 to 32,767: a shorter time counts as 1 s, a longer one as 32,767 s. The adapters
    /// set it on Linux. It costs the server no work.
    pub probe_after: Option<Duration>,
    /// The number of redirects in a row that the client follows. One more is a loss, as in browsers. 10
    /// by default.
    pub max_redirects: u32,
    /// Whether the response may have the content coding `gzip` or `deflate`. The request then says so in
    /// `Accept-Encoding`, unless [`headers`](Self::headers) has that field, and the event source decodes
    /// such a response. It decodes `deflate` with and without zlib's head and checksum, because servers
    /// send either. `false` by default.
    #[cfg(feature = "compression")]
    pub accept_gzip: bool,
    /// The bound on the expansion of a compressed response: the ratio of its decoded to its encoded
    /// length, beyond its first decoded MiB. More is a loss. 200 by default. A hostile server can make
    /// the client decode that much, but not hold more memory: events have the bounds of
    /// [`decoder_limits`](Self::decoder_limits).
    #[cfg(feature = "compression")]
    pub max_gzip_expansion: u32,
    /// The number of responses in a row that may be something other than an event stream, where the
    /// application [prepares](super::EventSource::with_preparation) each attempt. Until then the
    /// application can react to them, such as to a 401; the last one is the failure. 3 by default; 0
    /// counts as 1. Responses of [`retry_statuses`](Self::retry_statuses) are not limited.
    pub max_unexpected_responses: u32,
    /// The number of bytes of the body that an [`UnexpectedResponse`](super::UnexpectedResponse) keeps. 4
    /// KiB by default. The head timeout also bounds the wait for the body.
    pub max_unexpected_body: usize,
    /// The bounds of a response's head.
    pub response_head_limits: ResponseHeadLimits,
    /// The bounds of lines and events.
    pub decoder_limits: DecoderLimits,
    /// The high-water mark in bytes: while this many received bytes or more wait,
    /// [`has_room`](super::EventSource::has_room) returns false, and the caller should not read on. 64
    /// KiB by default.
    pub high_water_mark: usize,
}

impl Default for EventSourceConfig {
    fn default() -> Self {
        Self {
            method: Method::GET,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            last_event_id: EventId::default(),
            resume_by_get: false,
            reconnection: Some(Reconnection::default()),
            retry_statuses: Vec::new(),
            prepare_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(30),
            head_timeout: Duration::from_secs(30),
            idle_timeout: None,
            probe_after: Some(Duration::from_secs(45)),
            max_redirects: 10,
            #[cfg(feature = "compression")]
            accept_gzip: false,
            #[cfg(feature = "compression")]
            max_gzip_expansion: 200,
            max_unexpected_responses: 3,
            max_unexpected_body: 4 * 1024,
            response_head_limits: ResponseHeadLimits::default(),
            decoder_limits: DecoderLimits::default(),
            high_water_mark: 64 * 1024,
        }
    }
}

/// The settings of the wait between a loss and the next attempt.
///
/// The wait is random, so that clients that lost their connections together do not come back together. It
/// lies between the reconnection time and twice that; the upper end doubles with each loss in a row, up
/// to the ceiling. It is never shorter than the reconnection time, as the standard requires ([WHATWG HTML
/// 9.2.3](https://html.spec.whatwg.org/multipage/server-sent-events.html#reestablish-the-connection)).
///
/// A stream that gave an event and then ended properly does not count as a loss, because some servers end
/// each stream on purpose. The wait after it lies between the reconnection time and twice that, and
/// earlier losses are forgotten. A stream that ends without an event counts.
///
/// ```
/// use std::time::Duration;
/// use sse_core::client::{EventSourceConfig, Reconnection};
///
/// let mut reconnection = Reconnection::default();
/// reconnection.ceiling = Duration::from_secs(60);
/// reconnection.first_failure_is_final = true;
///
/// let mut config = EventSourceConfig::default();
/// config.reconnection = Some(reconnection);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reconnection {
    /// The reconnection time until the server sets one. 3 s by default, as in browsers. A value shorter
    /// than [`floor`](Self::floor) counts as `floor`: to reconnect sooner, lower both.
    pub time: Duration,
    /// The shortest reconnection time, whatever the server sets, so that a `retry: 0` does not become a
    /// tight loop. 1 s by default. Less than 1 ms counts as 1 ms.
    pub floor: Duration,
    /// The longest wait, whatever the server sets. 5 min by default.
    pub ceiling: Duration,
    /// The time that a connection has to be open for earlier losses to be forgotten. 60 s by default.
    pub settled_after: Duration,
    /// The number of attempts in a row that may fail to open the stream; the last of them is a failure.
    /// `None`, no limit, by default. With 1 the first failed attempt is final, even after the stream was
    /// open.
    pub max_attempts: Option<u32>,
    /// Whether the loss of the first attempt is a failure, as long as the stream was never open. A wrong
    /// URL, or a server that is not running, is then reported at once, while a stream that was open is
    /// connected to again after every loss. False by default.
    pub first_failure_is_final: bool,
}

impl Reconnection {
    /// Returns the shortest reconnection time as it counts: a wait of zero could not grow.
    pub(super) fn counted_floor(&self) -> Duration {
        self.floor.max(Duration::from_millis(1))
    }
}

impl Default for Reconnection {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(3),
            floor: Duration::from_secs(1),
            ceiling: Duration::from_secs(5 * 60),
            settled_after: Duration::from_secs(60),
            max_attempts: None,
            first_failure_is_final: false,
        }
    }
}
