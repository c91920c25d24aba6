//! The bound on memory holds, and dropped events are freed.

use std::task::Poll;

use bytes::Bytes;
use sse_core::{
    Event,
    topic::{Batch, Outcome, PublishError, Subscriber, Topic, TopicConfig},
};

use crate::{End, publish, take, topic};

const KIB: usize = 1024;

fn topic_of(max_bytes: usize) -> Topic {
    let mut config = TopicConfig::default();
    (config.max_bytes, config.max_events) = (max_bytes, usize::MAX);
    topic(config)
}

fn next_bytes(subscriber: &mut Subscriber) -> Bytes {
    match subscriber.try_next() {
        Poll::Ready(Some(Ok(Batch::Events(events)))) => events.into_bytes(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_thousand_readers_that_never_read_cost_no_memory() {
    const MAX: usize = 512 * KIB;
    let topic = topic_of(MAX);
    let mut readers: Vec<_> = (0..1000).map(|_| topic.subscribe()).collect();
    for round in 0..50_000_u64 {
        topic.publish("x".repeat(100)).unwrap();
        if round % 50 == 0 {
            // They come and go, but do not read.
            let index = (round / 50) as usize;
            readers[index] = topic.resume_from(Some("abc-1"));
        }
        assert!(topic.retained_bytes() <= MAX);
    }
    // The bound is used, too.
    assert!(topic.retained_bytes() > MAX / 2);
    assert!(topic.retained_events() as usize * 100 > MAX / 2);
    for reader in &mut readers[..900] {
        let joins_anew = reader.outcome().is_loss();
        let taken = take(reader);
        assert_eq!(joins_anew, taken.end == End::Waits, "{:?}", taken.end);
    }
}

#[test]
fn dropped_events_are_freed() {
    let topic = topic_of(64 * KIB);
    let mut subscriber = topic.subscribe();
    // This is more than a segment.
    publish(&topic, 1000);
    let sealed = next_bytes(&mut subscriber);
    assert!(!sealed.is_unique());
    // This reader holds the history's own memory, not a copy.
    let mut other = topic.subscribe_from_oldest();
    assert_eq!(sealed.as_ptr(), next_bytes(&mut other).as_ptr());

    publish(&topic, 10_000);
    assert!(matches!(take(&mut subscriber).end, End::Cut(_)));
    assert!(sealed.is_unique());
}

#[test]
fn readers_at_one_pace_share_what_is_new() {
    let topic = topic_of(64 * KIB);
    let (mut a, mut b, mut c) = (topic.subscribe(), topic.subscribe(), topic.subscribe());
    publish(&topic, 5);
    let first = next_bytes(&mut a);
    assert_eq!(first.as_ptr(), next_bytes(&mut b).as_ptr());
    publish(&topic, 5);
    // The topic keeps nothing for them once there is a newer event.
    let (a_next, b_next) = (next_bytes(&mut a), next_bytes(&mut b));
    assert_eq!(a_next.as_ptr(), b_next.as_ptr());
    // A subscriber that is further behind gets everything in one piece, which later ones share.
    let all = next_bytes(&mut c);
    assert_eq!(all, [&first[..], &a_next[..]].concat());
    let mut late = topic.resume_from(Some("abc-5"));
    assert_eq!(next_bytes(&mut late).as_ptr(), all[first.len()..].as_ptr());

    drop((b_next, all));
    publish(&topic, 1);
    assert!(a_next.is_unique());
}

#[test]
fn what_is_copied_for_readers_counts_until_the_next_event() {
    let topic = topic_of(64 * KIB);
    let mut reader = topic.subscribe();
    publish(&topic, 5);
    let before = topic.retained_bytes();
    let copied = next_bytes(&mut reader).len();
    let with_copy = topic.retained_bytes();
    assert!((before + copied..before + 2 * copied).contains(&with_copy));
    publish(&topic, 1);
    assert!(topic.retained_bytes() < with_copy);
}

#[test]
fn the_largest_event_fits_and_the_next_larger_is_refused() {
    let topic = topic_of(16 * KIB);
    publish(&topic, 10);
    let huge = topic.publish("x".repeat(20 * KIB)).unwrap_err();
    let PublishError::TooLarge { len, most } = huge else {
        panic!("{huge}");
    };
    assert_eq!(len, "id: abc-11\ndata: \n\n".len() + 20 * KIB);
    assert!(most > 15 * KIB);
    assert_eq!(topic.retained_events(), 10);

    let around = "id: abc-11\ndata: \n\n".len();
    assert!(topic.publish("x".repeat(most - around + 1)).is_err());
    let mut subscriber = topic.subscribe();
    topic.publish("x".repeat(most - around)).unwrap();
    assert!(topic.retained_bytes() <= 16 * KIB);
    assert_eq!(topic.retained_events(), 1);
    assert_eq!(take(&mut subscriber).text.len(), most);

    // The length of lines counts as encoded.
    assert!(topic.publish("\n".repeat(4 * KIB)).is_err());
}

#[test]
fn the_largest_event_with_an_id_of_the_publishers_is_within_the_bound() {
    let topic = topic_of(16 * KIB);
    let event = |len| {
        let event = Event::new("x".repeat(len));
        event.with_id("i".repeat(1000)).unwrap()
    };
    let huge = topic.publish(event(20 * KIB)).unwrap_err();
    let PublishError::TooLarge { len, most } = huge else {
        panic!("{huge}");
    };
    let around = len - 20 * KIB;
    assert!(topic.publish(event(most - around + 1)).is_err());
    topic.publish(event(most - around)).unwrap();
    assert!(topic.retained_bytes() <= 16 * KIB);
}

#[test]
fn ids_of_the_publishers_are_within_the_bound() {
    const MAX: usize = 64 * KIB;
    let topic = topic_of(MAX);
    for n in 0..10_000 {
        let id = format!("{n:0>100}");
        topic.publish(Event::new("").with_id(id).unwrap()).unwrap();
        assert!(topic.retained_bytes() <= MAX);
    }
    // Each has its text twice, and its place in the index.
    assert!(topic.retained_events() * 400 < MAX as u64);
    assert!(topic.retained_events() > 100);
}

#[test]
fn an_id_of_the_publishers_is_forgotten_with_its_event() {
    let topic = topic_of(16 * KIB);
    let event = Event::new("x").with_id("mine").unwrap();
    topic.publish(event.clone()).unwrap();
    let outcome = || topic.resume_from(Some("mine")).outcome();
    assert_eq!(outcome(), Outcome::Resumed { replayed: 0 });
    publish(&topic, 1000);
    let replayed = topic.retained_events();
    assert_eq!(outcome(), Outcome::Unknown { replayed });
    // It may be used again then.
    topic.publish(event).unwrap();
    assert_eq!(outcome(), Outcome::Resumed { replayed: 0 });
}

#[test]
fn the_id_of_the_newest_event_counts_when_its_event_has_gone() {
    let clock = crate::Clock::new();
    let mut config = TopicConfig::default();
    config.max_age = Some(std::time::Duration::ZERO);
    let topic = crate::topic_on(&clock, config);
    let before = topic.retained_bytes();
    let event = Event::new("x").with_id("i".repeat(KIB)).unwrap();
    topic.publish(event).unwrap();
    clock.advance(std::time::Duration::from_nanos(1));
    let returns = topic.resume_from(Some(&"i".repeat(KIB)));
    assert_eq!(returns.outcome(), Outcome::Resumed { replayed: 0 });
    assert_eq!(topic.retained_events(), 0);
    assert!((before + KIB..before + 2 * KIB).contains(&topic.retained_bytes()));
}

#[test]
fn an_unused_topic_is_small() {
    assert!(topic(TopicConfig::default()).retained_bytes() < KIB);
}

#[test]
fn a_history_that_is_too_old_is_freed() {
    let clock = crate::Clock::new();
    let mut config = TopicConfig::default();
    config.max_age = Some(std::time::Duration::ZERO);
    let topic = crate::topic_on(&clock, config);
    let before = topic.retained_bytes();
    publish(&topic, 1000);
    assert!(topic.retained_bytes() > before + 10_000);
    clock.advance(std::time::Duration::from_nanos(1));
    drop(topic.subscribe());
    assert_eq!(topic.retained_bytes(), before);
}
