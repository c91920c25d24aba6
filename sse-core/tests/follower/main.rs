//! Topics that follow a log, by hand: no runtime, no task, and time is a number.
#![cfg(feature = "follower")]
#![allow(clippy::disallowed_methods)] // an `Instant` has to come from somewhere
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used)] // that is how a test fails

mod bells;
mod client_beginnings;
mod client_losses;
mod client_pages;
mod clients;
mod faults;
mod laws;
mod log;
mod nodes;
mod pages;
mod world;

use std::time::{Duration, Instant};

use sse_core::topic::{
    Position, Topic, TopicConfig,
    follower::{Follower, FollowerConfig, FollowerOutput, PageRequest},
};

/// The log's first epoch.
const EPOCH: u64 = 7;

fn place(sequence: u64) -> Position {
    Position::new(EPOCH, sequence)
}

/// A follower, its topic and the time.
struct Node {
    follower: Follower,
    topic: Topic,
    now: Instant,
    /// The outputs: an event's number, or a loss.
    delivered: Vec<Delivered>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Delivered {
    Begin(Position),
    Event(u64),
    Lost(u64),
    Anew(Position),
}

impl Node {
    fn new(config: FollowerConfig) -> Self {
        Self {
            follower: Follower::new(config),
            topic: Topic::new(TopicConfig::default(), 0, Instant::now),
            now: Instant::now(),
            delivered: Vec::new(),
        }
    }

    /// Creates a node that follows a log with this many events, of which it delivered none.
    fn behind(log: &log::Log) -> Self {
        let mut config = FollowerConfig::default();
        config.warm_events = 0;
        let mut node = Self::new(config);
        node.follower.handle_up(node.now);
        node.settle(log);
        node.delivered.clear();
        node
    }

    /// Takes all outputs, and returns the next request.
    fn take(&mut self) -> Option<PageRequest> {
        while let Some(output) = self.follower.poll_output(self.now) {
            self.delivered.extend(match &output {
                FollowerOutput::Begin(place) => Some(Delivered::Begin(*place)),
                FollowerOutput::Event(place, _) => Some(Delivered::Event(place.sequence())),
                FollowerOutput::Lost { events, .. } => Some(Delivered::Lost(*events)),
                FollowerOutput::Anew(place) => Some(Delivered::Anew(*place)),
                _ => None,
            });
            if let Some(request) = output.publish_to(&self.topic).unwrap() {
                return Some(request);
            }
        }
        assert_eq!(
            self.follower.position().unwrap_or(Position::new(0, 0)),
            self.topic.position()
        );
        None
    }

    /// Answers every request from the log.
    fn settle(&mut self, log: &log::Log) {
        for _ in 0..100_000 {
            let Some(request) = self.take() else { return };
            self.follower.handle_page(self.now, log.page(request));
        }
        panic!("it asks for ever: {:?}", self.follower);
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.follower.handle_timeout(self.now);
    }

    fn events(&self) -> Vec<u64> {
        let events = self.delivered.iter();
        events
            .map(|delivered| match delivered {
                Delivered::Event(sequence) => *sequence,
                other => panic!("{other:?}"),
            })
            .collect()
    }
}
