//! The beginning: waiting until the stream is open, the head of its response, and the failures to open
//! it.

use std::{error::Error, io};

use futures_util::{FutureExt, stream};
use sse_core::{
    Event, EventId,
    client::{End, Failure, Phase, Reconnection},
    http::{Response, StatusCode},
};
use sse_driver::{
    EventSourceError,
    router::{Refusal, Request, Router},
};

use crate::{
    harness::{Feed, Journal, World, secs},
    sim::Sim,
    subscriber::{Source, source, source_with},
};

/// The source, and the result of `opened`: a status, or an error.
type Opened = (Source, Result<StatusCode, EventSourceError>);

/// Waits for the result, up to an hour.
fn open(sim: &Sim, mut source: Source) -> Opened {
    let job = sim.start(async move {
        let opened = source.opened().await.map(Response::status);
        (source, opened)
    });
    sim.advance(secs(3600));
    job.take().expect("it opened, or it did not")
}

fn feed() -> (World, Feed) {
    let feed = Feed::default();
    let router = Router::new().events("/feed", feed.handler(&Journal::default()));
    (World::new(router), feed)
}

#[test]
fn an_open_stream_has_the_head_of_its_response() {
    let (world, feed) = feed();
    let source = source(&world.sim, "/feed");
    assert!(source.response().is_none());
    let (mut source, opened) = open(&world.sim, source);
    assert_eq!(opened.unwrap(), StatusCode::OK);
    let fields = source.response().expect("it is open").headers();
    assert_eq!(fields["content-type"], "text/event-stream");
    // An open stream is not waited for, and the call loses no event.
    feed.push("one");
    world.sim.settle();
    assert!(source.opened().now_or_never().expect("at once").is_ok());
    let job = world.sim.start(async move {
        let event = source.next().await.unwrap().unwrap();
        (source, event.data().to_owned())
    });
    world.sim.settle();
    let (mut source, data) = job.take().expect("an event");
    assert_eq!(data, "one");

    // After a loss there is no response, and there is another one later.
    feed.end();
    let job = world.sim.start(async move {
        while source.response().is_some() {
            source.next_update().await.expect("goes on");
        }
        source
    });
    world.sim.settle();
    let source = job.take().expect("the stream ended");
    assert_eq!(source.phase(), Phase::Waiting);
    feed.start_again();
    let (source, opened) = open(&world.sim, source);
    assert!(opened.is_ok());
    assert!(source.response().is_some());
}

