//! The table of timers: which are armed, and which fires next.

use std::time::Instant;

use super::Timer;

/// Which timers are armed, and to when.
///
/// An open connection has one of these for as long as it lasts, so it is small: beside
/// [`Timer::Stall`], each phase has one timer of its own, and the phases come one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Timers {
    stall: Option<Instant>,
    of_phase: Option<Instant>,
    /// Which one `of_phase` is.
    which: Timer,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            stall: None,
            of_phase: None,
            which: Timer::Head,
        }
    }
}

impl Timers {
    /// Arms `timer`, whether it was armed or not, and disarms that of an earlier phase. A deadline
    /// beyond what an [`Instant`] can hold is the same as none.
    pub(crate) fn set(&mut self, timer: Timer, deadline: Option<Instant>) {
        match timer {
            Timer::Stall => self.stall = deadline,
            Timer::Head | Timer::Body | Timer::Respond | Timer::Drain | Timer::KeepAlive => {
                (self.of_phase, self.which) = (deadline, timer);
            }
        }
    }

    pub(crate) fn stop(&mut self, timer: Timer) {
        match timer {
            Timer::Stall => self.stall = None,
            _ if self.which == timer => self.of_phase = None,
            _ => {}
        }
    }

    pub(crate) fn stop_all(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn get(&self, timer: Timer) -> Option<Instant> {
        match timer {
            Timer::Stall => self.stall,
            _ => self.of_phase.filter(|_| self.which == timer),
        }
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.stall.into_iter().chain(self.of_phase).min()
    }

    /// Takes the earliest timer out whose deadline `now` has reached.
    pub(crate) fn pop_expired(&mut self, now: Instant) -> Option<Timer> {
        let of_phase = self.of_phase.map(|deadline| (deadline, self.which));
        let stall = self.stall.map(|deadline| (deadline, Timer::Stall));
        let (deadline, timer) = of_phase.into_iter().chain(stall).min()?;
        (deadline <= now).then(|| {
            self.stop(timer);
            timer
        })
    }
}
