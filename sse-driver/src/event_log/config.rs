//! The bounds of followed topics.

use std::time::Duration;

use sse_core::topic::{TopicConfig, follower::FollowerConfig};

/// The bounds of [`FollowedTopics`](super::FollowedTopics), and what happens at them.
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
    /// The bounds of each topic, which is a node's cache of the log. An event that a topic does not take
    /// is passed over, and clients are told of it: keep
    /// [`max_bytes`](TopicConfig::max_bytes) well above the largest event, and
    /// [`when_full`](TopicConfig::when_full) as it is by default.
    pub topic: TopicConfig,
    /// The bounds and the waits of each follower.
    pub follower: FollowerConfig,
    /// How many topics are followed at a time. 10,000 by default. Beyond it, asking for a new one is an
    /// [error](sse_core::topic::TooManyTopics).
    pub max_topics: usize,
    /// For how long a topic is followed after its last use: since then no handle of it was held, and it
    /// had no stream. 5 min by default.
    pub keep_unused: Duration,
    /// How many bells of a topic wait for its task. 1,000 by default. Beyond it they are dropped, and the
    /// log is read.
    pub max_bells: usize,
    /// How many bytes of data such bells carry. 1 MiB by default.
    pub max_bell_bytes: usize,
    /// How many events a page has at most that a client is served from the log. 100 by default.
    pub client_page_events: usize,
    /// How many clients read the log at a time, over all topics. 64 by default. Others wait for their
    /// turn.
    pub max_client_reads: usize,
    /// How long a client waits for a topic whose log was not reached yet, and how long its requests to the
    /// log may fail. 30 s by default. Its stream stays open meanwhile, with keep-alives, and then ends with
    /// [`LogStreamError`](super::LogStreamError): the client comes back, here or elsewhere. With zero it
    /// ends at the first look.
    pub client_wait: Duration,
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
