#![allow(unused)]

use sse_core::controller;

struct Example;

#[controller("example")]
impl Example {
    fn events(&self) {}
}

fn main() {}
