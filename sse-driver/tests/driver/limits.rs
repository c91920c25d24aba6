//! The bound on open streams, in all and for each key.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use sse_driver::router::{
    LimitReached, Refusal, Reply, Request, Router, StreamLimit, StreamLimitConfig, extract,
};

use crate::{
    harness::{Received, World, secs},
    sim::Client,
};

fn limit(max_open: usize, max_open_per_key: usize) -> StreamLimit {
    let mut config = StreamLimitConfig::default();
    (config.max_open, config.max_open_per_key) = (max_open, max_open_per_key);
    config.max_retry_after = secs(3);
    StreamLimit::new(config)
}

/// Returns the user in the query, if there is one.
fn user(request: &Request) -> Option<String> {
    extract::query(request, "user").ok()
}

/// Returns a server whose streams stay open behind this limit, and end in various ways.
fn world(limit: &StreamLimit) -> World {
    let router = Router::new()
        .events("/lasts", |_| stream::pending::<u8>())
        .events("/ends", |_| stream::iter([1]))
        .events("/refuses", |_| {
            let no = Refusal::new(sse_core::http::StatusCode::FORBIDDEN, "no");
            Err::<Reply, _>(no)
        })
        .events("/panics", |_| {
            stream::iter([1]).chain(stream::poll_fn(|_| panic!("on purpose")))
        })
        .get("/page", |_| Reply::text(Default::default(), "page"));
    World::new(router.limit(limit.clone(), user))
}

fn statuses(clients: &[Client]) -> Vec<u16> {
    clients
        .iter()
        .map(|client| Received::by(client).status)
        .collect()
}

#[test]
fn beyond_the_bound_of_all_the_answer_is_503_until_a_stream_is_over() {
    let limit = limit(2, 2);
    let world = world(&limit);
    let mut clients: Vec<_> = (0..4).map(|_| world.get("/lasts")).collect();
    assert_eq!(statuses(&clients), [200, 200, 503, 503]);
    assert_eq!(limit.open(), 2);
    let refused = Received::by(&clients[2]);
    let seconds: u64 = refused.field("retry-after").unwrap().parse().unwrap();
    assert!((1..=3).contains(&seconds), "{seconds}");
    assert!(refused.body.contains("Try again later."));

    clients.remove(0).close();
    world.sim.settle();
    assert_eq!(limit.open(), 1);
    assert_eq!(Received::by(&world.get("/lasts")).status, 200);
}

#[test]
fn beyond_the_bound_of_a_key_the_answer_is_429_and_others_have_their_places() {
    let limit = limit(10, 2);
    let world = world(&limit);
    let of = |user: &str| world.get(&format!("/lasts?user={user}"));
    let mut anna = vec![of("anna"), of("anna"), of("anna")];
    assert_eq!(statuses(&anna), [200, 200, 429]);
    assert!(Received::by(&anna[2]).field("retry-after").is_some());
    let others = [
        of("ben"),
        world.get("/lasts"),
        world.get("/lasts"),
        world.get("/lasts"),
    ];
    assert_eq!(statuses(&others), [200; 4]);
    let open = ["anna", "ben", "carl"].map(|user| limit.open_of(user));
    assert_eq!((open, limit.open()), ([2, 1, 0], 6));

    anna.remove(0).close();
    world.sim.settle();
    anna.push(of("anna"));
    assert_eq!(statuses(&anna), [200, 429, 200]);
    others.into_iter().chain(anna).for_each(Client::close);
    world.sim.settle();
    assert_eq!((limit.open_of("ben"), limit.open()), (0, 0));
}

#[test]
fn a_place_is_given_back_whatever_ends_the_connection() {
    let limit = limit(1, 1);
    let world = world(&limit);
    for path in ["/ends", "/refuses", "/panics", "/page", "/lasts"] {
        let client = world.get(&format!("{path}?user=anna"));
        assert_ne!(Received::by(&client).status, 429, "{path}");
        client.close();
        world.sim.settle();
        assert_eq!((limit.open_of("anna"), limit.open()), (0, 0), "{path}");
    }
    let client = world.get("/lasts");
    world.handle.shut_down();
    world.sim.advance(secs(60));
    drop(client);
    assert_eq!(limit.open(), 0);
}

#[test]
fn several_routes_share_a_limit_and_none_may_be_open_at_zero() {
    let shared = limit(1, 1);
    let handler = |shared: StreamLimit| {
        move |request: Request| {
            shared.admit(&request, None::<&str>)?;
            Ok::<_, LimitReached>(stream::pending::<u8>())
        }
    };
    let none = limit(0, 1);
    let router = Router::new()
        .events("/a", handler(shared.clone()))
        .events("/b", handler(shared.clone()))
        .events("/none", handler(none.clone()));
    let world = World::new(router);
    let clients = ["/a", "/b", "/none"].map(|path| world.get(path));
    assert_eq!(statuses(&clients), [200, 503, 503]);
    assert_eq!((shared.open(), none.open()), (1, 0));
}

#[test]
fn a_limit_says_what_is_reached_and_the_client_is_not_told_how_much() {
    let reached = LimitReached::OfKey {
        key: "anna".into(),
        retry_after: Duration::from_secs(7),
    };
    assert!(reached.to_string().contains("\"anna\""), "{reached}");
    let refusal = Refusal::from(reached);
    assert!(!refusal.to_string().contains("anna"), "{refusal}");
    assert_eq!(Reply::from(refusal).headers()["retry-after"], "7");
}
