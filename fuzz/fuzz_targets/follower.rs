//! Calls a follower in any order. With an honest log it delivers every event in order, or counts it as
//! lost, and reaches the log's end once it is left alone. Whatever a log says that lies, the outputs are
//! in order, and there are no more of them than the bounds allow.
#![no_main]

#[path = "../../sse-core/tests/follower/log.rs"]
#[allow(dead_code)]
mod log;
#[path = "../../sse-core/tests/follower/world.rs"]
mod world;

use std::time::{Duration, Instant};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use sse_core::{
    Event,
    topic::{
        Position,
        follower::{Bell, Follower, FollowerConfig, FollowerOutput, Page, Tails},
    },
};
use world::{Step, World};

/// The honest log's first epoch.
const EPOCH: u64 = 7;

/// The settings of the follower of a log that lies.
const PAGE: usize = 4;
const AHEAD: usize = 3;

#[derive(Arbitrary, Debug)]
struct Input {
    first: u8,
    warm: u8,
    calls: Vec<Call>,
    lies: Vec<Lie>,
}

#[derive(Arbitrary, Debug)]
enum Call {
    Append(u8),
    Bell(u8, bool),
    Trim(u8),
    BeginAnew,
    Up,
    Down,
    Answer,
    AnswerLate,
    Fail,
    Unasked(u8),
    Pass(u16),
    Take,
}

impl Call {
    fn step(&self) -> Step {
        match *self {
            Self::Append(count) => Step::Append((count % 8).into()),
            Self::Bell(back, full) => Step::Bell(back.into(), full),
            Self::Trim(keep) => Step::Trim((keep % 16).into()),
            Self::BeginAnew => Step::BeginAnew,
            Self::Up => Step::Up,
            Self::Down => Step::Down,
            Self::Answer => Step::Answer,
            Self::AnswerLate => Step::AnswerLate,
            Self::Fail => Step::Fail,
            Self::Unasked(back) => Step::Unasked(back.into()),
            Self::Pass(millis) => Step::Pass(millis.into()),
            Self::Take => Step::Take,
        }
    }
}

/// A number that is small or anything.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Number {
    Small(u8),
    Any(u64),
}

impl From<Number> for u64 {
    fn from(number: Number) -> Self {
        match number {
            Number::Small(number) => number.into(),
            Number::Any(number) => number,
        }
    }
}

#[derive(Arbitrary, Debug)]
enum Lie {
    Page {
        epoch: u8,
        oldest: Number,
        newest: Number,
        events: Vec<Number>,
    },
    Bell(u8, Number, bool),
    Up,
    Down,
    Fail,
    Pass(u16),
    /// Takes so many outputs.
    Take(u8),
}

/// Tells a follower these, and checks its outputs.
fn lie(lies: Vec<Lie>) {
    let mut config = FollowerConfig::default();
    (config.page_events, config.max_ahead_events) = (PAGE, AHEAD);
    let (mut follower, mut now) = (Follower::new(config), Instant::now());
    let mut last = None;
    for lie in lies {
        match lie {
            Lie::Page {
                epoch,
                oldest,
                newest,
                events,
            } => {
                let tails = Tails {
                    epoch: epoch.into(),
                    oldest: oldest.into(),
                    newest: newest.into(),
                };
                let events = events.into_iter().map(|it| (it.into(), Event::new("")));
                follower.handle_page(now, Page::new(tails, events.collect()));
            }
            Lie::Bell(epoch, number, is_full) => {
                let bell = Bell::new(Position::new(epoch.into(), number.into()));
                follower.handle_bell(
                    now,
                    match is_full {
                        true => bell.with_event(Event::new("")),
                        false => bell,
                    },
                );
            }
            Lie::Up => follower.handle_up(now),
            Lie::Down => follower.handle_down(now),
            Lie::Fail => follower.handle_page_failed(now),
            Lie::Pass(millis) => {
                now += Duration::from_millis(millis.into());
                follower.handle_timeout(now);
            }
            Lie::Take(count) => {
                for _ in 0..count {
                    take(&mut follower, now, &mut last);
                }
            }
        }
    }
    // A page, the events that wait ahead, a bell, what is told of an epoch and of a loss, and a request.
    for _ in 0..3 * PAGE + AHEAD + 4 {
        take(&mut follower, now, &mut last);
    }
    assert_eq!(follower.poll_output(now), None);
}

/// Takes an output, and checks that it follows the one before.
fn take(follower: &mut Follower, now: Instant, last: &mut Option<Position>) {
    *last = match follower.poll_output(now) {
        None | Some(FollowerOutput::Read(_)) => return,
        Some(FollowerOutput::Begin(place)) => {
            assert_eq!(*last, None);
            Some(place)
        }
        Some(FollowerOutput::Anew(place)) => {
            assert_ne!(last.unwrap().epoch(), place.epoch());
            Some(place)
        }
        Some(FollowerOutput::Event(place, _)) => {
            let before = last.unwrap();
            let next = Position::new(before.epoch(), before.sequence() + 1);
            assert_eq!(place, next);
            Some(place)
        }
        Some(FollowerOutput::Lost { events, behind }) => {
            let before = last.unwrap();
            let next = Position::new(before.epoch(), before.sequence() + events);
            assert!(events > 0 && behind == next);
            Some(behind)
        }
        other => panic!("{other:?}"),
    };
}

fuzz_target!(|input: Input| {
    let mut world = World::new(input.first.into(), input.warm.into());
    for call in &input.calls {
        world.happen(&call.step());
    }
    world.calm_down();
    lie(input.lies);
});
