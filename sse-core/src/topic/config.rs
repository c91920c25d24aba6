//! The bounds of a topic, and what it does at them.

use std::time::Duration;

use crate::{Budget, EventType, Text};

/// The bounds of a [`Topic`](super::Topic), and what happens at them.
///
/// Whichever of the bounds on the history is reached first counts: the oldest events go, unless
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
    /// How many events are kept. 10,000 by default, at least 1.
    pub max_events: usize,
    /// How many bytes of memory the history takes, with all that belongs to it: the encoded
    /// events, 24 bytes for each and some 130 more for one with an ID of its own. 4 MiB by
    /// default. Events go a sixteenth of it at a time, 64 KiB at most. One that would not fit even
    /// alone is refused: keep it some KiB larger than the largest event.
    pub max_bytes: usize,
    /// What the history shares with other topics, servers and embeddings: where it has no room,
    /// events go earlier, and the newest stays. The [budget of the
    /// process](Budget::of_process) by default.
    pub budget: Budget,
    /// The greatest age of an event. It is checked at each publication and at each subscription, so
    /// that a client that resumes gets no older event. `None` by default, for no bound.
    pub max_age: Option<Duration>,
    /// What becomes of an event for which the history has no room. The oldest events go by default.
    pub when_full: WhenFull,
    /// What becomes of a subscriber whose next event is no longer there. It is cut by default.
    pub when_too_slow: WhenTooSlow,
    /// Which outcomes of a resumption the stream begins with, as a [`Notice`](super::Notice).
    /// Losses by default.
    pub announce: Announce,
    /// Whether the response has a field `sse-resume`, which tells the outcome of a resumption to
    /// clients that can read fields, for example `gap; lost=2; replayed=5`. `false` by default.
    pub announce_in_header: bool,
    /// The event type of notices. `resume` by default.
    pub notice_event_type: EventType,
    /// The query parameter with the last event ID, for clients that cannot set the field
    /// `Last-Event-ID`, as a page cannot in its first request. Where a request has both, the field
    /// counts, since a page that reconnects repeats its query. `lastEventId` by default; with the
    /// empty name no parameter is read.
    pub last_event_id_param: Text,
    /// Whether the topic compresses what it publishes, once for all clients that take the content coding
    /// `gzip`; the others get the plain bytes. `false` by default. See [compression](super#compression).
    #[cfg(feature = "compression")]
    pub compress: bool,
    /// How many topics a stream may have that has this one, see
    /// [`MergedSubscriber`](super::MergedSubscriber). 16 by default. Every event of such a stream
    /// has an ID that comes back in a field of the request. It is up to 34 bytes long for each topic,
    /// some 15 as a rule, and with IDs of the publisher's choice up to 4 KiB; this crate's own client
    /// takes IDs of 8 KiB.
    pub max_merged_topics: usize,
}

/// What a topic does with an event for which its history has no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WhenFull {
    /// It is published, and the oldest events go.
    #[default]
    DropOldest,
    /// It is refused: publishing fails with [`PublishError::Full`](super::PublishError::Full), and the
    /// history keeps what it has. Only [age](TopicConfig::max_age) still drops events.
    ///
    /// Of `max_bytes` 1 KiB is left for the last event, that of
    /// [`close_with_event`](super::Topic::close_with_event).
    Refuse,
}

/// What a topic does with a subscriber whose next event has left the history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WhenTooSlow {
    /// It is cut: its stream ends with [`SlowConsumer`](super::SlowConsumer), and the connection
    /// with [`CloseReason::SlowConsumer`](crate::lifecycle::CloseReason::SlowConsumer). The client
    /// comes back with its last event ID, and learns what it missed.
    #[default]
    Cut,
    /// It goes on with the oldest event that is there, behind a [`Notice`](super::Notice) that
    /// tells it how many it lost. This is told whatever [`TopicConfig::announce`] says.
    SkipAhead,
}

/// Which outcomes of a resumption are announced in the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Announce {
    /// None. The handler can still look at [`Subscriber::outcome`](super::Subscriber::outcome).
    Nothing,
    /// Those that lost something or may have: gap and unknown.
    #[default]
    Losses,
    /// All of them. A client that is told knows from the start where in the history it is: it
    /// loses nothing even if it is disconnected before its first event.
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
