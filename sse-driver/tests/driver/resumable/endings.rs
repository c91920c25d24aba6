//! Whatever ends a stream, its clients are told, and none reconnects forever.

use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::{FutureExt, Stream, StreamExt, stream};
use sse_core::{Event, EventError, lifecycle::CleanUp, topic::resumable::StreamEnd};
use sse_driver::{Attachment, Producer, ResumableStreams, router::Request};

use super::harness::{ATTACH, Journal, START, StartError, Streams, data, end, ids, secs, watch};
use crate::{
    harness::Received,
    subscriber::{Subscriber, source},
};

type Start = fn(&ResumableStreams, &Request, &str, Journal) -> Result<Attachment, StartError>;

/// An error that panics when it is formatted.
#[derive(Debug)]
struct Unspeakable;

impl fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("expected in this test")
    }
}

impl std::error::Error for Unspeakable {}

/// A stream that ends, and panics when it is dropped.
struct PanicsOnDrop;

impl Stream for PanicsOnDrop {
    type Item = &'static str;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(None)
    }
}

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        panic!("expected in this test")
    }
}

/// Starts a producer whose end is logged.
macro_rules! start {
    (|$producer:pat_param| $work:expr) => {
        |streams, request, name, journal| {
            streams.attach_or_start(name, request, |producer: Producer| {
                watch(&journal, &producer);
                let $producer = producer;
                $work
            })
        }
    };
}

/// The producers' work, the events that clients get, and the reasons that clean-up gets.
const ENDS: [(&str, Start, &str, &str); 11] = [
    (
        "it yields an error",
        start!(|_| stream::iter([Ok("x"), Err(io::Error::other("no tokens"))])),
        "failed",
        "the producer failed: no tokens",
    ),
    (
        "its future fails",
        start!(|_| async { Err::<(), _>(io::Error::other("no model")) }),
        "failed",
        "the producer failed: no model",
    ),
    (
        "it fails before its stream",
        start!(|_| async { Err::<stream::Empty<String>, _>("no model") }),
        "failed",
        "the producer failed: no model",
    ),
    (
        "it yields what is no event",
        start!(|_| stream::iter([Event::new("x").with_id("\0")])),
        "failed",
        "the producer failed: the id has a NUL (U+0000) at byte 0; remove it or encode it before \
         the id is set",
    ),
    (
        "its error panics",
        start!(|_| stream::iter([Ok("x"), Err(Unspeakable)])),
        "failed",
        "the producer panicked",
    ),
    (
        "it panics before it is there",
        start!(|_| {
            if true {
                panic!("expected in this test")
            }
        }),
        "failed",
        "the producer panicked",
    ),
    (
        "it panics in mid-stream",
        start!(|_| stream::iter(0..3).inspect(|n| assert!(*n < 2, "expected in this test"))),
        "failed",
        "the producer panicked",
    ),
    (
        "it panics when it is dropped",
        start!(|_| PanicsOnDrop),
        "failed",
        "the producer panicked",
    ),
    (
        "it makes too many events",
        start!(|_| stream::repeat("x".repeat(10_000))),
        "too_large",
        "the history has no room left by its `max_bytes`",
    ),
    (
        "it makes too large an event",
        start!(|_| stream::iter(["x".repeat(2_000_000)])),
        "too_large",
        "the history has no room left by its `max_bytes`",
    ),
    (
        "it makes too many events by hand",
        start!(|job| async move {
            loop {
                job.publish("x".repeat(10_000))?;
                std::future::ready(()).await;
            }
            #[allow(unreachable_code)]
            Ok::<(), sse_core::topic::PublishError>(())
        }),
        "too_large",
        "the history has no room left by its `max_bytes`",
    ),
];

#[test]
fn every_end_is_told_to_clients_and_clean_up_and_no_client_comes_back_for_ever() {
    for (what, start, outcome, told) in ENDS {
        let journal = Journal::default();
        let sink = journal.clone();
        let streams = Streams::of(
            |_| {},
            move |streams, request, name| start(streams, request, name, sink.clone()),
        );
        let subscriber = Subscriber::new(streams.sim(), source(streams.sim(), START));
        streams.sim().advance(secs(60));
        let notes = subscriber.notes();
        let mut events = notes.iter().filter_map(|note| note.strip_prefix("event: "));
        assert_eq!(events.next_back(), Some(&*end(outcome)), "{what}");
        let dials = notes.iter().filter(|note| note.starts_with("dials"));
        assert_eq!(dials.count(), 2, "{what}: the second is answered 204");
        assert!(
            notes.last().unwrap().starts_with("over: "),
            "{what}: {notes:?}"
        );
        assert_eq!(journal.lines(), [format!("clean-up: {told}")], "{what}");

        // A later client gets the same.
        let received = streams.read(&mut streams.get(ATTACH));
        assert_eq!(data(&received.body).last(), Some(&end(outcome)), "{what}");
        assert!(received.complete, "{what}");
        let last = ids(&received.body).pop().unwrap();
        assert_eq!(
            Received::by(&streams.resume(START, &last)).status,
            204,
            "{what}"
        );
    }
}

