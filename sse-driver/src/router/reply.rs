//! What a handler may answer.

use std::{
    error::Error,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use ::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use bytes::Bytes;
use futures_core::Stream;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use sse_core::{
    Event, EventError, IntoEvent, Text,
    topic::{Batch, EncodedEvents, MergedSubscriber, SlowConsumer, Subscriber},
};

/// An answer to a request: a head, and an event stream or a whole body.
///
/// A handler that returns just a stream answers 200 with the usual fields of an event stream. Use
/// a `Reply` to add fields (cookies, say) or to choose another status:
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

impl Reply {
    /// An event stream, with status 200.
    pub fn events<S>(stream: S) -> Self
    where
        S: Stream + Send + 'static,
        S::Item: IntoEvent,
    {
        Self::from_items(Box::pin(stream))
    }

    /// An event stream, with status 200, of items that are turned into what can be sent.
    pub(super) fn from_items(items: Pin<Box<dyn ItemStream>>) -> Self {
        Self {
            head: Response::new(()),
            body: ReplyBody::Events(Events(items)),
        }
    }

    /// A plain text, with this status.
    pub fn text(status: StatusCode, text: impl Into<Text>) -> Self {
        let mut head = Response::new(());
        *head.status_mut() = status;
        head.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        Self {
            head,
            body: ReplyBody::Whole(text.into().into_bytes()),
        }
    }

    /// No body, with this status.
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
    /// `connection`, `content-length`, `transfer-encoding` and their like are the connection's
    /// and are left out.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        // Fails beyond 24,576 fields, which no client would take.
        let _ = self.head.headers_mut().try_append(name, value);
        self
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.head.status()
    }

    /// The header fields.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.head.headers()
    }

    /// The header fields, to be changed.
    pub fn headers_mut(&mut self) -> &mut HeaderMap {
        self.head.headers_mut()
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &ReplyBody {
        &self.body
    }

    /// A reply of a head and a body.
    #[must_use]
    pub fn from_parts(head: Response<()>, body: ReplyBody) -> Self {
        Self { head, body }
    }

    /// One event, and then the end of the stream.
    ///
    /// ```
    /// use sse_core::Event;
    /// use sse_driver::router::Reply;
    ///
    /// let reply = Reply::event(Event::new("done").with_event_type("status")?);
    /// # Ok::<(), sse_core::InvalidField>(())
    /// ```
    pub fn event(event: impl IntoEvent) -> Self {
        Self::events(Once(Some(event.into_event())))
    }

    /// The head and the body.
    #[must_use]
    pub fn into_parts(self) -> (Response<()>, ReplyBody) {
        (self.head, self.body)
    }
}

/// What a topic publishes, with status 200. Where the topic's settings say so, a field `sse-resume`
/// tells the [outcome](sse_core::topic::Outcome) of the resumption.
impl From<Subscriber> for Reply {
    fn from(subscriber: Subscriber) -> Self {
        let outcome = subscriber.outcome_for_header();
        let reply = Self::subscription(subscriber);
        match outcome {
            Some(outcome) => reply.with_resume(&outcome.to_string()),
            None => reply,
        }
    }
}

/// What several topics publish, with status 200. The field `sse-resume` has the outcomes of those
/// topics whose settings say so: `gap; lost=2; replayed=5; topic="kitchen", fresh; topic="hall"`.
impl From<MergedSubscriber> for Reply {
    fn from(subscriber: MergedSubscriber) -> Self {
        let mut outcomes = String::new();
        for (topic, outcome) in subscriber.outcomes_for_header() {
            if !outcomes.is_empty() {
                outcomes += ", ";
            }
            // What a quoted text cannot hold is percent-encoded.
            let topic = utf8_percent_encode(topic, NOT_IN_QUOTES);
            outcomes += &format!("{outcome}; topic=\"{topic}\"");
        }
        let reply = Self::subscription(subscriber);
        match outcomes.is_empty() {
            true => reply,
            false => reply.with_resume(&outcomes),
        }
    }
}

const NOT_IN_QUOTES: &AsciiSet = &CONTROLS.add(b'"').add(b'\\').add(b'%');

impl Reply {
    fn subscription<S>(subscriber: S) -> Self
    where
        S: Stream<Item = Result<Batch, SlowConsumer>> + Send + Unpin + 'static,
    {
        Self::from_items(Box::pin(Subscription(subscriber)))
    }

