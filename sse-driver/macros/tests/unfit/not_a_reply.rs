#![allow(unused)]

use futures_util::{Stream, stream};
use sse_driver::{controller, sse};

struct Thing;

struct Example;

#[controller("example")]
impl Example {
    #[sse("thing")]
    fn thing(&self) -> Thing {
        Thing
    }

    #[sse("things")]
    fn things(&self) -> impl Stream<Item = Thing> {
        stream::iter([Thing])
    }
}

#[sse("late")]
async fn late() -> Option<Thing> {
    None
}

fn main() {}
