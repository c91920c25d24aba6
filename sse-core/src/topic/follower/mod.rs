//! Topics of many nodes: a topic that follows a log which lies elsewhere, as a state machine.
//!
//! Several server processes behind a balancer send the same events: whatever is published on one is to
//! reach the clients of all, and a client that comes back to another node is to resume there without a
//! hole. An external *log*, such as a Redis stream or a table of a database, holds the history and numbers
//! the events. The [`Topic`](super::Topic) of each node is its cache of the log, and its fan-out.
//!
//! A [`Follower`] stands between the two. It touches no socket and has no clock: the caller tells it what
//! the log says, and does what it asks for.
//!
//! - In go [bells](Bell), which say that an event was appended; [pages](Page) of the log with its
//!   [tails](Tails); and the time.
//! - Out come [requests](PageRequest) for pages, the events in order, and what is lost, by exact counts.
//!
//! Bells make it fast, and nothing depends on them: they may be lost, doubled, reordered and late. It
//! delivers an event when it has every event in front of it. What it does not have it reads from the log.
//! It looks at the log's tails [from time to time](FollowerConfig::look_every), which finds the last event
//! where its bell was lost.
//!
//! ```text
//!             tails                      the end of the log, as it was then
//!   +------+  -----> Begin +---------+  -----> +-----------+
//!   | Cold |               | Warming |         | Following | <--+ bells, pages: Event, Lost
//!   +------+               +---------+         +-----------+ ---+ another epoch: Anew
//! ```
//!
//! A [`LogSubscriber`] serves one client of such a topic. Where the topic no longer holds what the client
//! missed, or has not come to the place from which the client comes, it asks the log.
//!
//! # An example
//!
//! ```
//! use std::time::Instant;
//! use sse_core::{Event, topic::{Position, Topic, TopicConfig}};
//! use sse_core::topic::follower::{
//!     Bell, Follower, FollowerConfig, FollowerOutput, FollowerPhase, Page, Tails,
//! };
//!
//! let now = Instant::now();
//! let topic = Topic::new(TopicConfig::default(), 0, Instant::now);
//! let mut follower = Follower::new(FollowerConfig::default());
//!
//! // Bells are heard. The follower asks for the log's tails first, and then for its newest events.
//! follower.handle_up(now);
//! let tails = Tails { epoch: 7, oldest: 1, newest: 2 };
//! let Some(FollowerOutput::Read(request)) = follower.poll_output(now) else { panic!() };
//! assert_eq!(request.limit, 0);
//! follower.handle_page(now, Page::new(tails, vec![]));
//!
//! // The bells of events 4 and 3, in this order.
//! follower.handle_bell(now, Bell::new(Position::new(7, 4)).with_event(Event::new("four")));
//! follower.handle_bell(now, Bell::new(Position::new(7, 3)));
//! while let Some(output) = follower.poll_output(now) {
//!     if let Some(request) = output.publish_to(&topic)? {
//!         assert_eq!(request.after, Position::new(7, 0));
//!         let tails = Tails { epoch: 7, oldest: 1, newest: 4 };
//!         let events = ["one", "two", "three", "four"];
//!         let events = (1..).zip(events.map(Event::new)).collect();
//!         follower.handle_page(now, Page::new(tails, events));
//!     }
//! }
//! assert_eq!(follower.phase(), FollowerPhase::Following);
//! assert_eq!(topic.position(), Position::new(7, 4));
//! # Ok::<(), sse_core::topic::PublishError>(())
//! ```
//!
//! # What a log promises
//!
//! - It numbers its events 1, 2, 3 and so on, without a gap, within an epoch. An event that can be read, or
//!   whose bell rings, has every event in front of it readable; where that takes a moment, as with
//!   transactions that commit out of order, the follower waits for
//!   [`hole_wait`](FollowerConfig::hole_wait).
//! - A number is never given to two events of an epoch. A log that lost its newest events takes a
//!   greater epoch before it numbers on. A page of an older epoch counts as late.
//! - It may drop its oldest events. What a follower had not read of them is lost, and is counted.
//!
//! # What clients are told
//!
//! | what happens | what a client gets |
//! |---|---|
//! | bells are lost; the log is away and comes back | everything, in order, late |
//! | the log drops events that the node has not read | a [gap](super::Outcome::Gap) with their number |
//! | the log begins another epoch | [unknown](super::Outcome::Unknown), and then the new epoch's events |
//! | the client's last event is older than the topic | everything, from the log |
//! | the client's last event is newer than the topic, since it comes from a node that is ahead | it waits until this node has come there, and gets what follows |

mod config;
mod machine;
mod output;
mod page;
mod place;
mod subscriber;
mod topic;

pub use config::FollowerConfig;
pub use machine::{Follower, FollowerPhase};
pub use output::FollowerOutput;
pub use page::{Bell, Page, PageRequest, Tails};
pub use subscriber::{LogItem, LogSubscriber};
