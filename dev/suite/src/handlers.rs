//! Handlers that report how their streams end.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, mpsc},
    task::{Context, Poll},
};

use futures_util::{Stream, StreamExt, stream};
use sse_core::lifecycle::CloseReason;
use sse_driver::router::Request;

use crate::PATIENCE;

/// A channel of the clean-ups, and of the events before them.
pub(crate) fn log() -> (mpsc::Sender<String>, mpsc::Receiver<String>) {
    mpsc::channel()
}

/// A route that logs its clean-up, and before that the end of its stream.
pub(crate) fn logged<S>(
    log: &mpsc::Sender<String>,
    stream: impl Fn() -> S + Send + Sync + 'static,
) -> impl Fn(Request) -> Guarded<S> + Send + Sync + 'static {
    let log = log.clone();
    move |request| {
        let told = log.clone();
        request
            .clean_up()
            .add(move |reason| told.send(reason.to_string()).unwrap());
        Guarded {
            stream: Box::pin(stream()),
            log: log.clone(),
        }
    }
}

/// A stream that logs its drop.
pub(crate) struct Guarded<S> {
    stream: Pin<Box<S>>,
    log: mpsc::Sender<String>,
}

impl<S: Stream> Stream for Guarded<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        self.stream.as_mut().poll_next(cx)
    }
}

impl<S> Drop for Guarded<S> {
    fn drop(&mut self) {
        // At the end of a test there is no receiver.
        let _ = self.log.send("the stream was dropped".into());
    }
}

pub(crate) fn expect(log: &mpsc::Receiver<String>, reason: &str) {
    for expected in ["the stream was dropped", reason] {
        let line = log.recv_timeout(PATIENCE);
        assert_eq!(line.as_deref(), Ok(expected));
    }
}

/// Yields one event, and then never anything.
pub(crate) fn hello_and_silence() -> impl Stream<Item = &'static str> {
    stream::iter(["hello"]).chain(stream::pending())
}

/// Counts how often the clean-up of each request ran, and why. Clones count together.
#[derive(Clone, Default)]
pub(crate) struct Tally(Arc<Mutex<Vec<Vec<CloseReason>>>>);

impl Tally {
    /// A route whose requests are counted.
    pub(crate) fn route<S: Stream>(
        &self,
        stream: impl Fn(&Request) -> S + Send + Sync + 'static,
    ) -> impl Fn(Request) -> S + Send + Sync + 'static {
        let tally = self.clone();
        move |request| {
            tally.watch(&request);
            stream(&request)
        }
    }

    fn watch(&self, request: &Request) {
        let number = {
            let mut requests = self.0.lock().unwrap();
            requests.push(Vec::new());
            requests.len() - 1
        };
        let tally = self.clone();
        request
            .clean_up()
            .add(move |reason| tally.0.lock().unwrap()[number].push(reason.clone()));
    }

    /// Returns the number of requests.
    pub(crate) fn requests(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Returns the reasons once every connection is over, and asserts that each clean-up ran once.
    pub(crate) fn once_each(&self) -> Vec<CloseReason> {
        let requests = self.0.lock().unwrap().clone();
        assert!(requests.iter().all(|runs| runs.len() == 1), "{requests:?}");
        requests.concat()
    }
}
