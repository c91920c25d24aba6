#![allow(unused)]

use std::{future::ready, io, rc::Rc};

use futures_util::{Stream, StreamExt, stream};
use sse_driver::router::{Next, Refusal, Request, Router};

struct Thing;

fn not_a_reply(request: Request) -> Thing {
    Thing
}

fn not_events(request: Request) -> impl Stream<Item = Thing> {
    stream::iter([Thing])
}

fn not_send(request: Request) -> impl Stream<Item = String> {
    let count = Rc::new(());
    stream::iter(["a"]).map(move |word| format!("{word} {count:?}"))
}

async fn waits_with_what_is_not_send(request: Request) -> String {
    let count = Rc::new(());
    ready(()).await;
    format!("{count:?}")
}

fn not_a_refusal(request: Request) -> io::Result<String> {
    Ok(String::new())
}

fn borrows(request: &Request) -> String {
    request.path().to_owned()
}

fn takes_more(request: Request, name: String) -> String {
    name
}

async fn not_a_layer(request: Request, next: Next) -> Option<Thing> {
    None
}

fn main() {
    Router::new().events("/", not_a_reply);
    Router::new().events("/", not_events);
    Router::new().events("/", not_send);
    Router::new().events("/", waits_with_what_is_not_send);
    Router::new().events("/", not_a_refusal);
    Router::new().events("/", borrows);
    Router::new().events("/", takes_more);
    Router::new().events("/", || stream::iter(["a"]));
    Router::new().layer(not_a_layer);
    Router::new().controller(Thing);
}
