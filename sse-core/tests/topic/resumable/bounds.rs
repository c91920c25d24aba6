//! The behaviour at the bounds on streams and bytes.

use sse_core::{
    Budget,
    topic::{
        HistoryBound, PublishError, Topic,
        resumable::{StartError, StreamEnd},
    },
};

use super::{Happened::Forgotten, Streams};

const KIB: usize = 1024;

impl Streams {
    fn refused(&mut self, owner: &str, name: &str) -> StartError {
        let now = self.now();
        let started = self
            .table
            .start(now, owner, name, |_, _| panic!("there is no room"));
        started.unwrap_err()
    }
}

#[test]
fn at_the_bound_the_stream_that_finished_first_goes_and_then_none_is_started() {
    let mut streams = Streams::new(|config| config.max_streams = 3);
    let [a, b, _c] = ["a", "b", "c"].map(|name| streams.start(name));
    let full = StartError::TooManyStreams { max: 3 };
    assert_eq!(streams.refused("", "d"), full);
    // The bound does not apply to existing streams.
    assert!(
        streams
            .table
            .start(streams.now(), "", "a", |_, _| panic!())
            .is_ok()
    );

    streams.end(b, StreamEnd::Complete);
    streams.end(a, StreamEnd::Complete);
    streams.take();
    streams.start("d");
    assert_eq!(streams.take(), [Forgotten]);
    assert_eq!(streams.table.find("", "b"), None);
    // A stream that a client reads is kept.
    streams.table.attach(a);
    assert_eq!(streams.refused("", "e"), full);
    streams.detach(a);
    streams.start("e");
    assert_eq!(streams.table.find("", "a"), None);
    assert_eq!((streams.table.len(), streams.take()), (3, vec![Forgotten]));
}

#[test]
fn an_owner_has_a_bound_of_its_own() {
    let mut streams = Streams::new(|config| config.max_streams_per_owner = 2);
    let [a, b] = ["a", "b"].map(|name| streams.start_of("me", name));
    assert_eq!(
        streams.refused("me", "c"),
        StartError::TooManyOfOwner { max: 2 }
    );
    // Other owners are not affected, nor are streams without an owner.
    for name in ["a", "b"] {
        streams.start_of("you", name);
    }
    for name in ["a", "b", "c"] {
        streams.start(name);
    }
    let yours = streams.table.find("you", "a").unwrap();
    streams.end(yours, StreamEnd::Complete);
    assert_eq!(
        streams.refused("me", "c"),
        StartError::TooManyOfOwner { max: 2 }
    );
    streams.end(b, StreamEnd::Complete);
    streams.end(a, StreamEnd::Complete);
    streams.start_of("me", "c");
    assert_eq!(streams.table.find("me", "b"), None);
    assert_eq!(streams.table.find("me", "a"), Some(a));
}

#[test]
fn names_and_owners_have_a_longest_one() {
    let mut streams = Streams::new(|_| {});
    let (longest, longer) = ("x".repeat(256), "x".repeat(257));
    streams.start_of(&longest, &longest);
    let refused = StartError::NameTooLong { len: 257, max: 256 };
    assert_eq!(streams.refused("", &longer), refused);
    assert_eq!(streams.refused(&longer, ""), refused);
    assert_eq!(streams.table.find("", &longer), None);
    assert!(
        refused
            .to_string()
            .contains("257 bytes long, and may be 256")
    );
}

/// Publishes until there is no room. Returns the number of events of a KiB, and the bound.
fn fill(topic: &Topic) -> (usize, HistoryBound) {
    for taken in 0.. {
        match topic.publish("x".repeat(KIB)) {
            Ok(_) => {}
            Err(PublishError::Full { bound }) => return (taken, bound),
            Err(error) => panic!("{error}"),
        }
    }
    unreachable!()
}

#[test]
fn each_history_is_bounded_and_all_of_them_together_are() {
    let budget = Budget::new(16 * KIB * KIB);
    let mut streams = Streams::new(|config| {
        (config.topic.max_bytes, config.max_total_bytes) = (256 * KIB, KIB * KIB);
        config.topic.budget = budget.clone();
    });
    let ids: Vec<_> = (0..8).map(|n| streams.start(&n.to_string())).collect();
    let filled: Vec<_> = ids.iter().map(|id| fill(&streams.topic(*id))).collect();
    assert!(filled[0].0 > 100 && filled[0].1 == HistoryBound::Bytes);
    assert_eq!(filled[7].1, HistoryBound::Budget);
    let used = budget.used().history;
    assert!((700 * KIB..=KIB * KIB).contains(&used), "{used}");
    assert_eq!(streams.table.stats().retained_bytes, used as u64);

    // Finished streams without listeners make room, the first that finished before the others.
    streams.end(ids[1], StreamEnd::Complete);
    streams.end(ids[0], StreamEnd::Complete);
    streams.table.attach(ids[1]);
    streams.take();
    assert!(streams.table.forget_one());
    assert_eq!(streams.table.find("", "0"), None);
    assert!(!streams.table.forget_one());
    assert_eq!(streams.take(), [Forgotten]);
    assert!(fill(&streams.topic(ids[7])).0 > 100);

    drop(streams);
    assert_eq!(budget.used().total(), 0);
}

#[test]
fn the_budget_of_the_server_bounds_histories_too() {
    let budget = Budget::new(256 * KIB);
    let mut streams = Streams::new(|config| config.topic.budget = budget.clone());
    let id = streams.start("x");
    let (taken, bound) = fill(&streams.topic(id));
    assert!(taken < 128 && bound == HistoryBound::Budget);
    assert!(budget.used().history <= 128 * KIB);
}
