#![allow(unused)]

use sse_driver::controller;

struct Example;

#[controller("example")]
impl Example {
    fn events(&self) {}
}

fn main() {}
