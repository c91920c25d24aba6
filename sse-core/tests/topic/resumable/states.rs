//! From the start of a stream until it is forgotten, and by which deadline.

use std::time::Duration;

use sse_core::topic::resumable::{Started, StreamEnd};

use super::{
    GRACE,
    Happened::{Ended, Forgotten},
    NANO, RETENTION, Streams,
};

#[test]
fn a_producer_is_cancelled_once_it_had_no_listener_for_the_grace_time() {
    let mut streams = Streams::new(|_| {});
    assert_eq!(streams.table.config().grace, Some(GRACE));
    streams.start("never attached");
    assert_eq!(streams.table.poll_timeout(), Some(streams.now() + GRACE));
    streams.advance(GRACE - NANO);
    assert_eq!(streams.take(), []);
    streams.advance(NANO);
    assert_eq!(streams.take(), [Ended(StreamEnd::Abandoned)]);
}

#[test]
fn the_grace_time_begins_when_the_last_listener_leaves() {
    let mut streams = Streams::new(|_| {});
    assert!(streams.table.is_empty());
    let id = streams.start("x");
    assert!(!streams.table.is_empty());
    assert_eq!(streams.table.listeners(id), 0);
    streams.table.attach(id);
    streams.table.attach(id);
    streams.advance(GRACE * 10);
    streams.detach(id);
    streams.advance(GRACE * 10);
    assert_eq!((streams.take(), streams.table.listeners(id)), (vec![], 1));
    streams.detach(id);
    streams.advance(GRACE - NANO);
    // It comes back in time, and leaves once more.
    streams.table.attach(id);
    streams.advance(GRACE);
    streams.detach(id);
    streams.advance(GRACE - NANO);
    assert_eq!(streams.take(), []);
    streams.advance(NANO);
    assert_eq!(streams.take(), [Ended(StreamEnd::Abandoned)]);
}

#[test]
fn a_client_that_comes_before_the_timer_is_in_time() {
    let mut streams = Streams::new(|_| {});
    let id = streams.start("x");
    streams.clock.advance(GRACE * 2);
    streams.table.attach(id);
    streams.advance(GRACE);
    assert_eq!(streams.take(), []);
}

#[test]
fn without_a_grace_time_a_producer_runs_to_its_end() {
    let mut streams = Streams::new(|config| config.grace = None);
    assert_eq!(streams.table.config().grace, None);
    let id = streams.start("x");
    streams.table.attach(id);
    streams.detach(id);
    assert_eq!(streams.table.poll_timeout(), None);
    streams.advance(Duration::from_secs(1_000_000));
    assert_eq!(streams.take(), []);
    assert!(streams.end(id, StreamEnd::Complete));
    assert_eq!(streams.take(), [Ended(StreamEnd::Complete)]);
}

#[test]
fn a_finished_stream_is_kept_for_its_retention_whether_it_has_listeners_or_not() {
    for listeners in 0..2 {
        let mut streams = Streams::new(|_| {});
        let id = streams.start("x");
        for _ in 0..listeners {
            streams.table.attach(id);
        }
        streams.end(id, StreamEnd::Complete);
        streams.advance(RETENTION - NANO);
        assert_eq!(streams.take(), [Ended(StreamEnd::Complete)]);
        assert_eq!(streams.table.find("", "x"), Some(id));
        streams.advance(NANO);
        assert_eq!(streams.take(), [Forgotten]);
        assert_eq!(streams.table.find("", "x"), None);
        assert!(streams.table.is_empty() && streams.table.get(id).is_none());
        // Calls for it do nothing now.
        streams.table.attach(id);
        streams.detach(id);
        assert!(!streams.end(id, StreamEnd::Complete));
        assert_eq!(
            (streams.take(), streams.table.poll_timeout()),
            (vec![], None)
        );
    }
}

#[test]
fn a_retention_without_an_end_keeps_the_stream() {
    let mut streams = Streams::new(|config| config.retention = Duration::MAX);
    let id = streams.start("x");
    streams.end(id, StreamEnd::Complete);
    assert_eq!(streams.table.poll_timeout(), None);
    let mut streams = Streams::new(|config| config.retention = Duration::ZERO);
    let id = streams.start("x");
    streams.end(id, StreamEnd::Complete);
    streams.advance(Duration::ZERO);
    assert_eq!(streams.take(), [Ended(StreamEnd::Complete), Forgotten]);
}

