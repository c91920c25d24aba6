//! The settings of a stream that nodes share.

use std::time::Duration;

use crate::{EventType, topic::resumable::ResumableConfig};

/// The settings of a stream that several nodes share. They have to be the same on all nodes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct MemberConfig {
    /// The time without a record of the owner after which another node takes the owner for dead, and ends
    /// the stream. 30 s by default. The owner appends at least one record in each third of it. Time in
    /// which the log does not answer is not counted. Keep it longer than the log may hang, and longer
    /// than a [follower](crate::topic::follower::FollowerConfig) takes to detect that. Less than 3 s
    /// counts as 3 s, so that the owner appends no more than one such record per second.
    pub lease: Duration,
    /// The time that the producer runs while no client listens on any node: see
    /// [`ResumableConfig::grace`]. 1 min by default. Nodes report their clients in each quarter of it,
    /// and after the last client of another node it lasts for up to a third more. Less than 4 s
    /// counts as 4 s, so that a node reports its clients no more than once per second.
    pub grace: Option<Duration>,
    /// The time that a node keeps a stream: one that has ended, after the node read the end, whether it has
    /// clients or not; one that runs elsewhere, after its last client on this node left. 5 min by default.
    pub retention: Duration,
    /// The wait between a failed append and the next one. 1 s by default.
    pub retry: Duration,
    /// The largest length of the reason of a [stop](super::StreamMember::stop), and of the text of a producer's
    /// error, in bytes. 1,024 by default. A longer one is cut, at the end of a character, before the other nodes are
    /// told.
    pub max_reason_len: usize,
    /// The event type of the last event: see [`ResumableConfig::end_event_type`]. `end` by default.
    pub end_event_type: EventType,
}

/// The shortest interval between two records of the same kind from one node.
const LEAST_INTERVAL: Duration = Duration::from_secs(1);

impl MemberConfig {
    /// Returns the lease as it counts.
    pub(super) fn counted_lease(&self) -> Duration {
        self.lease.max(3 * LEAST_INTERVAL)
    }

    /// Returns as much of a reason as nodes tell each other.
    pub(super) fn shortened<'r>(&self, reason: &'r str) -> &'r str {
        let end = (0..=self.max_reason_len.min(reason.len()))
            .rev()
            .find(|at| reason.is_char_boundary(*at));
        reason.get(..end.unwrap_or_default()).unwrap_or_default()
    }

    /// Returns the grace time as it counts.
    pub(super) fn counted_grace(&self) -> Option<Duration> {
        self.grace.map(|grace| grace.max(4 * LEAST_INTERVAL))
    }
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
            max_reason_len: 1024,
            end_event_type: config.end_event_type.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_of_streams_of_one_node_are_those_of_shared_ones() {
        let mut one = ResumableConfig::default();
        (one.grace, one.retention) = (None, Duration::from_secs(7));
        one.end_event_type = const { EventType::from_static("over") };
        let shared = MemberConfig::from(&one);
        assert_eq!((shared.grace, shared.retention), (None, one.retention));
        assert_eq!(shared.end_event_type, one.end_event_type);
        assert_eq!(shared.lease, MemberConfig::default().lease);
    }

    #[test]
    fn a_long_reason_is_cut_at_the_end_of_a_character() {
        let with = |max_reason_len| MemberConfig {
            max_reason_len,
            ..MemberConfig::default()
        };
        for (reason, told) in [
            ("why", "why"),
            ("whys", "whys"),
            ("üüü", "üü"),
            ("xüüü", "xü"),
        ] {
            assert_eq!(with(4).shortened(reason), told);
        }
        assert_eq!(with(0).shortened("ü"), "");
    }
}
