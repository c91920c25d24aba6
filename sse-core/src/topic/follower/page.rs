//! What a log tells: bells and pages.

use crate::{Event, topic::Position};

/// The largest sequence number that a topic takes.
pub(super) const LARGEST: u64 = u64::MAX / 2;

/// The positions of a log's oldest and newest event at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tails {
    /// What tells this life of the log from others: a later life has a greater number. A log whose newest
    /// events were lost, as at a failover to a copy that did not have them, begins another life.
    pub epoch: u64,
    /// The sequence number of the oldest event that the log holds; `newest + 1` where it holds none.
    pub oldest: u64,
    /// The sequence number of the newest event that was ever appended in this epoch; 0 where there was
    /// none.
    pub newest: u64,
}

impl Tails {
    /// The same, where the numbers make sense.
    pub(super) fn checked(self) -> Option<Self> {
        let newest = self.newest;
        let oldest = self.oldest.max(1);
        (newest <= LARGEST && oldest <= newest + 1).then_some(Self { oldest, ..self })
    }
}

/// Events of a log and the log's tails at that moment: the answer to a [`PageRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Page {
    /// Where the log began and ended.
    pub tails: Tails,
    /// Events of the tails' epoch, each with its sequence number, oldest first.
    pub events: Vec<(u64, Event)>,
}

impl Page {
    /// Creates a page of these events.
    #[must_use]
    pub fn new(tails: Tails, events: Vec<(u64, Event)>) -> Self {
        Self { tails, events }
    }

    /// The page, where the log gave no more than was asked for.
    pub(super) fn cut(mut self, most: usize) -> Self {
        self.events.truncate(most);
        self
    }
}

/// What is to be read from a log: the events behind a place, oldest first.
///
/// The answer is a [`Page`]. Where the log is in another epoch than `after`, the page has no events: its
/// tails tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PageRequest {
    /// The place behind which the page begins.
    pub after: Position,
    /// How many events it has at most. 0 asks for the tails alone.
    pub limit: usize,
}

impl PageRequest {
    /// Creates a request for `limit` events behind this place.
    #[must_use]
    pub fn new(after: Position, limit: usize) -> Self {
        Self { after, limit }
    }

    pub(super) fn tails() -> Self {
        Self::new(Position::new(0, 0), 0)
    }
}

/// The news that an event was appended to a log.
///
/// Bells may be lost, doubled, reordered and late. They make a follower fast; what it delivers does not
/// depend on them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Bell {
    /// The event's place.
    pub position: Position,
    /// The event, where the bell carries it. Otherwise it is read from the log.
    pub event: Option<Event>,
}

impl Bell {
    /// Creates a bell that carries no event.
    #[must_use]
    pub fn new(position: Position) -> Self {
        Self {
            position,
            event: None,
        }
    }

    /// The same with the event.
    #[must_use]
    pub fn with_event(mut self, event: Event) -> Self {
        self.event = Some(event);
        self
    }
}
