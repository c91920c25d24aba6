//! The event source: against the server of the other tests, and without one.

use std::{
    sync::{Arc, Mutex},
    task::Poll,
    time::Duration,
};

use futures_util::{FutureExt, StreamExt, future::poll_fn};
use sse_core::{
    Event,
    http::{Response, StatusCode},
};
use sse_driver::router::{Refusal, Request, Router};

use crate::{
    harness::{Feed, Journal, World, secs},
    sim::Sim,
    subscriber::{Subscriber, note, source, source_with},
};

/// `/feed` is fed by the test, and each event there has an id.
fn world() -> (World, Feed, Journal) {
    let (feed, journal) = (Feed::default(), Journal::default());
    let router = Router::new().events("/feed", feed.handler(&journal));
    (World::new(router), feed, journal)
}

#[test]
fn events_come_as_they_are_sent() {
    let (world, feed, _) = world();
    let subscriber = Subscriber::new(&world.sim, source(&world.sim, "/feed"));
    assert_eq!(subscriber.notes(), ["dials sim:80", "open: 200 OK"]);
    for text in ["one", "two\nlines", ""] {
        feed.push(text);
        world.sim.settle();
        assert_eq!(subscriber.notes(), [format!("event: {text}")]);
    }
}

#[test]
fn a_lost_stream_is_asked_for_again_with_the_last_event_id() {
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let router = Router::new().events("/count", {
        let asked = asked.clone();
        move |request: Request| {
            let last = request.last_event_id().unwrap_or_default().to_owned();
            let next = last.parse().map_or(0, |last: u64| last + 1);
            asked.lock().unwrap().push(last);
            let event = Event::new(next.to_string()).with_id(next.to_string());
            futures_util::stream::iter([event])
        }
    });
    let world = World::new(router);
    let mut events = source(&world.sim, "/count");
    let job = world.sim.start(async move {
        let mut seen = Vec::new();
        while seen.len() < 3 {
            let event = events.next().await.expect("goes on").expect("no failure");
            seen.push(event.data().to_owned());
        }
        seen
    });
    world.sim.advance(secs(60));
    assert_eq!(job.take().expect("all three"), ["0", "1", "2"]);
    assert_eq!(*asked.lock().unwrap(), ["", "0", "1"]);
}

#[test]
fn a_server_that_is_not_there_yet_is_waited_for() {
    let sim = Sim::new();
    let subscriber = Subscriber::new(&sim, source(&sim, "/"));
    assert_eq!(
        subscriber.notes(),
        [
            "dials sim:80",
            "hangs up",
            "lost: cannot connect to sim:80: connection refused"
        ]
    );
    sim.advance(secs(30));
    assert!(subscriber.notes().len() > 3, "it goes on trying");
    let listener = sim.listen();
    sim.advance(secs(300));
    assert_eq!(
        subscriber.notes().last().unwrap(),
        "lost: the server did not answer in time"
    );
    drop(listener);
}

#[test]
fn dialing_has_a_deadline() {
    let sim = Sim::new();
    sim.swallow_dials();
    let subscriber = Subscriber::new(&sim, source(&sim, "/"));
    sim.advance(secs(29));
    assert_eq!(subscriber.notes(), ["dials sim:80"]);
    sim.advance(secs(1));
    assert_eq!(
        subscriber.notes(),
        ["hangs up", "lost: connecting took too long"]
    );
}

#[test]
fn dropping_it_closes_the_connection_and_leaves_nothing() {
    let (world, _feed, journal) = world();
    let subscriber = Subscriber::new(&world.sim, source(&world.sim, "/feed"));
    let serving = world.sim.live_tasks() - 1;
    subscriber.job.cancel();
    world.sim.settle();
    assert_eq!(
        journal.lines(),
        ["stream dropped", "clean-up: the client went away"]
    );
    // The server's task for the connection is gone, too.
    assert_eq!(world.sim.live_tasks(), serving - 1);
    assert_eq!(world.sim.live_timers(), 0);
}

