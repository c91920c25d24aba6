//! The source of time and entropy, which is outside of this crate.

#[cfg(feature = "topic")]
use std::time::Duration;
use std::time::{Instant, SystemTime};

/// The current time, and unpredictable numbers. The runtime of an adapter is a `Clock`.
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
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a clock",
    note = "an adapter's runtime is one: `Tokio`, `Smol` or `AsyncStd`; in tests a `TestClock` is"
)]
pub trait Clock: Send + Sync + 'static {
    /// Returns the present instant, on the clock of the runtime's timers.
    fn now(&self) -> Instant;

    /// Returns the present moment on the wall clock, for the `Date` field of responses and for
    /// epochs.
    fn date(&self) -> SystemTime;

    /// Returns an unpredictable number, which seeds a jitter or is part of IDs. Servers, event sources
    /// and topics call it once each.
    fn seed(&self) -> u64;
}

/// Returns the epoch of a topic that begins now: at most 40 bits, which are eight digits in an ID.
#[cfg(feature = "topic")]
pub(crate) fn epoch(clock: &impl Clock) -> u64 {
    const BITS: u32 = 40;
    let since_1970 = clock
        .date()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    // The time is in the low bits and the seed in all of them. Neither alone would do if the seed is
    // poor, or for two topics created in the same millisecond.
    let mixed = clock.seed() ^ since_1970.as_millis() as u64;
    mixed & ((1 << BITS) - 1)
}
