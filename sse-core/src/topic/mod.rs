//! One source of events, very many listeners.
//!
//! A [`Topic`] is what one reaches for when several clients are to get the same events. Whoever
//! holds a handle publishes; a handler returns a [`Subscriber`].
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
//! // Everything new comes at once, encoded already, each event with its ID.
//! let mut batch = || match subscriber.try_next() {
//!     std::task::Poll::Ready(Some(Ok(Batch::Events(events)))) => events,
//!     other => panic!("{other:?}"),
//! };
//! assert_eq!(batch().as_bytes(), b"id: 0-1\ndata: one\n\nid: 0-2\ndata: two\n\n");
//!
//! // A client that has seen the first comes back, and gets the rest.
//! let mut subscriber = topic.resume_from(Some("0-1"));
//! assert_eq!(subscriber.outcome(), Outcome::Resumed { replayed: 1 });
//! # Ok::<(), sse_core::topic::PublishError>(())
//! ```
//!
//! # How it works
//!
//! An event is encoded once, when it is published, and appended to the history: the encoded events
//! lie one behind the other in memory, the newest of them, within the bounds of the [`TopicConfig`]. A
//! subscriber holds none of them. It is a cursor, the number of its next event. Whoever is behind,
//! by one event or by a thousand, takes everything new in one piece that it shares with the others
//! ([`EncodedEvents`]), and a connection writes that piece from where it lies. So what an event
//! costs does not depend on how many listen, and what a listener costs does not depend on how many
//! events there are between two looks.
//!
//! A subscriber that has taken everything waits. The first event wakes it; those that follow before
//! it looks wake nobody. Publishing waits for no one, and what it costs beside the encoding is in
//! proportion to those it wakes.
//!
//! # Coming back
//!
//! An event's ID says where in the topic's life it is, and in which of its lives: `epoch-sequence`,
//! see [`Position`]. A client that lost its connection sends the last one it saw, and goes on from
//! there: [`Topic::resume_from`], or, for a request, [`Topic::resume`]. What it missed and what is published meanwhile arrive in order, without a hole
//! and without a repeat, or it is told what is lost: see [`Outcome`]. The handler sees the outcome;
//! a client is told by a [`Notice`] in its stream, and if you like in a field of the response, too.
//!
//! A page can listen for it:
//!
//! ```js
//! source.addEventListener("resume", ({ data }) => {
//!     const { outcome, lost } = JSON.parse(data);
//!     if (outcome === "gap" || outcome === "unknown") location.reload();
//! });
//! ```
//!
//! An event may have an ID of your own choice instead. It can be resumed from for as long as the
//! event is kept; afterwards it is unknown, for nothing tells how far back it lies. Such IDs outlive a
//! restart of the server: publish the events that you have stored to the new topic, with the same
//! IDs, before the first client comes. Clients resume from them in every kind of stream, since what a
//! stream begins with, what tells a client where it is, and the IDs of a [`MergedSubscriber`] have
//! them too.
//!
//! # Many topics
//!
//! A [`TopicMap`] has topics by name: rooms, say, or users. Each is there once somebody asks for it,
//! and goes when nobody uses it any more; there is a bound on how many there are.
//!
//! A [`MergedSubscriber`] gets what several topics publish, in one stream that is resumed in all of
//! them. A subscriber that wants events of some types alone says so:
//! [`Subscriber::only_event_types`]. One whose client needs the state of things before it can do
//! anything with what changes has the stream begin with it: [`Subscriber::begin_with`].
//!
//! # Who is too slow
//!
//! Memory is bounded whatever the readers do ([`TopicConfig::max_bytes`]), so that one who does not keep
//! up finds one day that its next event is gone. It is cut then, with the reason
//! `CloseReason::SlowConsumer`, or skipped ahead with a notice:
//! see [`WhenTooSlow`]. Nothing is ever left out in silence. Keep a history that is longer than
//! the largest burst you publish, or even the quick are too slow.
//!
//! The driver leaves events in the topic for as long as a client's socket takes no bytes: such a
//! client holds one batch at most, which it shares with others, and is found too slow when it goes
//! on to read. One that never does runs into the
//! stall timeout of its connection.
//!
//! # How it ends
//!
//! A topic is closed, or fails, or its last handle is dropped. Its subscribers get what they have not
//! had yet, and then their streams end; [`Subscriber::end`] tells the reason, also to a client that
//! comes back later and has everything.
//!
//! # A history that is kept elsewhere
//!
//! A topic can be a copy of a history that lies in another system, which numbers the events:
//! [`Topic::publish_at`] takes the number with the event, and [`Topic::go_on_behind`] has the copy
//! begin anywhere, pass over what is no longer there, or go to another epoch. Subscribers are told
//! what they lose by it.
//!
//! # Watching it
//!
//! [`Topic::stats`] tells at any time how many events were published and taken, how many subscribe,
//! how they joined, and how many were too slow.

mod config;
mod cursor;
mod encoded;
mod end;
mod log;
mod map;
mod merged;
mod merged_id;
mod position;
mod publish;
mod request;
mod resume;
mod segment;
mod selection;
mod stats;
mod subscriber;
mod wire;

pub use crate::encoded_events::EncodedEvents;
pub use config::{Announce, TopicConfig, WhenTooSlow};
pub use encoded::{Batch, DecodedEvents, Notice};
pub use end::TopicEnd;
pub use map::{TooManyTopics, TopicMap, TopicMapConfig};
pub use merged::{MergeError, MergedSubscriber};
pub use position::Position;
pub use publish::{PublishError, Topic};
pub use request::ResumeRequest;
pub use resume::Outcome;
pub use stats::TopicStats;
pub use subscriber::{SlowConsumer, Subscriber};
