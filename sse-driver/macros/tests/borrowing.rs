//! Handlers whose streams borrow from their controller.

mod common;

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use async_stream::{stream, try_stream};
use common::{ask, get};
use futures_util::{Stream, StreamExt, stream};
use sse_driver::core::{
    Event, StreamItem,
    http::StatusCode,
    lifecycle::{CleanUp, CloseReason},
    topic::{Subscriber, Topic, TopicConfig},
};
use sse_driver::{
    controller,
    router::{Next, Refusal, ReplyBody, Request, Router},
    test_client::{TestClient, TestClock},
};

struct Greeter {
    greeting: String,
    words: Vec<String>,
    dropped: Arc<Mutex<Vec<&'static str>>>,
    panics: AtomicBool,
    topic: Topic,
}

impl Drop for Greeter {
    fn drop(&mut self) {
        self.dropped.lock().unwrap().push("the controller");
    }
}

fn greeter() -> Greeter {
    Greeter {
        greeting: "Hello".into(),
        words: vec!["a".into(), "b".into()],
        dropped: Arc::default(),
        panics: AtomicBool::new(false),
        topic: Topic::new(TopicConfig::default(), 1, Instant::now),
    }
}

/// Logs its drop.
struct Guard<'g>(&'g Greeter);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.dropped.lock().unwrap().push("the stream");
    }
}

#[controller]
impl Greeter {
    /// This is the form in the documentation of `async-stream`.
    #[sse("greet/{name}")]
    fn greet(&self, #[path] name: String) -> impl Stream<Item = String> {
        stream! {
            yield self.greeting.clone();
            yield format!("{}, {name}!", self.greeting);
        }
    }

    /// The items borrow, too.
    #[sse("words")]
    fn words(&self) -> impl Stream<Item = &str> {
        stream::iter(&self.words).map(String::as_str)
    }

    #[sse("word")]
    fn word(&self) -> &str {
        &self.greeting
    }

    #[sse("bound")]
    fn bound(&self) -> impl Stream<Item = String> + Send + '_ {
        stream::iter(&self.words).map(|word| word.to_uppercase())
    }

    #[sse("named")]
    fn named<'s>(&'s self) -> impl Stream<Item = &'s str> + Send + use<'s> {
        stream::iter(&self.words).map(|word| word.as_str())
    }

    #[sse("boxed")]
    fn boxed(&self) -> Pin<Box<dyn Stream<Item = &str> + Send + '_>> {
        Box::pin(stream::iter(&self.words).map(|word| word.as_str()))
    }

    #[sse("maybe/{yes}")]
    async fn maybe(&self, #[path] yes: bool) -> Option<impl Stream<Item = String>> {
        futures_util::future::ready(()).await;
        yes.then(|| stream! { yield self.greeting.clone() })
    }

    #[sse("tried/{how}")]
    async fn tried(
        &self,
        #[path] how: String,
    ) -> Result<impl Stream<Item = Result<String, std::io::Error>>, Refusal> {
        if how == "refused" {
            return Err(Refusal::new(StatusCode::FORBIDDEN, "not this one\n"));
        }
        Ok(try_stream! {
            yield self.greeting.clone();
            if how == "failed" {
                Err(std::io::Error::other("it broke"))?;
            }
            yield how;
        })
    }

    #[allow(clippy::manual_async_fn)] // Written in this way by hand, it borrows as well.
    #[sse("future")]
    fn future(&self) -> impl Future<Output = Result<impl Stream<Item = &str>, Refusal>> {
        async { Ok(stream::iter(&self.words).map(|word| word.as_str())) }
    }

    #[allow(clippy::manual_async_fn)]
    #[sse("event")]
    fn event(&self) -> impl Future<Output = Event> {
        async { Event::new(&*self.greeting) }
    }

    #[sse("endless")]
    fn endless(&self, clean_up: CleanUp) -> impl Stream<Item = &str> {
        let dropped = self.dropped.clone();
        clean_up.add(move |_| dropped.lock().unwrap().push("the clean-up"));
        let guard = Guard(self);
        stream! {
            let guard = guard;
            yield guard.0.greeting.as_str();
            if self.panics.load(Ordering::Relaxed) {
                panic!("as asked");
            }
            std::future::pending::<()>().await;
        }
    }

    #[sse("news")]
    fn news(&self) -> Result<Subscriber, Refusal> {
        self.topic.publish("news").unwrap();
        Ok(self.topic.subscribe_from_oldest())
    }

    /// Promises not to borrow, in each of the two ways.
    #[sse("static")]
    fn outlives(&self) -> impl Stream<Item = String> + Send + 'static {
        stream::iter(self.words.clone())
    }

    #[sse("nothing")]
    fn captures_nothing(&self) -> impl Stream<Item = String> + use<> {
        stream::iter(self.words.clone())
    }
}

