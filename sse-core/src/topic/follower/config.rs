//! The bounds and the waits of a follower.

use std::time::Duration;

/// The bounds and the waits of a [`Follower`](super::Follower).
///
/// ```
/// use std::time::Duration;
/// use sse_core::topic::follower::FollowerConfig;
///
/// let mut config = FollowerConfig::default();
/// config.warm_events = 200;
/// config.look_every = Some(Duration::from_secs(2));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct FollowerConfig {
    /// The number of the newest events that a new follower reads from the log, so that clients that come
    /// back resume from the node's memory. 1,000 by default. With 0 it begins with the next event.
    pub warm_events: u64,
    /// The largest number of events in a page. 500 by default, at least 1.
    pub page_events: usize,
    /// The largest number of events that are held because they came by bells before an event in front of
    /// them. 1,000 by default. Beyond it the last ones are dropped, and read from the log later.
    pub max_ahead_events: usize,
    /// The largest size of such events, encoded, in bytes. 1 MiB by default.
    pub max_ahead_bytes: usize,
    /// The time after an answer at which the follower reads the tails of the log again, which finds the
    /// last event if its bell was lost. 10 s by default. `None` is for logs whose bells are never lost: a
    /// lost last bell is then noticed only at the next bell, or the next
    /// [`handle_up`](super::Follower::handle_up).
    pub look_every: Option<Duration>,
    /// The same time while bells are [down](super::Follower::handle_down), when the log is polled. 1 s by
    /// default.
    pub look_every_when_down: Duration,
    /// The time after which a request without an answer counts as failed. 10 s by default.
    pub request_timeout: Duration,
    /// The time between a failed request and the next one. 100 ms by default; it doubles with each
    /// further failure, up to [`max_retry`](Self::max_retry).
    pub retry: Duration,
    /// The longest time between a failed request and the next one. 5 s by default.
    pub max_retry: Duration,
    /// The time that the follower waits for an event that the log does not return between two that it
    /// returns. 5 s by default. Then the event counts as lost, as in a log from which single events are
    /// deleted.
    pub hole_wait: Duration,
    /// The time for which pages of an older epoch than the current one count as late. 30 s by default. If
    /// the log has returned nothing else for this long, its epoch went back, as after a backup was
    /// restored, and the follower continues there.
    pub older_epoch_wait: Duration,
}

impl Default for FollowerConfig {
    fn default() -> Self {
        Self {
            warm_events: 1_000,
            page_events: 500,
            max_ahead_events: 1_000,
            max_ahead_bytes: 1024 * 1024,
            look_every: Some(Duration::from_secs(10)),
            look_every_when_down: Duration::from_secs(1),
            request_timeout: Duration::from_secs(10),
            retry: Duration::from_millis(100),
            max_retry: Duration::from_secs(5),
            hole_wait: Duration::from_secs(5),
            older_epoch_wait: Duration::from_secs(30),
        }
    }
}
