//! Bells in every order, and none.

use std::time::Duration;

use sse_core::{
    Event,
    topic::{
        Position,
        follower::{Bell, FollowerConfig, FollowerPhase},
    },
};

use crate::{Delivered, Node, log::Log, place};

#[test]
fn a_follower_begins_with_the_newest_events() {
    let log = Log::new(2_500);
    let mut node = Node::new(FollowerConfig::default());
    assert_eq!(node.follower.phase(), FollowerPhase::Cold);
    assert_eq!(node.follower.position(), None);
    let request = node.take().unwrap();
    assert_eq!(request.limit, 0);
    node.follower.handle_page(node.now, log.page(request));
    assert_eq!(node.follower.phase(), FollowerPhase::Warming);
    node.settle(&log);
    assert_eq!(node.follower.phase(), FollowerPhase::Following);
    assert_eq!(node.delivered.remove(0), Delivered::Begin(place(1_500)));
    assert_eq!(node.events(), (1_501..=2_500).collect::<Vec<_>>());
    assert_eq!(node.topic.retained_events(), 1_000);
}

#[test]
fn a_log_with_fewer_events_is_taken_whole() {
    let mut log = Log::new(8);
    log.trim(5);
    let mut node = Node::new(FollowerConfig::default());
    node.settle(&log);
    assert_eq!(node.delivered.remove(0), Delivered::Begin(place(3)));
    assert_eq!(node.events(), [4, 5, 6, 7, 8]);
}

#[test]
fn an_empty_log_is_followed_at_once() {
    let mut log = Log::new(0);
    let mut node = Node::new(FollowerConfig::default());
    node.settle(&log);
    assert_eq!(node.follower.phase(), FollowerPhase::Following);
    assert_eq!(node.delivered, [Delivered::Begin(place(0))]);
    log.append(1);
    node.follower.handle_bell(node.now, log.full_bell(1));
    assert_eq!(node.take(), None);
    assert_eq!(node.delivered.last(), Some(&Delivered::Event(1)));
}

#[test]
fn an_event_in_its_bell_takes_no_request() {
    let log = Log::new(3);
    let mut node = Node::behind(&log);
    for sequence in 4..=6 {
        node.follower.handle_bell(node.now, log.full_bell(sequence));
    }
    assert_eq!(node.take(), None);
    assert_eq!(node.events(), [4, 5, 6]);
}

#[test]
fn a_bell_without_its_event_has_the_log_read() {
    let mut log = Log::new(3);
    let mut node = Node::behind(&log);
    let bell = log.append(2);
    node.follower.handle_bell(node.now, bell);
    let request = node.take().unwrap();
    assert_eq!(request.after, place(3));
    node.follower.handle_page(node.now, log.page(request));
    assert_eq!(node.take(), None);
    assert_eq!(node.events(), [4, 5]);
}

#[test]
fn bells_that_are_doubled_reordered_and_late_deliver_each_event_once() {
    let mut log = Log::new(0);
    let mut node = Node::behind(&log);
    log.append(4);
    for sequence in [3, 4, 3, 1, 1, 2, 4, 2, 1] {
        node.follower.handle_bell(node.now, log.full_bell(sequence));
    }
    // The request that the first one caused is made, and returns no new events.
    node.settle(&log);
    assert_eq!(node.events(), [1, 2, 3, 4]);
}

#[test]
fn an_event_in_front_is_read_where_its_bell_is_lost() {
    let mut log = Log::new(0);
    let mut node = Node::behind(&log);
    log.append(3);
    node.follower.handle_bell(node.now, log.full_bell(3));
    node.settle(&log);
    assert_eq!(node.events(), [1, 2, 3]);
}

#[test]
fn a_lost_last_bell_is_found_by_a_look() {
    let mut log = Log::new(0);
    let mut node = Node::behind(&log);
    log.append(1);
    node.settle(&log);
    assert!(node.events().is_empty());
    let look_at = node.follower.poll_timeout().unwrap();
    assert_eq!(look_at, node.now + Duration::from_secs(10));
    // Events that this finds are read at once.
    node.pass(Duration::from_secs(10));
    node.settle(&log);
    assert_eq!(node.events(), [1]);
}

