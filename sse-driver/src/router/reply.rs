//! What a handler may answer.

use std::{
    any::Any,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use ::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use bytes::Bytes;
use futures_core::Stream;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Serialize;

use crate::Attachment;
#[cfg(feature = "compression")]
use sse_core::server::StreamCompression;
use sse_core::{
    Event, EventError, IntoEvent, IntoStreamItem, StreamItem, Text,
    server::KeepAlive,
    topic::{Lag, MergedSubscriber, Outcome, Subscriber},
};

/// An answer to a request: a head, and an event stream or a whole body.
///
/// A handler that returns just a stream answers 200 with the usual fields of an event stream. Use
/// a `Reply` to add fields (such as cookies) or to choose another status:
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

/// The body of a [`Reply`].
#[derive(Debug)]
pub enum ReplyBody {
    /// Events, as a handler's stream yields them.
    Events(Events),
    /// These bytes and no more.
    Whole(Bytes),
}

pub(super) const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

impl Reply {
    /// Creates a reply with an event stream and status 200. The stream's items are what a handler's
    /// stream may yield: values that are `IntoEvent`, comments, what a topic's subscriber yields.
    ///
    /// Where the topic's settings say so, a client that is given the subscriber itself is told the
    /// [outcome](Outcome) of its resumption in a field `sse-resume`. For a stream that is made of a
    /// subscriber there is [`with_outcome`](Self::with_outcome).
    pub fn events<S>(stream: S) -> Self
    where
        S: Stream + Send + 'static,
        S::Item: IntoStreamItem,
    {
        if let Some(attachment) = (&stream as &dyn Any).downcast_ref::<Attachment>() {
            // It tells an EventSource not to come back.
            if attachment.is_over() {
                return Self::empty(StatusCode::NO_CONTENT);
            }
            let ends = attachment.ends_at_shutdown();
            let outcome = attachment.outcome_for_header();
            #[cfg(feature = "compression")]
            let is_compressed = attachment.is_compressed();
            let reply = Self::from_items(items_of(stream)).with_end_at_shutdown(ends);
            #[cfg(feature = "compression")]
            let reply = reply.shared_if(is_compressed);
            return match outcome {
                Some(outcome) => reply.with_resume(&outcome.to_string()),
                None => reply,
            };
        }
        let outcomes = outcomes_for_header(&stream);
        #[cfg(feature = "compression")]
        let is_compressed = (&stream as &dyn Any)
            .downcast_ref::<Subscriber>()
            .is_some_and(Subscriber::is_compressed);
        let reply = Self::from_items(items_of(stream));
        #[cfg(feature = "compression")]
        let reply = reply.shared_if(is_compressed);
        match outcomes {
            Some(outcomes) => reply.with_resume(&outcomes),
            None => reply,
        }
    }

    /// An event stream, with status 200, of items that are turned into what can be sent.
    pub(super) fn from_items(items: Pin<Box<dyn ItemStream>>) -> Self {
        Self {
            head: Response::new(()),
            body: ReplyBody::Events(Events::new(items)),
        }
    }

    /// Creates a reply with this status and a plain text.
    pub fn text(status: StatusCode, text: impl Into<Text>) -> Self {
        let mut head = Response::new(());
        *head.status_mut() = status;
        head.headers_mut().insert(header::CONTENT_TYPE, TEXT);
        Self {
            head,
            body: ReplyBody::Whole(text.into().into_bytes()),
        }
    }

    /// Creates a reply with this status and no body.
    #[must_use]
    pub fn empty(status: StatusCode) -> Self {
        let mut head = Response::new(());
        *head.status_mut() = status;
        Self {
            head,
            body: ReplyBody::Whole(Bytes::new()),
        }
    }

    /// Sets the status. A 204 tells an EventSource not to come back, and sends no events.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        *self.head.status_mut() = status;
        self
    }

    /// Adds a header field. A [`HeaderValue`] holds no line end, so that it cannot split the
    /// response.
    ///
    /// A response has one `content-type`: it takes the place of the one that is there, such as that
    /// of [`text`](Self::text).
    ///
    /// `connection`, `content-length`, `transfer-encoding` and their like are the connection's
    /// and are left out.
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

    /// Returns the header fields, to be changed.
    pub fn headers_mut(&mut self) -> &mut HeaderMap {
        self.head.headers_mut()
    }

    /// Returns the body.
    #[must_use]
    pub fn body(&self) -> &ReplyBody {
        &self.body
    }

    /// Creates a reply of a head and a body.
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

/// What a topic publishes, with status 200. Where the topic's settings say so, a field `sse-resume`
/// tells the [outcome](sse_core::topic::Outcome) of the resumption.
impl From<Subscriber> for Reply {
    fn from(subscriber: Subscriber) -> Self {
        Self::events(subscriber)
    }
}

/// What several topics publish, with status 200. The field `sse-resume` has the outcomes of those
/// topics whose settings say so: `gap; lost=2; replayed=5; topic="kitchen", fresh; topic="hall"`.
impl From<MergedSubscriber> for Reply {
    fn from(subscriber: MergedSubscriber) -> Self {
        Self::events(subscriber)
    }
}

/// What a client of a [resumable stream](crate::ResumableStreams) has not had yet, with status 200; or
/// 204, where it has had the last event. The field `sse-resume` is as for a subscriber.
impl From<Attachment> for Reply {
    fn from(attachment: Attachment) -> Self {
        Self::events(attachment)
    }
}

/// What the field `sse-resume` tells of a stream that is a subscriber.
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
        // What a quoted text cannot hold is percent-encoded.
        let topic = utf8_percent_encode(topic, NOT_IN_QUOTES);
        outcomes += &format!("{outcome}; topic=\"{topic}\"");
    }
    (!outcomes.is_empty()).then_some(outcomes)
}

