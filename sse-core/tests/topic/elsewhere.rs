//! A history that another system keeps and numbers.

use sse_core::{
    Event,
    topic::{Announce, MergedSubscriber, Outcome, Position, PublishError, Topic, TopicConfig},
};

use crate::{EPOCH, End, ids, publish, take, take_all, topic};

fn copy_behind(sequence: u64) -> Topic {
    let topic = topic(TopicConfig::default());
    topic.go_on_behind(Position::new(EPOCH, sequence)).unwrap();
    topic
}

#[test]
fn a_history_begins_anywhere() {
    let topic = copy_behind(41);
    assert_eq!(topic.position(), Position::new(EPOCH, 41));
    assert_eq!(topic.retained_events(), 0);
    topic.publish_at(42, "x").unwrap();
    assert_eq!(topic.publish("x").unwrap().to_string(), "abc-43");
    let outcome = |id| topic.resume_from(Some(id)).outcome();
    assert_eq!(outcome("abc-41"), Outcome::Resumed { replayed: 2 });
    let gap = Outcome::Gap {
        lost: 1,
        replayed: 2,
    };
    assert_eq!(outcome("abc-40"), gap);
    assert_eq!(outcome("abc-44"), Outcome::Unknown { replayed: 2 });
    let text = take(&mut topic.subscribe_from_oldest()).text;
    assert_eq!(text, "id: abc-42\ndata: x\n\nid: abc-43\ndata: x\n\n");
}

#[test]
fn clients_go_from_one_copy_to_another() {
    let (first, second) = (copy_behind(10), copy_behind(12));
    (11..=15).for_each(|n| assert!(first.publish_at(n, n.to_string()).is_ok()));
    (13..=16).for_each(|n| assert!(second.publish_at(n, n.to_string()).is_ok()));
    let seen = take(&mut first.subscribe_from_oldest()).text;
    let mut there = second.resume_from(ids(&seen).last().copied());
    assert_eq!(there.outcome(), Outcome::Resumed { replayed: 1 });
    assert_eq!(take(&mut there).text, "id: abc-16\ndata: 16\n\n");
}

#[test]
fn an_event_in_another_place_is_refused_and_changes_nothing() {
    let topic = copy_behind(41);
    for sequence in [0, 41, 43, u64::MAX] {
        let error = topic.publish_at(sequence, "x").unwrap_err();
        assert!(
            matches!(error, PublishError::WrongSequence { next: 42 }),
            "{error}"
        );
    }
    let behind = topic.go_on_behind(Position::new(EPOCH, 40)).unwrap_err();
    assert!(matches!(behind, PublishError::WrongSequence { next: 42 }));
    let beyond = topic.go_on_behind(Position::new(1, u64::MAX)).unwrap_err();
    assert!(beyond.to_string().contains("42 is next"), "{beyond}");
    assert_eq!(topic.stats().published_events, 0);
    topic.close();
    let closed = topic.go_on_behind(Position::new(EPOCH, 50)).unwrap_err();
    assert!(matches!(closed, PublishError::Closed));
    assert!(matches!(
        topic.publish_at(42, "x"),
        Err(PublishError::Closed)
    ));
}

#[test]
fn a_history_begins_below_the_largest_number_of_a_place() {
    const LARGEST: u64 = u64::MAX / 2;
    let topic = copy_behind(LARGEST);
    assert_eq!(topic.publish("x").unwrap().sequence(), LARGEST + 1);
    let beyond = topic.go_on_behind(Position::new(1, LARGEST + 1));
    assert!(matches!(beyond, Err(PublishError::WrongSequence { .. })));
}

#[test]
fn to_be_where_it_is_already_drops_nothing() {
    let topic = copy_behind(41);
    publish(&topic, 3);
    topic.go_on_behind(topic.position()).unwrap();
    assert_eq!(topic.retained_events(), 3);
}

#[test]
fn skipped_events_are_told_and_no_subscriber_is_cut() {
    let mut config = TopicConfig::default();
    config.announce = Announce::Nothing;
    let topic = topic(config);
    publish(&topic, 2);
    let mut at_end = topic.subscribe();
    let mut behind = topic.resume_from(Some("abc-1"));
    topic.go_on_behind(Position::new(EPOCH, 10)).unwrap();
    publish(&topic, 1);
    for (subscriber, lost) in [(&mut at_end, 8), (&mut behind, 9)] {
        let taken = take(subscriber);
        let gap = Outcome::Gap { lost, replayed: 1 };
        assert_eq!((taken.notices, taken.end), (vec![gap], End::Waits));
        assert_eq!(ids(&taken.text), ["abc-10", "abc-11"]);
    }
    // New subscribers are not told.
    let mut late = topic.subscribe_from_oldest();
    assert_eq!(ids(&take(&mut late).text), ["abc-11"]);
    assert_eq!((topic.stats().cut, topic.stats().lost_events), (0, 0));
}

#[test]
fn in_another_epoch_every_client_is_unknown_once() {
    let topic = topic(TopicConfig::default());
    publish(&topic, 5);
    let own = Event::new("x").with_id("own").unwrap();
    topic.publish(own).unwrap();
    let mut waits = topic.subscribe();
    assert_eq!(take(&mut waits).end, End::Waits);
    let mut joins = topic.resume_from(Some("abc-2"));
    let mut choosy = topic.subscribe().only_event_types(|_| true);
    topic.go_on_behind(Position::new(EPOCH + 1, 2)).unwrap();
    assert_eq!(topic.epoch(), EPOCH + 1);
    for subscriber in [&mut waits, &mut joins, &mut choosy] {
        let taken = take(subscriber);
        assert_eq!(taken.notices, [Outcome::Unknown { replayed: 0 }]);
        assert_eq!(ids(&taken.text), ["abd-2"]);
        assert_eq!(subscriber.position(), Position::new(EPOCH + 1, 2));
    }
    publish(&topic, 1);
    for subscriber in [&mut waits, &mut joins, &mut choosy] {
        assert_eq!(take(subscriber).text, "id: abd-3\ndata: x\n\n");
    }
    // IDs of before are unknown now, and those of this epoch are reserved.
    for id in ["abc-5", "own"] {
        let outcome = topic.resume_from(Some(id)).outcome();
        assert_eq!(outcome, Outcome::Unknown { replayed: 1 }, "{id}");
    }
    let reserved = Event::new("x").with_id("abd-9").unwrap();
    assert!(matches!(
        topic.publish(reserved),
        Err(PublishError::ReservedId(_))
    ));
    topic
        .publish(Event::new("x").with_id("abc-9").unwrap())
        .unwrap();
}

#[test]
fn a_merged_stream_follows_it_there() {
    let (tea, coffee) = (topic(TopicConfig::default()), copy_behind(0));
    coffee.go_on_behind(Position::new(1, 0)).unwrap();
    let topics = [("tea", &tea), ("coffee", &coffee)];
    let mut subscriber = MergedSubscriber::resume_from(topics, None).unwrap();
    publish(&coffee, 1);
    take_all(|| subscriber.try_next());
    tea.go_on_behind(Position::new(2, 7)).unwrap();
    publish(&tea, 1);
    let taken = take_all(|| subscriber.try_next());
    assert_eq!(taken.notices, [Outcome::Unknown { replayed: 1 }]);
    assert_eq!(ids(&taken.text), ["2-7,1-1", "2-8,1-1"]);
}
