//! What a topic counts.

use super::Outcome;

/// What a [`Topic`](super::Topic) has done so far, and what it is doing.
///
/// Counters go up for as long as the topic lives, and wrap around never in practice. Reading them
/// takes the topic's lock for a moment, as subscribing does; counting costs nothing to speak of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicStats {
    /// How many events were published.
    pub published_events: u64,
    /// How many bytes these were, encoded.
    pub published_bytes: u64,
    /// How many events subscribers took, each counted for each of them, and without notices.
    pub delivered_events: u64,
    /// How many bytes these were.
    pub delivered_bytes: u64,
    /// How many subscribers there are now.
    pub subscribers: u64,
    /// How many subscribers there were whose [outcome](Outcome) was `Fresh`.
    pub fresh: u64,
    /// The same for `Resumed`.
    pub resumed: u64,
    /// The same for `Gap`.
    pub gaps: u64,
    /// The same for `Unknown`.
    pub unknown: u64,
    /// How often a subscriber was too slow and was [cut](super::WhenTooSlow::Cut).
    pub cut: u64,
    /// How often one was too slow and was [skipped ahead](super::WhenTooSlow::SkipAhead).
    pub skipped_ahead: u64,
    /// How many events those who were too slow lost, as far as it was known then.
    pub lost_events: u64,
    /// How many events the history holds now.
    pub retained_events: u64,
    /// How many bytes of memory the history takes now.
    pub retained_bytes: u64,
}

impl TopicStats {
    pub(super) fn joined(&mut self, outcome: Outcome) {
        self.subscribers += 1;
        self.count(outcome);
    }

    /// A client joined in this way.
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
