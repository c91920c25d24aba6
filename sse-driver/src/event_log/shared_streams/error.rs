//! The errors of the calls of shared streams.

use std::{error::Error, fmt};

use ::http::StatusCode;
use sse_core::topic::resumable::StartError;

use crate::{
    event_log::{AppendError, LogStreamError},
    router::Refusal,
};

/// The error of a call of [`SharedStreams`](super::SharedStreams). A handler's `?` converts it into a
/// refusal: that of the [`StartError`], or a 503 if the log is in trouble.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SharedStreamError {
    /// There is no room for the stream on this node, its name is too long, or it is no longer kept.
    Start(StartError),
    /// The log was not reached in [time](crate::event_log::FollowedTopicsConfig::client_wait). What was asked for may be
    /// done later: a start, or a stop.
    Log(LogStreamError),
    /// The stream was not started, because the log did not accept the claim. If it [cannot
    /// say](AppendError::Unknown) whether it did, a stream that fails may take the name for a while.
    Claim(AppendError),
}

impl fmt::Display for SharedStreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(error) => error.fmt(f),
            Self::Log(error) => error.fmt(f),
            Self::Claim(error) => write!(f, "the stream was not started: {error}"),
        }
    }
}

impl Error for SharedStreamError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Start(error) => Some(error),
            Self::Log(error) => Some(error),
            Self::Claim(error) => Some(error),
        }
    }
}

// The `cfg` is on the module, too. Here it is for the documentation of an adapter, which names the feature by it.
#[cfg(feature = "event-log")]
impl From<StartError> for SharedStreamError {
    fn from(error: StartError) -> Self {
        Self::Start(error)
    }
}

impl From<LogStreamError> for SharedStreamError {
    fn from(error: LogStreamError) -> Self {
        Self::Log(error)
    }
}

// The `cfg` is on the module, too. Here it is for the documentation of an adapter, which names the feature by it.
#[cfg(feature = "event-log")]
impl From<SharedStreamError> for Refusal {
    /// Converts to the refusal of the [`StartError`], or to a 503 whose text does not tell the client
    /// why.
    fn from(error: SharedStreamError) -> Self {
        match error {
            SharedStreamError::Start(error) => error.into(),
            SharedStreamError::Log(_) | SharedStreamError::Claim(_) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "The streams cannot be reached. Try again later.\n",
            ),
        }
    }
}
