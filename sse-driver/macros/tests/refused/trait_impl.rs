#![allow(unused)]

use sse_driver::controller;

struct Example;

#[controller("example")]
impl Default for Example {
    fn default() -> Self {
        Example
    }
}

fn main() {}
