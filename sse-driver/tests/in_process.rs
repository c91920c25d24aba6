//! Handlers called by the test client: its reports, and the layers before handlers.
#![cfg(feature = "test-client")]
#![allow(clippy::disallowed_methods)] // an `Instant` has to come from somewhere

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Wake, Waker},
    time::{Duration, Instant},
};

use futures_util::{FutureExt, StreamExt, future, stream};
use sse_core::{
    Budget, Decoder, Event, EventId, StreamItem,
    http::{Request as Head, StatusCode},
    lifecycle::{CloseReason, Deadline},
    server::ConnectionConfig,
    topic::{
        Outcome, Subscriber, Topic, TopicConfig,
        resumable::{ResumableConfig, StreamEnd},
    },
};
use sse_driver::{
    ResumableStreams, Runtime,
    router::{Next, Refusal, Reply, ReplyBody, Request, Router},
    test_client::{Stuck, TestClient, TestClock, TestResponse},
};

fn clock() -> TestClock {
    TestClock::new(Instant::now())
}

/// Returns the status and the data of the events, or the text.
async fn ask(client: &TestClient, target: &str) -> (u16, Vec<String>) {
    let mut response = client.get(target).await.unwrap();
    let status = response.head().status().as_u16();
    if response.head().headers()["content-type"] != "text/event-stream" {
        return (status, vec![response.text().await.unwrap()]);
    }
    let mut data = Vec::new();
    while let Some(event) = response.next_event().await {
        data.push(event.data().to_owned());
    }
    (status, data)
}

/// Does the same with a router, in a run of its own.
fn asked(router: Router, target: &str) -> (u16, Vec<String>) {
    let clock = clock();
    let client = TestClient::new(router, &clock).unwrap();
    clock.run(ask(&client, target)).unwrap()
}

/// The head of the response to a client that takes `gzip`, and the data of its events.
#[cfg(feature = "compression")]
fn asked_for_gzip(router: Router) -> (sse_core::http::HeaderMap, Vec<String>, Option<String>) {
    let clock = clock();
    let client = TestClient::new(router, &clock).unwrap();
    let request = Head::get("/").header("accept-encoding", "gzip");
    let answer = async {
        let mut response = client.request(request.body(()).unwrap()).await.unwrap();
        let headers = response.head().headers().clone();
        let (mut data, mut error) = (Vec::new(), None);
        while let Some(event) = response.next().await {
            match event {
                Ok(event) => data.push(event.data().to_owned()),
                Err(told) => error = Some(told.to_string()),
            }
        }
        (headers, data, error)
    };
    clock.run(answer).unwrap()
}

#[cfg(feature = "compression")]
#[test]
fn a_compressed_stream_is_decoded() {
    use sse_core::server::StreamCompression;

    let router = Router::new().events("/", |_: Request| {
        Reply::events(stream::iter(["one", "two"])).with_compression(StreamCompression::Own)
    });
    let (headers, data, error) = asked_for_gzip(router);
    assert_eq!(headers["content-encoding"], "gzip");
    assert_eq!((data, error), (own(&["one", "two"]), None));
}

#[cfg(feature = "compression")]
#[test]
fn a_compressed_stream_that_breaks_off_or_is_none_is_an_error() {
    use sse_core::{
        http::{HeaderValue, header},
        lifecycle::StreamError,
        server::StreamCompression,
    };

    let router = Router::new().events("/", |_: Request| {
        let items = [Ok("one"), Err(StreamError::from("broken"))];
        Reply::events(stream::iter(items)).with_compression(StreamCompression::Own)
    });
    let (_, data, error) = asked_for_gzip(router);
    assert_eq!(data, own(&["one"]));
    assert!(error.unwrap().contains("the last chunk did not come"));

    let router = Router::new().events("/", |_: Request| {
        let gzip = HeaderValue::from_static("gzip");
        Reply::events(stream::iter(["one"])).with_header(header::CONTENT_ENCODING, gzip)
    });
    let (_, data, error) = asked_for_gzip(router);
    assert!(data.is_empty());
    assert!(error.unwrap().contains("does not begin with a gzip head"));
}

