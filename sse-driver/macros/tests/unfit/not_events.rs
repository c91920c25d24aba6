#![allow(unused)]

use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use sse_driver::core::{MessageEvent, Typed, topic::Topic};
use sse_driver::{FromEvent, controller, router::{FromRequest, Reply, Request}, sse};

#[derive(serde::Serialize)]
struct User {
    name: String,
}

#[derive(Debug)]
struct NotAnError;

struct Example;

#[controller("example")]
impl Example {
    #[sse("users")]
    fn users(&self) -> impl Stream<Item = User> {
        stream::iter([])
    }

    #[sse("user")]
    fn user(&self) -> User {
        User { name: String::new() }
    }

    #[sse("failing")]
    fn failing(&self) -> impl Stream<Item = Result<String, NotAnError>> {
        stream::iter([Err(NotAnError)])
    }

    #[sse("time")]
    fn time(&self) -> impl Stream<Item = Option<String>> {
        stream::iter([None])
    }

    #[sse("a_vector_of_streams")]
    fn streams(&self) -> (u8, u8, u8, u8) {
        (1, 2, 3, 4)
    }
}

fn publish(topic: &Topic) {
    topic.publish(User { name: String::new() });
}

fn read(event: MessageEvent) {
    Typed::<User>::read(event);
}

fn reply(user: User) -> Reply {
    Reply::event(user)
}

fn main() {}
