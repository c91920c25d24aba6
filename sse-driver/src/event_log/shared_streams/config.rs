//! The bounds of shared streams.

use std::time::Duration;

use sse_core::topic::resumable::{ResumableConfig, member::MemberConfig};

use crate::event_log::FollowedTopicsConfig;

/// The bounds of [`SharedStreams`](super::SharedStreams), and what happens at them. All nodes are to have the
/// same.
///
/// ```
/// use std::time::Duration;
/// use sse_driver::event_log::SharedStreamsConfig;
///
/// let mut config = SharedStreamsConfig::default();
/// config.streams.grace = None; // a job that is started is done
/// config.streams.retention = Duration::from_secs(60 * 60);
/// config.lease = Duration::from_secs(60);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SharedStreamsConfig {
    /// The bounds of the streams, as for one process. What differs:
    ///
    /// - [`grace`](ResumableConfig::grace) begins when the last client on any node leaves, and lasts for up to
    ///   a third more where that was another node than the producer's: nodes tell of their clients in each
    ///   quarter of it.
    /// - [`retention`](ResumableConfig::retention) is how long the log keeps a finished stream at least, and
    ///   how long a node does behind its last client.
    /// - [`max_streams`](ResumableConfig::max_streams) and
    ///   [`max_streams_per_owner`](ResumableConfig::max_streams_per_owner) count the streams that this node
    ///   runs or reads, and not those of other nodes.
    /// - [`topic`](ResumableConfig::topic) and [`max_total_bytes`](ResumableConfig::max_total_bytes) bound what
    ///   producers on this node make. The log has to hold as many events of a topic, and the nodes' records
    ///   beside them: [`max_events`](sse_core::topic::TopicConfig::max_events) is 8,000 here, where it is
    ///   without a bound for one process, since logs hold 10,000 by default.
    /// - [`shutdown_grace`](ResumableConfig::shutdown_grace) means nothing: see
    ///   [`SharedStreams::shut_down`](super::SharedStreams::shut_down).
    pub streams: ResumableConfig,
    /// How this node follows the log of each stream, and what it keeps of it.
    /// [`max_topics`](FollowedTopicsConfig::max_topics) and
    /// [`keep_unused`](FollowedTopicsConfig::keep_unused) mean nothing here, nor does
    /// [`warm_events`](sse_core::topic::follower::FollowerConfig::warm_events): a node reads the log of a stream
    /// from its beginning. For [`client_wait`](FollowedTopicsConfig::client_wait) calls wait for the log, too.
    pub followed: FollowedTopicsConfig,
    /// For how long a stream's owner may be silent until another node takes it for dead. 30 s by default: see
    /// [`MemberConfig::lease`].
    pub lease: Duration,
}

impl SharedStreamsConfig {
    pub(super) fn member(&self) -> MemberConfig {
        let mut config = MemberConfig::from(&self.streams);
        config.lease = self.lease;
        config
    }

    /// For how long the log is to keep a stream from now on.
    pub(super) fn keep_for(&self) -> Duration {
        self.streams.retention.saturating_add(self.lease)
    }
}

impl Default for SharedStreamsConfig {
    fn default() -> Self {
        let mut streams = ResumableConfig::default();
        streams.topic.max_events = 8_000;
        Self {
            streams,
            followed: FollowedTopicsConfig::default(),
            lease: Duration::from_secs(30),
        }
    }
}
