//! Connectors, transports and HTTP clients that panic anywhere: each panic is a loss.

use std::{
    future::{Future, Ready, pending, poll_fn, ready},
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use futures_core::Stream;
use sse_driver::{Connected, Dial, Transport, TransportPanicked, router::Router};

use crate::{
    harness::{Feed, Journal, World, secs},
    sim::Sim,
    subscriber::{Source, Subscriber, source},
};

/// The place of a panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Call,
    Poll,
    /// In the destructor of its future, which runs in any case.
    Drop,
    Read,
    Write,
    Flush,
}

impl At {
    fn panic_at(self, here: Self) {
        assert!(self != here, "in {here:?}");
    }
}

/// Panics when it is polled, or when it is dropped.
struct Bomb<T> {
    at: At,
    value: Option<T>,
}

impl<T: Unpin> Future for Bomb<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
        self.at.panic_at(At::Poll);
        Poll::Ready(self.value.take().expect("it is polled once"))
    }
}

impl<T> Drop for Bomb<T> {
    fn drop(&mut self) {
        self.at.panic_at(At::Drop);
    }
}

/// A transport that panics.
struct Fused(Box<dyn Transport>, At);

impl Transport for Fused {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.1.panic_at(At::Read);
        self.0.poll_read(cx, buffer)
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.1.panic_at(At::Write);
        self.0.poll_write_vectored(cx, slices)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.1.panic_at(At::Flush);
        self.0.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_shutdown(cx)
    }
}

const LOST: &str =
    "lost: the connection failed: the connector, its transport or the HTTP client panicked";

/// Checks that the first two attempts of this source are lost, and the third one opens the stream.
fn is_lost_twice_and_opens(sim: &Sim, source: Source, case: &str) {
    let subscriber = Subscriber::new(sim, source);
    sim.advance(secs(60));
    // Some panic while they connect, and others later.
    let notes = subscriber.notes().into_iter();
    let notes: Vec<_> = notes
        .map(|note| note.replace("cannot connect to sim:80", "the connection failed"))
        .collect();
    let expected = [
        "dials sim:80",
        "hangs up",
        LOST,
        "dials sim:80",
        "hangs up",
        LOST,
        "dials sim:80",
        "open: 200 OK",
    ];
    assert_eq!(notes[..8], expected, "{case}");
}

/// Returns where the attempt with this number panics, if it does.
fn counted(at: At) -> impl Fn() -> Option<At> + Send + Sync + 'static {
    let count = Arc::<AtomicUsize>::default();
    move || (count.fetch_add(1, Ordering::Relaxed) < 2).then_some(at)
}

#[test]
fn a_panic_of_a_connector_or_its_transport_is_a_loss() {
    use At::{Call, Drop, Flush, Poll, Read, Write};
    for at in [Call, Poll, Drop, Read, Write, Flush] {
        let router = Router::new().events("/", Feed::default().handler(&Journal::default()));
        let world = World::new(router);
        let attempt = counted(at);
        let source = source(&world.sim, "/").with_connector(move |dial: Dial<Sim>| {
            let at = attempt();
            if let Some(at) = at {
                at.panic_at(Call);
            }
            async move {
                if let Some(at) = at {
                    Bomb {
                        at,
                        value: Some(()),
                    }
                    .await;
                }
                let transport = dial.tcp("sim", 80).await?;
                Ok(match at {
                    Some(at) => Connected::direct(Fused(transport, at)),
                    None => Connected::direct(transport),
                })
            }
        });
        is_lost_twice_and_opens(&world.sim, source, &format!("{at:?}"));
    }
}

#[test]
fn a_program_finds_out_that_it_was_a_panic() {
    let sim = Sim::new();
    let mut source = source(&sim, "/")
        .with_connector(|_: Dial<Sim>| -> Ready<io::Result<Connected>> { panic!("at once") });
    let job = sim.start(async move {
        loop {
            let update = source.next_update().await.expect("goes on");
            if let sse_core::client::ClientEvent::Lost { loss, .. } = update {
                return loss;
            }
        }
    });
    sim.settle();
    let loss = job.take().expect("a loss");
    assert!(loss.cause::<TransportPanicked>().is_some());
}

/// Is never ready, and panics when it is dropped.
struct Stuck;

impl Future for Stuck {
    type Output = io::Result<Connected>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Pending
    }
}

impl Drop for Stuck {
    fn drop(&mut self) {
        panic!("it is not wanted any more");
    }
}

