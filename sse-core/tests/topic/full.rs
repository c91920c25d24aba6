//! Topics that reject events when they are full, and the room that they reserve for the last one.

use proptest::prelude::*;
use sse_core::{
    Budget, Event,
    topic::{HistoryBound, PublishError, Topic, TopicConfig, TopicEnd, WhenFull},
};

use crate::{End, ids, take, topic};

const KIB: usize = 1024;

fn rejecting(change: impl FnOnce(&mut TopicConfig)) -> Topic {
    let mut config = TopicConfig::default();
    (config.max_events, config.when_full) = (usize::MAX, WhenFull::Reject);
    change(&mut config);
    topic(config)
}

/// Publishes until the topic is full. Returns the number of events, and the bound that was reached.
fn fill(topic: &Topic, data: &str) -> (usize, HistoryBound) {
    for taken in 0.. {
        match topic.publish(data) {
            Ok(_) => {}
            Err(PublishError::Full { bound }) => return (taken, bound),
            Err(error) => panic!("{error}"),
        }
    }
    unreachable!()
}

#[test]
fn an_event_may_be_exactly_as_large_as_an_error_says() {
    for named in [false, true] {
        let topic = rejecting(|config| config.max_bytes = 4 * KIB);
        let event = |len: usize| {
            let event = Event::new("x".repeat(len));
            match named {
                true => event.with_id("its own").unwrap(),
                false => event,
            }
        };
        let mut reader = topic.subscribe();
        let error = topic.publish(event(8 * KIB)).unwrap_err();
        let PublishError::TooLarge { len, most } = error else {
            panic!("{error}");
        };
        let fits = 8 * KIB - (len - most);
        let error = topic.publish(event(fits + 1)).unwrap_err();
        assert!(
            matches!(error, PublishError::TooLarge { len, .. } if len == most + 1),
            "{error}"
        );
        topic.publish(event(fits)).unwrap();
        assert_eq!(take(&mut reader).text.len(), most);
    }
}

#[test]
fn a_full_topic_with_its_last_event_is_restored_under_the_same_settings() {
    let settings: [fn(&mut TopicConfig); 2] = [
        |config| config.max_events = 3,
        |config| config.max_bytes = 8 * KIB,
    ];
    for setting in settings {
        let before = rejecting(setting);
        fill(&before, "x");
        before.close_with_event("last", TopicEnd::Complete).unwrap();
        let snapshot = before.snapshot();
        let after = rejecting(setting);
        after.restore(&snapshot).unwrap();
        assert_eq!(after.position(), before.position());
        let restored = take(&mut after.subscribe_from_oldest()).text;
        assert_eq!(ids(&restored).len() as u64, snapshot.count());
    }
}

#[test]
fn each_bound_rejects_events_and_keeps_those_that_are_there() {
    let budget = Budget::new(256 * KIB);
    let topics = [
        (
            rejecting(|config| config.max_events = 7),
            HistoryBound::Events,
        ),
        (
            rejecting(|config| config.max_bytes = 64 * KIB),
            HistoryBound::Bytes,
        ),
        (
            rejecting(|config| config.budget = budget.clone()),
            HistoryBound::Budget,
        ),
    ];
    for (topic, bound) in topics {
        let mut reader = topic.subscribe();
        let (taken, by) = fill(&topic, &"x".repeat(100));
        assert_eq!(by, bound);
        for _ in 0..3 {
            assert_eq!(fill(&topic, &"x".repeat(100)), (0, bound));
        }
        assert_eq!(topic.retained_events() as usize, taken);
        let got = take(&mut reader);
        assert_eq!((ids(&got.text).len(), got.end), (taken, End::Waits));

        let end = topic
            .close_with_event("the end", TopicEnd::Complete)
            .unwrap();
        assert_eq!(ids(&take(&mut reader).text), [end.to_string()]);
        assert_eq!(topic.retained_events() as usize, taken + 1);
        let all = take(&mut topic.subscribe_from_oldest());
        assert_eq!((ids(&all.text).len(), all.end), (taken + 1, End::Closed));
    }
    assert_eq!(budget.used().total(), 0);
}

#[test]
fn there_is_room_again_once_others_leave_the_budget() {
    let budget = Budget::new(256 * KIB);
    let both = [0; 2].map(|_| rejecting(|config| config.budget = budget.clone()));
    let [first, second] = both;
    let (taken, _) = fill(&first, &"x".repeat(KIB));
    assert!(taken > 100);
    let (few, by) = fill(&second, &"x".repeat(KIB));
    assert!(few < 5 && by == HistoryBound::Budget, "{few}");
    assert!(budget.used().history <= 128 * KIB, "{:?}", budget.used());
    drop(first);
    let (more, _) = fill(&second, &"x".repeat(KIB));
    assert!(few + more > 100);
}

#[test]
fn an_event_that_never_fits_is_too_large_and_not_rejected_for_now() {
    let topic = rejecting(|config| config.max_bytes = 16 * KIB);
    let PublishError::TooLarge { most, .. } = topic.publish("x".repeat(16 * KIB)).unwrap_err()
    else {
        panic!("it is too large")
    };
    let around = "id: abc-1\ndata: \n\n".len();
    topic.publish("x".repeat(most - around)).unwrap();
    let full = topic.publish("x").unwrap_err();
    assert_eq!(
        full.to_string(),
        "the history has no room for the event by its `max_bytes`, and this topic drops no event; \
         raise the bound, or have the oldest events go (`WhenFull::DropOldest`)"
    );
    let error = std::io::Error::from(full);
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    let large = topic.close_with_event("x".repeat(4 * KIB), TopicEnd::Complete);
    // The oldest event is dropped, because the reserved room is not enough.
    assert!(large.is_ok());
    assert_eq!(topic.retained_events(), 1);
}

#[test]
fn the_last_event_is_the_last_one() {
    let topic = topic(TopicConfig::default());
    let invalid = topic.close_with_event(Event::new("").with_id("\0"), TopicEnd::Complete);
    assert!(matches!(invalid, Err(PublishError::Event(_))));
    assert!(!topic.is_closed());
    let failed = TopicEnd::Failed("no more".into());
    topic.close_with_event("the end", failed.clone()).unwrap();
    assert!(matches!(topic.publish("more"), Err(PublishError::Closed)));
    let again = topic.close_with_event("again", TopicEnd::Complete);
    assert!(matches!(again, Err(PublishError::Closed)));
    assert_eq!(topic.end(), Some(failed));
}

proptest! {
    #[test]
    fn a_topic_that_rejects_loses_nothing_and_always_has_room_for_its_end(
        max_bytes in 4 * KIB..64 * KIB,
        sizes in prop::collection::vec(0..2 * KIB, 1..200),
        end in 0..300_usize,
    ) {
        let topic = rejecting(|config| config.max_bytes = max_bytes);
        let mut taken = 0;
        for size in sizes {
            let published = topic.publish("x".repeat(size));
            prop_assert!(topic.retained_bytes() <= max_bytes);
            match published {
                Ok(_) => taken += 1,
                Err(PublishError::Full { .. } | PublishError::TooLarge { .. }) => {}
                Err(error) => panic!("{error}"),
            }
            // Events that a reader holds take no room from others.
            prop_assert_eq!(ids(&take(&mut topic.subscribe_from_oldest()).text).len(), taken);
        }
        topic.close_with_event("x".repeat(end), TopicEnd::Complete).unwrap();
        prop_assert!(topic.retained_bytes() <= max_bytes);
        let all = take(&mut topic.subscribe_from_oldest());
        prop_assert_eq!(ids(&all.text).len(), taken + 1);
    }
}
