//! Where a follower is in the log, and the events that it has already from beyond.

use std::{collections::BTreeMap, time::Instant};

use super::{FollowerConfig, FollowerOutput, Page, Tails};
use crate::{Event, topic::Position};

/// The place of a follower in one epoch of the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    /// Behind the last event that was delivered.
    pub(super) behind: Position,
    ahead: Ahead,
    /// Since when the next event is missing, though the log returned others behind it.
    pub(super) hole_since: Option<Instant>,
}

/// Events that came before one in front of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Ahead {
    events: BTreeMap<u64, Event>,
    bytes: usize,
}

impl Ahead {
    fn put(&mut self, sequence: u64, event: Event) {
        if !self.events.contains_key(&sequence) {
            self.bytes += event.encoded_len();
            self.events.insert(sequence, event);
        }
    }

    /// Drops those that are further ahead than there is room for.
    fn bound(&mut self, config: &FollowerConfig) {
        while self.events.len() > config.max_ahead_events || self.bytes > config.max_ahead_bytes {
            let Some((_, event)) = self.events.pop_last() else {
                return;
            };
            self.bytes -= event.encoded_len();
        }
    }

    fn take(&mut self, sequence: u64) -> Option<Event> {
        let event = self.events.remove(&sequence)?;
        self.bytes -= event.encoded_len();
        Some(event)
    }

    fn first(&self) -> Option<u64> {
        self.events.first_key_value().map(|(first, _)| *first)
    }
}

impl Place {
    pub(super) fn new(behind: Position) -> Self {
        Self {
            behind,
            ahead: Ahead::default(),
            hole_since: None,
        }
    }

    pub(super) fn epoch(&self) -> u64 {
        self.behind.epoch()
    }

    /// The sequence number of the next event.
    pub(super) fn next(&self) -> u64 {
        self.behind.sequence() + 1
    }

    /// An event came by a bell.
    pub(super) fn put(&mut self, config: &FollowerConfig, sequence: u64, event: Event) {
        // What is next is not held: `deliver` takes it at once.
        let is_next = sequence == self.next();
        self.ahead.put(sequence, event);
        if !is_next {
            self.ahead.bound(config);
        }
    }

    /// The events of a page came. Those that are here already are the same.
    pub(super) fn put_page(&mut self, page: Page, limit: usize) {
        let next = self.next();
        for (sequence, event) in page.events.into_iter().take(limit) {
            if sequence >= next {
                self.ahead.put(sequence, event);
            }
        }
    }

    /// Delivers what is next, as long as it is there.
    pub(super) fn deliver(&mut self, mut out: impl FnMut(FollowerOutput)) {
        while let Some(event) = self.ahead.take(self.next()) {
            self.behind = Position::new(self.epoch(), self.next());
            self.hole_since = None;
            out(FollowerOutput::Event(self.behind, event));
        }
    }

    /// Passes over what the log no longer holds, and delivers what is next.
    pub(super) fn pass_over_trimmed(&mut self, tails: Tails, mut out: impl FnMut(FollowerOutput)) {
        self.deliver(&mut out);
        while self.next() < tails.oldest {
            self.pass_over(tails.oldest, &mut out);
        }
    }

    /// Passes over the events before the first one that is held, or before `end`.
    pub(super) fn pass_over(&mut self, end: u64, mut out: impl FnMut(FollowerOutput)) {
        let to = self.ahead.first().map_or(end, |first| first.min(end));
        let events = to.saturating_sub(self.next());
        if events > 0 {
            self.behind = Position::new(self.epoch(), to - 1);
            self.hole_since = None;
            let behind = self.behind;
            out(FollowerOutput::Lost { events, behind });
        }
        self.deliver(out);
    }

    /// Drops what there is no room for once a page was taken.
    pub(super) fn bound(&mut self, config: &FollowerConfig) {
        self.ahead.bound(config);
    }
}
