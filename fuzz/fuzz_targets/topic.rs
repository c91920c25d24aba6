//! Calls a topic in any order, and compares it with a list that forgets nothing: the events that it
//! holds, the outcome of each resumption, the events that each reader gets, and the readers that are
//! woken, all of it exactly.
#![no_main]

mod topic_model;

use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use sse_core::topic::{Announce, TopicConfig, WhenTooSlow};
use topic_model::{Named, World};

#[derive(Arbitrary, Debug)]
struct Input {
    bounds: Bounds,
    calls: Vec<Call>,
}

#[derive(Arbitrary, Debug)]
struct Bounds {
    events: u8,
    bytes: u16,
    age: Option<u8>,
    skip_ahead: bool,
    announce: u8,
}

/// The seeds name these by their numbers: add new ones at the end.
#[derive(Arbitrary, Debug)]
enum Call {
    /// Publishes so many bytes.
    Publish(u16),
    PublishAs(Named, u16),
    Wait(u8),
    SubscribeFromOldest,
    Resume(Named),
    /// Reads once, without a waker.
    Try(u8),
    /// Reads once, and waits if there is nothing.
    Poll(u8),
    PollAll(u8),
    Unsubscribe(u8),
    Close,
}

impl Bounds {
    fn config(&self) -> TopicConfig {
        let mut config = TopicConfig::default();
        config.max_events = self.events.into();
        config.max_bytes = 1024 + usize::from(self.bytes);
        config.max_age = self.age.map(|age| Duration::from_millis(age.into()));
        config.when_too_slow = match self.skip_ahead {
            true => WhenTooSlow::SkipAhead,
            false => WhenTooSlow::Cut,
        };
        config.announce = match self.announce % 3 {
            0 => Announce::Nothing,
            1 => Announce::Losses,
            _ => Announce::Everything,
        };
        config
    }
}

fuzz_target!(|input: Input| {
    let mut world = World::new(input.bounds.config());
    for call in input.calls {
        match call {
            Call::Publish(len) => world.publish(None, len.into()),
            Call::PublishAs(id, len) => world.publish(Some(id), len.into()),
            Call::Wait(millis) => world.wait(Duration::from_millis(millis.into())),
            Call::SubscribeFromOldest => world.subscribe_from_oldest(),
            Call::Resume(id) => world.resume(id),
            Call::Try(reader) => world.read(reader, false),
            Call::Poll(reader) => world.read(reader, true),
            Call::PollAll(reader) => world.read_all(reader),
            Call::Unsubscribe(reader) => world.unsubscribe(reader),
            Call::Close => world.close(),
        }
        world.check_wakes();
    }
});
