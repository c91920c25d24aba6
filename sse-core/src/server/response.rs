//! A response: the fields of its head, and how its body is delimited.

use std::time::{Duration, Instant};

use ::http::{
    HeaderMap, HeaderValue, Method, Response, StatusCode, Version, header, response::Parts,
};
use bytes::Bytes;

#[cfg(feature = "compression")]
use super::StreamCompression;
use super::{output::Delimiting, state::Own};
#[cfg(feature = "compression")]
use crate::http::accepts_gzip;
use crate::{
    Comment, Event, StreamItem,
    http::{BodyLength, Framing, RequestHead, is_the_connections},
    lifecycle::CloseReason,
};

/// The body of a response.
///
/// ```
/// use sse_core::{http::{Response, StatusCode}, server::ResponseBody};
///
/// let stream = Response::new(ResponseBody::event_stream());
/// let mut page = Response::new(ResponseBody::Whole("Not here.\n".into()));
/// *page.status_mut() = StatusCode::NOT_FOUND;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponseBody {
    /// An event stream, whose events are sent one by one. [`event_stream`](Self::event_stream) creates
    /// one without options.
    EventStream(StreamOptions),
    /// A body of exactly these bytes.
    Whole(Bytes),
}

impl ResponseBody {
    /// Creates an event stream with the options of the configuration, which is what
    /// [`StreamOptions::default`] stands for.
    #[must_use]
    pub fn event_stream() -> Self {
        Self::EventStream(StreamOptions::default())
    }
}

/// The options of one event stream. An option that is `None` is taken from the configuration.
///
/// ```
/// use std::time::Duration;
/// use sse_core::{Comment, http::Response};
/// use sse_core::server::{ResponseBody, KeepAlive, StreamOptions};
///
/// let mut options = StreamOptions::default();
/// options.keep_alive = Some(KeepAlive::every(Duration::from_secs(5)).with_comment(Comment::new("idle")));
/// let response = Response::new(ResponseBody::EventStream(options));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamOptions {
    /// The keep-alive that this stream sends while it is idle, instead of the one in
    /// [`ResponseConfig::keep_alive`](super::ResponseConfig::keep_alive).
    pub keep_alive: Option<KeepAlive>,
    /// The longest life of this stream. It then ends properly, between two events and with
    /// [`CloseReason::LifetimeOver`], so that its client reconnects and resumes. `None`, no bound, by
    /// default.
    ///
    /// Choose a random time for each stream, so that clients that connected together do not reconnect
    /// together.
    pub lifetime: Option<Duration>,
    /// How the stream is compressed, if the client accepts that. Off by default.
    #[cfg(feature = "compression")]
    pub compression: StreamCompression,
}

impl StreamOptions {
    /// Returns the options that the open stream keeps.
    pub(super) fn into_own(self, now: Instant) -> Option<Own> {
        let end = self.lifetime.and_then(|lifetime| now.checked_add(lifetime));
        let end = end.map(|at| (at, CloseReason::LifetimeOver));
        let own = Own {
            keep_alive: self.keep_alive,
            end,
            retry: None,
            #[cfg(feature = "compression")]
            coding: None,
        };
        (own.keep_alive.is_some() || own.end.is_some()).then_some(own)
    }
}

/// What an idle stream sends, and after how much idle time.
///
/// A comment keeps proxies from closing the connection, and detects a client that vanished. A page does
/// not see comments. For a page that should notice when the stream stalls, send an event:
///
/// ```
/// use std::time::Duration;
/// use sse_core::{Event, EventType, server::KeepAlive};
///
/// const HEARTBEAT: EventType = EventType::from_static("heartbeat");
/// let heartbeat = KeepAlive::every(Duration::from_secs(10)).with_event(Event::new("").of_type(HEARTBEAT));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeepAlive {
    interval: Option<Duration>,
    item: StreamItem,
}

impl KeepAlive {
    /// Sends a comment without text after `interval` of idle time. Less than 10 ms counts as 10 ms.
    #[must_use]
    pub fn every(interval: Duration) -> Self {
        let interval = Some(interval);
        Self {
            interval,
            ..Self::never()
        }
    }

    /// Sends nothing: a client that vanishes from an idle stream is detected only when the next event is
    /// sent.
    #[must_use]
    pub fn never() -> Self {
        Self {
            interval: None,
            item: StreamItem::Comment(Comment::KEEP_ALIVE),
        }
    }

    /// Sends this comment instead of the one without text.
    #[must_use]
    pub fn with_comment(mut self, comment: Comment) -> Self {
        self.item = StreamItem::Comment(comment);
        self
    }

    /// Sends this event. Its ID is removed, so that the client keeps its last event ID. A client
    /// dispatches the event only if it has data, which may be empty. An event without data, type and
    /// reconnection time counts as the comment without text, because nothing would be sent of it.
    #[must_use]
    pub fn with_event(mut self, event: Event) -> Self {
        let event = event.without_id();
        let mut encoded = Vec::new();
        event.encode(&mut encoded);
        self.item = match encoded.is_empty() {
            true => StreamItem::Comment(Comment::KEEP_ALIVE),
            false => StreamItem::Event(event),
        };
        self
    }

