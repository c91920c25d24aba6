//! Where a subscriber begins, and what it is told.

use std::time::Duration;

use sse_core::{
    Event, EventType,
    topic::{Announce, Outcome, PublishError, TopicConfig, WhenTooSlow},
};

use crate::{Clock, End, Taken, ids, publish, take, topic, topic_on};

/// Returns a topic that has published seven events and holds the last three.
fn three_of_seven() -> sse_core::topic::Topic {
    let mut config = TopicConfig::default();
    config.max_events = 3;
    let topic = topic(config);
    publish(&topic, 7);
    topic
}

#[test]
fn every_last_event_id_has_its_outcome() {
    let table: [(Option<&str>, Outcome, &[&str]); 16] = [
        (None, Outcome::Fresh, &[]),
        (Some(""), Outcome::Fresh, &[]),
        (Some("abc-7"), Outcome::Resumed { replayed: 0 }, &[]),
        (Some("abc-6"), Outcome::Resumed { replayed: 1 }, &["abc-7"]),
        (Some("abc-4"), Outcome::Resumed { replayed: 3 }, &ALL),
        (
            Some("abc-3"),
            Outcome::Gap {
                lost: 1,
                replayed: 3,
            },
            &ALL,
        ),
        (
            Some("abc-0"),
            Outcome::Gap {
                lost: 4,
                replayed: 3,
            },
            &ALL,
        ),
        // This event was never published.
        (Some("abc-8"), UNKNOWN, &ALL),
        (Some("abc-18446744073709551615"), UNKNOWN, &ALL),
        (Some("abc-18446744073709551616"), UNKNOWN, &ALL),
        // These are of another life of the topic, or only look like IDs of this one.
        (Some("abd-6"), UNKNOWN, &ALL),
        (Some("ABC-6"), UNKNOWN, &ALL),
        (Some("abc-06"), UNKNOWN, &ALL),
        (Some("abc-+6"), UNKNOWN, &ALL),
        (Some("6"), UNKNOWN, &ALL),
        (Some("\u{fffd}"), UNKNOWN, &ALL),
    ];
    const ALL: [&str; 3] = ["abc-5", "abc-6", "abc-7"];
    const UNKNOWN: Outcome = Outcome::Unknown { replayed: 3 };

    let topic = three_of_seven();
    for (id, outcome, replayed) in table {
        let mut subscriber = topic.resume_from(id);
        assert_eq!(subscriber.outcome(), outcome, "{id:?}");
        let taken = take(&mut subscriber);
        let announced = usize::from(outcome.is_loss());
        assert_eq!(taken.notices, [outcome][..announced], "{id:?}");
        assert_eq!(ids(&taken.text)[announced..], *replayed, "{id:?}");
    }
}

#[test]
fn a_loss_is_announced_before_anything_else_and_once() {
    let topic = three_of_seven();
    let mut subscriber = topic.resume_from(Some("abc-2"));
    topic.publish("y").unwrap();
    // One more is lost by now.
    assert_eq!(
        take(&mut subscriber).text,
        "event: resume\nid: abc-5\ndata: {\"outcome\":\"gap\",\"lost\":3,\"replayed\":3}\n\n\
         id: abc-6\ndata: x\n\nid: abc-7\ndata: x\n\nid: abc-8\ndata: y\n\n"
    );
    assert_eq!(take(&mut subscriber), Taken::default());
}

#[test]
fn the_announced_outcomes_are_a_setting() {
    let announced = |announce, id| {
        let mut config = TopicConfig::default();
        (config.announce, config.max_events) = (announce, 1);
        config.notice_event_type = EventType::new("joined").unwrap();
        let topic = topic(config);
        publish(&topic, 3);
        let taken = take(&mut topic.resume_from(id));
        assert_eq!(
            taken.text.matches("event: joined\n").count(),
            taken.notices.len()
        );
        taken.notices
    };
    let fresh = Outcome::Fresh;
    let resumed = Outcome::Resumed { replayed: 1 };
    let gap = Outcome::Gap {
        lost: 1,
        replayed: 1,
    };
    for (id, outcome) in [
        (None, fresh),
        (Some("abc-2"), resumed),
        (Some("abc-1"), gap),
    ] {
        assert_eq!(announced(Announce::Nothing, id), []);
        assert_eq!(announced(Announce::Everything, id), [outcome]);
    }
    assert_eq!(announced(Announce::Losses, None), []);
    assert_eq!(announced(Announce::Losses, Some("abc-2")), []);
    assert_eq!(announced(Announce::Losses, Some("abc-1")), [gap]);
}

