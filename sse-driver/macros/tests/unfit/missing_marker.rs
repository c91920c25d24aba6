#![allow(unused)]

use sse_driver::{controller, router::Refusal, sse};

struct Example;

#[controller("rooms/{room}")]
impl Example {
    #[sse("a")]
    fn a(&self, room: u32) {}

    #[sse("b")]
    fn b(&self, #[path] room: u32, since: Option<u64>) {}

    #[sse("c")]
    async fn c(&self, name: String) -> Result<String, Refusal> {
        Ok(name)
    }
}

#[sse("greet")]
fn greet(greeting: &'static str) -> &'static str {
    greeting
}

fn main() {}
