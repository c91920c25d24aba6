//! Clients that the topic alone cannot serve.

use std::task::{Context, Poll, Waker};

use sse_core::topic::{
    Batch, Outcome, Position, Topic, TopicConfig, TopicEnd, WhenTooSlow,
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
    pub(crate) pages: usize,
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

/// Returns a topic at the 100th event of this log, and a client that has had no event, and was just given its
/// first page, of ten.
pub(crate) fn in_the_middle_of(log: &Log, config: TopicConfig) -> (Topic, LogSubscriber) {
    let topic = topic_at(config, 100);
    let mut subscriber = LogSubscriber::new(&topic, Some("7-0"), 10);
    let first = request(&mut subscriber);
    subscriber.handle_page(log.page(first));
    (topic, subscriber)
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