    fn with_resume(self, outcome: &str) -> Self {
        const SSE_RESUME: HeaderName = HeaderName::from_static("sse-resume");
        match HeaderValue::try_from(outcome) {
            Ok(value) => self.with_header(SSE_RESUME, value),
            Err(_) => self,
        }
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

/// A stream of at most one item, which is there already.
pub(super) struct Once(pub(super) Option<Result<Event, EventError>>);

impl Stream for Once {
    type Item = Result<Event, EventError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.take())
    }
}

/// A handler's stream, with its items turned into what a connection can send.
pub struct Events(pub(super) Pin<Box<dyn ItemStream>>);

/// What a handler's stream yields, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Yielded {
    /// An event, for [`send`](sse_core::server::Connection::send).
    Event(Event),
    /// Events of a topic, for [`send_encoded`](sse_core::server::Connection::send_encoded).
    Encoded(EncodedEvents),
}

/// Any stream that a handler may return. A trait of its own, so that one box is enough.
pub(super) trait ItemStream: Send {
    fn poll_next_yielded(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Yielded, EventError>>>;

    /// Whether what it has not yielded yet is kept for it elsewhere.
    fn can_wait(&self) -> bool {
        false
    }
}

impl<S> ItemStream for S
where
    S: Stream + Send,
    S::Item: IntoEvent,
{
    fn poll_next_yielded(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Yielded, EventError>>> {
        self.poll_next(cx)
            .map(|item| item.map(|item| item.into_event().map(Yielded::Event)))
    }
}

/// What topics publish. Not a stream of what can become an event: it is encoded already.
struct Subscription<S>(S);

impl<S> ItemStream for Subscription<S>
where
    S: Stream<Item = Result<Batch, SlowConsumer>> + Send + Unpin,
{
    fn poll_next_yielded(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Yielded, EventError>>> {
        Pin::new(&mut self.0).poll_next(cx).map(|item| {
            item.map(|batch| match batch {
                Ok(batch) => Ok(Yielded::Encoded(batch.into_encoded())),
                Err(error) => Err(EventError::Stream(error.into())),
            })
        })
    }

    fn can_wait(&self) -> bool {
        true
    }
}

impl Events {
    /// What is to be sent next. An error is the last of a stream: do not poll it again.
    pub fn poll_next_yielded(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Yielded, EventError>>> {
        self.0.as_mut().poll_next_yielded(cx)
    }

    /// Whether what is next is kept elsewhere until it is polled for: a topic does so. Then it is
    /// better not to poll while the transport takes no bytes, and to get more at a time later.
    #[must_use]
    pub fn can_wait(&self) -> bool {
        self.0.can_wait()
    }
}

impl Stream for Events {
    type Item = Result<Yielded, EventError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_next_yielded(cx)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

/// A handler's no: a status and a plain text, before any stream starts.
///
/// ```
/// use futures_core::Stream;
/// use futures_util::stream;
/// use sse_core::http::StatusCode;
/// use sse_driver::router::{Refusal, Request};
///
/// async fn handler(request: Request) -> Result<impl Stream<Item = u32>, Refusal> {
///     let from = request
///         .query_param("from")
///         .ok_or_else(|| Refusal::new(StatusCode::BAD_REQUEST, "add ?from=NUMBER"))?
///         .parse()
///         .map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, "from is not a number"))?;
///     Ok(stream::iter(from..))
/// }
/// ```
///
/// For an error type of your own, implement `From<YourError> for Refusal`: `?` turns it into a
/// refusal, and a handler may return it as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    // Boxed, so that a `Result` with it stays small.
    response: Box<(StatusCode, HeaderMap, Text)>,
}

impl Refusal {
    /// A refusal with this status and this text, which is sent as `text/plain`.
    pub fn new(status: StatusCode, text: impl Into<Text>) -> Self {
        Self {
            response: Box::new((status, HeaderMap::new(), text.into())),
        }
    }

    /// Adds a header field: `www-authenticate` to a 401, say, or `retry-after` to a 503.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        // Fails beyond 24,576 fields, which no client would take.
        let _ = self.response.1.try_append(name, value);
        self
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.response.0
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        let (status, headers, text) = *refusal.response;
        let mut reply = Self::text(status, text);
        reply.head.headers_mut().extend(headers);
        reply
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.response.0, self.response.2)
    }
}

impl Error for Refusal {}
