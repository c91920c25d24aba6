//! The bounds of resumable streams.

use std::time::Duration;

use crate::{
    EventType,
    topic::{TopicConfig, WhenFull},
};

/// The bounds of resumable streams, and the behaviour at them.
///
/// ```
/// use std::time::Duration;
/// use sse_core::topic::resumable::ResumableConfig;
///
/// let mut config = ResumableConfig::default();
/// config.grace = None; // A job that is started always runs to its end.
/// config.retention = Duration::from_secs(60 * 60);
/// config.topic.max_bytes = 256 * 1024;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResumableConfig {
    /// The settings of each stream's history. By default it holds 1 MiB and any number of events, and is
    /// complete: an event for which there is no room ends the stream with
    /// [`StreamEnd::TooLarge`](super::StreamEnd::TooLarge) ([`WhenFull::Reject`]). With
    /// [`WhenFull::DropOldest`] the stream continues, and a client that comes too late for the oldest
    /// events is told so by a [`Notice`](crate::topic::Notice).
    ///
    /// All histories share [`budget`](TopicConfig::budget) with the server, and
    /// [`max_total_bytes`](Self::max_total_bytes) is a [part](crate::Budget::part) of it.
    pub topic: TopicConfig,
    /// The time that a producer runs without a listener, from its start or since the last one left. Then
    /// it is cancelled, and the stream ends with [`StreamEnd::Abandoned`](super::StreamEnd::Abandoned). 1
    /// min by default; `None` for no limit.
    pub grace: Option<Duration>,
    /// The time that a finished stream is kept after its end, so that clients get the rest. Then its name
    /// is unknown. 5 min by default. Where room is needed, finished streams are dropped earlier.
    pub retention: Duration,
    /// The time that a producer runs on when the server of one of its listeners begins to shut down. Then
    /// it is cancelled, and the stream ends with [`StreamEnd::Shutdown`](super::StreamEnd::Shutdown), so
    /// that its clients are told before they are cut. 5 s by default: keep it shorter than the server's
    /// own `shutdown_timeout`. `None` cancels no producer, and ends the connections of its listeners at
    /// once, so that they reconnect to another server: for servers that share their streams.
    pub shutdown_grace: Option<Duration>,
    /// The largest number of streams, running and finished. 1,000 by default. Beyond it the stream that
    /// finished first is dropped, if it has no listener; if there is no such stream, starting one is an
    /// [error](super::StartError::TooManyStreams).
    ///
    /// Beside its history a stream takes about 2 KB while it runs, without what its producer holds, and
    /// 1.6 KB when it is finished; an attached client takes 70 bytes.
    pub max_streams: usize,
    /// The largest number of streams of an owner, running and finished. 100 by default. At the bound the
    /// same happens, among the owner's streams. Streams without an owner have no such bound.
    pub max_streams_per_owner: usize,
    /// The largest memory of all histories together, in bytes. 256 MiB by default. At the bound finished
    /// streams are dropped, the one that finished first before the others; after that the stream that
    /// needs room ends, as at its own bound. Histories count in whole [granules](crate::Budget::GRANULE):
    /// a smaller one does not count.
    pub max_total_bytes: usize,
    /// The largest length of a name, and of an owner, in bytes. 256 by default. A longer one is an
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
            when_full: WhenFull::Reject,
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
