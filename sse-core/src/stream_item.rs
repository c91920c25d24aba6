//! The items that a handler's stream may yield: events, comments, and encoded events.

use std::error::Error;

use crate::{Comment, EncodedEvents, Event, EventError, IntoEvent, into_event::error_of};

/// An item of an event stream, ready to be sent.
///
/// ```
/// use sse_core::{Comment, Event, IntoStreamItem, StreamItem};
///
/// let items: [Result<StreamItem, _>; 2] = [
///     Event::new("one").into_stream_item(),
///     Comment::new("still here").into_stream_item(),
/// ];
/// assert!(matches!(items[0], Ok(StreamItem::Event(_))));
/// assert!(matches!(items[1], Ok(StreamItem::Comment(_))));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamItem {
    /// An event, for [`send`](crate::server::Connection::send).
    Event(Event),
    /// A comment, for [`comment`](crate::server::Connection::comment).
    Comment(Comment),
    /// Events of a topic, for [`send_encoded`](crate::server::Connection::send_encoded).
    Encoded(EncodedEvents),
}

/// A value that a handler's stream may yield: any [`IntoEvent`], a [`Comment`], the items of a topic's
/// subscriber, and a `Result` of one of these.
///
/// The trait is sealed: implement [`IntoEvent`] for types of your own.
///
/// A subscriber is a stream of such values, so that it keeps the topic's encoding when it is combined
/// with other streams. Where the item types of two streams differ, convert both to [`StreamItem`]:
///
#[cfg_attr(feature = "topic", doc = "```")]
#[cfg_attr(not(feature = "topic"), doc = "```ignore")]
/// use std::time::Instant;
/// use futures_util::{StreamExt, future, stream};
/// use sse_core::{Event, IntoStreamItem, StreamItem, topic::{Topic, TopicConfig}};
///
/// # futures_util::FutureExt::now_or_never(async {
/// let topic = Topic::new(TopicConfig::default(), 0, Instant::now);
/// # let shutdown = future::ready(());
/// let news = topic.subscribe_from_oldest();
/// topic.publish("news")?;
/// # drop(topic);
///
/// let last_word = stream::iter([Event::new("goodbye")]);
/// let mut both = news
///     .map(IntoStreamItem::into_stream_item)
///     .chain(last_word.map(IntoStreamItem::into_stream_item));
///
/// assert!(matches!(both.next().await, Some(Ok(StreamItem::Encoded(_)))));
/// assert!(matches!(both.next().await, Some(Ok(StreamItem::Event(_)))));
/// # Ok::<(), sse_core::topic::PublishError>(())
/// # }).unwrap().unwrap();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent as an event",
    note = "wrap a type that implements `serde::Serialize` in `Json(…)`",
    note = "or implement `IntoEvent` for a type of your own"
)]
pub trait IntoStreamItem {
    /// No type outside this crate can name this type, so that none can implement the trait.
    #[doc(hidden)]
    const SEALED: Sealed;

    /// Whether a stream of these values comes from a topic only. Events that it has not yielded yet then
    /// stay in the topic, and a client that loses the stream resumes it.
    const IS_RESUMABLE: bool = false;

    /// Converts the value to an item.
    ///
    /// # Errors
    ///
    /// [`EventError`] where the value cannot become an event, as for [`IntoEvent::into_event`], or is an
    /// error itself. The stream that yielded it ends.
    fn into_stream_item(self) -> Result<StreamItem, EventError>;
}

impl<T: IntoEvent> IntoStreamItem for T {
    const SEALED: Sealed = Sealed;

    fn into_stream_item(self) -> Result<StreamItem, EventError> {
        self.into_event().map(StreamItem::Event)
    }
}

/// Implements the trait for the type, and for a `Result` of it, whose error ends the stream. The compiler
/// does not suggest these types where a value is none of them, because the user most likely wants
/// `IntoEvent`.
macro_rules! into_stream_item {
    ($($type:ty, $is_resumable:literal, $item:expr;)*) => {$(
        #[diagnostic::do_not_recommend]
        impl IntoStreamItem for $type {
            const SEALED: Sealed = Sealed;
            const IS_RESUMABLE: bool = $is_resumable;

            fn into_stream_item(self) -> Result<StreamItem, EventError> {
                let item: fn($type) -> StreamItem = $item;
                Ok(item(self))
            }
        }

        #[diagnostic::do_not_recommend]
        impl<E> IntoStreamItem for Result<$type, E>
        where
            E: Into<Box<dyn Error + Send + Sync>>,
        {
            const SEALED: Sealed = Sealed;
            const IS_RESUMABLE: bool = $is_resumable;

            fn into_stream_item(self) -> Result<StreamItem, EventError> {
                self.map_err(|error| error_of(error.into()))?.into_stream_item()
            }
        }
    )*};
}

into_stream_item! {
    StreamItem, false, |item| item;
    Comment, false, StreamItem::Comment;
    EncodedEvents, false, StreamItem::Encoded;
}

#[cfg(feature = "topic")]
into_stream_item! {
    crate::topic::Batch, true, |batch| StreamItem::Encoded(batch.into_encoded());
}

/// The supertrait that seals [`IntoStreamItem`]. It cannot be named outside this crate.
mod sealed {
    #[derive(Debug)]
    pub struct Sealed;
}

use sealed::Sealed;
