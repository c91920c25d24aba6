//! Accepting connections: the limit, errors, and clients that send their request slowly.

use std::{collections::BTreeSet, future::poll_fn, io, time::Duration};

use sse_core::http::Response;
use sse_driver::{Clock, Runtime, Server, ServerConfig, Timer, router::Router};

use crate::{
    harness::{Feed, Journal, MILLI, Received, World, secs},
    sim::{Client, Sim},
};

fn world(change: impl FnOnce(&mut ServerConfig)) -> (World, Feed, Journal) {
    let (feed, journal) = (Feed::default(), Journal::default());
    let mut config = ServerConfig::default();
    change(&mut config);
    let router = Router::new().events("/feed", feed.handler(&journal));
    (World::with_config(config, router), feed, journal)
}

#[test]
fn at_the_limit_new_clients_are_refused_and_no_client_is_evicted() {
    let (world, feed, journal) = world(|config| config.max_connections = 2);
    let mut first = world.get("/feed");
    let second = world.get("/feed");

    let mut waits = BTreeSet::new();
    for _ in 0..20 {
        let refused = world.get("/feed");
        let received = Received::by(&refused);
        assert_eq!(received.status, 503);
        let wait = received.field("retry-after").expect("a Retry-After");
        waits.insert(wait.parse::<u64>().expect("a number of seconds"));
        assert!(refused.at_end());
        refused.close();
        world.sim.settle();
    }
    assert!(
        waits.iter().all(|wait| (1..=10).contains(wait)),
        "{waits:?}"
    );
    assert!(waits.len() > 3, "newcomers come back together: {waits:?}");
    assert_eq!(world.handle.open_connections(), 2);
    feed.push("still here");
    world.sim.settle();
    first.read_all();
    assert!(!first.at_end() && !second.at_end());

    second.close();
    world.sim.settle();
    assert_eq!(Received::by(&world.get("/feed")).status, 200);
    assert_eq!(
        journal.lines(),
        ["stream dropped", "clean-up: the client went away"]
    );

    world.handle.cut();
    world.sim.settle();
    let report = world.report();
    assert_eq!(
        (report.accepted, report.turned_away, report.cut),
        (3, 20, 2)
    );
}

#[test]
fn newcomers_that_do_not_leave_are_closed_without_a_word_past_64() {
    let (world, ..) = world(|config| config.max_connections = 0);
    let mut clients: Vec<Client> = (0..70).map(|_| world.connect()).collect();
    let answered = clients.iter_mut().filter_map(|client| {
        client.read_all();
        assert!(client.at_end());
        (!client.received().is_empty()).then(|| Received::by(client))
    });
    let statuses: Vec<u16> = answered.map(|received| received.status).collect();
    assert_eq!(statuses, [503; 64]);
    // They are waited for, but not for long.
    assert_eq!(world.sim.live_tasks(), 1 + 64);
    world.sim.advance(secs(1));
    assert_eq!(world.sim.live_tasks(), 1);
    assert_eq!(Received::by(&world.get("/feed")).status, 503);
}

#[test]
fn running_out_of_file_descriptors_is_survived() {
    let (world, ..) = world(|_| ());
    for _ in 0..12 {
        // This is the kind of EMFILE in the standard library.
        world.sim.fail_accept(io::ErrorKind::Other);
    }
    let mut client = world.sim.connect().unwrap();
    client.get("/feed");
    world.sim.advance(secs(60));

    let times = world.sim.accept_times();
    let waits: Vec<u128> = times
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).as_millis())
        .collect();
    assert_eq!(
        waits,
        [10, 20, 40, 80, 160, 320, 640, 1000, 1000, 1000, 1000, 1000]
    );
    client.read_all();
    assert_eq!(Received::by(&client).status, 200);

    // After a success the wait starts small again.
    world.sim.fail_accept(io::ErrorKind::Other);
    let before = world.sim.elapsed();
    let _next = world.sim.connect().unwrap();
    world.sim.advance(secs(1));
    assert_eq!(
        world.sim.accept_times().last(),
        Some(&(before + Duration::from_millis(10)))
    );
    world.handle.cut();
    world.sim.settle();
    assert_eq!(world.report().accept_errors, 13);
}

#[test]
fn a_connection_that_was_gone_before_it_was_accepted_delays_no_other() {
    let (world, ..) = world(|_| ());
    for kind in [
        io::ErrorKind::ConnectionAborted,
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::ConnectionRefused,
        io::ErrorKind::Interrupted,
    ] {
        for _ in 0..25 {
            world.sim.fail_accept(kind);
        }
    }
    let client = world.get("/feed");
    assert_eq!(Received::by(&client).status, 200);
    assert_eq!(world.sim.elapsed(), Duration::ZERO);
}

/// Returns how many newcomers go first, where a flood of them begins with an event for a client of a
/// server that has so many of them.
fn newcomers_before_the_next_write(clients: usize) -> usize {
    let (world, feed, _) = world(|_| ());
    let clients: Vec<_> = (0..clients).map(|_| world.get("/feed")).collect();
    let writes = || {
        clients
            .iter()
            .map(|client| client.server_side().writes())
            .sum::<u64>()
    };
    let (written, accepted) = (writes(), world.sim.accept_times().len());
    for _ in 0..1000 {
        world.sim.fail_accept(io::ErrorKind::ConnectionAborted);
    }
    feed.push("a");
    while writes() == written {
        assert!(world.sim.step(), "the event is sent in the end");
    }
    world.sim.accept_times().len() - accepted
}

