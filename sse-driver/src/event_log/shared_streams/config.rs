//! The bounds of shared streams.

use std::time::Duration;

use sse_core::topic::resumable::{ResumableConfig, member::MemberConfig};

use crate::event_log::FollowedTopicsConfig;

/// The bounds of [`SharedStreams`](super::SharedStreams), and the behaviour at them. They have to be the
/// same on all nodes.
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
    /// The bounds of the streams, as for one process. These are different:
    ///
    /// - [`grace`](ResumableConfig::grace) begins when the last client on any node leaves. It lasts for
    ///   up to a third more if that node was not the producer's, because nodes report their clients in
    ///   each quarter of it.
    /// - [`retention`](ResumableConfig::retention) is the shortest time that the log keeps a finished
    ///   stream, and the time that a node keeps it: a finished one after the node read its end, whether it
    ///   has clients or not, one that runs elsewhere after the last client on this node.
    /// - [`max_streams`](ResumableConfig::max_streams) and
    ///   [`max_streams_per_owner`](ResumableConfig::max_streams_per_owner) count the streams that this
    ///   node runs or reads, not those of other nodes.
    /// - [`topic`](ResumableConfig::topic) and [`max_total_bytes`](ResumableConfig::max_total_bytes)
    ///   bound the events of producers on this node. The log has to hold as many events of a topic, and
    ///   the nodes' records beside them: [`max_events`](sse_core::topic::TopicConfig::max_events) is
    ///   8,000 here, because logs hold 10,000 by default; for one process it has no bound.
    /// - [`shutdown_grace`](ResumableConfig::shutdown_grace) has no effect: see
    ///   [`SharedStreams::shut_down`](super::SharedStreams::shut_down).
    pub streams: ResumableConfig,
    /// How this node follows the log of each stream, and how much of it the node keeps.
    /// [`max_topics`](FollowedTopicsConfig::max_topics),
    /// [`keep_unused`](FollowedTopicsConfig::keep_unused) and
    /// [`warm_events`](sse_core::topic::follower::FollowerConfig::warm_events) have no effect: a node
    /// reads the log of a stream from its beginning. Calls, too, wait for the log at most for
    /// [`client_wait`](FollowedTopicsConfig::client_wait).
    pub followed: FollowedTopicsConfig,
    /// The time that a stream's owner may be silent before another node takes it for dead. 30 s by
    /// default: see [`MemberConfig::lease`].
    pub lease: Duration,
    /// The shortest time between two requests by which a node asks the log whether another stream has taken
    /// the name of one that has ended; calls make these requests. 1 s by default. Calls in between are served
    /// the ended stream. With `Duration::ZERO` each call asks the log.
    pub check_ended_every: Duration,
    /// The largest length of the reason of a [stop](super::SharedStreams::stop), and of the text of a producer's
    /// error, in bytes. 1,024 by default. A longer one is cut, at the end of a character, before the other nodes
    /// are told. The log keeps it for as long as the stream, and clients do not get it.
    pub max_reason_len: usize,
}

impl SharedStreamsConfig {
    pub(super) fn member(&self) -> MemberConfig {
        let mut config = MemberConfig::from(&self.streams);
        config.lease = self.lease;
        config.max_reason_len = self.max_reason_len;
        config
    }

    /// Returns the time that the log has to keep a stream from now on.
    pub(super) fn keep_for(&self) -> Duration {
        self.streams.retention.saturating_add(self.lease)
    }

    /// After how long the log is told that again, while the stream runs.
    pub(super) fn keep_every(&self) -> Duration {
        (self.lease / 3).max(self.member().retry)
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
            check_ended_every: Duration::from_secs(1),
            max_reason_len: 1024,
        }
    }
}