#[test]
fn a_handle_closes_it_in_every_phase() {
    let (world, feed, journal) = world();
    // The stream is open.
    let events = source(&world.sim, "/feed");
    let handle = events.handle();
    let subscriber = Subscriber::new(&world.sim, events);
    feed.push("not taken in time");
    handle.close();
    world.sim.settle();
    let notes = subscriber.notes();
    assert_eq!(notes[2..], ["hangs up", "over: the application closed it"]);
    assert_eq!(
        journal.lines().last().unwrap(),
        "clean-up: the client went away"
    );
    // Once it is over it stays over.
    let mut events = subscriber.job.take().expect("it is over");
    assert!(matches!(events.next_update().now_or_never(), Some(None)));
    assert!(matches!(events.next().now_or_never(), Some(None)));

    let sim = Sim::new();
    // The source waits.
    let events = source(&sim, "/");
    let handle = events.handle();
    let subscriber = Subscriber::new(&sim, events);
    subscriber.notes();
    handle.close();
    sim.settle();
    assert_eq!(subscriber.notes(), ["over: the application closed it"]);
    // The source connects.
    sim.swallow_dials();
    let events = source(&sim, "/");
    let handle = events.handle();
    let subscriber = Subscriber::new(&sim, events);
    handle.close();
    sim.settle();
    assert_eq!(
        subscriber.notes(),
        [
            "dials sim:80",
            "hangs up",
            "over: the application closed it"
        ]
    );
    // Nothing was taken yet.
    let events = source(&sim, "/");
    events.handle().close();
    let subscriber = Subscriber::new(&sim, events);
    assert_eq!(subscriber.notes(), ["over: the application closed it"]);
    assert_eq!((sim.live_tasks(), sim.live_timers()), (0, 0));
}

#[test]
fn a_caller_that_takes_nothing_holds_the_server_back() {
    const MANY: usize = 10_000;
    let (world, feed, _) = world();
    let mut events = source(&world.sim, "/feed");
    let first = world.sim.start(async move {
        let first = events.next().await;
        (events, first)
    });
    feed.push("first");
    world.sim.settle();
    let (mut events, _) = first.take().expect("the first event");
    feed.push_many(MANY, &"x".repeat(1000));
    world.sim.advance(secs(10));
    // 1 MB is more than any buffer on the way holds.
    assert!(feed.left() > MANY - 1000, "{} left", feed.left());
    // They are all still there.
    let all = world.sim.start(async move {
        let taken = events.by_ref().take(MANY).count().await;
        (events, taken)
    });
    world.sim.settle();
    assert_eq!(all.take().expect("all of them").1, MANY);
}

#[test]
fn silence_counts_only_while_the_caller_polls() {
    let (world, feed, _) = world();
    let events = source_with(&world.sim, "/feed", |config| {
        config.idle_timeout = Some(secs(10));
    });
    let events = Arc::new(Mutex::new(events));
    let take_one = || {
        let events = events.clone();
        world.sim.start(poll_fn(move |cx| {
            events
                .lock()
                .unwrap()
                .poll_update(cx)
                .map(|update| note(&update.expect("goes on")))
        }))
    };
    for expected in ["dials sim:80", "open: 200 OK"] {
        let job = take_one();
        world.sim.settle();
        assert_eq!(job.take().unwrap(), expected);
    }
    // The event arrives, but the caller polls a minute later.
    feed.push("late");
    world.sim.advance(secs(60));
    let job = take_one();
    world.sim.settle();
    assert_eq!(job.take().unwrap(), "event: late");
    // From now on a task waits.
    let job = take_one();
    world.sim.advance(secs(15));
    assert_eq!(
        job.take(),
        Some("comment".into()),
        "the server's keep-alive in time"
    );
}

#[test]
fn an_idle_stream_costs_no_polls() {
    let feed = Feed::default();
    let router = Router::new().events("/feed", feed.handler(&Journal::default()));
    let mut config = sse_driver::ServerConfig::default();
    config.connection.response.keep_alive = None;
    let world = World::with_config(config, router);
    let subscriber = Subscriber::new(&world.sim, source(&world.sim, "/feed"));
    // The timer that was set for the head elapses.
    world.sim.advance(secs(60));
    let polls = world.sim.polls();
    world.sim.advance(secs(3600));
    assert_eq!(world.sim.polls(), polls);
    assert_eq!(subscriber.notes().len(), 2);
}