#[cfg(feature = "compression")]
#[test]
fn a_response_without_a_body_has_none_to_decode() {
    use sse_core::server::StreamCompression;

    let router = Router::new().events("/", |_: Request| {
        Reply::events(stream::iter(["one"]))
            .with_status(StatusCode::NO_CONTENT)
            .with_compression(StreamCompression::Own)
    });
    let (headers, data, error) = asked_for_gzip(router);
    assert_eq!(headers["content-encoding"], "gzip");
    assert_eq!((data, error), (own(&[]), None));
}

fn own(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

/// A handler's stream that logs its drop.
struct Held(Arc<Mutex<Vec<String>>>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.lock().unwrap().push("stream".into());
    }
}

/// Returns the log of a stream of two items, which then ends or does not, when the client does `act`.
async fn ends<T>(
    client: &TestClock,
    ends: bool,
    act: impl AsyncFnOnce(TestResponse) -> T,
) -> (T, Vec<String>) {
    let log = Arc::new(Mutex::new(Vec::new()));
    let own = log.clone();
    let router = Router::new().events("/", move |request: Request| {
        let (log, held) = (own.clone(), Held(own.clone()));
        request.clean_up().add(move |reason| {
            log.lock().unwrap().push(reason.to_string());
        });
        let rest = stream::pending().take_until(match ends {
            true => future::ready(()).left_future(),
            false => future::pending().right_future(),
        });
        stream::iter([1, 2]).chain(rest).inspect(move |_| {
            let _held = &held;
        })
    });
    let client = TestClient::new(router, client).unwrap();
    let mut response = client.get("/").await.unwrap();
    assert_eq!(response.next_event().await.unwrap().data(), "1");
    assert!(log.lock().unwrap().is_empty());
    let done = act(response).await;
    let log = log.lock().unwrap().clone();
    (done, log)
}

#[test]
fn the_reason_is_the_one_that_clean_up_is_told_behind_the_stream() {
    let clock = clock();
    let test = async {
        let (reason, log) = ends(&clock, true, TestResponse::close_reason).await;
        assert_eq!(reason, CloseReason::StreamEnded);
        assert_eq!(log, ["stream", "the stream ended"]);

        let (reason, log) = ends(&clock, false, async |r| r.disconnect()).await;
        assert_eq!(reason, CloseReason::ClientWentAway);
        assert_eq!(log, ["stream", "the client went away"]);

        // Dropping the response closes the connection, too.
        let ((), log) = ends(&clock, false, async |r| drop(r)).await;
        assert_eq!(log, ["stream", "the client went away"]);
    };
    clock.run(test).unwrap();
}

#[test]
fn a_stream_that_fails_breaks_the_body_off() {
    let clock = clock();
    let router = Router::new()
        .events("/fails", |_| stream::iter([Ok("one"), Err("no more")]))
        .events("/disk", |_| {
            stream::iter([Err::<Event, _>(io::Error::from(io::ErrorKind::StorageFull))])
        })
        .events("/panics", |_| {
            stream::iter([1]).chain(stream::poll_fn(|_| panic!("expected in this test")))
        });
    let client = TestClient::new(router, &clock).unwrap();
    let test = async {
        let response = client.get("/fails").await.unwrap();
        let items: Vec<_> = response.collect().await;
        assert_eq!(items.len(), 2);
        assert!(items[0].is_ok() && items[1].is_err(), "{items:?}");
        let reason = client.get("/fails").await.unwrap().close_reason().await;
        assert_eq!(reason, CloseReason::StreamError("no more".into()));
        let reason = client.get("/disk").await.unwrap().close_reason().await;
        let error = reason.cause::<io::Error>().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        let reason = client.get("/panics").await.unwrap().close_reason().await;
        assert_eq!(reason, CloseReason::HandlerPanicked);
    };
    clock.run(test).unwrap();
}

