//! Laws for any order of calls.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use sse_core::topic::resumable::{
    ResumableConfig, Started, StreamEnd, StreamId, StreamOutput, StreamTable,
};

use super::{GRACE, RETENTION};
use crate::{Clock, EPOCH};

#[derive(Clone, Debug)]
enum Step {
    Start(usize),
    Attach(usize),
    Detach(usize),
    End(usize),
    Forget(usize),
    ForgetOne,
    Shutdown(usize),
    Wait(Duration),
}

const NAMES: usize = 5;
const MAX_STREAMS: usize = 4;

fn step() -> impl Strategy<Value = Step> {
    let name = || 0..NAMES;
    prop_oneof![
        4 => name().prop_map(Step::Start),
        4 => name().prop_map(Step::Attach),
        4 => name().prop_map(Step::Detach),
        1 => name().prop_map(Step::End),
        1 => name().prop_map(Step::Forget),
        1 => Just(Step::ForgetOne),
        1 => name().prop_map(Step::Shutdown),
        6 => (0..200_u64).prop_map(|seconds| Step::Wait(Duration::from_secs(seconds))),
    ]
}

/// A stream as a plain list of what happened to it.
struct Seen {
    id: StreamId,
    name: usize,
    listeners: u64,
    /// Since when it has had no listener.
    alone_since: Instant,
    shutdown_at: Option<Instant>,
    ended_at: Option<Instant>,
    is_forgotten: bool,
}

struct Model {
    clock: Clock,
    config: ResumableConfig,
    /// The value that is kept for a stream is its place in `seen`.
    table: StreamTable<usize>,
    seen: Vec<Seen>,
}

impl Model {
    fn new() -> Self {
        let clock = Clock::new();
        let mut config = ResumableConfig::default();
        config.max_streams = MAX_STREAMS;
        let now = clock.clone();
        Self {
            table: StreamTable::new(config.clone(), EPOCH, move || now.now()),
            clock,
            config,
            seen: Vec::new(),
        }
    }

    fn take(&mut self, step: &Step) {
        let now = self.clock.now();
        match *step {
            Step::Start(name) => self.start(name),
            Step::Wait(time) => {
                self.clock.advance(time);
                self.table.handle_timeout(self.clock.now());
            }
            // None of them counts.
            Step::ForgetOne => assert!(!self.table.forget_one()),
            Step::Attach(name)
            | Step::Detach(name)
            | Step::End(name)
            | Step::Forget(name)
            | Step::Shutdown(name) => {
                let Some(place) = self.place_of(name) else {
                    return assert_eq!(self.table.find("", &name.to_string()), None);
                };
                self.change(step, place, now);
            }
        }
        self.look();
        if let Step::Wait(_) = step {
            self.is_due_and_nothing_else();
        }
    }

    fn start(&mut self, name: usize) {
        let now = self.clock.now();
        let place = self.seen.len();
        let started = self.table.start(now, "", &name.to_string(), |_, _| place);
        match (started, self.place_of(name)) {
            (Ok(Started::New(id)), None) => self.seen.push(Seen {
                id,
                name,
                listeners: 0,
                alone_since: now,
                shutdown_at: None,
                ended_at: None,
                is_forgotten: false,
            }),
            (Ok(Started::There(id)), Some(place)) => assert_eq!(self.seen[place].id, id),
            (Err(_), None) => {
                assert_eq!(self.table.len(), MAX_STREAMS);
                assert!(!self.seen.iter().any(Seen::is_unused));
            }
            (started, place) => panic!("{started:?} where it is at {place:?}"),
        }
    }

    fn change(&mut self, step: &Step, place: usize, now: Instant) {
        let seen = &mut self.seen[place];
        match step {
            Step::Attach(_) => {
                seen.listeners += 1;
                self.table.attach(seen.id);
            }
            Step::Detach(_) if seen.listeners > 0 => {
                seen.listeners -= 1;
                seen.alone_since = now;
                self.table.detach(now, seen.id);
            }
            Step::End(_) => {
                let runs = seen.ended_at.is_none();
                assert_eq!(self.table.end(now, seen.id, StreamEnd::Complete), runs);
            }
            Step::Forget(_) => assert!(self.table.forget(now, seen.id, "enough".into())),
            Step::Shutdown(_) => {
                let at = now + self.config.shutdown_grace.unwrap();
                seen.shutdown_at = seen.shutdown_at.or(Some(at));
                self.table.handle_shutdown(now, seen.id);
            }
            _ => {}
        }
    }

    fn look(&mut self) {
        let now = self.clock.now();
        while let Some(output) = self.table.poll_output() {
            match output {
                StreamOutput::Ended(ended) => {
                    ended.close();
                    let seen = &mut self.seen[ended.producer];
                    assert!(seen.ended_at.replace(now).is_none(), "it ends once");
                }
                StreamOutput::Forgotten(topic, place) => {
                    let seen = &mut self.seen[place];
                    assert!(topic.is_closed() && seen.ended_at.is_some());
                    assert!(!seen.is_forgotten, "it is forgotten once");
                    seen.is_forgotten = true;
                }
                other => panic!("{other:?}"),
            }
        }
        let there = self.seen.iter().filter(|seen| !seen.is_forgotten);
        let running = there.clone().filter(|seen| seen.ended_at.is_none());
        let stats = self.table.stats();
        assert_eq!(stats.running, running.count() as u64);
        assert_eq!(stats.running + stats.finished, there.clone().count() as u64);
        assert_eq!(
            stats.listeners,
            there.map(|seen| seen.listeners).sum::<u64>()
        );
        assert!(self.table.len() <= MAX_STREAMS);
    }

    /// Checks after the timers that what was due is over, and the rest is not.
    fn is_due_and_nothing_else(&self) {
        let now = self.clock.now();
        for seen in self.seen.iter().filter(|seen| !seen.is_forgotten) {
            match seen.ended_at {
                Some(at) => assert!(now - at < RETENTION),
                None => {
                    let is_alone = seen.listeners == 0 && now - seen.alone_since >= GRACE;
                    let is_late = seen.shutdown_at.is_some_and(|at| at <= now);
                    assert!(!is_alone && !is_late);
                }
            }
        }
        assert!(self.table.poll_timeout().is_none_or(|at| at > now));
    }

    fn place_of(&self, name: usize) -> Option<usize> {
        let is_it = |seen: &Seen| seen.name == name && !seen.is_forgotten;
        self.seen.iter().position(is_it)
    }
}

impl Seen {
    /// Returns whether it is dropped where room is needed.
    fn is_unused(&self) -> bool {
        self.ended_at.is_some() && !self.is_forgotten && self.listeners == 0
    }
}

proptest! {
    #[test]
    fn streams_end_once_when_they_are_due_and_are_forgotten_once(
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let mut model = Model::new();
        for step in &steps {
            model.take(step);
        }
    }
}