#[test]
fn a_connector_that_hangs_and_panics_when_it_is_dropped_is_lost_at_its_deadline() {
    let sim = Sim::new();
    let source = source(&sim, "/").with_connector(|_: Dial<Sim>| Stuck);
    let handle = source.handle();
    let subscriber = Subscriber::new(&sim, source);
    sim.advance(secs(30));
    assert_eq!(
        subscriber.notes(),
        ["dials sim:80", "hangs up", "lost: connecting took too long"]
    );
    sim.advance(secs(30));
    handle.close();
    sim.settle();
    assert_eq!(
        subscriber.notes().last().unwrap(),
        "over: the application closed it"
    );
}

/// Panics when it is dropped.
struct Touchy;

impl Drop for Touchy {
    fn drop(&mut self) {
        panic!("not me");
    }
}

/// Polls the event source until it waits, and drops it. Its own panic would fail the test.
fn is_dropped_while_it_waits(sim: &Sim, source: Source) {
    let mut source = Box::pin(source);
    let job = sim.start(async move {
        poll_fn(|cx| {
            assert!(source.as_mut().poll_next(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        drop(source);
    });
    sim.settle();
    assert_eq!(job.take(), Some(()));
}

#[test]
fn dropping_an_event_source_contains_the_panics_of_what_it_drops() {
    // The future of a connector, and the connector itself.
    let sim = Sim::new();
    let touchy = Touchy;
    let connected = source(&sim, "/").with_connector(move |_: Dial<Sim>| {
        let _kept = &touchy;
        Stuck
    });
    is_dropped_while_it_waits(&sim, connected);

    // The future of a hook, and the hook itself.
    let touchy = Touchy;
    let prepared = source(&sim, "/").prepare(move |attempt| {
        let (kept, of_attempt) = (&touchy, Touchy);
        let _ = kept;
        async move {
            pending::<()>().await;
            drop(of_attempt);
            attempt
        }
    });
    is_dropped_while_it_waits(&sim, prepared);

    // What is replaced before it was used.
    let touchy = Touchy;
    let replaced = source(&sim, "/").with_connector(move |_: Dial<Sim>| {
        let _kept = &touchy;
        Stuck
    });
    drop(replaced.with_connector(|_: Dial<Sim>| Stuck));
}

#[cfg(feature = "http-body")]
mod of_http_clients {
    use bytes::Bytes;
    use http_body::{Body, Frame};
    use sse_core::http::{Request, Response};

    use super::*;

    /// A body that panics when it is polled or dropped, or has nothing.
    struct BadBody(Option<At>);

    impl Body for BadBody {
        type Data = Bytes;
        type Error = io::Error;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
            match self.0 {
                Some(At::Read) => panic!("in its body"),
                _ => Poll::Pending,
            }
        }
    }

    impl Drop for BadBody {
        fn drop(&mut self) {
            if let Some(at) = self.0 {
                at.panic_at(At::Drop);
            }
        }
    }

    fn answer(at: Option<At>) -> io::Result<Response<BadBody>> {
        let response = Response::builder().header("content-type", "text/event-stream");
        Ok(response.body(BadBody(at)).unwrap())
    }

    #[test]
    fn dropping_an_event_source_contains_the_panics_of_its_http_client() {
        let sim = Sim::new();
        let touchy = Touchy;
        let responding = source(&sim, "/").with_http_client(move |_: Request<Bytes>| {
            let _kept = &touchy;
            ready(answer(Some(At::Drop)))
        });
        is_dropped_while_it_waits(&sim, responding);

        let sending = source(&sim, "/").with_http_client(move |_: Request<Bytes>| {
            let touchy = Touchy;
            async move {
                pending::<()>().await;
                drop(touchy);
                answer(None)
            }
        });
        is_dropped_while_it_waits(&sim, sending);
    }

    #[test]
    fn a_panic_of_an_http_client_or_its_body_is_a_loss() {
        for at in [At::Call, At::Poll, At::Drop] {
            let sim = Sim::new();
            let attempt = counted(at);
            let source = source(&sim, "/").with_http_client(move |_: Request<Bytes>| {
                let at = attempt();
                if let Some(at) = at {
                    at.panic_at(At::Call);
                }
                async move {
                    if let Some(at) = at {
                        Bomb {
                            at,
                            value: Some(()),
                        }
                        .await;
                    }
                    answer(None)
                }
            });
            is_lost_twice_and_opens(&sim, source, &format!("{at:?}"));
        }

        let sim = Sim::new();
        let attempt = counted(At::Read);
        let source =
            source(&sim, "/").with_http_client(move |_: Request<Bytes>| ready(answer(attempt())));
        let subscriber = Subscriber::new(&sim, source);
        sim.advance(secs(60));
        let notes = subscriber.notes();
        let of_one = ["dials sim:80", "open: 200 OK", "hangs up", LOST];
        assert_eq!(notes[..4], of_one);
        assert_eq!(notes[4..8], of_one);
        assert_eq!(notes[8..], of_one[..2]);
    }
}
