//! Subscribers whose next event has left the history.

use std::task::Poll;

use sse_core::topic::{Announce, Batch, Outcome, TopicConfig, WhenTooSlow};

use crate::{End, Taken, ids, publish, take, topic};

fn config(when_too_slow: WhenTooSlow) -> TopicConfig {
    let mut config = TopicConfig::default();
    (config.max_events, config.when_too_slow) = (4, when_too_slow);
    config
}

#[test]
fn a_subscriber_that_is_as_slow_as_the_history_is_long_loses_nothing() {
    let topic = topic(config(WhenTooSlow::Cut));
    let mut subscriber = topic.subscribe();
    for _ in 0..3 {
        publish(&topic, 4);
        let taken = take(&mut subscriber);
        assert_eq!((ids(&taken.text).len(), taken.end), (4, End::Waits));
    }
}

#[test]
fn a_slower_subscriber_is_cut_and_resumes() {
    let topic = topic(config(WhenTooSlow::Cut));
    let (mut slow, mut quick) = (topic.subscribe(), topic.subscribe());
    publish(&topic, 2);
    let seen = take(&mut slow).text;
    take(&mut quick);
    publish(&topic, 3);
    assert_eq!(ids(&take(&mut quick).text).len(), 3);
    publish(&topic, 4);

    let cut = Taken {
        end: End::Cut(3),
        ..Taken::default()
    };
    assert_eq!(take(&mut slow), cut);
    let over = Taken {
        end: End::Closed,
        ..Taken::default()
    };
    assert_eq!(take(&mut slow), over);
    publish(&topic, 1);
    assert_eq!(take(&mut slow), over);
    assert_eq!(take(&mut quick).end, End::Cut(1));

    let again = topic.resume_from(ids(&seen).last().copied());
    let gap = Outcome::Gap {
        lost: 4,
        replayed: 4,
    };
    assert_eq!(again.outcome(), gap);
}

#[test]
fn a_subscriber_that_is_skipped_ahead_is_told_its_loss() {
    let mut config = config(WhenTooSlow::SkipAhead);
    // Not even this setting suppresses it.
    config.announce = Announce::Nothing;
    let topic = topic(config);
    let mut slow = topic.subscribe();
    publish(&topic, 6);
    let taken = take(&mut slow);
    let gap = Outcome::Gap {
        lost: 2,
        replayed: 4,
    };
    assert_eq!(taken.notices, [gap]);
    // The notice's ID is the place from which the rest continues.
    assert_eq!(
        ids(&taken.text),
        ["abc-2", "abc-3", "abc-4", "abc-5", "abc-6"]
    );
    assert!(taken.text.starts_with(
        "event: resume\nid: abc-2\ndata: {\"outcome\":\"gap\",\"lost\":2,\"replayed\":4}\n\n"
    ));
    assert_eq!(taken.end, End::Waits);

    publish(&topic, 1);
    assert_eq!(take(&mut slow).text, "id: abc-7\ndata: x\n\n");
}

/// Returns the outcome of a subscriber, and its items, if this many events are published before its first
/// read.
fn joined_before(config: TopicConfig, id: &str, published: u64) -> (Outcome, Taken) {
    let topic = topic(config);
    publish(&topic, 6);
    let mut subscriber = topic.resume_from(Some(id));
    publish(&topic, published);
    let taken = take(&mut subscriber);
    (subscriber.outcome(), taken)
}

#[test]
fn a_subscriber_that_begins_with_the_oldest_event_joins_at_its_first_read() {
    let replayed = 4;
    for (published, lost) in [(0, 1), (1, 2), (3, 4), (9, 10)] {
        let gap = Outcome::Gap { lost, replayed };
        let unknown = Outcome::Unknown { replayed };
        for (id, outcome) in [("abc-1", gap), ("elsewhere", unknown)] {
            let (joined, taken) = joined_before(config(WhenTooSlow::Cut), id, published);
            assert_eq!(joined, outcome);
            assert_eq!((taken.notices, taken.end), (vec![outcome], End::Waits));
            let first = format!("abc-{}", 2 + published);
            assert_eq!(ids(&taken.text)[0], first, "{id}, {published}");
            assert_eq!(ids(&taken.text).len(), 1 + 4);
        }
    }
    let topic = topic(config(WhenTooSlow::Cut));
    publish(&topic, 4);
    let mut subscriber = topic.subscribe_from_oldest();
    publish(&topic, 2);
    let taken = take(&mut subscriber);
    let expected = vec!["abc-3", "abc-4", "abc-5", "abc-6"];
    assert_eq!((ids(&taken.text), taken.end), (expected, End::Waits));
    assert_eq!(subscriber.outcome(), Outcome::Fresh);
}

#[test]
fn the_events_that_a_notice_tells_of_follow_it() {
    let topic = topic(config(WhenTooSlow::Cut));
    publish(&topic, 6);
    let mut subscriber = topic.resume_from(Some("elsewhere"));
    let notice = subscriber.try_next();
    assert!(
        matches!(notice, Poll::Ready(Some(Ok(Batch::Notice(_))))),
        "{notice:?}"
    );
    publish(&topic, 4);
    let taken = take(&mut subscriber);
    assert_eq!(taken.end, End::Waits);
    let numbers = 3..=10;
    let expected: Vec<_> = numbers.map(|n| format!("abc-{n}")).collect();
    assert_eq!(ids(&taken.text), expected);
    assert_eq!(topic.stats().delivered_events, 8);
}

#[test]
fn a_subscriber_that_is_not_told_skips_no_events_that_came_after_it_joined() {
    let mut config = config(WhenTooSlow::Cut);
    config.announce = Announce::Nothing;
    // It joined before the events 3 to 6.
    let (outcome, taken) = joined_before(config.clone(), "abc-1", 4);
    let (lost, replayed) = (5, 4);
    assert_eq!(outcome, Outcome::Gap { lost, replayed });
    assert_eq!((ids(&taken.text).len(), taken.end), (4, End::Waits));
    let (_, taken) = joined_before(config.clone(), "abc-1", 5);
    assert_eq!(taken.end, End::Cut(5));
    let (_, taken) = joined_before(config, "elsewhere", 5);
    assert_eq!(taken.end, End::Cut(5));
}

#[test]
fn a_subscriber_that_resumed_without_a_loss_is_cut_so_that_its_handler_decides_anew() {
    let (outcome, taken) = joined_before(config(WhenTooSlow::Cut), "abc-2", 1);
    assert_eq!(outcome, Outcome::Resumed { replayed: 4 });
    assert_eq!(taken.end, End::Cut(1));
}