#[test]
fn the_connections_own_deadlines_go_by_the_clock() {
    let clock = clock();
    let router = Router::new().events("/slow", |_| future::pending::<Reply>());
    let mut config = ConnectionConfig::default();
    config.response.respond_timeout = Duration::from_secs(7);
    let client = TestClient::new(router, &clock).unwrap().with_config(config);
    let test = async {
        let response = client.get("/slow").await.unwrap();
        assert_eq!(response.head().status(), 503);
        assert_eq!(clock.elapsed(), Duration::from_secs(7));
        let reason = response.close_reason().await;
        assert_eq!(reason, CloseReason::TimedOut(Deadline::Respond));
    };
    clock.run(test).unwrap();
}

#[test]
fn a_test_that_waits_for_nothing_fails_instead_of_hanging() {
    let clock = clock().with_patience(Duration::from_secs(60));
    let stuck = clock.run(future::pending::<()>());
    assert_eq!(stuck, Err(Stuck::NothingToWaitFor));

    // Keep-alives continue forever.
    let router = Router::new().events("/", |_| stream::pending::<u8>());
    let client = TestClient::new(router, &clock).unwrap();
    let stuck = clock.run(async { client.get("/").await.unwrap().next_event().await });
    assert_eq!(stuck, Err(Stuck::TooLong(Duration::from_secs(60))));
    assert!(clock.elapsed() <= Duration::from_secs(60));
}

#[test]
fn a_handler_sees_the_shutdown() {
    let clock = clock();
    let router = Router::new().events("/", |request: Request| {
        stream::pending::<u8>().take_until(request.shutdown())
    });
    let client = TestClient::new(router, &clock).unwrap();
    let test = async {
        let response = client.get("/").await.unwrap();
        client.shutdown().begin();
        assert_eq!(response.close_reason().await, CloseReason::StreamEnded);
    };
    clock.run(test).unwrap();
}

#[test]
fn an_invalid_request_reaches_the_server_unchanged() {
    let clock = clock();
    let router = Router::new().events("/", |_| stream::iter([1]));
    let client = TestClient::new(router, &clock).unwrap();
    let test = async {
        assert_eq!(ask(&client, "/nowhere").await.0, 404);
        assert_eq!(ask(&client, "/a b").await.0, 400);
        let head = Head::head("/").body(()).unwrap();
        let response = client.request(head).await.unwrap();
        assert_eq!(response.head().status(), 200);
        assert_eq!(response.text().await.unwrap(), "");
    };
    clock.run(test).unwrap();
}

/// Adds a word to the handler's request, and to the client's response.
fn word(word: &'static str) -> impl Fn(Request, Next) -> sse_driver::router::ReplyFuture {
    move |mut request, next| {
        let words = request
            .extensions_mut()
            .get_or_insert_default::<Vec<&str>>();
        words.push(word);
        Box::pin(async move {
            let reply = next.run(request).await;
            reply.map_events(move |event| {
                Some(Event::new(format!(
                    "{} {word}",
                    event.data().unwrap_or_default()
                )))
            })
        })
    }
}

fn words(request: &Request) -> String {
    let words = request.as_http().extensions().get::<Vec<&str>>();
    words.map_or(String::new(), |words| words.join("+"))
}

#[test]
fn layers_are_asked_from_the_outside_in_and_answer_from_the_inside_out() {
    let inner = Router::new()
        .layer(word("c"))
        .events("/inner", |request: Request| stream::iter([words(&request)]));
    let router = || {
        Router::new()
            .layer(word("a"))
            .events("/outer", |request: Request| stream::iter([words(&request)]))
    };
    let router = router().nest("/in", inner).layer(word("b"));
    let clock = clock();
    let client = TestClient::new(router, &clock).unwrap();
    let test = async {
        let expected = (200, own(&["a+b b a"]));
        assert_eq!(ask(&client, "/outer").await, expected);
        let expected = (200, own(&["a+b+c c b a"]));
        assert_eq!(ask(&client, "/in/inner").await, expected);
    };
    clock.run(test).unwrap();
}

