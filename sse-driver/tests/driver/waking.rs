//! The cost of a connection: polls, reads and writes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
};

use futures_util::{StreamExt, stream};
use sse_driver::{ServerConfig, router::Router};

use crate::{
    harness::{Feed, Journal, MILLI, Received, World, secs},
    sim::Sim,
};

fn world() -> (World, Feed) {
    let feed = Feed::default();
    let router = Router::new().events("/feed", feed.handler(&Journal::default()));
    (World::new(router), feed)
}

#[test]
fn a_burst_costs_one_poll_and_one_write_and_no_read() {
    let (world, feed) = world();
    let mut client = world.get("/feed");
    let seen = client.server_side();
    let (polls, reads, writes) = (world.sim.polls(), seen.reads(), seen.writes());

    feed.push_many(1000, "x");
    world.sim.settle();
    assert_eq!(feed.left(), 0);
    assert_eq!(seen.writes() - writes, 1);
    assert_eq!(seen.reads() - reads, 0);
    assert_eq!(world.sim.polls() - polls, 1);
    client.read_all();
    assert_eq!(Received::by(&client).body, "data: x\n\n".repeat(1000));
}

#[test]
fn being_able_to_write_again_costs_no_read() {
    let (world, feed) = world();
    let mut client = world.sim.connect_over(512).unwrap();
    client.get("/feed");
    feed.push("x".repeat(8192));
    world.sim.settle();
    let seen = client.server_side();
    let (reads, writes) = (seen.reads(), seen.writes());
    for _ in 0..10 {
        client.read_all();
        world.sim.settle();
    }
    assert_eq!(seen.writes() - writes, 10);
    assert_eq!(seen.reads() - reads, 0);
}

#[test]
fn an_idle_connection_is_polled_once_for_each_keep_alive() {
    let (world, feed) = world();
    let mut client = world.get("/feed");
    let seen = client.server_side();
    // The timer that was set for the head elapses once, and is then set to the next deadline.
    world.advance(secs(15), &mut client);
    let (polls, reads, writes) = (world.sim.polls(), seen.reads(), seen.writes());
    world.advance(secs(15) - MILLI, &mut client);
    assert_eq!(world.sim.polls() - polls, 0);
    world.advance(secs(600) - secs(15) + MILLI, &mut client);
    assert_eq!(seen.writes() - writes, 600 / 15);
    assert_eq!(world.sim.polls() - polls, 600 / 15);
    assert_eq!(seen.reads() - reads, 0);

    // Events move the deadline, but not the timer with each of them.
    let polls = world.sim.polls();
    for _ in 0..14 {
        world.advance(secs(1), &mut client);
        feed.push("x");
    }
    world.advance(secs(1) - MILLI, &mut client);
    assert_eq!(world.sim.polls() - polls, 14);
    world.advance(secs(14), &mut client);
    assert_eq!(world.sim.polls() - polls, 15);
}

#[test]
fn without_keep_alive_an_idle_connection_is_never_polled() {
    let feed = Feed::default();
    let mut config = ServerConfig::default();
    config.connection.response.keep_alive = None;
    let router = Router::new().events("/feed", feed.handler(&Journal::default()));
    let world = World::with_config(config, router);
    let mut client = world.get("/feed");
    // The timer that was set for the head may still elapse.
    world.advance(secs(60), &mut client);
    let polls = world.sim.polls();
    world.advance(secs(24 * 3600), &mut client);
    assert_eq!(world.sim.polls(), polls);
    assert_eq!(Received::by(&client).body, "");
    feed.push("a");
    world.sim.settle();
    client.read_all();
    assert_eq!(Received::by(&client).body, "data: a\n\n");
}

#[test]
fn a_stream_that_is_always_ready_does_not_starve_others() {
    const EVENTS: usize = 10_000;
    let taken = Arc::new(AtomicUsize::new(0));
    let journal = Journal::default();
    let (count, seen, note) = (taken.clone(), taken.clone(), journal.clone());
    let router = Router::new()
        .events("/flood", move |_| {
            let count = count.clone();
            stream::repeat("x".repeat(1000))
                .take(EVENTS)
                .inspect(move |_| {
                    count.fetch_add(1, Ordering::Relaxed);
                })
        })
        .events("/other", move |_| {
            let taken = seen.load(Ordering::Relaxed);
            assert!(taken > 0, "the flood came first");
            note.note(if taken < EVENTS { "between" } else { "after" });
            stream::iter(["served"])
        });
    let world = World::new(router);
    // The client of the flood takes everything.
    let mut flood = world.sim.connect_over(usize::MAX).unwrap();
    flood.get("/flood");
    let mut other = world.sim.connect().unwrap();
    other.get("/other");
    world.sim.settle();
    other.read_all();
    assert_eq!(Received::by(&other).body, "data: served\n\n");
    assert_eq!(journal.lines(), ["between"]);
    assert_eq!(taken.load(Ordering::Relaxed), EVENTS);
}

#[test]
fn a_client_that_never_stops_sending_does_not_starve_its_own_stream() {
    let (world, feed) = world();
    let mut client = world.get("/feed");
    for round in 1..=10 {
        while client.send([b'x'; 4096]) > 0 {}
        feed.push("x");
        world.sim.settle();
        client.read_all();
        assert_eq!(Received::by(&client).body, "data: x\n\n".repeat(round));
    }
}

#[test]
#[should_panic(expected = "livelock")]
fn a_task_that_never_waits_fails_its_test() {
    let sim = Sim::new();
    sim.start(std::future::poll_fn(|cx| {
        cx.waker().wake_by_ref();
        Poll::<()>::Pending
    }));
    sim.settle();
}