const NOT_IN_QUOTES: &AsciiSet = &CONTROLS.add(b'"').add(b'\\').add(b'%');

impl Reply {
    /// Adds a field `sse-resume`, which tells the client how its resumption went:
    /// `gap; lost=2; replayed=5`. A subscriber that is returned as it is has it already, where its topic's
    /// settings say so. This is for a stream that is made of one.
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

    /// Sets whether the stream ends when the server shuts down, before what it has still to yield: at
    /// a time of its own within the [window](crate::ShutdownSpread) of the shutdown. By default a topic's
    /// subscriber does, since its client resumes elsewhere and loses nothing, and any other stream does not. Does nothing to a whole
    /// body.
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
    /// 15 s by default): another interval, another comment, or an event that a page can see. Does
    /// nothing to a whole body.
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

    /// Sets how the stream is compressed for clients that take the content coding `gzip`:
    /// [`Own`](StreamCompression::Own), by a compressor for this connection alone, or
    /// [`Shared`](StreamCompression::Shared), by its topic. A [`Subscriber`] of a topic that
    /// [compresses](sse_core::topic::TopicConfig::compress), and an [`Attachment`] to a resumable stream
    /// whose topic does, are shared without this; a stream that is made of
    /// one needs it. Does nothing to a whole body, nor to a response that has a `content-encoding`.
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

    /// Has the stream compressed by its topic, where that does so.
    #[cfg(feature = "compression")]
    fn shared_if(self, is_compressed: bool) -> Self {
        match is_compressed {
            true => self.with_compression(StreamCompression::Shared),
            false => self,
        }
    }

    fn with_options(mut self, set: impl FnOnce(&mut Options)) -> Self {
        if let ReplyBody::Events(Events { options, .. }) = &mut self.body {
            set(options.get_or_insert_default());
        }
        self
    }

    /// JSON, with this status and `content-type: application/json`.
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
    /// A handler's `?` makes it a refusal: 500.
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

/// Adds a field, or puts a `content-type` in the place of the one that is there.
pub(super) fn add_field(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    // Either fails beyond 24,576 fields, which no client would take.
    let _ = match name == header::CONTENT_TYPE {
        true => headers.try_insert(name, value).map(|_| true),
        false => headers.try_append(name, value),
    };
}

/// A stream of at most one item, which is there already.
pub(super) struct Once(pub(super) Option<Result<Event, EventError>>);

impl Stream for Once {
    type Item = Result<Event, EventError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.take())
    }
}

/// A handler's stream, with its items turned into what a connection can send.
pub struct Events {
    items: Pin<Box<dyn ItemStream>>,
    /// Few replies have any.
    options: Option<Box<Options>>,
}

