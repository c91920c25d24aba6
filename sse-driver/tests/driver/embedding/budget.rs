//! Responses in a foreign server that share a budget with others.

use std::{
    sync::Arc,
    task::Poll,
    time::{Instant, SystemTime},
};

use futures_util::stream;
use sse_core::{
    Budget, Event,
    http::{Request, Response, StatusCode},
    server::{Connection, ConnectionConfig, ResponseBody},
};
use sse_driver::{embedding, router::Router};

use super::harness::{World, data, get, now};
use crate::sim::Sim;

const KIB: usize = 1024;

/// Returns a connection whose client takes nothing, and whose queue uses the whole budget.
#[allow(clippy::disallowed_methods)] // a connection of no exchange
fn hog(budget: &Budget) -> Connection {
    let mut config = ConnectionConfig::default();
    config.response.budget = budget.clone();
    #[allow(clippy::disallowed_methods)] // an `Instant` has to come from somewhere
    let now = Instant::now();
    let mut hog = Connection::new(now, SystemTime::UNIX_EPOCH, Arc::new(config));
    hog.handle_input(now, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    hog.poll_event(now);
    hog.respond(now, Response::new(ResponseBody::event_stream()))
        .unwrap();
    hog.handle_transmitted(now, usize::MAX);
    hog.send(now, &Event::new("x".repeat(budget.limit())))
        .unwrap();
    assert!(budget.is_exhausted());
    hog
}

/// Returns the next piece of a body that has one.
fn piece(body: &mut embedding::Body<Sim>) -> Vec<u8> {
    match data(body) {
        Poll::Ready(Some(Ok(piece))) => piece,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_body_is_given_one_event_at_a_time_while_others_have_the_budget() {
    let budget = Budget::new(64 * KIB);
    let world = World::with(|config| config.response.budget = budget.clone());
    let events = || stream::iter(["a", "b", "c", "d"]);
    let answer = world.embedding.respond(get("/"), None, move |_| events());
    let mut body = now(&world.sim, answer).into_body();
    let hog = hog(&budget);
    assert_eq!(piece(&mut body), b"data: a\n\n");
    assert_eq!(piece(&mut body), b"data: b\n\n");
    drop(hog);
    assert_eq!(piece(&mut body), b"data: c\n\ndata: d\n\n");
    assert_eq!(data(&mut body), Poll::Ready(None));
    assert_eq!(world.embedding.stats().budget.total(), 0);
}

#[test]
fn requests_are_refused_while_all_of_it_is_used() {
    let budget = Budget::new(64 * KIB);
    let world = World::with(|config| config.response.budget = budget.clone());
    let hog = hog(&budget);
    let refused = world.respond(get("/"));
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key("retry-after"));
    drop(hog);
    assert_eq!(world.respond(get("/")).status(), StatusCode::OK);
}

#[test]
fn a_body_that_is_sent_has_its_share_and_no_more() {
    let budget = Budget::new(64 * KIB);
    let world = World::with(|config| config.response.budget = budget.clone());
    let handler = |request: sse_driver::router::Request| stream::iter([request.body().len()]);
    let routes = Router::new().post("/", handler).build().unwrap();
    // Memory grows by doubling.
    for (len, status) in [
        (8 * KIB, StatusCode::OK),
        (8 * KIB + 1, StatusCode::SERVICE_UNAVAILABLE),
    ] {
        let request = Request::post("/").body("x".repeat(len)).unwrap();
        let response = now(&world.sim, world.embedding.route(&routes, request, None));
        assert_eq!(response.status(), status);
    }
    assert_eq!(budget.used().total(), 0);
}
