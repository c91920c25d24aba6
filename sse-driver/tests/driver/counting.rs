//! The counters of a server.

use sse_core::{
    Budget,
    http::StatusCode,
    lifecycle::{CloseReason, Deadline},
};
use sse_driver::{
    ServerConfig, ServerStats,
    router::{Refusal, Router},
};

use crate::{
    harness::{Feed, Journal, World, secs},
    sim::Client,
};

fn world(feed: &Feed) -> World {
    let router = Router::new()
        .events("/feed", feed.handler(&Journal::default()))
        .events("/no", |_| {
            Err::<futures_util::stream::Empty<&str>, _>(refusal())
        })
        .events("/oops", |_| -> futures_util::stream::Empty<&str> {
            panic!("oops")
        });
    let mut config = ServerConfig::default();
    config.max_connections = 3;
    // All tests share the budget of the process.
    config.connection.response.budget = Budget::new(Budget::DEFAULT);
    World::with_config(config, router)
}

fn refusal() -> Refusal {
    Refusal::new(StatusCode::FORBIDDEN, "no")
}

fn leave(world: &World, client: Client) {
    client.close();
    world.sim.settle();
}

#[test]
fn every_connection_is_counted_once_with_its_reason() {
    let feed = Feed::default();
    let world = world(&feed);
    let stats = || world.handle.stats();
    assert_eq!(stats(), ServerStats::default());

    let first = world.get("/feed");
    let mut idle = world.connect();
    assert_eq!(
        (stats().accepted, stats().open, stats().requests),
        (2, 2, 1)
    );
    leave(&world, first);
    world.get("/no");
    world.get("/oops");
    world.get("/nowhere");
    world.advance(secs(20), &mut idle);

    let closed = stats().closed;
    let count = |reason| closed.of(&reason);
    assert_eq!(count(CloseReason::ClientWentAway), 1);
    assert_eq!(count(CloseReason::HandlerPanicked), 1);
    assert_eq!(count(CloseReason::TimedOut(Deadline::Head)), 1);
    // These are the refusals of the handler and of the router.
    assert_eq!(count(CloseReason::ResponseSent), 2);
    assert_eq!((closed.total(), stats().open), (5, 0));
    assert_eq!((stats().accepted, stats().requests), (5, 4));
    let by_name: u64 = closed.iter().map(|(_, count)| count).sum();
    assert_eq!(by_name, 5);
}

#[test]
fn those_that_are_refused_are_not_among_the_others() {
    let world = world(&Feed::default());
    let clients: Vec<_> = (0..5).map(|_| world.get("/feed")).collect();
    let stats = world.handle.stats();
    assert_eq!((stats.accepted, stats.turned_away, stats.open), (3, 2, 3));
    for client in clients {
        leave(&world, client);
    }
    let stats = world.handle.stats();
    assert_eq!(
        (stats.open, stats.closed.of(&CloseReason::ClientWentAway)),
        (0, 3)
    );
    assert_eq!(stats.closed.total(), 3, "{:?}", stats.closed);
}

#[test]
fn events_and_bytes_are_counted_and_what_waits_for_a_client() {
    let feed = Feed::default();
    let world = world(&feed);
    let mut client = world.get("/feed");
    let before = world.handle.stats();
    assert_eq!((before.events, before.queued_bytes), (0, 0));
    feed.push("one");
    feed.push("two");
    world.sim.settle();
    let written = client.read_all() as u64;
    let stats = world.handle.stats();
    assert_eq!((stats.events, stats.queued_bytes), (2, 0));
    assert_eq!(stats.written_bytes - before.written_bytes, written);

    // This is more than the network takes.
    feed.push("x".repeat(1 << 20));
    world.sim.settle();
    let queued = world.handle.stats().queued_bytes;
    assert!(queued > 1 << 19, "{queued}");
    world.get("/nowhere");
    assert_eq!(world.handle.stats().queued_bytes, queued);
    leave(&world, client);
    assert_eq!(world.handle.stats().queued_bytes, 0);
}

#[test]
fn a_task_that_is_dropped_is_counted_too() {
    let world = world(&Feed::default());
    let _client = world.get("/feed");
    world.sim.stop();
    let stats = world.handle.stats();
    assert_eq!(stats.closed.of(&CloseReason::TaskDropped), 1);
    assert_eq!(stats.open, 0);
}
