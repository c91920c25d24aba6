//! A server that restarts, and whose topics begin with snapshots.

use std::{error::Error, time::Duration};

use proptest::prelude::*;
use sse_core::{
    Event,
    topic::{
        InvalidSnapshot, MergedSubscriber, Outcome, PublishError, RestoreError, Topic, TopicConfig,
        TopicSnapshot,
    },
};

use crate::{Clock, ids, publish, take, take_all, topic_of};

fn new(epoch: u64, config: &TopicConfig) -> Topic {
    topic_of(epoch, &Clock::new(), config.clone())
}

/// Returns the next life of a topic, which goes through a file.
fn restarted(epoch: u64, topic: &Topic) -> Topic {
    let file = topic.snapshot().to_bytes();
    let next = new(epoch, topic.config());
    next.restore(&TopicSnapshot::from_bytes(&file).unwrap())
        .unwrap();
    next
}

fn resumed(replayed: u64) -> Outcome {
    Outcome::Resumed { replayed }
}

fn data(text: &str) -> Vec<&str> {
    text.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .collect()
}

#[test]
fn clients_resume_from_every_id_of_the_life_before() {
    let before = new(1, &TopicConfig::default());
    for n in 1..=5 {
        before.publish(n).unwrap();
    }
    before.close();
    let after = restarted(2, &before);
    after.publish(6).unwrap();
    for seen in 0..=5 {
        let mut subscriber = after.resume_from(Some(&format!("1-{seen}")));
        assert_eq!(subscriber.outcome(), resumed(6 - seen));
        let text = take(&mut subscriber).text;
        let expected: Vec<_> = (seen + 1..=6).map(|n| n.to_string()).collect();
        assert_eq!(data(&text), expected);
        let expected: Vec<_> = (seen + 1..=6).map(|n| format!("2-{n}")).collect();
        assert_eq!(ids(&text), expected, "each has an ID of this life");
    }
    assert_eq!(after.position().to_string(), "2-6");
}

#[test]
fn a_client_may_be_away_for_several_lives_but_not_for_ever() {
    let mut topic = new(1, &TopicConfig::default());
    publish(&topic, 1);
    for epoch in 2..=9 {
        topic = restarted(epoch, &topic);
        publish(&topic, 1);
    }
    for epoch in 1..=9 {
        let outcome = topic
            .resume_from(Some(&format!("{epoch}-{epoch}")))
            .outcome();
        assert_eq!(outcome, resumed(9 - epoch), "{epoch}");
    }
    let topic = restarted(10, &topic);
    let outcome = |id| topic.resume_from(Some(id)).outcome();
    assert_eq!(outcome("1-1"), Outcome::Unknown { replayed: 9 });
    assert_eq!(outcome("2-2"), resumed(7));
}

#[test]
fn an_event_behind_the_snapshot_is_unknown_and_no_other_is_taken_for_it() {
    let before = new(1, &TopicConfig::default());
    publish(&before, 3);
    let snapshot = before.snapshot();
    // The server publishes on, and crashes.
    publish(&before, 2);
    let after = new(2, before.config());
    after.restore(&snapshot).unwrap();
    publish(&after, 4);
    let outcome = |id| after.resume_from(Some(id)).outcome();
    assert_eq!(outcome("1-3"), resumed(4));
    assert_eq!(outcome("1-4"), Outcome::Unknown { replayed: 7 });
    assert_eq!(outcome("1-5"), Outcome::Unknown { replayed: 7 });
}

#[test]
fn events_that_left_the_history_are_a_gap_with_their_count() {
    let mut config = TopicConfig::default();
    config.max_events = 3;
    let before = new(1, &config);
    publish(&before, 10);
    let after = restarted(2, &before);
    assert_eq!(after.retained_events(), 3);
    publish(&after, 1);
    let gap = |lost| Outcome::Gap { lost, replayed: 3 };
    let outcome = |id| after.resume_from(Some(id)).outcome();
    assert_eq!((outcome("1-5"), outcome("1-7")), (gap(3), gap(1)));
    assert_eq!((outcome("1-8"), outcome("2-9")), (resumed(3), resumed(2)));
}

