//! The counters of a topic.

use std::time::Duration;

use sse_core::{
    Event,
    topic::{TopicConfig, WhenTooSlow},
};

use crate::{publish, take, topic};

#[test]
fn everything_is_counted_where_it_happens() {
    let mut config = TopicConfig::default();
    config.max_events = 3;
    let topic = topic(config);
    let mut quick = topic.subscribe();
    let mut choosy = topic.subscribe().only_event_types(|_| false);
    publish(&topic, 2);
    let len = take(&mut quick).text.len() as u64;
    take(&mut choosy);
    let stats = topic.stats();
    assert_eq!((stats.published_events, stats.published_bytes), (2, len));
    assert_eq!((stats.delivered_events, stats.delivered_bytes), (2, len));
    assert_eq!((stats.retained_events, stats.subscribers), (2, 2));
    assert_eq!(stats.retained_bytes, topic.retained_bytes() as u64);

    publish(&topic, 3);
    drop(choosy);
    for id in ["abc-0", "abc-3", "abc-3", "elsewhere"] {
        drop(topic.resume_from(Some(id)));
    }
    let stats = topic.stats();
    assert_eq!(
        (stats.fresh, stats.resumed, stats.gaps, stats.unknown),
        (2, 2, 1, 1)
    );
    assert_eq!((stats.subscribers, stats.retained_events), (1, 3));

    // The history has events 3 to 5, and the subscriber has two.
    publish(&topic, 2);
    take(&mut quick);
    let stats = topic.stats();
    assert_eq!(
        (stats.cut, stats.skipped_ahead, stats.lost_events),
        (1, 0, 2)
    );
    assert_eq!(stats.delivered_events, 2);
}

#[test]
fn an_event_without_data_counts_with_its_blank_line() {
    let topic = topic(TopicConfig::default());
    let mut subscriber = topic.subscribe();
    let retry = Event::without_data().with_reconnection_time(Duration::from_secs(3));
    topic.publish(retry).unwrap();
    let len = take(&mut subscriber).text.len() as u64;
    let stats = topic.stats();
    assert_eq!((stats.published_bytes, stats.delivered_bytes), (len, len));
}

#[test]
fn the_lag_of_a_subscriber_is_what_it_has_not_taken() {
    let topic = topic(TopicConfig::default());
    let mut subscriber = topic.subscribe();
    let lag = subscriber.lag();
    assert_eq!(lag.events(), 0);
    publish(&topic, 3);
    assert_eq!(lag.events(), 3);
    take(&mut subscriber);
    publish(&topic, 2);
    assert_eq!(subscriber.lag().events(), 2);
}

#[test]
fn skipping_ahead_is_counted_too_and_a_notice_is_not_an_event() {
    let mut config = TopicConfig::default();
    (config.max_events, config.when_too_slow) = (1, WhenTooSlow::SkipAhead);
    let topic = topic(config);
    let mut slow = topic.subscribe();
    publish(&topic, 5);
    take(&mut slow);
    let stats = topic.stats();
    assert_eq!(
        (stats.cut, stats.skipped_ahead, stats.lost_events),
        (0, 1, 4)
    );
    assert_eq!(stats.delivered_events, 1);
}
