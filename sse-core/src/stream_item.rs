//! What a handler's stream may yield: an event, a comment, or events that are encoded already.

use std::error::Error;

use crate::{Comment, EncodedEvents, Event, EventError, IntoEvent, into_event::error_of};

/// An item of an event stream, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamItem {
    /// An event, for [`send`](crate::server::Connection::send).
    Event(Event),
    /// A comment, for [`comment`](crate::server::Connection::comment).
    Comment(Comment),
    /// Events of a topic, for [`send_encoded`](crate::server::Connection::send_encoded).
    Encoded(EncodedEvents),
}

/// A value that a handler's stream may yield: whatever is [`IntoEvent`], a [`Comment`], what a
/// topic's subscriber yields, and a `Result` of one of these.
///
/// The trait is sealed: for a type of your own implement [`IntoEvent`].
///
/// A subscriber is a stream of such values, so that it keeps the topic's encoding wherever it stands
/// among others. Where the types of two streams differ, make both [`StreamItem`]s:
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
    /// No type outside this crate can name this, so that none implements the trait.
    #[doc(hidden)]
    const SEALED: Sealed;

    /// Whether a stream of these comes from a topic alone: what it has not yielded yet is kept there,
    /// and a client that loses the stream resumes it.
    const IS_RESUMABLE: bool = false;

    /// Makes the item.
    ///
    /// # Errors
    ///
    /// [`EventError`] where the value has no event, as for [`IntoEvent::into_event`], or was an error to
    /// begin with. It ends the stream that yielded it.
    fn into_stream_item(self) -> Result<StreamItem, EventError>;
}

impl<T: IntoEvent> IntoStreamItem for T {
    const SEALED: Sealed = Sealed;

    fn into_stream_item(self) -> Result<StreamItem, EventError> {
        self.into_event().map(StreamItem::Event)
    }
}

/// For each of these the value itself, and a `Result` of it whose error ends the stream. The compiler
/// keeps silent about them where a value is none of them: what its user wants is `IntoEvent`.
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

/// What the sealed trait asks its implementations for. It cannot be named outside this crate.
mod sealed {
    #[derive(Debug)]
    pub struct Sealed;
}

use sealed::Sealed;
