//! The events of the types that a subscriber wants.

use std::sync::Arc;

use super::{EncodedEvents, wire};

/// Whether events of this type are wanted.
pub(super) type Wanted = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// The types that a subscriber wants, and the place that the client knows.
pub(super) struct Selection {
    wanted: Wanted,
    /// The client's last event ID is that of the event before this one.
    told: u64,
}

/// The part taken of some events.
pub(super) struct Taken {
    /// The sequence number to continue with.
    pub(super) next: u64,
    pub(super) selected: Option<Selected>,
}

pub(super) enum Selected {
    /// The first wanted events that are contiguous, shared with all other readers.
    Events(EncodedEvents),
    /// No event for so long that the client should be told its place.
    Nothing,
}

impl Selection {
    pub(super) fn new(wanted: Wanted, next: u64) -> Self {
        Self { wanted, told: next }
    }

    /// Takes the wanted ones of `events`, the first of which has the sequence number `start`, from a
    /// history with room for `capacity` events.
    pub(super) fn take(&mut self, events: &EncodedEvents, start: u64, capacity: u64) -> Taken {
        let (mut skipped, mut count) = (0, 0);
        let (mut from, mut len) = (0, 0);
        for event in wire::events(events.as_bytes()) {
            if (self.wanted)(wire::event_type(event)) {
                count += 1;
                len += event.len();
            } else if count > 0 {
                break;
            } else {
                skipped += 1;
                from += event.len();
            }
        }
        let next = start + skipped + count;
        let selected = if count > 0 {
            self.told = next;
            let shared = events.shared.slice(from..from + len);
            // The number of events is at most that in memory.
            Some(Selected::Events(EncodedEvents::new(shared, count as usize)))
        } else if next.saturating_sub(self.told) > capacity / 4 {
            self.told = next;
            Some(Selected::Nothing)
        } else {
            None
        };
        Taken { next, selected }
    }
}
