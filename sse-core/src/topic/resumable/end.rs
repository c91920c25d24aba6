//! How a resumable stream ends, and what its clients are told.

use std::fmt;

use crate::{
    Event, EventType, Text,
    stream_error::StreamError,
    topic::{HistoryBound, TopicEnd},
};

/// How a resumable stream ended.
///
/// The producer's clean-up callbacks get it. Clients get it as the last event of the stream: of the type
/// [`end_event_type`](super::ResumableConfig::end_event_type), with [JSON](Self::to_json) as its data and
/// with an ID. Clients do not get reasons and errors.
///
/// | end | [name](Self::name) | data of the last event |
/// |---|---|---|
/// | `Complete` | `complete` | `{"outcome":"complete"}` |
/// | `Failed` | `failed` | `{"outcome":"failed"}` |
/// | `Panicked` | `panicked` | `{"outcome":"failed"}` |
/// | `Dropped` | `dropped` | `{"outcome":"failed"}` |
/// | `TooLarge` | `too_large` | `{"outcome":"too_large"}` |
/// | `Stopped` | `stopped` | `{"outcome":"stopped"}` |
/// | `Abandoned` | `abandoned` | `{"outcome":"abandoned"}` |
/// | `Shutdown` | `shutdown` | `{"outcome":"shutdown"}` |
/// | `Lost` | `lost` | `{"outcome":"lost"}` |
/// | `Rejected` | `rejected` | `{"outcome":"failed"}` |
///
/// ```
/// use sse_core::topic::resumable::StreamEnd;
///
/// let end = StreamEnd::Stopped("the user has read enough".into());
/// assert_eq!(end.to_string(), "stopped: the user has read enough");
/// assert_eq!(end.to_json(), r#"{"outcome":"stopped"}"#);
/// ```
#[derive(Clone, Debug, PartialEq, Hash)]
#[non_exhaustive]
pub enum StreamEnd {
    /// The producer ended by itself.
    Complete,
    /// The producer failed, or yielded a value that cannot become an event. This is the error.
    Failed(StreamError),
    /// The producer panicked.
    Panicked,
    /// There was no room for an event, because of this bound, and the history drops none.
    TooLarge(HistoryBound),
    /// The stream was stopped, for this reason.
    Stopped(Text),
    /// No client listened for the [grace time](super::ResumableConfig::grace).
    Abandoned,
    /// The server of a listener was shut down, and the producer did not end in
    /// [time](super::ResumableConfig::shutdown_grace).
    Shutdown,
    /// The producer's task was dropped, such as with its runtime, or the last handle of the streams was.
    Dropped,
    /// The node of the producer was lost, the log that nodes share lost the stream's history, or the log
    /// cannot say whether it has an event. Streams of one process never end with this.
    Lost,
    /// The log that nodes share rejects the stream's events for good, with this error, such as one of missing
    /// permissions. Streams of one process never end with this.
    Rejected(StreamError),
}

impl StreamEnd {
    /// Returns a short, fixed name for counters and logs: see the table above.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Failed(_) => "failed",
            Self::Panicked => "panicked",
            Self::TooLarge(_) => "too_large",
            Self::Stopped(_) => "stopped",
            Self::Abandoned => "abandoned",
            Self::Shutdown => "shutdown",
            Self::Dropped => "dropped",
            Self::Lost => "lost",
            Self::Rejected(_) => "rejected",
        }
    }

    /// Returns the data that clients get: see the table above.
    #[must_use]
    pub fn to_json(&self) -> String {
        let outcome = match self {
            // Which fault of the server it is does not concern clients.
            Self::Panicked | Self::Dropped | Self::Rejected(_) => "failed",
            end => end.name(),
        };
        format!(r#"{{"outcome":"{outcome}"}}"#)
    }

    /// Returns the last event of the stream, of this type, with [`to_json`](Self::to_json) as its data
    /// and without an ID.
    #[must_use]
    pub fn to_event(&self, event_type: EventType) -> Event {
        Event::new(self.to_json()).of_type(event_type)
    }
}

/// Returns the end of the topic that has the stream's history.
impl From<&StreamEnd> for TopicEnd {
    fn from(end: &StreamEnd) -> Self {
        match end {
            StreamEnd::Complete => Self::Complete,
            StreamEnd::Dropped => Self::Dropped,
            end => Self::Failed(end.to_string().into()),
        }
    }
}

impl fmt::Display for StreamEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete => f.write_str("the stream is complete"),
            Self::Failed(error) => write!(f, "the producer failed: {error}"),
            Self::Panicked => f.write_str("the producer panicked"),
            Self::TooLarge(bound) => write!(f, "the history has no room left by {bound}"),
            Self::Stopped(reason) => write!(f, "stopped: {reason}"),
            Self::Abandoned => f.write_str("no client listened for too long"),
            Self::Shutdown => f.write_str("the server was shut down"),
            Self::Dropped => f.write_str("the producer's task was dropped"),
            Self::Lost => f.write_str("the producer's node, or its history, was lost"),
            Self::Rejected(error) => write!(f, "the log rejects the stream's events: {error}"),
        }
    }
}
