//! Counts of ended connections by their reason.

use std::fmt;

use super::{CloseReason, Deadline};
use crate::sync::{AtomicU64, Ordering::Relaxed};

/// The numbers of connections that ended for each [`CloseReason`].
///
/// Details of a single connection, such as the text of an error, are not kept: each reason is one count,
/// under its [name](CloseReason::name).
///
/// ```
/// use sse_core::lifecycle::{CloseCounters, CloseReason};
///
/// let counters = CloseCounters::default();
/// counters.count(&CloseReason::ClientWentAway);
///
/// let closed = counters.counts();
/// assert_eq!(closed.of(&CloseReason::ClientWentAway), 1);
/// for (reason, count) in closed.iter() {
///     println!("{count} ended by {reason}");
/// }
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CloseCounts([u64; NAMES.len()]);

/// The names of the reasons without a deadline, followed by those of the deadlines.
const NAMES: [&str; WITHOUT_DEADLINE + Deadline::ALL.len()] = [
    "stream_ended",
    "response_sent",
    "client_went_away",
    "rejected",
    "slow_consumer",
    "stream_error",
    "handler_panicked",
    "shutdown",
    "task_dropped",
    "lifetime_over",
    "ended",
    "head_timeout",
    "body_timeout",
    "respond_timeout",
    "stall_timeout",
    "drain_timeout",
    "keep_alive_timeout",
];
const WITHOUT_DEADLINE: usize = 11;

impl CloseReason {
    /// Returns a short, fixed name of the reason for counters and logs, such as `client_went_away` or
    /// `stall_timeout`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        NAMES.get(self.index()).copied().unwrap_or_default()
    }

    /// Returns the position of the reason in a table of all reasons.
    fn index(&self) -> usize {
        match self {
            Self::StreamEnded => 0,
            Self::ResponseSent => 1,
            Self::ClientWentAway => 2,
            Self::Rejected(_) => 3,
            Self::SlowConsumer => 4,
            Self::StreamError(_) => 5,
            Self::HandlerPanicked => 6,
            Self::Shutdown => 7,
            Self::TaskDropped => 8,
            Self::LifetimeOver => 9,
            Self::Ended(_) => 10,
            Self::TimedOut(deadline) => WITHOUT_DEADLINE + *deadline as usize,
        }
    }
}

impl CloseCounts {
    /// The number of reasons.
    const LEN: usize = NAMES.len();

    /// Returns the number of connections that ended for this reason. Details, such as the status of a
    /// rejection or the text of an error, make no difference.
    #[must_use]
    pub fn of(&self, reason: &CloseReason) -> u64 {
        self.0.get(reason.index()).copied().unwrap_or_default()
    }

    /// Returns every reason's [name](CloseReason::name) with its count, including those that never
    /// occurred, in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
        NAMES.into_iter().zip(self.0)
    }

    /// Returns the number of all ended connections.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

impl Default for CloseCounts {
    fn default() -> Self {
        Self([0; Self::LEN])
    }
}

/// Counts ended connections by [`CloseReason`], from any number of threads.
///
/// ```
/// use sse_core::lifecycle::{CloseCounters, CloseReason};
///
/// let counters = CloseCounters::default();
/// counters.count(&CloseReason::StreamEnded);
/// assert_eq!(counters.counts().of(&CloseReason::StreamEnded), 1);
/// assert_eq!(counters.counts().total(), 1);
/// ```
#[derive(Default)]
pub struct CloseCounters([AtomicU64; NAMES.len()]);

impl CloseCounters {
    /// Counts a connection that ended for this reason.
    pub fn count(&self, reason: &CloseReason) {
        if let Some(counter) = self.0.get(reason.index()) {
            counter.fetch_add(1, Relaxed);
        }
    }

    /// Returns the counts so far. Each is exact, but two of them may have been read at slightly different
    /// moments.
    #[must_use]
    pub fn counts(&self) -> CloseCounts {
        CloseCounts(self.0.each_ref().map(|counter| counter.load(Relaxed)))
    }
}

/// Shows the reasons that occurred, by their names.
impl fmt::Debug for CloseCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let occurred = self.iter().filter(|(_, count)| *count > 0);
        f.debug_map().entries(occurred).finish()
    }
}

impl fmt::Debug for CloseCounters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.counts().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use ::http::StatusCode;

    use super::*;

    #[test]
    fn what_occurred_is_shown_by_its_name() {
        let counters = CloseCounters::default();
        assert_eq!(format!("{:?}", counters.counts()), "{}");
        counters.count(&CloseReason::ClientWentAway);
        counters.count(&CloseReason::ClientWentAway);
        counters.count(&CloseReason::TimedOut(Deadline::Stall));
        let shown = r#"{"client_went_away": 2, "stall_timeout": 1}"#;
        assert_eq!(format!("{:?}", counters.counts()), shown);
        assert_eq!(format!("{counters:?}"), shown);
    }

    #[test]
    fn every_reason_has_a_name_and_no_two_have_the_same() {
        let mut reasons = vec![
            (CloseReason::StreamEnded, "stream_ended"),
            (CloseReason::ResponseSent, "response_sent"),
            (CloseReason::ClientWentAway, "client_went_away"),
            (CloseReason::Rejected(StatusCode::BAD_REQUEST), "rejected"),
            (CloseReason::SlowConsumer, "slow_consumer"),
            (CloseReason::StreamError("x".into()), "stream_error"),
            (CloseReason::HandlerPanicked, "handler_panicked"),
            (CloseReason::Shutdown, "shutdown"),
            (CloseReason::TaskDropped, "task_dropped"),
            (CloseReason::LifetimeOver, "lifetime_over"),
            (CloseReason::Ended("x".into()), "ended"),
        ];
        let deadlines = Deadline::ALL
            .map(|deadline| (deadline, format!("{deadline:?}_timeout").to_lowercase()));
        for (deadline, name) in &deadlines {
            reasons.push((CloseReason::TimedOut(*deadline), name));
        }
        assert_eq!(reasons.len(), CloseCounts::LEN);
        for (place, (reason, name)) in reasons.iter().enumerate() {
            assert_eq!(reason.name().replace("keep_alive", "keepalive"), *name);
            assert_eq!(reason.index(), place);
        }
    }
}
