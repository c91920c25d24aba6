//! Connections that were accepted or made outside of the server.

use std::{
    io::{self, IoSlice},
    task::{Context, Poll},
    time::Duration,
};

use futures_util::stream;
use sse_core::server::ConnectionConfig;
use sse_driver::{
    ConnectionServer, ServerConfig, Transport,
    router::{Request, Router},
};

use crate::{
    harness::{Feed, Journal, Received, secs},
    sim::{Client, Sim, SimTransport},
};

fn server(sim: &Sim, config: ServerConfig, router: Router) -> ConnectionServer<Sim> {
    ConnectionServer::on(sim.clone(), router, config).unwrap()
}

/// Returns a client whose other end the server gets, without an address.
fn connect(sim: &Sim, server: &ConnectionServer<Sim>) -> Client {
    let (client, transport) = sim.client_and_transport();
    let _ = sim.start(server.serve_connection(transport, None));
    client
}

fn get(sim: &Sim, client: &mut Client) {
    client.get("/");
    sim.settle();
    client.read_all();
    sim.settle();
}

#[test]
fn a_connection_without_an_address_is_served_to_its_end() {
    let (sim, journal) = (Sim::new(), Journal::default());
    let log = journal.clone();
    let router = Router::new().events("/", move |request: Request| {
        log.watch_clean_up(&request);
        stream::iter([format!("{:?}", request.peer_addr())])
    });
    let server = server(&sim, ServerConfig::default(), router);
    let mut client = connect(&sim, &server);
    get(&sim, &mut client);
    let received = Received::by(&client);
    assert_eq!(received.body, "data: None\n\n");
    assert!(received.complete);
    assert_eq!(journal.lines(), ["clean-up: the stream ended"]);
    assert_eq!((server.handle().stats().accepted, sim.live_tasks()), (1, 0));
}

#[test]
fn the_limit_and_the_shutdown_are_those_of_a_server() {
    let (sim, feed, journal) = (Sim::new(), Feed::default(), Journal::default());
    let router = Router::new().events("/", feed.handler(&journal));
    let mut config = ServerConfig::default();
    config.max_connections = 1;
    config.shutdown_timeout = secs(5);
    let server = server(&sim, config, router);
    let mut client = connect(&sim, &server);
    get(&sim, &mut client);
    let mut late = connect(&sim, &server);
    get(&sim, &mut late);
    assert_eq!(Received::by(&late).status, 503);

    let clone = server.clone();
    let shutting_down = sim.start(async move { clone.shut_down().await });
    sim.advance(secs(4));
    assert!(shutting_down.take().is_none());
    assert_eq!(server.handle().open_connections(), 1);
    sim.advance(secs(2));
    let report = shutting_down.take().unwrap();
    assert_eq!((report.accepted, report.turned_away, report.cut), (1, 1, 1));
    let over = ["stream dropped", "clean-up: the server was shut down"];
    assert_eq!(journal.lines(), over);
}

#[test]
fn a_future_that_is_dropped_closes_its_connection() {
    let (sim, feed, journal) = (Sim::new(), Feed::default(), Journal::default());
    let router = Router::new().events("/", feed.handler(&journal));
    let server = server(&sim, ServerConfig::default(), router);
    let (mut client, transport) = sim.client_and_transport();
    let job = sim.start(server.serve_connection(transport, None));
    get(&sim, &mut client);
    job.cancel();
    sim.settle();
    let over = [
        "stream dropped",
        "clean-up: the connection's task was dropped",
    ];
    assert_eq!(journal.lines(), over);
    assert!(client.server_side().is_closed());
}

#[test]
fn a_silent_connection_has_its_deadline() {
    let sim = Sim::new();
    let server = server(&sim, ServerConfig::default(), Router::new());
    let client = connect(&sim, &server);
    sim.advance(ConnectionConfig::default().head_timeout + Duration::from_millis(1));
    assert!(client.server_side().is_closed());
    assert_eq!(server.handle().open_connections(), 0);
}

/// A transport whose writes take none of their bytes.
struct TakesNothing(SimTransport);

impl Transport for TakesNothing {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0.poll_read(cx, buffer)
    }

    fn poll_write_vectored(
        &mut self,
        _: &mut Context<'_>,
        _: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(0))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_shutdown(cx)
    }
}

#[test]
fn a_transport_that_takes_nothing_of_something_is_broken() {
    let (sim, feed, journal) = (Sim::new(), Feed::default(), Journal::default());
    let router = Router::new().events("/", feed.handler(&journal));
    let server = server(&sim, ServerConfig::default(), router);
    let (mut client, transport) = sim.client_and_transport();
    let _ = sim.start(server.serve_connection(TakesNothing(transport), None));
    client.get("/");
    sim.settle();
    assert_eq!(
        journal.lines(),
        ["stream dropped", "clean-up: the client went away"]
    );
    assert_eq!(sim.live_tasks(), 0);
}
