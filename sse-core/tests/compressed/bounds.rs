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
    let mut reader = topic.subscribe();
    let refused = topic.publish(payload(1, 40 * 1024, true)).unwrap_err();
    let PublishError::TooLarge { len, most } = refused else {
        panic!("{refused}")
    };
    assert!(len > most && most > 30 * 1024);
    topic.publish(payload(1, most - 40, true)).unwrap();
    // A reader takes it.
    assert!(next(&mut reader).is_some());
    assert!(topic.retained_bytes() <= 64 * 1024);
}

/// Publishes, and lets a reader take each event; checks the bound each time.
fn fill(max_bytes: usize, events: u64, len: usize) {
    let mut config = compressing();
    (config.max_bytes, config.max_events) = (max_bytes, usize::MAX);
    let topic = topic(config);
    let mut reader = topic.subscribe();
    for n in 0..events {
        topic.publish(payload(n, len, true)).unwrap();
        assert!(topic.retained_bytes() <= max_bytes, "{len} {n}");
        next(&mut reader);
        assert!(topic.retained_bytes() <= max_bytes, "{len} {n}, copied");
    }
}

#[test]
fn the_bound_holds_at_each_event_of_any_size() {
    for max_bytes in (8 * 1024..9 * 1024).step_by(100) {
        fill(max_bytes, 300, 3);
        fill(max_bytes, 100, 100);
    }
}

#[test]
fn what_is_copied_for_readers_counts_plain_and_compressed() {
    let topic = topic(compressing());
    let mut reader = topic.subscribe();
    for n in 0..10 {
        topic.publish(payload(n, 200, false)).unwrap();
    }
    let before = topic.retained_bytes();
    let events = next(&mut reader).unwrap();
    let copied = topic.retained_bytes() - before;
    let plain = events.as_bytes().len();
    let coded = Client::new(StreamCompression::Shared, true).send_encoded(events);
    assert!(2 * coded < plain);
    assert!((plain + coded / 2..plain + 2 * coded).contains(&copied));
}

#[test]
fn compressed_bytes_and_where_each_event_begins_in_them_count() {
    let held = |compress| {
        let mut config = compressing();
        config.compress = compress;
        let topic = topic(config);
        for n in 0..1000 {
            topic.publish(payload(n, 10, true)).unwrap();
        }
        topic.retained_bytes()
    };
    // At least the position of the event, a checksum, and ten letters of noise.
    assert!(held(true) >= held(false) + 1000 * (12 + 8));
}

#[test]
fn the_open_segment_counts_what_is_compressed_in_it() {
    let topic = topic(compressing());
    let before = topic.retained_bytes();
    topic.publish(payload(1, 10 * 1024, true)).unwrap();
    // Letters and digits are six of eight bits.
    assert!(topic.retained_bytes() >= before + 10 * 1024 + 7 * 1024);
}

#[test]
fn few_events_are_dropped_at_a_time_however_they_compress() {
    const MAX: usize = 64 * 1024;
    for len in [3, 100] {
        let mut config = compressing();
        (config.max_bytes, config.max_events) = (MAX, usize::MAX);
        let topic = topic(config);
        let mut held = 0;
        for n in 0..3000 {
            topic.publish(payload(n, len, true)).unwrap();
            assert!(topic.retained_bytes() <= MAX);
            let now = topic.retained_events();
            let dropped = held + 1 - now;
            // Each has its bytes twice, and its places in both.
            let size = 2 * (len + 13) + 24 + 12;
            assert!(dropped as usize * size <= MAX / 16, "{dropped} of {len}");
            held = now;
        }
    }
}

#[test]
fn a_history_that_compresses_stays_within_its_share_of_the_budget() {
    let mut config = compressing();
    config.budget = Budget::new(2 << 20);
    let budget = config.budget.clone();
    let topic = topic(config);
    for n in 0..2000 {
        topic.publish(payload(n, 1024, true)).unwrap();
        let used = budget.used().history;
        assert!(used <= (1 << 20) + 2 * Budget::GRANULE, "{used}");
    }
    assert!(budget.used().history > 900 * 1024);
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
