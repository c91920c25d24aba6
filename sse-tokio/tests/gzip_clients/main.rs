//! Compressed event streams with clients of others: curl, Python, Node and Chromium, directly and behind nginx.
//!
//! `.ci/test` runs this; it needs `curl`, `python3` with `requests`, `node`, `nginx`, `chromium` and
//! `chromedriver` on the path. Each event is published when the client has shown the one before, so that
//! an event that is held back fails the test.
#![cfg(feature = "compression")]

mod browser;
#[allow(unreachable_pub)] // a test has no interface
#[path = "../chromium/mod.rs"]
mod chromium;
mod nginx;
mod programs;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use chromium::until;
use futures_util::StreamExt;
use sse_tokio::{
    Event, Reply, Request, Router, Server, Tokio, Topic, TopicConfig,
    core::{
        http::{HeaderValue, Response, header},
        lifecycle::StreamError,
        server::StreamCompression,
    },
};

/// A server with a topic that compresses, and how many events it has.
struct Setting {
    topic: Topic,
    address: SocketAddr,
    published: AtomicUsize,
    /// How many requests for a stream took the coding.
    asked: Arc<AtomicUsize>,
}

impl Setting {
    /// Serves the topic in three ways: `/events` goes on, `/three` ends properly behind three batches, and
    /// `/broken` fails in place of the fourth: a client that reads a batch and the break at once may drop the
    /// batch, as the Streams standard has it for a stream that errors.
    async fn start() -> Self {
        let mut config = TopicConfig::default();
        config.compress = true;
        let topic = Topic::on(Tokio, config);
        let asked = Arc::new(AtomicUsize::new(0));
        let stream = || {
            let (topic, asked) = (topic.clone(), asked.clone());
            move |request: &Request| {
                let coding = request.headers().get("accept-encoding");
                let takes_gzip = coding.is_some_and(|it| it.to_str().unwrap().contains("gzip"));
                asked.fetch_add(usize::from(takes_gzip), Ordering::Relaxed);
                topic.resume(request)
            }
        };
        let (on, three, broken) = (stream(), stream(), stream());
        let router = Router::new()
            .get("/", |_| page())
            .events("/events", move |request: Request| on(&request))
            .events("/three", move |request: Request| {
                Reply::events(three(&request).take(3)).with_compression(StreamCompression::Shared)
            })
            .events("/broken", move |request: Request| {
                let batches = broken(&request).enumerate().map(|(n, batch)| match n {
                    0..3 => batch.map_err(StreamError::new),
                    _ => Err(StreamError::from("broken")),
                });
                Reply::events(batches).with_compression(StreamCompression::Shared)
            });
        let server = Server::bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap();
        tokio::spawn(server.serve(router));
        Self {
            topic,
            address,
            published: AtomicUsize::new(0),
            asked,
        }
    }

    /// The URL of the server itself.
    fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Publishes one event more. Returns the line of its data.
    fn publish(&self) -> String {
        let n = self.published.fetch_add(1, Ordering::Relaxed);
        let data = format!("event {n} of a stream of which the most is the same over and over");
        let event = Event::new(&data).with_reconnection_time(Duration::from_millis(20));
        self.topic.publish(event).unwrap();
        format!("data: {data}")
    }

    /// Until so many clients read the topic.
    async fn wait_for_subscribers(&self, count: u64) {
        until("clients at the topic", async || {
            (self.topic.stats().subscribers == count).then_some(())
        })
        .await;
    }
}

fn page() -> Response<&'static str> {
    let mut page = Response::new(include_str!("page.html"));
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    page.headers_mut().insert(header::CONTENT_TYPE, html);
    page
}
