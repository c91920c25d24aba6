//! Clients that begin with the oldest event, or with a state, and those that want some of the events.

use std::task::Poll;

use sse_core::topic::{
    Outcome, Position, TopicConfig,
    follower::{LogItem, LogSubscriber, Page, PageRequest},
};

use crate::{
    EPOCH,
    clients::{poll, publish, request, take, topic_at},
    log::Log,
    place,
};

#[test]
fn a_client_from_the_oldest_event_on_gets_all_that_the_log_holds_and_no_notice() {
    let mut log = Log::new(1_000);
    log.trim(300);
    let topic = topic_at(TopicConfig::default(), 1_000);
    publish(&topic, &mut log, 5);
    let mut subscriber = LogSubscriber::from_oldest(&topic, 100);
    assert_eq!(subscriber.outcome(), Some(Outcome::Fresh));
    let given = take(&mut subscriber, &log);
    assert_eq!(given.sequences(), (701..=1_005).collect::<Vec<_>>());
    assert_eq!((given.pages, given.outcomes.len()), (3, 0));
    assert_eq!((topic.stats().fresh, topic.stats().subscribers), (1, 1));

    // Later losses are told.
    publish(&topic, &mut log, 5);
    assert_eq!(take(&mut subscriber, &log).sequences().len(), 5);
    let mut subscriber = LogSubscriber::from_oldest(&topic, 10);
    let asked = request(&mut subscriber);
    subscriber.handle_page(log.page(asked));
    log.trim(30);
    let given = take(&mut subscriber, &log);
    let lost = given.outcomes.iter().map(|outcome| match outcome {
        Outcome::Gap { lost, .. } => *lost,
        other => panic!("{other:?}"),
    });
    assert_eq!(lost.sum::<u64>() + given.ids.len() as u64, 310);
    assert_eq!(given.sequences().last(), Some(&1_010));
}

#[test]
fn a_client_from_the_oldest_event_on_follows_the_log_to_another_epoch_without_a_notice() {
    let mut log = Log::new(1_000);
    let topic = topic_at(TopicConfig::default(), 1_000);
    let mut subscriber = LogSubscriber::from_oldest(&topic, 100);
    let asked = request(&mut subscriber);
    log.begin_anew();
    topic.go_on_behind(Position::new(EPOCH + 1, 0)).unwrap();
    subscriber.handle_page(log.page(asked));
    publish(&topic, &mut log, 3);
    let given = take(&mut subscriber, &log);
    assert_eq!(given.sequences(), [1, 2, 3]);
    assert!(given.outcomes.is_empty(), "{:?}", given.outcomes);
}

#[test]
fn a_client_from_the_oldest_event_on_asks_for_nothing_that_the_topic_holds() {
    let mut log = Log::new(0);
    let topic = topic_at(TopicConfig::default(), 0);
    publish(&topic, &mut log, 5);
    let given = take(&mut LogSubscriber::from_oldest(&topic, 100), &log);
    assert_eq!(given.sequences(), [1, 2, 3, 4, 5]);
    assert_eq!((given.pages, given.outcomes.len()), (0, 0));
}

/// Gives a type to the log's events of even numbers.
fn typed(mut page: Page) -> Page {
    for (sequence, event) in &mut page.events {
        if *sequence % 2 == 0 {
            *event = event.clone().with_event_type("even").unwrap();
        }
    }
    page
}

#[test]
fn a_client_gets_the_event_types_that_it_wants_from_the_log_and_from_the_topic() {
    let mut log = Log::new(100);
    let topic = topic_at(TopicConfig::default(), 100);
    let subscriber = LogSubscriber::new(&topic, Some("7-90"), 4);
    let mut subscriber = subscriber.only_event_types(|event_type| event_type == "even");
    let mut ids = Vec::new();
    while let Poll::Ready(Some(item)) = poll(&mut subscriber) {
        match item {
            LogItem::Read(request) => subscriber.handle_page(typed(log.page(request))),
            LogItem::Batch(batch) => {
                let text = str::from_utf8(batch.as_bytes()).unwrap().to_owned();
                let lines = text.lines().filter_map(|line| line.strip_prefix("id: "));
                ids.extend(lines.map(str::to_owned));
            }
            other => panic!("{other:?}"),
        }
        if ids.len() == 5 {
            break;
        }
    }
    assert_eq!(ids, ["7-92", "7-94", "7-96", "7-98", "7-100"]);
    for _ in 0..2 {
        let newest = log.tails.newest + 1;
        log.append(1);
        let event = typed(log.page(PageRequest::new(place(newest - 1), 1)))
            .events
            .remove(0)
            .1;
        topic.publish_at(newest, event).unwrap();
    }
    assert_eq!(take(&mut subscriber, &log).ids, ["7-102"]);
}

#[test]
fn a_client_for_which_the_log_has_nothing_is_told_seldom_where_it_is() {
    let log = Log::new(1_000);
    let mut config = TopicConfig::default();
    config.max_events = 400;
    let topic = topic_at(config, 1_000);
    let subscriber = LogSubscriber::new(&topic, Some("7-0"), 50);
    let mut subscriber = subscriber.only_event_types(|event_type| event_type == "other");
    // Each is behind by more than a quarter of the topic's history.
    assert_eq!(
        take(&mut subscriber, &log).ids,
        ["7-150", "7-300", "7-450", "7-600", "7-750", "7-900"]
    );
}

#[test]
fn a_client_gets_a_state_and_then_what_follows_it_wherever_that_is() {
    let mut log = Log::new(100);
    let topic = topic_at(TopicConfig::default(), 100);
    publish(&topic, &mut log, 5);
    for at in [place(95), place(103), place(105)] {
        let subscriber = LogSubscriber::new(&topic, Some(&at.to_string()), 100);
        let mut subscriber = subscriber.begin_with(["a", "b"], at).unwrap();
        let Poll::Ready(Some(LogItem::Batch(state))) = poll(&mut subscriber) else {
            panic!()
        };
        let expected = format!("data: a\n\nid: {at}\ndata: b\n\n");
        assert_eq!(state.as_bytes(), expected.as_bytes());
        let given = take(&mut subscriber, &log);
        assert_eq!(
            given.sequences(),
            (at.sequence() + 1..=105).collect::<Vec<_>>()
        );
    }
}
