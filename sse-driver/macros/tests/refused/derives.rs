#![allow(unused)]

use sse_driver::{FromEvent, IntoEvent};

#[derive(IntoEvent)]
struct NotAnEnum {
    text: String,
}

#[derive(IntoEvent, FromEvent)]
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

fn into_event<T: IntoEvent>() {}

fn from_event<T: FromEvent>() {}

// Types with an error are events nevertheless, so that the compiler does not complain that they are not.
fn main() {
    into_event::<NotAnEnum>();
    into_event::<Named>();
    from_event::<Named>();
    from_event::<Tuple>();
    into_event::<Twice>();
    into_event::<BadType>();
    into_event::<OnTheEnum>();
}
