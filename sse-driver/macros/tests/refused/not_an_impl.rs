#![allow(unused)]

use sse_driver::{controller, sse};

#[controller("example")]
fn events() {}

struct Example;

#[sse]
impl Example {}

fn main() {
    events();
}
