//! The reply of a handler.

use std::{any::Any, pin::Pin};

use ::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use bytes::Bytes;
use futures_core::Stream;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Serialize;

use super::events::{Events, ItemStream, Once, Options, items_of};
use crate::Attachment;
#[cfg(feature = "event-log")]
use crate::event_log::SharedAttachment;
#[cfg(feature = "compression")]
use sse_core::server::StreamCompression;
use sse_core::{
    EventError, IntoEvent, IntoStreamItem, Text,
    server::KeepAlive,
    topic::{MergedSubscriber, Outcome, Subscriber},
};

/// A response to a request: a head, and an event stream or a whole body.
///
/// A handler that returns only a stream responds with 200 and the usual fields of an event stream. Use a
/// `Reply` to add fields (such as cookies) or to choose another status:
///
/// ```
/// use futures_util::stream;
/// use sse_core::http::{HeaderValue, header};
/// use sse_driver::router::{Reply, Request};
///
/// fn handler(request: Request) -> Reply {
///     Reply::events(stream::iter(["hello"]))
///         .with_header(header::SET_COOKIE, HeaderValue::from_static("seen=1; HttpOnly"))
/// }
/// ```
#[derive(Debug)]
pub struct Reply {
    head: Response<()>,
    body: ReplyBody,
}

/// The body of a [`Reply`]: what [`Reply::body`] shows, and [`Reply::into_parts`] returns.
#[derive(Debug)]
pub enum ReplyBody {
    /// The events that a handler's stream yields.
    Events(Events),
    /// Exactly these bytes.
    Whole(Bytes),
}

pub(super) const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

impl Reply {
    /// Creates a reply with an event stream and status 200. The stream's items are those that a handler's
    /// stream may yield: values that are `IntoEvent`, comments, and items of a topic's subscriber.
    ///
    /// If the topic's settings say so, the response of the subscriber itself has the [outcome](Outcome)
    /// of the resumption in a field `sse-resume`. For a stream that is made from a subscriber, use
    /// [`with_outcome`](Self::with_outcome).
    pub fn events<S>(stream: S) -> Self
    where
        S: Stream + Send + 'static,
        S::Item: IntoStreamItem,
    {
        #[cfg(feature = "compression")]
        let is_compressed = is_compressed(&stream);
        if let Some(attachment) = (&stream as &dyn Any).downcast_ref::<Attachment>() {
            // This tells an EventSource not to reconnect.
            if attachment.is_over() {
                return Self::empty(StatusCode::NO_CONTENT);
            }
            let ends = attachment.ends_at_shutdown();
            let outcome = attachment.outcome_for_header();
            let reply = Self::from_items(items_of(stream)).with_end_at_shutdown(ends);
            #[cfg(feature = "compression")]
            let reply = reply.shared_if(is_compressed);
            return match outcome {
                Some(outcome) => reply.with_resume(&outcome.to_string()),
                None => reply,
            };
        }
        #[cfg(feature = "event-log")]
        if let Some(attachment) = (&stream as &dyn Any).downcast_ref::<SharedAttachment>()
            && attachment.is_over()
        {
            return Self::empty(StatusCode::NO_CONTENT);
        }
        let outcomes = outcomes_for_header(&stream);
        let reply = Self::from_items(items_of(stream));
        #[cfg(feature = "compression")]
        let reply = reply.shared_if(is_compressed);
        match outcomes {
            Some(outcomes) => reply.with_resume(&outcomes),
            None => reply,
        }
    }

    /// Creates an event stream, with status 200, of items that are converted to what can be sent.
    pub(super) fn from_items(items: Pin<Box<dyn ItemStream>>) -> Self {
        Self {
            head: Response::new(()),
            body: ReplyBody::Events(Events::new(items)),
        }
    }

