//! One source of events for many clients.
//!
//! A [`Topic`] sends the same events to any number of clients. A program publishes through a handle
//! of the topic, and a request's handler returns a [`Subscriber`] of it.
//!
//! ```
//! use std::time::Instant;
//! use sse_core::{Event, topic::{Batch, TopicConfig, Outcome, Topic}};
//!
//! let topic = Topic::new(TopicConfig::default(), 0, Instant::now);
//! let mut subscriber = topic.subscribe();
//! topic.publish("one")?;
//! topic.publish("two")?;
//!
//! // A batch has all new events, encoded, each with its ID.
//! let mut batch = || match subscriber.try_next() {
//!     std::task::Poll::Ready(Some(Ok(Batch::Events(events)))) => events,
//!     other => panic!("{other:?}"),
//! };
//! assert_eq!(batch().as_bytes(), b"id: 0-1\ndata: one\n\nid: 0-2\ndata: two\n\n");
//!
//! // A client that received the first reconnects, and gets the rest.
//! let mut subscriber = topic.resume_from(Some("0-1"));
//! assert_eq!(subscriber.outcome(), Outcome::Resumed { replayed: 1 });
//! # Ok::<(), sse_core::topic::PublishError>(())
//! ```
//!
//! # How it works
//!
//! An event is encoded once, when it is published, and appended to the history: the newest events,
//! encoded, one after the other in memory, within the bounds of the [`TopicConfig`]. A subscriber
//! holds no events. It is a cursor: the number of its next event. A subscriber that is behind, by one
//! event or by a thousand, takes everything new in one piece ([`EncodedEvents`]), whose memory it
//! shares with the other subscribers; a connection writes that piece without copying it. The cost of
//! encoding an event therefore does not depend on the number of subscribers, and the cost of a read
//! does not depend on the number of events since the one before.
//!
//! A subscriber that has taken everything waits. The first new event wakes it; further events, until
//! it reads again, cause no wake-up. Publishing never waits for a subscriber. Its cost beside the
//! encoding is in proportion to the number of subscribers that it wakes.
//!
//! # Resuming
//!
//! An event's ID is `epoch-sequence`: the number of the event, and a number that changes when the
//! topic begins anew; see [`Position`]. A client that lost its connection sends the last event ID
//! that it received, and resumes behind it: by [`Topic::resume_from`] or, for a request, by
//! [`Topic::resume`]. It receives what it missed and what is published meanwhile, in order, each
//! event once, or it is told what is lost: see [`Outcome`]. The handler sees the outcome. A client is
//! told by a [`Notice`] in its stream, and by a field of the response if
//! [`TopicConfig::announce_in_header`] is set.
//!
//! A page can listen for the notice:
//!
//! ```js
//! source.addEventListener("resume", ({ data }) => {
//!     const { outcome, lost } = JSON.parse(data);
//!     if (outcome === "gap" || outcome === "unknown") location.reload();
//! });
//! ```
//!
//! An event may have an ID of your own choice instead. A client can resume from it for as long as the
//! history holds the event; afterwards the ID is unknown, because it does not tell how old the event is.
//! Such IDs outlive a restart of the server: publish the events that you have stored to the new topic,
//! with the same IDs, before the first client connects. Clients resume from them in every kind of stream:
//! the events that a stream begins with, [`Batch::Place`] and the IDs of a [`MergedSubscriber`] carry
//! them, too.
//!
//! # After a restart
//!
//! A topic is held in memory, and its epoch ends with the process. Clients resume after a restart without
//! a gap in one of three ways:
//!
//! - **A snapshot**: [`Topic::snapshot`] at the end, into a file, and [`Topic::restore`] at the
//!   beginning. The new topic knows the IDs that the old one gave.
//! - **IDs of your own**, of events that are stored anyway: publish the stored ones to the new topic, as
//!   above.
//! - **Numbers of your own**, where another system has the history: [`Topic::publish_at`].
//!
//! # Many topics
//!
//! A [`TopicMap`] has topics by name, such as those of rooms or of users. It makes a topic at the
//! first use of its name, and drops one that was not used for a while; their number is bounded.
//!
//! A [`MergedSubscriber`] yields the events of several topics in one stream, and resumes in all of them.
//! [`Subscriber::only_event_types`] leaves out the events of other types. [`Subscriber::begin_with`]
//! begins a stream with the current state, for clients that need it before the changes.
//!
//! # Slow subscribers
//!
//! Memory is bounded whatever the readers do ([`TopicConfig::max_bytes`]). A subscriber that does not
//! keep up can therefore find that its next event has left the history. It is then cut, with the reason
//! `CloseReason::SlowConsumer`, or skipped ahead with a notice: see [`WhenTooSlow`]. No event is left out
//! silently. Keep a history that is longer than the largest burst that you publish; otherwise even fast
//! subscribers are too slow.
//!
//! The driver leaves events in the topic for as long as a client's socket takes no bytes: such a client
//! holds at most one batch, whose memory it shares with others, and is found too slow when it reads
//! again. A client that never reads again is cut by the stall timeout of its connection.
//!
//! # Compression
//!
//! With the feature `compression` a topic may [compress](TopicConfig) its events (`compress`), once for
//! all clients that accept the content coding `gzip`. The history holds the compressed bytes beside the
//! plain ones, within the same bound, so that it holds fewer events; an event that would not fit twice is
//! rejected. The compressor takes another 384 KiB until the topic is closed, which count in its
//! [budget](TopicConfig::budget); while the budget has no room for them, events are published plain, to every
//! client. It works under the topic's lock, for some microseconds for each event. The module `gzip` of this
//! crate says how clients join, and why not to compress secrets.
//!
//! # How it ends
//!
//! A topic ends when it is closed, when it fails, or when its last handle is dropped. Its subscribers
//! get what they have not received yet, and then their streams end. [`Subscriber::end`] returns the
//! reason, also for a client that reconnects later and has received everything.
//!
//! # A history that is kept elsewhere
//!
//! A topic can be a copy of a history in another system, which numbers the events: [`Topic::publish_at`]
//! takes the number with the event, and [`Topic::go_on_behind`] makes the copy begin at any number, skip
//! events that the other system no longer has, or change its epoch. Subscribers are told what they lose
//! by it. The module `follower` (with the feature of this name, or the feature `event-log` of an adapter)
//! copies such a history, and serves clients that are behind the copy.
//!
//! # Streams that outlive their connections
//!
//! [`resumable`] manages topics that each have a producer of their own, such as the answer of a language
//! model: how long the producer runs without a listener, how long the history is kept after its end, and
//! how every client is told how it ended.
//!
//! # Statistics
//!
//! [`Topic::stats`] returns the numbers of published and delivered events and of subscribers, how the
//! subscribers joined, and how many were too slow.

mod config;
mod cursor;
mod encoded;
mod end;
#[cfg(feature = "follower")]
pub mod follower;
mod log;
mod map;
mod merged;
mod merged_id;
#[cfg(feature = "compression")]
mod packed;
mod position;
mod publish;
mod publish_error;
mod request;
pub mod resumable;
mod resume;
mod segment;
mod selection;
mod snapshot;
mod stats;
mod subscriber;
mod wire;

pub use crate::{encoded_events::EncodedEvents, slow_consumer::SlowConsumer};
pub use config::{Announce, TopicConfig, WhenFull, WhenTooSlow};
pub use encoded::{Batch, DecodedEvents, Notice};
pub use end::TopicEnd;
pub use map::{TooManyTopics, TopicMap, TopicMapConfig};
pub use merged::{MergeError, MergedSubscriber};
pub use position::Position;
pub use publish::Topic;
pub use publish_error::{HistoryBound, PublishError};
pub use request::ResumeRequest;
pub use resume::Outcome;
pub use snapshot::{InvalidSnapshot, RestoreError, TopicSnapshot};
pub use stats::TopicStats;
pub use subscriber::{Lag, Subscriber};
