//! Graceful shutdown, its deadline and its report.

use futures_util::FutureExt;
use sse_core::http::Response;
use sse_driver::{Server, ServerConfig, ServerHandle, router::Router};

use crate::{
    harness::{Feed, Journal, MILLI, Received, World, secs},
    sim::Sim,
};

/// `/polite` sends a last event, `/feed` is fed by the test.
fn world() -> (World, Feed, Journal) {
    let (feed, journal) = (Feed::default(), Journal::default());
    let polite = journal.clone();
    let router = Router::new()
        .events("/feed", feed.handler(&journal))
        .events("/polite", move |request| {
            polite.watch_clean_up(&request);
            request.shutdown().map(|()| "last words").into_stream()
        });
    (World::new(router), feed, journal)
}

#[test]
fn without_connections_a_shutdown_is_over_at_once() {
    let (world, ..) = world();
    world.handle.shut_down();
    world.sim.settle();
    let report = world.report();
    assert_eq!((report.accepted, report.cut), (0, 0));
    assert_eq!(world.sim.live_tasks(), 0);
}

#[test]
fn a_shutdown_before_serving_counts() {
    let sim = Sim::new();
    let server = Server::new(sim.clone(), sim.listen());
    server.handle().shut_down();
    let _newcomer = sim.connect();
    let serving = sim.start(server.serve(Router::new()));
    sim.settle();
    let report = serving.take().expect("it is over").expect("no routes");
    assert_eq!(report.accepted, 0);
}

/// The server's task may be the last one to have its turn.
#[test]
fn listening_ends_before_any_task_learns_of_the_shutdown() {
    let ways: [fn(&ServerHandle); 2] = [ServerHandle::shut_down, ServerHandle::cut];
    for end in ways {
        let (world, _feed, _) = world();
        let _open = world.get("/feed");
        let waits = world.sim.connect().expect("the server listens");
        let polls = world.sim.polls();
        end(&world.handle);
        assert_eq!(world.sim.polls(), polls);
        assert!(world.sim.connect().is_none());
        // The server does not accept it any more.
        assert!(waits.at_end());
        world.handle.cut();
        world.sim.settle();
        assert_eq!(world.report().accepted, 1);
    }
}

#[test]
fn a_dropped_server_does_not_listen_although_handles_exist() {
    let sim = Sim::new();
    let server = Server::new(sim.clone(), sim.listen());
    let handle = server.handle();
    assert!(server.local_addr().is_ok());
    drop(server);
    assert!(sim.connect().is_none());
    handle.shut_down();

    let sim = Sim::new();
    let server = Server::new(sim.clone(), sim.listen());
    server.handle().shut_down();
    let error = server.local_addr().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotConnected);
}

#[test]
fn handlers_see_the_shutdown_and_no_further_client_is_accepted() {
    let (world, _feed, journal) = world();
    let mut client = world.get("/polite");
    let silent = world.connect();
    let mut slow = world.connect();
    slow.send("GET /polite HTT");
    world.sim.settle();

    world.handle.shut_down();
    world.sim.settle();
    assert!(world.sim.connect().is_none());
    client.read_all();
    let received = Received::by(&client);
    assert_eq!(received.body, "data: last words\n\n");
    assert!(received.complete);
    assert_eq!(journal.lines(), ["clean-up: the stream ended"]);
    assert!(silent.at_end());
    assert!(slow.at_end());
    assert_eq!(slow.received(), "");

    // All end without waiting for anything.
    let report = world.report();
    assert_eq!((report.accepted, report.turned_away, report.cut), (3, 0, 0));
    assert_eq!(world.sim.live_tasks(), 0);
}

