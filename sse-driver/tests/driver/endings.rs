//! Every way in which a connection ends; clean-up runs once on each of them.

use std::{collections::BTreeMap, future};

use futures_util::{StreamExt, stream};
use sse_core::{Json, http::StatusCode};
use sse_driver::{
    Lifetime, ServerConfig,
    router::{Reply, Router},
};

use crate::{
    harness::{Feed, Journal, MILLI, Received, World, secs},
    sim::Client,
};

/// A server with a feed at `/feed`.
fn feed_world() -> (World, Feed, Journal) {
    let (feed, journal) = (Feed::default(), Journal::default());
    let world = World::new(Router::new().events("/feed", feed.handler(&journal)));
    (world, feed, journal)
}

#[test]
fn a_stream_that_ends_is_delivered_then_closed_then_cleaned_up() {
    let (world, feed, journal) = feed_world();
    let mut client = world.get("/feed");
    journal.watch_socket(&client);
    feed.push("Hello, world!");
    world.sim.settle();
    feed.push("Goodbye, world!");
    feed.end();
    world.sim.settle();
    client.read_all();

    let received = Received::by(&client);
    assert_eq!(received.status, 200);
    assert_eq!(received.field("content-type"), Some("text/event-stream"));
    assert_eq!(
        received.body,
        "data: Hello, world!\n\ndata: Goodbye, world!\n\n"
    );
    assert!(received.complete);
    assert!(client.at_end());
    assert!(!client.was_reset());
    assert_eq!(
        journal.lines(),
        [
            "stream dropped",
            "socket closed",
            "clean-up: the stream ended"
        ]
    );
    // The server continues.
    assert_eq!(world.sim.live_tasks(), 1);
    assert_eq!(world.handle.open_connections(), 0);
}

#[test]
fn a_client_that_goes_away_is_noticed_while_the_stream_is_idle() {
    let ways: [fn(Client); 3] = [
        Client::close,
        Client::reset,
        // The client stays, and reads.
        |mut client| client.half_close(),
    ];
    for leave in ways {
        let (world, _feed, journal) = feed_world();
        let client = world.get("/feed");
        journal.watch_socket(&client);
        assert_eq!(world.handle.open_connections(), 1);

        leave(client);
        world.sim.settle();
        assert_eq!(
            journal.lines(),
            [
                "stream dropped",
                "socket closed",
                "clean-up: the client went away"
            ]
        );
        assert_eq!(world.handle.open_connections(), 0);
        assert_eq!(world.sim.live_tasks(), 1);
    }
}

#[test]
fn a_client_that_goes_away_while_the_handler_decides_ends_the_handler() {
    let journal = Journal::default();
    let inner = journal.clone();
    let router = Router::new().events("/", move |request| {
        inner.watch_clean_up(&request);
        let held = Held(inner.clone());
        async move {
            let _held = held;
            future::pending::<()>().await;
            stream::pending::<String>()
        }
    });
    let world = World::new(router);
    let client = world.get("/");
    assert_eq!(client.received(), "");

    client.close();
    world.sim.settle();
    assert_eq!(
        journal.lines(),
        ["handler dropped", "clean-up: the client went away"]
    );
}

/// Logs its drop.
struct Held(Journal);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.note("handler dropped");
    }
}

#[test]
fn a_handler_that_panics_at_once_is_answered_500() {
    let journal = Journal::default();
    let inner = journal.clone();
    let router = Router::new().events("/", move |request| {
        inner.watch_clean_up(&request);
        if request.clean_up().reason().is_none() {
            panic!("expected in this test");
        }
        stream::pending::<String>()
    });
    assert_panic_is_answered(World::new(router), &journal);
}

#[test]
fn a_handler_that_panics_while_it_decides_is_answered_500() {
    let journal = Journal::default();
    let inner = journal.clone();
    let router = Router::new().events("/", move |request| {
        inner.watch_clean_up(&request);
        async move {
            if request.clean_up().reason().is_none() {
                panic!("expected in this test");
            }
            stream::pending::<String>()
        }
    });
    assert_panic_is_answered(World::new(router), &journal);
}

