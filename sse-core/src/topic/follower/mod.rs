//! Topics of many nodes: a topic that follows a log in another system, as a state machine.
//!
//! Several server processes behind a load balancer send the same events: an event published on one of
//! them has to reach the clients of all, and a client that reconnects to another one has to resume there
//! without a gap. An external *log*, such as a Redis stream or a table of a database, holds the history
//! and numbers the events. The [`Topic`](super::Topic) of each node is its cache of the log, and serves
//! its clients.
//!
//! A [`Follower`] stands between the two. It has no socket and no clock: the caller passes on what the
//! log says, and does what the follower asks for.
//!
//! - Its inputs are [bells](Bell), which say that an event was appended; [pages](Page) of the log with
//!   its [tails](Tails); and the time.
//! - Its outputs are [requests](PageRequest) for pages, the events in order, and exact counts of lost
//!   events.
//!
//! Bells make it fast, but nothing depends on them: they may be lost, doubled, reordered and late. It
//! delivers an event once it has every event in front of it, and reads the events that it lacks from the
//! log. It reads the log's tails [from time to time](FollowerConfig::look_every), which finds the last
//! event if its bell was lost.
//!
//! ```text
//!             tails                      the end of the log, as it was then
//!   +------+  -----> Begin +---------+  -----> +-----------+
//!   | Cold |               | Warming |         | Following | <--+ bells, pages: Event, Lost
//!   +------+               +---------+         +-----------+ ---+ another epoch: Anew
//! ```
//!
//! A [`LogSubscriber`] serves one client of such a topic. If the topic no longer holds what the client
//! missed, or has not reached the place that the client comes from, it reads the log.
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
//! // The bells of events 4 and 3 arrive, in this order.
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
//! # What a log has to guarantee
//!
//! - It numbers its events 1, 2, 3 and so on, without a gap, within an epoch. Before an event can be
//!   read, or its bell rings, every event in front of it can be read; where that takes a moment, as with
//!   transactions that commit out of order, the follower waits for
//!   [`hole_wait`](FollowerConfig::hole_wait).
//! - It never gives a number to two events of an epoch. A log that lost its newest events begins a
//!   greater epoch before it numbers further events. A page of an older epoch counts as late.
//! - It may drop its oldest events. Those of them that a follower had not read are lost, and are counted.
//!
//! # What clients are told
//!
//! | what happens | what a client gets |
//! |---|---|
//! | bells are lost; the log is out of reach and returns | everything, in order, late |
//! | the log drops events that the node has not read | a [gap](super::Outcome::Gap) with their number |
//! | the log begins another epoch | [unknown](super::Outcome::Unknown), and then the new epoch's events |
//! | the client's last event is older than the topic's oldest | everything, from the log |
//! | the client's last event is newer than the topic's newest, because the client comes from a node that is ahead | the client waits until this node has reached that event, and gets the events after it |

mod config;
mod machine;
mod output;
mod page;
mod place;
mod replay;
mod subscriber;
mod topic;

pub use config::FollowerConfig;
pub use machine::{Follower, FollowerPhase};
pub use output::FollowerOutput;
pub use page::{Bell, Page, PageRequest, Tails};
pub use subscriber::{LogItem, LogSubscriber};
