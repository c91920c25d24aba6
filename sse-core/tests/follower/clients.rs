//! Clients that the topic alone cannot serve.

use std::task::{Context, Poll, Waker};

use sse_core::topic::{
    Announce, Batch, Outcome, Position, Topic, TopicConfig, TopicEnd, WhenTooSlow,
    follower::{LogItem, LogSubscriber, Page, PageRequest, Tails},
};

use crate::{EPOCH, log::Log, place};

/// Returns a topic that began when the log was at this event.
pub(crate) fn topic_at(config: TopicConfig, sequence: u64) -> Topic {
    let topic = Topic::new(config, 0, std::time::Instant::now);
    topic.go_on_behind(place(sequence)).unwrap();
    topic
}

pub(crate) fn publish(topic: &Topic, log: &mut Log, count: u64) {
    for _ in 0..count {
        log.append(1);
        let newest = log.tails.newest;
        topic.publish_at(newest, log.event(newest)).unwrap();
    }
}

/// The items that a client got.
#[derive(Debug, Default)]
pub(crate) struct Given {
    pub(crate) ids: Vec<String>,
    pub(crate) outcomes: Vec<Outcome>,
    pages: usize,
    is_over: bool,
}

impl Given {
    pub(crate) fn sequences(&self) -> Vec<u64> {
        let ids = self.ids.iter();
        ids.map(|id| id.split_once('-').unwrap().1.parse().unwrap())
            .collect()
    }
}

pub(crate) fn poll(subscriber: &mut LogSubscriber) -> Poll<Option<LogItem>> {
    subscriber.poll_next(&mut Context::from_waker(Waker::noop()))
}

