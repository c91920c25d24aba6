//! The bounds of resumable streams.

use std::time::Duration;

use crate::{
    EventType,
    topic::{TopicConfig, WhenFull},
};

/// The bounds of resumable streams, and what happens at them.
///
/// ```
/// use std::time::Duration;
/// use sse_core::topic::resumable::ResumableConfig;
///
/// let mut config = ResumableConfig::default();
/// config.grace = None; // a job that is started is done
/// config.retention = Duration::from_secs(60 * 60);
/// config.topic.max_bytes = 256 * 1024;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResumableConfig {
    /// The history of each stream. By default it holds 1 MiB and any number of events, and is
    /// complete: an event for which there is no room ends the stream with
    /// [`StreamEnd::TooLarge`](super::StreamEnd::TooLarge) ([`WhenFull::Refuse`]). With
    /// [`WhenFull::DropOldest`] the stream goes on, and a client that comes too late for the oldest
    /// events is told so by a [`Notice`](crate::topic::Notice).
    ///
    /// [`budget`](TopicConfig::budget) is what all histories share with the server, and
    /// [`max_total_bytes`](Self::max_total_bytes) is a [part](crate::Budget::part) of it.
    pub topic: TopicConfig,
    /// How long a producer runs without a listener, from its start or since the last one left. Then it
    /// is cancelled, and the stream ends with
    /// [`StreamEnd::Abandoned`](super::StreamEnd::Abandoned). 1 min by default; `None` for ever.
    pub grace: Option<Duration>,
    /// How long a finished stream is kept after its end, so that clients get what they have not had
    /// yet. Then its name is unknown. 5 min by default. Where room is needed, finished streams go
    /// earlier.
    pub retention: Duration,
    /// How long a producer runs on when the server of one of its listeners begins to shut down. Then it
    /// is cancelled, and the stream ends with [`StreamEnd::Shutdown`](super::StreamEnd::Shutdown), so
    /// that its clients are told before they are cut. 5 s by default: keep it shorter than the
    /// server's own `shutdown_timeout`. `None` cancels no producer, and ends the connections of its
    /// listeners at once, so that they come back elsewhere: for servers that share their streams.
    pub shutdown_grace: Option<Duration>,
    /// How many streams there may be, running and finished. 1,000 by default. Beyond it the stream that
    /// finished first goes, if it has no listener; where there is none such, starting one is an
    /// [error](super::StartError::TooManyStreams).
    ///
    /// Beside its history a stream takes some 2 KB while it runs, without what its producer holds, and
    /// 1.6 KB when it is finished; an attached client takes 70 bytes.
    pub max_streams: usize,
    /// How many streams an owner may have, running and finished. 100 by default. At the bound the same
    /// happens, among the owner's streams. Streams without an owner have no such bound.
    pub max_streams_per_owner: usize,
    /// How many bytes of memory the histories take together. 256 MiB by default. At the bound finished
    /// streams go, first those that finished first; then the stream that needs room ends, as at
    /// its own bound. Histories are counted in whole
    /// [granules](crate::Budget::GRANULE): a smaller one does not count.
    pub max_total_bytes: usize,
    /// How long a name may be, and an owner, in bytes. 256 by default. A longer one is an
    /// [error](super::StartError::NameTooLong).
    pub max_name_len: usize,
    /// The event type of the last event, which tells how the stream ended. `end` by default.
    pub end_event_type: EventType,
}

impl Default for ResumableConfig {
    fn default() -> Self {
        let topic = TopicConfig {
            max_events: usize::MAX,
            max_bytes: 1024 * 1024,
            when_full: WhenFull::Refuse,
            ..TopicConfig::default()
        };
        Self {
            topic,
            grace: Some(Duration::from_secs(60)),
            retention: Duration::from_secs(5 * 60),
            shutdown_grace: Some(Duration::from_secs(5)),
            max_streams: 1_000,
            max_streams_per_owner: 100,
            max_total_bytes: 256 * 1024 * 1024,
            max_name_len: 256,
            end_event_type: const { EventType::from_static("end") },
        }
    }
}
