//! How long a producer runs without a client, and how long its stream is kept.

use sse_core::topic::resumable::StreamEnd;

use super::harness::{ATTACH, MILLI, START, Streams, end, ids, secs};
use crate::harness::Received;

const ABANDONED: &str = "clean-up: no client listened for too long";

#[test]
fn a_producer_whose_last_client_left_is_cancelled_after_the_grace_time() {
    let streams = Streams::new();
    let clients = [streams.get(START), streams.get(ATTACH)];
    streams.sim().advance(secs(3600));
    for client in clients {
        client.close();
        streams.sim().advance(secs(60) - MILLI);
        assert_eq!(streams.journal.lines(), [""; 0]);
    }
    streams.sim().advance(MILLI);
    assert_eq!(streams.journal.lines(), ["stream dropped", ABANDONED]);
    // A client that comes too late is told so.
    let mut late = streams.get(START);
    assert_eq!(streams.data(&mut late), [end("abandoned")]);
}

#[test]
fn a_client_that_comes_back_in_time_keeps_the_producer() {
    let streams = Streams::new();
    let mut client = streams.get(START);
    streams.feed.push("one");
    let seen = ids(&streams.read(&mut client).body).swap_remove(0);
    for _ in 0..3 {
        client.close();
        streams.sim().advance(secs(60) - MILLI);
        client = streams.resume(START, &seen);
        streams.sim().advance(secs(600));
    }
    streams.feed.push("two");
    assert_eq!(streams.data(&mut client), ["two"]);
}

#[test]
fn a_stream_that_no_client_ever_reads_has_the_grace_time_too() {
    let streams = Streams::new();
    let journal = streams.journal.clone();
    let started = streams.streams.start("x", |producer| {
        super::harness::watch(&journal, &producer);
        streams.feed.stream(&journal)
    });
    let stream = started.unwrap();
    assert_eq!(stream.listeners(), 0);
    streams.sim().advance(secs(60) - MILLI);
    assert_eq!(stream.end(), None);
    streams.sim().advance(MILLI);
    assert_eq!(stream.end(), Some(StreamEnd::Abandoned));
    assert_eq!(streams.journal.lines(), ["stream dropped", ABANDONED]);
}

#[test]
fn without_a_grace_time_a_job_runs_to_its_end_without_listeners() {
    let streams = Streams::with(|config| config.grace = None);
    streams.get(START).close();
    streams.sim().advance(secs(24 * 3600));
    streams.feed.push("done");
    streams.feed.end();
    streams.sim().settle();
    let mut client = streams.get(START);
    assert_eq!(streams.data(&mut client), ["done".into(), end("complete")]);
}

#[test]
fn a_timer_that_is_late_cancels_nothing_that_has_a_client_again() {
    let streams = Streams::new();
    streams.get(START).close();
    streams.sim().settle();
    // The machine sleeps, and a client comes first when it wakes up.
    streams.sim().hold_up(secs(3600));
    let mut client = streams.get(START);
    streams.sim().advance(secs(3600));
    streams.feed.push("one");
    assert_eq!(streams.data(&mut client), ["one"]);
}

#[test]
fn a_deadline_that_is_earlier_than_the_others_is_kept() {
    let streams = Streams::new();
    let _finished = streams.get(START);
    streams.feed.end();
    streams.sim().advance(secs(1));
    // Its history is kept for 5 min, and this one runs for one.
    let other = streams
        .streams
        .start("y", |_| std::future::pending::<()>())
        .unwrap();
    streams.sim().advance(secs(60));
    assert_eq!(other.end(), Some(StreamEnd::Abandoned));
    assert!(streams.streams.get("x").is_some());
    streams.sim().advance(secs(5 * 60 - 61));
    assert!(streams.streams.get("x").is_none());
}

#[test]
fn nothing_is_left_of_streams_that_are_forgotten_and_others_can_be_started() {
    let streams = Streams::new();
    let (tasks, timers) = (streams.sim().live_tasks(), streams.sim().live_timers());
    for _ in 0..3 {
        streams.feed.start_again();
        let client = streams.get(START);
        streams.feed.push("one");
        streams.feed.end();
        streams.sim().settle();
        assert_eq!(Received::by(&client).status, 200);
        client.close();
        streams.sim().advance(secs(5 * 60));
        let (left, waited_for) = (streams.sim().live_tasks(), streams.sim().live_timers());
        assert_eq!((left, waited_for), (tasks, timers));
        assert_eq!(streams.streams.stats().retained_bytes, 0);
    }
    // It can also be forgotten by a call.
    streams.streams.start("y", |_| async {}).unwrap();
    streams.sim().settle();
    assert!(streams.streams.forget("y", "done"));
    assert!(!streams.streams.forget("y", "done"));
    streams.sim().settle();
    assert_eq!(streams.sim().live_tasks(), tasks);
}

#[test]
fn a_runtime_that_ends_leaves_streams_that_another_one_keeps() {
    // The keeper's task is dropped with the runtime. Nothing hangs or panics because of that.
    let streams = Streams::new();
    let _client = streams.get(START);
    streams.sim().stop();
    drop(streams.streams.clone());
    assert_eq!(streams.streams.stats().dropped, 1);
    assert_eq!(streams.streams.stop_all("late"), 0);
}
