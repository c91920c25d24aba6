//! Streams with a compressor of their own.

use sse_core::{Budget, gzip::GzipBody, server::StreamCompression::Own};

use super::*;

fn with_budget(bytes: usize) -> (Client, Budget) {
    let mut config = ResponseConfig::default();
    config.budget = Budget::new(bytes);
    let budget = config.budget.clone();
    (Client::with_config(Own, true, config), budget)
}

#[test]
fn a_handlers_events_are_compressed_and_remember_what_came_before() {
    let mut client = Client::new(Own, true);
    for n in 0..100 {
        client.send(&payload(n, 200, false));
    }
    assert!(3 * client.wire.len() < client.plain.len());
    client.finish();
}

#[test]
fn a_selection_of_a_topic_is_compressed_for_its_client() {
    let topic = topic(compressing());
    let mut subscriber = topic.subscribe().only_event_types(|_| true);
    let mut client = Client::new(Own, true);
    for n in 0..100 {
        topic.publish(payload(n, 200, false)).unwrap();
    }
    assert!(3 * client.send_all(&mut subscriber) < client.plain.len());
    client.finish();
}

#[test]
fn the_compressor_counts_in_the_budget_and_is_freed_by_idleness() {
    let (mut client, budget) = with_budget(64 << 20);
    assert_eq!(budget.used().queued, 0);
    client.send("one");
    assert_eq!(budget.used().queued, GzipBody::COMPRESSOR_SIZE);
    client.idle();
    assert_eq!(budget.used().queued, 0);
    client.send("two");
    assert_eq!(budget.used().queued, GzipBody::COMPRESSOR_SIZE);
    client.finish();
    assert_eq!(budget.used().queued, 0);
}

#[test]
fn without_room_in_the_budget_events_are_in_the_body_as_they_are() {
    let (mut client, budget) = with_budget(GzipBody::COMPRESSOR_SIZE - 1);
    for n in 0..10 {
        client.send(&payload(n, 200, false));
    }
    assert_eq!(budget.used().queued, 0);
    assert!(client.wire.len() > client.plain.len());
    client.finish();
}

#[test]
fn without_room_in_the_budget_the_events_of_a_topic_are_in_the_body_as_they_are_too() {
    let (mut client, _budget) = with_budget(GzipBody::COMPRESSOR_SIZE - 1);
    let topic = topic(compressing());
    let mut subscriber = topic.subscribe();
    for n in 0..10 {
        topic.publish(payload(n, 200, false)).unwrap();
    }
    assert!(client.send_all(&mut subscriber) > client.plain.len());
    client.finish();
}
