//! Clients that are slow, stalled or vanished, and streams without events.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use futures_util::{StreamExt, stream};
use sse_driver::{ServerConfig, router::Router};

use crate::harness::{Feed, Journal, MILLI, Received, World, secs};

#[test]
fn a_stream_that_is_always_ready_lets_others_run() {
    let (taken, count) = (Arc::<Mutex<Vec<u64>>>::default(), AtomicU64::new(0));
    let log = taken.clone();
    let router = Router::new().events("/flood", move |_| {
        let (log, client) = (log.clone(), count.fetch_add(1, Ordering::Relaxed));
        stream::repeat_with(move || log.lock().unwrap().push(client))
            .map(|()| "x")
            .take(5000)
    });
    let mut config = ServerConfig::default();
    // There is room for all of it.
    config.connection.response.high_water_mark = 1 << 20;
    let world = World::with_config(config, router);
    let mut clients = [world.connect(), world.connect()];
    clients.iter_mut().for_each(|client| client.get("/flood"));
    world.sim.settle();
    let taken = taken.lock().unwrap();
    let first_of_the_other = taken.iter().position(|client| *client == 1);
    assert!(
        first_of_the_other.is_some_and(|at| at < 5000),
        "{first_of_the_other:?}"
    );
}

#[test]
fn a_stalled_reader_stops_its_stream_and_is_cut_and_delays_no_other() {
    const EVENT: usize = 1024;
    const IN_FLIGHT: usize = 4096;
    let (taken, feed, journal) = (
        Arc::new(AtomicUsize::new(0)),
        Feed::default(),
        Journal::default(),
    );
    let (count, inner) = (taken.clone(), journal.clone());
    let router = Router::new()
        .events("/feed", feed.handler(&Journal::default()))
        .events("/flood", move |request| {
            inner.watch_clean_up(&request);
            let count = count.clone();
            stream::repeat_with(move || {
                count.fetch_add(1, Ordering::Relaxed);
                // With its field's name and line ends this is an event of 1 KiB.
                "x".repeat(EVENT - "data: \n\n".len())
            })
        });
    let config = ServerConfig::default();
    let most = config.connection.response.high_water_mark + IN_FLIGHT + EVENT;
    let world = World::with_config(config, router);
    let mut other = world.get("/feed");

    let mut stalled = world.sim.connect_over(IN_FLIGHT).unwrap();
    stalled.get("/flood");
    world.sim.settle();
    let first = taken.load(Ordering::Relaxed);
    assert!(first * EVENT <= most, "{first} events were taken");
    assert!(
        first * EVENT > IN_FLIGHT,
        "there was room for more than {first}"
    );

    world.sim.advance(secs(10));
    feed.push("on time");
    world.sim.settle();
    other.read_all();
    assert_eq!(Received::by(&other).body, "data: on time\n\n");

    world.sim.advance(secs(20) - MILLI);
    assert_eq!(taken.load(Ordering::Relaxed), first);
    assert_eq!(journal.lines(), [] as [&str; 0]);
    world.sim.advance(MILLI);
    assert_eq!(
        journal.lines(),
        ["clean-up: the client took no bytes for too long"]
    );
    assert!(stalled.server_side().is_closed());
    assert_eq!(taken.load(Ordering::Relaxed), first);
    assert_eq!(world.handle.open_connections(), 1);
}

#[test]
fn a_slow_reader_that_makes_progress_is_not_cut() {
    let (feed, journal) = (Feed::default(), Journal::default());
    let world = World::new(Router::new().events("/", feed.handler(&journal)));
    let mut client = world.sim.connect_over(512).unwrap();
    client.get("/");
    feed.push("x".repeat(4096));
    world.sim.settle();
    for _ in 0..20 {
        assert_eq!(client.read(16), 16);
        world.sim.advance(secs(29));
    }
    assert_eq!(journal.lines(), [] as [&str; 0]);
}

#[test]
fn a_response_arrives_byte_by_byte() {
    let (feed, journal) = (Feed::default(), Journal::default());
    let world = World::new(Router::new().events("/", feed.handler(&journal)));
    feed.push("a");
    feed.push("b");
    feed.end();
    let mut client = world.sim.connect_over(1).unwrap();
    for byte in b"GET / HTTP/1.1\r\nHost: sim\r\n\r\n" {
        assert_eq!(client.send([*byte]), 1);
        world.sim.settle();
    }
    while client.read(1) == 1 {
        world.sim.settle();
    }
    let received = Received::by(&client);
    assert_eq!(received.body, "data: a\n\ndata: b\n\n");
    assert!(received.complete);
    assert!(client.at_end());
    assert_eq!(
        journal.lines(),
        ["stream dropped", "clean-up: the stream ended"]
    );
}

#[test]
fn a_vanished_client_is_found_by_keep_alive_and_stall() {
    let (feed, journal) = (Feed::default(), Journal::default());
    let world = World::new(Router::new().events("/", feed.handler(&journal)));
    world.get("/").vanish();
    // The client does not take the comment, and then stalls.
    world.sim.advance(secs(15 + 30) - MILLI);
    assert_eq!(journal.lines(), [] as [&str; 0]);
    world.sim.advance(MILLI);
    assert_eq!(
        journal.lines(),
        [
            "stream dropped",
            "clean-up: the client took no bytes for too long"
        ]
    );
    assert_eq!(world.sim.live_tasks(), 1);
}

#[test]
fn an_idle_stream_gets_comments_and_a_busy_one_none() {
    let (feed, journal) = (Feed::default(), Journal::default());
    let world = World::new(Router::new().events("/", feed.handler(&journal)));
    let mut client = world.get("/");
    world.advance(secs(15) - MILLI, &mut client);
    assert_eq!(Received::by(&client).body, "");
    world.advance(MILLI, &mut client);
    assert_eq!(Received::by(&client).body, ":\n");
    world.advance(secs(10), &mut client);
    feed.push("a");
    // These are fifteen seconds from the event, not from the comment.
    world.advance(secs(15) - MILLI, &mut client);
    assert_eq!(Received::by(&client).body, ":\ndata: a\n\n");
    world.advance(MILLI, &mut client);
    assert_eq!(Received::by(&client).body, ":\ndata: a\n\n:\n");
    assert_eq!(journal.lines(), [] as [&str; 0]);
}

#[test]
fn a_client_that_takes_bytes_is_not_cut_by_a_late_executor() {
    let (feed, journal) = (Feed::default(), Journal::default());
    let world = World::new(Router::new().events("/", feed.handler(&journal)));
    let mut client = world.sim.connect_over(512).unwrap();
    client.get("/");
    feed.push("x".repeat(2048));
    world.sim.settle();
    // There is room from here on, but the server's task does not run before its deadline has passed.
    assert_eq!(client.read(512), 512);
    world.sim.hold_up(secs(40));
    world.sim.advance(secs(0));
    assert_eq!(journal.lines(), [] as [&str; 0]);
    while client.read_all() > 0 {
        world.sim.settle();
    }
    assert_eq!(Received::by(&client).body.len(), "data: \n\n".len() + 2048);

    // A client that takes no bytes is cut, however late that is noticed.
    feed.push("x".repeat(2048));
    world.sim.settle();
    world.sim.hold_up(secs(40));
    world.sim.advance(secs(0));
    let over = [
        "stream dropped",
        "clean-up: the client took no bytes for too long",
    ];
    assert_eq!(journal.lines(), over);
}
