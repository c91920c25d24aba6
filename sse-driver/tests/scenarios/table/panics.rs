//! Application code that panics, wherever a response calls it.
//!
//! A panic that ends a response is its reason, and events that were yielded before it are delivered. A
//! panic after the end of the response, when its rest is dropped, does not change the reason. None of
//! them reaches the executor.

use std::{error::Error, fmt, task::Poll};

use futures_util::{StreamExt, stream};
use sse_core::http::{Response, StatusCode};
use sse_driver::router::{Reply, Request, Router};

use super::{
    endings::{IS_THE_CLIENT, SEES_NOT_WHY},
    streams::MOMENT,
};
use crate::{
    scenario::{Scenario, Scene, Step},
    ways::Way,
};

/// Panics when it is dropped.
#[derive(Clone, Debug)]
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        boom();
    }
}

fn boom() {
    panic!("expected in this test");
}

/// An error that panics when it is formatted.
#[derive(Debug)]
struct Unspeakable;

impl fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        boom();
        Ok(())
    }
}

impl Error for Unspeakable {}

/// An error that panics when it is dropped.
#[derive(Debug)]
struct Explosive {
    _bomb: Bomb,
}

impl fmt::Display for Explosive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no more")
    }
}

impl Error for Explosive {}

const KEEPS_EXTENSIONS: &str = "The extensions go to the foreign server with the head, which may \
                                have a use for them.";

/// An event was delivered, and then the body was broken off.
const BROKEN_OFF: [&str; 6] = [
    "200 text/event-stream",
    "a",
    "broken off",
    "stream dropped",
    "clean-up: the handler panicked",
    "counted as handler_panicked",
];

pub fn scenarios() -> Vec<Scenario> {
    use Step::{Advance, Leave, Stop};
    vec![
        Scenario::new(
            "a handler that panics before it answers",
            panics_at_once,
            [],
            &[
                "500 text/plain, 29 bytes",
                "The server failed to answer.",
                "ended",
                "clean-up: the handler panicked",
                "counted as handler_panicked",
            ],
        ),
        Scenario::new(
            "a stream that panics when it is polled",
            |scene| {
                handler(scene, |_, held| {
                    let panics = stream::poll_fn(|_| {
                        boom();
                        Poll::Ready(None)
                    });
                    let events = stream::iter(["a"]).chain(panics);
                    Reply::events(holding(events, held))
                })
            },
            [Advance(MOMENT)],
            &BROKEN_OFF,
        ),
        Scenario::new(
            "a stream that panics when it is dropped at its end",
            |scene| {
                handler(scene, |_, held| {
                    Reply::events(holding(stream::iter(["a"]), (held, Bomb)))
                })
            },
            [Advance(MOMENT)],
            &BROKEN_OFF,
        ),
        Scenario::new(
            "a stream that panics when it is dropped since its client left",
            |scene| {
                handler(scene, |_, held| {
                    Reply::events(holding(stream::pending::<&str>(), (held, Bomb)))
                })
            },
            [Leave],
            &[
                "200 text/event-stream",
                "still open",
                "stream dropped",
                "clean-up: the client went away",
                "counted as client_went_away",
            ],
        ),
        Scenario::new(
            "a stream that panics when it is dropped since there is no body",
            |scene| {
                handler(scene, |_, held| {
                    Reply::events(holding(stream::pending::<&str>(), (held, Bomb)))
                        .with_status(StatusCode::NO_CONTENT)
                })
            },
            [],
            &[
                "204 text/event-stream",
                "ended",
                "stream dropped",
                "clean-up: the response was sent",
                "counted as response_sent",
            ],
        ),
        Scenario::new(
            "a handler's future that panics when its client leaves",
            undecided,
            [Leave],
            &[
                "no answer, still open",
                "handler dropped",
                "clean-up: the client went away",
                "counted as client_went_away",
            ],
        ),
        Scenario::new(
            "a handler's future that panics when its task is dropped",
            undecided,
            [Stop],
            &[
                "no answer, broken off",
                "handler dropped",
                "clean-up: the connection's task was dropped",
                "counted as task_dropped and task_dropped",
                "bystander: broken off; stream dropped, clean-up: the connection's task was dropped",
            ],
        )
        .stays(
            Way::Embedding,
            SEES_NOT_WHY,
            &[
                "no answer, broken off",
                "handler dropped",
                "clean-up: the client went away",
                "counted as client_went_away and client_went_away",
                "bystander: broken off; stream dropped, clean-up: the client went away",
            ],
        )
        .stays(
            Way::TestClient,
            IS_THE_CLIENT,
            &[
                "no answer, broken off",
                "handler dropped",
                "clean-up: the client went away",
                "bystander: broken off; stream dropped, clean-up: the client went away",
            ],
        ),
        Scenario::new(
            "a stream's error that panics when it is shown",
            |scene| failing(scene, || Unspeakable),
            [Advance(MOMENT)],
            &BROKEN_OFF,
        ),
        Scenario::new(
            "a stream's error that panics when it is dropped",
            |scene| failing(scene, || Explosive { _bomb: Bomb }),
            [Advance(MOMENT)],
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
            "an extension of a stream's response that panics when it is dropped",
            |scene| {
                handler(scene, |_, held| {
                    let (mut head, body) =
                        Reply::events(holding(stream::iter(["a"]), held)).into_parts();
                    head.extensions_mut().insert(Bomb);
                    Reply::from_parts(head, body)
                })
            },
            [Advance(MOMENT)],
            &[
                "500 text/plain, 29 bytes",
                "The server failed to answer.",
                "ended",
                "stream dropped",
                "clean-up: the handler panicked",
                "counted as handler_panicked",
            ],
        )
        .stays(
            Way::Embedding,
            KEEPS_EXTENSIONS,
            &[
                "200 text/event-stream",
                "a",
                "ended",
                "stream dropped",
                "clean-up: the stream ended",
                "counted as stream_ended",
            ],
        ),
        Scenario::new(
            "an extension of a whole response that panics when it is dropped",
            whole_with_a_bomb,
            [],
            &[
                "500 text/plain, 29 bytes",
                "The server failed to answer.",
                "ended",
                "clean-up: the handler panicked",
                "counted as handler_panicked",
            ],
        )
        .stays(
            Way::Embedding,
            KEEPS_EXTENSIONS,
            &[
                "200 nothing, 6 bytes",
                "a page",
                "ended",
                "clean-up: the response was sent",
                "counted as response_sent",
            ],
        ),
    ]
}

