#![allow(unused)]

use sse_driver::{FromEvent, IntoEvent};

struct User;

#[derive(IntoEvent, FromEvent)]
enum Chat {
    Joined(User),
}

fn main() {}
