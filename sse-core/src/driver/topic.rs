//! A topic on a runtime's clock.

use std::time::{Duration, SystemTime};

use super::Runtime;
use crate::topic::{Topic, TopicConfig, TopicMap, TopicMapConfig};

impl Topic {
    /// A topic without any events yet, with the clock and an epoch of this runtime: for
    /// `Topic::on(Tokio, TopicConfig::default())`, say.
    ///
    /// The epoch is made of the runtime's [seed](Runtime::seed) and of the time. It has at most
    /// eight digits in an ID, and the odds that two topics have the same are one to 10<sup>12</sup>.
    #[must_use]
    pub fn on(runtime: impl Runtime, config: TopicConfig) -> Self {
        Self::new(config, epoch(&runtime), move || runtime.now())
    }
}

impl TopicMap {
    /// A map without any topics yet, with the clock and an epoch of this runtime, as for
    /// [`Topic::on`].
    #[must_use]
    pub fn on(runtime: impl Runtime, config: TopicMapConfig) -> Self {
        Self::new(config, epoch(&runtime), move || runtime.now())
    }
}

fn epoch(runtime: &impl Runtime) -> u64 {
    const BITS: u32 = 40;
    let since_1970 = runtime
        .date()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    // The time is in the low bits and the seed in all: neither alone would do on a runtime whose
    // seed is poor, or for two topics of the same millisecond.
    let mixed = runtime.seed() ^ since_1970.as_millis() as u64;
    mixed & ((1 << BITS) - 1)
}
