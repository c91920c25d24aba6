#![allow(unused)]

use sse_driver::{FromEvent, IntoEvent};

#[derive(IntoEvent)]
struct NotAnEnum {
    text: String,
}

#[derive(FromEvent)]
enum Named {
    Message { user: String, text: String },
}

#[derive(FromEvent)]
enum Tuple {
    Message(String, String),
}

#[derive(IntoEvent)]
enum Twice {
    Message(String),
    #[event("message")]
    Other(String),
}

#[derive(IntoEvent)]
enum BadType {
    #[event("two\nlines")]
    Message(String),
    #[event(unquoted)]
    Other(String),
}

#[derive(IntoEvent)]
#[event("chat")]
enum OnTheEnum {
    Message(String),
}

fn main() {}
