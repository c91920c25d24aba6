//! Pages for clients: those that were not asked for, that repeat, and that have nothing for the client.

use std::task::Poll;

use sse_core::topic::{
    Outcome, Position, TopicConfig,
    follower::{LogItem, LogSubscriber, PageRequest},
};

use crate::{
    clients::{in_the_middle_of, poll, publish, request, take, topic_at},
    log::Log,
    place,
};

#[test]
fn events_that_a_client_has_are_left_out_of_a_page() {
    let log = Log::new(100);
    let topic = topic_at(TopicConfig::default(), 100);
    let mut subscriber = LogSubscriber::new(&topic, Some("7-50"), 100);
    request(&mut subscriber);
    subscriber.handle_page(log.page(PageRequest::new(place(45), 100)));
    let given = take(&mut subscriber, &log);
    assert_eq!(given.sequences(), (51..=100).collect::<Vec<_>>());
}

#[test]
fn a_page_that_a_client_did_not_ask_for_is_left() {
    let log = Log::new(100);
    let (_topic, mut subscriber) = in_the_middle_of(&log, TopicConfig::default());
    subscriber.handle_page(log.page(PageRequest::new(place(10), 10)));
    assert!(matches!(
        poll(&mut subscriber),
        Poll::Ready(Some(LogItem::Batch(_)))
    ));
    assert_eq!(request(&mut subscriber).after, place(10));
}

#[test]
fn a_client_waits_for_its_node_where_the_log_alone_has_begun_anew() {
    let mut log = Log::new(100);
    let (topic, mut subscriber) = in_the_middle_of(&log, TopicConfig::default());
    log.begin_anew();
    log.append(1);
    let given = take(&mut subscriber, &log);
    assert_eq!((given.ids.len(), given.outcomes.len()), (10, 0));
    topic.go_on_behind(Position::new(8, 0)).unwrap();
    topic.publish_at(1, log.event(1)).unwrap();
    let given = take(&mut subscriber, &log);
    assert_eq!(given.outcomes, [Outcome::Unknown { replayed: 1 }]);
    assert_eq!(given.ids, ["8-1"]);
}

#[test]
fn what_the_log_dropped_up_to_its_node_is_told() {
    let mut log = Log::new(105);
    let (topic, mut subscriber) = in_the_middle_of(&log, TopicConfig::default());
    log.trim(5);
    let given = take(&mut subscriber, &log);
    let gap = Outcome::Gap {
        lost: 90,
        replayed: 5,
    };
    assert_eq!(given.outcomes, [gap]);
    (101..=105).for_each(|n| assert!(topic.publish_at(n, log.event(n)).is_ok()));
    let given = take(&mut subscriber, &log);
    assert_eq!(given.sequences(), (101..=105).collect::<Vec<_>>());
}

#[test]
fn a_log_that_returns_what_a_client_has_in_place_of_the_next_has_lost_it() {
    let mut config = TopicConfig::default();
    config.max_events = 5;
    let mut log = Log::new(0);
    let topic = topic_at(config, 0);
    publish(&topic, &mut log, 100);
    let mut subscriber = LogSubscriber::new(&topic, Some("7-2"), 1);
    request(&mut subscriber);
    subscriber.handle_page(log.page(PageRequest::new(place(1), 1)));
    let given = take(&mut subscriber, &log);
    let gap = Outcome::Gap {
        lost: 93,
        replayed: 5,
    };
    assert_eq!(given.outcomes, [gap]);
    assert_eq!(given.sequences(), (96..=100).collect::<Vec<_>>());
}

#[test]
fn a_client_that_is_ahead_is_told_of_nothing_that_its_node_may_still_get() {
    let mut log = Log::new(15);
    log.hidden = vec![13, 14, 15];
    let topic = topic_at(TopicConfig::default(), 10);
    let mut subscriber = LogSubscriber::new(&topic, Some("7-12"), 100);
    let given = take(&mut subscriber, &log);
    assert_eq!((given.ids.len(), given.outcomes.len()), (0, 0));
}

#[test]
fn a_beginning_without_events_is_none() {
    let topic = topic_at(TopicConfig::default(), 10);
    let subscriber = LogSubscriber::new(&topic, None, 100);
    let mut subscriber = subscriber.begin_with([""; 0], place(10)).unwrap();
    assert!(poll(&mut subscriber).is_pending());
}
