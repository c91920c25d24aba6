//! The data of a body, and its end.

use std::{
    error::Error,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use futures_util::{Stream, StreamExt, stream};
use http_body::Body as _;
use sse_core::{
    Comment, Event, IntoStreamItem,
    http::{HeaderValue, StatusCode},
    lifecycle::CloseReason,
    topic::{Topic, TopicConfig},
};
use sse_driver::{KeepAlive, embedding::Body, router::Reply};

use super::harness::{Reader, World, data, get, now};
use crate::{
    harness::{MILLI, secs},
    sim::Sim,
};

#[test]
fn a_body_goes_where_frameworks_box_it() {
    fn takes<T: Send + Sync + Unpin + 'static>() {}
    fn boxes<B>()
    where
        B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
    }
    takes::<Body<Sim>>();
    boxes::<Body<Sim>>();
}

#[test]
fn a_stream_that_ends_ends_the_body_and_then_runs_clean_up() {
    let world = World::new();
    let response = world.respond(get("/"));
    assert_eq!(response.status(), StatusCode::OK);
    let field = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(field("content-type"), "text/event-stream");
    assert_eq!(field("cache-control"), "no-cache, no-transform");
    assert_eq!(field("x-accel-buffering"), "no");

    let reader = Reader::start(&world.sim, response.into_body());
    world.feed.push("a");
    assert_eq!(reader.text(), "data: a\n\n");
    assert_eq!(world.embedding.open(), 1);
    world.feed.push("b");
    world.feed.end();
    assert_eq!(reader.text(), "data: a\n\ndata: b\n\n");
    assert_eq!(reader.job.take(), Some(Ok(())));
    assert_eq!(
        world.journal.lines(),
        ["stream dropped", "clean-up: the stream ended"]
    );
    assert_eq!(world.embedding.open(), 0);
}

#[test]
fn a_body_that_is_dropped_early_lost_its_client() {
    let world = World::new();
    let body = world.open();
    drop(body);
    let reader = world.reader();
    world.feed.push("a");
    assert_eq!(reader.text(), "data: a\n\n");
    reader.job.cancel();
    let one = ["stream dropped", "clean-up: the client went away"];
    assert_eq!(world.journal.lines(), [one, one].concat());
    assert_eq!(world.embedding.open(), 0);
    assert_eq!(world.sim.live_timers(), 0);
}

#[test]
fn an_end_that_was_not_polled_does_not_count() {
    let world = World::new();
    let mut body = world.open();
    world.feed.push("a");
    world.feed.end();
    assert!(matches!(data(&mut body), Poll::Ready(Some(Ok(_)))));
    drop(body);
    assert_eq!(
        world.journal.lines(),
        ["stream dropped", "clean-up: the client went away"]
    );
}

#[test]
fn an_error_comes_after_what_was_before_it() {
    let world = World::new();
    let reader = world.reader();
    world.feed.push_many(2, "a");
    world.feed.fail("out of paper");
    assert_eq!(reader.text(), "data: a\n\ndata: a\n\n");
    // The server has time to write it, and nothing else to wait for.
    world.sim.advance(99 * MILLI);
    assert!(reader.job.take().is_none());
    world.sim.advance(MILLI);
    let error = reader.job.take().unwrap().unwrap_err();
    let expected = CloseReason::StreamError("out of paper".into());
    assert_eq!(*error.reason(), expected);
    assert_eq!(
        error.to_string(),
        "the event stream broke off: the stream failed: out of paper"
    );
    assert_eq!(error.source().unwrap().to_string(), "out of paper");
    assert_eq!(
        world.journal.lines(),
        [
            "stream dropped",
            "clean-up: the stream failed: out of paper"
        ]
    );
}

#[test]
fn a_failed_body_that_was_not_taken_has_failed_nevertheless() {
    let world = World::new();
    let mut body = world.open();
    world.feed.push("a");
    world.feed.fail("out of paper");
    assert!(matches!(data(&mut body), Poll::Ready(Some(Ok(_)))));
    drop(body);
    assert_eq!(
        world.journal.lines().last().unwrap(),
        "clean-up: the stream failed: out of paper"
    );
}

