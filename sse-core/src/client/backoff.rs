//! The wait before the next attempt.

use std::time::Duration;

use super::Reconnection;
use crate::jitter::Jitter;

/// How far a connection got before it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reached {
    /// Its stream did not open.
    Nothing,
    /// Its stream was open for this long.
    Open(Duration),
    /// Its stream gave an event and ended properly, as streams of a working server do.
    End,
}

/// The number of losses in a row, and the waits that follow from them.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    jitter: Jitter,
    /// The number of connections in a row that were lost before they had settled. A proper end after an
    /// event is not a loss.
    losses: u32,
    /// The number of attempts in a row that failed to open the stream.
    failed_attempts: u32,
}

impl Backoff {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            jitter: Jitter::new(seed),
            losses: 0,
            failed_attempts: 0,
        }
    }

    /// Records the end of a connection that got this far.
    pub(super) fn lost(&mut self, settings: &Reconnection, reached: Reached) {
        self.losses = match reached {
            Reached::End => 0,
            Reached::Open(time) if time >= settings.settled_after => 1,
            _ => self.losses.saturating_add(1),
        };
        self.failed_attempts = match reached {
            Reached::Nothing => self.failed_attempts.saturating_add(1),
            _ => 0,
        };
    }

    /// Records a connection that the application gave up, which is not a loss.
    pub(super) fn given_up(&mut self, was_open: bool) {
        if was_open {
            self.failed_attempts = 0;
        }
    }

    /// Returns the number of attempts in a row that failed to open the stream.
    pub(super) fn failed_attempts(&self) -> u32 {
        self.failed_attempts
    }

    /// Returns whether no further attempt is allowed.
    pub(super) fn is_exhausted(&self, settings: &Reconnection) -> bool {
        settings
            .max_attempts
            .is_some_and(|most| self.failed_attempts >= most.max(1))
    }

    /// Returns the wait after the connection whose end was recorded last. `server` is the reconnection
    /// time that the server set, `at_least` the wait that a `Retry-After` asked for.
    pub(super) fn wait(
        &mut self,
        settings: &Reconnection,
        server: Option<Duration>,
        at_least: Option<Duration>,
    ) -> Duration {
        let floor = settings.counted_floor();
        let ceiling = settings.ceiling.max(floor);
        let shortest = server
            .unwrap_or(settings.time)
            .max(at_least.unwrap_or_default())
            .clamp(floor, ceiling);
        let doubled = 2_u32.saturating_pow(self.losses.max(1));
        let longest = shortest.saturating_mul(doubled).min(ceiling);
        let range = u64::try_from((longest - shortest).as_millis()).unwrap_or(u64::MAX);
        let extra = Duration::from_millis(self.jitter.below(range.saturating_add(1)));
        shortest + extra
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn waits(settings: &Reconnection, server: Option<Duration>, losses: u32) -> Vec<Duration> {
        (0..200)
            .map(|seed| {
                let mut backoff = Backoff::new(seed);
                backoff.losses = losses;
                backoff.wait(settings, server, None)
            })
            .collect()
    }

    #[test]
    fn waits_lie_between_the_reconnection_time_and_a_doubling_end() {
        let settings = Reconnection::default();
        for (losses, longest) in [
            (0, 6),
            (1, 6),
            (2, 12),
            (3, 24),
            (6, 192),
            (7, 300),
            (u32::MAX, 300),
        ] {
            let waits = waits(&settings, None, losses);
            assert!(
                waits
                    .iter()
                    .all(|wait| (secs(3)..=secs(longest)).contains(wait))
            );
            // The waits are spread over the whole range.
            let half = (secs(3) + secs(longest)) / 2;
            let late = waits.iter().filter(|&&wait| wait > half).count();
            assert!((60..=140).contains(&late), "{losses} losses: {late} of 200");
        }
    }

    #[test]
    fn the_servers_time_is_held_between_floor_and_ceiling() {
        let settings = Reconnection::default();
        let zero = waits(&settings, Some(Duration::ZERO), 1);
        assert!(zero.iter().all(|&wait| wait >= secs(1)));
        let huge = waits(&settings, Some(Duration::from_millis(u64::MAX)), 1);
        assert!(huge.iter().all(|&wait| wait == secs(300)));
        let mut upside_down = settings.clone();
        upside_down.ceiling = Duration::ZERO;
        assert!(
            waits(&upside_down, None, 9)
                .iter()
                .all(|&wait| wait == secs(1))
        );
    }

    #[test]
    fn a_retry_after_is_waited_for_up_to_the_ceiling() {
        let settings = Reconnection::default();
        let mut backoff = Backoff::new(1);
        backoff.losses = 1;
        // Clients that got the same `Retry-After` do not come back all at once.
        let wait = backoff.wait(&settings, None, Some(secs(100)));
        assert!((secs(100)..=secs(200)).contains(&wait), "{wait:?}");
        let wait = backoff.wait(&settings, None, Some(Duration::MAX));
        assert_eq!(wait, secs(300));
    }

    #[test]
    fn a_connection_that_lived_for_a_while_makes_up_for_the_losses_before() {
        let settings = Reconnection::default();
        let mut backoff = Backoff::new(1);
        backoff.lost(&settings, Reached::Nothing);
        backoff.lost(&settings, Reached::Open(secs(59)));
        assert_eq!(backoff.losses, 2);
        backoff.lost(&settings, Reached::Open(secs(60)));
        assert_eq!(backoff.losses, 1);
    }
}
