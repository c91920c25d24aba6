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
    /// How many of the newest events a follower that starts takes from the log, so that clients that
    /// come back resume from the node's memory. 1,000 by default. 0 begins with the next event.
    pub warm_events: u64,
    /// How many events a page has at most. 500 by default, at least 1.
    pub page_events: usize,
    /// How many events are held that came by bells before an event in front of them. 1,000 by default.
    /// Beyond it the last ones are dropped; they are read from the log.
    pub max_ahead_events: usize,
    /// How many bytes such events have, encoded. 1 MiB by default.
    pub max_ahead_bytes: usize,
    /// How long after an answer the tails of the log are looked at again, which finds the last event
    /// where its bell was lost. 10 s by default. `None` never looks: it is for logs whose bells are
    /// never lost, since a lost last bell is not found then until the next bell, or the next
    /// [`handle_up`](super::Follower::handle_up).
    pub look_every: Option<Duration>,
    /// The same while bells are [down](super::Follower::handle_down): the log is polled then. 1 s by
    /// default.
    pub look_every_when_down: Duration,
    /// How long a page is waited for. Then the request counts as failed. 10 s by default.
    pub request_timeout: Duration,
    /// How long after a failed request the next one is made. 100 ms by default; it doubles with each
    /// further failure, up to [`max_retry`](Self::max_retry).
    pub retry: Duration,
    /// The longest wait between two requests that fail. 5 s by default.
    pub max_retry: Duration,
    /// How long an event is waited for that the log does not return between two that it returns. 5 s
    /// by default. Then it is lost, as in a log from which single events are deleted.
    pub hole_wait: Duration,
    /// How long pages of an older epoch than the one that is followed count as late. 30 s by default.
    /// Where the log has returned nothing else for so long, its epochs went back, as after a backup was
    /// restored, and it is followed there.
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
