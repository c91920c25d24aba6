//! Logs that fail, are trimmed, answer wrongly, lose events and begin another epoch.

use std::time::Duration;

use sse_core::{
    Event,
    topic::{
        Outcome, Position, PublishError, TopicConfig,
        follower::{FollowerConfig, FollowerOutput, Page, Tails},
    },
};

use crate::{Delivered, EPOCH, Node, log::Log, place};

#[test]
fn events_that_the_log_no_longer_has_are_counted() {
    let mut log = Log::new(3);
    let mut node = Node::behind(&log);
    log.append(10);
    log.trim(4);
    node.follower.handle_bell(node.now, log.full_bell(8));
    node.follower.handle_bell(node.now, log.bell(13));
    node.settle(&log);
    // 4 to 7 are gone, 8 came by its bell, and so did 9.
    let expected = [
        Delivered::Lost(4),
        Delivered::Event(8),
        Delivered::Lost(1),
        Delivered::Event(10),
        Delivered::Event(11),
        Delivered::Event(12),
        Delivered::Event(13),
    ];
    assert_eq!(node.delivered, expected);
}

#[test]
fn a_log_that_was_emptied_lost_all_that_was_not_read() {
    let mut log = Log::new(3);
    let mut node = Node::behind(&log);
    let bell = log.append(5);
    log.trim(0);
    node.follower.handle_bell(node.now, bell);
    node.settle(&log);
    assert_eq!(node.delivered, [Delivered::Lost(5)]);
    assert_eq!(node.topic.position(), place(8));
}

#[test]
fn another_epoch_is_told_and_followed_from_its_beginning() {
    let mut log = Log::new(3);
    let mut node = Node::behind(&log);
    let mut subscriber = node.topic.subscribe();
    log.begin_anew();
    let bell = log.append(2);
    node.follower.handle_bell(node.now, bell);
    node.settle(&log);
    let begins = Position::new(EPOCH + 1, 0);
    let expected = [
        Delivered::Anew(begins),
        Delivered::Event(1),
        Delivered::Event(2),
    ];
    assert_eq!(node.delivered, expected);
    let std::task::Poll::Ready(Some(Ok(sse_core::topic::Batch::Notice(notice)))) =
        subscriber.try_next()
    else {
        panic!()
    };
    assert!(matches!(notice.outcome(), Outcome::Unknown { .. }));
    // Pages and bells of the old epoch are late.
    let bell = Log::new(9).full_bell(9);
    node.follower.handle_bell(node.now, bell);
    assert_eq!(node.take(), None);
}

#[test]
fn a_page_of_an_epoch_that_is_over_is_asked_for_again() {
    let mut log = Log::new(3);
    let mut node = Node::behind(&log);
    let old = log.clone();
    log.begin_anew();
    let bell = log.append(1);
    node.follower.handle_bell(node.now, bell);
    node.settle(&log);
    let bell = log.append(1);
    node.follower.handle_bell(node.now, bell);
    let request = node.take().unwrap();
    node.follower.handle_page(node.now, old.page(request));
    assert_eq!(node.take(), None);
    node.pass(Duration::from_millis(100));
    node.settle(&log);
    assert_eq!(node.topic.position(), Position::new(EPOCH + 1, 2));
}

#[test]
fn a_log_whose_epochs_went_back_is_followed_after_a_while() {
    let mut log = Log::new(3);
    let backup = log.clone();
    log.begin_anew();
    log.append(1);
    let mut node = Node::behind(&log);
    // This is the first look, and 30 s in which it is repeated.
    for seconds in [10, 5, 5, 5, 5, 5] {
        node.pass(Duration::from_secs(seconds));
        node.settle(&backup);
        assert_eq!(node.delivered, []);
    }
    node.pass(Duration::from_secs(10));
    node.settle(&backup);
    let expected = [
        Delivered::Anew(place(0)),
        Delivered::Event(1),
        Delivered::Event(2),
        Delivered::Event(3),
    ];
    assert_eq!(node.delivered, expected);
}

#[test]
fn requests_that_fail_are_made_again_ever_more_seldom() {
    let log = Log::new(3);
    let mut node = Node::behind(&log);
    node.follower.handle_bell(node.now, log.bell(4));
    for millis in [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000] {
        assert!(node.take().is_some());
        node.follower.handle_page_failed(node.now);
        assert_eq!(node.take(), None);
        let wait = Duration::from_millis(millis);
        assert_eq!(node.follower.poll_timeout(), Some(node.now + wait));
        node.pass(wait);
    }
    // Bells that are up again are a reason to try at once.
    assert!(node.take().is_some());
    node.follower.handle_page_failed(node.now);
    // A timer that is early is not.
    node.follower.handle_timeout(node.now);
    assert_eq!(node.take(), None);
    node.follower.handle_up(node.now);
    node.settle(&log);
}

#[test]
fn an_answer_that_does_not_come_is_given_up() {
    let log = Log::new(3);
    let mut node = Node::behind(&log);
    node.follower.handle_bell(node.now, log.bell(4));
    assert!(node.take().is_some());
    node.pass(Duration::from_secs(10));
    assert_eq!(node.take(), None);
    node.pass(Duration::from_millis(100));
    assert!(node.take().is_some());
}