#[test]
fn a_handler_stops_a_stream_and_the_producer_is_told_why() {
    let streams = Streams::new();
    let mut clients = [streams.get(START), streams.get(ATTACH)];
    streams.feed.push("one");
    streams.sim().settle();
    let stop = || {
        let mut client = streams.world.connect();
        client.send("POST /stop/x HTTP/1.1\r\nHost: sim\r\nContent-Length: 0\r\n\r\n");
        streams.read(&mut client).status
    };
    assert_eq!(stop(), 200);
    for client in &mut clients {
        let received = streams.read(client);
        assert_eq!(data(&received.body), ["one".into(), end("stopped")]);
        assert!(received.complete);
    }
    let dropped = "stream dropped".to_owned();
    assert_eq!(
        streams.journal.lines(),
        [dropped, "clean-up: stopped: enough".into()]
    );
    // There is nothing left to stop.
    assert_eq!(stop(), 404);
}

#[test]
fn a_stop_takes_effect_before_it_returns() {
    let streams = Streams::new();
    let mut client = streams.get(START);
    let stream = streams.streams.get("x").unwrap();
    assert!(stream.stop("enough"));
    assert!(!stream.stop("again"));
    assert_eq!(stream.end(), Some(StreamEnd::Stopped("enough".into())));
    // No task had a turn yet.
    streams.feed.push("too late");
    assert_eq!(streams.data(&mut client), [end("stopped")]);
}

#[test]
fn an_end_can_be_waited_for() {
    let streams = Streams::new();
    let _client = streams.get(START);
    let stream = streams.streams.get("x").unwrap();
    let waits = [0; 2].map(|_| {
        let stream = stream.clone();
        streams.sim().start(async move { stream.ended().await })
    });
    // A task that stops waiting.
    assert!(stream.ended().now_or_never().is_none());
    streams.sim().settle();
    assert!(waits[0].take().is_none());
    streams.feed.end();
    streams.sim().settle();
    for wait in waits {
        assert_eq!(wait.take(), Some(StreamEnd::Complete));
    }
    assert_eq!(stream.ended().now_or_never(), Some(StreamEnd::Complete));
}

#[test]
fn a_runtime_that_is_shut_down_runs_the_clean_up_of_producers() {
    let streams = Streams::new();
    let _client = streams.get(START);
    let stream = streams.streams.get("x").unwrap();
    streams.sim().stop();
    let dropped = "clean-up: the producer's task was dropped";
    assert_eq!(streams.journal.lines(), ["stream dropped", dropped]);
    assert_eq!(stream.end(), Some(StreamEnd::Dropped));
    // A stream that is started then has the same end at once.
    let late = streams
        .streams
        .start("late", |_| stream::pending::<String>());
    assert_eq!(late.unwrap().end(), Some(StreamEnd::Dropped));
}

#[test]
fn without_a_handle_and_a_client_producers_are_cancelled() {
    let mut streams = Streams::new();
    let client = streams.get(START);
    let handle = streams.streams.get("x").unwrap();
    streams.streams = ResumableStreams::on(streams.sim().clone(), Default::default());
    streams.world.handle.cut();
    streams.sim().settle();
    drop(client);
    assert_eq!(streams.journal.lines(), [""; 0]);
    drop(handle);
    streams.sim().settle();
    let dropped = "clean-up: the producer's task was dropped";
    assert_eq!(streams.journal.lines(), ["stream dropped", dropped]);
    assert_eq!(streams.sim().live_tasks(), 0);
}

#[test]
fn a_callback_that_comes_after_the_end_runs_at_once() {
    let streams = Streams::new();
    let mut kept = None::<CleanUp<StreamEnd>>;
    let started = streams.streams.start("x", |producer| {
        kept = Some(producer.clean_up());
        stream::empty::<Result<Event, EventError>>()
    });
    assert_eq!(started.unwrap().end(), None);
    streams.sim().settle();
    let journal = streams.journal.clone();
    kept.unwrap().add(move |end| journal.note(end.name()));
    assert_eq!(streams.journal.lines(), ["complete"]);
}