fn assert_panic_is_answered(world: World, journal: &Journal) {
    let client = world.get("/");
    let received = Received::by(&client);
    assert_eq!(received.status, 500);
    assert!(client.at_end());
    assert_eq!(journal.lines(), ["clean-up: the handler panicked"]);
    // The server continues.
    assert_eq!(Received::by(&world.get("/elsewhere")).status, 404);
}

#[test]
fn a_stream_that_panics_breaks_off_after_what_it_yielded() {
    let journal = Journal::default();
    let inner = journal.clone();
    let router = Router::new().events("/", move |request| {
        inner.watch_clean_up(&request);
        stream::iter(0..5).inspect(|n| assert!(*n < 2, "expected in this test"))
    });
    let world = World::new(router);
    let client = world.get("/");

    let received = Received::by(&client);
    assert_eq!(received.body, "data: 0\n\ndata: 1\n\n");
    assert!(!received.complete);
    assert!(client.at_end());
    assert_eq!(journal.lines(), ["clean-up: the handler panicked"]);
    assert_eq!(world.sim.live_tasks(), 1);
}

#[test]
fn a_stream_that_panics_when_it_is_dropped_does_no_harm() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("expected in this test");
        }
    }
    let journal = Journal::default();
    let (at_end, at_close) = (journal.clone(), journal.clone());
    let router = Router::new()
        .events("/end", move |request| {
            at_end.watch_clean_up(&request);
            let bomb = Bomb;
            stream::iter(["a"]).inspect(move |_| assert_eq!(size_of_val(&bomb), 0))
        })
        .events("/close", move |request| {
            at_close.watch_clean_up(&request);
            let bomb = Bomb;
            stream::pending::<String>().inspect(move |_| assert_eq!(size_of_val(&bomb), 0))
        });
    let world = World::new(router);

    let client = world.get("/end");
    let received = Received::by(&client);
    assert_eq!(received.body, "data: a\n\n");
    assert!(client.at_end());
    world.get("/close").close();
    world.sim.settle();
    assert_eq!(
        journal.lines(),
        [
            "clean-up: the handler panicked",
            "clean-up: the client went away"
        ]
    );
    assert_eq!(world.handle.open_connections(), 0);
    assert_eq!(world.sim.live_tasks(), 1);
}

#[test]
fn a_stream_that_fails_breaks_off_with_the_errors_text() {
    let (world, feed, journal) = feed_world();
    let mut client = world.get("/feed");
    feed.push("a");
    feed.fail("the database is gone");
    feed.push("never sent");
    world.sim.settle();
    client.read_all();

    let received = Received::by(&client);
    assert_eq!(received.body, "data: a\n\n");
    assert!(!received.complete);
    assert!(client.at_end());
    assert_eq!(
        journal.lines(),
        [
            "stream dropped",
            "clean-up: the stream failed: the database is gone"
        ]
    );
}

#[test]
fn an_item_that_has_no_json_ends_the_stream() {
    let journal = Journal::default();
    let inner = journal.clone();
    let router = Router::new().events("/", move |request| {
        inner.watch_clean_up(&request);
        // A JSON object's names are strings.
        stream::iter([Json(BTreeMap::from([((1, 2), 3)]))])
    });
    let world = World::new(router);
    let client = world.get("/");

    assert!(!Received::by(&client).complete);
    assert!(client.at_end());
    let lines = journal.lines();
    assert_eq!(lines.len(), 1);
    assert!(
        lines[0].starts_with("clean-up: the stream failed: the value cannot be serialised"),
        "{lines:?}"
    );
}

#[test]
fn an_interim_status_is_not_a_response() {
    let (feed, journal) = (Feed::default(), Journal::default());
    let handler = feed.handler(&journal);
    let router = Router::new().events("/", move |request| {
        Reply::events(handler(request)).with_status(StatusCode::EARLY_HINTS)
    });
    let world = World::new(router);
    let client = world.get("/");
    assert_eq!(Received::by(&client).status, 500);
    assert!(client.at_end());
    let lines = journal.lines();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0], "stream dropped");
    assert!(lines[1].contains("103"), "{lines:?}");
}

