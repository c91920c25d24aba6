//! The memory of a topic that compresses.

use sse_core::{Budget, topic::PublishError};

use super::*;

#[test]
fn the_history_with_all_that_is_compressed_stays_within_max_bytes() {
    for max_bytes in [8 * 1024, 64 * 1024, 1024 * 1024] {
        for is_noise in [false, true] {
            let mut config = compressing();
            config.max_bytes = max_bytes;
            let topic = topic(config);
            let mut reader = topic.subscribe();
            for n in 0..3000_u64 {
                let len = (n as usize * 7919) % (max_bytes / 20);
                topic.publish(payload(n, len, is_noise)).unwrap();
                if n % 3 == 0 {
                    next(&mut reader);
                }
                assert!(topic.retained_bytes() <= max_bytes);
            }
            assert!(topic.retained_bytes() > max_bytes / 2);
        }
    }
}

#[test]
fn an_event_that_would_not_fit_twice_is_refused() {
    let mut config = compressing();
    config.max_bytes = 64 * 1024;
    let topic = topic(config);
    let refused = topic.publish(payload(1, 40 * 1024, true)).unwrap_err();
    let PublishError::TooLarge { len, most } = refused else {
        panic!("{refused}")
    };
    assert!(len > most && most > 30 * 1024);
    topic.publish(payload(1, most - 40, true)).unwrap();
    assert!(topic.retained_bytes() <= 64 * 1024);
}

#[test]
fn the_compressor_counts_in_the_budget() {
    let mut config = compressing();
    config.budget = Budget::new(64 << 20);
    let budget = config.budget.clone();
    let topic = topic(config);
    topic.publish("one").unwrap();
    assert!(budget.used().history >= 300 * 1024);
    drop(topic);
    assert_eq!(budget.used().history, 0);
}

#[test]
fn topics_that_compress_leave_the_budget_its_room() {
    let mut config = compressing();
    config.budget = Budget::new(4 << 20);
    let budget = config.budget.clone();
    let topics: Vec<_> = (0..20).map(|_| topic(config.clone())).collect();
    for topic in &topics {
        let mut subscriber = topic.subscribe();
        topic.publish(payload(1, 200, false)).unwrap();
        let mut client = Client::new(StreamCompression::Shared, true);
        assert!(client.send_all(&mut subscriber) > 0);
        client.finish();
    }
    // Histories have half of it, and servers take newcomers.
    assert!(budget.used().history <= 2 << 20);
    assert!(!budget.is_exhausted());
}

#[test]
fn a_topic_without_room_for_its_compressor_has_one_once_there_is() {
    let mut config = compressing();
    // Histories have room for one.
    config.budget = Budget::new(1 << 20);
    config.max_bytes = 64 * 1024;
    let first = topic(config.clone());
    first.publish("one").unwrap();
    let second = topic(config);
    let mut subscriber = second.subscribe();
    let mut client = Client::new(StreamCompression::Shared, true);
    let mut send = || {
        let before = client.plain.len();
        for n in 0..100 {
            second.publish(payload(n, 200, false)).unwrap();
        }
        let sent = client.send_all(&mut subscriber);
        (sent, client.plain.len() - before)
    };
    let (sent, plain) = send();
    assert!(sent > plain, "there is none");
    drop(first);
    // None comes in the middle of a segment.
    send();
    let (sent, plain) = send();
    assert!(3 * sent < plain, "{sent} of {plain}");
    client.finish();
}