#[test]
fn the_same_name_is_the_same_stream_until_it_is_forgotten() {
    let mut streams = Streams::new(|_| {});
    let first = streams.start("x");
    let again = |streams: &mut Streams| {
        let now = streams.now();
        streams
            .table
            .start(now, "", "x", |_, _| panic!("there is one"))
    };
    assert_eq!(again(&mut streams), Ok(Started::There(first)));
    streams.end(first, StreamEnd::Complete);
    assert_eq!(again(&mut streams), Ok(Started::There(first)));
    let id = streams.topic(first).position().to_string();

    streams.advance(RETENTION);
    let second = streams.start("x");
    assert_ne!(first, second);
    // IDs of the first one are unknown to the second.
    let returns = streams.topic(second).resume_from(Some(&id));
    assert!(returns.outcome().is_loss());
    assert_eq!(returns.end(), None);
}

#[test]
fn the_first_end_counts() {
    let mut streams = Streams::new(|_| {});
    let id = streams.start("x");
    let stopped = StreamEnd::Stopped("enough".into());
    assert!(streams.end(id, stopped.clone()));
    assert!(!streams.end(id, StreamEnd::Complete));
    streams.advance(GRACE);
    assert_eq!(streams.take(), [Ended(stopped)]);
}

#[test]
fn a_shutdown_leaves_a_producer_some_time_with_and_without_clients() {
    const SECONDS: Duration = Duration::from_secs(5);
    let mut streams = Streams::new(|_| {});
    let (id, other) = (streams.start("x"), streams.start("other"));
    streams.table.attach(id);
    streams.table.attach(other);
    streams.table.handle_shutdown(streams.now(), id);
    streams.advance(SECONDS - NANO);
    // Each listener sees the shutdown, and the first one counts.
    streams.table.handle_shutdown(streams.now(), id);
    assert_eq!(streams.take(), []);
    streams.advance(NANO);
    assert_eq!(streams.take(), [Ended(StreamEnd::Shutdown)]);

    // A stream that ends in time is complete.
    streams.table.handle_shutdown(streams.now(), other);
    streams.advance(SECONDS - NANO);
    streams.end(other, StreamEnd::Complete);
    streams.table.handle_shutdown(streams.now(), other);
    streams.advance(SECONDS);
    assert_eq!(streams.take(), [Ended(StreamEnd::Complete)]);
}

#[test]
fn a_shutdown_cancels_no_producer_where_it_is_not_to() {
    let mut streams = Streams::new(|config| config.shutdown_grace = None);
    let id = streams.start("x");
    streams.table.attach(id);
    streams.table.handle_shutdown(streams.now(), id);
    streams.advance(GRACE);
    assert_eq!(streams.take(), []);
    streams.detach(id);
    streams.advance(GRACE);
    assert_eq!(streams.take(), [Ended(StreamEnd::Abandoned)]);
}

#[test]
fn a_stream_can_be_forgotten_before_its_time() {
    let mut streams = Streams::new(|_| {});
    let (runs, finished) = (streams.start("runs"), streams.start("finished"));
    streams.end(finished, StreamEnd::Complete);
    streams.take();
    let now = streams.now();
    assert!(
        streams
            .table
            .forget(now, finished, "to be done again".into())
    );
    assert_eq!(streams.take(), [Forgotten]);
    assert!(streams.table.forget(now, runs, "not wanted".into()));
    let stopped = StreamEnd::Stopped("not wanted".into());
    assert_eq!(streams.take(), [Ended(stopped), Forgotten]);
    assert!(!streams.table.forget(now, runs, "not wanted".into()));
    assert_eq!(streams.table.poll_timeout(), None);
}

#[test]
fn owners_have_names_of_their_own() {
    let mut streams = Streams::new(|_| {});
    let ids = [
        ("", "x"),
        ("a", "x"),
        ("b", "x"),
        ("a", "b/x"),
        ("a/b", "x"),
    ]
    .map(|(owner, name)| (owner, name, streams.start_of(owner, name)));
    for (owner, name, id) in ids {
        assert_eq!(streams.table.find(owner, name), Some(id));
    }
    let count = |owner| streams.table.all(owner).count();
    assert_eq!((count(None), count(Some("a")), count(Some(""))), (5, 2, 1));
    assert_eq!(count(Some("c")), 0);
}

#[test]
fn it_counts_what_there_is_and_what_was() {
    let mut streams = Streams::new(|_| {});
    let ids = ["a", "b", "c"].map(|name| streams.start(name));
    streams.table.attach(ids[0]);
    streams.table.attach(ids[1]);
    streams.end(ids[1], StreamEnd::Panicked);
    streams.end(ids[2], StreamEnd::Complete);
    let stats = streams.table.stats();
    assert_eq!((stats.running, stats.finished, stats.listeners), (1, 2, 2));
    assert_eq!((stats.started, stats.panicked, stats.complete), (3, 1, 1));
    streams.advance(RETENTION);
    let stats = streams.table.stats();
    assert_eq!((stats.running, stats.finished, stats.listeners), (1, 0, 1));
    assert_eq!((stats.started, stats.panicked, stats.complete), (3, 1, 1));
}
