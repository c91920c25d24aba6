//! What clients of a log are told of what is lost to them, and that it is no more than that.

use sse_core::{
    Event,
    topic::{
        Announce, Outcome, Position, TopicConfig,
        follower::{LogSubscriber, Page, Tails},
    },
};

use crate::{
    EPOCH,
    clients::{in_the_middle_of, publish, request, take, topic_at},
    log::Log,
    place,
};

#[test]
fn only_what_the_log_no_longer_has_is_a_gap() {
    let mut log = Log::new(100);
    let topic = topic_at(TopicConfig::default(), 100);
    log.trim(40);
    let mut subscriber = LogSubscriber::new(&topic, Some("7-58"), 100);
    let given = take(&mut subscriber, &log);
    let gap = Outcome::Gap {
        lost: 2,
        replayed: 40,
    };
    assert_eq!(given.outcomes, [gap]);
    assert_eq!(subscriber.outcome(), Some(gap));
    assert_eq!(given.sequences(), (61..=100).collect::<Vec<_>>());
    assert_eq!(topic.stats().gaps, 1);
}

/// The topic rejects such an event. The client would come back with its ID, as if it had what is before that
/// place.
#[test]
fn an_event_with_the_id_of_another_place_is_lost_in_a_page_as_in_the_topic() {
    let named = Event::new("two").with_id("7-50").unwrap();
    let events = [Event::new("one"), named, Event::new("three")];
    let tails = Tails {
        epoch: EPOCH,
        oldest: 1,
        newest: 3,
    };
    let topic = topic_at(TopicConfig::default(), 3);
    let mut subscriber = LogSubscriber::new(&topic, Some("7-0"), 100);
    let request = request(&mut subscriber);
    assert_eq!(request.after, place(0));
    subscriber.handle_page(Page::new(tails, (1..).zip(events).collect()));
    let given = take(&mut subscriber, &Log::new(0));
    assert_eq!(given.ids, ["7-1", "7-3"]);
    let gap = Outcome::Gap {
        lost: 1,
        replayed: 1,
    };
    assert_eq!(given.outcomes, [gap]);
}

#[test]
fn the_announced_outcomes_are_a_setting() {
    let mut log = Log::new(100);
    log.trim(40);
    for (announce, old, older) in [
        (Announce::Nothing, 0, 0),
        (Announce::Losses, 0, 1),
        (Announce::Everything, 1, 1),
    ] {
        let mut config = TopicConfig::default();
        config.announce = announce;
        let topic = topic_at(config, 100);
        for (id, notices) in [("7-80", old), ("7-5", older)] {
            let given = take(&mut LogSubscriber::new(&topic, Some(id), 100), &log);
            assert_eq!(given.outcomes.len(), notices, "{announce:?} {id}");
        }
    }
}

#[test]
fn a_place_that_the_log_does_not_know_is_unknown() {
    let mut log = Log::new(12);
    log.begin_anew();
    log.append(2);
    let topic = topic_at(TopicConfig::default(), 0);
    topic.go_on_behind(Position::new(EPOCH + 1, 0)).unwrap();
    (1..=2).for_each(|n| assert!(topic.publish_at(n, log.event(n)).is_ok()));
    for (id, pages) in [
        ("7-12", 1),
        ("8-3", 1),
        ("8-18446744073709551615", 1),
        ("mine", 0),
    ] {
        let mut subscriber = LogSubscriber::new(&topic, Some(id), 100);
        let given = take(&mut subscriber, &log);
        let unknown = Outcome::Unknown { replayed: 2 };
        assert_eq!(given.outcomes, [unknown], "{id}");
        assert_eq!((given.ids.len(), given.pages), (2, pages), "{id}");
    }
}

#[test]
fn a_client_of_an_epoch_that_is_over_is_told_when_the_node_has_come_to_the_next() {
    let mut log = Log::new(12);
    let [behind, passed] = [0, 12].map(|n| topic_at(TopicConfig::default(), n));
    log.begin_anew();
    log.append(2);
    for topic in [behind, passed] {
        let mut subscriber = LogSubscriber::new(&topic, Some("7-7"), 100);
        let given = take(&mut subscriber, &log);
        assert!(given.ids.is_empty(), "{given:?}");
        // Late events of the old epoch do not come twice.
        topic
            .publish_at(topic.position().sequence() + 1, "late")
            .unwrap();
        assert!(take(&mut subscriber, &log).ids.is_empty());
        topic.go_on_behind(Position::new(8, 0)).unwrap();
        (1..=2).for_each(|n| assert!(topic.publish_at(n, log.event(n)).is_ok()));
        let given = take(&mut subscriber, &log);
        assert_eq!(given.outcomes, [Outcome::Unknown { replayed: 2 }]);
        assert_eq!(given.ids, ["8-1", "8-2"]);
        // The first asks once, and each once more in the new epoch.
        assert_eq!(given.pages, 1);
    }
}

