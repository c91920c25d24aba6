#![allow(unused)]

use sse_core::controller;

struct Example;

#[controller("example")]
impl Default for Example {
    fn default() -> Self {
        Example
    }
}

fn main() {}
