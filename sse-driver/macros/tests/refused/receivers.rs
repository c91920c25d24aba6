#![allow(unused)]

use sse_driver::{controller, sse};

struct Example;

#[controller]
impl Example {
    #[sse("a")]
    fn a() {}

    #[sse("b")]
    fn b(&mut self) {}

    #[sse("c")]
    fn c(self) {}
}

struct Alone;

impl Alone {
    #[sse("d")]
    fn d(&self) {}
}

fn main() {}