#[track_caller]
fn assert_answer(target: &str, status: u16, text: &str) {
    let answer = ask(Router::new().controller(greeter()), get(target));
    assert_eq!(answer, (status, text.to_owned()), "{target}");
}

#[test]
fn a_stream_may_borrow_from_its_controller() {
    assert_answer("/greet/Ali", 200, "Hello;Hello, Ali!;");
    assert_answer("/words", 200, "a;b;");
    assert_answer("/word", 200, "Hello;");
    assert_answer("/bound", 200, "A;B;");
    assert_answer("/named", 200, "a;b;");
    assert_answer("/boxed", 200, "a;b;");
    assert_answer("/future", 200, "a;b;");
    assert_answer("/event", 200, "Hello;");
}

#[test]
fn a_stream_that_borrows_may_be_refused_or_missing() {
    assert_answer("/maybe/true", 200, "Hello;");
    assert_answer("/maybe/false", 404, "There is nothing here.\n");
    assert_answer("/tried/refused", 403, "not this one\n");
    assert_answer("/tried/well", 200, "Hello;well;");
}

#[test]
fn a_stream_that_says_that_it_does_not_borrow_is_taken_at_its_word() {
    assert_answer("/static", 200, "a;b;");
    assert_answer("/nothing", 200, "a;b;");
}

/// Returns the close reason of a stream with this target.
fn close_reason(target: &str, greeter: Greeter) -> CloseReason {
    let clock = TestClock::new(Instant::now());
    let client = TestClient::new(Router::new().controller(greeter), &clock).unwrap();
    let asking = async {
        let mut response = client.get(target).await.unwrap();
        while response.next_event().await.is_some() {}
        response.close_reason().await
    };
    clock.run(asking).unwrap()
}

#[test]
fn an_error_of_a_stream_that_borrows_is_its_close_reason() {
    let reason = close_reason("/tried/failed", greeter());
    assert_eq!(reason, CloseReason::StreamError("it broke".into()));
}

#[test]
fn a_panic_of_a_stream_that_borrows_is_its_close_reason() {
    let greeter = greeter();
    greeter.panics.store(true, Ordering::Relaxed);
    let reason = close_reason("/endless", greeter);
    assert_eq!(reason, CloseReason::HandlerPanicked);
}

#[test]
fn the_stream_is_dropped_before_clean_up_and_before_what_it_borrows_from() {
    let greeter = greeter();
    let dropped = greeter.dropped.clone();
    let clock = TestClock::new(Instant::now());
    let asking = async {
        let client = TestClient::new(Router::new().controller(greeter), &clock).unwrap();
        let mut response = client.get("/endless").await.unwrap();
        assert_eq!(response.next_event().await.unwrap().data(), "Hello");
        drop(client);
        assert_eq!(*dropped.lock().unwrap(), [""; 0]);
        drop(response);
    };
    clock.run(asking).unwrap();
    // The others may be dropped in either order: a server's routes hold the controller as well, and those
    // of this client are gone.
    let mut dropped = dropped.lock().unwrap();
    assert_eq!(dropped.remove(0), "the stream");
    dropped.sort_unstable();
    assert_eq!(*dropped, ["the clean-up", "the controller"]);
}

/// Events that are encoded once for all subscribers stay so.
#[test]
fn a_subscriber_keeps_its_encoding() {
    let look = async |request: Request, next: Next| {
        let (_, ReplyBody::Events(mut events)) = next.run(request).await.into_parts() else {
            return "no events";
        };
        match events.next().await {
            Some(Ok(StreamItem::Encoded(_))) => "encoded",
            _ => "not encoded",
        }
    };
    let router = Router::new().controller(greeter()).layer(look);
    let answer = ask(router, get("/news"));
    assert_eq!(answer, (200, "encoded;".to_owned()));
}
