//! The events: one for each step of a clock that all processes share, so that a new server knows those of the
//! old one, and those in between.

use std::{
    thread,
    time::{Duration, SystemTime},
};

/// How many events a new server's history begins with.
const HISTORY: u64 = 2_000;

/// How often it is looked which events are due.
const INTERVAL: Duration = Duration::from_millis(2);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// When the first event was.
    pub(crate) began: SystemTime,
    /// Events per second.
    pub(crate) rate: u32,
}

impl Clock {
    pub(crate) fn new(rate: u32) -> Self {
        Self {
            began: SystemTime::now(),
            rate,
        }
    }

    /// The number of the last event by now.
    pub(crate) fn number(self) -> u64 {
        let passed = self.began.elapsed().unwrap_or_default();
        (passed.as_secs_f64() * f64::from(self.rate)) as u64
    }

    /// Publishes all that there was by now, as far as a history has it, and then, from a thread of its own,
    /// each event when it is due.
    pub(crate) fn publish(self, mut publish: impl FnMut(u64) + Send + 'static) {
        let mut published = self.number().saturating_sub(HISTORY);
        let mut publish_due = move || {
            while published < self.number() {
                published += 1;
                publish(published);
            }
        };
        publish_due();
        thread::spawn(move || {
            loop {
                thread::sleep(INTERVAL);
                publish_due();
            }
        });
    }
}