    /// Creates a reply with this status and a plain text, whose `content-type` is `text/plain;
    /// charset=utf-8`.
    pub fn text(status: StatusCode, text: impl Into<Text>) -> Self {
        let mut head = Response::new(());
        *head.status_mut() = status;
        head.headers_mut().insert(header::CONTENT_TYPE, TEXT);
        Self {
            head,
            body: ReplyBody::Whole(text.into().into_bytes()),
        }
    }

    /// Creates a reply with this status and no body. A 204 tells an EventSource not to reconnect.
    #[must_use]
    pub fn empty(status: StatusCode) -> Self {
        let mut head = Response::new(());
        *head.status_mut() = status;
        Self {
            head,
            body: ReplyBody::Whole(Bytes::new()),
        }
    }

    /// Sets the status. A 204 tells an EventSource not to reconnect, and has no events.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        *self.head.status_mut() = status;
        self
    }

    /// Adds a header field. A [`HeaderValue`] holds no line end, so that it cannot split the
    /// response.
    ///
    /// A response has one `content-type`, so this replaces the one that is there, such as that of
    /// [`text`](Self::text).
    ///
    /// Fields of the connection, such as `connection`, `content-length` and `transfer-encoding`, are left
    /// out.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        add_field(self.head.headers_mut(), name, value);
        self
    }

    /// Returns the status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.head.status()
    }

    /// Returns the header fields.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.head.headers()
    }

    /// Returns the header fields, mutably. Those of the connection, such as `content-length`, are left
    /// out when the reply is sent, as in [`with_header`](Self::with_header).
    pub fn headers_mut(&mut self) -> &mut HeaderMap {
        self.head.headers_mut()
    }

    /// Returns the body.
    #[must_use]
    pub fn body(&self) -> &ReplyBody {
        &self.body
    }

    /// Creates a reply from a head and a body, the reverse of [`into_parts`](Self::into_parts). Unlike
    /// [`events`](Self::events) it adds nothing to the head.
    #[must_use]
    pub fn from_parts(head: Response<()>, body: ReplyBody) -> Self {
        Self { head, body }
    }

    /// Creates a reply with one event, after which the stream ends.
    ///
    /// ```
    /// use sse_core::{Event, EventType};
    /// use sse_driver::router::Reply;
    ///
    /// const STATUS: EventType = EventType::from_static("status");
    /// let reply = Reply::event(Event::new("done").of_type(STATUS));
    /// ```
    pub fn event(event: impl IntoEvent) -> Self {
        Self::events(Once(Some(event.into_event())))
    }

    /// Returns the head and the body.
    #[must_use]
    pub fn into_parts(self) -> (Response<()>, ReplyBody) {
        (self.head, self.body)
    }
}

/// The events of a topic, with status 200. If the topic's settings say so, a field `sse-resume` has the
/// [outcome](sse_core::topic::Outcome) of the resumption.
impl From<Subscriber> for Reply {
    fn from(subscriber: Subscriber) -> Self {
        Self::events(subscriber)
    }
}

/// The events of several topics, with status 200. The field `sse-resume` has the outcomes of those topics
/// whose settings say so: `gap; lost=2; replayed=5; topic="kitchen", fresh; topic="hall"`.
impl From<MergedSubscriber> for Reply {
    fn from(subscriber: MergedSubscriber) -> Self {
        Self::events(subscriber)
    }
}

/// The events of a [resumable stream](crate::ResumableStreams) that the client does not have, with status
/// 200; or 204, if it has the last event. The field `sse-resume` is the same as for a subscriber.
impl From<Attachment> for Reply {
    fn from(attachment: Attachment) -> Self {
        Self::events(attachment)
    }
}

/// What a client of a [shared stream](crate::event_log::SharedStreams) has not had yet, with status 200; or
/// 204, where it has had the last event.
#[cfg(feature = "event-log")]
impl From<SharedAttachment> for Reply {
    fn from(attachment: SharedAttachment) -> Self {
        Self::events(attachment)
    }
}

