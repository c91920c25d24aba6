//! State that threads share, under the model checker `loom`: each test runs once for every order in which
//! its threads can run, with a bounded number of preemptions. A lost wake-up is a deadlock here.
//!
//! `.ci/loom` runs it, and so does
//! `RUSTFLAGS="--cfg loom" cargo test --release -p sse-core --all-features --test loom`.
#![cfg(all(loom, feature = "loom"))]
#![allow(clippy::disallowed_methods)] // an `Instant` has to come from somewhere

mod budget;
mod clean_up;
mod shutdown;
mod tasks;
mod topic;
mod topic_map;
mod waker_set;

use std::time::Instant;

use sse_core::{
    Budget,
    topic::{Topic, TopicConfig},
};

/// Returns settings with a budget of their own, because that of the process would be shared, too.
fn topic_config() -> TopicConfig {
    let mut config = TopicConfig::default();
    config.budget = Budget::new(Budget::DEFAULT);
    config
}

fn topic(epoch: u64) -> Topic {
    topic_with(epoch, topic_config())
}

fn topic_with(epoch: u64, config: TopicConfig) -> Topic {
    let now = Instant::now();
    Topic::new(config, epoch, move || now)
}
