//! The error of everything that builds an event.

use alloc::boxed::Box;
use core::{convert::Infallible, error::Error, fmt};

use crate::InvalidField;

/// Why a value did not become an event. Everything that builds an event returns this error
/// ([`Event::json`](crate::Event::json), [`Event::with_id`](crate::Event::with_id),
/// [`Event::with_event_type`](crate::Event::with_event_type), [`IntoEvent`](crate::IntoEvent)), so that
/// `?` needs no conversion between them.
///
/// If a handler's stream yields it, the stream ends, and the connection's clean-up callbacks get it with
/// the close reason.
///
/// [`source`](Error::source) is the error in the variant. In a function that returns
/// [`io::Error`](std::io::Error), `?` converts it: to the stream's own error, if that is an `io::Error`,
/// and otherwise to one of the kind [`InvalidInput`](std::io::ErrorKind::InvalidInput), or
/// [`Other`](std::io::ErrorKind::Other) for [`Stream`](Self::Stream).
#[cfg_attr(feature = "json", doc = "```")]
#[cfg_attr(not(feature = "json"), doc = "```ignore")]
/// use sse_core::{Event, EventError};
///
/// fn tick(count: u32, series: &str) -> Result<Event, EventError> {
///     Event::json(&[count])?.with_event_type(series)
/// }
///
/// let error = tick(1, "two\nlines").unwrap_err();
/// assert!(matches!(error, EventError::InvalidField(field) if field.offset() == 3));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum EventError {
    /// The stream yielded this error.
    Stream(Box<dyn Error + Send + Sync>),
    /// The value cannot be serialised to JSON.
    #[cfg(feature = "json")]
    Json(serde_json::Error),
    /// A text is not a valid id or event type.
    InvalidField(InvalidField),
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream(error) => error.fmt(f),
            #[cfg(feature = "json")]
            Self::Json(error) => write!(f, "the value cannot be serialised to JSON: {error}"),
            Self::InvalidField(error) => error.fmt(f),
        }
    }
}

impl Error for EventError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(match self {
            Self::Stream(error) => &**error,
            #[cfg(feature = "json")]
            Self::Json(error) => error,
            Self::InvalidField(error) => error,
        })
    }
}

impl From<InvalidField> for EventError {
    fn from(error: InvalidField) -> Self {
        Self::InvalidField(error)
    }
}

impl From<Infallible> for EventError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

#[cfg(feature = "json")]
impl From<serde_json::Error> for EventError {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}

#[cfg(feature = "std")]
impl From<EventError> for std::io::Error {
    fn from(error: EventError) -> Self {
        use std::io::{self, ErrorKind};

        match error {
            EventError::Stream(error) => match error.downcast::<io::Error>() {
                Ok(error) => *error,
                Err(error) => Self::other(EventError::Stream(error)),
            },
            error => Self::new(ErrorKind::InvalidInput, error),
        }
    }
}
