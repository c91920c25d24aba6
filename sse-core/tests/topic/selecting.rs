//! Subscribers that want only events of some types.

use std::time::Duration;

use proptest::prelude::*;
use sse_core::{
    Decoded, Decoder, Event,
    topic::{Announce, Outcome, Topic, TopicConfig},
};

use crate::{Clock, End, ids, publish, take, topic, topic_on};

fn publish_types(topic: &Topic, types: &str) {
    for event_type in types.chars() {
        let event = Event::new("x")
            .with_event_type(event_type.to_string())
            .unwrap();
        topic.publish(event).unwrap();
    }
}

#[test]
fn only_events_of_the_wanted_types_come() {
    let topic = topic(TopicConfig::default());
    let mut wants = topic
        .subscribe()
        .only_event_types(|event_type| event_type == "a");
    let mut wants_untyped = topic
        .subscribe()
        .only_event_types(|event_type| event_type == "message");
    let mut wants_all = topic.subscribe().only_event_types(|_| true);
    publish_types(&topic, "aabba");
    publish(&topic, 1);
    let text = take(&mut wants).text;
    assert_eq!(
        text,
        "id: abc-1\nevent: a\ndata: x\n\nid: abc-2\nevent: a\ndata: x\n\n\
         id: abc-5\nevent: a\ndata: x\n\n"
    );
    // Five of six were not wanted, and the client is told that it is past them.
    assert_eq!(take(&mut wants_untyped).text, "id: abc-6\ndata: x\n\n");
    assert_eq!(ids(&take(&mut wants_all).text).len(), 6);
}

#[test]
fn data_that_looks_like_a_type_is_data() {
    let topic = topic(TopicConfig::default());
    let mut subscriber = topic
        .subscribe()
        .only_event_types(|event_type| event_type == "a");
    topic.publish("event: a").unwrap();
    topic.publish("x\nevent: a\nid: 7").unwrap();
    publish_types(&topic, "a");
    let text = take(&mut subscriber).text;
    assert_eq!(text, "id: abc-3\nevent: a\ndata: x\n\n");
}

#[test]
fn a_client_for_which_there_is_nothing_loses_nothing() {
    let mut config = TopicConfig::default();
    config.max_events = 100;
    config.announce = Announce::Everything;
    let topic = topic(config);
    let mut id = String::new();
    let mut places = 0;
    for _ in 0..50 {
        let subscriber = topic.resume_from(Some(&id));
        let lost = subscriber.outcome().is_loss();
        let mut subscriber = subscriber.only_event_types(|event_type| event_type == "wanted");
        assert!(!lost, "{:?}", subscriber.outcome());
        for _ in 0..70 {
            publish(&topic, 1);
            let taken = take(&mut subscriber);
            assert_eq!(taken.end, End::Waits);
            if let Some(last) = ids(&taken.text).last() {
                id = (*last).to_owned();
                places += 1;
            }
        }
    }
    // They are rare: about four times per length of the history.
    assert!((100..400).contains(&places), "{places}");
}

#[test]
fn places_are_rare_from_the_first_event_on() {
    let topic = topic(TopicConfig::default());
    let mut subscriber = topic
        .subscribe()
        .only_event_types(|event_type| event_type == "wanted");
    let mut places = 0;
    for _ in 0..10_000 {
        publish(&topic, 1);
        places += ids(&take(&mut subscriber).text).len();
    }
    assert!((3..=6).contains(&places), "{places}");
}

#[test]
fn a_client_is_told_its_place_before_a_history_is_full_that_its_bytes_bound() {
    let mut config = TopicConfig::default();
    config.max_bytes = 64 * 1024;
    let topic = topic(config);
    let mut subscriber = topic
        .subscribe()
        .only_event_types(|event_type| event_type == "wanted");
    let (mut published, mut places) = (0, 0);
    while topic.retained_events() == published {
        publish(&topic, 1);
        published += 1;
        places += ids(&take(&mut subscriber).text).len();
    }
    assert!((3..=6).contains(&places), "{places} of {published}");
}

