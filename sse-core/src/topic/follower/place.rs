//! The place of a follower in the log, and the later events that it holds.

use std::{collections::BTreeMap, time::Instant};

use super::{FollowerConfig, FollowerOutput, Page, Tails};
use crate::{Event, topic::Position};

/// The place of a follower in one epoch of the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    /// The place after the last delivered event.
    pub(super) behind: Position,
    ahead: Ahead,
    /// Since when the next event is missing, although the log returned later ones.
    pub(super) hole_since: Option<Instant>,
}

/// Events that came before an event in front of them.
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

    /// Drops the last events beyond the bounds.
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

    /// Returns the sequence number of the next event.
    pub(super) fn next(&self) -> u64 {
        self.behind.sequence() + 1
    }

    /// Holds an event that came by a bell.
    pub(super) fn put(&mut self, config: &FollowerConfig, sequence: u64, event: Event) {
        // The next event is not held: `deliver` takes it at once.
        let is_next = sequence == self.next();
        self.ahead.put(sequence, event);
        if !is_next {
            self.ahead.bound(config);
        }
    }

    /// Holds the events of a page. Events that are held already are the same.
    pub(super) fn put_page(&mut self, page: Page, limit: usize) {
        let next = self.next();
        for (sequence, event) in page.events.into_iter().take(limit) {
            if sequence >= next {
                self.ahead.put(sequence, event);
            }
        }
    }

    /// Delivers the next events, up to the first one that is missing.
    pub(super) fn deliver(&mut self, mut out: impl FnMut(FollowerOutput)) {
        while let Some(event) = self.ahead.take(self.next()) {
            self.behind = Position::new(self.epoch(), self.next());
            self.hole_since = None;
            out(FollowerOutput::Event(self.behind, event));
        }
    }

    /// Skips the events that the log no longer has, and delivers the next ones.
    pub(super) fn pass_over_trimmed(&mut self, tails: Tails, mut out: impl FnMut(FollowerOutput)) {
        self.deliver(&mut out);
        while self.next() < tails.oldest {
            self.pass_over(tails.oldest, &mut out);
        }
    }

    /// Skips the events before the first one that is held, or before `end`.
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

    /// Drops the events beyond the bounds, after a page was taken.
    pub(super) fn bound(&mut self, config: &FollowerConfig) {
        self.ahead.bound(config);
    }
}
