//! What is going to happen when.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use crate::network::{LinkId, Side};

/// The number of a client.
pub(crate) type ClientId = usize;

/// More happenings than this are taken for a livelock.
const MOST: u64 = 50_000_000;

/// How many of the last happenings are printed with a failure.
const REMEMBERED: usize = 60;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Happening {
    /// What was sent to this side may be there.
    Arrive(LinkId, Side),
    /// This side may be able to write on.
    Writable(LinkId, Side),
    /// The answer to a dial.
    Dialed(LinkId),
    /// What fate had for this link.
    Trouble(LinkId),
    /// Whether the client's end has acknowledged what the server sent.
    LookForAcknowledgement(LinkId),
    /// The client's system has asked in vain whether the server is there.
    ProbesFail(LinkId),
    /// The server's deadline for a connection, or its handler's answer.
    ServerAlarm(LinkId),
    /// The client's deadline, or it has time again.
    ClientAlarm(ClientId),
    Publish,
    Join(ClientId),
    Leave(ClientId),
    ServerStops,
    ServerIsKilled,
    ServerStarts,
}

/// Virtual time, and what is to come in it.
#[derive(Debug)]
pub(crate) struct Agenda {
    start: Instant,
    now: Instant,
    entries: BTreeMap<(Instant, u64), Happening>,
    count: u64,
    past: VecDeque<(Duration, Happening)>,
}

impl Agenda {
    pub(crate) fn new() -> Self {
        let start = Instant::now();
        Self {
            start,
            now: start,
            entries: BTreeMap::new(),
            count: 0,
            past: VecDeque::new(),
        }
    }

    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    pub(crate) fn at(&mut self, time: Instant, what: Happening) {
        self.count += 1;
        assert!(self.count < MOST, "livelock");
        self.entries.insert((time.max(self.now), self.count), what);
    }

    pub(crate) fn after(&mut self, time: Duration, what: Happening) {
        self.at(self.now + time, what);
    }

    /// Moves on to what happens next, if that is before `end`, and otherwise to `end`.
    pub(crate) fn next(&mut self, end: Instant) -> Option<Happening> {
        let first = self.entries.first_entry();
        let Some(first) = first.filter(|entry| entry.key().0 <= end) else {
            self.now = end;
            return None;
        };
        let ((time, _), what) = first.remove_entry();
        self.now = time;
        self.past.push_back((self.now - self.start, what));
        if self.past.len() > REMEMBERED {
            self.past.pop_front();
        }
        Some(what)
    }

    /// What is to come, the troubles of links that are no more left out.
    pub(crate) fn waiting(&self) -> Vec<Happening> {
        let what = self.entries.values().copied();
        what.filter(|what| !matches!(what, Happening::Trouble(_)))
            .collect()
    }

    pub(crate) fn print_past(&self) {
        for (time, what) in &self.past {
            eprintln!("{:>12.6} {what:?}", time.as_secs_f64());
        }
    }
}
