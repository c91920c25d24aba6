#![allow(unused)]

use sse_driver::{controller, router::Router};

struct Example;

#[controller("example")]
impl Example {
    fn events(&self) {}
}

fn main() {
    Router::new().controller(Example);
}
