#![allow(unused)]

use sse_driver::{router::Router, sse};

#[sse("greet/{name}")]
fn greet(#[path] name: String, #[state] greeting: &'static str) -> String {
    format!("{greeting}, {name}!")
}

fn main() {
    Router::new().controller(greet);
}