#[test]
fn a_handler_that_takes_too_long_is_dropped_and_answered_503() {
    let journal = Journal::default();
    let inner = journal.clone();
    let router = Router::new().events("/", move |request| {
        inner.watch_clean_up(&request);
        let held = Held(inner.clone());
        async move {
            let _held = held;
            future::pending::<()>().await;
            stream::pending::<String>()
        }
    });
    let world = World::new(router);
    let mut client = world.get("/");
    world.advance(secs(30) - MILLI, &mut client);
    assert_eq!(client.received(), "");
    world.advance(MILLI, &mut client);
    assert_eq!(Received::by(&client).status, 503);
    assert_eq!(
        journal.lines(),
        [
            "handler dropped",
            "clean-up: the handler did not answer in time"
        ]
    );
}

#[test]
fn connections_leave_nothing_behind() {
    let (world, feed, journal) = feed_world();
    let (feeds, journals) = (feed.holders(), journal.holders());
    for _ in 0..50 {
        let mut finished = world.get("/feed");
        feed.end();
        world.sim.settle();
        finished.read_all();
        assert!(Received::by(&finished).complete);
        feed.start_again();

        world.get("/feed").close();
        world.get("/feed").reset();
        world.get("/feed").half_close();
        world.get("/nowhere").close();
        world.connect().close();
        world.get("/feed").vanish();
        world.sim.advance(secs(60));
    }
    assert_eq!(journal.lines().len(), 50 * 5 * 2);
    assert_eq!(world.handle.open_connections(), 0);
    assert_eq!(world.sim.live_tasks(), 1);
    assert_eq!(world.sim.live_timers(), 0);
    assert_eq!((feed.holders(), journal.holders()), (feeds, journals));
}

#[test]
fn dropping_the_server_ends_every_connection() {
    let (world, _feed, journal) = feed_world();
    let client = world.get("/feed");
    let silent = world.connect();

    world.serving.cancel();
    world.sim.settle();
    assert_eq!(
        journal.lines(),
        ["stream dropped", "clean-up: the server was shut down"]
    );
    assert!(client.at_end());
    assert!(silent.at_end());
    assert!(!Received::by(&client).complete);
    assert_eq!(world.sim.live_tasks(), 0);
    assert!(world.sim.connect().is_none());
}

#[test]
fn dropping_the_runtime_runs_clean_up() {
    let (world, _feed, journal) = feed_world();
    let clients = [world.get("/feed"), world.get("/feed")];
    let silent = world.connect();
    journal.watch_socket(&clients[1]);

    world.sim.stop();
    let mut lines = journal.lines();
    lines.sort();
    assert_eq!(
        lines,
        [
            "clean-up: the connection's task was dropped",
            "clean-up: the connection's task was dropped",
            "socket closed",
            "stream dropped",
            "stream dropped",
        ]
    );
    assert!(clients.iter().all(Client::at_end));
    assert!(silent.at_end());
    assert_eq!(world.sim.live_tasks(), 0);
}

#[test]
fn a_stream_lasts_no_longer_than_its_lifetime() {
    let (feed, journal) = (Feed::default(), Journal::default());
    let router = Router::new().events("/feed", feed.handler(&journal));
    let mut config = ServerConfig::default();
    config.lifetime = Some(Lifetime::at_most(secs(60)).with_jitter(secs(10)));
    let world = World::with_config(config, router);
    let mut client = world.get("/feed");
    feed.push("one");
    world.advance(secs(49), &mut client);
    assert!(!client.at_end());
    world.advance(secs(12), &mut client);

    client.read_all();
    let received = Received::by(&client);
    assert!(received.complete, "{}", client.received());
    assert!(
        journal
            .lines()
            .contains(&"clean-up: the stream lasted as long as it may".to_owned())
    );
}
