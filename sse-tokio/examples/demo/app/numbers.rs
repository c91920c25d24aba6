//! Numbers, as a sensor would give them.

use std::{
    convert::Infallible,
    f64::consts::TAU,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::Serialize;

use super::feed::{Feed, Update};
use crate::on::sleep;

/// The time between two numbers.
pub(super) const TICK: Duration = Duration::from_millis(250);

/// A number between 0 and 100, and its time in milliseconds.
#[derive(Debug, Serialize)]
pub(super) struct Number {
    at: u64,
    value: f64,
}

/// Publishes a number four times a second. It is encoded once, for all pages.
pub(super) async fn publish_numbers(feed: &Feed) -> Infallible {
    loop {
        feed.publish(Update::Number(Number::now()));
        sleep(TICK).await;
    }
}

impl Number {
    pub(super) fn now() -> Self {
        Self::at(SystemTime::now())
    }

    /// Returns the numbers of the last minute, the oldest first.
    pub(super) fn of_the_last_minute() -> impl Iterator<Item = Self> {
        let now = SystemTime::now();
        (1..=240)
            .rev()
            .filter_map(move |n| Some(Self::at(now.checked_sub(TICK * n)?)))
    }

    /// Returns the number of this time. It changes smoothly: it is a sum of waves with unrelated periods.
    fn at(time: SystemTime) -> Self {
        const WAVES: [(f64, f64); 5] = [
            (97.0, 17.0),
            (41.0, 12.0),
            (17.3, 9.0),
            (7.1, 5.0),
            (2.9, 2.5),
        ];
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let waves = WAVES
            .iter()
            .map(|(period, height)| height * (TAU * since.as_secs_f64() / period).sin());
        let value = (50.0 + waves.sum::<f64>()).clamp(0.0, 100.0);
        Self {
            at: since.as_millis() as u64,
            value: (value * 100.0).round() / 100.0,
        }
    }
}
