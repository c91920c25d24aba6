//! A server whose shared memory is used up.

use futures_util::stream;
use sse_core::{Budget, http::StatusCode, lifecycle::CloseReason};
use sse_driver::{
    ServerConfig,
    router::{Request, Router},
};

use crate::{
    harness::{Journal, Received, World},
    sim::Client,
};

const KIB: usize = 1024;

fn world(budget: &Budget) -> (World, Journal) {
    let journal = Journal::default();
    let mut config = ServerConfig::default();
    config.connection.response.budget = budget.clone();
    let (long, posts) = (journal.clone(), journal.clone());
    let router = Router::new()
        .events("/long", move |request: Request| {
            long.watch_clean_up(&request);
            stream::iter((0..200).map(|n| format!("{n:03} {}", "x".repeat(KIB))))
        })
        .post("/", move |request: Request| {
            posts.note(format!("{} bytes", request.body().len()));
            stream::iter(["thanks"])
        });
    (World::with_config(config, router), journal)
}

/// Returns a client of a large stream, with little room on the way.
fn slow_client(world: &World) -> Client {
    let mut client = world.sim.connect_over(512).unwrap();
    client.get("/long");
    world.sim.settle();
    client
}

#[test]
fn clients_that_do_not_read_have_their_streams_wait_and_lose_nothing() {
    let budget = Budget::new(256 * KIB);
    let (world, journal) = world(&budget);
    // All of them are there before the first takes its share.
    let connect = |_| world.sim.connect_over(512).unwrap();
    let mut clients: Vec<_> = (0..20).map(connect).collect();
    world.sim.settle();
    for client in &mut clients {
        client.get("/long");
    }
    world.sim.settle();
    let used = world.handle.stats().budget;
    // Without the budget each would queue 64 KiB: 1,280 KiB in all.
    let one_event_each = 20 * 4 * KIB;
    assert!(
        (250 * KIB..256 * KIB + one_event_each).contains(&used.queued),
        "{used:?}"
    );
    assert_eq!(used, budget.used());

    // They read nevertheless, the last ones first, and each gets everything.
    for client in clients.iter_mut().rev() {
        while client.read_all() > 0 {
            world.sim.settle();
        }
        let received = Received::by(client);
        assert!(received.complete);
        let numbers = received.body.lines().filter_map(|line| line.get(6..9));
        assert!(numbers.eq((0..200).map(|n| format!("{n:03}"))));
    }
    assert_eq!(journal.lines(), vec!["clean-up: the stream ended"; 20]);
    assert_eq!(world.handle.stats().budget.total(), 0);
}

#[test]
fn newcomers_are_refused_while_all_of_it_is_used() {
    let budget = Budget::new(64 * KIB);
    let (world, _) = world(&budget);
    let slow = slow_client(&world);
    assert!(budget.is_exhausted());
    let refused = world.get("/nowhere");
    assert_eq!(Received::by(&refused).status, 503);
    assert!(Received::by(&refused).field("retry-after").is_some());
    assert_eq!(world.handle.open_connections(), 1);
    slow.close();
    world.sim.settle();
    assert_eq!(budget.used().total(), 0);
    assert_eq!(Received::by(&world.get("/nowhere")).status, 404);
}

#[test]
fn uploads_that_stall_are_refused_beyond_their_share_and_keep_no_client_out() {
    let budget = Budget::new(1024 * KIB);
    let (world, journal) = world(&budget);
    let mut uploads = Vec::new();
    for _ in 0..40 {
        let mut client = world.connect();
        client.send("POST / HTTP/1.1\r\nhost: sim\r\ncontent-length: 20000\r\n\r\n");
        client.send([b'x'; 19_999]);
        world.sim.settle();
        uploads.push(client);
    }
    let used = budget.used();
    assert!(
        used.bodies <= 256 * KIB && used.bodies > 200 * KIB,
        "{used:?}"
    );
    let mut refused = 0;
    for client in &mut uploads {
        client.read_all();
        if !client.received().is_empty() {
            let received = Received::by(client);
            assert_eq!(received.status, 503);
            assert!(
                received.body.contains("request bodies"),
                "{}",
                received.body
            );
            refused += 1;
        }
    }
    assert_eq!(refused, 40 - 256 * KIB / 20_000);
    // Other streams are not affected.
    let mut reader = world.get("/long");
    while reader.read_all() > 0 {
        world.sim.settle();
    }
    assert!(Received::by(&reader).complete);

    // An upload that was accepted completes.
    let first = &mut uploads[0];
    first.send("x");
    world.sim.settle();
    first.read_all();
    assert_eq!(Received::by(first).body, "data: thanks\n\n");
    assert!(journal.lines().contains(&"20000 bytes".to_owned()));
    uploads.into_iter().for_each(Client::close);
    world.sim.settle();
    assert_eq!(budget.used().total(), 0);
    let reason = CloseReason::Rejected(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(world.handle.stats().closed.of(&reason), refused as u64);
}
