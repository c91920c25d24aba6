//! Requests with bodies, in a foreign server.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use http_body::Frame;
use sse_core::{
    http::{Request, Response, StatusCode},
    lifecycle::{CloseReason, Deadline},
};
use sse_driver::{
    embedding::{Answer, Body},
    router::{self, Router, Routes},
};

use super::harness::{Reader, World};
use crate::{
    harness::{MILLI, secs},
    sim::{Job, Sim},
};

/// A request body that the test sends piece by piece.
#[derive(Clone, Default)]
struct Upload(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    pieces: VecDeque<Result<&'static str, io::ErrorKind>>,
    ended: bool,
    reader: Option<Waker>,
}

impl Upload {
    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.0.lock().unwrap();
        change(&mut state);
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    fn send(&self, piece: &'static str) {
        self.change(|state| state.pieces.push_back(Ok(piece)));
    }

    fn fail(&self) {
        self.change(|state| state.pieces.push_back(Err(io::ErrorKind::ConnectionReset)));
    }

    fn end(&self) {
        self.change(|state| state.ended = true);
    }
}

impl http_body::Body for Upload {
    type Data = &'static [u8];
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<&'static [u8]>>>> {
        let mut state = self.0.lock().unwrap();
        match state.pieces.pop_front() {
            Some(Ok(piece)) => Poll::Ready(Some(Ok(Frame::data(piece.as_bytes())))),
            Some(Err(kind)) => Poll::Ready(Some(Err(kind.into()))),
            None if state.ended => Poll::Ready(None),
            None => {
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// The reasons that clean-up got, for handlers that were called.
type Reasons = Arc<Mutex<Vec<CloseReason>>>;

/// Returns a route that responds with its request's body.
fn routes(reasons: &Reasons) -> Routes {
    let reasons = reasons.clone();
    let echo = move |request: router::Request| {
        let reasons = reasons.clone();
        request
            .clean_up()
            .add(move |reason| reasons.lock().unwrap().push(reason.clone()));
        futures_util::stream::iter([String::from_utf8_lossy(request.body()).into_owned()])
    };
    Router::new().post("/echo", echo).build().unwrap()
}

struct Posted {
    world: World,
    upload: Upload,
    reasons: Reasons,
    job: Job<Response<Body<Sim>>>,
}

impl Posted {
    fn new(limit: usize) -> Self {
        let world = World::with(|config| config.response.body_limit = limit);
        let (upload, reasons) = (Upload::default(), Reasons::default());
        let request = Request::post("/echo").body(upload.clone()).unwrap();
        let answer = world.embedding.route(&routes(&reasons), request, None);
        let job = world.sim.start(answer);
        world.sim.settle();
        Self {
            world,
            upload,
            reasons,
            job,
        }
    }

    fn answer(&self) -> Option<Response<Body<Sim>>> {
        self.world.sim.settle();
        self.job.take()
    }

    fn text(&self) -> String {
        let response = self.answer().expect("an answer");
        assert_eq!(response.status(), StatusCode::OK);
        Reader::start(&self.world.sim, response.into_body()).text()
    }

    fn is_refused(&self, status: StatusCode, reason: &CloseReason) {
        let response = self.answer().expect("an answer");
        assert_eq!(response.status(), status);
        drop(Reader::start(&self.world.sim, response.into_body()));
        assert_eq!(self.world.embedding.stats().closed.of(reason), 1);
        assert_eq!(*self.reasons.lock().unwrap(), [], "the handler was called");
    }
}

#[test]
fn the_handler_is_called_once_the_body_is_there() {
    let posted = Posted::new(8);
    posted.upload.send("four");
    assert!(posted.answer().is_none());
    posted.upload.send("more");
    assert!(posted.answer().is_none());
    posted.upload.end();
    assert_eq!(posted.text(), "data: fourmore\n\n");
    assert_eq!(*posted.reasons.lock().unwrap(), [CloseReason::StreamEnded]);
}

#[test]
fn a_body_that_is_there_at_once_needs_no_wait() {
    let world = World::new();
    let routes = routes(&Reasons::default());
    let ask =
        |request: Request<String>| -> Answer<Sim> { world.embedding.route(&routes, request, None) };
    for text in ["", "whole"] {
        let request = Request::post("/echo").body(text.to_owned()).unwrap();
        let response = super::harness::now(&world.sim, ask(request));
        let reader = Reader::start(&world.sim, response.into_body());
        assert_eq!(
            reader.text(),
            format!("data: {text}\n\n").replace(": \n", ":\n")
        );
    }
}

#[test]
fn one_byte_too_many_is_refused_whether_it_was_announced_or_not() {
    let posted = Posted::new(8);
    posted.upload.send("eight");
    posted.upload.send("nine");
    let status = StatusCode::PAYLOAD_TOO_LARGE;
    posted.is_refused(status, &CloseReason::Rejected(status));

    let world = World::with(|config| config.response.body_limit = 8);
    let request = Request::post("/echo").body("nine byte".to_owned()).unwrap();
    let routes = routes(&Reasons::default());
    let response = super::harness::now(&world.sim, world.embedding.route(&routes, request, None));
    assert_eq!(response.status(), status);
}

/// A layer of the foreign server may wrap the body in one that does not know that it is empty, and over
/// HTTP/2 the end of a `GET` may come after its head.
#[test]
fn a_get_has_a_body_only_if_its_head_says_so() {
    let world = World::new();
    let router = Router::new().events("/page", |_| futures_util::stream::iter(["hello"]));
    let routes = router.build().unwrap();
    for (name, value, status) in [
        ("accept", "*/*", StatusCode::OK),
        ("content-length", "0", StatusCode::OK),
        ("content-length", "3", StatusCode::PAYLOAD_TOO_LARGE),
        (
            "transfer-encoding",
            "chunked",
            StatusCode::PAYLOAD_TOO_LARGE,
        ),
    ] {
        for method in ["GET", "HEAD"] {
            let request = Request::builder().method(method).uri("/page");
            let request = request.header(name, value).body(Upload::default()).unwrap();
            let answer = world.embedding.route(&routes, request, None);
            let response = super::harness::now(&world.sim, answer);
            assert_eq!(response.status(), status, "{method} with {name}: {value}");
        }
    }
}

#[test]
fn a_body_that_breaks_off_is_refused() {
    let posted = Posted::new(8);
    posted.upload.send("half");
    posted.upload.fail();
    let status = StatusCode::BAD_REQUEST;
    posted.is_refused(status, &CloseReason::Rejected(status));
}

#[test]
fn a_body_that_trickles_in_meets_its_deadline_and_then_the_handler_has_its_own() {
    let posted = Posted::new(1000);
    for _ in 0..29 {
        posted.world.sim.advance(secs(1));
        posted.upload.send(".");
        assert!(posted.answer().is_none());
    }
    posted.world.sim.advance(secs(1));
    let reason = CloseReason::TimedOut(Deadline::Body);
    posted.is_refused(StatusCode::REQUEST_TIMEOUT, &reason);
}

#[test]
fn the_handlers_own_time_begins_once_the_body_is_there() {
    let world = World::new();
    let upload = Upload::default();
    let waits = async |_: router::Request| std::future::pending::<router::Reply>().await;
    let routes = Router::new().post("/", waits).build().unwrap();
    let request = Request::post("/").body(upload.clone()).unwrap();
    let job = world
        .sim
        .start(world.embedding.route(&routes, request, None));
    world.sim.advance(secs(20));
    upload.end();
    world.sim.advance(secs(30) - MILLI);
    assert!(job.take().is_none());
    world.sim.advance(MILLI);
    let response = job.take().expect("an answer");
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    drop(response);
    let closed = world.embedding.stats().closed;
    assert_eq!(closed.of(&CloseReason::TimedOut(Deadline::Respond)), 1);
}

#[test]
fn a_client_that_goes_away_during_its_body_does_not_reach_the_handler() {
    let posted = Posted::new(8);
    posted.upload.send("half");
    assert!(posted.answer().is_none());
    posted.job.cancel();
    posted.world.sim.settle();
    let stats = posted.world.embedding.stats();
    assert_eq!(
        (stats.open, stats.closed.of(&CloseReason::ClientWentAway)),
        (0, 1)
    );
    assert_eq!(*posted.reasons.lock().unwrap(), []);
}
