//! The reasons for which a topic does not take an event.

use std::{error::Error, fmt, io};

use crate::{EventError, EventId};

/// The error of [`Topic::publish`](crate::topic::Topic::publish): nothing was published.
///
/// ```
/// use std::time::Instant;
/// use sse_core::topic::{PublishError, Topic, TopicConfig};
///
/// let topic = Topic::new(TopicConfig::default(), 0, Instant::now);
/// topic.close();
/// assert!(matches!(topic.publish("too late"), Err(PublishError::Closed)));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum PublishError {
    /// The value did not become an event.
    Event(EventError),
    /// The event is larger than the whole history may be.
    TooLarge {
        /// The length of the encoded event in bytes.
        len: usize,
        /// The largest length.
        most: usize,
    },
    /// The history has no room for the event, and the topic drops none for it
    /// ([`WhenFull::Reject`](super::WhenFull::Reject)). Publish it again later only if events leave the
    /// history by their [age](super::TopicConfig::max_age), or if the bound is a budget that others may
    /// free.
    Full {
        /// The bound that is reached.
        bound: HistoryBound,
    },
    /// The event with the given sequence number is not the next one: another publisher numbered one in
    /// between, or one is missing.
    WrongSequence {
        /// The sequence number of the next event.
        next: u64,
    },
    /// The event's ID, which is given here, has the form of the IDs that the topic gives by itself, or
    /// gave before a restart. Choose another form, or leave the ID out.
    ReservedId(EventId),
    /// The topic is closed.
    Closed,
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(error) => error.fmt(f),
            Self::TooLarge { len, most } => write!(
                f,
                "the event is {len} bytes large, and this topic takes {most}; \
                 publish less at a time or raise its `max_bytes`"
            ),
            Self::Full { bound } => write!(
                f,
                "the history has no room for the event by {bound}, and this topic drops no event; \
                 raise the bound, or have the oldest events go (`WhenFull::DropOldest`)"
            ),
            Self::ReservedId(id) => write!(
                f,
                "the id {id} has the form of the topic's own ids; leave the id out, so that the topic sets it"
            ),
            Self::WrongSequence { next } => write!(
                f,
                "the event with the sequence number {next} is next; publish that one, or have the \
                 topic go on elsewhere by `go_on_behind`"
            ),
            Self::Closed => f.write_str("the topic is closed; make a new one to publish more"),
        }
    }
}

/// A bound of a topic's history, in [`PublishError::Full`]. Its `Display` form names the setting to
/// raise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HistoryBound {
    /// [`TopicConfig::max_events`](crate::topic::TopicConfig::max_events).
    Events,
    /// [`TopicConfig::max_bytes`](crate::topic::TopicConfig::max_bytes).
    Bytes,
    /// [`TopicConfig::budget`](crate::topic::TopicConfig::budget), which the history shares with others.
    Budget,
}

impl fmt::Display for HistoryBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Events => "its `max_events`",
            Self::Bytes => "its `max_bytes`",
            Self::Budget => "its `budget`, which it shares with others",
        })
    }
}

impl Error for PublishError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Event(error) => Some(error),
            _ => None,
        }
    }
}

/// Converts an [`EventError`] as its own conversion does. The kind is
/// [`BrokenPipe`](io::ErrorKind::BrokenPipe) where the topic is closed,
/// [`StorageFull`](io::ErrorKind::StorageFull) where it is full, and
/// [`InvalidInput`](io::ErrorKind::InvalidInput) otherwise.
impl From<PublishError> for io::Error {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Event(error) => error.into(),
            PublishError::Closed => Self::new(io::ErrorKind::BrokenPipe, error),
            PublishError::Full { .. } => Self::new(io::ErrorKind::StorageFull, error),
            error => Self::new(io::ErrorKind::InvalidInput, error),
        }
    }
}

impl From<EventError> for PublishError {
    fn from(error: EventError) -> Self {
        Self::Event(error)
    }
}
