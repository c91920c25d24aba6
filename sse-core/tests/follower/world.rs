//! A follower and its log, to which anything may happen, and what must hold of the outputs. The fuzz
//! target `follower` uses it, too.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use sse_core::topic::{
    Position, Topic, TopicConfig,
    follower::{Follower, FollowerConfig, FollowerOutput, FollowerPhase, PageRequest},
};

use crate::log::Log;

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Append(u64),
    /// The bell of an event this far before the newest, with the event or without.
    Bell(u64, bool),
    /// The largest number of events in the log from now on.
    Trim(u64),
    BeginAnew,
    Up,
    Down,
    /// The request is answered with the present content of the log.
    Answer,
    /// The request is answered with the content of the log at the last such step.
    AnswerLate,
    Fail,
    /// A page that was not asked for.
    Unasked(u64),
    Pass(u64),
    /// The caller takes all outputs.
    Take,
}

/// A follower, its log, and the allowed outputs.
pub(crate) struct World {
    follower: Follower,
    topic: Topic,
    now: Instant,
    log: Log,
    before: Log,
    request: Option<PageRequest>,
    /// The oldest event of each epoch.
    oldest: BTreeMap<u64, u64>,
    /// The epoch and the number of the last output.
    last: Option<(u64, u64)>,
}

impl World {
    /// A log with this many events, of which the follower begins with so many.
    pub(crate) fn new(first: u64, warm: u64) -> Self {
        let mut config = FollowerConfig::default();
        config.warm_events = warm;
        (config.page_events, config.max_ahead_events) = (4, 3);
        let log = Log::new(first);
        let oldest = BTreeMap::from([(log.tails.epoch, log.tails.oldest)]);
        Self {
            follower: Follower::new(config),
            topic: Topic::new(TopicConfig::default(), 0, Instant::now),
            now: Instant::now(),
            before: log.clone(),
            log,
            request: None,
            oldest,
            last: None,
        }
    }

    pub(crate) fn happen(&mut self, step: &Step) {
        let Self { follower, now, .. } = self;
        match *step {
            Step::Append(count) => {
                self.log.append(count);
            }
            Step::Bell(back, full) => {
                let sequence = self.log.tails.newest.saturating_sub(back).max(1);
                if sequence <= self.log.tails.newest {
                    let bell = match full {
                        true => self.log.full_bell(sequence),
                        false => self.log.bell(sequence),
                    };
                    follower.handle_bell(*now, bell);
                }
            }
            Step::Trim(keep) => self.log.trim(keep),
            Step::BeginAnew => self.log.begin_anew(),
            Step::Up => follower.handle_up(*now),
            Step::Down => follower.handle_down(*now),
            Step::Answer => self.answer(),
            Step::AnswerLate => {
                if let Some(request) = self.request.take() {
                    follower.handle_page(*now, self.before.page(request));
                }
                self.before = self.log.clone();
            }
            Step::Fail => {
                self.request = None;
                follower.handle_page_failed(*now);
            }
            Step::Unasked(back) => {
                if let Some(place) = follower.position() {
                    let sequence = place.sequence().saturating_sub(back);
                    let after = Position::new(place.epoch(), sequence);
                    if self.request.is_none() {
                        let request = PageRequest::new(after, 4);
                        follower.handle_page(*now, self.log.page(request));
                    }
                }
            }
            Step::Pass(millis) => self.pass(Duration::from_millis(millis)),
            Step::Take => self.take(),
        }
        let oldest = self.log.tails.oldest;
        self.oldest.insert(self.log.tails.epoch, oldest);
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.follower.handle_timeout(self.now);
    }

    fn answer(&mut self) {
        if let Some(request) = self.request.take() {
            let page = self.log.page(request);
            self.follower.handle_page(self.now, page);
        }
    }

    fn take(&mut self) {
        while let Some(output) = self.follower.poll_output(self.now) {
            self.check(&output);
            if let Some(request) = output.publish_to(&self.topic).unwrap() {
                self.request = Some(request);
                return;
            }
        }
        let follower = self.follower.position();
        assert!(follower.is_none_or(|place| place == self.topic.position()));
    }

    /// Checks that each event is delivered in its place, and lost only where the log has lost it.
    fn check(&mut self, output: &FollowerOutput) {
        let last = self.last;
        self.last = match output {
            FollowerOutput::Read(_) => return,
            FollowerOutput::Begin(place) => {
                assert_eq!(last, None);
                Some((place.epoch(), place.sequence()))
            }
            FollowerOutput::Event(place, event) => {
                let (epoch, before) = last.unwrap();
                assert_eq!((place.epoch(), place.sequence()), (epoch, before + 1));
                let data = format!("{epoch}/{}", before + 1);
                assert_eq!(event.data(), Some(data.as_str()));
                Some((epoch, before + 1))
            }
            FollowerOutput::Lost { events, behind } => {
                let (epoch, before) = last.unwrap();
                assert_eq!(
                    (behind.epoch(), behind.sequence()),
                    (epoch, before + events)
                );
                assert!(behind.sequence() < self.oldest[&epoch], "{output:?}");
                Some((epoch, before + events))
            }
            FollowerOutput::Anew(place) => {
                assert_ne!(place.epoch(), last.unwrap().0);
                assert!(self.oldest.contains_key(&place.epoch()));
                Some((place.epoch(), place.sequence()))
            }
            other => panic!("{other:?}"),
        };
    }

    /// Loses all bells from now on, while everything else works: the follower gets everything.
    pub(crate) fn calm_down(&mut self) {
        for _ in 0..50 {
            for _ in 0..1_000 {
                self.take();
                if self.request.is_none() {
                    break;
                }
                self.answer();
            }
            assert_eq!(self.request, None, "it asks for ever");
            self.pass(Duration::from_secs(20));
        }
        let tails = self.log.tails;
        assert_eq!(self.last, Some((tails.epoch, tails.newest)));
        assert_eq!(self.follower.phase(), FollowerPhase::Following);
    }
}