#[test]
fn streams_that_do_not_end_are_cut_at_the_deadline_and_counted() {
    let (world, feed, journal) = world();
    let mut clients = [world.get("/feed"), world.get("/feed"), world.get("/polite")];

    world.handle.shut_down();
    world.sim.advance(secs(10) - MILLI);
    assert!(world.serving.take().is_none());
    assert_eq!(journal.lines(), ["clean-up: the stream ended"]);
    // Until then they continue, and no other joins them.
    assert!(world.sim.connect().is_none());
    feed.push("still here");
    world.sim.settle();

    world.sim.advance(MILLI);
    assert_eq!(
        journal.lines()[1..],
        [
            "stream dropped",
            "clean-up: the server was shut down",
            "stream dropped",
            "clean-up: the server was shut down",
        ]
    );
    let report = world.report();
    assert_eq!((report.accepted, report.cut), (3, 2));
    assert_eq!(world.sim.live_tasks(), 0);
    let bodies: Vec<_> = clients
        .iter_mut()
        .map(|client| {
            client.read_all();
            assert!(client.at_end());
            let received = Received::by(client);
            (received.body, received.complete)
        })
        .collect();
    assert!(bodies.contains(&("data: still here\n\n".into(), false)));
    assert_eq!(bodies[2], ("data: last words\n\n".into(), true));
}

#[test]
fn a_client_that_does_not_take_its_last_words_is_cut() {
    let (feed, journal) = (Feed::default(), Journal::default());
    let world = World::new(Router::new().events("/feed", feed.handler(&journal)));
    let mut client = world.sim.connect_over(512).unwrap();
    client.get("/feed");
    feed.push("x".repeat(4096));
    feed.end();
    world.sim.settle();

    world.handle.shut_down();
    world.sim.advance(secs(10));
    assert_eq!(
        journal.lines(),
        ["stream dropped", "clean-up: the server was shut down"]
    );
    assert_eq!(world.report().cut, 1);
}

#[test]
fn a_client_that_was_told_everything_does_not_count_as_cut() {
    let journal = Journal::default();
    let inner = journal.clone();
    let router = Router::new().get("/page", move |request| {
        inner.watch_clean_up(&request);
        async { Response::new("done") }
    });
    let mut config = ServerConfig::default();
    config.connection.linger_timeout = secs(20);
    let world = World::with_config(config, router);
    let mut client = world.connect();
    // The response does not wait for the body, and the client does not close.
    client.send("GET /page HTTP/1.1\r\nHost: sim\r\nContent-Length: 5\r\n\r\n");
    world.sim.settle();
    client.read_all();
    assert!(client.received().starts_with("HTTP/1.1 "));
    assert_eq!(world.handle.open_connections(), 1);

    world.handle.shut_down();
    world.sim.advance(secs(10));
    assert_eq!(world.report().cut, 0);
    assert_eq!(world.sim.live_tasks(), 0);
}

#[test]
fn cutting_does_not_wait() {
    let (world, _feed, journal) = world();
    let _clients = [world.get("/feed"), world.get("/feed")];
    world.handle.cut();
    world.sim.settle();
    assert_eq!(world.report().cut, 2);
    assert_eq!(journal.lines().len(), 4);
    assert_eq!(world.sim.live_tasks(), 0);
}

#[test]
fn a_shutdown_ends_the_wait_after_an_accept_error() {
    let (world, ..) = world();
    for _ in 0..20 {
        world.sim.fail_accept(std::io::ErrorKind::Other);
    }
    world.sim.advance(secs(3));
    world.handle.shut_down();
    world.sim.settle();
    assert!(world.report().accept_errors > 5);
}

#[test]
fn at_the_cut_a_client_has_a_second_to_take_the_answer_that_it_waited_for() {
    let router = Router::new().get("/never", |_| std::future::pending::<Response<&str>>());
    let world = World::new(router);
    // The transport takes a byte at a time, and this client does not read.
    let mut client = world.sim.connect_over(1).unwrap();
    let request: &[u8] = b"GET /never HTTP/1.1\r\nHost: sim\r\n\r\n";
    for byte in request {
        client.send([*byte]);
        world.sim.settle();
    }
    assert_eq!(world.handle.open_connections(), 1);
    world.handle.cut();
    world.sim.advance(secs(1) - MILLI);
    assert_eq!(world.handle.open_connections(), 1);
    world.sim.advance(MILLI);
    assert_eq!(world.report().cut, 1);
    assert_eq!(world.sim.live_tasks(), 0);
}
