//! The handlers of `docs/reference.md`: each Rust block of the page is a part of this file.

use super::adapter as sse_tokio;

use std::{collections::BTreeMap, io, sync::mpsc};

use async_stream::stream;
use futures_util::{Stream, StreamExt};
use serde::Serialize;
use sse_tokio::{CleanUp, Json, Subscriber, Topic, controller};

pub(crate) struct Greetings {
    pub(crate) greeting: String,
}

#[controller("greetings")]
impl Greetings {
    #[sse("updates")]
    fn updates(&self) -> impl Stream<Item = String> {
        stream! {
            yield self.greeting.clone();
            yield "Goodbye, world!".to_owned();
        }
    }

    #[sse("limited")]
    fn limited(&self) -> impl Stream<Item = String> {
        stream! {
            for n in 0..5 {
                yield format!("update {n}");
            }
        }
    }
}

#[derive(Clone, Serialize)]
pub(crate) struct StatusUpdate {
    pub(crate) status: &'static str,
    pub(crate) timestamp: u64,
}

pub(crate) struct Data {
    pub(crate) status: StatusUpdate,
}

#[controller("data")]
impl Data {
    #[sse("string")]
    fn string(&self) -> impl Stream<Item = &'static str> {
        stream! { yield "two\nlines"; }
    }

    #[sse("number")]
    fn number(&self) -> impl Stream<Item = u32> {
        stream! { yield 42; }
    }

    #[sse("map")]
    fn map(&self) -> impl Stream<Item = BTreeMap<&'static str, StatusUpdate>> {
        stream! { yield BTreeMap::from([("now", self.status.clone())]); }
    }

    #[sse("list")]
    fn list(&self) -> impl Stream<Item = Vec<StatusUpdate>> {
        stream! { yield vec![self.status.clone()]; }
    }

    #[sse("object")]
    fn object(&self) -> impl Stream<Item = Json<StatusUpdate>> {
        stream! { yield Json(self.status.clone()); }
    }

    /// One item in place of a stream is one event.
    #[sse("once")]
    async fn once(&self) -> Json<StatusUpdate> {
        Json(self.status.clone())
    }
}

pub(crate) struct Live {
    pub(crate) updates: Topic,
    pub(crate) over: mpsc::Sender<String>,
}

#[controller("live")]
impl Live {
    #[sse("updates")]
    fn updates(&self, clean_up: CleanUp) -> Subscriber {
        for name in ["first", "second"] {
            let over = self.over.clone();
            clean_up.add(move |reason| {
                let _ = over.send(format!("{name}: {reason}"));
            });
        }
        self.updates.subscribe()
    }

    #[sse("endless")]
    fn endless(&self, clean_up: CleanUp) -> impl Stream<Item = u64> {
        let over = self.over.clone();
        clean_up.add(move |reason| {
            let _ = over.send(reason.to_string());
        });
        stream! {
            for n in 0.. {
                yield n;
            }
        }
    }
}

/// Fails at the first attempt, and falls silent after its second item.
fn source(attempt: u32) -> impl Stream<Item = io::Result<&'static str>> + Unpin {
    Box::pin(stream! {
        if attempt == 1 {
            yield Ok("an update");
            yield Err(io::Error::other("out of paper"));
        } else {
            yield Ok("another update");
            std::future::pending::<()>().await;
        }
    })
}

pub(crate) struct Errors {
    pub(crate) over: mpsc::Sender<String>,
}

#[controller("errors")]
impl Errors {
    /// The client gets the error as an event, and the stream ends properly.
    #[sse("told")]
    fn told(&self) -> impl Stream<Item = String> {
        source(1).map(|update| match update {
            Ok(update) => update.to_owned(),
            Err(error) => format!("Error: {error}"),
        })
    }

    /// The body is cut short, so that the client detects the error, and clean-up gets it.
    #[sse("failed")]
    fn failed(&self, clean_up: CleanUp) -> impl Stream<Item = io::Result<&'static str>> {
        let over = self.over.clone();
        clean_up.add(move |reason| {
            let _ = over.send(reason.to_string());
        });
        source(1)
    }

    /// The stream continues with the next attempt. A pause belongs before it: the runtime's own `sleep`.
    #[sse("asked-again")]
    fn asked_again(&self) -> impl Stream<Item = &'static str> {
        stream! {
            for attempt in 1.. {
                let mut updates = source(attempt);
                while let Some(update) = updates.next().await {
                    yield update.unwrap_or("There is nothing for a moment.");
                }
            }
        }
    }
}
