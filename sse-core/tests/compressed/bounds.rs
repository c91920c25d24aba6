//! What a topic that compresses takes in memory.

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
