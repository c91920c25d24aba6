#![allow(unused)]

use sse_core::{FromEvent, IntoEvent};

struct User;

#[derive(IntoEvent, FromEvent)]
enum Chat {
    Joined(User),
}

fn main() {}