#[test]
fn a_layer_that_refuses_keeps_the_handler_from_being_called() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let router = Router::new()
        .events("/", move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            stream::iter([1])
        })
        .layer(async |request: Request, next: Next| {
            if request.query() != Some("sesame") {
                return Err(Refusal::new(StatusCode::UNAUTHORIZED, "no"));
            }
            Ok(next.run(request).await)
        });
    let clock = clock();
    let client = TestClient::new(router, &clock).unwrap();
    let test = async {
        assert_eq!(ask(&client, "/").await, (401, own(&["no"])));
        assert_eq!(calls.load(Ordering::Relaxed), 0);
        assert_eq!(ask(&client, "/?sesame").await, (200, own(&["1"])));
    };
    clock.run(test).unwrap();
}

#[test]
fn a_layer_keeps_events_back() {
    let router = Router::new().events("/", |_| stream::iter(1..=6)).layer(
        async |request: Request, next: Next| {
            let mut seen = 0;
            next.run(request).await.map_events(move |event| {
                seen += 1;
                (seen % 2 == 0).then_some(event)
            })
        },
    );
    assert_eq!(asked(router, "/"), (200, own(&["2", "4", "6"])));
}

/// Publishes this many events.
fn publish(topic: &Topic, count: usize) {
    for _ in 0..count {
        topic.publish("x").unwrap();
    }
}

/// Returns the bytes that a client gets of a subscriber's stream behind a layer that lets every event
/// through.
fn wire_behind_a_layer(subscriber: Subscriber) -> Vec<u8> {
    let reply = Reply::from(subscriber).map_events(Some);
    let ReplyBody::Events(mut events) = reply.into_parts().1 else {
        panic!("no event stream");
    };
    let mut wire = Vec::new();
    while let Some(Some(item)) = events.next().now_or_never() {
        match item.unwrap() {
            StreamItem::Event(event) => event.encode(&mut wire),
            StreamItem::Comment(comment) => comment.encode(&mut wire),
            StreamItem::Encoded(events) => wire.extend_from_slice(events.as_bytes()),
        }
    }
    wire
}

fn last_event_id(wire: &[u8]) -> String {
    let (mut decoder, mut input) = (Decoder::new(), wire);
    while decoder.decode(&mut input).unwrap().is_some() {}
    decoder.last_event_id().to_owned()
}

#[test]
fn the_beginning_of_a_topics_stream_goes_through_a_layer_unchanged() {
    let mut config = TopicConfig::default();
    config.max_events = 3;
    let topic = Topic::new(config, 0, Instant::now);
    publish(&topic, 9);
    let gap = Outcome::Gap {
        lost: 4,
        replayed: 3,
    };
    let subscriber = || {
        let subscriber = topic.resume_from(Some("0-2"));
        assert_eq!(subscriber.outcome(), gap);
        subscriber.begin_with(["a", "b"]).unwrap()
    };
    let wire = wire_behind_a_layer(subscriber());
    assert!(
        wire.starts_with(b"data: a\n\nid: 0-6\ndata: b\n\n"),
        "{}",
        wire.escape_ascii()
    );
    // A client that is lost after the first still knows its place.
    let mut decoder = Decoder::new();
    decoder.set_last_event_id(&EventId::new("0-2").unwrap());
    decoder.decode(&mut &wire[..b"data: a\n\n".len()]).unwrap();
    let again = topic.resume_from(Some(decoder.last_event_id()));
    assert_eq!(again.outcome(), gap);
}

