//! The time and the sequence number in events.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::{Duration, SystemTime},
};

/// Returns how long ago an event was sent whose data is a JSON object, and whose `field` is its time in
/// milliseconds since 1970. If the server's clock is ahead, that is no time.
pub(crate) fn age(data: &str, field: &str) -> Option<Duration> {
    let data: serde_json::Value = serde_json::from_str(data).ok()?;
    let millis = data.get(field)?.as_f64()?;
    let sent = Duration::try_from_secs_f64(millis / 1000.0).ok()?;
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()?;
    Some(now.saturating_sub(sent))
}

/// The place of a client in a sequence of events, whose IDs end in a number that grows by 1.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sequence {
    /// A hash of the text before the number, and the number.
    last: Option<(u64, u64)>,
}

/// What an ID tells of its event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It is the next one, or the first of a sequence.
    Next,
    NoNumber,
    Missed(u64),
    Repeated,
}

impl Sequence {
    pub(crate) fn step(&mut self, id: &str) -> Step {
        let prefix = id.trim_end_matches(|c: char| c.is_ascii_digit());
        let Some(number) = id
            .get(prefix.len()..)
            .and_then(|digits| digits.parse().ok())
        else {
            return Step::NoNumber;
        };
        let mut hasher = DefaultHasher::new();
        prefix.hash(&mut hasher);
        let prefix = hasher.finish();
        match self.last {
            Some((same, last)) if same == prefix && number <= last => Step::Repeated,
            before => {
                self.last = Some((prefix, number));
                match before {
                    Some((same, last)) if same == prefix && number - last > 1 => {
                        Step::Missed(number - last - 1)
                    }
                    _ => Step::Next,
                }
            }
        }
    }
}
