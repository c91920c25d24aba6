//! Streams whose clients' server shuts down.

use std::future::pending;

use super::harness::{MILLI, START, Streams, data, end, secs};

#[test]
fn clients_are_told_before_the_server_cuts_them() {
    let streams = Streams::new();
    let mut client = streams.get(START);
    streams.feed.push("one");
    streams.sim().settle();
    streams.world.handle.shut_down();
    streams.sim().advance(secs(5) - MILLI);
    streams.feed.push("two");
    streams.sim().settle();
    assert!(streams.world.serving.take().is_none());
    streams.sim().advance(MILLI);
    let received = streams.read(&mut client);
    let all = ["one".into(), "two".into(), end("shutdown")];
    assert_eq!(
        (data(&received.body), received.complete),
        (all.to_vec(), true)
    );
    assert_eq!(
        streams.journal.lines(),
        ["stream dropped", "clean-up: the server was shut down"]
    );
    assert_eq!(streams.world.report().cut, 0);
}

#[test]
fn clients_that_take_no_bytes_when_it_begins_are_told_as_well() {
    // The connection has bytes to write, or as many as it takes.
    for size in [1_000, 100_000] {
        let streams = Streams::new();
        let mut client = streams.sim().connect_over(512).unwrap();
        client.get(START);
        streams.feed.push("x".repeat(size));
        streams.sim().settle();
        streams.world.handle.shut_down();
        streams.sim().advance(secs(5));
        assert_eq!(
            streams.journal.lines(),
            ["stream dropped", "clean-up: the server was shut down"]
        );
        let received = streams.read(&mut client);
        assert_eq!(data(&received.body)[1..], [end("shutdown")]);
        assert!(received.complete);
        assert_eq!(streams.world.report().cut, 0);
    }
}

#[test]
fn a_stream_that_ends_in_time_is_complete() {
    let streams = Streams::new();
    let mut client = streams.get(START);
    streams.world.handle.shut_down();
    streams.sim().advance(secs(5) - MILLI);
    streams.feed.push("one");
    streams.feed.end();
    assert_eq!(streams.data(&mut client), ["one".into(), end("complete")]);
    assert_eq!(
        streams.journal.lines(),
        ["stream dropped", "clean-up: the stream is complete"]
    );
    assert_eq!(streams.world.report().cut, 0);
}

#[test]
fn a_producer_without_clients_runs_on_until_the_runtime_ends() {
    let streams = Streams::with(|config| config.grace = None);
    streams.get(START).close();
    streams.sim().settle();
    streams.world.handle.shut_down();
    streams.sim().advance(secs(60));
    assert_eq!(streams.world.report().cut, 0);
    assert_eq!(streams.journal.lines(), [""; 0]);
    assert_eq!(streams.streams.stop_all("the program ends"), 1);
    streams.sim().settle();
    assert_eq!(
        streams.journal.lines(),
        ["stream dropped", "clean-up: stopped: the program ends"]
    );
}

#[test]
fn where_streams_are_shared_clients_are_sent_elsewhere_at_once() {
    let streams = Streams::with(|config| config.shutdown_grace = None);
    let mut client = streams.get(START);
    streams.feed.push("one");
    streams.sim().settle();
    streams.world.handle.shut_down();
    let received = streams.read(&mut client);
    assert_eq!(
        (data(&received.body), received.complete),
        (vec!["one".into()], true)
    );
    assert_eq!(streams.world.report().cut, 0);
    // The producer waits for them.
    streams.sim().advance(secs(60) - MILLI);
    assert_eq!(streams.journal.lines(), [""; 0]);
}

#[test]
fn a_shutdown_grace_beyond_the_servers_own_deadline_is_cut_short() {
    let streams = Streams::with(|config| config.shutdown_grace = Some(secs(60)));
    let _client = streams.get(START);
    streams.world.handle.shut_down();
    streams.sim().advance(secs(10));
    assert_eq!(streams.world.report().cut, 1);
    // Its client has left, and the time of the shutdown continues.
    streams.sim().advance(secs(50) - MILLI);
    assert_eq!(streams.journal.lines(), [""; 0]);
    streams.sim().advance(MILLI);
    assert_eq!(
        streams.journal.lines(),
        ["stream dropped", "clean-up: the server was shut down"]
    );
}

#[test]
fn a_shutdown_wakes_clients_of_streams_that_are_silent() {
    let streams = Streams::of(
        |_| {},
        |streams, request, name| streams.attach_or_start(name, request, |_| pending::<()>()),
    );
    let mut clients: Vec<_> = (0..20).map(|_| streams.get(START)).collect();
    streams.world.handle.shut_down();
    streams.sim().advance(secs(5));
    for client in &mut clients {
        assert_eq!(streams.data(client), [end("shutdown")]);
    }
    assert_eq!(streams.world.report().cut, 0);
}