#[test]
fn a_place_goes_through_a_layer() {
    let mut config = TopicConfig::default();
    config.max_events = 100;
    let topic = Topic::new(config, 0, Instant::now);
    let subscriber = topic.subscribe().only_event_types(|name| name == "wanted");
    topic
        .publish(Event::new("x").with_event_type("wanted").unwrap())
        .unwrap();
    publish(&topic, 99);
    let id = last_event_id(&wire_behind_a_layer(subscriber));
    publish(&topic, 60);
    let outcome = topic.resume_from(Some(&id)).outcome();
    assert!(
        matches!(outcome, Outcome::Resumed { .. }),
        "{id}: {outcome}"
    );
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_layer_that_keeps_every_event_back_lets_the_executor_have_its_turn() {
    let topic = Topic::new(TopicConfig::default(), 0, Instant::now);
    let subscriber = topic.subscribe();
    publish(&topic, 10_000);
    for reply in [Reply::events(stream::repeat(1)), Reply::from(subscriber)] {
        let seen = Arc::new(AtomicUsize::new(0));
        let counted = seen.clone();
        let reply = reply.map_events(move |_| {
            let before = counted.fetch_add(1, Ordering::Relaxed);
            assert!(before < 5_000, "this would go on for ever");
            None
        });
        let ReplyBody::Events(mut events) = reply.into_parts().1 else {
            panic!("no event stream");
        };
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        for turn in 1..=3 {
            assert!(
                events
                    .poll_next_yielded(&mut Context::from_waker(&waker))
                    .is_pending()
            );
            // It schedules its next turn itself.
            assert_eq!(woken.0.load(Ordering::Relaxed), turn);
        }
    }
}

#[test]
fn a_topics_events_go_through_a_layer_with_all_they_have() {
    let topic = Topic::new(TopicConfig::default(), 1, Instant::now);
    let event = Event::new("two\nlines").with_event_type("poem").unwrap();
    let event = event.with_reconnection_time(Duration::from_secs(5));
    topic.publish(event.with_id("own").unwrap()).unwrap();
    topic.publish(Event::new("").with_id("").unwrap()).unwrap();
    topic.publish("secret").unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let (all, published) = (topic.clone(), topic.clone());
    let router = Router::new().events("/", move |_| {
        let log = log.clone();
        let subscriber = all.subscribe_from_oldest();
        Reply::from(subscriber).map_events(move |event| {
            log.lock().unwrap().push(event.clone());
            (event.data() != Some("secret")).then_some(event)
        })
    });
    let clock = clock();
    let client = TestClient::new(router, &clock).unwrap();
    let test = async {
        let mut response = client.get("/").await.unwrap();
        let poem = response.next_event().await.unwrap();
        assert_eq!((poem.event_type(), poem.data()), ("poem", "two\nlines"));
        assert_eq!(poem.last_event_id(), "own");
        assert_eq!(response.next_event().await.unwrap().last_event_id(), "");
        published.publish("public").unwrap();
        assert_eq!(response.next_event().await.unwrap().data(), "public");
    };
    clock.run(test).unwrap();
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0].reconnection_time(), Some(Duration::from_secs(5)));
    assert_eq!(seen[1].id().map(|id| id.as_str()), Some(""));
    assert_eq!(seen.len(), 4);
}

#[test]
fn a_test_of_a_stream_that_never_waits_and_never_ends_is_given_up() {
    let clock = clock();
    let router = Router::new().events("/", |_: Request| stream::repeat("again"));
    let client = TestClient::new(router, &clock).unwrap();
    let run = clock.run(async {
        let response = client.get("/").await.unwrap();
        response.close_reason().await
    });
    assert_eq!(run.unwrap_err(), Stuck::TimeStandsStill);
}

