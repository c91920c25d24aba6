//! Events that a client reads as values of a type: the counterpart of [`IntoEvent`].

use std::{error::Error, fmt};

use crate::MessageEvent;

/// A type whose values are read from events: most often an enum with a variant for each event type, whose
/// content is the data, as JSON.
///
/// The derive macros of this name and of [`IntoEvent`](crate::IntoEvent) implement both directions. By
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
///     type Error = serde_json::Error;
///
///     fn from_event(event: &MessageEvent) -> Result<Option<Self>, Self::Error> {
///         Ok(Some(match event.event_type() {
///             "joined" => Chat::Joined(serde_json::from_str(event.data())?),
///             "message" => Chat::Message(serde_json::from_str(event.data())?),
///             _ => return Ok(None),
///         }))
///     }
/// }
/// ```
///
/// The data need not be JSON, and the error may be a type of your own:
///
/// ```
/// use std::num::ParseFloatError;
/// use sse_core::{FromEvent, MessageEvent};
///
/// struct Celsius(f64);
///
/// impl FromEvent for Celsius {
///     type Error = ParseFloatError;
///
///     fn from_event(event: &MessageEvent) -> Result<Option<Self>, Self::Error> {
///         match event.event_type() {
///             "temperature" => event.data().parse().map(|degrees| Some(Celsius(degrees))),
///             _ => Ok(None),
///         }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from an event",
    note = "write `#[derive(FromEvent)]` before an enum with a variant for each event type"
)]
pub trait FromEvent: Sized {
    /// The error of data that is not valid for the event's type. With the derive macro it is
    /// [`serde_json::Error`].
    type Error: Error + 'static;

    /// Returns the value of `event`, or `None` where the event's type is unknown.
    ///
    /// # Errors
    ///
    /// If the event's type is known, and its data is not valid for it.
    fn from_event(event: &MessageEvent) -> Result<Option<Self>, Self::Error>;
}

/// An event as a value of `T`, or unchanged if `T` does not know its type: a server that sends new types
/// of events does not break its clients.
///
/// ```
/// use sse_core::{Decoder, FromEvent, MessageEvent, Typed};
///
/// struct Price(f64);
///
/// impl FromEvent for Price {
///     type Error = std::num::ParseFloatError;
///
///     fn from_event(event: &MessageEvent) -> Result<Option<Self>, Self::Error> {
///         match event.event_type() {
///             "price" => Ok(Some(Self(event.data().parse()?))),
///             _ => Ok(None),
///         }
///     }
/// }
///
/// let mut decoder = Decoder::new();
/// let mut input = &b"event: weather\ndata: rain\n\n"[..];
/// let event = decoder.decode_event(&mut input)?.unwrap();
/// match Typed::<Price>::read(event)? {
///     Typed::Known(Price(price)) => println!("{price}"),
///     Typed::Unknown(event) => assert_eq!(event.event_type(), "weather"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Typed<T> {
    /// A value.
    Known(T),
    /// An event of another type.
    Unknown(MessageEvent),
}

impl<T: FromEvent> Typed<T> {
    /// Reads the value of `event`.
    ///
    /// ```
    /// # use sse_core::{Decoder, FromEvent, MessageEvent, Typed};
    /// # #[derive(Debug, PartialEq)] struct Count(u32);
    /// # impl FromEvent for Count {
    /// #     type Error = serde_json::Error;
    /// #     fn from_event(event: &MessageEvent) -> Result<Option<Self>, Self::Error> {
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
    /// [`BadData`] where the event's type is known, and its data is not valid for it.
    pub fn read(event: MessageEvent) -> Result<Self, BadData<T::Error>> {
        match T::from_event(&event) {
            Ok(Some(value)) => Ok(Self::Known(value)),
            Ok(None) => Ok(Self::Unknown(event)),
            Err(error) => Err(BadData { event, error }),
        }
    }
}

