//! A topic's subscriber, combined with other streams, on its way to a client.

use futures_util::{Stream, StreamExt, future, stream};
use sse_core::{
    Comment, Event, EventError, IntoStreamItem, StreamItem,
    topic::{self, Subscriber, Topic},
};
use sse_driver::router::{Reply, ReplyBody, Request, Router};

use crate::{
    harness::{Feed, Journal, MILLI, Received, World, secs},
    sim::{Client, Sim},
};

type Item = Result<StreamItem, EventError>;

fn items<S>(stream: S) -> impl Stream<Item = Item>
where
    S: Stream<Item: IntoStreamItem>,
{
    stream.map(IntoStreamItem::into_stream_item)
}

/// Returns a topic, and a server whose handler makes streams from its subscribers.
fn world<S>(make: impl Fn(Subscriber, &Request) -> S + Send + Sync + 'static) -> (World, Topic)
where
    S: Stream<Item: IntoStreamItem> + Send + 'static,
{
    let topic = Topic::new(topic::TopicConfig::default(), 7, {
        let sim = Sim::new();
        move || sse_core::Clock::now(&sim)
    });
    let source = topic.clone();
    let router = Router::new().events("/", move |request: Request| {
        Reply::events(make(source.resume(&request), &request))
    });
    (World::new(router), topic)
}

fn body(world: &World, client: &mut Client) -> String {
    world.sim.settle();
    client.read_all();
    Received::by(client).body
}

#[test]
fn a_subscriber_and_a_stream_of_the_applications_own_are_one_stream() {
    let (feed, journal) = (Feed::default(), Journal::default());
    let own = feed.clone();
    let (world, topic) =
        world(move |subscriber, _| stream::select(items(subscriber), items(own.stream(&journal))));
    let mut client = world.get("/");
    topic.publish("a").unwrap();
    world.sim.settle();
    feed.push("own");
    world.sim.settle();
    topic.publish("b").unwrap();
    let expected = "id: 7-1\ndata: a\n\ndata: own\n\nid: 7-2\ndata: b\n\n";
    assert_eq!(body(&world, &mut client), expected);
    client.close();

    // Its client resumes in the topic. An event of the handler has no ID, and does not change that.
    topic.publish("c").unwrap();
    let mut client = world.get("/?lastEventId=7-2");
    assert_eq!(body(&world, &mut client), "id: 7-3\ndata: c\n\n");
}

#[test]
fn a_burst_of_events_is_one_write_without_a_copy() {
    let (world, topic) = world(|subscriber, _| {
        let own = items(stream::pending::<Event>());
        stream::select(items(subscriber), own)
    });
    let mut clients: Vec<_> = (0..10).map(|_| world.get("/")).collect();
    let writes = |client: &Client| client.server_side().writes();
    let before: Vec<_> = clients.iter().map(writes).collect();
    for _ in 0..64 {
        topic.publish("x").unwrap();
    }
    world.sim.settle();
    for (client, before) in clients.iter_mut().zip(before) {
        assert_eq!(writes(client) - before, 1);
        assert_eq!(body(&world, client).matches("data: x\n").count(), 64);
    }

    // These are the same bytes in memory that all readers share.
    let lies_at = || {
        let merged = stream::select(
            items(topic.subscribe_from_oldest()),
            items(stream::iter([1])),
        );
        let (_, ReplyBody::Events(events)) = Reply::events(merged).into_parts() else {
            panic!("no event stream");
        };
        let encoded = events.filter_map(|item| {
            future::ready(match item {
                Ok(StreamItem::Encoded(events)) => Some(events.as_bytes().as_ptr()),
                _ => None,
            })
        });
        futures_util::FutureExt::now_or_never(Box::pin(encoded).next()).unwrap()
    };
    assert_eq!(lies_at(), lies_at());
}

#[test]
fn last_words_follow_a_topics_events_at_a_shutdown() {
    let (world, topic) = world(|subscriber, request| {
        let until_shutdown = subscriber.take_until(request.shutdown());
        let last_words = [
            Event::new("come back").into_stream_item(),
            Comment::new("bye").into_stream_item(),
        ];
        items(until_shutdown).chain(stream::iter(last_words))
    });
    let mut client = world.get("/");
    topic.publish("news").unwrap();
    world.sim.settle();
    world.handle.shut_down();
    let expected = "id: 7-1\ndata: news\n\ndata: come back\n\n: bye\n";
    assert_eq!(body(&world, &mut client), expected);
    assert!(Received::by(&client).complete);
    world.sim.advance(MILLI);
    assert_eq!(world.report().cut, 0);
}

#[test]
fn a_subscriber_that_ends_by_a_condition_is_still_a_topics_at_a_shutdown() {
    let (world, topic) = world(|subscriber, _| subscriber.take_until(future::pending::<()>()));
    let mut client = world.get("/");
    topic.publish("news").unwrap();
    world.sim.settle();
    world.handle.shut_down();
    world.advance(secs(5), &mut client);
    let received = Received::by(&client);
    // It may get a reconnection time.
    assert!(
        received.body.starts_with("id: 7-1\ndata: news\n\n"),
        "{}",
        received.body
    );
    assert!(received.complete);
    world.sim.advance(MILLI);
    assert_eq!(world.report().cut, 0);
}

#[test]
fn a_condition_ends_the_stream_and_the_subscription() {
    let (stop, stopped) = (Feed::default(), Journal::default());
    let until = stop.clone();
    let (world, topic) =
        world(move |subscriber, _| subscriber.take_until(until.stream(&stopped).into_future()));
    let mut client = world.get("/");
    topic.publish("a").unwrap();
    world.sim.settle();
    assert_eq!(topic.stats().subscribers, 1);
    stop.end();
    assert_eq!(body(&world, &mut client), "id: 7-1\ndata: a\n\n");
    assert!(Received::by(&client).complete);
    assert_eq!(topic.stats().subscribers, 0);
}

#[test]
fn a_stream_of_a_subscriber_can_tell_the_outcome() {
    let topic = Topic::new(topic::TopicConfig::default(), 7, {
        let sim = Sim::new();
        move || sse_core::Clock::now(&sim)
    });
    topic.publish("a").unwrap();
    let subscriber = topic.resume_from(Some("7-0"));
    let outcome = subscriber.outcome();
    let reply = Reply::events(items(subscriber)).with_outcome(outcome);
    assert_eq!(reply.headers()["sse-resume"], "resumed; replayed=1");
}