#[test]
fn panics_end_their_own_response_and_nothing_else() {
    struct PanicsWhenDropped;
    impl Stream for PanicsWhenDropped {
        type Item = u8;
        fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u8>> {
            Poll::Ready(None)
        }
    }
    impl Drop for PanicsWhenDropped {
        fn drop(&mut self) {
            panic!("expected in this test");
        }
    }
    fn panics() -> u8 {
        panic!("expected in this test")
    }

    let world = World::new();
    // The panics are in the handler, in its stream, and in the end of the stream: early, and in time.
    let journal = world.journal.clone();
    let answer = world.embedding.respond(get("/"), None, move |request| {
        journal.watch_clean_up(&request);
        stream::iter([panics()])
    });
    let response = now(&world.sim, answer);
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let reader = Reader::start(&world.sim, response.into_body());
    assert_eq!(reader.text(), "The server failed to answer.\n");

    for early in [false, true] {
        let journal = world.journal.clone();
        let answer = world.embedding.respond(get("/"), None, move |request| {
            journal.watch_clean_up(&request);
            PanicsWhenDropped
        });
        let body = now(&world.sim, answer).into_body();
        match early {
            true => drop(body),
            false => {
                let reader = Reader::start(&world.sim, body);
                world.sim.advance(secs(1));
                let error = reader.job.take().unwrap().unwrap_err();
                assert_eq!(*error.reason(), CloseReason::HandlerPanicked);
            }
        }
    }

    let journal = world.journal.clone();
    let answer = world.embedding.respond(get("/"), None, move |request| {
        journal.watch_clean_up(&request);
        stream::once(async { "before" }).chain(stream::poll_fn(|_| {
            panics();
            Poll::Ready(Some("never"))
        }))
    });
    let reader = Reader::start(&world.sim, now(&world.sim, answer).into_body());
    assert_eq!(reader.text(), "data: before\n\n");
    world.sim.advance(secs(1));
    let error = reader.job.take().unwrap().unwrap_err();
    assert_eq!(*error.reason(), CloseReason::HandlerPanicked);

    let panicked = "clean-up: the handler panicked";
    assert_eq!(
        world.journal.lines(),
        [
            panicked,
            panicked,
            "clean-up: the client went away",
            panicked
        ]
    );
}

#[test]
fn an_idle_stream_sends_comments_and_a_busy_one_does_not() {
    let world = World::with(|config| config.response.keep_alive = Some(secs(5)));
    let reader = world.reader();
    world.sim.advance(secs(5) - MILLI);
    assert_eq!(reader.text(), "");
    world.sim.advance(MILLI);
    assert_eq!(reader.text(), ":\n");
    // An event postpones the next one.
    world.sim.advance(secs(3));
    world.feed.push("a");
    world.sim.settle();
    world.sim.advance(secs(5) - MILLI);
    assert_eq!(reader.text(), ":\ndata: a\n\n");
    world.sim.advance(MILLI + secs(5));
    assert_eq!(reader.text(), ":\ndata: a\n\n:\n:\n");
}

#[test]
fn a_reply_may_have_a_keep_alive_of_its_own() {
    let world = World::with(|_| {});
    let answer = world.embedding.respond(get("/"), None, |_| {
        let keep_alive = KeepAlive::every(secs(5)).with_event(Event::new("idle"));
        Reply::events(stream::pending::<u8>()).with_keep_alive(keep_alive)
    });
    let reader = Reader::start(&world.sim, now(&world.sim, answer).into_body());
    world.sim.advance(secs(5));
    assert_eq!(reader.text(), "data: idle\n\n");
}

#[test]
fn without_keep_alive_nothing_is_waited_for() {
    let world = World::with(|config| config.response.keep_alive = None);
    let reader = world.reader();
    world.sim.advance(secs(86_400));
    assert_eq!(reader.text(), "");
    assert_eq!(world.sim.live_timers(), 0);
}

