//! The agenda of the simulation: what happens when.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use crate::network::{LinkId, Side};

/// The number of a client.
pub(crate) type ClientId = usize;

/// More steps than this count as a livelock.
const MOST: u64 = 50_000_000;

/// The number of the last steps that are printed with a failure.
const REMEMBERED: usize = 60;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Happening {
    /// Bytes that were sent to this side may have arrived.
    Arrive(LinkId, Side),
    /// This side may be able to write on.
    Writable(LinkId, Side),
    /// The answer to a connection attempt.
    Dialed(LinkId),
    /// The fault that is planned for this link.
    Trouble(LinkId),
    /// Checks whether the client's end has acknowledged the server's bytes.
    LookForAcknowledgement(LinkId),
    /// The probes of the client's system got no answer.
    ProbesFail(LinkId),
    /// The server's deadline for a connection, or its handler's response.
    ServerAlarm(LinkId),
    /// The client's deadline, or the end of its pause.
    ClientAlarm(ClientId),
    Publish,
    Join(ClientId),
    Leave(ClientId),
    ServerStops,
    ServerIsKilled,
    ServerStarts,
}

/// Virtual time, and the steps to come.
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

    /// Moves to the next step, if it is before `end`, and otherwise to `end`.
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

    /// Returns the steps to come, without the faults of closed links.
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
