//! Topics by name: when they exist, and when not any more.

use std::time::Duration;

use sse_core::topic::{MergedSubscriber, Outcome, TopicMap, TopicMapConfig};

use crate::{Clock, EPOCH};

const MINUTE: Duration = Duration::from_secs(60);

fn map(clock: &Clock, max_topics: usize) -> TopicMap {
    let mut config = TopicMapConfig::default();
    config.max_topics = max_topics;
    let clock = clock.clone();
    TopicMap::new(config, EPOCH, move || clock.now())
}

#[test]
fn a_topic_exists_from_its_first_use_on() {
    let map = map(&Clock::new(), 10);
    assert!(map.is_empty() && map.get("a").is_none());
    map.topic("a").unwrap().publish("one").unwrap();
    map.topic("b").unwrap();
    assert_eq!(map.clone().len(), 2);
    assert!(!map.is_empty());
    assert_eq!(map.topic("a").unwrap().retained_events(), 1);
    assert_eq!(map.get("a").unwrap().retained_events(), 1);
    assert_eq!(map.get("b").unwrap().retained_events(), 0);
}

#[test]
fn at_the_bound_only_unused_topics_make_room() {
    let clock = Clock::new();
    let map = map(&clock, 3);
    let held = map.topic("held").unwrap();
    let subscriber = map.topic("subscribed").unwrap().subscribe();
    map.topic("unused").unwrap();
    let error = map.topic("new").unwrap_err();
    assert_eq!((error.max_topics, map.config().max_topics), (3, 3));
    assert!(error.to_string().starts_with("there are 3 topics already"));

    // It is kept for returning clients, and then dropped.
    clock.advance(5 * MINUTE);
    assert!(map.topic("new").is_err());
    clock.advance(MINUTE);
    map.topic("new").unwrap();
    assert_eq!(names(&map), ["held", "new", "subscribed"]);

    // Use counts until it ends.
    clock.advance(4 * MINUTE);
    drop((held, subscriber));
    clock.advance(2 * MINUTE);
    map.topic("newer").unwrap();
    assert_eq!(names(&map), ["held", "newer", "subscribed"]);
    clock.advance(10 * MINUTE);
    map.topic("newest").unwrap();
    assert_eq!(map.len(), 1);
}

#[test]
fn each_unused_topic_makes_room_as_soon_as_it_is_due_however_often_names_found_none() {
    let clock = Clock::new();
    let map = map(&clock, 3);
    let held = map.topic("held").unwrap();
    let mut left_at = Vec::new();
    for (name, wait) in [("first", MINUTE), ("second", 3 * MINUTE)] {
        map.topic(name).unwrap();
        left_at.push(clock.now());
        clock.advance(wait);
    }
    let mut held = Some(held);
    for (n, left_at) in left_at.into_iter().enumerate() {
        let due = left_at + 5 * MINUTE;
        while clock.now() <= due {
            assert!(map.topic("new").is_err());
            clock.advance(MINUTE / 4);
        }
        drop(map.topic(&format!("new{n}")).unwrap());
        if let Some(held) = held.take() {
            // It comes out of use after the look.
            drop(held);
        }
    }
    clock.advance(4 * MINUTE);
    assert!(map.topic("newest").is_err());
    clock.advance(MINUTE / 4);
    map.topic("newest").unwrap();
    assert_eq!(names(&map), ["new1", "newest"]);
}

fn names(map: &TopicMap) -> Vec<String> {
    let all = map.all().into_iter();
    all.map(|(name, _)| name.as_str().to_owned()).collect()
}

#[test]
fn a_topic_is_kept_for_returning_clients_from_the_leave_of_the_last_one_on() {
    let clock = Clock::new();
    let map = map(&clock, 2);
    let room = map.topic("room").unwrap();
    let (first, mut subscriber) = (room.subscribe(), room.subscribe());
    let merged = MergedSubscriber::resume_from([("room", &room)], None).unwrap();
    room.publish("x").unwrap();
    drop(room);
    clock.advance(60 * MINUTE);
    drop(first);
    clock.advance(60 * MINUTE);
    drop(merged);
    clock.advance(60 * MINUTE);
    assert!(subscriber.try_next().is_ready());
    drop(subscriber);

    map.topic("a").unwrap();
    clock.advance(MINUTE);
    assert!(map.topic("b").is_err());
    clock.advance(4 * MINUTE);
    // It was unused for exactly as long as it is kept.
    assert!(map.topic("b").is_err());
    assert_eq!(map.get("room").unwrap().retained_events(), 1);
}

#[test]
fn a_look_up_is_a_use() {
    let clock = Clock::new();
    let map = map(&clock, 2);
    map.topic("asked for").unwrap();
    map.topic("unused").unwrap();
    for _ in 0..3 {
        clock.advance(4 * MINUTE);
        map.get("asked for").unwrap();
    }
    map.topic("new").unwrap();
    assert_eq!(names(&map), ["asked for", "new"]);
    for _ in 0..3 {
        clock.advance(4 * MINUTE);
        map.topic("new").unwrap();
    }
    map.topic("newer").unwrap();
    assert_eq!(names(&map), ["new", "newer"]);
}

#[test]
fn those_that_are_due_go_long_before_the_bound() {
    let clock = Clock::new();
    let map = map(&clock, 100_000);
    for round in 0..1000 {
        for name in 0..10 {
            map.topic(&format!("{round}-{name}")).unwrap();
        }
        clock.advance(MINUTE);
    }
    // About 60 are in use at any time.
    assert!(map.len() <= 200, "{}", map.len());
}

#[test]
fn an_id_of_a_topic_that_has_gone_is_unknown_to_its_successor() {
    let clock = Clock::new();
    let map = map(&clock, 1);
    let position = map.topic("a").unwrap().publish("one").unwrap().to_string();
    clock.advance(6 * MINUTE);
    map.topic("b").unwrap();
    clock.advance(6 * MINUTE);
    let again = map.topic("a").unwrap();
    again.publish("another").unwrap();
    let subscriber = again.resume_from(Some(&position));
    assert_eq!(subscriber.outcome(), Outcome::Unknown { replayed: 1 });
}

#[test]
fn a_topic_that_is_closed_gives_way_to_a_new_one() {
    let map = map(&Clock::new(), 1);
    let closed = map.topic("a").unwrap();
    closed.close();
    assert!(map.get("a").is_none());
    let new = map.topic("a").unwrap();
    assert!(closed.is_closed() && !new.is_closed());
    new.publish("x").unwrap();
    assert_eq!(map.len(), 1);
}
