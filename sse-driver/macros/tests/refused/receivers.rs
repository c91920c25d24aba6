#![allow(unused)]

use sse_driver::{controller, router::Router, sse};

struct Example;

#[controller]
impl Example {
    #[sse("a")]
    fn a() {}

    #[sse("b")]
    fn b(&mut self) {}

    #[sse("c")]
    fn c(self) {}

    #[sse("d")]
    fn d(self: &mut Self) {}
}

struct Alone;

impl Alone {
    #[sse("e")]
    fn e(&self, #[query] since: u8) {}
}

fn main() {
    Router::new().controller(Example);
    Alone.e(1);
}
