//! Responses that are whole, or have no body.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use sse_core::http::{Method, Response, StatusCode};
use sse_driver::router::{Refusal, Reply, Request, Router};

use super::{feed, streams::undecided};
use crate::scenario::{Scenario, Scene, Step};

pub fn scenarios() -> Vec<Scenario> {
    let mut scenarios = vec![
        Scenario::new(
            "a whole answer",
            |scene| whole(scene, "a page"),
            [],
            &[
                "200 nothing, 6 bytes",
                "a page",
                "ended",
                "clean-up: the response was sent",
                "counted as response_sent",
            ],
        ),
        Scenario::new(
            "a whole answer above the high-water mark",
            |scene| whole(scene, "a page of many bytes"),
            [],
            &[
                "200 nothing, 20 bytes",
                "a page of many bytes",
                "ended",
                "clean-up: the response was sent",
                "counted as response_sent",
            ],
        )
        .bounds(|bounds| bounds.high_water_mark = 4),
        Scenario::new(
            "an empty answer",
            |scene| whole(scene, ""),
            [],
            &[
                "200 nothing, 0 bytes",
                "ended",
                "clean-up: the response was sent",
                "counted as response_sent",
            ],
        ),
        Scenario::new(
            "a refusal",
            refused,
            [],
            &[
                "403 text/plain, 3 bytes",
                "no",
                "ended",
                "clean-up: the response was sent",
                "counted as response_sent",
            ],
        ),
        Scenario::new(
            "a path that no route has",
            |_| Router::new(),
            [],
            &[
                "404 text/plain, 59 bytes",
                "There is nothing at /. Check the path, and its last slash.",
                "ended",
                "counted as response_sent",
            ],
        ),
        Scenario::new(
            "a HEAD of an event stream",
            feed,
            [],
            &["200 text/event-stream", "ended", "counted as response_sent"],
        )
        .method(Method::HEAD),
        Scenario::new(
            "a HEAD whose handler answers with a stream",
            |scene| status(scene, StatusCode::OK),
            [],
            &[
                "200 text/event-stream",
                "ended",
                "stream dropped",
                "clean-up: the response was sent",
                "counted as response_sent",
            ],
        )
        .method(Method::HEAD),
        Scenario::new(
            "a HEAD of a whole answer",
            |scene| whole(scene, "a page"),
            [],
            &[
                "200 nothing, 6 bytes",
                "ended",
                "clean-up: the response was sent",
                "counted as response_sent",
            ],
        )
        .method(Method::HEAD),
        Scenario::new(
            "a HEAD of an empty answer",
            |scene| whole(scene, ""),
            [],
            &[
                "200 nothing, 0 bytes",
                "ended",
                "clean-up: the response was sent",
                "counted as response_sent",
            ],
        )
        .method(Method::HEAD),
        Scenario::new(
            "a handler that takes too long",
            undecided,
            [Step::Advance(Duration::from_secs(3))],
            &[
                "503 text/plain, 53 bytes",
                "The server took too long to answer. Try again later.",
                "ended",
                "handler dropped",
                "clean-up: the handler did not answer in time",
                "counted as respond_timeout",
            ],
        )
        .bounds(|bounds| bounds.respond_timeout = Duration::from_secs(3)),
        Scenario::new(
            "a handler that answers in time and is looked at late",
            deciding,
            [
                Step::Late(&Step::Push("a"), Duration::from_secs(4)),
                Step::End,
            ],
            &[
                "200 text/event-stream",
                "a",
                "ended",
                "stream dropped",
                "clean-up: the stream ended",
                "counted as stream_ended",
            ],
        )
        .bounds(|bounds| bounds.respond_timeout = Duration::from_secs(3)),
        Scenario::new(
            "an interim status",
            |scene| status(scene, StatusCode::EARLY_HINTS),
            [],
            &[
                "500 text/plain, 29 bytes",
                "The server failed to answer.",
                "ended",
                "stream dropped",
                "clean-up: the stream failed: 103 Early Hints is an interim status; respond with a final one, 200 or above",
                "counted as stream_error",
            ],
        ),
    ];
    for (code, name, head) in [
        (
            StatusCode::NO_CONTENT,
            "a 204 with a stream",
            "204 text/event-stream",
        ),
        (
            StatusCode::RESET_CONTENT,
            "a 205 with a stream",
            "205 text/event-stream",
        ),
        (
            StatusCode::NOT_MODIFIED,
            "a 304 with a stream",
            "304 text/event-stream",
        ),
    ] {
        scenarios.push(Scenario::new(
            name,
            move |scene| status(scene, code),
            [],
            &[
                head,
                "ended",
                "stream dropped",
                "clean-up: the response was sent",
                "counted as response_sent",
            ],
        ));
    }
    scenarios
}

pub fn whole(scene: &Scene, text: &'static str) -> Router {
    let scene = scene.clone();
    Router::new().get("/", move |request: Request| {
        scene.watch(&request);
        Response::new(text)
    })
}

/// Returns a handler that responds once the feed has an event.
fn deciding(scene: &Scene) -> Router {
    let feed = scene.feed.handler(&scene.journal);
    Router::new().events("/", move |request: Request| {
        let mut feed = feed(request);
        async move {
            let first = feed.next().await;
            stream::iter(first).chain(feed)
        }
    })
}

fn refused(scene: &Scene) -> Router {
    let scene = scene.clone();
    Router::new().events("/", move |request: Request| {
        scene.watch(&request);
        Err::<stream::Empty<u8>, _>(Refusal::new(StatusCode::FORBIDDEN, "no\n"))
    })
}

/// Returns a stream with any status.
fn status(scene: &Scene, status: StatusCode) -> Router {
    let scene = scene.clone();
    Router::new().get("/", move |request: Request| {
        let handler = scene.feed.handler(&scene.journal);
        Reply::events(handler(request)).with_status(status)
    })
}
