//! A log in memory.

use sse_core::{
    Event,
    topic::{
        Position,
        follower::{Bell, Page, PageRequest, Tails},
    },
};

#[derive(Clone, Debug)]
pub(crate) struct Log {
    pub(crate) tails: Tails,
    /// Events that cannot be read, although the log counts them.
    pub(crate) hidden: Vec<u64>,
}

impl Log {
    pub(crate) fn new(newest: u64) -> Self {
        Self {
            tails: Tails {
                epoch: crate::EPOCH,
                oldest: 1,
                newest,
            },
            hidden: Vec::new(),
        }
    }

    /// Appends `count` events, and returns the last one's bell.
    pub(crate) fn append(&mut self, count: u64) -> Bell {
        self.tails.newest += count;
        self.bell(self.tails.newest)
    }

    pub(crate) fn bell(&self, sequence: u64) -> Bell {
        Bell::new(Position::new(self.tails.epoch, sequence))
    }

    pub(crate) fn full_bell(&self, sequence: u64) -> Bell {
        self.bell(sequence).with_event(self.event(sequence))
    }

    pub(crate) fn event(&self, sequence: u64) -> Event {
        Event::new(format!("{}/{sequence}", self.tails.epoch))
    }

    /// Drops all events but the newest.
    pub(crate) fn trim(&mut self, keep: u64) {
        let Tails { oldest, newest, .. } = self.tails;
        self.tails.oldest = oldest.max((newest + 1).saturating_sub(keep));
    }

    pub(crate) fn begin_anew(&mut self) {
        self.tails = Tails {
            epoch: self.tails.epoch + 1,
            oldest: 1,
            newest: 0,
        };
        self.hidden.clear();
    }

    pub(crate) fn page(&self, request: PageRequest) -> Page {
        let Tails {
            epoch,
            oldest,
            newest,
        } = self.tails;
        if request.after.epoch() != epoch {
            return Page::new(self.tails, Vec::new());
        }
        let first = request.after.sequence().saturating_add(1).max(oldest);
        let events = (first..=newest)
            .filter(|sequence| !self.hidden.contains(sequence))
            .take(request.limit)
            .map(|sequence| (sequence, self.event(sequence)));
        Page::new(self.tails, events.collect())
    }
}