    /// Returns the idle time after which the comment or the event is sent, as it was given; `None` for
    /// never.
    #[must_use]
    pub fn interval(&self) -> Option<Duration> {
        self.interval
    }

    /// Returns the comment or event that is sent.
    #[must_use]
    pub fn item(&self) -> &StreamItem {
        &self.item
    }
}

/// The properties of the request that the response depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestFacts {
    version: Version,
    is_head: bool,
    #[cfg(feature = "compression")]
    accepts_gzip: bool,
}

impl RequestFacts {
    pub(super) fn of(head: &RequestHead) -> Self {
        Self {
            version: head.request().version(),
            is_head: head.request().method() == Method::HEAD,
            #[cfg(feature = "compression")]
            accepts_gzip: head.request().version() >= Version::HTTP_11
                && accepts_gzip(head.request().headers()),
        }
    }

    /// Returns whether the client accepts a stream in the content coding `gzip`.
    #[cfg(feature = "compression")]
    pub(super) fn accepts_gzip(self) -> bool {
        self.accepts_gzip
    }

    pub(super) fn may_have_body(self, status: StatusCode) -> bool {
        !self.is_head && allows_body(status)
    }

    /// Returns the part of `body` that is sent.
    pub(super) fn body_of(self, status: StatusCode, body: ResponseBody) -> Bytes {
        match body {
            ResponseBody::Whole(bytes) if self.may_have_body(status) => bytes,
            ResponseBody::Whole(_) | ResponseBody::EventStream(_) => Bytes::new(),
        }
    }

    /// Returns what the head says about the body's framing, and how the body is delimited.
    pub(super) fn framing(self, status: StatusCode, body: &ResponseBody) -> (Framing, Delimiting) {
        let (framing, delimiting) = match body {
            _ if !allows_body(status) => (Framing::NoBody, Delimiting::Nothing),
            ResponseBody::Whole(bytes) => (
                Framing::ContentLength(bytes.len() as u64),
                Delimiting::Nothing,
            ),
            ResponseBody::EventStream(_) if self.version == Version::HTTP_11 => {
                (Framing::Chunked, Delimiting::Chunks)
            }
            ResponseBody::EventStream(_) => (Framing::CloseDelimited, Delimiting::Nothing),
        };
        match self.may_have_body(status) {
            true => (framing, delimiting),
            false => (framing, Delimiting::Nothing),
        }
    }
}

/// The facts before there is a request.
impl Default for RequestFacts {
    fn default() -> Self {
        Self {
            version: Version::HTTP_11,
            is_head: false,
            #[cfg(feature = "compression")]
            accepts_gzip: false,
        }
    }
}

/// Returns the response for a foreign server, and the bytes of a whole body. That server sets the fields
/// of the connection.
pub(super) fn embedded_response(
    mut head: Parts,
    body: ResponseBody,
    request: RequestFacts,
) -> (Response<BodyLength>, Bytes) {
    let theirs: Vec<_> = head
        .headers
        .keys()
        .filter(|name| is_the_connections(name))
        .cloned()
        .collect();
    for name in theirs {
        head.headers.remove(name);
    }
    // The server does not know the length of a body that it does not get.
    if let ResponseBody::Whole(bytes) = &body
        && request.is_head
        && allows_body(head.status)
    {
        let length = bytes.len().into();
        // This fails beyond 24,576 fields, which no client would accept.
        let _ = head.headers.try_insert(header::CONTENT_LENGTH, length);
    }
    let is_stream =
        matches!(body, ResponseBody::EventStream(_)) && request.may_have_body(head.status);
    let bytes = request.body_of(head.status, body);
    let length = match (is_stream, bytes.len()) {
        (true, _) => BodyLength::Chunked,
        (false, 0) => BodyLength::None,
        (false, length) => BodyLength::Exact(length as u64),
    };
    (Response::from_parts(head, length), bytes)
}

/// Returns whether the status allows a body ([RFC 9110 section
/// 6.4.1](https://www.rfc-editor.org/rfc/rfc9110#section-6.4.1)).
fn allows_body(status: StatusCode) -> bool {
    const WITHOUT: [StatusCode; 3] = [
        StatusCode::NO_CONTENT,
        StatusCode::RESET_CONTENT,
        StatusCode::NOT_MODIFIED,
    ];
    !WITHOUT.contains(&status)
}

/// Adds the fields of an event stream that the response does not have.
pub(super) fn add_stream_fields(headers: &mut HeaderMap) {
    let fields = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-cache, no-transform"),
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    for (name, value) in fields {
        if !headers.contains_key(&name) {
            // This fails beyond 24,576 fields, which no client would accept.
            let _ = headers.try_insert(name, HeaderValue::from_static(value));
        }
    }
}