#[test]
fn ids_of_the_publishers_choice_stay() {
    let before = new(1, &TopicConfig::default());
    before
        .publish(Event::new("a").with_id("row 1").unwrap())
        .unwrap();
    before.publish("b").unwrap();
    let after = restarted(2, &before);
    let mut subscriber = after.resume_from(Some("1-0"));
    assert_eq!(ids(&take(&mut subscriber).text), ["row 1", "2-2"]);
    assert_eq!(after.resume_from(Some("row 1")).outcome(), resumed(1));
    // A publisher may not choose an ID of an earlier life.
    let error = after.publish(Event::new("x").with_id("1-2").unwrap());
    assert!(
        matches!(error, Err(PublishError::ReservedId(_))),
        "{error:?}"
    );
}

#[test]
fn a_merged_stream_is_resumed_after_the_restart_of_one_of_its_topics_or_of_all() {
    let config = TopicConfig::default();
    let (tea, coffee) = (new(1, &config), new(2, &config));
    let merge = |tea: &Topic, coffee: &Topic, id: Option<&str>| {
        MergedSubscriber::resume_from([("tea", tea), ("coffee", coffee)], id).unwrap()
    };
    let mut subscriber = merge(&tea, &coffee, None);
    publish(&tea, 2);
    publish(&coffee, 1);
    let text = take_all(|| subscriber.try_next()).text;
    let id = ids(&text).pop().unwrap().to_owned();
    publish(&tea, 1);
    let (new_tea, new_coffee) = (restarted(11, &tea), restarted(12, &coffee));
    for coffee in [&coffee, &new_coffee] {
        let mut again = merge(&new_tea, coffee, Some(&id));
        let outcomes: Vec<_> = again.outcomes().map(|(_, outcome)| outcome).collect();
        assert_eq!(outcomes, [resumed(1), resumed(0)], "{id}");
        assert_eq!(data(&take_all(|| again.try_next()).text), ["x"]);
    }
}

#[test]
fn a_topic_that_is_in_use_cannot_be_restored() {
    let config = TopicConfig::default();
    let snapshot = new(1, &config).snapshot();
    let used = new(2, &config);
    publish(&used, 1);
    let closed = new(3, &config);
    closed.close();
    for topic in [used, closed] {
        let error = topic.restore(&snapshot).unwrap_err();
        assert!(matches!(error, RestoreError::InUse), "{error}");
        assert!(error.source().is_none());
    }
    let unused = new(4, &config);
    // That of an empty topic changes nothing, and may be followed by another one.
    unused.restore(&snapshot).unwrap();
    unused.restore(&restarted(5, &unused).snapshot()).unwrap();
}

#[test]
fn an_event_that_the_settings_do_not_allow_is_an_error_that_names_it() {
    let before = new(1, &TopicConfig::default());
    publish(&before, 1);
    before.publish("x".repeat(100_000)).unwrap();
    let mut config = TopicConfig::default();
    config.max_bytes = 64 * 1024;
    let after = new(2, &config);
    let error = after.restore(&before.snapshot()).unwrap_err();
    assert!(
        error.to_string().starts_with("event 2 of the snapshot"),
        "{error}"
    );
    let cause = error.source().and_then(|cause| cause.downcast_ref());
    assert!(matches!(cause, Some(PublishError::TooLarge { .. })));
    assert!(matches!(
        error,
        RestoreError::Event {
            sequence: 2,
            error: PublishError::TooLarge { .. }
        }
    ));
    // It is unchanged.
    assert_eq!(after.position().to_string(), "2-0");
    publish(&after, 1);
}

#[test]
fn ages_count_from_the_restoration() {
    let mut config = TopicConfig::default();
    config.max_age = Some(Duration::from_secs(10));
    let clock = Clock::new();
    let before = topic_of(1, &clock, config.clone());
    publish(&before, 1);
    clock.advance(Duration::from_secs(11));
    assert_eq!(before.snapshot().count(), 0, "what is too old is left out");
    publish(&before, 1);
    clock.advance(Duration::from_secs(9));
    let after = topic_of(2, &clock, config);
    after.restore(&before.snapshot()).unwrap();
    clock.advance(Duration::from_secs(9));
    assert_eq!(after.resume_from(Some("1-1")).outcome(), resumed(1));
}

