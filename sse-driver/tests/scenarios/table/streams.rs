//! Streams of events, and clients that leave them.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use sse_core::Event;
use sse_driver::router::{Next, Reply, Request, Router};

use super::feed;
use crate::{
    scenario::{LARGE, Scenario, Scene, Step},
    ways::Way,
};

pub fn scenarios() -> Vec<Scenario> {
    use Step::{Advance, End, Fail, Late, Leave, Publish, Push, ReadOnce};
    vec![
        Scenario::new(
            "a stream that ends",
            feed,
            [Push("a"), Push("b"), End],
            &[
                "200 text/event-stream",
                "a, b",
                "ended",
                "stream dropped",
                "clean-up: the stream ended",
                "counted as stream_ended",
            ],
        ),
        Scenario::new(
            "a stream without events",
            feed,
            [End],
            &[
                "200 text/event-stream",
                "ended",
                "stream dropped",
                "clean-up: the stream ended",
                "counted as stream_ended",
            ],
        ),
        Scenario::new(
            "an idle stream that its client leaves",
            feed,
            [Push("a"), Leave],
            &[
                "200 text/event-stream",
                "a",
                "still open",
                "stream dropped",
                "clean-up: the client went away",
                "counted as client_went_away",
            ],
        ),
        Scenario::new(
            "a busy stream that its client leaves",
            endless,
            [
                ReadOnce, ReadOnce, ReadOnce, ReadOnce, ReadOnce, ReadOnce, Leave,
            ],
            &[
                "200 text/event-stream",
                "more, and so on",
                "still open",
                "stream dropped",
                "clean-up: the client went away",
                "counted as client_went_away",
            ],
        )
        .holding(),
        Scenario::new(
            "an idle stream with keep-alive",
            feed,
            [Advance(Duration::from_secs(11)), Push("a"), Leave],
            &[
                "200 text/event-stream",
                "a",
                "comments: 2",
                "still open",
                "stream dropped",
                "clean-up: the client went away",
                "counted as client_went_away",
            ],
        )
        .bounds(|bounds| bounds.keep_alive = Some(Duration::from_secs(5)))
        .stays(
            Way::TestClient,
            "The test client gives events, and a comment is none.",
            &[
                "200 text/event-stream",
                "a",
                "still open",
                "stream dropped",
                "clean-up: the client went away",
                "counted as client_went_away",
            ],
        ),
        Scenario::new(
            "a stream that fails after an event",
            feed,
            [Push("a"), Fail("no more"), Advance(MOMENT)],
            &[
                "200 text/event-stream",
                "a",
                "broken off",
                "stream dropped",
                "clean-up: the stream failed: no more",
                "counted as stream_error",
            ],
        ),
        Scenario::new(
            "a subscriber that has seen an event",
            topic,
            [Publish(1), Leave],
            &[
                "200 text/event-stream",
                "two#1-2, three#1-3, 1#1-4",
                "still open",
                "subscribers left: 0",
                "clean-up: the client went away",
                "counted as client_went_away",
            ],
        )
        .field("last-event-id", "1-1"),
        Scenario::new(
            "a subscriber that is slower than its topic",
            topic,
            [Publish(20), Advance(MOMENT)],
            &[
                "200 text/event-stream",
                "one#1-1, two#1-2, three#1-3",
                "broken off",
                "subscribers left: 0",
                "clean-up: the client was too slow for its topic",
                "counted as slow_consumer",
            ],
        )
        .field("last-event-id", "1-0"),
        Scenario::new(
            "events that a layer changes and keeps back",
            mapped,
            [Push("a"), Push("secret"), Push("b"), End],
            &[
                "200 text/event-stream",
                "seen:a, seen:b",
                "ended",
                "stream dropped",
                "clean-up: the stream ended",
                "counted as stream_ended",
            ],
        ),
        Scenario::new(
            "a client that reads in time, of which its server hears late",
            feed,
            [
                Push(LARGE),
                Advance(Duration::from_secs(2)),
                Late(&ReadOnce, Duration::from_secs(2)),
                ReadOnce,
                ReadOnce,
                Leave,
            ],
            &[
                "200 text/event-stream",
                "xxxxxxxx...",
                "still open",
                "stream dropped",
                "clean-up: the client went away",
                "counted as client_went_away",
            ],
        )
        .holding()
        .bounds(|bounds| bounds.stall_timeout = Duration::from_secs(3)),
        Scenario::new(
            "a client that leaves while the handler decides",
            undecided,
            [Leave],
            &[
                "no answer, still open",
                "handler dropped",
                "clean-up: the client went away",
                "counted as client_went_away",
            ],
        ),
    ]
}

/// The time until a body fails that waits for its bytes to be written.
pub const MOMENT: Duration = Duration::from_millis(100);

/// Returns a handler that never responds.
pub fn undecided(scene: &Scene) -> Router {
    let scene = scene.clone();
    Router::new().events("/", move |request: Request| {
        scene.watch(&request);
        let held = scene.hold("handler");
        async move {
            let _held = held;
            std::future::pending::<Reply>().await
        }
    })
}

/// Returns a stream that is always ready.
fn endless(scene: &Scene) -> Router {
    let scene = scene.clone();
    Router::new().events("/", move |request: Request| {
        scene.watch(&request);
        let held = scene.hold("stream");
        stream::repeat("more").inspect(move |_| {
            let _held = &held;
        })
    })
}

/// Returns a topic with three events, to which a client subscribes with its last event ID.
pub fn topic(scene: &Scene) -> Router {
    let scene = scene.clone();
    for text in ["one", "two", "three"] {
        scene.topic.publish(text).unwrap();
    }
    Router::new().events("/", move |request: Request| {
        let (topic, journal) = (scene.topic.clone(), scene.journal.clone());
        request.clean_up().add(move |_| {
            journal.note(format!("subscribers left: {}", topic.stats().subscribers));
        });
        scene.watch(&request);
        scene.topic.resume(&request)
    })
}

fn mapped(scene: &Scene) -> Router {
    let layer = async |request: Request, next: Next| {
        next.run(request).await.map_events(|event: Event| {
            let is_public = event.data() != Some("secret");
            is_public.then(|| event.with_event_type("seen").unwrap())
        })
    };
    feed(scene).layer(layer)
}
