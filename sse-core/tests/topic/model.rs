//! The topic against a list that never drops anything.

use std::{task::Poll, time::Duration};

use proptest::prelude::*;
use sse_core::{
    Event,
    topic::{Announce, Batch, Outcome, PublishError, Subscriber, Topic, TopicConfig, WhenTooSlow},
};

use crate::{Clock, topic_on};

#[derive(Clone, Debug)]
enum Op {
    /// Publishes an event with this much data, and perhaps an ID of the publisher's.
    Publish(usize, Option<u8>),
    Advance(u64),
    Subscribe(From),
    /// Reads for one of the subscribers.
    Read(prop::sample::Index),
    Unsubscribe(prop::sample::Index),
}

#[derive(Clone, Debug)]
enum From {
    Now,
    Oldest,
    /// The ID of an event that was published, or of the place before the first.
    Event(prop::sample::Index),
    Future(u8),
    OtherEpoch(u8),
    Own(u8),
}

fn op() -> impl Strategy<Value = Op> {
    let own_id = prop_oneof![3 => Just(None), 1 => any::<u8>().prop_map(Some)];
    let len = prop_oneof![8 => 0..100_usize, 1 => 100..3000_usize];
    let from = prop_oneof![
        1 => Just(From::Now),
        1 => Just(From::Oldest),
        4 => any::<prop::sample::Index>().prop_map(From::Event),
        1 => any::<u8>().prop_map(From::Future),
        1 => any::<u8>().prop_map(From::OtherEpoch),
        2 => any::<u8>().prop_map(From::Own),
    ];
    prop_oneof![
        8 => (len, own_id).prop_map(|(len, id)| Op::Publish(len, id)),
        2 => (0..50_u64).prop_map(Op::Advance),
        3 => from.prop_map(Op::Subscribe),
        8 => any::<prop::sample::Index>().prop_map(Op::Read),
        1 => any::<prop::sample::Index>().prop_map(Op::Unsubscribe),
    ]
}

fn config() -> impl Strategy<Value = TopicConfig> {
    let max_bytes = prop_oneof![1500..4000_usize, 4000..100_000_usize];
    let max_age = prop::option::of((0..200_u64).prop_map(Duration::from_millis));
    let when = prop_oneof![Just(WhenTooSlow::Cut), Just(WhenTooSlow::SkipAhead)];
    (0..30_usize, max_bytes, max_age, when).prop_map(|(events, bytes, age, when)| {
        let mut config = TopicConfig::default();
        config.max_events = events;
        config.max_bytes = bytes;
        config.max_age = age;
        config.when_too_slow = when;
        config.announce = Announce::Nothing;
        config
    })
}

struct Published {
    encoded: Vec<u8>,
    at: Duration,
    own_id: Option<String>,
}

struct Reader {
    subscriber: Subscriber,
    /// The last event that was dropped by its first read and that it may begin after.
    may_pass: usize,
    /// The number of published events before its place.
    past: usize,
    is_behind_notice: bool,
    cut: bool,
}

struct World {
    config: TopicConfig,
    clock: Clock,
    now: Duration,
    topic: Topic,
    published: Vec<Published>,
    /// The number of them that are dropped.
    dropped: usize,
    readers: Vec<Reader>,
}

impl World {
    fn new(config: TopicConfig) -> Self {
        let clock = Clock::new();
        Self {
            topic: topic_on(&clock, config.clone()),
            config,
            clock,
            now: Duration::ZERO,
            published: Vec::new(),
            dropped: 0,
            readers: Vec::new(),
        }
    }