#[test]
fn bytes_that_are_not_a_whole_snapshot_are_refused() {
    let topic = restarted(9, &new(1, &TopicConfig::default()));
    publish(&topic, 1);
    topic.publish("two\nlines").unwrap();
    let bytes = topic.snapshot().to_bytes();
    for len in 0..bytes.len() {
        TopicSnapshot::from_bytes(&bytes[..len]).unwrap_err();
    }
    let all = String::from_utf8(bytes).unwrap();
    let placed = |sequence: u64| all.replace("9-0", &format!("9-{sequence}"));
    TopicSnapshot::from_bytes(placed(u64::MAX / 2).as_bytes()).unwrap();
    let other = |text: String| TopicSnapshot::from_bytes(text.as_bytes()).unwrap_err();
    for text in [
        all.replace(": topic 1", ": topic 2"),
        all.replace("9-0", "9-x"),
        placed(u64::MAX / 2 + 1),
        placed(u64::MAX),
        all.replace("9-0 1-0", "9-0 1"),
    ] {
        let error = other(text);
        assert_eq!(error, InvalidSnapshot::Other);
        assert!(
            error.to_string().contains("no snapshot of a topic"),
            "{error}"
        );
    }
    for text in [
        all.replace(": end 2", ": end 3"),
        all.replace(": end", ": End"),
    ] {
        assert_eq!(other(text), InvalidSnapshot::Incomplete);
    }
}

fn event() -> impl Strategy<Value = Event> {
    let (id, event_type) = (
        prop::option::of("[ -~é]{0,8}"),
        prop::option::of("[ -~é]{0,8}"),
    );
    let data = prop::option::of("[a-e: é\r\n]{0,20}");
    let retry = prop::option::of(0..100_u64);
    (id, event_type, data, retry).prop_map(|(id, event_type, data, retry)| {
        let mut event = data.map_or_else(Event::without_data, Event::new);
        if let Some(id) = id {
            event = event.with_id(id).unwrap();
        }
        if let Some(event_type) = event_type {
            event = event.with_event_type(event_type).unwrap();
        }
        match retry {
            Some(millis) => event.with_reconnection_time(Duration::from_millis(millis)),
            None => event,
        }
    })
}

proptest! {
    #[test]
    fn published_events_are_there_after_a_restart(
        events in prop::collection::vec(event(), 0..12),
        large in 0..3_usize,
    ) {
        let before = new(1, &TopicConfig::default());
        let mut count = 0;
        for event in events {
            count += u64::from(before.publish(event).is_ok());
        }
        // This is more than one segment.
        for _ in 0..large {
            before.publish("x".repeat(50_000)).unwrap();
            count += 1;
        }
        let snapshot = before.snapshot();
        prop_assert_eq!(snapshot.count(), count);
        prop_assert_eq!(snapshot.position(), before.position());
        let after = restarted(2, &before);
        let all = |topic: &Topic| take(&mut topic.subscribe_from_oldest()).text;
        let renamed = all(&after).replace("id: 2-", "id: 1-");
        prop_assert_eq!(renamed, all(&before).replace("id: 2-", "id: 1-"));
        prop_assert_eq!(after.position().sequence(), count);
        // Once more it is the same, except for the lives.
        let again = TopicSnapshot::from_bytes(&snapshot.to_bytes()).unwrap();
        prop_assert_eq!(again.to_bytes(), snapshot.to_bytes());
    }

    #[test]
    fn no_bytes_panic(text in "(: topic 1( [0-9a-z]{1,3}-[0-9]{1,20}){0,3}\n)?(id: [a-z]{0,3}\n|data: x\n|\n|\r){0,9}(: end [0-9]{1,3}\n)?") {
        if let Ok(snapshot) = TopicSnapshot::from_bytes(text.as_bytes()) {
            let topic = new(7, &TopicConfig::default());
            let _ = topic.restore(&snapshot);
            take(&mut topic.subscribe_from_oldest());
        }
    }
}
