//! The table.

mod answers;
mod endings;
mod panics;
mod requests;
mod streams;

use sse_driver::router::Router;

use crate::scenario::{Scenario, Scene};

/// Returns the scenarios by their subject.
pub fn groups() -> Vec<(&'static str, Vec<Scenario>)> {
    vec![
        ("Streams", streams::scenarios()),
        ("Answers without a stream", answers::scenarios()),
        ("Requests with a body", requests::scenarios()),
        ("Endings that the server brings about", endings::scenarios()),
        ("Panics of the application's code", panics::scenarios()),
    ]
}

pub fn scenarios() -> Vec<Scenario> {
    let groups = groups().into_iter();
    groups.flat_map(|(_, scenarios)| scenarios).collect()
}

/// Returns a handler that responds with the scene's feed.
fn feed(scene: &Scene) -> Router {
    Router::new().events("/", scene.feed.handler(&scene.journal))
}
