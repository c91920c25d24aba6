//! Why a connection ended.

use alloc::boxed::Box;
use core::{error::Error, fmt};

use ::http::StatusCode;

use super::StreamError;
use crate::{EventError, SlowConsumer, cause::find};

/// Why a connection ended: what clean-up callbacks get.
///
/// The [`Display`](fmt::Display) form is a clause that reads well in a log line: "the client went
/// away". [`name`](Self::name) is a short name for counters. Two reasons are equal where they have
/// the same name, status and text of an error; the [cause](Self::cause) is not compared.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The handler's stream ended, and everything it yielded was sent.
    StreamEnded,
    /// A whole response that is not an event stream was sent, such as a page or a handler's refusal.
    ResponseSent,
    /// The client closed the connection or its sending half, or the network reset it.
    ClientWentAway,
    /// The request could not be served, and the client was told so with this status.
    Rejected(StatusCode),
    /// A deadline passed; the deadline says which.
    TimedOut(Deadline),
    /// The client took events more slowly than its topic keeps them: the handler's stream failed
    /// with [`SlowConsumer`].
    SlowConsumer,
    /// The handler's stream failed, or yielded something that cannot be sent: the error.
    StreamError(StreamError),
    /// The handler or its stream panicked.
    HandlerPanicked,
    /// The stream had its longest life, and ended properly between two events.
    LifetimeOver,
    /// The application ended the stream from outside its handler, between two events, for this reason:
    /// the user has logged out, for example.
    Ended(Box<str>),
    /// The server was shut down before the stream ended by itself. The stream of a topic's subscriber
    /// has ended properly then; any other one was cut.
    Shutdown,
    /// The connection was dropped before it was over: its task was cancelled, or the runtime
    /// under it was shut down.
    TaskDropped,
}

impl CloseReason {
    /// Returns the error of this type that ended the connection, if there is one: what the handler's
    /// stream yielded, or a cause of that.
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

    /// Returns the error that the handler's stream yielded, where the connection ended because of it.
    #[must_use]
    pub fn error(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::StreamError(error) => error.source(),
            _ => None,
        }
    }
}

/// Why a connection ends whose handler's stream failed like this. The error is kept, and found with
/// [`cause`](CloseReason::cause).
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

/// The deadlines of a server connection, each settable in [`server::ConnectionConfig`](crate::server::ConnectionConfig).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Deadline {
    /// The whole request head, from the moment of accepting.
    Head,
    /// The whole request body, from the moment that it was asked for.
    Body,
    /// The handler's answer, from the moment the request head was complete, or the body where
    /// there was one to receive.
    Respond,
    /// Any progress in writing, while there is something to write.
    Stall,
    /// Everything after the stream's end: writing what is queued and closing.
    Drain,
    /// An idle stream's next keep-alive comment. It never ends a connection.
    KeepAlive,
}

impl Deadline {
    /// All of them.
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