#[test]
fn the_outcome_is_for_the_response_where_the_topic_says_so() {
    for tells in [false, true] {
        let mut config = TopicConfig::default();
        config.announce_in_header = tells;
        let topic = topic(config);
        let told = topic.subscribe().outcome_for_header();
        assert_eq!(told, tells.then_some(Outcome::Fresh));
    }
}

#[test]
fn a_client_that_was_told_where_it_is_resumes_from_there_without_an_event() {
    let mut config = TopicConfig::default();
    config.announce = Announce::Everything;
    let topic = topic(config);
    for position in ["abc-0", "abc-2"] {
        let taken = take(&mut topic.subscribe());
        assert_eq!(ids(&taken.text), [position]);
        publish(&topic, 2);
        let subscriber = topic.resume_from(Some(position));
        assert_eq!(subscriber.outcome(), Outcome::Resumed { replayed: 2 });
    }
}

#[test]
fn a_position_is_where_a_state_is_resumed_from() {
    let topic = topic(TopicConfig::default());
    publish(&topic, 2);
    let position = topic.position().to_string();
    publish(&topic, 1);
    let mut subscriber = topic.resume_from(Some(&position));
    assert_eq!(take(&mut subscriber).text, "id: abc-3\ndata: x\n\n");
}

#[test]
fn an_id_of_the_publishers_is_kept_and_resumed_from() {
    let mut config = TopicConfig::default();
    config.when_too_slow = WhenTooSlow::Cut;
    config.max_events = 2;
    let topic = topic(config);
    for id in ["monday", "tuesday", "", "wednesday"] {
        topic.publish(Event::new("x").with_id(id).unwrap()).unwrap();
    }
    let mut subscriber = topic.resume_from(Some("monday"));
    // It has been dropped. Whether it is still known depends on the topic, but no event is skipped.
    assert!(subscriber.outcome().is_loss());
    assert!(
        take(&mut subscriber)
            .text
            .ends_with("\nid:\ndata: x\n\nid: wednesday\ndata: x\n\n")
    );

    let subscriber = topic.resume_from(Some("wednesday"));
    assert_eq!(subscriber.outcome(), Outcome::Resumed { replayed: 0 });
    // It has a place in the sequence like any other.
    let subscriber = topic.resume_from(Some("abc-3"));
    assert_eq!(subscriber.outcome(), Outcome::Resumed { replayed: 1 });
}

#[test]
fn a_place_has_the_id_of_its_event_as_long_as_the_history_has_the_event() {
    let mut config = TopicConfig::default();
    config.max_events = 3;
    let topic = topic(config);
    for row in 1..=7 {
        let event = Event::new("x").with_id(format!("row {row}")).unwrap();
        topic.publish(event).unwrap();
    }
    // The notice is at the place of the fourth event, which is the newest of those that were dropped.
    let taken = take(&mut topic.resume_from(Some("abc-0")));
    assert_eq!(ids(&taken.text), ["abc-4", "row 5", "row 6", "row 7"]);
    let begins_at = |id| {
        let subscriber = topic.resume_from(Some(id));
        let text = take(&mut subscriber.begin_with(["state"]).unwrap()).text;
        ids(&text)[0].to_owned()
    };
    for place in ["row 5", "row 6", "row 7"] {
        assert_eq!(begins_at(place), place);
    }
}

#[test]
fn of_events_with_one_id_the_first_counts_so_that_none_is_lost() {
    let topic = topic(TopicConfig::default());
    for data in ["one", "two", "three"] {
        let event = Event::new(data).with_id("same").unwrap();
        topic.publish(event).unwrap();
    }
    let subscriber = topic.resume_from(Some("same"));
    assert_eq!(subscriber.outcome(), Outcome::Resumed { replayed: 2 });
}

#[test]
fn an_id_that_the_topic_gives_itself_is_refused() {
    let topic = topic(TopicConfig::default());
    let event = |id| Event::new("x").with_id(id).unwrap();
    for id in ["abc-1", "abc-700"] {
        let error = topic.publish(event(id)).unwrap_err();
        assert!(matches!(&error, PublishError::ReservedId(refused) if *refused == id));
    }
    // These are ordinary IDs.
    for id in ["abd-1", "abc-01", "abc-", "1"] {
        topic.publish(event(id)).unwrap();
    }
    assert_eq!(topic.position().sequence(), 4);
}

