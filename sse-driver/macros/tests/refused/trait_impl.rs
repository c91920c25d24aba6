#![allow(unused)]

use sse_driver::{controller, router::Router};

struct Example;

#[controller("example")]
impl Default for Example {
    fn default() -> Self {
        Example
    }
}

fn main() {
    Router::new().controller(Example);
}
