//! The error of a subscriber that is too slow.

use std::{error::Error, fmt};

/// The error of a subscriber whose next event has left the history that it reads from.
///
/// A handler's stream that yields this error ends its connection with `CloseReason::SlowConsumer`. A
/// topic's subscriber yields it; a stream over another history may do so, too.
///
/// ```
/// use sse_core::SlowConsumer;
///
/// assert_eq!(SlowConsumer::new(3).lost, 3);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SlowConsumer {
    /// The number of events that the subscriber has lost so far.
    pub lost: u64,
}

impl SlowConsumer {
    /// Creates the error of a subscriber that has lost this many events, for a stream over a history that
    /// is not a topic.
    #[must_use]
    pub const fn new(lost: u64) -> Self {
        Self { lost }
    }
}

impl fmt::Display for SlowConsumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lost } = self;
        write!(
            f,
            "the client was too slow for its topic, which no longer has {lost} of its events; \
             keep more events, or skip slow clients ahead"
        )
    }
}

impl Error for SlowConsumer {}
