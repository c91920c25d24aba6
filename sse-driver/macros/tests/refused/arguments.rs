#![allow(unused)]

use sse_driver::{controller, router::Router, sse};

struct Example;

#[controller("rooms/{room}")]
impl Example {
    #[sse("a")]
    fn wrong_name(&self, #[path] rom: u32) {}

    #[sse("b")]
    fn borrowed(&self, #[query] since: &str) {}

    #[sse("c")]
    fn pattern(&self, #[query] (a, b): (u8, u8)) {}

    #[sse("d")]
    fn two_markers(&self, #[query] #[path] room: u8) {}

    #[sse("e")]
    fn conditional(&self, #[cfg_attr(test, query)] since: u8) {}

    #[sse("f")]
    fn state(&self, #[state] database: u8) {}

    #[sse("g")]
    fn unnamed(&self, #[query(since)] since: u8) {}
}

#[sse("generic")]
fn generic<T>(#[query] since: T) {}

#[sse("any")]
fn any(since: impl Copy) {}

#[sse("state")]
fn pattern(#[state] (a, b): (u8, u8)) {}

// Items with an error exist nevertheless, so that the compiler does not complain that they are missing.
fn main() {
    Router::new()
        .controller(Example)
        .controller(generic {})
        .controller(any {})
        .controller(pattern {});
    Example.wrong_name(1);
    generic(1);
}
