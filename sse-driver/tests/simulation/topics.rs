//! The topics: one that forgets, and begins anew now and then, and two that keep everything.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sse_core::{
    Budget,
    topic::{Position, Topic, TopicConfig},
};

use crate::{
    jobs::Jobs,
    payload::{Payload, Place},
    sim::Sim,
};

/// The topic that forgets.
pub const FORGETFUL: usize = 0;
/// The topics that do not.
pub const COMPLETE: [usize; 2] = [1, 2];

#[derive(Clone)]
pub struct Topics {
    shared: Arc<Mutex<Shared>>,
    pub largest_event: usize,
    pub jobs: Jobs,
}

struct Shared {
    topics: Vec<Topic>,
    /// The place of the newest event of each.
    ends: Vec<Place>,
    sim: Sim,
    config: TopicConfig,
}

impl Topics {
    /// Creates the topics; `config` is that of the one that forgets.
    pub fn new(sim: &Sim, config: TopicConfig, largest_event: usize, jobs: Jobs) -> Self {
        // A history would also forget if others used up its budget.
        let mut complete = TopicConfig::default();
        complete.budget = Budget::new(1 << 40);
        #[cfg(feature = "compression")]
        {
            complete.compress = config.compress;
        }
        let configs = [config.clone(), complete.clone(), complete];
        let topics = configs.into_iter().zip(1..);
        let (topics, ends) = topics
            .map(|(config, epoch)| begin(sim, config, epoch))
            .unzip();
        let sim = sim.clone();
        let shared = Shared {
            topics,
            ends,
            sim,
            config,
        };
        Self {
            shared: Arc::new(Mutex::new(shared)),
            largest_event,
            jobs,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn topic(&self, which: usize) -> Topic {
        self.lock().topics[which].clone()
    }

    /// Returns the place of the newest event.
    pub fn end(&self, which: usize) -> Place {
        self.lock().ends[which]
    }

    /// Returns the topic of this epoch.
    pub fn of_epoch(&self, epoch: u64) -> Option<usize> {
        self.lock().ends.iter().position(|end| end.epoch == epoch)
    }

    pub fn publish(&self, which: usize, count: u64) {
        for _ in 0..count {
            let (topic, end) = {
                let shared = &mut *self.lock();
                shared.ends[which].sequence += 1;
                (shared.topics[which].clone(), shared.ends[which])
            };
            let event = Payload::at(end, self.largest_event).event();
            let position = topic.publish(event).expect("it has room");
            assert_eq!(position, Position::new(end.epoch, end.sequence));
        }
    }

    /// Lets the topic that forgets begin anew, as after a restart of its program.
    pub fn begin_anew(&self) {
        let old = {
            let shared = &mut *self.lock();
            let newest = shared.ends.iter().map(|end| end.epoch).max();
            let epoch = newest.unwrap_or_default() + 1;
            let (topic, end) = begin(&shared.sim, shared.config.clone(), epoch);
            shared.ends[FORGETFUL] = end;
            std::mem::replace(&mut shared.topics[FORGETFUL], topic)
        };
        drop(old);
    }

    pub fn subscribers(&self) -> u64 {
        let topics = self.lock().topics.clone();
        let subscribers = topics.iter().map(|topic| topic.stats().subscribers);
        subscribers.sum()
    }

    /// Drops the topics, with everything that they hold.
    pub fn clear(&self) {
        let topics = std::mem::take(&mut self.lock().topics);
        drop(topics);
    }
}

fn begin(sim: &Sim, config: TopicConfig, epoch: u64) -> (Topic, Place) {
    let clock = sim.clone();
    let now = move || sse_driver::Clock::now(&clock);
    let topic = Topic::new(config, epoch, now);
    (topic, Place { epoch, sequence: 0 })
}