#[test]
fn a_body_is_pulled_and_gives_what_is_ready_up_to_the_mark() {
    let world = World::with(|config| config.response.high_water_mark = 30);
    let mut body = world.open();
    world.feed.push_many(8, "a");
    assert_eq!(world.feed.left(), 8, "the server has asked for nothing");
    let event = "data: a\n\n";
    // Three are below the mark, and the fourth exceeds it.
    for left in [4, 0] {
        let expected = event.repeat(4).into_bytes();
        assert_eq!(data(&mut body), Poll::Ready(Some(Ok(expected))));
        assert_eq!(world.feed.left(), left);
    }
    assert!(data(&mut body).is_pending());
}

#[test]
fn a_mark_of_nothing_gives_one_event_at_a_time() {
    let world = World::with(|config| config.response.high_water_mark = 0);
    let mut body = world.open();
    world.feed.push_many(2, "a");
    let expected = Poll::Ready(Some(Ok(b"data: a\n\n".to_vec())));
    assert_eq!(data(&mut body), expected);
    assert_eq!(data(&mut body), expected);
}

#[test]
fn events_of_a_topic_are_passed_on_without_a_copy_and_resume() {
    let world = World::new();
    let topic = Topic::on(world.sim.clone(), TopicConfig::default());
    let positions: Vec<_> = (1..=3)
        .map(|n| topic.publish(n.to_string()).unwrap())
        .collect();

    let id = HeaderValue::from_str(&positions[0].to_string()).unwrap();
    let mut request = get("/");
    request.headers_mut().insert("last-event-id", id);
    let resumed = topic.clone();
    let answer = world
        .embedding
        .respond(request, None, move |request| resumed.resume(&request));
    let mut body = now(&world.sim, answer).into_body();
    let mut cx = Context::from_waker(Waker::noop());
    let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(&mut cx) else {
        panic!("there is a history")
    };
    let bytes = frame.into_data().unwrap();
    let text = str::from_utf8(&bytes).unwrap();
    assert!(
        text.contains("data: 2\n\n") && text.contains("data: 3\n\n"),
        "{text}"
    );
    assert!(!text.contains("data: 1\n"), "{text}");

    // These are the same bytes in memory as another subscriber's.
    let Poll::Ready(Some(Ok(batch))) = topic
        .resume_from(Some(&positions[0].to_string()))
        .try_next()
    else {
        panic!("there is a history")
    };
    assert_eq!(batch.as_bytes().as_ptr(), bytes.as_ptr());

    // The query does the same, for clients that cannot set a header field.
    let param = &topic.config().last_event_id_param;
    let request = get(&format!("/?{param}={}", positions[1]));
    let resumed = topic.clone();
    let answer = world
        .embedding
        .respond(request, None, move |request| resumed.resume(&request));
    let reader = Reader::start(&world.sim, now(&world.sim, answer).into_body());
    assert!(reader.text().ends_with("data: 3\n\n") && !reader.text().contains("data: 2\n"));
}

#[test]
fn a_slow_consumer_is_cut_and_told_so() {
    let world = World::new();
    let mut config = TopicConfig::default();
    config.max_events = 2;
    let topic = Topic::on(world.sim.clone(), config);
    let (journal, slow) = (world.journal.clone(), topic.clone());
    let answer = world.embedding.respond(get("/"), None, move |request| {
        journal.watch_clean_up(&request);
        slow.resume(&request)
    });
    let mut body = now(&world.sim, answer).into_body();
    for n in 0..10_000 {
        topic.publish(n.to_string()).unwrap();
    }
    assert!(data(&mut body).is_pending());
    world.sim.advance(secs(1));
    let Poll::Ready(Some(Err(error))) = data(&mut body) else {
        panic!("its next event is long gone")
    };
    assert_eq!(*error.reason(), CloseReason::SlowConsumer);
    assert_eq!(
        world.journal.lines(),
        ["clean-up: the client was too slow for its topic"]
    );
}

#[test]
fn comments_of_a_stream_go_out_where_they_stand() {
    let world = World::new();
    let answer = world.embedding.respond(get("/"), None, |_| {
        stream::iter(["a".into_stream_item(), Comment::new("b").into_stream_item()])
    });
    let reader = Reader::start(&world.sim, now(&world.sim, answer).into_body());
    assert_eq!(reader.text(), "data: a\n\n: b\n");
}