#[test]
fn a_flood_of_newcomers_lets_others_have_the_thread() {
    let meanwhile = newcomers_before_the_next_write(1);
    assert!(meanwhile < 100, "{meanwhile} newcomers went first");
}

#[test]
fn a_flood_of_newcomers_does_not_wait_a_turn_of_many_connections_for_each_few() {
    let meanwhile = newcomers_before_the_next_write(800);
    assert!(
        (64..=200).contains(&meanwhile),
        "{meanwhile} newcomers went first"
    );
}

#[test]
fn a_slow_head_is_answered_408() {
    let (world, ..) = world(|_| ());
    let mut client = world.connect();
    for byte in b"GET /feed HTTP/1.1\r\nHost: sim\r\n"
        .iter()
        .cycle()
        .take(9)
    {
        client.send([*byte]);
        world.sim.advance(secs(1));
    }
    client.read_all();
    assert_eq!(client.received(), "");
    world.sim.advance(secs(1) - MILLI);
    client.read_all();
    assert_eq!(client.received(), "");
    world.sim.advance(MILLI);
    client.read_all();
    assert_eq!(Received::by(&client).status, 408);
    assert!(client.at_end());
    client.close();
    world.sim.settle();
    assert_eq!(world.handle.open_connections(), 0);
}

#[test]
fn a_silent_connection_is_closed_by_the_same_deadline() {
    let (world, ..) = world(|_| ());
    let mut client = world.connect();
    world.sim.advance(secs(10) - MILLI);
    assert_eq!(world.handle.open_connections(), 1);
    world.sim.advance(MILLI);
    assert_eq!(world.handle.open_connections(), 0);
    assert!(client.server_side().is_closed());
    assert_eq!(client.read_all(), 0);
}

#[test]
fn a_late_executor_sees_that_a_client_has_gone_behind_its_request() {
    let (world, _feed, journal) = world(|_| ());
    let mut client = world.connect();
    // This takes more than one read.
    let field = "x".repeat(5000);
    client.send(format!(
        "GET /feed HTTP/1.1\r\nHost: a\r\nX: {field}\r\n\r\n"
    ));
    client.half_close();
    world.sim.hold_up(secs(11));
    world.sim.settle();
    assert_eq!(
        journal.lines(),
        ["stream dropped", "clean-up: the client went away"]
    );
}

#[test]
fn a_connection_whose_first_turn_is_late_sees_that_its_client_has_gone() {
    let (world, _feed, journal) = world(|_| ());
    let mut client = world.sim.connect().unwrap();
    // More than one read takes.
    let field = "x".repeat(5000);
    client.send(format!(
        "GET /feed HTTP/1.1\r\nHost: a\r\nX: {field}\r\n\r\n"
    ));
    client.half_close();
    // The server accepts it, and then the executor is late.
    assert!(world.sim.step());
    world.sim.hold_up(secs(11));
    world.sim.settle();
    assert_eq!(
        journal.lines(),
        ["stream dropped", "clean-up: the client went away"]
    );
}

#[test]
fn a_request_that_came_before_its_deadline_is_answered_at_the_deadline() {
    let (world, feed, _) = world(|_| ());
    feed.push("one");
    let mut client = world.connect();
    // This takes more than one read.
    let field = "x".repeat(8000);
    client.send(format!(
        "GET /feed HTTP/1.1\r\nHost: a\r\nX: {field}\r\n\r\n"
    ));
    world.sim.hold_up(secs(10));
    world.advance(secs(0), &mut client);
    assert_eq!(Received::by(&client).status, 200);
}

#[test]
fn a_request_that_came_in_time_is_answered_by_a_late_executor() {
    let (world, feed, _) = world(|_| ());
    feed.push("one");
    // The head is longer than one read.
    let head = format!(
        "GET /feed HTTP/1.1\r\nHost: a\r\nX: {}\r\n",
        "x".repeat(8000)
    );
    let mut client = world.connect();
    client.send(&head[..20]);
    world.sim.advance(secs(9));
    client.send(&head[20..]);
    client.send("\r\n");
    world.sim.hold_up(secs(2));
    world.advance(secs(0), &mut client);
    let received = Received::by(&client);
    assert_eq!(received.status, 200);
    assert_eq!(received.body, "data: one\n\n");

    // A request that does come too late is refused, however late that is noticed.
    let mut client = world.connect();
    client.send(&head);
    world.sim.hold_up(secs(20));
    world.advance(secs(0), &mut client);
    assert_eq!(Received::by(&client).status, 408);
}

#[test]
fn an_answer_that_was_there_in_time_is_sent_by_a_late_executor() {
    let clock = Sim::new();
    let answer = clock.clone();
    let router = Router::new().get("/", move |_| {
        let timer = answer.timer(answer.now() + secs(29));
        async move {
            let mut timer = timer;
            poll_fn(|cx| timer.poll_elapsed(cx)).await;
            Response::new("in time")
        }
    });
    let server = Server::new(clock.clone(), clock.listen());
    let _serving = clock.start(server.serve(router));
    clock.settle();
    let mut client = clock.connect().unwrap();
    client.get("/");
    clock.settle();
    clock.hold_up(secs(31));
    clock.advance(secs(0));
    client.read_all();
    assert_eq!(Received::by(&client).status, 200);
}