#[test]
fn a_failure_is_told_once_and_last() {
    let router = Router::new().events("/no", |_| async {
        Err::<futures_util::stream::Empty<&str>, _>(Refusal::new(StatusCode::FORBIDDEN, "not you"))
    });
    let world = World::new(router);
    let events = source(&world.sim, "/no");
    let job = world.sim.start(async move {
        let items: Vec<_> = events.collect().await;
        items
    });
    world.sim.settle();
    let items = job.take().expect("it is over");
    assert_eq!(items.len(), 1);
    let error = items[0].as_ref().expect_err("a failure");
    assert_eq!(
        error.to_string(),
        "the server answered 403 Forbidden: not you"
    );
}

#[test]
fn nothing_more_to_come_is_the_end_and_no_error() {
    let router = Router::new().get("/done", |_| {
        let mut response = Response::new("");
        *response.status_mut() = StatusCode::NO_CONTENT;
        response
    });
    let world = World::new(router);
    let mut events = source(&world.sim, "/done");
    let job = world
        .sim
        .start(async move { events.next().await.is_none() });
    world.sim.settle();
    assert_eq!(job.take(), Some(true));
}

#[test]
fn a_request_that_is_made_once_ends_with_its_stream() {
    let (world, feed, journal) = world();
    let events = source_with(&world.sim, "/feed", |config| config.reconnection = None);
    let subscriber = Subscriber::new(&world.sim, events);
    feed.push("only");
    feed.end();
    world.sim.settle();
    assert_eq!(
        subscriber.notes()[2..],
        [
            "event: only",
            "hangs up",
            "over: the server ended the event stream"
        ]
    );
    assert_eq!(
        journal.lines().last().unwrap(),
        "clean-up: the stream ended"
    );
}

#[test]
fn it_is_polled_like_any_future() {
    // A poll that finds nothing stores its waker, and a later poll's waker replaces it: the runtime of
    // these tests forgets the wakers of earlier polls.
    let (world, feed, _) = world();
    let mut events = source(&world.sim, "/feed");
    let job = world.sim.start(async move {
        let mut polls = 0;
        let event = poll_fn(|cx| {
            polls += 1;
            match events.next().boxed().poll_unpin(cx) {
                Poll::Pending if polls < 5 => {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
                poll => poll,
            }
        });
        event
            .await
            .expect("goes on")
            .expect("an event")
            .data()
            .to_owned()
    });
    world.sim.settle();
    feed.push("seen");
    world.sim.settle();
    assert_eq!(job.take().expect("an event"), "seen");
}

#[test]
fn a_server_that_may_have_vanished_is_asked() {
    let (world, ..) = world();
    let _first = Subscriber::new(&world.sim, source(&world.sim, "/feed"));
    let never = source_with(&world.sim, "/feed", |config| config.probe_after = None);
    let _second = Subscriber::new(&world.sim, never);
    assert_eq!(world.sim.probed_after(), [secs(45)]);
}

/// Systems ignore other values, and probe after two hours instead.
#[test]
fn a_server_is_asked_after_a_time_that_systems_take() {
    let (world, ..) = world();
    for (set, expected) in [
        (Duration::ZERO, secs(1)),
        (Duration::from_millis(999), secs(1)),
        (secs(1), secs(1)),
        (secs(32_767), secs(32_767)),
        (secs(32_768), secs(32_767)),
        (Duration::MAX, secs(32_767)),
    ] {
        let before = world.sim.probed_after().len();
        let events = source_with(&world.sim, "/feed", |config| config.probe_after = Some(set));
        let _subscriber = Subscriber::new(&world.sim, events);
        assert_eq!(world.sim.probed_after()[before..], [expected], "{set:?}");
    }
}
