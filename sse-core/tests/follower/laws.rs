//! Laws for any sequence of appends, bells, answers, losses and pauses.

use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;
use sse_core::topic::{
    Position,
    follower::{FollowerConfig, FollowerOutput, FollowerPhase, PageRequest},
};

use crate::{Node, log::Log};

#[derive(Clone, Debug)]
enum Step {
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

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1..6_u64).prop_map(Step::Append),
        6 => (0..12_u64, any::<bool>()).prop_map(|(back, full)| Step::Bell(back, full)),
        1 => (0..8_u64).prop_map(Step::Trim),
        1 => Just(Step::BeginAnew),
        1 => Just(Step::Up),
        1 => Just(Step::Down),
        5 => Just(Step::Answer),
        1 => Just(Step::AnswerLate),
        1 => Just(Step::Fail),
        1 => (0..10_u64).prop_map(Step::Unasked),
        2 => (1..12_000_u64).prop_map(Step::Pass),
        5 => Just(Step::Take),
    ];
    prop::collection::vec(step, 0..120)
}

/// A follower, its log, and the allowed outputs.
struct World {
    node: Node,
    log: Log,
    before: Log,
    request: Option<PageRequest>,
    /// The oldest event of each epoch.
    oldest: BTreeMap<u64, u64>,
    /// Whether the log lost events since the last epoch began.
    last: Option<(u64, u64)>,
}

impl World {
    fn new(first: u64, warm: u64) -> Self {
        let mut config = FollowerConfig::default();
        config.warm_events = warm;
        (config.page_events, config.max_ahead_events) = (4, 3);
        let log = Log::new(first);
        Self {
            node: Node::new(config),
            before: log.clone(),
            log,
            request: None,
            oldest: BTreeMap::new(),
            last: None,
        }
    }

    fn happen(&mut self, step: &Step) {
        let Node { follower, now, .. } = &mut self.node;
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
            Step::Pass(millis) => self.node.pass(Duration::from_millis(millis)),
            Step::Take => self.take(),
        }
        let oldest = self.log.tails.oldest;
        self.oldest.insert(self.log.tails.epoch, oldest);
    }

    fn answer(&mut self) {
        if let Some(request) = self.request.take() {
            let page = self.log.page(request);
            self.node.follower.handle_page(self.node.now, page);
        }
    }

    fn take(&mut self) {
        while let Some(output) = self.node.follower.poll_output(self.node.now) {
            self.check(&output);
            if let Some(request) = output.publish_to(&self.node.topic).unwrap() {
                self.request = Some(request);
                return;
            }
        }
        let follower = self.node.follower.position();
        assert!(follower.is_none_or(|place| place == self.node.topic.position()));
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

    /// Loses all bells from now on, while everything else works.
    fn calm_down(&mut self) {
        for _ in 0..50 {
            for _ in 0..1_000 {
                self.take();
                if self.request.is_none() {
                    break;
                }
                self.answer();
            }
            assert_eq!(self.request, None, "it asks for ever");
            self.node.pass(Duration::from_secs(20));
        }
    }
}

proptest! {
    #[test]
    fn every_event_is_delivered_in_order_or_counted(
        first in 0..10_u64,
        warm in 0..5_u64,
        steps in steps(),
    ) {
        let mut world = World::new(first, warm);
        world.oldest.insert(world.log.tails.epoch, world.log.tails.oldest);
        for step in &steps {
            world.happen(step);
        }
        world.calm_down();
        let tails = world.log.tails;
        prop_assert_eq!(world.last, Some((tails.epoch, tails.newest)));
        prop_assert_eq!(world.node.follower.phase(), FollowerPhase::Following);
    }
}
