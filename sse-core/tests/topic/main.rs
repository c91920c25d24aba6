//! Topics by hand: no runtime, no task, and time is a number.
#![cfg(all(feature = "server", feature = "topic"))]

mod beginning;
mod budget;
mod elsewhere;
mod ending;
mod full;
mod joining;
mod map;
mod memory;
mod merged;
mod model;
mod requests;
mod restart;
mod resumable;
mod resuming;
mod selecting;
mod slow;
mod snapshot;
mod stats;
mod waking;

use std::{
    sync::{Arc, Mutex},
    task::Poll,
    time::{Duration, Instant},
};

use sse_core::topic::{Batch, Outcome, SlowConsumer, Subscriber, Topic, TopicConfig};

/// "abc" in base 36.
const EPOCH: u64 = 13_368;

/// A clock that the test moves.
#[derive(Clone)]
struct Clock(Arc<Mutex<Instant>>);

impl Clock {
    #[allow(clippy::disallowed_methods)] // an `Instant` has to come from somewhere
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    fn now(&self) -> Instant {
        *self.0.lock().unwrap()
    }

    fn advance(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }
}

fn topic(config: TopicConfig) -> Topic {
    topic_on(&Clock::new(), config)
}

fn topic_on(clock: &Clock, config: TopicConfig) -> Topic {
    topic_of(EPOCH, clock, config)
}

fn topic_of(epoch: u64, clock: &Clock, config: TopicConfig) -> Topic {
    let clock = clock.clone();
    Topic::new(config, epoch, move || clock.now())
}

/// Publishes this many events.
fn publish(topic: &Topic, count: u64) {
    for _ in 0..count {
        topic.publish("x").unwrap();
    }
}

/// The items that a subscriber got.
#[derive(Debug, Default, PartialEq, Eq)]
struct Taken {
    text: String,
    notices: Vec<Outcome>,
    end: End,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum End {
    #[default]
    Waits,
    Closed,
    Cut(u64),
}

/// Takes everything.
fn take(subscriber: &mut Subscriber) -> Taken {
    take_all(|| subscriber.try_next())
}

fn take_all(mut next: impl FnMut() -> Poll<Option<Result<Batch, SlowConsumer>>>) -> Taken {
    let mut taken = Taken::default();
    loop {
        match next() {
            Poll::Pending => return taken,
            Poll::Ready(None) => {
                taken.end = End::Closed;
                return taken;
            }
            Poll::Ready(Some(Err(SlowConsumer { lost, .. }))) => {
                taken.end = End::Cut(lost);
                return taken;
            }
            Poll::Ready(Some(Ok(batch))) => {
                if let Batch::Notice(notice) = &batch {
                    taken.notices.push(notice.outcome());
                }
                taken.text += str::from_utf8(batch.as_bytes()).unwrap();
            }
        }
    }
}

/// Returns the IDs in an event stream's text.
fn ids(text: &str) -> Vec<&str> {
    text.lines()
        .filter_map(|line| line.strip_prefix("id: "))
        .collect()
}