/// Returns whether the stream is that of one topic, and the topic compresses it.
#[cfg(feature = "compression")]
fn is_compressed(stream: &dyn Any) -> bool {
    if let Some(subscriber) = stream.downcast_ref::<Subscriber>() {
        return subscriber.is_compressed();
    }
    #[cfg(feature = "event-log")]
    if let Some(stream) = stream.downcast_ref::<crate::event_log::LogStream>() {
        return stream.is_compressed();
    }
    let attachment = stream.downcast_ref::<Attachment>();
    attachment.is_some_and(Attachment::is_compressed)
}

/// Returns the value of the field `sse-resume` for a stream that is a subscriber.
fn outcomes_for_header(stream: &dyn Any) -> Option<String> {
    if let Some(subscriber) = stream.downcast_ref::<Subscriber>() {
        return Some(subscriber.outcome_for_header()?.to_string());
    }
    let mut outcomes = String::new();
    for (topic, outcome) in stream
        .downcast_ref::<MergedSubscriber>()?
        .outcomes_for_header()
    {
        if !outcomes.is_empty() {
            outcomes += ", ";
        }
        // Characters that a quoted text cannot hold are percent-encoded.
        let topic = utf8_percent_encode(topic, NOT_IN_QUOTES);
        outcomes += &format!("{outcome}; topic=\"{topic}\"");
    }
    (!outcomes.is_empty()).then_some(outcomes)
}

const NOT_IN_QUOTES: &AsciiSet = &CONTROLS.add(b'"').add(b'\\').add(b'%');

impl Reply {
    /// Adds a field `sse-resume`, which tells the client the outcome of its resumption: `gap; lost=2;
    /// replayed=5`. A subscriber that a handler returns has it already, if its topic's settings say so.
    /// This is for a stream that is made from one.
    ///
    /// ```
    /// use std::time::Instant;
    /// use futures_util::{StreamExt, future};
    /// use sse_core::topic::{Topic, TopicConfig};
    /// use sse_driver::router::Reply;
    ///
    /// let topic = Topic::new(TopicConfig::default(), 0, Instant::now);
    /// let subscriber = topic.resume_from(Some("0-0"));
    /// let outcome = subscriber.outcome();
    /// let reply = Reply::events(subscriber.take_until(future::pending::<()>())).with_outcome(outcome);
    /// assert_eq!(reply.headers()["sse-resume"], "resumed; replayed=0");
    /// ```
    #[must_use]
    pub fn with_outcome(self, outcome: Outcome) -> Self {
        self.with_resume(&outcome.to_string())
    }

    fn with_resume(self, outcome: &str) -> Self {
        const SSE_RESUME: HeaderName = HeaderName::from_static("sse-resume");
        match HeaderValue::try_from(outcome) {
            Ok(value) => self.with_header(SSE_RESUME, value),
            Err(_) => self,
        }
    }

    /// Sets whether the stream ends when the server shuts down, before everything it has yet to yield: at
    /// a time of its own within the [window](crate::ShutdownSpread) of the shutdown. By default a topic's
    /// subscriber does, because its client resumes elsewhere and loses nothing, and any other stream does
    /// not. Has no effect on a whole body.
    ///
    /// ```
    /// use std::time::Instant;
    /// use sse_core::topic::{Topic, TopicConfig};
    /// use sse_driver::router::Reply;
    ///
    /// let topic = Topic::new(TopicConfig::default(), 0, Instant::now);
    /// // It gets what is published until the server has to cut it.
    /// let reply = Reply::events(topic.subscribe()).with_end_at_shutdown(false);
    /// ```
    #[must_use]
    pub fn with_end_at_shutdown(self, ends: bool) -> Self {
        self.with_options(|options| options.ends_at_shutdown = Some(ends))
    }