#[test]
fn a_response_that_is_not_an_event_stream_is_a_value() {
    let router = Router::new().get("/busy", |_| {
        let mut response = Response::new(r#"{"retry_in":5}"#);
        *response.status_mut() = StatusCode::ACCEPTED;
        response
    });
    let world = World::new(router);
    let (mut source, opened) = open(&world.sim, source(&world.sim, "/busy"));
    let error = opened.expect_err("it is no event stream");
    let response = error.unexpected_response().expect("a response");
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert_eq!(response.body.as_ref(), br#"{"retry_in":5}"#);
    assert!(!response.is_cut);
    // The failure is returned once; from then on the source is over.
    let again = source.opened().now_or_never().expect("at once");
    assert!(matches!(again, Err(EventSourceError::Ended(End::Closed))));
}

#[test]
fn an_end_without_a_failure_says_why_the_stream_did_not_open() {
    let router = Router::new().get("/done", |_| {
        let mut response = Response::new("");
        *response.status_mut() = StatusCode::NO_CONTENT;
        response
    });
    let world = World::new(router);
    let (_, opened) = open(&world.sim, source(&world.sim, "/done"));
    let error = opened.expect_err("there is nothing");
    assert!(matches!(error, EventSourceError::Ended(End::NoContent)));
    assert_eq!(
        error.to_string(),
        "the event stream did not open: the server has nothing more to send (204)"
    );

    let sim = Sim::new();
    let source = source(&sim, "/");
    source.handle().close();
    let (_, opened) = open(&sim, source);
    assert!(matches!(opened, Err(EventSourceError::Ended(End::Closed))));
}

fn with_reconnection(sim: &Sim, path: &str, set: fn(&mut Reconnection)) -> Source {
    source_with(sim, path, |config| {
        set(config.reconnection.as_mut().expect("there is one"));
    })
}

#[test]
fn the_failure_of_the_first_attempt_can_be_final() {
    let sim = Sim::new();
    let source = with_reconnection(&sim, "/", |it| it.first_failure_is_final = true);
    let (_, opened) = open(&sim, source);
    let error = opened.expect_err("there is no server");
    assert_eq!(
        error.to_string(),
        "cannot connect to sim:80: connection refused"
    );
    let cause = error.cause::<std::io::Error>().expect("its cause");
    assert_eq!(cause.kind(), std::io::ErrorKind::ConnectionRefused);

    // By default, losses are skipped.
    let sim = Sim::new();
    let mut source = self::source(&sim, "/");
    let job = sim.start(async move { source.opened().await.is_ok() });
    sim.advance(secs(600));
    assert_eq!(job.take(), None);

    // Once the stream was open, every loss is followed by another attempt.
    let router = Router::new().events("/short", |_| stream::iter(["only"]));
    let world = World::new(router);
    let source = with_reconnection(&world.sim, "/short", |it| it.first_failure_is_final = true);
    let (mut source, opened) = open(&world.sim, source);
    assert!(opened.is_ok());
    let job = world.sim.start(async move {
        for _ in 0..3 {
            let event = source.next().await.expect("goes on").expect("no failure");
            assert_eq!(event.data(), "only");
        }
    });
    world.sim.advance(secs(600));
    assert!(job.take().is_some());
}

#[test]
fn an_id_is_carried_over_a_restart() {
    let router = Router::new().events("/from", |request: Request| {
        let id = request.last_event_id().unwrap_or_default().to_owned();
        let event = Event::new(format!("after {id:?}")).with_id("8").unwrap();
        stream::iter([event])
    });
    let world = World::new(router);
    let first = |mut source: Source| {
        let job = world.sim.start(async move {
            let event = source.next().await.unwrap().unwrap();
            (event.data().to_owned(), source.last_event_id())
        });
        world.sim.settle();
        job.take().expect("an event")
    };
    let (data, id) = first(source(&world.sim, "/from"));
    assert_eq!((data.as_str(), id.as_str()), (r#"after """#, "8"));
    // The ID is used as it was returned, as a stored text, and by the settings.
    for again in [
        source(&world.sim, "/from").with_last_event_id(id.clone()),
        source(&world.sim, "/from")
            .with_last_event_id("8")
            .map_err(|error| panic!("{error}")),
        Ok(source_with(&world.sim, "/from", |config| {
            config.last_event_id = id.clone();
        })),
    ] {
        let (data, _) = first(again.unwrap_or_else(|never| match never {}));
        assert_eq!(data, r#"after "8""#);
    }
    let refused = source(&world.sim, "/from").with_last_event_id("8\ndata: forged");
    assert!(refused.is_err());
    assert_eq!(EventId::default().as_str(), "");
}

#[test]
fn a_post_may_go_on_by_get() {
    let asked = std::sync::Arc::<std::sync::Mutex<Vec<String>>>::default();
    let answer = {
        let asked = asked.clone();
        move |request: Request| {
            let id = request.last_event_id().unwrap_or_default();
            let noted = format!("{} {id:?}", request.method());
            asked.lock().unwrap().push(noted);
            async { Ok::<_, Refusal>(stream::iter([Event::new("x").with_id("1").unwrap()])) }
        }
    };
    let router = Router::new()
        .events("/mcp", answer.clone())
        .post("/mcp", answer);
    let world = World::new(router);
    let mut source = source_with(&world.sim, "/mcp", |config| {
        config.set_json(&["subscribe"]).unwrap();
        config.resume_by_get = true;
    });
    let job = world.sim.start(async move {
        for _ in 0..3 {
            source.next().await.expect("goes on").expect("no failure");
        }
    });
    world.sim.advance(secs(60));
    assert!(job.take().is_some());
    assert_eq!(
        *asked.lock().unwrap(),
        [r#"POST """#, r#"GET "1""#, r#"GET "1""#]
    );
}

#[test]
fn an_error_has_what_it_holds_as_its_source_and_converts_to_an_io_error() {
    let sim = Sim::new();
    let url = "http://sim/feed";
    let source = source_with(&sim, "/feed", |config| config.reconnection = None);
    assert_eq!(source.url(), url);
    // There is no server.
    let (_, opened) = open(&sim, source);
    let error = opened.unwrap_err();
    let kind = error.cause::<io::Error>().expect("no connection").kind();
    let failure = error
        .source()
        .and_then(<dyn Error>::downcast_ref::<Failure>);
    assert_eq!(failure.map(Failure::name), Some("Lost"));
    assert_eq!(io::Error::from(error).kind(), kind);

    let ended = EventSourceError::Ended(End::NoContent);
    assert_eq!(io::Error::from(ended).kind(), io::ErrorKind::Other);
}
