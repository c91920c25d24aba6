//! A server process: a follower with its topic, as the driver runs it.

use std::time::Instant;

use sse_core::topic::{
    Topic, TopicConfig,
    follower::{Bell, Follower, FollowerPhase, Page, PageRequest},
};

use super::scenario::Scenario;

pub(super) struct Node {
    pub(super) topic: Topic,
    follower: Follower,
    is_up: bool,
    /// Distinguishes the answers to this process from those to the one before.
    pub(super) life: u64,
    /// The number of the last request.
    pub(super) requests: u64,
}

impl Node {
    pub(super) fn new(scenario: &Scenario, life: u64, epoch: u64, now: Instant) -> Self {
        let mut config = TopicConfig::default();
        config.max_events = scenario.topic_events;
        Self {
            topic: Topic::new(config, epoch, move || now),
            follower: Follower::new(scenario.follower.clone()),
            is_up: false,
            life,
            requests: 0,
        }
    }

    pub(super) fn is_following(&self) -> bool {
        self.follower.phase() == FollowerPhase::Following
    }

    pub(super) fn up(&mut self, now: Instant) {
        if !self.is_up {
            self.is_up = true;
            self.follower.handle_up(now);
        }
    }

    pub(super) fn down(&mut self, now: Instant) {
        self.is_up = false;
        self.follower.handle_down(now);
    }

    pub(super) fn bell(&mut self, now: Instant, bell: Bell) {
        self.follower.handle_bell(now, bell);
    }

    pub(super) fn answer(&mut self, now: Instant, page: Option<Page>) {
        match page {
            Some(page) => self.follower.handle_page(now, page),
            None => self.follower.handle_page_failed(now),
        }
    }

    /// Handles time, takes all outputs, and returns the next request.
    pub(super) fn pump(&mut self, now: Instant) -> Option<PageRequest> {
        self.follower.handle_timeout(now);
        while let Some(output) = self.follower.poll_output(now) {
            if let Some(request) = output.publish_to(&self.topic).unwrap() {
                self.requests += 1;
                return Some(request);
            }
        }
        None
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.follower.poll_timeout()
    }
}
