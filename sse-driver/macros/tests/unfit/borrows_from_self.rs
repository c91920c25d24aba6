#![allow(unused)]

use futures_util::{Stream, StreamExt, stream};
use sse_driver::controller;

struct Example {
    greeting: String,
}

#[controller("example")]
impl Example {
    #[sse("events")]
    fn events(&self) -> impl Stream<Item = String> {
        stream::iter(0..3).map(|n| format!("{} {n}", self.greeting))
    }
}

fn main() {}
