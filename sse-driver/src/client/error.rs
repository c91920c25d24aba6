//! The errors of an event source.

use std::{error::Error, fmt, io};

use sse_core::{
    DecodeError,
    client::{End, Failure, UnexpectedResponse},
};

/// An error that an event source yields in place of an event.
///
/// ```
/// use sse_driver::EventSourceError;
///
/// fn may_continue(error: &EventSourceError) -> bool {
///     match error {
///         EventSourceError::Discarded(_) => true, // The next event follows.
///         EventSourceError::Failed(failure) => {
///             eprintln!("failed: {failure}");
///             false
///         }
///         _ => false,
///     }
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum EventSourceError {
    /// An event was larger than
    /// [`EventSourceConfig::decoder_limits`](sse_core::client::EventSourceConfig::decoder_limits) allow
    /// and was discarded. The stream continues with the next event.
    Discarded(DecodeError),
    /// The subscription failed for good. This is the last item.
    Failed(Failure),
    /// The subscription is over without a failure. Only [`opened`](crate::EventSource::opened) returns
    /// this.
    Ended(End),
}

impl EventSourceError {
    /// Returns the error of this type that caused this one, if there is one: see [`Failure::cause`].
    #[must_use]
    pub fn cause<E: Error + 'static>(&self) -> Option<&E> {
        match self {
            Self::Discarded(_) | Self::Ended(_) => None,
            Self::Failed(failure) => failure.cause(),
        }
    }

    /// Returns the response that was not an event stream, with the first bytes of its body, if that is
    /// the failure: see [`Failure::unexpected_response`].
    #[must_use]
    pub fn unexpected_response(&self) -> Option<&UnexpectedResponse> {
        match self {
            Self::Discarded(_) | Self::Ended(_) => None,
            Self::Failed(failure) => failure.unexpected_response(),
        }
    }
}

impl fmt::Display for EventSourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Discarded(error) => error.fmt(f),
            Self::Failed(failure) => failure.fmt(f),
            Self::Ended(end) => write!(f, "the event stream did not open: {end}"),
        }
    }
}

impl Error for EventSourceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Discarded(error) => Some(error),
            Self::Failed(failure) => Some(failure),
            Self::Ended(_) => None,
        }
    }
}

/// Its kind is that of the error that it holds, and [`Other`](io::ErrorKind::Other) for an
/// [end](EventSourceError::Ended).
impl From<EventSourceError> for io::Error {
    fn from(error: EventSourceError) -> Self {
        match error {
            EventSourceError::Discarded(error) => error.into(),
            EventSourceError::Failed(failure) => failure.into(),
            EventSourceError::Ended(_) => Self::other(error),
        }
    }
}
