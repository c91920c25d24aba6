//! The handle: reconnecting at once, pausing and resuming from another task.

use std::time::Duration;

use futures_util::FutureExt;
use sse_core::client::Phase;
use sse_driver::router::Router;

use crate::{
    harness::{Feed, Journal, MILLI, World, secs},
    sim::Sim,
    subscriber::{Subscriber, source, source_with},
};

fn world() -> (World, Feed, Journal) {
    let (feed, journal) = (Feed::default(), Journal::default());
    let router = Router::new().events("/feed", feed.handler(&journal));
    (World::new(router), feed, journal)
}

const OPENS: [&str; 2] = ["dials sim:80", "open: 200 OK"];

const REPLACED: &str = "lost: the application asked for another connection";

#[test]
fn an_open_stream_is_asked_for_again_at_once() {
    let (world, feed, journal) = world();
    let source = source(&world.sim, "/feed");
    let handle = source.handle();
    let subscriber = Subscriber::new(&world.sim, source);
    assert_eq!(subscriber.notes(), OPENS);
    world.sim.advance(secs(10));
    subscriber.notes();
    feed.push("before");
    world.sim.settle();
    handle.reconnect();
    world.sim.advance(MILLI);
    let notes = subscriber.notes();
    assert_eq!(notes[..3], ["event: before", "hangs up", REPLACED]);
    assert_eq!(notes[3..], OPENS);
    assert_eq!(
        journal.lines(),
        ["stream dropped", "clean-up: the client went away"]
    );
}

#[test]
fn a_wait_is_cut_short_when_the_network_is_back() {
    let sim = Sim::new();
    let source = source(&sim, "/feed");
    let handle = source.handle();
    let subscriber = Subscriber::new(&sim, source);
    // The waits have become long.
    sim.advance(secs(3600));
    subscriber.notes();
    let feed = Feed::default();
    let router = Router::new().events("/feed", feed.handler(&Journal::default()));
    let server = sse_driver::Server::new(sim.clone(), sim.listen());
    let _serving = sim.start(server.serve(router));
    handle.reconnect();
    sim.advance(secs(1));
    assert_eq!(subscriber.notes().last().unwrap(), OPENS[1]);
}

#[test]
fn however_often_one_asks_attempts_keep_their_distance() {
    let sim = Sim::new();
    let source = source(&sim, "/feed");
    let handle = source.handle();
    let subscriber = Subscriber::new(&sim, source);
    for _ in 0..1000 {
        handle.reconnect();
        sim.settle();
        handle.pause();
        sim.settle();
        handle.resume();
        sim.advance(10 * MILLI);
    }
    let notes = subscriber.notes();
    let dials = notes.iter().filter(|note| *note == OPENS[0]).count();
    assert!((8..=11).contains(&dials), "{dials} in 10 s");
}

#[test]
fn a_pause_closes_the_connection_and_resuming_goes_on() {
    let (world, feed, journal) = world();
    let source = source(&world.sim, "/feed");
    let handle = source.handle();
    let subscriber = Subscriber::new(&world.sim, source);
    world.sim.advance(secs(10));
    subscriber.notes();
    feed.push("before");
    world.sim.settle();
    handle.pause();
    world.sim.settle();
    assert_eq!(subscriber.notes(), ["event: before", "hangs up", "Paused"]);
    assert_eq!(
        journal.lines().last().unwrap(),
        "clean-up: the client went away"
    );
    // While it is paused, it costs nothing and does nothing.
    let polls = world.sim.polls();
    world.sim.advance(secs(100_000));
    assert_eq!(world.sim.polls(), polls);
    handle.pause();
    handle.reconnect();
    world.sim.advance(secs(100));
    assert!(subscriber.notes().is_empty());
    assert_eq!(world.sim.live_timers(), 0);

    handle.resume();
    world.sim.settle();
    assert_eq!(subscriber.notes(), OPENS);
    // Calls that cancel each other between two polls have no effect.
    handle.pause();
    handle.resume();
    world.sim.advance(secs(1));
    assert!(subscriber.notes().is_empty());
}

#[test]
fn a_pause_comes_in_every_phase_and_so_does_the_end_after_it() {
    let sim = Sim::new();
    // This is before the first poll.
    let paused = source(&sim, "/");
    let handle = paused.handle();
    handle.pause();
    let subscriber = Subscriber::new(&sim, paused);
    assert_eq!(subscriber.notes(), ["Paused"]);
    handle.close();
    sim.settle();
    assert_eq!(subscriber.notes(), ["over: the application closed it"]);
    let source_after = subscriber.job.take().expect("it is over");
    assert_eq!(source_after.phase(), Phase::Closed);
    // It is over, whatever is asked for.
    handle.resume();
    handle.reconnect();
    let mut source_after = source_after;
    assert!(source_after.next_update().now_or_never().unwrap().is_none());

    // It is connecting, or waiting.
    for swallows in [true, false] {
        let sim = Sim::new();
        if swallows {
            sim.swallow_dials();
        }
        let paused = source(&sim, "/");
        let handle = paused.handle();
        let subscriber = Subscriber::new(&sim, paused);
        subscriber.notes();
        handle.pause();
        sim.settle();
        assert_eq!(subscriber.notes().last().unwrap(), "Paused");
        assert_eq!(sim.live_timers(), 0);
    }
}

#[test]
fn a_pause_drops_the_hooks_work_and_the_hook_is_asked_again() {
    let (world, ..) = world();
    let mut asked = 0;
    let source = source(&world.sim, "/feed").prepare(move |attempt| {
        asked += 1;
        let asked = asked;
        async move {
            match asked {
                1 => std::future::pending().await,
                _ => attempt,
            }
        }
    });
    let handle = source.handle();
    let subscriber = Subscriber::new(&world.sim, source);
    handle.pause();
    world.sim.settle();
    assert_eq!(subscriber.notes(), ["prepares 1", "Paused"]);
    handle.resume();
    world.sim.advance(secs(2));
    let notes = subscriber.notes();
    assert_eq!(notes[0], "prepares 1");
    assert_eq!(notes[1..], OPENS);
}

#[test]
fn a_request_that_is_made_once_is_not_paused() {
    let (world, feed, _) = world();
    let source = source_with(&world.sim, "/feed", |config| config.reconnection = None);
    let handle = source.handle();
    let subscriber = Subscriber::new(&world.sim, source);
    handle.pause();
    handle.reconnect();
    world.sim.advance(Duration::from_millis(1));
    feed.push("on and on");
    world.sim.settle();
    assert_eq!(subscriber.notes().last().unwrap(), "event: on and on");
}

#[test]
fn an_event_source_that_is_dropped_leaves_a_handle_that_does_nothing() {
    let sim = Sim::new();
    let source = source(&sim, "/");
    let handle = source.handle();
    let subscriber = Subscriber::new(&sim, source);
    subscriber.job.cancel();
    sim.settle();
    handle.reconnect();
    handle.pause();
    handle.resume();
    handle.close();
    sim.settle();
    assert_eq!((sim.live_tasks(), sim.live_timers()), (0, 0));
}
