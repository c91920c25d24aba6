//! The bounds of followed topics.

use std::time::Duration;

use sse_core::topic::{TopicConfig, follower::FollowerConfig};

/// The bounds of [`FollowedTopics`](super::FollowedTopics), and the behaviour at them.
///
/// ```
/// use std::time::Duration;
/// use sse_driver::event_log::FollowedTopicsConfig;
///
/// let mut config = FollowedTopicsConfig::default();
/// config.topic.max_events = 2_000;
/// config.follower.look_every = Some(Duration::from_secs(5));
/// config.client_wait = Duration::from_secs(60);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FollowedTopicsConfig {
    /// The settings of each topic, which is a node's cache of the log. An event that a topic does not
    /// take is skipped, and clients are told of it: keep [`max_bytes`](TopicConfig::max_bytes) well above
    /// the largest event, and [`when_full`](TopicConfig::when_full) at its default.
    pub topic: TopicConfig,
    /// The bounds and the waits of each follower. Its waits before it reads or watches the log again
    /// count as 10 ms where they are shorter, because a log may answer, or fail, at once.
    pub follower: FollowerConfig,
    /// The largest number of topics that are followed at a time. 10,000 by default. Beyond it, asking for
    /// another one is an [error](sse_core::topic::TooManyTopics).
    pub max_topics: usize,
    /// The time that a topic is followed after its last use. It is in use while it has a stream or a
    /// handle. 5 min by default.
    pub keep_unused: Duration,
    /// The largest number of bells of a topic that wait for its task. 1,000 by default. Beyond it they
    /// are dropped, and the log is read.
    pub max_bells: usize,
    /// The largest size of the events of such bells, in bytes. 1 MiB by default.
    pub max_bell_bytes: usize,
    /// The largest number of events in a page that is read for a client. 100 by default.
    pub client_page_events: usize,
    /// The largest number of clients that read the log at a time, over all topics. 64 by default. Others
    /// wait for their turn. Clients that do not take their turn, because their connections are full, delay
    /// another by a second at most.
    pub max_client_reads: usize,
    /// The time that a client waits for a topic whose log has not been reached yet, and for which its
    /// requests to the log may fail. 30 s by default. An answer that cannot be used, such as one of an older
    /// epoch than the topic's, counts as a failure. Its stream stays open meanwhile, with keep-alives,
    /// and then ends with [`LogStreamError`](super::LogStreamError): the client reconnects, to this node
    /// or another. With zero it ends at the first attempt.
    pub client_wait: Duration,
}

impl FollowedTopicsConfig {
    /// Returns the settings with the follower's waits as they count.
    pub(super) fn counted(mut self) -> Self {
        const SHORTEST: Duration = Duration::from_millis(10);
        let follower = &mut self.follower;
        follower.look_every = follower.look_every.map(|time| time.max(SHORTEST));
        for time in [
            &mut follower.look_every_when_down,
            &mut follower.retry,
            &mut follower.max_retry,
        ] {
            *time = (*time).max(SHORTEST);
        }
        self
    }
}

impl Default for FollowedTopicsConfig {
    fn default() -> Self {
        Self {
            topic: TopicConfig::default(),
            follower: FollowerConfig::default(),
            max_topics: 10_000,
            keep_unused: Duration::from_secs(5 * 60),
            max_bells: 1_000,
            max_bell_bytes: 1024 * 1024,
            client_page_events: 100,
            max_client_reads: 64,
            client_wait: Duration::from_secs(30),
        }
    }
}