#[test]
fn a_stream_that_outlives_its_connection_runs_in_the_clocks_time() {
    let clock = clock();
    let sleeper = clock.clone();
    let streams = ResumableStreams::on(clock.clone(), ResumableConfig::default());
    let router = Router::new().events("/answer", move |request: Request| {
        let ticks = stream::unfold(sleeper.clone(), |clock| async {
            clock.sleep(Duration::from_secs(1)).await;
            Some(("tick", clock))
        });
        let attachment = streams.attach_or_start("x", &request, |_| ticks.take(3));
        Ok::<_, Refusal>(attachment?)
    });
    let client = TestClient::new(router, &clock).unwrap();
    clock
        .run(async {
            let mut response = client.get("/answer").await.unwrap();
            let first = response.next_event().await.unwrap();
            assert_eq!(response.disconnect(), CloseReason::ClientWentAway);
            clock.sleep(Duration::from_secs(10)).await;

            let request = Head::get("/answer").header("last-event-id", first.last_event_id());
            let mut response = client.request(request.body(()).unwrap()).await.unwrap();
            let mut rest = Vec::new();
            while let Some(event) = response.next_event().await {
                rest.push(event.data().to_owned());
            }
            assert_eq!(rest, ["tick", "tick", r#"{"outcome":"complete"}"#]);
            assert_eq!(clock.elapsed(), Duration::from_secs(11));

            // A task may outlive a run of the clock.
            clock.sleep(Duration::from_secs(5 * 60)).await;
            let forgotten = client.get("/answer?lastEventId=x").await.unwrap();
            assert_eq!(forgotten.head().status(), 404);
        })
        .unwrap();
}

#[test]
fn where_the_budget_is_used_up_a_request_is_answered_503() {
    let clock = clock();
    let mut config = ConnectionConfig::default();
    config.response.budget = Budget::new(0);
    let router = Router::new().events("/", |_: Request| stream::iter(["one"]));
    let client = TestClient::new(router, &clock).unwrap().with_config(config);
    let (status, text) = clock.run(ask(&client, "/")).unwrap();
    assert_eq!(status, 503);
    assert_eq!(
        text,
        ["The server is at its connection limit. Try again later.\n"]
    );
}

/// Counts when it is dropped.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn tasks_end_with_the_clock_that_they_were_spawned_on() {
    let (clock, dropped) = (clock(), Arc::<AtomicUsize>::default());
    let spawn = |clock: &TestClock, sleeps: bool| {
        let (runtime, counted) = (clock.clone(), Counted(dropped.clone()));
        clock.spawn(async move {
            let _counted = counted;
            match sleeps {
                true => runtime.sleep(Duration::from_secs(3600)).await,
                false => future::pending().await,
            }
        });
    };
    spawn(&clock, true);
    spawn(&clock, false);
    clock.run(clock.sleep(Duration::from_secs(1))).unwrap();
    // This one is never polled.
    spawn(&clock, true);
    let clone = clock.clone();
    assert_eq!(dropped.load(Ordering::Relaxed), 0);
    drop(clock);
    assert_eq!(dropped.load(Ordering::Relaxed), 3);
    spawn(&clone, true);
    assert_eq!(dropped.load(Ordering::Relaxed), 4);
    let slept = clone.run(clone.sleep(Duration::from_secs(1)));
    assert!(slept.is_ok());
}

#[test]
fn a_task_may_drop_the_clock_that_it_runs_on() {
    let (clock, dropped) = (clock(), Arc::<AtomicUsize>::default());
    let (clone, counted) = (clock.clone(), Counted(dropped.clone()));
    clone.spawn(async move {
        let _counted = counted;
        drop(clock);
        future::pending::<()>().await;
    });
    clone.run(clone.sleep(Duration::from_secs(1))).unwrap();
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
}

#[test]
fn a_producer_is_told_that_its_clock_was_dropped() {
    let (clock, told) = (clock(), Arc::<Mutex<Vec<String>>>::default());
    let streams = ResumableStreams::on(clock.clone(), ResumableConfig::default());
    let sink = told.clone();
    let started = streams.start("x", move |producer: sse_driver::Producer| {
        let told = move |end: &StreamEnd| sink.lock().unwrap().push(end.name().to_owned());
        producer.clean_up().add(told);
        stream::pending::<String>()
    });
    started.unwrap();
    clock.run(clock.sleep(Duration::from_secs(1))).unwrap();
    drop(clock);
    assert_eq!(*told.lock().unwrap(), ["dropped"]);
}
