//! Subscribers whose next event is no longer there.

use sse_core::topic::{Announce, Outcome, TopicConfig, WhenTooSlow};

use crate::{End, Taken, ids, publish, take, topic};

fn config(when_too_slow: WhenTooSlow) -> TopicConfig {
    let mut config = TopicConfig::default();
    (config.max_events, config.when_too_slow) = (4, when_too_slow);
    config
}

#[test]
fn one_who_is_as_slow_as_the_history_is_long_loses_nothing() {
    let topic = topic(config(WhenTooSlow::Cut));
    let mut subscriber = topic.subscribe();
    for _ in 0..3 {
        publish(&topic, 4);
        let taken = take(&mut subscriber);
        assert_eq!((ids(&taken.text).len(), taken.end), (4, End::Waits));
    }
}

#[test]
fn one_who_is_slower_is_cut_and_resumes() {
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
fn one_who_is_skipped_ahead_is_told_what_it_lost() {
    let mut config = config(WhenTooSlow::SkipAhead);
    // Not even this keeps it silent.
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
    // The notice's ID is where the rest goes on.
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