#[test]
fn without_looks_a_lost_last_bell_is_not_found() {
    let mut log = Log::new(0);
    let mut config = FollowerConfig::default();
    config.look_every = None;
    let mut node = Node::new(config);
    node.follower.handle_up(node.now);
    node.settle(&log);
    log.append(1);
    assert_eq!(node.follower.poll_timeout(), None);
    node.pass(Duration::from_secs(1_000_000));
    assert_eq!(node.take(), None);
}

#[test]
fn while_bells_are_down_the_log_is_looked_at_more_often() {
    let mut log = Log::new(0);
    let mut node = Node::behind(&log);
    node.follower.handle_down(node.now);
    log.append(2);
    node.pass(Duration::from_secs(1));
    node.settle(&log);
    assert_eq!(node.events(), [1, 2]);
    log.append(1);
    node.follower.handle_up(node.now);
    node.settle(&log);
    assert_eq!(node.events(), [1, 2, 3]);
}

#[test]
fn an_event_that_is_appended_between_a_request_and_the_first_bell_is_read() {
    let mut log = Log::new(0);
    let mut node = Node::behind(&log);
    node.follower.handle_down(node.now);
    node.pass(Duration::from_secs(1));
    let request = node.take().unwrap();
    let page = log.page(request);
    log.append(1);
    // The bell rang before bells were heard, and the page was made before that.
    node.follower.handle_up(node.now);
    node.follower.handle_page(node.now, page);
    node.settle(&log);
    assert_eq!(node.events(), [1]);
}

#[test]
fn a_bell_that_lies_ends_in_one_request() {
    let log = Log::new(3);
    let mut node = Node::behind(&log);
    for sequence in [1_000_000, u64::MAX] {
        let bell = Bell::new(Position::new(log.tails.epoch, sequence));
        node.follower.handle_bell(node.now, bell);
    }
    let request = node.take().unwrap();
    node.follower.handle_page(node.now, log.page(request));
    assert_eq!(node.take(), None);
}

#[test]
fn events_ahead_are_bounded_and_read_later() {
    let mut log = Log::new(0);
    let mut config = FollowerConfig::default();
    (config.warm_events, config.max_ahead_events) = (0, 3);
    let mut node = Node::new(config);
    node.settle(&log);
    log.append(20);
    // The first is missing, and there is room for three.
    (2..=20).for_each(|n| node.follower.handle_bell(node.now, log.full_bell(n)));
    node.follower.handle_bell(node.now, log.full_bell(1));
    node.delivered.clear();
    let request = node.take().unwrap();
    assert_eq!(node.events(), [1, 2, 3, 4]);
    assert_eq!(request.after, place(4));
    node.follower.handle_page(node.now, log.page(request));
    node.settle(&log);
    assert_eq!(node.events(), (1..=20).collect::<Vec<_>>());
}

#[test]
fn the_bytes_of_events_ahead_are_bounded() {
    let log = Log::new(0);
    let mut config = FollowerConfig::default();
    (config.warm_events, config.max_ahead_bytes) = (0, 50);
    let mut node = Node::new(config);
    node.settle(&log);
    let large = |n| Bell::new(place(n)).with_event(Event::new("x".repeat(30)));
    (2..=9).for_each(|n| node.follower.handle_bell(node.now, large(n)));
    node.follower.handle_bell(node.now, large(1));
    node.delivered.clear();
    assert!(node.take().is_some());
    assert_eq!(node.events(), [1, 2]);
}

#[test]
fn a_caller_that_takes_nothing_has_bounded_outputs() {
    let mut log = Log::new(0);
    let mut config = FollowerConfig::default();
    (config.warm_events, config.page_events) = (0, 5);
    let mut node = Node::new(config);
    node.settle(&log);
    node.delivered.clear();
    log.append(100);
    (1..=100).for_each(|n| node.follower.handle_bell(node.now, log.full_bell(n)));
    let request = node.take().unwrap();
    assert_eq!(node.events(), [1, 2, 3, 4, 5]);
    assert_eq!(request.limit, 5);
    node.follower.handle_page(node.now, log.page(request));
    node.settle(&log);
    assert_eq!(node.events(), (1..=100).collect::<Vec<_>>());
}
