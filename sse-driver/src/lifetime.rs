//! The lifetime of streams.

use std::time::Duration;

use sse_core::internal::Jitter;

/// The longest life of streams, in a [`ServerConfig`](crate::ServerConfig) or an `EmbeddingConfig`.
///
/// Load balancers and rolling deployments need connections that end by themselves. At its end a stream
/// ends properly, between two events and with
/// [`CloseReason::LifetimeOver`](sse_core::lifecycle::CloseReason::LifetimeOver). A client that follows
/// the standard then reconnects with its last event ID, so that the stream of a topic loses nothing. The
/// stream of a handler that cannot resume begins anew.
///
/// ```
/// use std::time::Duration;
/// use sse_driver::{Lifetime, ServerConfig};
///
/// let mut config = ServerConfig::default();
/// // Between 50 and 60 minutes.
/// let hour = Duration::from_secs(60 * 60);
/// config.lifetime = Some(Lifetime::at_most(hour).with_jitter(Duration::from_secs(10 * 60)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    longest: Duration,
    jitter: Duration,
}

impl Lifetime {
    /// Limits the life of streams to `longest`. Each life is shorter by a random time of up to a tenth of
    /// it, so that clients that connected together do not reconnect together.
    #[must_use]
    pub fn at_most(longest: Duration) -> Self {
        let jitter = longest / 10;
        Self { longest, jitter }
    }

    /// Sets the largest random time by which a life is shorter. More than the lifetime counts as the
    /// lifetime.
    #[must_use]
    pub fn with_jitter(mut self, jitter: Duration) -> Self {
        self.jitter = jitter.min(self.longest);
        self
    }

    /// Draws the life of one stream.
    pub(crate) fn draw(&self, random: &mut Jitter) -> Duration {
        self.longest.saturating_sub(up_to(self.jitter, random))
    }
}

/// Draws a time up to `longest`, in whole milliseconds.
pub(crate) fn up_to(longest: Duration, random: &mut Jitter) -> Duration {
    let longest = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(random.below(longest.saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_drawn_from_the_whole_of_its_range() {
        let mut random = Jitter::new(7);
        let lifetime =
            Lifetime::at_most(Duration::from_millis(10)).with_jitter(Duration::from_millis(3));
        let drawn: std::collections::BTreeSet<_> = (0..100)
            .map(|_| lifetime.draw(&mut random).as_millis())
            .collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), [7, 8, 9, 10]);

        let all = Lifetime::at_most(Duration::from_secs(1)).with_jitter(Duration::MAX);
        assert!(all.draw(&mut random) <= Duration::from_secs(1));
    }
}