#[test]
fn an_answer_that_comes_late_after_all_is_taken() {
    let mut log = Log::new(3);
    let mut node = Node::behind(&log);
    let bell = log.append(1);
    node.follower.handle_bell(node.now, bell);
    let request = node.take().unwrap();
    node.pass(Duration::from_secs(10));
    node.follower.handle_page(node.now, log.page(request));
    node.settle(&log);
    assert_eq!(node.events(), [4]);
}

#[test]
fn a_log_that_is_behind_is_waited_for() {
    let mut log = Log::new(0);
    let mut node = Node::behind(&log);
    let stale = log.clone();
    log.append(2);
    (1..=2).for_each(|n| node.follower.handle_bell(node.now, log.full_bell(n)));
    node.follower.handle_bell(node.now, log.bell(3));
    let request = node.take().unwrap();
    node.follower.handle_page(node.now, stale.page(request));
    assert_eq!(node.take(), None);
    log.append(1);
    node.pass(Duration::from_millis(100));
    node.settle(&log);
    assert_eq!(node.events(), [1, 2, 3]);
}

#[test]
fn an_event_that_becomes_readable_late_is_waited_for() {
    let mut log = Log::new(0);
    let mut node = Node::behind(&log);
    let bell = log.append(3);
    log.hidden = vec![2];
    node.follower.handle_bell(node.now, bell);
    node.settle(&log);
    assert_eq!(node.events(), [1]);
    node.pass(Duration::from_millis(100));
    node.settle(&log);
    assert_eq!(node.events(), [1]);
    log.hidden.clear();
    node.pass(Duration::from_millis(100));
    node.settle(&log);
    assert_eq!(node.events(), [1, 2, 3]);
}

#[test]
fn an_event_that_never_becomes_readable_is_lost_at_last() {
    let mut log = Log::new(0);
    let mut node = Node::behind(&log);
    let bell = log.append(6);
    log.hidden = vec![2, 3, 6];
    node.follower.handle_bell(node.now, bell);
    node.settle(&log);
    for _ in 0..200 {
        node.pass(Duration::from_millis(100));
        node.settle(&log);
    }
    let expected = [
        Delivered::Event(1),
        Delivered::Lost(2),
        Delivered::Event(4),
        Delivered::Event(5),
        Delivered::Lost(1),
    ];
    assert_eq!(node.delivered, expected);
}

#[test]
fn tails_that_make_no_sense_are_a_failure() {
    let log = Log::new(3);
    let mut node = Node::behind(&log);
    node.follower.handle_bell(node.now, log.bell(4));
    for (oldest, newest) in [(6, 4), (u64::MAX, 0), (1, u64::MAX)] {
        assert!(node.take().is_some());
        let tails = Tails {
            epoch: EPOCH,
            oldest,
            newest,
        };
        node.follower
            .handle_page(node.now, Page::new(tails, vec![]));
        assert_eq!(node.take(), None);
        node.pass(Duration::from_secs(5));
    }
}

#[test]
fn a_log_that_returns_what_was_not_asked_for_is_asked_ever_more_seldom() {
    let mut log = Log::new(0);
    let mut config = FollowerConfig::default();
    (config.warm_events, config.page_events) = (0, 2);
    let mut node = Node::new(config);
    node.settle(&log);
    log.append(2);
    node.follower.handle_bell(node.now, log.bell(2));
    node.settle(&log);
    log.append(2);
    node.follower.handle_bell(node.now, log.bell(4));
    for _ in 0..3 {
        assert!(node.take().is_some());
        let old = vec![(1, log.event(1)), (2, log.event(2))];
        node.follower
            .handle_page(node.now, Page::new(log.tails, old));
        assert_eq!(node.take(), None);
        node.pass(Duration::from_secs(5));
    }
}

#[test]
fn an_event_that_the_topic_does_not_take_is_passed_over_and_told() {
    let mut config = TopicConfig::default();
    config.max_bytes = 4 * 1024;
    let topic = sse_core::topic::Topic::new(config, EPOCH, std::time::Instant::now);
    let mut subscriber = topic.subscribe();
    let large = FollowerOutput::Event(place(1), Event::new("x".repeat(10_000)));
    let error = large.publish_to(&topic).unwrap_err();
    assert!(matches!(error, PublishError::TooLarge { .. }), "{error}");
    let next = FollowerOutput::Event(place(2), Event::new("x"));
    next.publish_to(&topic).unwrap();
    let std::task::Poll::Ready(Some(Ok(sse_core::topic::Batch::Notice(notice)))) =
        subscriber.try_next()
    else {
        panic!()
    };
    assert!(matches!(notice.outcome(), Outcome::Gap { lost: 1, .. }));
    topic.close();
    let after = FollowerOutput::Event(place(3), Event::new("x")).publish_to(&topic);
    assert!(matches!(after, Err(PublishError::Closed)));
}