#[test]
fn a_place_that_the_log_does_not_know_is_unknown_when_the_node_has_come_to_its_epoch() {
    for id in ["8-4", "8-18446744073709551615", "9-18446744073709551615"] {
        let mut log = Log::new(12);
        let topic = topic_at(TopicConfig::default(), 12);
        log.begin_anew();
        log.append(3);
        let mut subscriber = LogSubscriber::new(&topic, Some(id), 100);
        let given = take(&mut subscriber, &log);
        assert_eq!((given.pages, given.outcomes.len()), (1, 0), "{id}");
        topic.go_on_behind(Position::new(8, 2)).unwrap();
        topic.publish_at(3, log.event(3)).unwrap();
        let given = take(&mut subscriber, &log);
        let unknown = Outcome::Unknown { replayed: 1 };
        assert_eq!(given.outcomes, [unknown], "{id}");
        assert_eq!((given.ids.len(), given.pages), (1, 1), "{id}");
        assert_eq!(subscriber.outcome(), Some(unknown), "{id}");
    }
}

#[test]
fn a_slow_client_is_told_of_no_more_than_the_log_has_lost() {
    let mut config = TopicConfig::default();
    config.max_events = 5;
    let mut log = Log::new(0);
    let topic = topic_at(config, 0);
    let mut subscriber = LogSubscriber::new(&topic, None, 100);
    publish(&topic, &mut log, 2);
    assert_eq!(take(&mut subscriber, &log).sequences(), [1, 2]);
    // The node missed 3 to 10, and dropped 11 to 25 meanwhile.
    log.append(8);
    log.tails.oldest = 11;
    topic.go_on_behind(place(10)).unwrap();
    publish(&topic, &mut log, 20);
    let given = take(&mut subscriber, &log);
    let gap = Outcome::Gap {
        lost: 8,
        replayed: 20,
    };
    assert_eq!(given.outcomes, [gap]);
    assert_eq!(given.sequences(), (11..=30).collect::<Vec<_>>());
}

#[test]
fn a_page_from_before_the_topic_passed_a_client_causes_no_gap() {
    let mut config = TopicConfig::default();
    config.max_events = 2;
    let mut log = Log::new(3);
    let topic = topic_at(config, 2);
    let mut subscriber = LogSubscriber::new(&topic, Some("7-3"), 100);
    let request = request(&mut subscriber);
    let page = log.page(request);
    topic.publish_at(3, log.event(3)).unwrap();
    publish(&topic, &mut log, 9);
    subscriber.handle_page(page);
    let given = take(&mut subscriber, &log);
    assert!(given.outcomes.is_empty());
    assert_eq!(given.sequences(), (4..=12).collect::<Vec<_>>());
}

#[test]
fn events_that_the_log_drops_while_a_client_reads_it_are_told() {
    let mut log = Log::new(100);
    let mut config = TopicConfig::default();
    config.announce = Announce::Nothing;
    let (_topic, mut subscriber) = in_the_middle_of(&log, config);
    log.trim(50);
    let given = take(&mut subscriber, &log);
    let gap = Outcome::Gap {
        lost: 40,
        replayed: 50,
    };
    assert_eq!(given.outcomes, [gap]);
    let expected: Vec<u64> = (1..=10).chain(51..=100).collect();
    assert_eq!(given.sequences(), expected);
}

#[test]
fn a_log_that_begins_anew_while_a_client_reads_it_is_told() {
    let mut log = Log::new(100);
    let (topic, mut subscriber) = in_the_middle_of(&log, TopicConfig::default());
    log.begin_anew();
    log.append(1);
    topic.go_on_behind(Position::new(8, 0)).unwrap();
    topic.publish_at(1, log.event(1)).unwrap();
    let given = take(&mut subscriber, &log);
    assert_eq!(given.outcomes, [Outcome::Unknown { replayed: 1 }]);
    assert_eq!(given.ids.last().map(String::as_str), Some("8-1"));
}

#[test]
fn events_that_are_deleted_from_the_middle_are_gaps() {
    let mut log = Log::new(10);
    log.hidden = vec![3, 4, 9, 10];
    let topic = topic_at(TopicConfig::default(), 10);
    let mut subscriber = LogSubscriber::new(&topic, Some("7-0"), 100);
    let given = take(&mut subscriber, &log);
    assert_eq!(given.sequences(), [1, 2, 5, 6, 7, 8]);
    // What is to come is counted by what the topic has come to.
    let gaps = [6, 0].map(|replayed| Outcome::Gap { lost: 2, replayed });
    assert_eq!(given.outcomes, gaps);
}
