#![allow(unused)]

use sse_driver::controller;

#[controller("example")]
fn events() {}

fn main() {}
