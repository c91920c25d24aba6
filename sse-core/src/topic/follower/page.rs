//! The answers and the bells of a log.

use crate::{Event, topic::Position};

/// The largest sequence number that a topic accepts.
pub(super) const LARGEST: u64 = u64::MAX / 2;

/// The positions of a log's oldest and newest event at one moment.
///
/// ```
/// use sse_core::topic::follower::Tails;
///
/// // The log has the events 3 to 17 of its first epoch.
/// let tails = Tails { epoch: 1, oldest: 3, newest: 17 };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tails {
    /// The number of this epoch of the log: a later epoch has a greater number. A log whose newest events
    /// were lost, such as at a failover to a copy that did not have them, begins another epoch.
    pub epoch: u64,
    /// The sequence number of the oldest event in the log; `newest + 1` where it has none.
    pub oldest: u64,
    /// The sequence number of the newest event that was ever appended in this epoch; 0 where there was
    /// none.
    pub newest: u64,
}

impl Tails {
    /// Returns the tails, if their numbers are consistent.
    pub(super) fn checked(self) -> Option<Self> {
        let newest = self.newest;
        let oldest = self.oldest.max(1);
        (newest <= LARGEST && oldest <= newest + 1).then_some(Self { oldest, ..self })
    }
}

/// Events of a log and the log's tails at that moment: the answer to a [`PageRequest`].
///
/// ```
/// use sse_core::{Event, topic::follower::{Page, Tails}};
///
/// let tails = Tails { epoch: 1, oldest: 1, newest: 2 };
/// let page = Page::new(tails, vec![(1, Event::new("one")), (2, Event::new("two"))]);
/// assert_eq!(page.events.len(), 2);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Page {
    /// The tails of the log at that moment.
    pub tails: Tails,
    /// Events of the tails' epoch, each with its sequence number, oldest first.
    pub events: Vec<(u64, Event)>,
}

impl Page {
    /// Creates a page of these events, oldest first, each with its sequence number; `tails` are those of
    /// the log at the same moment.
    #[must_use]
    pub fn new(tails: Tails, events: Vec<(u64, Event)>) -> Self {
        Self { tails, events }
    }

    /// Returns the page without events beyond the limit of the request.
    pub(super) fn cut(mut self, most: usize) -> Self {
        self.events.truncate(most);
        self
    }
}

/// A request for the events after a place in a log, oldest first.
///
/// The answer is a [`Page`]. If the log is in another epoch than `after`, the page has no events, and its
/// tails say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PageRequest {
    /// The place after which the page begins.
    pub after: Position,
    /// The largest number of events. 0 asks for the tails only.
    pub limit: usize,
}

impl PageRequest {
    /// Creates a request for at most `limit` events after this place.
    #[must_use]
    pub fn new(after: Position, limit: usize) -> Self {
        Self { after, limit }
    }

    pub(super) fn tails() -> Self {
        Self::new(Position::new(0, 0), 0)
    }
}

/// The notice that an event was appended to a log.
///
/// Bells may be lost, doubled, reordered and late. They make a follower fast; the events that it delivers
/// do not depend on them.
///
/// ```
/// use sse_core::{Event, topic::{Position, follower::Bell}};
///
/// let bell = Bell::new(Position::new(1, 3)).with_event(Event::new("three"));
/// assert_eq!(bell.position.sequence(), 3);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Bell {
    /// The event's place.
    pub position: Position,
    /// The event, if the bell carries it. Otherwise the follower reads it from the log.
    pub event: Option<Event>,
}

impl Bell {
    /// Creates a bell for the event at this position, without the event: the follower reads it from the
    /// log.
    #[must_use]
    pub fn new(position: Position) -> Self {
        Self {
            position,
            event: None,
        }
    }

    /// Adds the event, which saves the follower a read. Leave out one that is too large for a
    /// notification.
    #[must_use]
    pub fn with_event(mut self, event: Event) -> Self {
        self.event = Some(event);
        self
    }
}
