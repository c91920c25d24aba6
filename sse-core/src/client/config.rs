//! What a subscription asks for, and its bounds.

use std::time::Duration;

use ::http::{HeaderMap, Method, StatusCode};
use bytes::Bytes;

use crate::{DecoderLimits, EventId, http::ResponseHeadLimits};

/// What an [`EventSource`](super::EventSource) asks for, and its bounds.
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
    /// Header fields of the request. `Accept`, `Accept-Encoding` (`identity`, unless the
    /// feature `compression` and the setting `accept_gzip` say `gzip`), `Cache-Control` and `User-Agent` (`sse-core/` and its version) are there
    /// without them, and take other values from here; an empty `User-Agent` leaves that field out.
    /// `Host`, `Connection`, the framing of the body and
    /// `Last-Event-ID` are the event source's own: what is set here for them is left out.
    ///
    /// At a redirect to another origin `Authorization`, `Cookie` and `Proxy-Authorization` are
    /// taken away for good; all others go along.
    pub headers: HeaderMap,
    /// The body of the request; sent again at each reconnection. Empty by default.
    pub body: Bytes,
    /// The last event ID to begin with, such as the one of an earlier run; empty for none, as by
    /// default.
    pub last_event_id: EventId,
    /// Whether later requests are `GET` requests without a body once the stream was open: for an API that
    /// answers a `POST` with a stream, and goes on with it after a loss by `GET` and `Last-Event-ID`, as
    /// the Model Context Protocol does. False by default: the request is sent again as it was.
    pub resume_by_get: bool,
    /// When to connect again, or `None` for a request that is made once: the end of its body is
    /// then the end of the subscription, and so is every loss.
    pub reconnection: Option<Reconnection>,
    /// Statuses that mean "not now" rather than "no": a loss, where the standard says a failure.
    /// None by default, as in browsers, so that each of these ends the subscription. Their
    /// `Retry-After` is honoured, up to [`Reconnection::ceiling`].
    ///
    /// A program that is to outlast a restart of the server or a busy one names these:
    ///
    /// - 502 Bad Gateway, 503 Service Unavailable and 504 Gateway Timeout: what proxies answer while
    ///   the server behind them restarts or does not answer;
    /// - 503 also from this crate's server, at its connection limit and where a handler does not
    ///   answer in time;
    /// - 408 Request Timeout: from this crate's server, to a request that is held up on its way;
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
    /// How long the application may take to prepare a request, from the moment
    /// [`ClientEvent::Prepare`](super::ClientEvent::Prepare) is told. After that the attempt is a
    /// loss. 30 s by default.
    pub prepare_timeout: Duration,
    /// How long connecting may take: name, socket and TLS, from the moment
    /// [`ClientEvent::Connect`](super::ClientEvent::Connect) is told. 30 s by default.
    pub connect_timeout: Duration,
    /// How long the response's head may take, from the moment the connection stands. 30 s by
    /// default.
    pub head_timeout: Duration,
    /// How long an open event stream may be without a byte, counted only while everything that
    /// was received has been taken. `None` by default, as in browsers; with a server that sends
    /// keep-alive comments, a little more than twice their interval is a good value.
    pub idle_timeout: Option<Duration>,
    /// After how much silence the system asks whether the server is still there (TCP keep-alive,
    /// [RFC 9293 section 3.8.4](https://www.rfc-editor.org/rfc/rfc9293#section-3.8.4)), where it
    /// can: a server that vanished without a word is a loss then, after four times this. 45 s by
    /// default, `None` for never. Systems take it in whole seconds, from 1 to 32,767 of them: less
    /// counts as 1 s, and more as 32,767 s. The adapters do so on Linux; it costs the server
    /// nothing.
    pub probe_after: Option<Duration>,
    /// How many redirects in a row are followed. 10 by default; one more is a loss, as in browsers.
    pub max_redirects: u32,
    /// Whether the response may be in the content coding `gzip`: the request says so in
    /// `Accept-Encoding`, unless [`headers`](Self::headers) has that field, and such a response is decoded
    /// here. `false` by default.
    #[cfg(feature = "compression")]
    pub accept_gzip: bool,
    /// How many times as long as it is a compressed response may become, beyond its first MiB. 200 by
    /// default; more is a loss. A hostile server can then make the client decode so much, and hold no more
    /// than without: events have the bounds of [`decoder_limits`](Self::decoder_limits).
    #[cfg(feature = "compression")]
    pub max_gzip_expansion: u32,
    /// How many responses in a row may be no event stream where the application
    /// [prepares](super::EventSource::with_preparation) each attempt: so often it can do something
    /// about a 401, for example. The last of them is the failure. 3 by default; 0 counts as 1.
    /// Those of [`retry_statuses`](Self::retry_statuses) are not limited.
    pub max_unexpected_responses: u32,
    /// How much is kept of the body of an
    /// [`UnexpectedResponse`](super::UnexpectedResponse). 4 KiB by default. It is waited for as long as
    /// the head timeout allows.
    pub max_unexpected_body: usize,
    /// The bounds of a response's head.
    pub response_head_limits: ResponseHeadLimits,
    /// The bounds of lines and events.
    pub decoder_limits: DecoderLimits,
    /// How many received bytes are enough: at or above it
    /// [`has_room`](super::EventSource::has_room) says no, and the caller should not read on.
    /// 64 KiB by default.
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

/// When to connect again after a loss.
///
/// The waiting time is drawn anew each time, so that clients that were lost together do not come
/// back together: it lies between the reconnection time and twice that, and the upper end doubles
/// with each loss in a row, up to the ceiling. The standard's "wait at least the reconnection
/// time, optionally longer" holds throughout.
///
/// A stream that gave an event and then ended properly is not a loss that counts: some servers end
/// each stream on purpose. The wait after it lies between the reconnection time and twice that, and
/// the losses before it are forgotten. A stream that ends without an event counts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reconnection {
    /// The reconnection time until the server sets one. 3 s by default, as in browsers. One that is
    /// shorter than [`floor`](Self::floor) counts as that: to reconnect sooner, lower both.
    pub time: Duration,
    /// The shortest reconnection time, whatever the server sets: a `retry: 0` does not become a
    /// tight loop. 1 s by default.
    pub floor: Duration,
    /// The longest wait, whatever the server sets. 5 min by default.
    pub ceiling: Duration,
    /// How long a connection has to have been open for the losses before it to be forgotten.
    /// 60 s by default.
    pub settled_after: Duration,
    /// How many attempts in a row may fail to open the stream. `None`, no limit, by default; with
    /// 1 the first failure is final, also after the stream was open.
    pub max_attempts: Option<u32>,
    /// Whether the loss of the first attempt is a failure, as long as the stream was never open. False
    /// by default. A wrong URL, or a server that is not there, is then told at once, and a stream that
    /// was open is connected to again after every loss.
    pub first_failure_is_final: bool,
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
