//! What only a client can do: never answer, fail for a cause of its own, and have everything at once.

use std::{
    convert::Infallible,
    fmt,
    future::pending,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::future::ready;
use http_body::{Body, Frame};
use sse_core::{
    client::{ClientEvent, Loss},
    http::{HeaderMap, Request, Response},
};
use sse_driver::HttpClient;

use crate::{
    harness::{MILLI, secs},
    sim::Sim,
    subscriber::{Source, Subscriber, source_with},
};

/// Returns a client that counts its responses while they live.
fn counted(count: &Arc<AtomicUsize>, answers: bool) -> impl HttpClient + use<> {
    let count = count.clone();
    move |_: Request<Bytes>| {
        count.fetch_add(1, Ordering::Relaxed);
        let held = Held(count.clone());
        async move {
            if !answers {
                pending::<()>().await;
            }
            let response = Response::builder().header("content-type", "text/event-stream");
            Ok::<_, Infallible>(response.body(held).unwrap())
        }
    }
}

/// A body without an end.
struct Held(Arc<AtomicUsize>);

impl Body for Held {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[test]
fn dropping_and_closing_the_event_source_drop_the_request_in_flight() {
    for answers in [false, true] {
        let (sim, count) = (Sim::new(), Arc::default());
        let source = || {
            let source = source_with(&sim, "/", |_| ());
            source.with_http_client(counted(&count, answers))
        };
        let subscriber = Subscriber::new(&sim, source());
        assert_eq!(count.load(Ordering::Relaxed), 1);
        subscriber.job.cancel();
        sim.settle();
        assert_eq!(count.load(Ordering::Relaxed), 0);

        let source = source();
        let handle = source.handle();
        let subscriber = Subscriber::new(&sim, source);
        assert_eq!(count.load(Ordering::Relaxed), 1);
        handle.close();
        sim.settle();
        assert_eq!(count.load(Ordering::Relaxed), 0);
        assert_eq!(
            subscriber.notes().last().unwrap(),
            "over: the application closed it"
        );
        assert_eq!((sim.live_tasks(), sim.live_timers()), (0, 0));
    }
}

#[test]
fn a_client_that_never_answers_is_given_up_at_its_deadline() {
    let (sim, count) = (Sim::new(), Arc::default());
    let source = source_with(&sim, "/", |_| ()).with_http_client(counted(&count, false));
    let subscriber = Subscriber::new(&sim, source);
    sim.advance(secs(60) - MILLI);
    assert_eq!(subscriber.notes(), ["dials sim:80"]);
    sim.advance(MILLI);
    assert_eq!(
        subscriber.notes(),
        ["hangs up", "lost: the server did not answer in time"]
    );
    assert_eq!(count.load(Ordering::Relaxed), 0);
}

/// Returns what ends the first attempt.
fn first_loss(sim: &Sim, mut source: Source) -> Loss {
    let job = sim.start(async move {
        loop {
            if let Some(ClientEvent::Lost { loss, .. }) = source.next_update().await {
                return loss;
            }
        }
    });
    sim.settle();
    job.take().expect("a loss")
}

/// An error of a client, with a cause.
#[derive(Debug)]
struct Unreachable(io::Error);

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no way there: {}", self.0)
    }
}

impl std::error::Error for Unreachable {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn the_clients_error_is_the_cause_of_the_loss() {
    let sim = Sim::new();
    let client = |_: Request<Bytes>| {
        let error = Unreachable(io::ErrorKind::HostUnreachable.into());
        ready(Err::<Response<Held>, _>(error))
    };
    let loss = first_loss(
        &sim,
        source_with(&sim, "/", |_| ()).with_http_client(client),
    );
    assert_eq!(
        loss.to_string(),
        "the connection failed: no way there: host unreachable"
    );
    assert!(loss.cause::<Unreachable>().is_some());
}

/// A body that is always ready, and its count of frames.
struct Flood(Arc<AtomicUsize>);

impl Body for Flood {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Some(Ok(match number % 2 {
            0 => Frame::data(Bytes::from_static(b"data: x\n\n")),
            // These have no bytes for an event source.
            _ => Frame::trailers(HeaderMap::new()),
        })))
    }
}

#[test]
fn a_client_is_asked_for_no_more_than_is_taken() {
    let (sim, frames) = (Sim::new(), Arc::<AtomicUsize>::default());
    let client = {
        let frames = frames.clone();
        move |_: Request<Bytes>| {
            let response = Response::builder().header("content-type", "text/event-stream");
            let response = response.body(Flood(frames.clone())).unwrap();
            ready(Ok::<_, Infallible>(response))
        }
    };
    let mut source = source_with(&sim, "/", |_| ()).with_http_client(client);
    let job = sim.start(async move {
        for _ in 0..1000 {
            source.next().await.unwrap().unwrap();
        }
        source
    });
    sim.settle();
    let _source = job.take().expect("a thousand events");
    assert_eq!(frames.load(Ordering::Relaxed), 1999);
}

/// A body of one piece, after which nothing comes.
struct OnePiece(Option<Bytes>);

impl Body for OnePiece {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.0.take() {
            Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            None => Poll::Pending,
        }
    }
}

#[test]
fn the_clock_is_not_looked_at_for_each_of_the_events_that_came_at_once() {
    const MANY: usize = 1000;
    for updates in [false, true] {
        let sim = Sim::new();
        let client = |_: Request<Bytes>| {
            let piece = "data: x\n\n".repeat(MANY).into();
            let response = Response::builder().header("content-type", "text/event-stream");
            ready(Ok::<_, Infallible>(
                response.body(OnePiece(Some(piece))).unwrap(),
            ))
        };
        let mut source = source_with(&sim, "/", |_| ()).with_http_client(client);
        let before = sim.readings();
        let job = sim.start(async move {
            let mut events = 0;
            while events < MANY {
                match updates {
                    true => {
                        let update = source.next_update().await.unwrap();
                        events += usize::from(matches!(update, ClientEvent::Event(_)));
                    }
                    false => {
                        source.next().await.unwrap().unwrap();
                        events += 1;
                    }
                }
            }
            source
        });
        sim.settle();
        let _source = job.take().expect("all of them");
        let readings = sim.readings() - before;
        assert!(readings < 20, "{readings} for {MANY} events");
    }
}
