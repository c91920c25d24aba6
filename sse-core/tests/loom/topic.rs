//! A topic and its subscribers.

use std::task::{Context, Poll};

use loom::thread;
use sse_core::topic::{
    Batch, MergedSubscriber, Outcome, Position, SlowConsumer, Subscriber, Topic, WhenTooSlow,
};

use crate::{
    tasks::{block_on, join, model, poll_once},
    topic, topic_config, topic_with,
};

type Polled = Poll<Option<Result<Batch, SlowConsumer>>>;

/// Waits for the next item, and returns its data.
fn next(mut poll: impl FnMut(&mut Context<'_>) -> Polled) -> Option<Vec<String>> {
    let batch = block_on(&mut poll)?.expect("in time");
    let Batch::Events(events) = batch else {
        panic!("{batch:?}");
    };
    let data = events
        .into_events()
        .map(|event| event.data().unwrap_or_default().to_owned());
    Some(data.collect())
}

/// Takes this many events, or all before the end.
fn take(subscriber: &mut Subscriber, count: usize) -> Vec<String> {
    let mut taken = Vec::new();
    while taken.len() < count
        && let Some(data) = next(|cx| subscriber.poll_next(cx))
    {
        taken.extend(data);
    }
    taken
}

fn publishes(topic: &Topic, data: &'static str) -> thread::JoinHandle<()> {
    let topic = topic.clone();
    thread::spawn(move || {
        topic.publish(data).unwrap();
    })
}

#[test]
fn a_subscriber_that_waits_is_woken_by_an_event() {
    model(|| {
        let topic = topic(7);
        let mut subscriber = topic.subscribe();
        let publisher = publishes(&topic, "a");
        assert_eq!(take(&mut subscriber, 1), ["a"]);
        publisher.join().unwrap();
    });
}

#[test]
fn events_of_two_publishers_come_in_one_order_and_once() {
    model(|| {
        let topic = topic(7);
        let mut subscriber = topic.subscribe();
        let threads = [publishes(&topic, "a"), publishes(&topic, "b")];
        let taken = take(&mut subscriber, 2);
        join(threads);
        assert!(taken == ["a", "b"] || taken == ["b", "a"], "{taken:?}");
        let mut other = topic.resume_from(Some("7-0"));
        assert_eq!(take(&mut other, 2), taken);
        assert!(poll_once(|cx| subscriber.poll_next(cx)).is_pending());
    });
}

#[test]
fn two_subscribers_that_wait_are_both_woken() {
    model(|| {
        let topic = topic(7);
        let threads = [topic.subscribe(), topic.subscribe()].map(|mut subscriber| {
            thread::spawn(move || assert_eq!(take(&mut subscriber, 1), ["a"]))
        });
        topic.publish("a").unwrap();
        join(threads);
        assert_eq!(topic.stats().subscribers, 0);
    });
}

#[test]
fn a_subscriber_that_goes_takes_no_wake_up_from_another() {
    model(|| {
        let topic = topic(7);
        let mut leaving = topic.subscribe();
        assert!(poll_once(|cx| leaving.poll_next(cx)).is_pending());
        let mut staying = topic.subscribe();

        let leaving = thread::spawn(move || drop(leaving));
        let publisher = publishes(&topic, "a");
        assert_eq!(take(&mut staying, 1), ["a"]);
        leaving.join().unwrap();
        publisher.join().unwrap();
    });
}

#[test]
fn a_subscriber_that_moves_to_another_task_is_woken_there() {
    model(|| {
        let topic = topic(7);
        let mut subscriber = topic.subscribe();
        let publisher = publishes(&topic, "a");
        let polled = poll_once(|cx| subscriber.poll_next(cx));
        if polled.is_pending() {
            assert_eq!(take(&mut subscriber, 1), ["a"]);
        }
        publisher.join().unwrap();
    });
}

#[test]
fn a_client_that_resumes_while_events_are_published_gets_each_of_them_once() {
    model(|| {
        let topic = topic(7);
        topic.publish("a").unwrap();
        let publisher = publishes(&topic, "b");
        let mut resumed = topic.resume_from(Some("7-1"));
        let mut joined = topic.subscribe();
        assert_eq!(take(&mut resumed, 1), ["b"]);
        publisher.join().unwrap();
        // It joined before the event or after it, and tells which.
        let before = joined.position() == Position::new(7, 1);
        match poll_once(|cx| joined.poll_next(cx)) {
            Poll::Ready(Some(Ok(batch))) => assert!(before, "{batch:?}"),
            polled => assert!(polled.is_pending() && !before, "{polled:?}"),
        }
    });
}

#[test]
fn closing_wakes_a_subscriber_that_waits_and_loses_nothing() {
    model(|| {
        let topic = topic(7);
        let mut subscriber = topic.subscribe();
        let closed = topic.clone();
        let closes = thread::spawn(move || closed.close());
        let publisher = topic.clone();
        let publisher = thread::spawn(move || publisher.publish("a").is_ok());
        let taken = take(&mut subscriber, usize::MAX);
        closes.join().unwrap();
        match publisher.join().unwrap() {
            true => assert_eq!(taken, ["a"]),
            false => assert!(taken.is_empty()),
        }
        assert_eq!(subscriber.end(), topic.end());
    });
}

#[test]
fn the_last_of_two_handles_ends_the_topic() {
    model(|| {
        let topic = topic(7);
        let mut subscriber = topic.subscribe();
        let threads = [("a", topic.clone()), ("b", topic)].map(|(data, topic)| {
            thread::spawn(move || {
                topic.publish(data).unwrap();
            })
        });
        let mut taken = take(&mut subscriber, usize::MAX);
        taken.sort();
        assert_eq!(taken, ["a", "b"]);
        join(threads);
    });
}

#[test]
fn a_history_that_goes_on_elsewhere_wakes_a_subscriber_that_waits() {
    model(|| {
        let topic = topic(7);
        let mut subscriber = topic.subscribe();
        let moved = topic.clone();
        let moves = thread::spawn(move || moved.go_on_behind(Position::new(8, 4)).unwrap());
        let batch = block_on(|cx| subscriber.poll_next(cx)).unwrap().unwrap();
        let Batch::Notice(notice) = batch else {
            panic!("{batch:?}");
        };
        assert_eq!(notice.outcome(), Outcome::Unknown { replayed: 0 });
        moves.join().unwrap();
    });
}

#[test]
fn a_subscriber_too_slow_for_the_history_is_told_what_it_lost() {
    model(|| {
        let mut config = topic_config();
        (config.max_events, config.when_too_slow) = (1, WhenTooSlow::SkipAhead);
        let topic = topic_with(7, config);
        let mut subscriber = topic.subscribe();
        let publisher = topic.clone();
        let publisher = thread::spawn(move || {
            publisher.publish("a").unwrap();
            publisher.publish("b").unwrap();
        });
        let (mut events, mut lost) = (0, 0);
        while events + lost < 2 {
            match block_on(|cx| subscriber.poll_next(cx)) {
                Some(Ok(Batch::Events(batch))) => events += batch.count() as u64,
                Some(Ok(Batch::Notice(notice))) => match notice.outcome() {
                    Outcome::Gap { lost: more, .. } => lost += more,
                    outcome => panic!("{outcome:?}"),
                },
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(events + lost, 2);
        publisher.join().unwrap();
    });
}

#[test]
fn a_subscriber_to_some_event_types_is_woken_again_behind_those_it_leaves_out() {
    model(|| {
        let topic = topic(7);
        let subscriber = topic.subscribe();
        let mut subscriber = subscriber.only_event_types(|event_type| event_type == "wanted");
        let publisher = topic.clone();
        let publisher = thread::spawn(move || {
            publisher.publish("unwanted").unwrap();
            let wanted = sse_core::Event::new("a").with_event_type("wanted").unwrap();
            publisher.publish(wanted).unwrap();
        });
        assert_eq!(take(&mut subscriber, 1), ["a"]);
        publisher.join().unwrap();
    });
}

#[test]
fn a_merged_subscriber_is_woken_by_each_of_its_topics() {
    model(|| {
        let topics = [topic(7), topic(8)];
        let [a, b] = &topics;
        let merged = MergedSubscriber::resume_from([("a", a), ("b", b)], None);
        let mut merged = merged.unwrap();
        let threads = [publishes(a, "a"), publishes(b, "b")];
        let mut taken = Vec::new();
        while taken.len() < 2 {
            taken.extend(next(|cx| merged.poll_next(cx)).unwrap());
        }
        taken.sort();
        assert_eq!(taken, ["a", "b"]);
        join(threads);
    });
}
