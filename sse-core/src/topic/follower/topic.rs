//! Access to a topic for code that also reads its log.

use crate::topic::{Outcome, Position, Subscriber, Topic};

impl Topic {
    /// Returns how a client with this last event ID would join.
    pub(super) fn join(&self, last_event_id: &str) -> Outcome {
        self.with_state(|_, state| state.log.join(Some(last_event_id), None).1)
    }

    /// Counts how a client joined.
    pub(super) fn count(&self, outcome: Outcome) {
        self.with_state(|_, state| state.counts.count(outcome));
    }

    /// Returns the sequence number of the oldest event in the history, and the number of events.
    pub(super) fn held(&self) -> (u64, u64) {
        self.with_state(|_, state| (state.log.first(), state.log.held()))
    }

    /// Returns whether events after this place have left the history.
    pub(super) fn has_passed(&self, place: Position) -> bool {
        self.with_state(|_, state| {
            place.epoch() == state.log.epoch() && place.sequence() + 1 < state.log.first()
        })
    }

    /// Returns a subscriber that continues after this place, for a client that was told how it joined;
    /// `None` where the history does not have the next event, or does not have it yet.
    pub(super) fn subscriber_behind(&self, place: Position) -> Option<Subscriber> {
        self.with_state(|shared, state| {
            let next = place.sequence() + 1;
            let held = state.log.first()..=state.log.next();
            let is_here = place.epoch() == state.log.epoch() && held.contains(&next);
            is_here.then(|| Subscriber::quiet(shared, state, next))
        })
    }

    /// Returns a subscriber at the topic's end.
    pub(super) fn quiet_subscriber(&self) -> Subscriber {
        self.with_state(|shared, state| {
            let next = state.log.next();
            Subscriber::quiet(shared, state, next)
        })
    }
}