    /// Sets what the stream sends while it is idle, in place of the comment that
    /// [`ResponseConfig::keep_alive`](sse_core::server::ResponseConfig::keep_alive) sets for all (every
    /// 15 s by default): another interval, another comment, or an event that a page can see. Has no
    /// effect on a whole body.
    ///
    /// ```
    /// use std::time::Duration;
    /// use futures_util::stream;
    /// use sse_core::{Event, EventType};
    /// use sse_driver::{KeepAlive, router::Reply};
    ///
    /// const HEARTBEAT: EventType = EventType::from_static("heartbeat");
    /// let heartbeat = Event::new("").of_type(HEARTBEAT);
    /// let reply = Reply::events(stream::pending::<String>())
    ///     .with_keep_alive(KeepAlive::every(Duration::from_secs(10)).with_event(heartbeat));
    /// ```
    #[must_use]
    pub fn with_keep_alive(self, keep_alive: KeepAlive) -> Self {
        self.with_options(|options| options.keep_alive = Some(keep_alive))
    }

    /// Sets how the stream is compressed for clients that accept the content coding `gzip`:
    /// [`Own`](StreamCompression::Own), by a compressor for this connection, or
    /// [`Shared`](StreamCompression::Shared), by its topic. `Shared` is the default for a [`Subscriber`]
    /// of a topic that [compresses](sse_core::topic::TopicConfig::compress), for an [`Attachment`] to a
    /// resumable stream and for the stream of a topic that follows a log, whose topics do, but not for a
    /// stream that is made from one. Has no effect on a whole body, nor on a response that has a
    /// `content-encoding`.
    ///
    /// ```
    /// use futures_util::stream;
    /// use sse_core::server::StreamCompression;
    /// use sse_driver::router::Reply;
    ///
    /// let tokens = stream::iter(["A", " language", " model"]);
    /// let reply = Reply::events(tokens).with_compression(StreamCompression::Own);
    /// ```
    #[cfg(feature = "compression")]
    #[must_use]
    pub fn with_compression(self, compression: StreamCompression) -> Self {
        self.with_options(|options| options.compression = compression)
    }

    /// Lets the topic compress the stream, if it does so.
    #[cfg(feature = "compression")]
    fn shared_if(self, is_compressed: bool) -> Self {
        match is_compressed {
            true => self.with_compression(StreamCompression::Shared),
            false => self,
        }
    }

    fn with_options(mut self, set: impl FnOnce(&mut Options)) -> Self {
        if let ReplyBody::Events(events) = &mut self.body {
            set(events.options_mut());
        }
        self
    }

    /// Creates a reply with this status, `content-type: application/json` and `value` as JSON.
    ///
    /// ```
    /// use sse_core::http::StatusCode;
    /// use sse_driver::router::Reply;
    ///
    /// let reply = Reply::json(StatusCode::ACCEPTED, &["queued"])?;
    /// # Ok::<(), sse_core::EventError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`EventError::Json`] where `value` does not serialise, such as a map with keys that are not text.
    /// With `?` in a handler it becomes a refusal: 500.
    pub fn json<T: Serialize + ?Sized>(status: StatusCode, value: &T) -> Result<Self, EventError> {
        let json = serde_json::to_vec(value)?;
        let mut head = Response::new(());
        *head.status_mut() = status;
        head.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        Ok(Self {
            head,
            body: ReplyBody::Whole(json.into()),
        })
    }
}

impl<B: Into<Bytes>> From<Response<B>> for Reply {
    fn from(response: Response<B>) -> Self {
        let (parts, body) = response.into_parts();
        Self {
            head: Response::from_parts(parts, ()),
            body: ReplyBody::Whole(body.into()),
        }
    }
}

/// Adds a field, or replaces the `content-type`.
pub(super) fn add_field(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    // Either fails beyond 24,576 fields, which no client would accept.
    let _ = match name == header::CONTENT_TYPE {
        true => headers.try_insert(name, value).map(|_| true),
        false => headers.try_append(name, value),
    };
}
