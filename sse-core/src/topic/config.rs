//! The bounds of a topic, and its behaviour at them.

use std::time::Duration;

use crate::{Budget, EventType, Text};

/// The bounds of a [`Topic`](super::Topic), and its behaviour at them.
///
/// Whichever bound on the history is reached first counts: the oldest events are dropped, unless
/// [`when_full`](Self::when_full) says otherwise.
///
/// ```
/// use std::time::Duration;
/// use sse_core::topic::{TopicConfig, WhenTooSlow};
///
/// let mut config = TopicConfig::default();
/// config.max_age = Some(Duration::from_secs(600));
/// config.when_too_slow = WhenTooSlow::SkipAhead;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicConfig {
    /// The largest number of events in the history. 10,000 by default, at least 1.
    pub max_events: usize,
    /// The largest memory of the history in bytes, overhead included: the encoded events, 24 bytes for
    /// each and about 130 more for one with an ID of its own. 4 MiB by default. Events are dropped a
    /// sixteenth of it at a time, at most 64 KiB. An event that would not fit even alone is rejected, so
    /// keep this some KiB larger than the largest event.
    pub max_bytes: usize,
    /// The bound on the memory that the history shares with other topics, servers and embeddings. While
    /// it has no room, events are dropped earlier, except the newest one. The [budget of the
    /// process](Budget::of_process) by default.
    pub budget: Budget,
    /// The greatest age of an event. It is checked when an event is published and when a client
    /// subscribes, so that a client that resumes gets no older event. `None`, no bound, by default.
    pub max_age: Option<Duration>,
    /// What the topic does with an event for which the history has no room. It drops the oldest events by
    /// default.
    pub when_full: WhenFull,
    /// What the topic does with a subscriber whose next event has left the history. It cuts it by
    /// default.
    pub when_too_slow: WhenTooSlow,
    /// The outcomes of a resumption for which the stream begins with a [`Notice`](super::Notice). Losses
    /// by default.
    pub announce: Announce,
    /// Whether the response has a field `sse-resume`, which tells the outcome of a resumption to clients
    /// that can read fields, such as `gap; lost=2; replayed=5`. `false` by default.
    pub announce_in_header: bool,
    /// The event type of notices. `resume` by default.
    pub notice_event_type: EventType,
    /// The query parameter with the last event ID, for clients that cannot set the field `Last-Event-ID`,
    /// such as a page in its first request. If a request has both, the field counts, because a page that
    /// reconnects repeats its query; of several parameters the last one counts. `lastEventId` by default; with
    /// an empty name no parameter is read.
    pub last_event_id_param: Text,
    /// Whether the topic compresses its events, once for all clients that accept the content coding
    /// `gzip`; other clients get the plain bytes. `false` by default. See
    /// [compression](super#compression).
    #[cfg(feature = "compression")]
    pub compress: bool,
    /// The largest number of topics in a stream that has this one: see
    /// [`MergedSubscriber`](super::MergedSubscriber). 16 by default. Every event of such a stream has an
    /// ID that comes back in a field of the request. The ID has up to 34 bytes for each topic, about 15
    /// as a rule, and with IDs of the publisher's choice up to 4 KiB in all; this crate's client accepts
    /// IDs of 8 KiB.
    pub max_merged_topics: usize,
}

/// What a topic does with an event for which its history has no room.
///
/// ```
/// use sse_core::topic::{TopicConfig, WhenFull};
///
/// let mut config = TopicConfig::default();
/// config.when_full = WhenFull::Reject;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WhenFull {
    /// The topic publishes it, and drops the oldest events.
    #[default]
    DropOldest,
    /// The topic rejects it: publishing fails with [`PublishError::Full`](super::PublishError::Full), and
    /// the history keeps its events. Only [age](TopicConfig::max_age) still drops events.
    ///
    /// 1 KiB of `max_bytes` is reserved for the last event, that of
    /// [`close_with_event`](super::Topic::close_with_event).
    Reject,
}

/// What a topic does with a subscriber whose next event has left the history.
///
/// ```
/// use sse_core::topic::{TopicConfig, WhenTooSlow};
///
/// let mut config = TopicConfig::default();
/// config.when_too_slow = WhenTooSlow::SkipAhead;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WhenTooSlow {
    /// The topic cuts it: its stream ends with [`SlowConsumer`](super::SlowConsumer), and the connection
    /// with [`CloseReason::SlowConsumer`](crate::lifecycle::CloseReason::SlowConsumer). The client
    /// reconnects with its last event ID, and learns what it missed.
    #[default]
    Cut,
    /// The topic moves it to the oldest event in the history, and yields a [`Notice`](super::Notice) with
    /// the number of lost events first. It does so whatever [`TopicConfig::announce`] says.
    SkipAhead,
}

/// Which outcomes of a resumption are announced in the stream.
///
/// ```
/// use sse_core::topic::{Announce, TopicConfig};
///
/// let mut config = TopicConfig::default();
/// config.announce = Announce::Everything;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Announce {
    /// No outcome. The handler can still read [`Subscriber::outcome`](super::Subscriber::outcome).
    Nothing,
    /// Outcomes with a loss or a possible loss: gap and unknown.
    #[default]
    Losses,
    /// All outcomes. The client then knows from the start where in the history it is: it loses no event
    /// even if it is disconnected before its first one.
    Everything,
}

impl Default for TopicConfig {
    fn default() -> Self {
        Self {
            max_events: 10_000,
            max_bytes: 4 * 1024 * 1024,
            budget: Budget::default(),
            max_age: None,
            when_full: WhenFull::default(),
            when_too_slow: WhenTooSlow::default(),
            announce: Announce::default(),
            announce_in_header: false,
            notice_event_type: const { EventType::from_static("resume") },
            last_event_id_param: Text::from_static("lastEventId"),
            #[cfg(feature = "compression")]
            compress: false,
            max_merged_topics: 16,
        }
    }
}