    fn publish(&mut self, len: usize, own_id: Option<u8>) {
        let sequence = self.published.len() + 1;
        let own_id = own_id.map(|id| format!("own/{id}"));
        let mut event = Event::new(format!("{sequence}\n{}", "x".repeat(len)));
        let mut encoded = Vec::new();
        match &own_id {
            Some(id) => event = event.with_id(id.as_str()).unwrap(),
            None => encoded.extend_from_slice(format!("id: abc-{sequence}\n").as_bytes()),
        }
        event.encode(&mut encoded);

        let (len, at) = (encoded.len(), self.now);
        match self.topic.publish(event) {
            Ok(position) => {
                assert_eq!(position.to_string(), format!("abc-{sequence}"));
                self.published.push(Published {
                    encoded,
                    at,
                    own_id,
                });
                self.look(true);
            }
            Err(PublishError::TooLarge { len: told, most }) => {
                assert!(told == len && most < len);
                assert!(len + 1024 > self.config.max_bytes);
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Checks the history.
    fn look(&mut self, may_drop_for_memory: bool) {
        let all = self.published.len();
        assert_eq!(self.topic.position().sequence() as usize, all);
        let held = self.topic.retained_events() as usize;
        assert!(self.topic.retained_bytes() <= self.config.max_bytes);

        let before = self.dropped;
        let by_count = all.saturating_sub(self.config.max_events.max(1));
        let by_age = self.config.max_age.map_or(0, |max| {
            let is_old = |event: &Published| event.at + max < self.now;
            self.published.partition_point(is_old)
        });
        self.dropped = all - held;
        let must = before.max(by_count).max(by_age);
        assert!(self.dropped >= must, "{} are held", held);
        if self.dropped > must {
            assert!(may_drop_for_memory);
            // This is the memory of them all, with the largest overhead.
            let sizes = self.published[must..].iter().map(|event| {
                let own_id = event.own_id.as_ref().map_or(0, |id| 128 + id.len());
                2 * event.encoded.len() + 2 * 24 + own_id + 320
            });
            assert!(sizes.sum::<usize>() + 1024 > self.config.max_bytes);
        }
    }

    fn subscribe(&mut self, from: From) {
        let all = self.published.len();
        let of_event = |sequence: usize| match sequence.checked_sub(1) {
            Some(index) => match &self.published[index].own_id {
                Some(id) => id.clone(),
                None => format!("abc-{sequence}"),
            },
            None => "abc-0".into(),
        };
        let id = match from {
            From::Now => None,
            From::Oldest => {
                let subscriber = self.topic.subscribe_from_oldest();
                self.look(false);
                let past = self.dropped;
                return self.readers.push(Reader::new(subscriber, past, usize::MAX));
            }
            From::Event(index) => Some(of_event(index.index(all + 1))),
            From::Future(by) => Some(format!("abc-{}", all + 1 + usize::from(by))),
            From::OtherEpoch(id) => Some(format!("xyz-{id}")),
            From::Own(id) => Some(format!("own/{id}")),
        };
        let subscriber = self.topic.resume_from(id.as_deref());
        self.look(false);

        let held = all - self.dropped;
        let unknown = (
            self.dropped,
            Outcome::Unknown {
                replayed: held as u64,
            },
        );
        // The place is after this many events.
        let behind = |seen: usize| match self.dropped.checked_sub(seen) {
            None | Some(0) => {
                let replayed = (all - seen) as u64;
                (seen, Outcome::Resumed { replayed })
            }
            Some(lost) => {
                let (lost, replayed) = (lost as u64, held as u64);
                (self.dropped, Outcome::Gap { lost, replayed })
            }
        };
        // Of several events with one ID, the first in the history counts, or the place before those, if
        // it is still known. An ID of a dropped event may be unknown, or still known: all of it is told.
        let own = |id: &str, outcome: Outcome| {
            let of_id =
                |sequence: &usize| self.published[sequence - 1].own_id.as_deref() == Some(id);
            let places = (1..=all).filter(of_id);
            let held = places.clone().find(|&place| place > self.dropped);
            let known = places.filter(|&place| match held {
                Some(_) => place == self.dropped,
                None => true,
            });
            known
                .map(behind)
                .find(|place| place.1 == outcome)
                .unwrap_or_else(|| held.map_or(unknown, behind))
        };
        let outcome = subscriber.outcome();
        let (past, expected) = match id.as_deref() {
            None => (all, Outcome::Fresh),
            Some(id) => match id.strip_prefix("abc-").map(|n| n.parse::<usize>().unwrap()) {
                Some(sequence) if sequence <= all => behind(sequence),
                Some(_) => unknown,
                None => own(id, outcome),
            },
        };
        assert_eq!(outcome, expected, "{id:?}");
        let may_pass = match outcome.is_loss() {
            true => all,
            false => 0,
        };
        self.readers.push(Reader::new(subscriber, past, may_pass));
    }

    fn read(&mut self, index: prop::sample::Index) {
        if self.readers.is_empty() {
            return;
        }
        let index = index.index(self.readers.len());
        let reader = &mut self.readers[index];
        if self.dropped <= std::mem::take(&mut reader.may_pass) {
            reader.past = reader.past.max(self.dropped);
        }
        let lost = match std::mem::take(&mut reader.is_behind_notice) {
            // The events then were taken together with the notice.
            true => 0,
            false => self.dropped.saturating_sub(reader.past) as u64,
        };
        let held = (self.published.len() - self.dropped) as u64;
        match reader.subscriber.try_next() {
            Poll::Pending => assert_eq!(reader.past, self.published.len()),
            Poll::Ready(None) => assert!(reader.cut),
            Poll::Ready(Some(Err(error))) => {
                assert_eq!(self.config.when_too_slow, WhenTooSlow::Cut);
                assert!(!reader.cut && lost > 0);
                assert_eq!(error.lost, lost);
                reader.cut = true;
            }
            Poll::Ready(Some(Ok(Batch::Notice(notice)))) => {
                assert_eq!(self.config.when_too_slow, WhenTooSlow::SkipAhead);
                assert!(lost > 0);
                let replayed = held;
                assert_eq!(notice.outcome(), Outcome::Gap { lost, replayed });
                reader.past = self.dropped;
                reader.is_behind_notice = held > 0;
            }
            Poll::Ready(Some(Ok(Batch::Events(events)))) => {
                assert!(!reader.cut && lost == 0 && events.count() > 0);
                let end = reader.past + events.count();
                let expected: Vec<u8> = self.published[reader.past..end]
                    .iter()
                    .flat_map(|event| event.encoded.clone())
                    .collect();
                assert_eq!(events.as_bytes(), expected);
                reader.past = end;
            }
            Poll::Ready(Some(Ok(other))) => panic!("{other:?}"),
        }
        assert!(self.topic.retained_bytes() <= self.config.max_bytes);
    }
}

impl Reader {
    fn new(subscriber: Subscriber, past: usize, may_pass: usize) -> Self {
        let cut = false;
        Self {
            subscriber,
            may_pass,
            is_behind_notice: false,
            past,
            cut,
        }
    }
}

/// Runs more cases than usual; `PROPTEST_CASES` sets another number.
fn cases(usual: u32) -> ProptestConfig {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(usual),
    }
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn whatever_happens(config in config(), ops in prop::collection::vec(op(), 1..150)) {
        let mut world = World::new(config);
        for op in ops {
            match op {
                Op::Publish(len, own_id) => world.publish(len, own_id),
                Op::Advance(millis) => {
                    let by = Duration::from_millis(millis);
                    world.clock.advance(by);
                    world.now += by;
                }
                Op::Subscribe(from) => world.subscribe(from),
                Op::Read(index) => world.read(index),
                Op::Unsubscribe(index) => {
                    if !world.readers.is_empty() {
                        let index = index.index(world.readers.len());
                        world.readers.swap_remove(index);
                    }
                }
            }
        }
    }
}
