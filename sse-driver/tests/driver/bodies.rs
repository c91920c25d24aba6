//! Requests with a body, from the first byte to the handler.

use futures_util::stream;
use sse_driver::{
    ServerConfig,
    router::{Request, Router},
};

use crate::{
    harness::{Feed, Journal, MILLI, Received, World, secs},
    sim::Client,
};

/// `/words` returns the length of its body, `/feed` is fed by the test, and `/panics` panics.
fn world() -> (World, Feed, Journal) {
    let (feed, journal) = (Feed::default(), Journal::default());
    let asked = journal.clone();
    let router = Router::new()
        .post("/words", move |request: Request| {
            asked.note(format!("asked with {} bytes", request.body().len()));
            asked.watch_clean_up(&request);
            stream::iter([request.body().len()])
        })
        .post("/feed", feed.handler(&journal))
        .post("/panics", |_| -> stream::Empty<&str> {
            panic!("on purpose")
        });
    (World::new(router), feed, journal)
}

fn post(world: &World, path: &str, length: usize) -> Client {
    let mut client = world.connect();
    client.send(format!(
        "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"
    ));
    world.sim.settle();
    client
}

#[test]
fn the_handler_is_called_once_the_body_is_there() {
    // This takes more than one read, and arrives byte by byte.
    for (length, step) in [(100_000, 4096), (50, 1)] {
        let (world, _feed, journal) = world();
        let mut client = post(&world, "/words", length);
        let mut left = length;
        while left > 0 {
            assert_eq!(journal.lines(), [""; 0]);
            left -= client.send("x".repeat(left.min(step)));
            world.sim.settle();
        }
        client.read_all();
        let received = Received::by(&client);
        assert_eq!(received.body, format!("data: {length}\n\n"));
        assert!(received.complete);
        assert_eq!(
            journal.lines(),
            [
                format!("asked with {length} bytes"),
                "clean-up: the stream ended".into(),
            ]
        );
        assert_eq!(world.sim.live_tasks(), 1);
    }
}

#[test]
fn a_body_that_arrives_too_slowly_is_refused_without_a_call_of_the_handler() {
    let (world, _feed, journal) = world();
    let mut client = post(&world, "/words", 1000);
    for _ in 0..29 {
        client.send("x");
        world.sim.advance(secs(1));
    }
    client.read_all();
    assert_eq!(client.received(), "");
    world.sim.advance(secs(1));
    client.read_all();
    assert_eq!(Received::by(&client).status, 408);
    world.sim.advance(secs(1));
    assert!(client.at_end());
    assert_eq!(journal.lines(), [""; 0]);
    assert_eq!(world.sim.live_tasks(), 1);
}

#[test]
fn a_client_that_leaves_in_mid_body_leaves_nothing_behind() {
    let (world, _feed, journal) = world();
    let mut client = post(&world, "/words", 1000);
    client.send("some");
    world.sim.settle();
    assert_eq!(world.sim.live_tasks(), 2);
    client.close();
    world.sim.settle();
    assert_eq!(world.sim.live_tasks(), 1);
    assert_eq!(journal.lines(), [""; 0]);
}

#[test]
fn a_shutdown_waits_for_a_body_and_not_for_long() {
    let (world, _feed, journal) = world();
    let mut ready = post(&world, "/words", 4);
    let mut never = post(&world, "/words", 4);
    world.handle.shut_down();
    world.sim.settle();
    ready.send("body");
    world.sim.settle();
    ready.read_all();
    assert_eq!(Received::by(&ready).body, "data: 4\n\n");
    world.sim.advance(secs(10) - MILLI);
    assert!(world.serving.take().is_none());
    world.sim.advance(MILLI);
    never.read_all();
    // The client is told so, and bytes that it may still be sending do not destroy the response.
    assert_eq!(Received::by(&never).status, 503);
    world.sim.advance(secs(1));
    assert!(never.at_end());
    let report = world.report();
    assert_eq!((report.accepted, report.cut), (2, 1));
    assert_eq!(world.sim.live_tasks(), 0);
    assert_eq!(journal.lines()[0], "asked with 4 bytes");
}

#[test]
fn a_stream_after_a_body_is_one_like_any_other() {
    let (world, feed, journal) = world();
    let mut client = post(&world, "/feed", 4);
    client.send("body");
    world.sim.settle();
    feed.push("one");
    world.sim.settle();
    client.read_all();
    assert_eq!(Received::by(&client).body, "data: one\n\n");
    client.close();
    world.sim.settle();
    assert_eq!(
        journal.lines(),
        ["stream dropped", "clean-up: the client went away"]
    );

    let mut panics = post(&world, "/panics", 4);
    panics.send("body");
    world.sim.settle();
    panics.read_all();
    assert_eq!(Received::by(&panics).status, 500);
}

#[test]
fn a_body_that_came_in_time_is_received_by_a_late_executor() {
    const LENGTH: usize = 50_000;
    let (world, _feed, journal) = world();
    let mut client = post(&world, "/words", LENGTH);
    world.sim.advance(secs(29));
    assert_eq!(client.send("x".repeat(LENGTH)), LENGTH);
    world.sim.hold_up(secs(2));
    world.advance(secs(0), &mut client);
    let received = Received::by(&client);
    assert_eq!(received.status, 200);
    assert_eq!(received.body, format!("data: {LENGTH}\n\n"));
    assert_eq!(journal.lines()[0], format!("asked with {LENGTH} bytes"));
}

#[test]
fn a_client_that_sends_without_an_end_does_not_put_the_deadline_off() {
    let mut config = ServerConfig::default();
    config.connection.linger_limit = usize::MAX;
    let router = Router::new().post("/words", |_| stream::iter(["too late"]));
    let world = World::with_config(config, router);
    let mut client = world.sim.connect_over(4 * 1024 * 1024).unwrap();
    client.send("POST /words HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    world.sim.advance(secs(29));
    // There are four thousand bytes for each that counts.
    let chunk = format!("1;{}\r\na\r\n", "e".repeat(4000));
    client.send(chunk.repeat(700) + "0\r\n\r\n");
    world.sim.hold_up(secs(2));
    world.advance(secs(0), &mut client);
    assert_eq!(Received::by(&client).status, 408);
}
