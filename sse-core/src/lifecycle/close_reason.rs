//! The reasons for which a connection ends.

use alloc::boxed::Box;
use core::{error::Error, fmt};

use ::http::StatusCode;

use super::StreamError;
use crate::{EventError, SlowConsumer, cause::find};

/// Why a connection ended. Clean-up callbacks get this.
///
/// The [`Display`](fmt::Display) form is a clause for a log line, such as "the client went away".
/// [`name`](Self::name) is a short name for counters. Two reasons are equal if they have the same name,
/// status and error text; the [cause](Self::cause) is not compared.
///
/// ```
/// use sse_core::lifecycle::{CloseReason, Deadline};
///
/// fn level(reason: &CloseReason) -> &'static str {
///     match reason {
///         CloseReason::StreamEnded | CloseReason::ResponseSent | CloseReason::ClientWentAway => "debug",
///         CloseReason::HandlerPanicked | CloseReason::StreamError(_) => "error",
///         _ => "info",
///     }
/// }
/// assert_eq!(level(&CloseReason::HandlerPanicked), "error");
/// assert_eq!(CloseReason::TimedOut(Deadline::Stall).name(), "stall_timeout");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The handler's stream ended, and everything it yielded was sent.
    StreamEnded,
    /// A whole response that is not an event stream was sent, such as a page or a handler's refusal.
    ResponseSent,
    /// The client closed the connection or its sending half, or the network reset it.
    ClientWentAway,
    /// The request could not be served, and the client received this status.
    Rejected(StatusCode),
    /// This deadline passed.
    TimedOut(Deadline),
    /// The client took events more slowly than its topic keeps them: the handler's stream failed
    /// with [`SlowConsumer`].
    SlowConsumer,
    /// The handler's stream failed, or yielded a value that cannot be sent. This is the error.
    StreamError(StreamError),
    /// The handler or its stream panicked.
    HandlerPanicked,
    /// The stream reached its longest life, and ended properly between two events.
    LifetimeOver,
    /// The application ended the stream from outside its handler, between two events, for this reason,
    /// such as a logout of the user.
    Ended(Box<str>),
    /// The server was shut down before the stream ended. A topic's stream, which a client can resume,
    /// ended properly; any other stream was cut.
    Shutdown,
    /// The connection was dropped before it was over, because its task was cancelled or its runtime was
    /// shut down.
    TaskDropped,
}

impl CloseReason {
    /// Returns the error of this type that ended the connection, if there is one: the error that the
    /// handler's stream yielded, or one of its causes.
    ///
    /// ```
    /// use std::io;
    /// use sse_core::lifecycle::{CloseReason, StreamError};
    ///
    /// let error = StreamError::new(io::Error::from(io::ErrorKind::StorageFull));
    /// let reason = CloseReason::StreamError(error);
    ///
    /// let error = reason.cause::<io::Error>().unwrap();
    /// assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    /// ```
    #[must_use]
    pub fn cause<E: Error + 'static>(&self) -> Option<&E> {
        self.error().and_then(find)
    }

    /// Returns the error that the handler's stream yielded, if the connection ended because of it. It is
    /// the error in [`StreamError`](Self::StreamError) as it was given; `None` for every other reason,
    /// and for a `StreamError` made from a text.
    #[must_use]
    pub fn error(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::StreamError(error) => error.source(),
            _ => None,
        }
    }
}

/// Returns the reason of a connection whose handler's stream failed with this error.
/// [`cause`](CloseReason::cause) finds the error in it.
impl From<EventError> for CloseReason {
    fn from(error: EventError) -> Self {
        match error {
            EventError::Stream(error) if error.is::<SlowConsumer>() => Self::SlowConsumer,
            error => Self::StreamError(error.into()),
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StreamEnded => f.write_str("the stream ended"),
            Self::ResponseSent => f.write_str("the response was sent"),
            Self::ClientWentAway => f.write_str("the client went away"),
            Self::Rejected(status) => write!(f, "the request was rejected with {status}"),
            Self::TimedOut(deadline) => write!(f, "{deadline}"),
            Self::SlowConsumer => f.write_str("the client was too slow for its topic"),
            Self::StreamError(error) => write!(f, "the stream failed: {error}"),
            Self::HandlerPanicked => f.write_str("the handler panicked"),
            Self::LifetimeOver => f.write_str("the stream lasted as long as it may"),
            Self::Ended(reason) => write!(f, "the stream was ended: {reason}"),
            Self::Shutdown => f.write_str("the server was shut down"),
            Self::TaskDropped => f.write_str("the connection's task was dropped"),
        }
    }
}

/// The deadlines of a server connection, each of which is a setting of
/// [`server::ConnectionConfig`](crate::server::ConnectionConfig).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Deadline {
    /// The deadline of the whole request head, from accepting the connection on.
    Head,
    /// The deadline of the whole request body, from the moment the handler asks for it.
    Body,
    /// The deadline of the handler's response, from the moment the request head is complete, or the body
    /// if the handler asked for it.
    Respond,
    /// The deadline of the next progress in writing, while there are bytes to write.
    Stall,
    /// The deadline of everything after the stream's end: writing the queued bytes and closing.
    Drain,
    /// The time of an idle stream's next keep-alive comment. It never ends a connection.
    KeepAlive,
}

impl Deadline {
    /// All deadlines.
    pub(crate) const ALL: [Self; 6] = [
        Self::Head,
        Self::Body,
        Self::Respond,
        Self::Stall,
        Self::Drain,
        Self::KeepAlive,
    ];
}

impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Head => "the request head was not complete in time",
            Self::Body => "the request body was not complete in time",
            Self::Respond => "the handler did not answer in time",
            Self::Stall => "the client took no bytes for too long",
            Self::Drain => "the last bytes could not be delivered in time",
            Self::KeepAlive => "the stream was idle",
        })
    }
}