#[test]
fn a_client_for_which_there_is_nothing_loses_nothing_where_age_bounds_the_history() {
    let clock = Clock::new();
    let mut config = TopicConfig::default();
    (config.max_age, config.announce) = (Some(Duration::from_secs(100)), Announce::Everything);
    let topic = topic_on(&clock, config);
    let mut id = String::new();
    for _ in 0..20 {
        let subscriber = topic.resume_from(Some(&id));
        assert!(
            !subscriber.outcome().is_loss(),
            "{:?}",
            subscriber.outcome()
        );
        let mut subscriber = subscriber.only_event_types(|event_type| event_type == "wanted");
        for _ in 0..70 {
            publish(&topic, 1);
            clock.advance(Duration::from_secs(1));
            if let Some(last) = ids(&take(&mut subscriber).text).last() {
                id = (*last).to_owned();
            }
        }
    }
}

#[test]
fn a_place_is_not_an_event_to_the_client() {
    let mut config = TopicConfig::default();
    config.max_events = 4;
    let topic = topic(config);
    let mut subscriber = topic
        .subscribe()
        .only_event_types(|event_type| event_type == "wanted");
    publish_types(&topic, "bbbb");
    let text = take(&mut subscriber).text;
    assert_eq!(text, "id: abc-4\n\n");
    let (mut decoder, mut input) = (Decoder::new(), text.as_bytes());
    assert!(matches!(decoder.decode(&mut input), Ok(None)));
    assert_eq!(decoder.last_event_id(), "abc-4");
}

proptest! {
    #[test]
    fn wanted_events_are_complete_and_in_order(
        types in prop::collection::vec("[a-c]{1,12}", 1..20),
        wanted in "[a-c]",
        small: bool,
    ) {
        let mut config = TopicConfig::default();
        if small {
            // There are several segments.
            config.max_bytes = 16 * 1024;
        }
        let topic = topic(config);
        let wanted_too = wanted.clone();
        let mut subscriber = topic
            .subscribe()
            .only_event_types(move |event_type| event_type == wanted_too);
        let (mut expected, mut seen, mut count) = (Vec::new(), Vec::new(), 0);
        let mut decoder = Decoder::new();
        for types in types {
            publish_types(&topic, &types);
            for event_type in types.chars() {
                count += 1;
                if event_type.to_string() == wanted {
                    expected.push(format!("abc-{count}"));
                }
            }
            let taken = take(&mut subscriber);
            let mut input = taken.text.as_bytes();
            while let Some(Decoded::Event(event)) = decoder.decode(&mut input).unwrap() {
                prop_assert_eq!(event.event_type(), &wanted);
                seen.push(event.last_event_id().to_owned());
            }
            // Wherever the client is told it is, no event that it wants lies before that.
            let again = topic.resume_from(Some(decoder.last_event_id()));
            let resumed = matches!(again.outcome(), Outcome::Resumed { .. } | Outcome::Fresh);
            prop_assert!(resumed);
        }
        let delivered = topic.stats().delivered_events;
        prop_assert_eq!(delivered, expected.len() as u64);
        prop_assert_eq!(seen, expected);
    }
}

#[test]
fn events_without_data_are_left_out_one_by_one() {
    let topic = topic(TopicConfig::default());
    let retry = Event::without_data().with_reconnection_time(Duration::from_secs(3));
    let mut wants_all = topic.subscribe().only_event_types(|_| true);
    let mut wants = topic.subscribe().only_event_types(|name| name == "a");
    for event in [retry.clone(), Event::without_data(), retry.clone()] {
        topic.publish(event).unwrap();
    }
    publish_types(&topic, "a");
    topic.publish(retry).unwrap();
    assert_eq!(
        take(&mut wants_all).text,
        "id: abc-1\nretry: 3000\n\nid: abc-2\n\nid: abc-3\nretry: 3000\n\n\
         id: abc-4\nevent: a\ndata: x\n\nid: abc-5\nretry: 3000\n\n"
    );
    assert_eq!(take(&mut wants).text, "id: abc-4\nevent: a\ndata: x\n\n");
}
