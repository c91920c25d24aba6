//! The events: one for each step of a clock that all processes share, so that a new server has
//! those of the old one and those in between.

use std::{
    thread,
    time::{Duration, SystemTime},
};

/// The number of events with which the history of a new server begins.
const HISTORY: u64 = 2_000;

/// The interval at which the publisher checks which events are due.
const INTERVAL: Duration = Duration::from_millis(2);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// The time of the first event.
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

    /// Returns the number of the last event that is due.
    pub(crate) fn number(self) -> u64 {
        let passed = self.began.elapsed().unwrap_or_default();
        (passed.as_secs_f64() * f64::from(self.rate)) as u64
    }

    /// Publishes the past events, as many as a history holds, and then each event when it is due,
    /// on a thread of its own.
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
