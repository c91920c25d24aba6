#![allow(unused)]

use sse_core::controller;

#[controller("example")]
fn events() {}

fn main() {}