/// The error of an event whose data is not valid for its event type. `E` is [`FromEvent::Error`].
#[derive(Debug)]
pub struct BadData<E = serde_json::Error> {
    event: MessageEvent,
    error: E,
}

impl<E> BadData<E> {
    /// Returns the event, with its type, data and last event ID as the server sent them.
    #[must_use]
    pub fn event(&self) -> &MessageEvent {
        &self.event
    }

    /// Returns the error of its data: why [`FromEvent::from_event`] did not accept it.
    #[must_use]
    pub fn error(&self) -> &E {
        &self.error
    }
}

impl<E: fmt::Display> fmt::Display for BadData<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let event_type = self.event.event_type();
        write!(
            f,
            "the data of an event of type {event_type:?} is not valid for this type: {}",
            self.error
        )
    }
}

impl<E: Error + 'static> Error for BadData<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

/// Its kind is [`InvalidData`](std::io::ErrorKind::InvalidData).
impl<E: Error + Send + Sync + 'static> From<BadData<E>> for std::io::Error {
    fn from(error: BadData<E>) -> Self {
        Self::new(std::io::ErrorKind::InvalidData, error)
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
        /// #     type Error = serde_json::Error;
        /// #     fn from_event(event: &MessageEvent) -> Result<Option<Self>, Self::Error> {
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
        /// An item is a [`TypedError`] where the stream of events has an error, and where an event's data
        /// is not valid for its type. The latter does not end the stream: the next item is the next
        /// event.
        #[derive(Debug)]
        pub struct TypedEvents<S, T> {
            #[pin]
            events: S,
            typed: PhantomData<fn() -> T>,
        }
    }

    impl<S, T> TypedEvents<S, T> {
        /// Creates a stream of the values in `events`, which may be an event source or an
        /// [`EventStream`](crate::EventStream).
        pub fn new(events: S) -> Self {
            Self {
                events,
                typed: PhantomData,
            }
        }

        /// Returns the stream of events, such as to read its last event ID.
        pub fn get_ref(&self) -> &S {
            &self.events
        }

        /// Returns the stream of events, mutably. Events that are taken from it are not converted.
        pub fn get_mut(&mut self) -> &mut S {
            &mut self.events
        }

        /// Returns the stream of events, which continues with the event after the last value.
        pub fn into_inner(self) -> S {
            self.events
        }
    }

    impl<S, T, E> Stream for TypedEvents<S, T>
    where
        S: Stream<Item = Result<MessageEvent, E>>,
        T: FromEvent,
    {
        type Item = Result<Typed<T>, TypedError<E, T::Error>>;

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

    /// An error that [`TypedEvents`] yield in place of a value. `E` is the error of the stream of events,
    /// `D` is [`FromEvent::Error`].
    #[derive(Debug)]
    #[non_exhaustive]
    pub enum TypedError<E, D = serde_json::Error> {
        /// The stream of events yielded this error.
        Events(E),
        /// An event's data is not valid for its type. The stream continues.
        Data(BadData<D>),
    }

    impl<E: fmt::Display, D: fmt::Display> fmt::Display for TypedError<E, D> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self {
                Self::Events(error) => error.fmt(f),
                Self::Data(error) => error.fmt(f),
            }
        }
    }

    impl<E: Error + 'static, D: Error + 'static> Error for TypedError<E, D> {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            match self {
                Self::Events(error) => Some(error),
                Self::Data(error) => Some(error),
            }
        }
    }

    /// Converts to the stream's own error as an `io::Error`, or to one of the kind
    /// [`InvalidData`](std::io::ErrorKind::InvalidData) that holds the [`BadData`].
    impl<E, D> From<TypedError<E, D>> for std::io::Error
    where
        E: Into<std::io::Error>,
        D: Error + Send + Sync + 'static,
    {
        fn from(error: TypedError<E, D>) -> Self {
            match error {
                TypedError::Events(error) => error.into(),
                TypedError::Data(error) => error.into(),
            }
        }
    }
}
