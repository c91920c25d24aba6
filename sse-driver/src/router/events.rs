//! The stream of a reply: a handler's stream of any type as one type, with its options.

#[cfg(feature = "event-log")]
use std::any::TypeId;
use std::{
    any::Any,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;

use crate::Attachment;
#[cfg(feature = "event-log")]
use crate::event_log::{LogStream, LogStreamError, SharedAttachment};
#[cfg(feature = "compression")]
use sse_core::server::StreamCompression;
#[cfg(feature = "event-log")]
use sse_core::topic::Batch;
use sse_core::{
    Event, EventError, IntoStreamItem, StreamItem,
    server::KeepAlive,
    topic::{Lag, Subscriber},
};

/// A stream of at most one item, which is ready.
pub(super) struct Once(pub(super) Option<Result<Event, EventError>>);

impl Stream for Once {
    type Item = Result<Event, EventError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.take())
    }
}

/// A handler's stream, with its items turned into what a connection can send.
///
/// It is the body of a [`Reply`](super::Reply), for a host that drives handlers itself:
///
/// ```
/// use futures_util::{FutureExt, StreamExt, stream};
/// use sse_core::StreamItem;
/// use sse_driver::router::{Reply, ReplyBody};
///
/// let (_head, body) = Reply::events(stream::iter(["hello"])).into_parts();
/// let ReplyBody::Events(mut events) = body else { panic!() };
/// let Some(Some(Ok(StreamItem::Event(event)))) = events.next().now_or_never() else { panic!() };
/// assert_eq!(event.data(), Some("hello"));
/// ```
pub struct Events {
    items: Pin<Box<dyn ItemStream>>,
    /// Few replies have options.
    options: Option<Box<Options>>,
}

/// Any stream that a handler may return, as one trait object.
pub(super) trait ItemStream: Send {
    fn poll_next_yielded(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<StreamItem, EventError>>>;

    /// Returns whether it comes from topics only, so that its client can resume it.
    fn is_resumable(&self) -> bool;

    /// Returns whether the items that it has not yielded yet are kept elsewhere, and nothing else waits for
    /// it meanwhile.
    fn can_wait(&self) -> bool {
        self.is_resumable()
    }

    /// Returns how far it is behind its topic, if it is a subscriber.
    fn lag(&self) -> Option<Lag> {
        None
    }

    /// Hears that the server has begun to shut down, also while it is not polled.
    fn hear_of_shutdown(self: Pin<&mut Self>) {}
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

/// What a stream of this project's own tells beside its items.
trait Known: Stream {
    fn lag(&self) -> Option<Lag> {
        None
    }

    /// Returns whether no other client waits for this stream. While one does, it is polled even if its own client
    /// takes no bytes.
    fn can_wait(&self) -> bool {
        true
    }

    fn hear_of_shutdown(&mut self) {}
}

impl Known for Subscriber {
    fn lag(&self) -> Option<Lag> {
        Some(self.lag())
    }
}

impl Known for Attachment {
    fn lag(&self) -> Option<Lag> {
        Some(self.lag())
    }

    fn hear_of_shutdown(&mut self) {
        self.hear_of_shutdown();
    }
}

#[cfg(feature = "event-log")]
impl Known for LogStream {
    fn can_wait(&self) -> bool {
        !self.is_reading()
    }
}

#[cfg(feature = "event-log")]
impl Known for SharedAttachment {
    fn can_wait(&self) -> bool {
        !self.is_reading()
    }
}

/// The items of a stream that is known.
struct KnownItems<S>(S);

impl<S> ItemStream for KnownItems<S>
where
    S: Known + Send + Unpin,
    S::Item: IntoStreamItem,
{
    fn poll_next_yielded(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<StreamItem, EventError>>> {
        Pin::new(&mut self.0).poll_next_yielded(cx)
    }

    fn is_resumable(&self) -> bool {
        S::Item::IS_RESUMABLE
    }

    fn can_wait(&self) -> bool {
        S::Item::IS_RESUMABLE && self.0.can_wait()
    }

    fn lag(&self) -> Option<Lag> {
        self.0.lag()
    }

    fn hear_of_shutdown(mut self: Pin<&mut Self>) {
        self.0.hear_of_shutdown();
    }
}

/// A stream in which one that reads a log is, and does not show whether it does.
#[cfg(feature = "event-log")]
struct Hidden<S>(Pin<Box<S>>);

#[cfg(feature = "event-log")]
impl<S: Stream> Stream for Hidden<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        self.0.as_mut().poll_next(cx)
    }
}

#[cfg(feature = "event-log")]
impl<S: Stream> Known for Hidden<S> {
    fn can_wait(&self) -> bool {
        false
    }
}

/// Returns the items of a stream of a log's events, or the stream if it is none.
#[cfg(feature = "event-log")]
fn items_of_log<S>(stream: S) -> Result<Pin<Box<dyn ItemStream>>, S>
where
    S: Stream + Send + 'static,
    S::Item: IntoStreamItem,
{
    let mut stream = Some(stream);
    let any: &mut dyn Any = &mut stream;
    if let Some(Some(stream)) = any.downcast_mut::<Option<LogStream>>().map(Option::take) {
        return Ok(Box::pin(KnownItems(stream)));
    }
    let attachment = any.downcast_mut::<Option<SharedAttachment>>();
    if let Some(Some(stream)) = attachment.map(Option::take) {
        return Ok(Box::pin(KnownItems(stream)));
    }
    match stream {
        Some(stream)
            if TypeId::of::<S::Item>() == TypeId::of::<Result<Batch, LogStreamError>>() =>
        {
            Ok(Box::pin(KnownItems(Hidden(Box::pin(stream)))))
        }
        Some(stream) => Err(stream),
        // It was taken above.
        None => Ok(Box::pin(Once(None))),
    }
}

/// Returns the items of a stream, which may be a subscriber.
pub(super) fn items_of<S>(stream: S) -> Pin<Box<dyn ItemStream>>
where
    S: Stream + Send + 'static,
    S::Item: IntoStreamItem,
{
    #[cfg(feature = "event-log")]
    let stream = match items_of_log(stream) {
        Ok(items) => return items,
        Err(stream) => stream,
    };
    let mut stream = Some(stream);
    let any: &mut dyn Any = &mut stream;
    if let Some(Some(stream)) = any.downcast_mut::<Option<Subscriber>>().map(Option::take) {
        return Box::pin(KnownItems(stream));
    }
    if let Some(Some(stream)) = any.downcast_mut::<Option<Attachment>>().map(Option::take) {
        return Box::pin(KnownItems(stream));
    }
    match stream {
        Some(stream) => Box::pin(stream),
        // It was taken above.
        None => Box::pin(Once(None)),
    }
}

/// The options of a stream, which the methods of a reply set.
#[derive(Debug, Default)]
pub(super) struct Options {
    pub(super) ends_at_shutdown: Option<bool>,
    pub(super) keep_alive: Option<KeepAlive>,
    #[cfg(feature = "compression")]
    pub(super) compression: StreamCompression,
}

impl Events {
    pub(super) fn new(items: Pin<Box<dyn ItemStream>>) -> Self {
        let options = None;
        Self { items, options }
    }

