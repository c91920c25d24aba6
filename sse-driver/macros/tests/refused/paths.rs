#![allow(unused)]

use sse_driver::{controller, router::Router, sse};

#[sse("rooms/{room")]
fn open() {}

#[sse("//rooms")]
fn slashes() {}

#[sse(rooms)]
fn no_quotes() {}

#[sse("rooms", method = GRAB)]
fn no_method() {}

#[sse("rooms", method = "POST")]
fn quotes() {}

#[sse("rooms")]
#[sse("rooms/{room")]
fn second() {}

struct Example;

#[controller(rooms)]
impl Example {
    #[sse("a/{b}")]
    #[sse("c")]
    fn a(&self, #[path] b: u8) {}

    #[sse = "d"]
    fn d(&self) {}
}

struct Other;

#[controller("rooms", method = POST)]
impl Other {
    #[sse("a")]
    fn a(&self) {}
}

fn main() {
    Router::new()
        .controller(open {})
        .controller(slashes {})
        .controller(no_quotes {})
        .controller(no_method {})
        .controller(quotes {})
        .controller(second {})
        .controller(Example)
        .controller(Other);
}
