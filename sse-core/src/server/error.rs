//! Errors of calls that the caller should not have made.

use std::{error::Error, fmt};

use ::http::StatusCode;

use super::Phase;

/// The error of a method called in a phase of the connection that does not allow it. The call changed
/// nothing. A peer can change the phase at any time, so a caller need not treat it as a fault.
pub type WrongPhase = crate::WrongPhase<Phase>;

/// The error of [`respond`](super::Connection::respond), which changed nothing: the request still waits
/// for a response, if it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RespondError {
    /// There is no request to respond to, or it has its response already, or the connection is over.
    WrongPhase(WrongPhase),
    /// The status is a 1xx, which is not a final response ([RFC 9110 section
    /// 15.2](https://www.rfc-editor.org/rfc/rfc9110#section-15.2)). Respond with another one.
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

/// The error of [`send`](super::Connection::send), which took nothing: the caller still has the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// No event stream is open.
    WrongPhase(WrongPhase),
    /// The queue is at the high-water mark; send again once [`has_room`](super::Connection::has_room)
    /// returns true.
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