#[test]
fn a_returning_client_gets_no_event_that_is_too_old() {
    let clock = Clock::new();
    let mut config = TopicConfig::default();
    config.max_age = Some(Duration::from_secs(10));
    let topic = topic_on(&clock, config);
    publish(&topic, 1);
    clock.advance(Duration::from_secs(4));
    publish(&topic, 1);
    clock.advance(Duration::from_secs(6));
    let outcome = |id| topic.resume_from(Some(id)).outcome();
    assert_eq!(outcome("abc-0"), Outcome::Resumed { replayed: 2 });
    clock.advance(Duration::from_millis(1));
    let gap = Outcome::Gap {
        lost: 1,
        replayed: 1,
    };
    assert_eq!(outcome("abc-0"), gap);
    assert_eq!(outcome("abc-1"), Outcome::Resumed { replayed: 1 });
    clock.advance(Duration::from_secs(4));
    assert_eq!(
        outcome("abc-1"),
        Outcome::Gap {
            lost: 1,
            replayed: 0
        }
    );
    assert_eq!(topic.retained_events(), 0);
}

#[test]
fn the_whole_history_goes_to_subscribers_that_ask_for_it() {
    let topic = three_of_seven();
    let mut subscriber = topic.subscribe_from_oldest();
    assert_eq!(subscriber.outcome(), Outcome::Fresh);
    assert_eq!(
        ids(&take(&mut subscriber).text),
        ["abc-5", "abc-6", "abc-7"]
    );
}

#[test]
fn a_topic_that_is_closed_ends_its_streams_behind_the_last_event() {
    let topic = topic(TopicConfig::default());
    let (mut early, mut late) = (topic.subscribe(), topic.subscribe());
    publish(&topic, 1);
    take(&mut early);
    topic.close();
    assert!(matches!(topic.publish("x"), Err(PublishError::Closed)));
    assert_eq!(take(&mut early).end, End::Closed);
    let taken = take(&mut late);
    assert_eq!((ids(&taken.text), taken.end), (vec!["abc-1"], End::Closed));
    assert_eq!(take(&mut topic.subscribe()).end, End::Closed);
}

#[test]
fn the_last_handle_closes_the_topic() {
    let topic = topic(TopicConfig::default());
    let (mut subscriber, other) = (topic.subscribe(), topic.clone());
    drop(topic);
    publish(&other, 1);
    assert_eq!(take(&mut subscriber).end, End::Waits);
    drop(other);
    assert_eq!(take(&mut subscriber).end, End::Closed);
}

#[test]
fn an_id_that_was_published_twice_is_known_until_the_last_such_event_goes() {
    let mut config = TopicConfig::default();
    (config.max_events, config.max_bytes) = (3, 64 * 1024);
    let topic = topic(config);
    let own = |len: usize| Event::new("x".repeat(len)).with_id("own").unwrap();
    // They are more than a segment each, so that they are dropped one at a time.
    topic.publish(own(5_000)).unwrap();
    topic.publish(own(5_000)).unwrap();
    publish(&topic, 1);
    let outcome = || topic.resume_from(Some("own")).outcome();
    let resumed = |replayed| Outcome::Resumed { replayed };
    assert_eq!(outcome(), resumed(2));
    // The first is dropped, and the second is the first then.
    publish(&topic, 1);
    assert_eq!(outcome(), resumed(2));
    publish(&topic, 1);
    assert!(outcome().is_loss());
    topic.publish(own(0)).unwrap();
    publish(&topic, 2);
    assert_eq!(outcome(), resumed(2));
}

#[test]
fn the_empty_id_names_no_event_and_takes_no_memory() {
    let held = |event: Event| {
        let topic = topic(TopicConfig::default());
        for _ in 0..100 {
            topic.publish(event.clone()).unwrap();
        }
        assert_eq!(topic.resume_from(Some("")).outcome(), Outcome::Fresh);
        topic.retained_bytes()
    };
    let empty = Event::new("x").with_id("").unwrap();
    // Events without an ID have one that the topic gives them.
    assert!(held(empty) <= held(Event::new("x")));
}
