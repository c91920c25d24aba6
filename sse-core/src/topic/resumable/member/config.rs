//! The times of a stream that nodes share.

use std::time::Duration;

use crate::{EventType, topic::resumable::ResumableConfig};

/// The times of a stream that several nodes share. They are to be the same on all nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemberConfig {
    /// How long the owner may append nothing until another node takes it for dead, and ends the stream. 30 s
    /// by default. The owner appends at least one record for each third of it. The time does not count in
    /// which the log does not answer. Keep it above the time for which the log may hang, and above
    /// the time after which a [follower](crate::topic::follower::FollowerConfig) finds that out.
    pub lease: Duration,
    /// How long the producer runs while no client listens on any node: see
    /// [`ResumableConfig::grace`]. 1 min by default. Nodes tell of their clients in each
    /// quarter of it, and it lasts for up to a third more behind the last client of another node.
    pub grace: Option<Duration>,
    /// How long a node keeps a stream that has ended, or that runs elsewhere, after its last client on this
    /// node left. 5 min by default.
    pub retention: Duration,
    /// How long after a failed append the next one is made. 1 s by default.
    pub retry: Duration,
    /// The event type of the last event: see [`ResumableConfig::end_event_type`]. `end` by default.
    pub end_event_type: EventType,
}

impl Default for MemberConfig {
    fn default() -> Self {
        Self::from(&ResumableConfig::default())
    }
}

impl From<&ResumableConfig> for MemberConfig {
    fn from(config: &ResumableConfig) -> Self {
        Self {
            lease: Duration::from_secs(30),
            grace: config.grace,
            retention: config.retention,
            retry: Duration::from_secs(1),
            end_event_type: config.end_event_type.clone(),
        }
    }
}
