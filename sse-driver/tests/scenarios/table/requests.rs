//! Requests with a body.

use std::time::Duration;

use futures_util::stream;
use sse_driver::router::{Request, Router};

use crate::{
    scenario::{Scenario, Scene, Step},
    ways::Way,
};

pub fn scenarios() -> Vec<Scenario> {
    use Step::{Advance, BreakUpload, Late, Leave, Upload};
    vec![
        Scenario::new(
            "a body that is received before the handler is called",
            echo,
            [Upload("four"), Upload("more")],
            &[
                "200 text/event-stream",
                "fourmore",
                "ended",
                "clean-up: the stream ended",
                "counted as stream_ended",
            ],
        )
        .post(8),
        Scenario::new(
            "a body that is too large",
            echo,
            [Upload("four")],
            &[
                "413 text/plain, 64 bytes",
                "The request body is too large: this server takes up to 8 bytes.",
                "ended",
                "counted as rejected",
            ],
        )
        .post(9)
        .bounds(|bounds| bounds.body_limit = 8),
        Scenario::new(
            "a body that is too slow",
            echo,
            [Upload("four"), Advance(Duration::from_secs(3))],
            &[
                "408 text/plain, 43 bytes",
                "The request body was not complete in time.",
                "ended",
                "counted as body_timeout",
            ],
        )
        .post(8)
        .bounds(|bounds| bounds.body_timeout = Duration::from_secs(3)),
        Scenario::new(
            "a body that comes in time and is looked at late",
            echo,
            [
                Upload("four"),
                Late(&Upload("more"), Duration::from_secs(4)),
            ],
            &[
                "200 text/event-stream",
                "fourmore",
                "ended",
                "clean-up: the stream ended",
                "counted as stream_ended",
            ],
        )
        .post(8)
        .bounds(|bounds| bounds.body_timeout = Duration::from_secs(3)),
        Scenario::new(
            "a body that is broken off",
            echo,
            [Upload("four"), BreakUpload],
            &["no answer, broken off", "counted as client_went_away"],
        )
        .post(8)
        .stays(
            Way::Embedding,
            "All that a body's error says is that it failed: the client may be there, and over HTTP/2 \
             its response is another matter. It is answered 400.",
            &[
                "400 text/plain, 48 bytes",
                "The request body could not be received in full.",
                "ended",
                "counted as rejected",
            ],
        ),
        Scenario::new(
            "a client that leaves in the midst of its body",
            echo,
            [Upload("four"), Leave],
            &["no answer, still open", "counted as client_went_away"],
        )
        .post(8),
    ]
}

/// Responds with the request's body.
pub fn echo(scene: &Scene) -> Router {
    let scene = scene.clone();
    Router::new().post("/", move |request: Request| {
        scene.watch(&request);
        let text = String::from_utf8_lossy(request.body()).into_owned();
        stream::iter([text])
    })
}
