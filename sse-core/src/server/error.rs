//! The caller's own mistakes.

use std::{error::Error, fmt};

use ::http::StatusCode;

use super::Phase;

/// A verb was called in a phase of the connection that does not allow it.
pub type WrongPhase = crate::WrongPhase<Phase>;

/// The error of [`respond`](super::Connection::respond), which changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RespondError {
    /// There is no request to respond to, or it has its response.
    WrongPhase(WrongPhase),
    /// A 1xx status is not the final answer that a response is.
    InterimStatus(StatusCode),
}

impl fmt::Display for RespondError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongPhase(error) => error.fmt(f),
            Self::InterimStatus(status) => write!(
                f,
                "{status} is an interim status; respond with a final one, 200 or above"
            ),
        }
    }
}

impl Error for RespondError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::WrongPhase(error) => Some(error),
            Self::InterimStatus(_) => None,
        }
    }
}

/// The error of [`send`](super::Connection::send), which took nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// There is no event stream to send on.
    WrongPhase(WrongPhase),
    /// As many bytes are queued as the high-water mark allows; send again once
    /// [`has_room`](super::Connection::has_room) says so.
    Full,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongPhase(error) => error.fmt(f),
            Self::Full => f.write_str(
                "the queue is at its high-water mark; send again when `has_room()` says so",
            ),
        }
    }
}

impl Error for SendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::WrongPhase(error) => Some(error),
            Self::Full => None,
        }
    }
}

impl From<WrongPhase> for RespondError {
    fn from(error: WrongPhase) -> Self {
        Self::WrongPhase(error)
    }
}

impl From<WrongPhase> for SendError {
    fn from(error: WrongPhase) -> Self {
        Self::WrongPhase(error)
    }
}