    /// Returns the options, which are the default ones if none were set.
    pub(super) fn options_mut(&mut self) -> &mut Options {
        self.options.get_or_insert_default()
    }

    /// Replaces the stream, with the same options.
    pub(super) fn map(
        self,
        map: impl FnOnce(Pin<Box<dyn ItemStream>>) -> Pin<Box<dyn ItemStream>>,
    ) -> Self {
        Self {
            items: map(self.items),
            options: self.options,
        }
    }

    /// Returns how far the stream is behind its topic, if it is a subscriber.
    pub(crate) fn lag(&self) -> Option<Lag> {
        self.items.lag()
    }

    /// Tells the stream that the server has begun to shut down.
    pub(crate) fn hear_of_shutdown(&mut self) {
        self.items.as_mut().hear_of_shutdown();
    }

    /// Returns the stream's own keep-alive, if it has one.
    pub(crate) fn keep_alive(&self) -> Option<KeepAlive> {
        self.options.as_ref()?.keep_alive.clone()
    }

    /// Returns how the stream is compressed, if the client accepts that.
    #[cfg(feature = "compression")]
    pub(crate) fn compression(&self) -> StreamCompression {
        let options = self.options.as_ref();
        options.map_or(StreamCompression::Off, |options| options.compression)
    }

    /// Returns the next item to send. An error is the last item: do not poll the stream again.
    pub fn poll_next_yielded(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<StreamItem, EventError>>> {
        self.items.as_mut().poll_next_yielded(cx)
    }

    /// Returns whether the next items are kept elsewhere until the stream is polled, as in a topic. It is
    /// then better not to poll while the transport takes no bytes, and to get more at a time later.
    #[must_use]
    pub fn can_wait(&self) -> bool {
        self.items.can_wait()
    }

    /// Returns whether the stream ends when the server begins to shut down: see
    /// [`Reply::with_end_at_shutdown`](super::Reply::with_end_at_shutdown).
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
        // As an item stream it has another method of this name.
        Self::poll_next_yielded(self.get_mut(), cx)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}
