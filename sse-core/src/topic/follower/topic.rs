//! What a topic shows those who read its log, too.

use crate::topic::{Outcome, Position, Subscriber, Topic};

impl Topic {
    /// How a client with this last event ID would join.
    pub(super) fn join(&self, last_event_id: &str) -> Outcome {
        self.with_state(|_, state| state.log.join(Some(last_event_id), None).1)
    }

    /// Takes note of how a client joined.
    pub(super) fn count(&self, outcome: Outcome) {
        self.with_state(|_, state| state.counts.count(outcome));
    }

    /// The sequence number of the oldest event that is held, and how many are.
    pub(super) fn held(&self) -> (u64, u64) {
        self.with_state(|_, state| (state.log.first(), state.log.held()))
    }

    /// Whether events behind this place were in the history, and are not held any more.
    pub(super) fn has_passed(&self, place: Position) -> bool {
        self.with_state(|_, state| {
            place.epoch() == state.log.epoch() && place.sequence() + 1 < state.log.first()
        })
    }

    /// A subscriber that goes on behind this place, for a client that was told how it joined; `None`
    /// where the next event is not held, or has not come yet in front of others.
    pub(super) fn subscriber_behind(&self, place: Position) -> Option<Subscriber> {
        self.with_state(|shared, state| {
            let next = place.sequence() + 1;
            let held = state.log.first()..=state.log.next();
            let is_here = place.epoch() == state.log.epoch() && held.contains(&next);
            is_here.then(|| Subscriber::quiet(shared, state, next))
        })
    }

    /// A subscriber that is at the topic's end.
    pub(super) fn quiet_subscriber(&self) -> Subscriber {
        self.with_state(|shared, state| {
            let next = state.log.next();
            Subscriber::quiet(shared, state, next)
        })
    }
}
