//! The error of a subscriber that is too slow.

use std::{error::Error, fmt};

/// A subscriber was so slow that its next event is no longer in the history that it reads from.
///
/// A handler's stream that ends with this error ends its connection with
/// `CloseReason::SlowConsumer`. A topic's subscriber does so by itself; a stream over a history of
/// your own may do the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SlowConsumer {
    /// How many events it has lost so far.
    pub lost: u64,
}

impl SlowConsumer {
    /// Creates the error of a subscriber that has lost so many events.
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
