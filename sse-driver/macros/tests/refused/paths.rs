#![allow(unused)]

use sse_driver::sse;

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

fn main() {}
