//! Responses that are cut: their output afterwards, and the task that is woken.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::{Duration, Instant, SystemTime},
};

use futures_util::stream;
use http_body::Body as _;
use sse_core::{
    http::StatusCode,
    lifecycle::CloseReason,
    topic::{Topic, TopicConfig},
};
use sse_driver::{
    BindOptions, Clock, Runtime,
    embedding::{Body, Embedding, EmbeddingConfig, StreamBroken},
    router::Request,
};

use super::harness::{Reader, World, data, get};
use crate::{
    harness::secs,
    sim::{Sim, SimListener, SimTimer},
};

type Hook = Box<dyn FnOnce() + Send>;

/// A runtime that runs a hook when its clock is read next: while a body is polled, and therefore between
/// what one poll collects and what it returns.
#[derive(Clone)]
struct Hooked {
    sim: Sim,
    hook: Arc<Mutex<Option<Hook>>>,
}

impl Hooked {
    fn new() -> Self {
        Self {
            sim: Sim::new(),
            hook: Arc::default(),
        }
    }

    fn at_the_next_look(&self, hook: impl FnOnce() + Send + 'static) {
        *self.hook.lock().unwrap() = Some(Box::new(hook));
    }
}

impl Clock for Hooked {
    fn now(&self) -> Instant {
        let hook = self.hook.lock().unwrap().take();
        if let Some(hook) = hook {
            hook();
        }
        self.sim.now()
    }

    fn date(&self) -> SystemTime {
        self.sim.date()
    }

    fn seed(&self) -> u64 {
        self.sim.seed()
    }
}

impl Runtime for Hooked {
    type Timer = SimTimer;
    type Transport = <Sim as Runtime>::Transport;
    type Listener = SimListener;

    fn timer(&self, deadline: Instant) -> SimTimer {
        self.sim.timer(deadline)
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.sim.spawn(task);
    }

    async fn bind(&self, address: SocketAddr, options: &BindOptions) -> io::Result<SimListener> {
        self.sim.bind(address, options).await
    }

    fn local_addr(&self, listener: &SimListener) -> io::Result<SocketAddr> {
        self.sim.local_addr(listener)
    }

    async fn accept(&self, listener: &SimListener) -> io::Result<(Self::Transport, SocketAddr)> {
        self.sim.accept(listener).await
    }

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        self.sim.resolve(host, port).await
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<Self::Transport> {
        Runtime::connect(&self.sim, address).await
    }

    fn set_probing(&self, transport: &Self::Transport, after: Duration) {
        self.sim.set_probing(transport, after);
    }
}

/// An open stream of a topic. Its keep-alive comment is due.
struct Due {
    runtime: Hooked,
    embedding: Embedding<Hooked>,
    topic: Topic,
    body: Body<Hooked>,
}

impl Due {
    fn new() -> Self {
        let runtime = Hooked::new();
        let embedding = Embedding::on(runtime.clone(), EmbeddingConfig::default());
        let topic = Topic::on(runtime.sim.clone(), TopicConfig::default());
        let subscriber = topic.subscribe();
        let mut cx = Context::from_waker(Waker::noop());
        let answer = pin!(embedding.respond(get("/"), None, move |_| subscriber));
        let Poll::Ready(response) = answer.poll(&mut cx) else {
            panic!("the handler waits for nothing")
        };
        let mut due = Self {
            runtime,
            embedding,
            topic,
            body: response.into_body(),
        };
        assert!(due.poll().is_pending());
        due.runtime.sim.advance(secs(15));
        due
    }

    fn poll(&mut self) -> Poll<Option<Result<Vec<u8>, StreamBroken>>> {
        let mut cx = Context::from_waker(Waker::noop());
        Pin::new(&mut self.body)
            .poll_frame(&mut cx)
            .map(|frame| frame.map(|frame| frame.map(|frame| frame.into_data().unwrap().to_vec())))
    }

    fn ends_by_the_cut(mut self) {
        let Poll::Ready(Some(Err(error))) = self.poll() else {
            panic!("nothing is given after a cut but its error")
        };
        assert_eq!(*error.reason(), CloseReason::Shutdown);
    }
}

#[test]
fn a_comment_that_is_gathered_when_the_cut_comes_is_not_given() {
    let due = Due::new();
    let embedding = due.embedding.clone();
    due.runtime.at_the_next_look(move || embedding.cut());
    due.ends_by_the_cut();
}

#[test]
fn events_that_are_gathered_when_the_cut_comes_are_not_given() {
    let mut due = Due::new();
    let topic = due.topic.clone();
    due.runtime.at_the_next_look(move || {
        topic.publish("late").unwrap();
    });
    let Poll::Ready(Some(Ok(given))) = due.poll() else {
        panic!("the comment is due")
    };
    assert!(given.starts_with(b":\n"), "{given:?}");
    due.embedding.cut();
    due.ends_by_the_cut();
}

#[test]
fn a_body_that_moved_to_another_task_is_woken_there() {
    let world = World::new();
    let mut body = world.open();
    // This is in the test's own task, which nothing wakes.
    assert!(data(&mut body).is_pending());
    let reader = Reader::start(&world.sim, body);
    world.embedding.cut();
    world.sim.settle();
    let error = reader.job.take().expect("it is woken").unwrap_err();
    assert_eq!(*error.reason(), CloseReason::Shutdown);
}

#[test]
fn an_answer_that_moved_to_another_task_is_woken_there() {
    let world = World::new();
    let mut answer = Box::pin(world.embedding.respond(get("/"), None, async |_: Request| {
        std::future::pending::<stream::Empty<u8>>().await
    }));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(answer.as_mut().poll(&mut cx).is_pending());
    let job = world.sim.start(answer);
    world.sim.settle();
    world.embedding.cut();
    world.sim.settle();
    let response = job.take().expect("it is woken");
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
}
