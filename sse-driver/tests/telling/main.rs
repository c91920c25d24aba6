//! What a server tells `tracing`.
//!
//! A process of its own, with this one test: whether a place in the code tells anything is decided
//! for the whole process, by the thread that comes there first. Beside other tests that was often a
//! thread without a subscriber.
#![cfg(feature = "tracing")]
#![allow(unreachable_pub)] // a test has no interface
#![allow(clippy::unwrap_used, clippy::expect_used)] // and fails by panicking
#![allow(dead_code, unused_imports)] // what it has in common with other tests is more than it needs

#[path = "../driver/harness.rs"]
mod harness;
#[path = "../sim/mod.rs"]
mod sim;

use std::{
    io,
    sync::{Arc, Mutex},
};

use sse_driver::{ServerConfig, TrustedProxies, router::Router};
use tracing_subscriber::{filter::LevelFilter, util::SubscriberInitExt};

use crate::harness::{Feed, Journal, World};

/// What was told.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<u8>>>);

impl Told {
    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| line.trim().to_owned()).collect()
    }
}

impl io::Write for Told {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_connection_is_told_of_with_its_peer_from_its_request_to_its_end() {
    let told = Told::default();
    let writer = told.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::DEBUG)
        .with_ansi(false)
        .without_time()
        .with_target(false)
        .with_writer(move || writer.clone())
        .finish();
    let feed = Feed::default();
    let router = Router::new()
        .events("/feed", feed.handler(&Journal::default()))
        .events("/oops", |_| -> futures_util::stream::Empty<&str> {
            panic!("oops")
        });
    let _default = subscriber.set_default();

    let mut config = ServerConfig::default();
    config.trusted_proxies = TrustedProxies::with_x_forwarded_for(["127.0.0.1"]).ok();
    let world = World::with_config(config, router);
    let client = world.get("/feed?secret");
    client.close();
    world.sim.settle();
    world.get("/oops");
    let mut client = world.connect();
    client.send("GET /none HTTP/1.1\r\nHost: sim\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n");
    world.sim.settle();
    client.close();
    world.sim.settle();
    world.handle.shut_down();
    world.sim.settle();

    #[cfg(feature = "http-body")]
    an_event_source_tells_no_query(&world.sim, &told);

    let peer = "connection{peer=127.0.0.1:50000}";
    assert_eq!(
        told.lines(),
        [
            format!("DEBUG {peer}: request method=GET path=\"/feed\""),
            format!(
                "DEBUG {peer}: connection closed: the client went away reason=\"client_went_away\""
            ),
            format!("DEBUG {peer}: request method=GET path=\"/oops\""),
            format!(
                "ERROR {peer}: connection closed: the handler panicked reason=\"handler_panicked\""
            ),
            "DEBUG connection{peer=127.0.0.1:50000 client=192.0.2.7}: request method=GET path=\"/none\"".into(),
            "DEBUG connection{peer=127.0.0.1:50000 client=192.0.2.7}: connection closed: the response was sent reason=\"response_sent\"".into(),
            "INFO shutting down open=0".into(),
            "INFO shut down: 3 connections accepted, 0 turned away at the limit, \
             0 failed to be accepted, 0 cut when it was shut down"
                .into(),
        ]
    );
}

/// It may have a token in it, and errors of HTTP clients have the whole URL.
#[cfg(feature = "http-body")]
fn an_event_source_tells_no_query(sim: &sim::Sim, told: &Told) {
    use bytes::Bytes;
    use sse_core::http::{Request, Response};
    use sse_driver::EventSource;

    let before = told.0.lock().unwrap().len();
    let source = EventSource::on(
        sim.clone(),
        "http://sim/feed?token=secret",
        sse_core::client::EventSourceConfig::default(),
    );
    let mut source = source
        .unwrap()
        .with_http_client(async |request: Request<Bytes>| {
            let error = io::Error::other(format!("no answer of ({})", request.uri()));
            Err::<Response<String>, _>(error)
        });
    let reading = sim.start(async move { source.next().await.is_none() });
    sim.settle();
    reading.cancel();
    let lines = String::from_utf8(told.0.lock().unwrap().split_off(before)).unwrap();
    let lines: Vec<&str> = lines.lines().map(str::trim).collect();
    assert_eq!(lines[0], "DEBUG connecting url=\"http://sim/feed\"");
    let lost = "WARN connection lost: the connection failed: no answer of (http://sim/feed?…) url=\"http://sim/feed\"";
    assert!(lines[1].starts_with(lost), "{lines:?}");
}
