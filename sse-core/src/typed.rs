//! Events that a client reads as values of a type: the other side of [`IntoEvent`].

use std::{error::Error, fmt};

use crate::MessageEvent;

/// A type that says which events are its values: most often an enum with a variant for each event
/// type, whose content is the data, as JSON.
///
/// The derive macros of this name and of [`IntoEvent`](crate::IntoEvent) write both directions. By
/// hand, this one is:
///
/// ```
/// use serde::Deserialize;
/// use sse_core::{FromEvent, MessageEvent};
///
/// #[derive(Debug, Deserialize)]
/// struct Message { user: String, text: String }
///
/// #[derive(Debug)]
/// enum Chat {
///     Joined(String),
///     Message(Message),
/// }
///
/// impl FromEvent for Chat {
///     fn from_event(event: &MessageEvent) -> Result<Option<Self>, serde_json::Error> {
///         Ok(Some(match event.event_type() {
///             "joined" => Chat::Joined(serde_json::from_str(event.data())?),
///             "message" => Chat::Message(serde_json::from_str(event.data())?),
///             _ => return Ok(None),
///         }))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from an event",
    note = "write `#[derive(FromEvent)]` before an enum with a variant for each event type"
)]
pub trait FromEvent: Sized {
    /// The value that `event` stands for; `None` where it is of a type that this knows nothing of.
    ///
    /// # Errors
    ///
    /// Where the event's type is known, and its data is not what belongs to it.
    fn from_event(event: &MessageEvent) -> Result<Option<Self>, serde_json::Error>;
}

/// An event as a value of `T`, or as it came where `T` does not know its type: a server that learns
/// a new type of events does not break its clients.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Typed<T> {
    /// A value.
    Known(T),
    /// An event of another type.
    Unknown(MessageEvent),
}

impl<T: FromEvent> Typed<T> {
    /// Reads `event`.
    ///
    /// ```
    /// # use sse_core::{Decoder, FromEvent, MessageEvent, Typed};
    /// # #[derive(Debug, PartialEq)] struct Count(u32);
    /// # impl FromEvent for Count {
    /// #     fn from_event(event: &MessageEvent) -> Result<Option<Self>, serde_json::Error> {
    /// #         match event.event_type() {
    /// #             "count" => serde_json::from_str(event.data()).map(|n| Some(Count(n))),
    /// #             _ => Ok(None),
    /// #         }
    /// #     }
    /// # }
    /// let mut input = &b"event: count\ndata: 7\n\nevent: news\ndata: x\n\n"[..];
    /// let mut decoder = Decoder::new();
    /// let event = decoder.decode_event(&mut input)?.ok_or("an event")?;
    /// assert_eq!(Typed::read(event)?, Typed::Known(Count(7)));
    /// let event = decoder.decode_event(&mut input)?.ok_or("an event")?;
    /// assert!(matches!(Typed::<Count>::read(event)?, Typed::Unknown(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`BadData`] where the event's type is known, and its data is not what belongs to it.
    pub fn read(event: MessageEvent) -> Result<Self, BadData> {
        match T::from_event(&event) {
            Ok(Some(value)) => Ok(Self::Known(value)),
            Ok(None) => Ok(Self::Unknown(event)),
            Err(error) => Err(BadData { event, error }),
        }
    }
}

/// An event whose data is not what belongs to its type.
#[derive(Debug)]
pub struct BadData {
    event: MessageEvent,
    error: serde_json::Error,
}

impl BadData {
    /// The event.
    #[must_use]
    pub fn event(&self) -> &MessageEvent {
        &self.event
    }
}

impl fmt::Display for BadData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let event_type = self.event.event_type();
        write!(
            f,
            "the data of an event of type {event_type:?} is not what belongs there: {}",
            self.error
        )
    }
}

impl Error for BadData {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

#[cfg(feature = "stream")]
pub use stream::{TypedError, TypedEvents};

#[cfg(feature = "stream")]
mod stream {
    use std::{
        error::Error,
        fmt,
        marker::PhantomData,
        pin::Pin,
        task::{Context, Poll, ready},
    };

    use futures_core::Stream;
    use pin_project_lite::pin_project;

    use super::{BadData, FromEvent, MessageEvent, Typed};

    pin_project! {
        /// A stream of events, such as an event source, as a [`Stream`] of values.
        ///
        /// ```
        /// use futures_util::{StreamExt, stream};
        /// use sse_core::{EventStream, FromEvent, Typed, TypedEvents};
        /// # use sse_core::MessageEvent;
        /// # #[derive(Debug)] struct Count(u32);
        /// # impl FromEvent for Count {
        /// #     fn from_event(event: &MessageEvent) -> Result<Option<Self>, serde_json::Error> {
        /// #         serde_json::from_str(event.data()).map(|n| Some(Count(n)))
        /// #     }
        /// # }
        ///
        /// # futures_util::FutureExt::now_or_never(async {
        /// let chunks = stream::iter([Ok::<_, std::io::Error>("data: 1\n\ndata: two\n\ndata: 3\n\n")]);
        /// let mut counts = TypedEvents::<_, Count>::new(EventStream::new(chunks));
        /// assert!(matches!(counts.next().await, Some(Ok(Typed::Known(Count(1))))));
        /// assert!(matches!(counts.next().await, Some(Err(_))), "and the stream goes on");
        /// assert!(matches!(counts.next().await, Some(Ok(Typed::Known(Count(3))))));
        /// # }).unwrap();
        /// ```
        ///
        /// # Errors
        ///
        /// An item is a [`TypedError`] where the stream of events has an error, and where an
        /// event's data is not what belongs to its type. The latter ends nothing: the next event
        /// comes next.
        #[derive(Debug)]
        pub struct TypedEvents<S, T> {
            #[pin]
            events: S,
            typed: PhantomData<fn() -> T>,
        }
    }

    impl<S, T> TypedEvents<S, T> {
        /// The events in `events`.
        pub fn new(events: S) -> Self {
            Self {
                events,
                typed: PhantomData,
            }
        }

        /// The stream of events, to ask it for more than its events.
        pub fn get_ref(&self) -> &S {
            &self.events
        }

        /// The same, to be changed.
        pub fn get_mut(&mut self) -> &mut S {
            &mut self.events
        }

        /// The stream of events.
        pub fn into_inner(self) -> S {
            self.events
        }
    }

    impl<S, T, E> Stream for TypedEvents<S, T>
    where
        S: Stream<Item = Result<MessageEvent, E>>,
        T: FromEvent,
    {
        type Item = Result<Typed<T>, TypedError<E>>;

        fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            let item = ready!(self.project().events.poll_next(cx));
            Poll::Ready(item.map(|event| {
                let event = event.map_err(TypedError::Events)?;
                Typed::read(event).map_err(TypedError::Data)
            }))
        }

        fn size_hint(&self) -> (usize, Option<usize>) {
            self.events.size_hint()
        }
    }

    /// Why [`TypedEvents`] have no value.
    #[derive(Debug)]
    #[non_exhaustive]
    pub enum TypedError<E> {
        /// The stream of events says so.
        Events(E),
        /// An event's data is not what belongs to its type. The stream goes on.
        Data(BadData),
    }

    impl<E: fmt::Display> fmt::Display for TypedError<E> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self {
                Self::Events(error) => error.fmt(f),
                Self::Data(error) => error.fmt(f),
            }
        }
    }

    impl<E: Error + 'static> Error for TypedError<E> {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            match self {
                // Shown as they are, so what lies under them is theirs.
                Self::Events(error) => error.source(),
                Self::Data(error) => error.source(),
            }
        }
    }
}
