//! A response: what its head gets, and how its body is delimited.

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
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponseBody {
    /// Events, sent one by one. [`event_stream`](Self::event_stream) makes one without options.
    EventStream(StreamOptions),
    /// These bytes and no more.
    Whole(Bytes),
}

impl ResponseBody {
    /// Creates an event stream for which the configuration holds.
    #[must_use]
    pub fn event_stream() -> Self {
        Self::EventStream(StreamOptions::default())
    }
}

/// What one event stream has of its own. Where that is `None` the configuration holds.
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
    /// What this stream sends while it is idle, instead of what
    /// [`ResponseConfig::keep_alive`](super::ResponseConfig::keep_alive) says.
    pub keep_alive: Option<KeepAlive>,
    /// How long this stream may last. It then ends properly, between two events and with
    /// [`CloseReason::LifetimeOver`], so that its client connects again and resumes. No bound where it is
    /// `None`.
    ///
    /// Draw it for each stream, so that clients that came together do not come back together.
    pub lifetime: Option<Duration>,
    /// How the stream is compressed, where the client takes that. Not at all by default.
    #[cfg(feature = "compression")]
    pub compression: StreamCompression,
}

impl StreamOptions {
    /// What the open stream keeps of them.
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
/// A comment keeps proxies from closing the connection, and finds a client out that vanished. A page
/// does not see comments. For a page that is to notice that nothing comes any more, send an event:
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
    /// Creates a comment without text after so much idle time, which is at least 10 ms.
    #[must_use]
    pub fn every(interval: Duration) -> Self {
        let interval = Some(interval);
        Self {
            interval,
            ..Self::never()
        }
    }

    /// Nothing: a client that vanishes from the idle stream is not found out until something is
    /// sent.
    #[must_use]
    pub fn never() -> Self {
        Self {
            interval: None,
            item: StreamItem::Comment(Comment::KEEP_ALIVE),
        }
    }

    /// Sends this comment.
    #[must_use]
    pub fn with_comment(mut self, comment: Comment) -> Self {
        self.item = StreamItem::Comment(comment);
        self
    }

    /// Sends this event. Its ID is left out, so that the client keeps the last event ID that it has.
    /// A client dispatches the event only if it has data, which may be empty.
    #[must_use]
    pub fn with_event(mut self, event: Event) -> Self {
        self.item = StreamItem::Event(event.without_id());
        self
    }

    /// After how much idle time; `None` for never.
    #[must_use]
    pub fn interval(&self) -> Option<Duration> {
        self.interval
    }

    /// Returns what is sent then: a comment or an event.
    #[must_use]
    pub fn item(&self) -> &StreamItem {
        &self.item
    }
}

/// What the response depends on.
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

    /// Whether the client takes a stream in the content coding `gzip`.
    #[cfg(feature = "compression")]
    pub(super) fn accepts_gzip(self) -> bool {
        self.accepts_gzip
    }

    pub(super) fn may_have_body(self, status: StatusCode) -> bool {
        !self.is_head && allows_body(status)
    }

    /// What of `body` is sent.
    pub(super) fn body_of(self, status: StatusCode, body: ResponseBody) -> Bytes {
        match body {
            ResponseBody::Whole(bytes) if self.may_have_body(status) => bytes,
            ResponseBody::Whole(_) | ResponseBody::EventStream(_) => Bytes::new(),
        }
    }

    /// How the head says that the body is delimited, and how it is.
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

/// There is no request yet.
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

/// The response as a foreign server is given it, and the bytes of its body where it is known as a
/// whole. What that server says of the connection is its own.
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
    // The server sees no body to measure.
    if let ResponseBody::Whole(bytes) = &body
        && request.is_head
        && allows_body(head.status)
    {
        let length = bytes.len().into();
        // Fails beyond 24,576 fields, which no client would take.
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

/// [RFC 9110 section 6.4.1](https://www.rfc-editor.org/rfc/rfc9110#section-6.4.1).
fn allows_body(status: StatusCode) -> bool {
    const WITHOUT: [StatusCode; 3] = [
        StatusCode::NO_CONTENT,
        StatusCode::RESET_CONTENT,
        StatusCode::NOT_MODIFIED,
    ];
    !WITHOUT.contains(&status)
}

/// Adds the fields of an event stream that are not there yet.
pub(super) fn add_stream_fields(headers: &mut HeaderMap) {
    let fields = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-cache, no-transform"),
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    for (name, value) in fields {
        if !headers.contains_key(&name) {
            // Fails beyond 24,576 fields, which no client would take.
            let _ = headers.try_insert(name, HeaderValue::from_static(value));
        }
    }
}
