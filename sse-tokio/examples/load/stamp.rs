//! What events say about themselves: when they were sent, and which one they are.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::{Duration, SystemTime},
};

/// How long ago an event was sent whose data is a JSON object, and whose `field` is its time in milliseconds
/// since 1970. A clock of the server's that is ahead makes it no time.
pub(crate) fn age(data: &str, field: &str) -> Option<Duration> {
    let data: serde_json::Value = serde_json::from_str(data).ok()?;
    let millis = data.get(field)?.as_f64()?;
    let sent = Duration::try_from_secs_f64(millis / 1000.0).ok()?;
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()?;
    Some(now.saturating_sub(sent))
}

/// Where a client is in a sequence of events, whose IDs end in a number that grows by 1.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sequence {
    /// What comes before the number, as a hash, and the number.
    last: Option<(u64, u64)>,
}

/// What an ID says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It is the next one, or the first of a sequence, or has no number.
    Next,
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
            return Step::Next;
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
