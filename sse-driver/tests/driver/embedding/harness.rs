//! The common parts of these tests: an embedding, and a reader of its bodies.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use http_body::Body as _;
use sse_core::http::Response;
use sse_driver::embedding::{Answer, Body, Embedding, EmbeddingConfig, StreamBroken};

use crate::{
    harness::{Feed, Journal},
    sim::{Job, Sim},
};

pub type Request = sse_core::http::Request<String>;

pub fn get(path: &str) -> Request {
    sse_core::http::Request::get(path)
        .body(String::new())
        .unwrap()
}

/// A server that has called for one response and reads all of its body.
pub struct Reader {
    pub sim: Sim,
    pub read: Arc<Mutex<Vec<u8>>>,
    pub job: Job<Result<(), StreamBroken>>,
}

impl Reader {
    pub fn start(sim: &Sim, body: Body<Sim>) -> Self {
        let read = Arc::<Mutex<Vec<u8>>>::default();
        let (mut body, into) = (body, read.clone());
        let job = sim.start(async move {
            loop {
                let polled = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
                let Some(data) = polled else { return Ok(()) };
                let data = data?.into_data().expect("nothing but data");
                into.lock().unwrap().extend_from_slice(&data);
            }
        });
        sim.settle();
        let sim = sim.clone();
        Self { sim, read, job }
    }

    pub fn text(&self) -> String {
        self.sim.settle();
        String::from_utf8(self.read.lock().unwrap().clone()).unwrap()
    }
}

/// Returns the response, which has to be there without waiting.
pub fn now(sim: &Sim, answer: Answer<Sim>) -> Response<Body<Sim>> {
    let job = sim.start(answer);
    sim.settle();
    job.take().expect("an answer")
}

pub fn data(body: &mut Body<Sim>) -> Poll<Option<Result<Vec<u8>, StreamBroken>>> {
    let mut cx = Context::from_waker(Waker::noop());
    Pin::new(body)
        .poll_frame(&mut cx)
        .map(|frame| frame.map(|frame| frame.map(|frame| frame.into_data().unwrap().to_vec())))
}

pub struct World {
    pub sim: Sim,
    pub embedding: Embedding<Sim>,
    pub feed: Feed,
    pub journal: Journal,
}

impl World {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut EmbeddingConfig)) -> Self {
        let mut config = EmbeddingConfig::default();
        change(&mut config);
        let sim = Sim::new();
        Self {
            embedding: Embedding::on(sim.clone(), config),
            sim,
            feed: Feed::default(),
            journal: Journal::default(),
        }
    }

    pub fn respond(&self, request: Request) -> Response<Body<Sim>> {
        let handler = self.feed.handler(&self.journal);
        now(&self.sim, self.embedding.respond(request, None, handler))
    }

    pub fn open(&self) -> Body<Sim> {
        self.respond(get("/")).into_body()
    }

    pub fn reader(&self) -> Reader {
        Reader::start(&self.sim, self.open())
    }
}
