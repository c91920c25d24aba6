//! Where time and entropy come from: outside.

#[cfg(feature = "topic")]
use std::time::Duration;
use std::time::{Instant, SystemTime};

/// What this crate asks of the world beside bytes: what time it is, and a number that is hard to
/// foresee. An adapter's runtime is a `Clock`.
///
/// ```
/// use std::{hash::{BuildHasher, RandomState}, time::{Instant, SystemTime}};
/// use sse_core::{Clock, topic::{Topic, TopicConfig}};
///
/// struct System;
///
/// impl Clock for System {
///     fn now(&self) -> Instant {
///         Instant::now()
///     }
///
///     fn date(&self) -> SystemTime {
///         SystemTime::now()
///     }
///
///     fn seed(&self) -> u64 {
///         RandomState::new().hash_one(())
///     }
/// }
///
/// let topic = Topic::on(System, TopicConfig::default());
/// ```
pub trait Clock: Send + Sync + 'static {
    /// Returns the present instant, on the clock of the runtime's timers.
    fn now(&self) -> Instant;

    /// Returns the present moment on the wall clock, for the `Date` field of responses and for
    /// epochs.
    fn date(&self) -> SystemTime;

    /// Returns a number that is hard to foresee, as the seed of a jitter or a part of IDs. It is
    /// asked for once per server, event source and topic.
    fn seed(&self) -> u64;
}

/// Returns the epoch of a topic that begins now: at most 40 bits, eight digits in an ID.
#[cfg(feature = "topic")]
pub(crate) fn epoch(clock: &impl Clock) -> u64 {
    const BITS: u32 = 40;
    let since_1970 = clock
        .date()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    // The time is in the low bits and the seed in all: neither alone would do on a clock whose
    // seed is poor, or for two topics of the same millisecond.
    let mixed = clock.seed() ^ since_1970.as_millis() as u64;
    mixed & ((1 << BITS) - 1)
}
