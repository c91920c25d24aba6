//! When streams end that could continue: at the end of their lifetime, and at a shutdown.

use std::time::{Duration, Instant};

use sse_core::internal::Jitter;

use crate::{Lifetime, ShutdownSpread, lifetime::up_to};

/// The shortest window to spread the ends of streams over; below it all end at once.
const SHORTEST_WINDOW: Duration = Duration::from_millis(100);

/// The shortest reconnection time that is sent.
const SHORTEST_RETRY: Duration = Duration::from_secs(1);

/// The random ends of streams.
#[derive(Debug)]
pub(crate) struct Endings {
    lifetime: Option<Lifetime>,
    spread: ShutdownSpread,
    shutdown_timeout: Duration,
    random: Jitter,
    /// The windows, once the first stream was ended by a shutdown.
    windows: Option<Windows>,
}

/// The windows of a shutdown.
#[derive(Clone, Copy, Debug)]
struct Windows {
    begin: Instant,
    ends: Duration,
    retry: Duration,
}

/// How one stream ends at a shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) at: Instant,
    /// The reconnection time that its client gets.
    pub(crate) retry: Option<Duration>,
}

impl Endings {
    pub(crate) fn new(
        lifetime: Option<Lifetime>,
        spread: ShutdownSpread,
        shutdown_timeout: Duration,
        seed: u64,
    ) -> Self {
        Self {
            lifetime,
            spread,
            shutdown_timeout,
            random: Jitter::new(seed),
            windows: None,
        }
    }

    /// Draws the longest life of the next stream.
    pub(super) fn draw_lifetime(&mut self) -> Option<Duration> {
        let lifetime = self.lifetime?;
        Some(lifetime.draw(&mut self.random))
    }

    /// Draws how the next stream ends, in a shutdown that began while `open` connections were open. Its
    /// windows begin with the first call.
    pub(super) fn draw_end(&mut self, now: Instant, open: usize) -> Ending {
        let windows = self.windows(now, open);
        let end = up_to(windows.ends, &mut self.random);
        let retry = (!windows.retry.is_zero())
            .then(|| SHORTEST_RETRY.saturating_add(up_to(windows.retry, &mut self.random)));
        Ending {
            at: windows.begin.checked_add(end).unwrap_or(now),
            retry,
        }
    }

    fn windows(&mut self, now: Instant, open: usize) -> Windows {
        let ShutdownSpread {
            ends,
            retry,
            per_second,
        } = self.spread;
        let most_ends = ends.min(self.shutdown_timeout / 2);
        *self.windows.get_or_insert_with(|| {
            let millis = (open as u64).saturating_mul(1000) / u64::from(per_second.max(1));
            let window = match Duration::from_millis(millis) {
                window if window < SHORTEST_WINDOW => Duration::ZERO,
                window => window,
            };
            Windows {
                begin: now,
                ends: window.min(most_ends),
                retry: window.min(retry),
            }
        })
    }
}

impl Default for Endings {
    fn default() -> Self {
        let timeout = Duration::from_secs(10);
        Self::new(None, ShutdownSpread::default(), timeout, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns what was drawn from the windows of a shutdown with `open` connections, in milliseconds.
    fn drawn(change: impl FnOnce(&mut ShutdownSpread), timeout: u64, open: usize) -> [Vec<u64>; 2] {
        let mut spread = ShutdownSpread::default();
        change(&mut spread);
        let mut endings = Endings::new(None, spread, Duration::from_secs(timeout), 7);
        let begin = Instant::now();
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap();
        let endings: Vec<_> = (0..open)
            .map(|n| endings.draw_end(begin + Duration::from_millis(n as u64), open - n))
            .collect();
        [
            endings.iter().map(|end| millis(end.at - begin)).collect(),
            endings
                .iter()
                .filter_map(|end| end.retry.map(millis))
                .collect(),
        ]
    }

    fn range(numbers: &[u64]) -> (u64, u64) {
        let most = numbers.iter().copied().max().unwrap();
        (numbers.iter().copied().min().unwrap(), most)
    }

    #[test]
    fn both_windows_grow_with_the_connections_up_to_their_bounds() {
        let [ends, retries] = drawn(|_| (), 10, 10_000);
        let (least, most) = range(&ends);
        assert!(
            least < 50 && (4950..=5000).contains(&most),
            "{least} {most}"
        );
        let (least, most) = range(&retries);
        assert!(least < 1050 && (5950..=6000).contains(&most));
        // No second has much more than its share.
        for second in 0..5 {
            let second = second * 1000..(second + 1) * 1000;
            let count = ends.iter().filter(|at| second.contains(*at)).count();
            assert!((1800..2200).contains(&count), "{second:?}: {count}");
        }

        let [ends, _] = drawn(|_| (), 10, 2_000);
        assert!((1900..=2000).contains(&range(&ends).1));
        let [ends, retries] = drawn(|_| (), 3, 10_000);
        assert!(
            (1450..=1500).contains(&range(&ends).1),
            "half of the timeout"
        );
        assert!((5950..=6000).contains(&range(&retries).1));
    }

    #[test]
    fn a_few_connections_and_windows_of_nothing_end_at_once() {
        assert_eq!(drawn(|_| (), 10, 99), [vec![0; 99], vec![]]);
        let [ends, retries] = drawn(|spread| spread.ends = Duration::ZERO, 10, 500);
        assert_eq!(range(&ends), (0, 0));
        assert_eq!(retries.len(), 500);
        let [ends, retries] = drawn(|spread| spread.retry = Duration::ZERO, 10, 500);
        assert!(range(&ends).1 > 400);
        assert_eq!(retries.len(), 0);
        let [ends, _] = drawn(|spread| spread.per_second = 0, 10, 1);
        assert!(ends[0] <= 1000);
    }
}