/// Any stream that a handler may return. A trait of its own, so that one box is enough.
pub(super) trait ItemStream: Send {
    fn poll_next_yielded(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<StreamItem, EventError>>>;

    /// Whether it comes from topics alone, so that its client can resume it.
    fn is_resumable(&self) -> bool;

    /// Whether what it has not yielded yet is kept for it elsewhere.
    fn can_wait(&self) -> bool {
        self.is_resumable()
    }

    /// How far it is behind its topic, where it is a subscriber.
    fn lag(&self) -> Option<Lag> {
        None
    }
}

impl<S> ItemStream for S
where
    S: Stream + Send,
    S::Item: IntoStreamItem,
{
    fn poll_next_yielded(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<StreamItem, EventError>>> {
        self.poll_next(cx)
            .map(|item| item.map(IntoStreamItem::into_stream_item))
    }

    fn is_resumable(&self) -> bool {
        S::Item::IS_RESUMABLE
    }
}

/// A stream that knows how far it is behind its topic.
struct Tracked<S> {
    stream: S,
    lag: fn(&S) -> Lag,
}

impl<S> ItemStream for Tracked<S>
where
    S: Stream + Send + Unpin,
    S::Item: IntoStreamItem,
{
    fn poll_next_yielded(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<StreamItem, EventError>>> {
        Pin::new(&mut self.stream).poll_next_yielded(cx)
    }

    fn is_resumable(&self) -> bool {
        S::Item::IS_RESUMABLE
    }

    fn lag(&self) -> Option<Lag> {
        Some((self.lag)(&self.stream))
    }
}

/// The items of a stream, which may be a subscriber.
fn items_of<S>(stream: S) -> Pin<Box<dyn ItemStream>>
where
    S: Stream + Send + 'static,
    S::Item: IntoStreamItem,
{
    let mut stream = Some(stream);
    let any: &mut dyn Any = &mut stream;
    if let Some(Some(stream)) = any.downcast_mut::<Option<Subscriber>>().map(Option::take) {
        let lag = Subscriber::lag;
        return Box::pin(Tracked { stream, lag });
    }
    if let Some(Some(stream)) = any.downcast_mut::<Option<Attachment>>().map(Option::take) {
        let lag = Attachment::lag;
        return Box::pin(Tracked { stream, lag });
    }
    match stream {
        Some(stream) => Box::pin(stream),
        // It was taken above.
        None => Box::pin(Once(None)),
    }
}

/// What a reply has of its own.
#[derive(Debug, Default)]
struct Options {
    ends_at_shutdown: Option<bool>,
    keep_alive: Option<KeepAlive>,
    #[cfg(feature = "compression")]
    compression: StreamCompression,
}

impl Events {
    pub(super) fn new(items: Pin<Box<dyn ItemStream>>) -> Self {
        let options = None;
        Self { items, options }
    }

    /// Has another stream in its place, with the same options.
    pub(super) fn map(
        self,
        map: impl FnOnce(Pin<Box<dyn ItemStream>>) -> Pin<Box<dyn ItemStream>>,
    ) -> Self {
        Self {
            items: map(self.items),
            options: self.options,
        }
    }

    /// How far the stream is behind its topic, where it is a subscriber.
    pub(crate) fn lag(&self) -> Option<Lag> {
        self.items.lag()
    }

    /// What the stream sends while it is idle, where it has something of its own.
    pub(crate) fn keep_alive(&self) -> Option<KeepAlive> {
        self.options.as_ref()?.keep_alive.clone()
    }

    /// How the stream is compressed, where the client takes that.
    #[cfg(feature = "compression")]
    pub(crate) fn compression(&self) -> StreamCompression {
        let options = self.options.as_ref();
        options.map_or(StreamCompression::Off, |options| options.compression)
    }

    /// Returns what is to be sent next. An error is the last of a stream: do not poll it again.
    pub fn poll_next_yielded(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<StreamItem, EventError>>> {
        self.items.as_mut().poll_next_yielded(cx)
    }

    /// Returns whether what is next is kept elsewhere until it is polled for: a topic does so. Then it is
    /// better not to poll while the transport takes no bytes, and to get more at a time later.
    #[must_use]
    pub fn can_wait(&self) -> bool {
        self.items.can_wait()
    }

    /// Returns whether the stream is to end when the server begins to shut down: see
    /// [`Reply::with_end_at_shutdown`].
    #[must_use]
    pub fn ends_at_shutdown(&self) -> bool {
        let said = self
            .options
            .as_ref()
            .and_then(|options| options.ends_at_shutdown);
        said.unwrap_or_else(|| self.items.is_resumable())
    }
}

impl Stream for Events {
    type Item = Result<StreamItem, EventError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // As such a stream it has another method of this name.
        Self::poll_next_yielded(self.get_mut(), cx)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}
