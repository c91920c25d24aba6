//! A map of topics that are created and dropped.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use loom::thread;
use sse_core::topic::{TopicMap, TopicMapConfig};

use crate::{
    tasks::{join, model, poll_once},
    topic_config,
};

/// Returns a map of at most one topic, which is dropped as soon as it is unused. Its clock advances at
/// each call.
fn map() -> TopicMap {
    let mut config = TopicMapConfig::default();
    config.topic = topic_config();
    (config.max_topics, config.keep_unused) = (1, Duration::ZERO);
    let (start, looks) = (Instant::now(), Arc::<AtomicU64>::default());
    TopicMap::new(config, 7, move || {
        start + Duration::from_secs(looks.fetch_add(1, Ordering::Relaxed))
    })
}

#[test]
fn two_threads_that_ask_for_one_name_get_one_topic() {
    model(|| {
        let map = map();
        let threads = [map.clone(), map.clone()].map(|map| {
            thread::spawn(move || {
                let topic = map.topic("a").unwrap();
                let subscriber = topic.subscribe();
                topic.publish("x").unwrap();
                subscriber
            })
        });
        let mut subscribers = join(threads);
        // The first subscriber has both events.
        let taken = subscribers.each_mut().map(|subscriber| {
            let polled = poll_once(|cx| subscriber.poll_next(cx));
            let std::task::Poll::Ready(Some(Ok(batch))) = polled else {
                panic!("{polled:?}");
            };
            batch.as_bytes().len() / b"id: 7-1\ndata: x\n\n".len()
        });
        assert_eq!(taken.iter().max(), Some(&2), "{taken:?}");
        assert_eq!(map.len(), 1);
    });
}

#[test]
fn a_topic_in_use_keeps_its_place() {
    model(|| {
        let map = map();
        let asked = map.clone();
        let uses = thread::spawn(move || {
            let Ok(topic) = asked.topic("a") else { return };
            // A subscriber is a use, too.
            let mut subscriber = topic.subscribe();
            drop(topic);
            if let Some(topic) = asked.get("a") {
                topic.publish("x").unwrap();
            } else {
                panic!("it was dropped while it had a subscriber");
            }
            assert!(poll_once(|cx| subscriber.poll_next(cx)).is_ready());
        });
        let other = map.topic("b");
        if other.is_ok() {
            assert!(map.get("a").is_none(), "there are two");
        }
        drop(other);
        uses.join().unwrap();
        // Neither is used any more.
        assert!(map.topic("c").is_ok());
    });
}
