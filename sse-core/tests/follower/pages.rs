//! Pages: those that were not asked for, that have a hole, and that have nothing for who asked.

use std::time::Duration;

use sse_core::topic::follower::{Bell, FollowerConfig, Page, PageRequest, Tails};

use crate::{Delivered, EPOCH, Node, log::Log, place};

fn config(change: impl FnOnce(&mut FollowerConfig)) -> FollowerConfig {
    let mut config = FollowerConfig::default();
    config.warm_events = 0;
    change(&mut config);
    config
}

/// A follower of a log that is empty at first.
fn following(change: impl FnOnce(&mut FollowerConfig)) -> (Node, Log) {
    let log = Log::new(0);
    let mut node = Node::new(config(change));
    node.follower.handle_up(node.now);
    node.settle(&log);
    node.delivered.clear();
    (node, log)
}

fn page(log: &Log, after: u64, limit: usize) -> Page {
    log.page(PageRequest::new(place(after), limit))
}

#[test]
fn a_followers_settings_are_those_it_was_created_with() {
    let config = config(|config| config.page_events = 7);
    assert_eq!(
        sse_core::topic::follower::Follower::new(config.clone()).config(),
        &config
    );
}

#[test]
fn a_page_that_was_not_asked_for_is_left_while_there_are_events_to_take() {
    let (mut node, mut log) = following(|_| ());
    log.append(20);
    node.follower.handle_page(node.now, page(&log, 0, 10));
    node.follower.handle_page(node.now, page(&log, 10, 10));
    assert_eq!(node.take().map(|request| request.after), Some(place(10)));
    assert_eq!(node.events(), (1..=10).collect::<Vec<_>>());
}

#[test]
fn a_page_that_was_not_asked_for_tells_of_no_hole() {
    let (mut node, mut log) = following(|_| ());
    log.append(10);
    for _ in 0..2 {
        node.follower.handle_page(node.now, page(&log, 4, 10));
        node.pass(Duration::from_secs(60));
    }
    node.settle(&log);
    assert_eq!(node.events(), (1..=10).collect::<Vec<_>>());
}

#[test]
fn a_hole_in_the_middle_of_a_full_page_is_lost_at_last() {
    let (mut node, mut log) = following(|config| config.page_events = 4);
    let bell = log.append(20);
    log.hidden = vec![3];
    node.follower.handle_bell(node.now, bell);
    for _ in 0..200 {
        node.settle(&log);
        node.pass(Duration::from_millis(100));
    }
    assert_eq!(node.delivered[2], Delivered::Lost(1));
    assert_eq!(node.delivered.len(), 20);
}

#[test]
fn of_a_page_with_a_hole_no_more_is_held_than_the_bounds_allow() {
    let (mut node, mut log) = following(|config| config.max_ahead_events = 3);
    let bell = log.append(20);
    log.hidden = vec![1];
    node.follower.handle_bell(node.now, bell);
    node.settle(&log);
    node.follower.handle_bell(node.now, log.full_bell(1));
    node.pass(Duration::from_secs(1));
    assert!(node.take().is_some(), "the others are read again");
    assert_eq!(node.events(), [1, 2, 3, 4]);
}

#[test]
fn events_that_were_ahead_take_no_room_once_they_are_delivered() {
    let (mut node, log) = following(|config| config.max_ahead_bytes = 200);
    for n in (1..100).step_by(2) {
        node.follower.handle_bell(node.now, log.full_bell(n + 1));
        node.follower.handle_bell(node.now, log.full_bell(n));
        // What the first bell wanted is asked for, and was heard meanwhile.
        if let Some(request) = node.take() {
            let mut log = log.clone();
            log.tails.newest = n + 1;
            node.follower.handle_page(node.now, log.page(request));
        }
        let newest = Delivered::Event(n + 1);
        assert_eq!(node.delivered.last(), Some(&newest), "after one request");
        assert_eq!(node.take(), None);
    }
}

#[test]
fn an_answer_that_reaches_what_was_heard_of_is_the_last() {
    let (mut node, mut log) = following(|_| ());
    let bell = log.append(1);
    node.follower.handle_bell(node.now, bell);
    let request = node.take().unwrap();
    let bell = log.append(1);
    node.follower.handle_bell(node.now, bell);
    node.follower.handle_page(node.now, log.page(request));
    assert_eq!(node.take(), None);
    assert_eq!(node.events(), [1, 2]);
}

#[test]
fn a_timer_that_is_early_asks_for_nothing_and_gives_no_request_up() {
    let (mut node, mut log) = following(|_| ());
    node.pass(Duration::from_secs(1));
    assert_eq!(node.take(), None);
    let bell = log.append(1);
    node.follower.handle_bell(node.now, bell);
    assert!(node.take().is_some());
    let deadline = node.follower.poll_timeout();
    node.pass(Duration::from_secs(1));
    assert_eq!(node.follower.poll_timeout(), deadline);
    assert!(deadline.is_some_and(|at| node.now < at));
}

#[test]
fn a_bell_beyond_the_largest_number_is_passed_over() {
    let (mut node, _) = following(|_| ());
    let bell = Bell::new(sse_core::topic::Position::new(EPOCH, u64::MAX));
    node.follower.handle_bell(node.now, bell);
    assert_eq!(node.take(), None);
}

#[test]
fn a_log_whose_oldest_event_has_the_number_0_begins_with_1() {
    let mut node = Node::new(config(|config| config.warm_events = 10));
    let mut log = Log::new(3);
    let request = node.take().unwrap();
    let tails = Tails {
        oldest: 0,
        ..log.tails
    };
    let first = Page::new(tails, log.page(request).events);
    node.follower.handle_page(node.now, first);
    log.tails.oldest = 1;
    node.settle(&log);
    assert_eq!(node.delivered.remove(0), Delivered::Begin(place(0)));
    assert_eq!(node.events(), [1, 2, 3]);
}
