//! The kinds of producers, and how they publish.

use std::{future::ready, thread};

use futures_util::{FutureExt, StreamExt, stream};
use sse_core::{
    Comment, Event, EventError, EventId, IntoStreamItem, StreamItem,
    topic::{PublishError, Topic, TopicConfig, resumable::StreamEnd},
};
use sse_driver::{IntoProducer, Producer};

use super::harness::{MILLI, Streams, end};
use crate::harness::Received;

/// Returns the data that a client gets from such a producer.
fn made<W, K>(producer: impl FnOnce(Producer) -> W) -> Vec<String>
where
    W: IntoProducer<K> + 'static,
    K: 'static,
{
    let streams = Streams::new();
    streams.streams.start("x", producer).unwrap();
    streams.sim().settle();
    let mut client = streams.get("/attach/x");
    streams.data(&mut client)
}

#[test]
fn a_producer_is_a_stream_or_a_future_that_publishes_or_one_that_becomes_the_other() {
    let one = ["one".to_owned(), end("complete")];
    assert_eq!(made(|_| stream::iter(["one"])), one);
    assert_eq!(made(|_| stream::iter([Ok::<_, String>("one")])), one);
    assert_eq!(made(|_| async { stream::iter(["one"]) }), one);
    assert_eq!(
        made(|_| ready(Ok::<_, EventError>(stream::iter(["one"])))),
        one
    );
    assert_eq!(made(|_| Ok::<_, EventError>(stream::iter(["one"]))), one);
    let by_hand = made(|job| {
        job.publish("one").unwrap();
    });
    assert_eq!(by_hand, one);
    let task = made(async |job: Producer| {
        job.publish("one")?;
        Ok::<_, PublishError>(())
    });
    assert_eq!(task, one);
    let both = made(|job| {
        job.publish("none").unwrap();
        stream::iter(["one"])
    });
    assert_eq!(both[1..], one);
}

#[test]
fn an_event_keeps_its_own_id_and_type_and_comments_are_left_out() {
    const NEWS: EventId = EventId::from_static("news");
    let streams = Streams::new();
    // The epoch is another one.
    streams.sim().advance(MILLI);
    let topic = Topic::on(streams.sim().clone(), TopicConfig::default());
    let news = topic.subscribe();
    let position = topic.publish(Event::new("of a topic")).unwrap();
    topic.close();
    let items = stream::iter([
        Comment::new("left out").into_stream_item(),
        Event::new("own").under_id(NEWS).into_stream_item(),
    ]);
    let items = items.chain(news.map(IntoStreamItem::into_stream_item));
    streams.streams.start("x", |_| items).unwrap();
    streams.sim().settle();
    let body = Received::by(&streams.get("/attach/x")).body;
    let expected = format!("id: news\ndata: own\n\nid: {position}\ndata: of a topic\n\n");
    assert!(body.starts_with(&expected), "{body}");
    // A client may come back with either.
    for (id, left) in [("news", 2), (&*position.to_string(), 1)] {
        let mut client = streams.resume("/attach/x", id);
        assert_eq!(streams.data(&mut client).len(), left, "{id}");
    }
}

#[test]
fn a_producer_that_is_always_ready_lets_others_run() {
    let streams = Streams::new();
    let many = || stream::iter(0..1000).map(|n| StreamItem::Event(Event::new(n.to_string())));
    let ready = ["a", "b"].map(|name| streams.streams.start(name, |_| many()).unwrap());
    let [first, second] = &ready;
    let mut reads = second.attach_at(None);
    while first.end().is_none() {
        assert!(streams.sim().step());
    }
    assert!(reads.next().now_or_never().is_some(), "the other has begun");
    streams.sim().settle();
    assert_eq!(second.end(), Some(StreamEnd::Complete));
}

#[test]
fn a_thread_may_publish_and_is_told_when_the_stream_is_over() {
    let streams = Streams::new();
    let (hand_over, handle) = std::sync::mpsc::channel();
    let started = streams.streams.start("x", |producer| {
        hand_over.send(producer).unwrap();
        std::future::pending::<()>()
    });
    let stream = started.unwrap();
    let mut client = streams.get("/attach/x");
    let publishes = thread::spawn(move || {
        let producer = handle.recv().unwrap();
        assert_eq!((producer.name().as_ref(), producer.listeners()), ("x", 1));
        producer.publish("one").unwrap();
        producer
    });
    let producer = publishes.join().unwrap();
    assert_eq!(streams.data(&mut client), ["one"]);
    assert!(stream.stop("enough"));
    assert!(matches!(producer.publish("two"), Err(PublishError::Closed)));
    assert_eq!(producer.end(), Some(StreamEnd::Stopped("enough".into())));
    assert_eq!(streams.data(&mut client), ["one".into(), end("stopped")]);
}

#[test]
fn an_invalid_event_is_an_error_of_publish_and_the_stream_continues() {
    let streams = Streams::new();
    let started = streams.streams.start("x", |producer| {
        let invalid = producer.publish(Event::new("x").with_id("\0"));
        assert!(matches!(invalid, Err(PublishError::Event(_))));
        producer.publish("x".repeat(2_000_000)).unwrap_err();
        stream::iter(["one"])
    });
    streams.sim().settle();
    assert_eq!(started.unwrap().end(), Some(StreamEnd::Complete));
}

#[test]
fn a_producer_is_made_once() {
    let streams = Streams::new();
    streams
        .streams
        .start("x", |_| stream::pending::<&str>())
        .unwrap();
    let again = |_| -> stream::Pending<&str> { panic!("there is one") };
    let same = streams.streams.start("x", again).unwrap();
    assert_eq!((same.name().as_ref(), same.owner().as_ref()), ("x", ""));
    streams.streams.stop("x", "enough");
    // It stays the same for as long as it is kept.
    assert!(streams.streams.start("x", again).unwrap().end().is_some());
    assert!(streams.streams.forget("x", "again"));
    let new = streams.streams.start("x", |_| stream::pending::<&str>());
    assert_eq!(new.unwrap().end(), None);
}
