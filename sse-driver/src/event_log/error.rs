//! The errors of a log, and of topics and streams over it.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use sse_core::{EventError, topic::PublishError};

/// The error of a log. Clones share its cause.
///
/// ```
/// use std::{error::Error, io};
/// use sse_driver::event_log::LogError;
///
/// let error = LogError::new(io::Error::from(io::ErrorKind::ConnectionReset));
/// assert!(error.source().unwrap().is::<io::Error>());
/// assert_eq!(LogError::new("out of memory").to_string(), "out of memory");
/// ```
#[derive(Clone, Debug)]
pub struct LogError {
    cause: Arc<dyn Error + Send + Sync>,
}

impl LogError {
    /// Creates an error with this cause: an error, or a text.
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            cause: cause.into().into(),
        }
    }
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

impl Error for LogError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.cause)
    }
}

/// The error of [`EventLog::append`](super::EventLog::append): the log has not taken the event, or may not
/// have.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AppendError {
    /// The log has not taken the event. It may be appended again, once the log works.
    NotAppended(LogError),
    /// The log has not taken the event, and takes none until its settings are changed, such as the
    /// permissions of its user. Do not append it again. A stream of
    /// [`SharedStreams`](super::SharedStreams) ends.
    Rejected(LogError),
    /// The log may have taken the event or not, such as when the connection broke before the answer.
    /// Appending it again may double it.
    Unknown(LogError),
    /// The log has not taken the event, since it is in another epoch than the one that was
    /// [asked for](super::EventLog::append_in).
    OtherEpoch,
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAppended(cause) => write!(f, "the log did not take the event: {cause}"),
            Self::Rejected(cause) => write!(f, "the log rejects the event for good: {cause}"),
            Self::Unknown(cause) => {
                write!(f, "the log may have taken the event or not: {cause}")
            }
            Self::OtherEpoch => f.write_str(
                "the log did not take the event, since it has lost its history and begun another epoch",
            ),
        }
    }
}

impl Error for AppendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NotAppended(cause) | Self::Rejected(cause) | Self::Unknown(cause) => Some(cause),
            Self::OtherEpoch => None,
        }
    }
}

/// The error of [`FollowedTopic::publish`](super::FollowedTopic::publish): the event was not published,
/// or may not have been.
#[derive(Debug)]
#[non_exhaustive]
pub enum LogPublishError {
    /// The value did not become an event, and the log was not asked.
    Event(EventError),
    /// The event is one that this node's topic does not take, as it would from the log, and the log was not asked:
    /// [`ReservedId`](PublishError::ReservedId) or [`TooLarge`](PublishError::TooLarge).
    Rejected(PublishError),
    /// The log does not confirm that it has the event. [`may_be_published`](Self::may_be_published) tells
    /// whether it may.
    Append(AppendError),
}

impl LogPublishError {
    /// Returns whether the event may be in the log nevertheless, so that publishing it again may double
    /// it.
    #[must_use]
    pub fn may_be_published(&self) -> bool {
        matches!(self, Self::Append(AppendError::Unknown(_)))
    }
}

impl fmt::Display for LogPublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(error) => error.fmt(f),
            Self::Rejected(error) => error.fmt(f),
            Self::Append(error) => error.fmt(f),
        }
    }
}

impl Error for LogPublishError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Event(error) => Some(error),
            Self::Rejected(error) => Some(error),
            Self::Append(error) => Some(error),
        }
    }
}

// The `cfg` is on the module, too. Here it is for the documentation of an adapter, which names the feature by it.
#[cfg(feature = "event-log")]
impl From<EventError> for LogPublishError {
    fn from(error: EventError) -> Self {
        Self::Event(error)
    }
}

impl From<AppendError> for LogPublishError {
    fn from(error: AppendError) -> Self {
        Self::Append(error)
    }
}

/// The error of a stream, or of a call that waits, whose log was out of reach for as long as it waits:
/// for [`client_wait`](super::FollowedTopicsConfig::client_wait), 30 s by default, or the argument of
/// [`ready`](super::FollowedTopic::ready). A client then reconnects, to this node or another, and
/// resumes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LogStreamError {
    /// The time for which the stream waited for the log.
    pub waited: Duration,
    /// The last error of the log, if there was one.
    pub cause: Option<LogError>,
}

impl fmt::Display for LogStreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { waited, cause } = self;
        write!(f, "the log was not reached for {waited:?}")?;
        match cause {
            Some(cause) => write!(f, ": {cause}"),
            None => f.write_str("; it did not answer"),
        }
    }
}

impl Error for LogStreamError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_ref().map(|cause| cause as _)
    }
}
