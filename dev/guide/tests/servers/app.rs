//! The handlers, which are the same in every server.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{Stream, StreamExt, stream};
use sse_tokio::{
    CloseReason, HeaderValue, Refusal, Request, Response, Router, StatusCode, Tokio, Topic,
    TopicConfig, http::header,
};

/// The time after which a test gives up. No time is asserted.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// The reason for which each response ended, oldest first.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn watch(&self, request: &Request) {
        let (log, path) = (self.clone(), request.path().to_owned());
        request.clean_up().add(move |reason: &CloseReason| {
            log.0.lock().unwrap().push(format!("{path}: {reason}"));
        });
    }

    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// Waits until there are as many lines as expected, and asserts that they are the expected
    /// ones.
    pub async fn expect(&self, expected: &[&str]) {
        let arrived = async {
            while self.lines().len() < expected.len() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let _ = tokio::time::timeout(PATIENCE, arrived).await;
        assert_eq!(self.lines(), expected);
    }
}

/// The values that the handlers share with the test.
#[derive(Clone)]
pub struct App {
    pub log: Log,
    pub topic: Topic,
    /// The number of items that `/flood` has yielded.
    pub flooded: Arc<AtomicUsize>,
}

impl App {
    pub fn new() -> Self {
        Self {
            log: Log::default(),
            topic: Topic::on(Tokio, TopicConfig::default()),
            flooded: Arc::default(),
        }
    }

    pub fn router(&self) -> Router {
        Router::new()
            .events(
                "/idle",
                self.stream(|| stream::iter(["first"]).chain(stream::pending())),
            )
            .events("/silent", self.stream(stream::pending::<u8>))
            .events("/end", self.stream(|| stream::iter(["one", "two"])))
            .events(
                "/error",
                self.stream(|| stream::iter([Ok("before"), Err("out of paper")])),
            )
            .events(
                "/panic",
                self.stream(|| {
                    stream::iter(0..).map(|n| if n < 1 { n } else { panic!("on purpose") })
                }),
            )
            .events("/panic-at-once", {
                let log = self.log.clone();
                move |request: Request| -> stream::Empty<u8> {
                    log.watch(&request);
                    panic!("on purpose")
                }
            })
            .events("/refused", {
                let log = self.log.clone();
                move |request: Request| {
                    log.watch(&request);
                    let refusal = Refusal::new(StatusCode::FORBIDDEN, "not you\n");
                    Err::<stream::Empty<u8>, _>(refusal)
                }
            })
            .events("/topic", {
                let app = self.clone();
                move |request: Request| {
                    app.log.watch(&request);
                    app.topic.resume(&request)
                }
            })
            .events("/flood", {
                let flooded = self.flooded.clone();
                self.stream(move || {
                    let flooded = flooded.clone();
                    stream::repeat_with(move || {
                        flooded.fetch_add(1, Ordering::Relaxed);
                        "x".repeat(1024)
                    })
                })
            })
            .events("/last-words", {
                let log = self.log.clone();
                move |request: Request| {
                    log.watch(&request);
                    let shutdown = request.shutdown();
                    stream::iter(["first"]).chain(stream::once(async {
                        shutdown.await;
                        "goodbye"
                    }))
                }
            })
            .get("/page", |_| {
                let mut page = Response::new("<!doctype html>");
                let html = HeaderValue::from_static("text/html");
                page.headers_mut().insert(header::CONTENT_TYPE, html);
                page
            })
    }

    fn stream<S: Stream>(
        &self,
        make: impl Fn() -> S + Send + Sync + 'static,
    ) -> impl Fn(Request) -> S + Send + Sync + 'static {
        let log = self.log.clone();
        move |request| {
            log.watch(&request);
            make()
        }
    }
}
