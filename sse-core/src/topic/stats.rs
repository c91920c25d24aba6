//! Counters of a topic.

use super::Outcome;

/// Counters and gauges of a [`Topic`](super::Topic).
///
/// Counters only increase while the topic lives, and never wrap around in practice. Reading them takes
/// the topic's lock for a moment, as subscribing does; counting costs next to nothing.
///
/// ```
/// use std::time::Instant;
/// use sse_core::topic::{Topic, TopicConfig};
///
/// let topic = Topic::new(TopicConfig::default(), 0, Instant::now);
/// let subscriber = topic.subscribe();
/// topic.publish("one")?;
/// let stats = topic.stats();
/// assert_eq!((stats.published_events, stats.subscribers), (1, 1));
/// # Ok::<(), sse_core::topic::PublishError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicStats {
    /// The number of published events.
    pub published_events: u64,
    /// The number of bytes of published events, encoded.
    pub published_bytes: u64,
    /// The number of events that subscribers took, each counted once for each of them, without notices.
    pub delivered_events: u64,
    /// The number of bytes of events that subscribers took.
    pub delivered_bytes: u64,
    /// The number of subscribers now.
    pub subscribers: u64,
    /// The number of subscribers whose [outcome](Outcome) was `Fresh`.
    pub fresh: u64,
    /// The number of subscribers whose outcome was `Resumed`.
    pub resumed: u64,
    /// The number of subscribers whose outcome was `Gap`.
    pub gaps: u64,
    /// The number of subscribers whose outcome was `Unknown`.
    pub unknown: u64,
    /// The number of times that a slow subscriber was [cut](super::WhenTooSlow::Cut).
    pub cut: u64,
    /// The number of times that a slow subscriber was [skipped ahead](super::WhenTooSlow::SkipAhead).
    pub skipped_ahead: u64,
    /// The number of events that slow subscribers lost, as far as it was known then.
    pub lost_events: u64,
    /// The number of events in the history now.
    pub retained_events: u64,
    /// The memory of the history now, in bytes.
    pub retained_bytes: u64,
}

impl TopicStats {
    pub(super) fn joined(&mut self, outcome: Outcome) {
        self.subscribers += 1;
        self.count(outcome);
    }

    /// Counts a client that joined in this way.
    pub(super) fn count(&mut self, outcome: Outcome) {
        *match outcome {
            Outcome::Fresh => &mut self.fresh,
            Outcome::Resumed { .. } => &mut self.resumed,
            Outcome::Gap { .. } => &mut self.gaps,
            Outcome::Unknown { .. } => &mut self.unknown,
        } += 1;
    }

    pub(super) fn delivered(&mut self, events: usize, bytes: usize) {
        self.delivered_events += events as u64;
        self.delivered_bytes += bytes as u64;
    }
}
