//! The table of timers: which are armed, and which fires next.

use std::time::Instant;

use super::Timer;

/// A deadline per [`Timer`], or none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timers {
    deadlines: [Option<Instant>; Timer::ALL.len()],
}

impl Timers {
    /// Arms `timer`, whether it was armed or not. A deadline beyond what an [`Instant`] can hold
    /// is the same as none.
    pub(crate) fn set(&mut self, timer: Timer, deadline: Option<Instant>) {
        self.deadlines[timer as usize] = deadline;
    }

    pub(crate) fn stop(&mut self, timer: Timer) {
        self.set(timer, None);
    }

    pub(crate) fn stop_all(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn get(&self, timer: Timer) -> Option<Instant> {
        self.deadlines[timer as usize]
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.deadlines.iter().flatten().min().copied()
    }

    /// Takes the earliest timer out whose deadline `now` has reached.
    pub(crate) fn pop_expired(&mut self, now: Instant) -> Option<Timer> {
        let (deadline, timer) = Timer::ALL
            .iter()
            .filter_map(|&timer| Some((self.deadlines[timer as usize]?, timer)))
            .min()?;
        (deadline <= now).then(|| {
            self.stop(timer);
            timer
        })
    }
}