pub(crate) fn request(subscriber: &mut LogSubscriber) -> PageRequest {
    match poll(subscriber) {
        Poll::Ready(Some(LogItem::Read(request))) => request,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn take(subscriber: &mut LogSubscriber, log: &Log) -> Given {
    let mut given = Given::default();
    for _ in 0..100_000 {
        match poll(subscriber) {
            Poll::Pending => return given,
            Poll::Ready(None) => {
                given.is_over = true;
                return given;
            }
            Poll::Ready(Some(LogItem::Read(request))) => {
                given.pages += 1;
                subscriber.handle_page(log.page(request));
            }
            Poll::Ready(Some(LogItem::Batch(Batch::Notice(notice)))) => {
                given.outcomes.push(notice.outcome());
            }
            Poll::Ready(Some(LogItem::Batch(batch))) => {
                let text = str::from_utf8(batch.as_bytes()).unwrap().to_owned();
                assert!(!text.is_empty(), "a batch of nothing");
                let ids = text.lines().filter_map(|line| line.strip_prefix("id: "));
                given.ids.extend(ids.map(str::to_owned));
            }
            Poll::Ready(Some(other)) => panic!("{other:?}"),
        }
    }
    panic!("it never ends");
}

#[test]
fn a_client_that_the_topic_can_serve_asks_for_nothing() {
    let mut log = Log::new(10);
    let topic = topic_at(TopicConfig::default(), 10);
    publish(&topic, &mut log, 5);
    for (id, first) in [(None, 16), (Some("7-10"), 11), (Some("7-15"), 16)] {
        let mut subscriber = LogSubscriber::new(&topic, id, 100);
        assert!(subscriber.outcome().is_some());
        let given = take(&mut subscriber, &log);
        assert_eq!((given.pages, given.outcomes.len()), (0, 0));
        assert_eq!(given.sequences(), (first..=15).collect::<Vec<_>>());
    }
    assert_eq!((topic.stats().fresh, topic.stats().resumed), (1, 2));
}

#[test]
fn a_client_older_than_the_topic_is_served_from_the_log_in_pages() {
    let mut log = Log::new(1_000);
    let topic = topic_at(TopicConfig::default(), 1_000);
    publish(&topic, &mut log, 5);
    let mut subscriber = LogSubscriber::new(&topic, Some("7-0"), 100);
    assert_eq!(subscriber.outcome(), None);
    let given = take(&mut subscriber, &log);
    assert_eq!(given.pages, 10);
    assert_eq!(given.sequences(), (1..=1_005).collect::<Vec<_>>());
    assert!(given.outcomes.is_empty());
    let resumed = Outcome::Resumed { replayed: 1_005 };
    assert_eq!(subscriber.outcome(), Some(resumed));
    let stats = topic.stats();
    assert_eq!((stats.subscribers, stats.resumed, stats.fresh), (1, 1, 0));
    drop(subscriber);
    assert_eq!(topic.stats().subscribers, 0);
}

#[test]
fn one_page_is_asked_for_at_a_time_and_once_the_last_one_is_taken() {
    let log = Log::new(100);
    let topic = topic_at(TopicConfig::default(), 100);
    let mut subscriber = LogSubscriber::new(&topic, Some("7-0"), 10);
    let first = request(&mut subscriber);
    assert_eq!((first.after, first.limit), (place(0), 10));
    assert!(poll(&mut subscriber).is_pending());
    subscriber.handle_page(log.page(first));
    assert!(matches!(
        poll(&mut subscriber),
        Poll::Ready(Some(LogItem::Batch(_)))
    ));
    assert_eq!(request(&mut subscriber).after, place(10));
}

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
fn a_client_from_a_node_that_is_ahead_waits_for_this_one() {
    let mut log = Log::new(12);
    let topic = topic_at(TopicConfig::default(), 10);
    let mut subscriber = LogSubscriber::new(&topic, Some("7-12"), 100);
    let given = take(&mut subscriber, &log);
    assert!(given.ids.is_empty() && given.outcomes.is_empty());
    for n in 11..=12 {
        topic.publish_at(n, log.event(n)).unwrap();
        assert!(take(&mut subscriber, &log).ids.is_empty());
    }
    publish(&topic, &mut log, 1);
    let given = take(&mut subscriber, &log);
    assert_eq!((given.sequences(), given.pages), (vec![13], 0));
    let resumed = Outcome::Resumed { replayed: 0 };
    assert_eq!(subscriber.outcome(), Some(resumed));
}

#[test]
fn a_client_from_an_epoch_that_this_node_has_not_come_to_waits() {
    let mut log = Log::new(12);
    let topic = topic_at(TopicConfig::default(), 12);
    log.begin_anew();
    log.append(3);
    let mut subscriber = LogSubscriber::new(&topic, Some("8-2"), 100);
    assert!(take(&mut subscriber, &log).ids.is_empty());
    topic.go_on_behind(Position::new(8, 0)).unwrap();
    (1..=3).for_each(|n| assert!(topic.publish_at(n, log.event(n)).is_ok()));
    let given = take(&mut subscriber, &log);
    assert_eq!(given.ids, ["8-3"]);
    assert!(given.outcomes.is_empty());
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
fn a_slow_client_goes_back_to_the_log() {
    for when_too_slow in [WhenTooSlow::Cut, WhenTooSlow::SkipAhead] {
        let mut config = TopicConfig::default();
        (config.max_events, config.when_too_slow) = (5, when_too_slow);
        let mut log = Log::new(0);
        let topic = topic_at(config, 0);
        let mut joined = LogSubscriber::new(&topic, None, 100);
        publish(&topic, &mut log, 1);
        let mut resumed = LogSubscriber::new(&topic, Some("7-0"), 100);
        publish(&topic, &mut log, 30);
        for subscriber in [&mut joined, &mut resumed] {
            let given = take(subscriber, &log);
            assert_eq!(given.sequences(), (1..=31).collect::<Vec<_>>());
            assert!(given.outcomes.is_empty());
        }
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
fn a_request_that_fails_while_the_epoch_is_over_is_made_again() {
    let mut log = Log::new(100);
    let topic = topic_at(TopicConfig::default(), 100);
    let mut subscriber = LogSubscriber::new(&topic, Some("7-0"), 10);
    let first = request(&mut subscriber);
    subscriber.handle_page(log.page(first));
    log.begin_anew();
    log.append(1);
    topic.go_on_behind(Position::new(8, 0)).unwrap();
    topic.publish_at(1, log.event(1)).unwrap();
    assert!(matches!(
        poll(&mut subscriber),
        Poll::Ready(Some(LogItem::Batch(_)))
    ));
    request(&mut subscriber);
    subscriber.handle_page_failed();
    assert_eq!(take(&mut subscriber, &log).ids, ["8-1"]);
}

#[test]
fn a_page_of_an_older_epoch_than_the_topics_is_asked_for_again() {
    let mut log = Log::new(12);
    let late = log.clone();
    log.begin_anew();
    log.append(9);
    let topic = topic_at(TopicConfig::default(), 0);
    topic.go_on_behind(Position::new(8, 9)).unwrap();
    let mut subscriber = LogSubscriber::new(&topic, Some("8-2"), 100);
    let asked = request(&mut subscriber);
    subscriber.handle_page(late.page(asked));
    let given = take(&mut subscriber, &log);
    assert_eq!((given.outcomes.len(), given.ids.len()), (0, 7));
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
    let topic = topic_at(config, 100);
    let mut subscriber = LogSubscriber::new(&topic, Some("7-0"), 10);
    let first = request(&mut subscriber);
    subscriber.handle_page(log.page(first));
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
    let topic = topic_at(TopicConfig::default(), 100);
    let mut subscriber = LogSubscriber::new(&topic, Some("7-0"), 10);
    let first = request(&mut subscriber);
    subscriber.handle_page(log.page(first));
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

#[test]
fn a_request_that_fails_is_made_again_unless_the_topic_came_there() {
    let log = Log::new(12);
    let topic = topic_at(TopicConfig::default(), 10);
    let mut subscriber = LogSubscriber::new(&topic, Some("7-12"), 100);
    for _ in 0..2 {
        request(&mut subscriber);
        subscriber.handle_page_failed();
    }
    request(&mut subscriber);
    let nonsense = Tails {
        epoch: EPOCH,
        oldest: 9,
        newest: 3,
    };
    subscriber.handle_page(Page::new(nonsense, vec![]));
    (11..=12).for_each(|n| assert!(topic.publish_at(n, log.event(n)).is_ok()));
    assert!(poll(&mut subscriber).is_pending());
    let resumed = Outcome::Resumed { replayed: 0 };
    assert_eq!(subscriber.outcome(), Some(resumed));
}

#[test]
fn events_of_the_log_look_as_those_of_the_topic() {
    let topic = topic_at(TopicConfig::default(), 0);
    let own = |n: u64| sse_core::Event::new("a\nb").under_id(n);
    let events = [
        sse_core::Event::new("x"),
        own(5),
        sse_core::Event::without_data().with_reconnection_time(std::time::Duration::ZERO),
        sse_core::Event::without_data(),
        own(6),
    ];
    for (sequence, event) in (1..).zip(events.clone()) {
        topic.publish_at(sequence, event).unwrap();
    }
    let mut subscriber = topic.resume_from(Some("7-0"));
    let Poll::Ready(Some(Ok(expected))) = subscriber.try_next() else {
        panic!()
    };
    let late = topic_at(TopicConfig::default(), 5);
    let mut subscriber = LogSubscriber::new(&late, Some("7-0"), 100);
    request(&mut subscriber);
    let tails = Tails {
        epoch: EPOCH,
        oldest: 1,
        newest: 5,
    };
    subscriber.handle_page(Page::new(tails, (1..).zip(events).collect()));
    let Poll::Ready(Some(LogItem::Batch(batch))) = poll(&mut subscriber) else {
        panic!()
    };
    assert_eq!(
        str::from_utf8(batch.as_bytes()),
        str::from_utf8(expected.as_bytes())
    );
}

#[test]
fn it_ends_with_the_topic() {
    let mut log = Log::new(3);
    let topic = topic_at(TopicConfig::default(), 0);
    let mut ahead = LogSubscriber::new(&topic, Some("7-3"), 100);
    let mut live = LogSubscriber::new(&topic, None, 100);
    take(&mut ahead, &log);
    log.tails.newest = 0;
    publish(&topic, &mut log, 1);
    topic.close();
    assert!(take(&mut ahead, &log).is_over);
    assert_eq!(live.end(), None);
    let given = take(&mut live, &log);
    assert_eq!((given.ids.len(), given.is_over), (1, true));
    assert!(matches!(poll(&mut live), Poll::Ready(None)));
    let done = LogSubscriber::new(&topic, Some("7-1"), 100);
    assert_eq!(done.end(), Some(TopicEnd::Complete));
}

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

#[test]
fn the_pages_that_clients_hold_count_in_the_budget() {
    let log = Log::new(1_000);
    let mut config = TopicConfig::default();
    config.budget = sse_core::Budget::new(16 * 1024);
    let budget = config.budget.clone();
    let topic = topic_at(config, 1_000);
    let mut subscribers = [(); 2].map(|()| LogSubscriber::new(&topic, Some("7-0"), 500));
    let mut held = Vec::new();
    for subscriber in &mut subscribers {
        assert!(subscriber.has_room());
        let asked = request(subscriber);
        subscriber.handle_page(log.page(asked));
        let Poll::Ready(Some(LogItem::Batch(batch))) = poll(subscriber) else {
            panic!()
        };
        held.push(batch);
        let bytes: usize = held.iter().map(|batch| batch.as_bytes().len()).sum();
        assert!(budget.used().queued.abs_diff(bytes) < 2 * sse_core::Budget::GRANULE);
    }
    assert!(!subscribers[0].has_room());
    held.clear();
    assert_eq!(budget.used().total(), 0);
    assert!(subscribers[0].has_room());
}
