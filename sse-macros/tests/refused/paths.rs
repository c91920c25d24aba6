#![allow(unused)]

use sse_core::sse;

#[sse("rooms/{room")]
fn open() {}

#[sse("//rooms")]
fn slashes() {}

#[sse(rooms)]
fn no_quotes() {}

fn main() {}
