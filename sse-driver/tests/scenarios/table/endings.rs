//! Shutdowns, cuts, and runtimes that end.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use sse_driver::router::{Next, Request, Router};

use super::{
    answers::whole,
    feed,
    requests::echo,
    streams::{topic, undecided},
};
use crate::{
    scenario::{LARGE, Scenario, Scene, Step},
    ways::Way,
};

const HAS_NO_DEADLINE: &str = "A test says itself when a shutdown begins, and when it cuts.";

pub const SEES_NOT_WHY: &str = "A body does not learn why its server drops it.";
pub const IS_THE_CLIENT: &str = "Nothing but the client drops a test client's response.";

pub fn scenarios() -> Vec<Scenario> {
    use Step::{Advance, Cut, Publish, PublishText, Push, ReadOnce, ShutDown, Stop, Upload};
    vec![
        Scenario::new(
            "a stream that ends itself at a shutdown",
            polite,
            [ShutDown],
            &[
                "200 text/event-stream",
                "goodbye",
                "ended",
                "stream dropped",
                "clean-up: the stream ended",
                "counted as stream_ended",
            ],
        ),
        Scenario::new(
            "a stream that goes on after a shutdown began",
            feed,
            [ShutDown, Push("a"), Step::End],
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
            "a subscriber at a shutdown",
            topic,
            [Publish(1), ShutDown],
            &[
                "200 text/event-stream",
                "two#1-2, three#1-3, 1#1-4",
                "ended",
                "subscribers left: 0",
                "clean-up: the server was shut down",
                "counted as shutdown",
            ],
        )
        .field("last-event-id", "1-1"),
        Scenario::new(
            "a subscriber that is to stay at a shutdown",
            topic_that_stays,
            [ShutDown, Publish(1), Step::Leave],
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
            "a shutdown while events of a stream are queued",
            feed,
            [Push(LARGE), ShutDown, Push("b"), Step::End, ReadOnce, ReadOnce, ReadOnce],
            &[
                "200 text/event-stream",
                "xxxxxxxx..., b",
                "ended",
                "stream dropped",
                "clean-up: the stream ended",
                "counted as stream_ended",
            ],
        )
        .holding(),
        Scenario::new(
            "a shutdown while events of a subscriber are queued",
            topic,
            [PublishText(LARGE), ShutDown, ReadOnce, ReadOnce, ReadOnce, ReadOnce],
            &[
                "200 text/event-stream",
                "two#1-2, three#1-3, xxxxxxxx...",
                "ended",
                "subscribers left: 0",
                "clean-up: the server was shut down",
                "counted as shutdown",
            ],
        )
        .field("last-event-id", "1-1")
        .holding(),
        Scenario::new(
            "a stream that is open at the shutdown's deadline",
            feed,
            [ShutDown, Push("a"), Advance(Duration::from_secs(11))],
            &[
                "200 text/event-stream",
                "a",
                "broken off",
                "stream dropped",
                "clean-up: the server was shut down",
                "counted as shutdown and shutdown",
                "bystander: broken off; stream dropped, clean-up: the server was shut down",
            ],
        )
        .lacks(Way::TestClient, HAS_NO_DEADLINE),
        Scenario::new(
            "a cut while the body is received",
            echo,
            [Upload("four"), Cut],
            &[
                "503 text/plain, 46 bytes",
                "The server is shutting down. Try again later.",
                "ended",
                "counted as shutdown and shutdown",
                "bystander: broken off; stream dropped, clean-up: the server was shut down",
            ],
        )
        .post(8),
        Scenario::new(
            "a cut while the handler decides",
            undecided,
            [Cut],
            &[
                "503 text/plain, 46 bytes",
                "The server is shutting down. Try again later.",
                "ended",
                "handler dropped",
                "clean-up: the server was shut down",
                "counted as shutdown and shutdown",
                "bystander: broken off; stream dropped, clean-up: the server was shut down",
            ],
        ),
        Scenario::new(
            "a cut while the stream is open",
            feed,
            [Push("a"), Cut],
            &[
                "200 text/event-stream",
                "a",
                "broken off",
                "stream dropped",
                "clean-up: the server was shut down",
                "counted as shutdown and shutdown",
                "bystander: broken off; stream dropped, clean-up: the server was shut down",
            ],
        ),
        Scenario::new(
            "a cut while events of a stream are queued",
            feed,
            [Push(LARGE), Cut, ReadOnce, ReadOnce],
            &[
                "200 text/event-stream",
                "broken off",
                "stream dropped",
                "clean-up: the server was shut down",
                "counted as shutdown and shutdown",
                "bystander: broken off; stream dropped, clean-up: the server was shut down",
            ],
        )
        .holding(),
        Scenario::new(
            "a cut while a whole answer is delivered",
            |scene| whole(scene, LARGE),
            [Cut, ReadOnce, ReadOnce],
            &[
                "200 nothing, 1000 bytes",
                "xxxxxxxx...",
                "broken off",
                "clean-up: the server was shut down",
                "counted as shutdown and shutdown",
                "bystander: broken off; stream dropped, clean-up: the server was shut down",
            ],
        )
        .holding()
        .stays(
            Way::Embedding,
            "The rest of a whole answer is the foreign server's to deliver once that has the head.",
            &[
                "200 nothing, 1000 bytes",
                "xxxxxxxx...",
                "ended",
                "clean-up: the response was sent",
                "counted as response_sent and shutdown",
                "bystander: broken off; stream dropped, clean-up: the server was shut down",
            ],
        )
        .stays(
            Way::TestClient,
            "A test client has no bounds to what is in flight: it has the whole answer at once.",
            &[
                "200 nothing, 1000 bytes",
                "xxxxxxxx...",
                "ended",
                "clean-up: the response was sent",
                "bystander: broken off; stream dropped, clean-up: the server was shut down",
            ],
        ),
        Scenario::new(
            "a runtime that ends under a stream",
            feed,
            [Push("a"), Stop],
            &[
                "200 text/event-stream",
                "a",
                "broken off",
                "stream dropped",
                "clean-up: the connection's task was dropped",
                "counted as task_dropped and task_dropped",
                "bystander: broken off; stream dropped, clean-up: the connection's task was dropped",
            ],
        )
        .stays(
            Way::Embedding,
            SEES_NOT_WHY,
            &[
                "200 text/event-stream",
                "a",
                "broken off",
                "stream dropped",
                "clean-up: the client went away",
                "counted as client_went_away and client_went_away",
                "bystander: broken off; stream dropped, clean-up: the client went away",
            ],
        )
        .stays(
            Way::TestClient,
            IS_THE_CLIENT,
            &[
                "200 text/event-stream",
                "a",
                "broken off",
                "stream dropped",
                "clean-up: the client went away",
                "bystander: broken off; stream dropped, clean-up: the client went away",
            ],
        ),
        Scenario::new(
            "a runtime that ends under a handler that decides",
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
    ]
}

/// Returns a stream that sends a last event.
fn polite(scene: &Scene) -> Router {
    let scene = scene.clone();
    Router::new().events("/", move |request: Request| {
        scene.watch(&request);
        let held = scene.hold("stream");
        stream::once(async move {
            request.shutdown().await;
            "goodbye"
        })
        .inspect(move |_| {
            let _held = &held;
        })
    })
}

fn topic_that_stays(scene: &Scene) -> Router {
    topic(scene).layer(async |request: Request, next: Next| {
        next.run(request).await.with_end_at_shutdown(false)
    })
}
