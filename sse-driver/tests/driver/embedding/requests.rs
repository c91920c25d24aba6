//! Requests whose reply a handler of the foreign server makes.

use futures_util::stream;
use http_body::Body as _;
use sse_core::{
    http::StatusCode,
    lifecycle::CloseReason,
    topic::{Topic, TopicConfig},
};
use sse_driver::{
    embedding::EmbeddedRequest,
    router::{Refusal, Reply},
};

use super::harness::{Reader, World, get};
use crate::{harness::secs, sim::Sim};

fn begin(world: &World, path: &str) -> Result<EmbeddedRequest<Sim>, Refusal> {
    let (parts, _) = get(path).into_parts();
    let peer = ([127, 0, 0, 1], 9).into();
    world.embedding.begin(parts, Some(peer))
}

/// Returns a request whose clean-up is logged.
fn begun(world: &World) -> EmbeddedRequest<Sim> {
    let request = begin(world, "/a?b=c").unwrap();
    world.journal.watch_clean_up(&request);
    request
}

#[test]
fn a_request_is_read_and_its_reply_is_a_stream() {
    let world = World::new();
    let request = begun(&world);
    assert_eq!((request.path(), request.query()), ("/a", Some("b=c")));
    assert_eq!(request.peer_addr().unwrap().port(), 9);
    assert_eq!(world.embedding.open(), 1);
    let response = request.reply(Reply::events(stream::iter(["a", "b"])));
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let reader = Reader::start(&world.sim, response.into_body());
    assert_eq!(reader.text(), "data: a\n\ndata: b\n\n");
    reader.job.take().unwrap().unwrap();
    assert_eq!(world.journal.lines(), ["clean-up: the stream ended"]);
    assert_eq!(world.embedding.open(), 0);
}

#[test]
fn a_topics_subscriber_is_a_reply_and_wakes_the_server() {
    let world = World::new();
    let topic = Topic::on(Sim::new(), TopicConfig::default());
    let request = begun(&world);
    let subscriber = topic.resume(&request);
    let reader = Reader::start(&world.sim, request.reply(subscriber).into_body());
    assert_eq!(reader.text(), "");
    topic.publish("news").unwrap();
    assert!(reader.text().ends_with("data: news\n\n"));
    // The timer of the keep-alive is the embedding's.
    world.sim.advance(secs(15));
    assert!(reader.text().ends_with("\n\n:\n"), "{}", reader.text());
}

#[test]
fn a_request_that_is_dropped_without_a_reply_is_cleaned_up() {
    let world = World::new();
    drop(begun(&world));
    assert_eq!(world.journal.lines(), ["clean-up: the client went away"]);
    assert_eq!(world.embedding.open(), 0);
}

#[test]
fn a_reply_that_comes_late_is_given_all_the_same() {
    let world = World::new();
    let request = begun(&world);
    world.sim.advance(secs(3_600));
    let response = request.reply(Reply::text(StatusCode::OK, "late"));
    assert_eq!(response.status(), StatusCode::OK);
    let reader = Reader::start(&world.sim, response.into_body());
    assert_eq!(reader.text(), "late");
    assert_eq!(world.journal.lines(), ["clean-up: the response was sent"]);
}

#[test]
fn a_refusal_is_a_reply() {
    let world = World::new();
    let refusal = Refusal::new(StatusCode::FORBIDDEN, "no");
    let response = begun(&world).reply(refusal);
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(response.body().size_hint().exact(), Some(2));
}

#[test]
fn one_too_many_is_refused_and_so_is_every_one_after_the_shutdown() {
    let world = World::with(|config| config.max_open = 1);
    let first = begun(&world);
    let refusal = begin(&world, "/").unwrap_err();
    assert_eq!(refusal.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(Reply::from(refusal).headers().contains_key("retry-after"));
    drop(first);
    drop(begin(&world, "/").unwrap());
    world.embedding.begin_shutdown();
    begin(&world, "/").unwrap_err();
    assert_eq!(world.embedding.stats().turned_away, 2);
}

#[test]
fn a_shutdown_cuts_what_has_no_reply_yet() {
    let world = World::new();
    let request = begun(&world);
    world.embedding.cut();
    let response = request.reply(Reply::events(stream::pending::<u8>()));
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    drop(response);
    let reasons = world.journal.lines();
    assert_eq!(reasons, [format!("clean-up: {}", CloseReason::Shutdown)]);
}