/// Returns a handler that is logged, and responds at once.
fn handler(
    scene: &Scene,
    answer: impl Fn(Request, crate::scenario::Held) -> Reply + Send + Sync + 'static,
) -> Router {
    let scene = scene.clone();
    Router::new().get("/", move |request: Request| {
        scene.watch(&request);
        answer(request, scene.hold("stream"))
    })
}

fn panics_at_once(scene: &Scene) -> Router {
    let scene = scene.clone();
    Router::new().get("/", move |request: Request| -> Reply {
        scene.watch(&request);
        panic!("expected in this test")
    })
}

fn whole_with_a_bomb(scene: &Scene) -> Router {
    let scene = scene.clone();
    Router::new().get("/", move |request: Request| {
        scene.watch(&request);
        let mut response = Response::new("a page");
        response.extensions_mut().insert(Bomb);
        response
    })
}

/// Returns a handler that never responds, and panics when it is dropped.
fn undecided(scene: &Scene) -> Router {
    let scene = scene.clone();
    Router::new().events("/", move |request: Request| {
        scene.watch(&request);
        let held = (scene.hold("handler"), Bomb);
        async move {
            let _held = held;
            std::future::pending::<Reply>().await
        }
    })
}

/// A stream that fails after an event.
fn failing<E: Error + Send + Sync + 'static>(scene: &Scene, error: fn() -> E) -> Router {
    handler(scene, move |_, held| {
        let failure = stream::once(async move { Err(error()) });
        let events = stream::iter([Ok("a")]).chain(failure);
        Reply::events(holding(events, held))
    })
}

/// Returns the same stream, which holds a value for as long as it lives.
fn holding<S: futures_util::Stream>(
    stream: S,
    held: impl Send,
) -> impl futures_util::Stream<Item = S::Item> {
    stream.inspect(move |_| {
        let _held = &held;
    })
}
