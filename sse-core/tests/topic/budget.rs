//! Histories that share a budget.

use std::task::Poll;

use sse_core::{
    Budget,
    internal::{Holding, Reservation},
    topic::{Topic, TopicConfig},
};

use crate::{take, topic};

const KIB: usize = 1024;

fn topics(count: usize, budget: &Budget) -> Vec<Topic> {
    let mut config = TopicConfig::default();
    config.budget = budget.clone();
    (0..count).map(|_| topic(config.clone())).collect()
}

/// The memory that each topic may still be writing before the first of its events can be dropped.
const OPEN: usize = 2 * Budget::GRANULE;

#[test]
fn histories_together_take_half_of_the_budget_and_the_newest_event_stays() {
    let budget = Budget::new(1024 * KIB);
    let topics = topics(20, &budget);
    for round in 0..1000 {
        for topic in &topics {
            topic
                .publish(format!("{round}: {}", "x".repeat(500)))
                .unwrap();
        }
        let used = budget.used();
        assert!(used.history <= 512 * KIB + topics.len() * OPEN, "{used:?}");
        assert_eq!((used.bodies, used.queued), (0, 0));
    }
    // The share is used, and by several of them.
    assert!(budget.used().history > 400 * KIB);
    for topic in &topics {
        assert!(topic.retained_events() >= 1);
        let mut reader = topic.subscribe_from_oldest();
        let Poll::Ready(Some(Ok(_))) = reader.try_next() else {
            panic!("there is a history")
        };
    }
    drop(topics);
    assert_eq!(budget.used().total(), 0);
}

#[test]
fn a_history_gives_way_while_others_have_the_budget_and_no_event_is_refused() {
    let budget = Budget::new(256 * KIB);
    let (others, mine) = (topics(8, &budget), &topics(1, &budget)[0]);
    for other in &others {
        for _ in 0..30 {
            other.publish("x".repeat(KIB)).unwrap();
        }
    }
    let before = budget.used().history;
    let mut reader = mine.subscribe();
    for n in 0..500 {
        mine.publish(format!("{n} {}", "x".repeat(KIB))).unwrap();
        let taken = take(&mut reader);
        assert!(
            taken.text.contains(&format!("data: {n} x")),
            "what is new is there"
        );
    }
    assert!(
        budget.used().history <= before + 4 * OPEN,
        "{:?}",
        budget.used()
    );
    assert!(mine.retained_events() < 40);
    drop(others);
    for _ in 0..100 {
        mine.publish("x".repeat(KIB)).unwrap();
    }
    assert!(mine.retained_events() >= 90, "there is room again");
}

#[test]
fn the_bytes_of_a_slow_reader_count_until_it_drops_them() {
    let budget = Budget::new(1024 * KIB);
    let topics = topics(1, &budget);
    for _ in 0..200 {
        topics[0].publish("x".repeat(KIB)).unwrap();
    }
    let mut reader = topics[0].subscribe_from_oldest();
    let Poll::Ready(Some(Ok(batch))) = reader.try_next() else {
        panic!("there is a history")
    };
    let held = batch.as_bytes().len();
    assert!(held > 10 * KIB);
    drop((reader, topics));
    let counted = budget.used().history;
    assert!(
        (held - Budget::GRANULE..=held).contains(&counted),
        "{counted} of {held}"
    );
    drop(batch);
    assert_eq!(budget.used().history, 0);
}

/// Returns a topic with this many events of a KiB, in a budget of 1 MiB whose rest others use.
fn in_a_full_budget(events: usize) -> (Budget, Topic, Reservation) {
    let budget = Budget::new(1024 * KIB);
    let topic = topics(1, &budget).remove(0);
    publish(&topic, events);
    let mut others = budget.reserve(Holding::History);
    others.resize(512 * KIB - budget.used().history);
    (budget, topic, others)
}

fn publish(topic: &Topic, events: usize) {
    for _ in 0..events {
        topic.publish("x".repeat(KIB)).unwrap();
    }
}

#[test]
fn a_history_that_readers_hold_is_not_given_up_in_vain() {
    let (budget, topic, _others) = in_a_full_budget(256);
    let mut slow = topic.subscribe_from_oldest();
    let mut held = Vec::new();
    while let Poll::Ready(Some(Ok(batch))) = slow.try_next() {
        held.push(batch);
    }
    // Dropping the events that the slow reader holds would free nothing.
    publish(&topic, 32);
    assert_eq!(topic.retained_events(), 256 + 32);

    // Once it has sent them, the oldest events are dropped.
    held.clear();
    publish(&topic, 32);
    assert!(
        (150..256 + 32).contains(&topic.retained_events()),
        "no more than need be"
    );
    assert!(budget.used().history <= 512 * KIB + 2 * OPEN);
}

#[test]
fn events_that_readers_hold_are_dropped_with_as_many_that_they_do_not() {
    let (budget, topic, _others) = in_a_full_budget(256);
    // This is the first segment.
    let Poll::Ready(Some(Ok(held))) = topic.subscribe_from_oldest().try_next() else {
        panic!("there is a history")
    };
    let first = held.as_bytes().len();
    for _ in 0..512 {
        publish(&topic, 1);
        let used = budget.used().history;
        assert!(used <= 512 * KIB + first + 2 * OPEN, "{used}");
    }
    assert!((100..256).contains(&topic.retained_events()));
    drop(held);
    publish(&topic, 1);
    assert!(budget.used().history <= 512 * KIB + 2 * OPEN);
}

#[test]
fn a_history_of_which_readers_hold_the_smaller_part_is_given_up() {
    let budget = Budget::new(1024 * KIB);
    let topic = topics(1, &budget).remove(0);
    let publish = |len| topic.publish("x".repeat(len * KIB)).unwrap();
    // The second event begins another segment.
    publish(20);
    publish(50);
    let mut slow = topic.subscribe_from_oldest();
    let Poll::Ready(Some(Ok(held))) = slow.try_next() else {
        panic!("there is a history")
    };
    assert!((20 * KIB..50 * KIB).contains(&held.as_bytes().len()));
    let mut others = budget.reserve(Holding::History);
    others.resize(512 * KIB - budget.used().history);
    // The segment has room for it, and the budget has none.
    publish(10);
    assert_eq!(topic.retained_events(), 1);
    drop(held);
    assert!(budget.used().history <= 512 * KIB);
}
