//! Clients of a foreign server, which embeds the handlers: a task asks for responses, takes their
//! bodies, and drops them at any time.

use std::{
    collections::VecDeque,
    future::poll_fn,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body::{Body as _, Frame};
use sse_core::{
    Decoder,
    http::{Method, Request, Response, StatusCode},
};
use sse_driver::{
    Clock, Runtime, Timer,
    embedding::{Body, Embedding},
    router::Routes,
};

use crate::{
    clients::{State, Surroundings, body_of, lock},
    records::Record,
    registry::Kind,
    served::{number_of, path_of},
    sim::{Job, Sim, SimTimer},
};

/// The server: its handlers, and those of its next life.
pub struct Host {
    pub embedding: Embedding<Sim>,
    pub routes: Arc<Routes>,
}

pub type SharedHost = Arc<Mutex<Host>>;

pub struct Foreign {
    pub kind: Kind,
    pub state: Arc<Mutex<State>>,
    job: Job<()>,
    around: Surroundings,
    pub number: usize,
}

impl Foreign {
    pub fn start(
        around: &Surroundings,
        number: usize,
        kind: Kind,
        body: usize,
        host: &SharedHost,
    ) -> Self {
        let body = body_of(body);
        let record = Record::new(kind, &body, around.topics.largest_event);
        let state = State::new(record);
        let client = ForeignClient {
            around: around.clone(),
            number,
            kind,
            body,
            host: host.clone(),
            state: state.clone(),
            last_id: String::new(),
        };
        Self {
            kind,
            state,
            job: around.sim.start(client.run()),
            around: around.clone(),
            number,
        }
    }

    /// The server drops everything of this client, which has left.
    pub fn cancel(&self) {
        self.around.registry.drop_foreign(self.number);
        self.job.cancel();
        lock(&self.state).is_over = true;
    }
}

struct ForeignClient {
    around: Surroundings,
    number: usize,
    kind: Kind,
    body: Bytes,
    host: SharedHost,
    state: Arc<Mutex<State>>,
    last_id: String,
}

impl ForeignClient {
    async fn run(mut self) {
        loop {
            self.ask().await;
            lock(&self.state).open = None;
            self.around
                .registry
                .note(format_args!("foreign client {} is lost", self.number));
            let pause = self.around.chaos.draw(|rng| rng.u64(1..5000));
            self.sleep(Duration::from_millis(pause)).await;
        }
    }

    async fn sleep(&self, time: Duration) {
        let sim = &self.around.sim;
        let mut timer = sim.timer(sim.now() + time);
        poll_fn(|cx| timer.poll_elapsed(cx)).await;
    }

    /// Asks for one response, and takes it to its end or until the server drops it.
    async fn ask(&mut self) {
        let mut request = Request::builder()
            .uri(path_of(self.kind))
            .header("x-client", self.number);
        if cfg!(feature = "compression") && self.around.chaos.draw(|rng| rng.bool()) {
            request = request.header("accept-encoding", "gzip");
        }
        if !self.last_id.is_empty() {
            request = request.header("last-event-id", &self.last_id);
        }
        if self.kind == Kind::Upload {
            request = request.method(Method::POST);
        }
        let body = Upload::new(&self.around, &self.body);
        let (now, bounds) = (self.around.sim.now(), self.around.registry.bounds);
        let is_in_time = body.end().is_none_or(|at| at < now + bounds.body_timeout);
        let request = request.body(body).expect("a request");
        let answer = {
            let host = self
                .host
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            host.embedding.route(&host.routes, request, None)
        };
        let response = answer.await;
        self.around.sim.note_progress();
        if response.status() == StatusCode::REQUEST_TIMEOUT {
            let is_late = !is_in_time || bounds.has_short_budgets;
            assert!(is_late, "a body that came in time is answered {response:?}");
        }
        if response.status() == StatusCode::NOT_FOUND {
            // The stream that the client resumes was forgotten, and the page is loaded anew.
            self.last_id.clear();
        }
        let Some(id) = number_of(&response) else {
            // A response without a handler, such as a 503.
            return self.take_rest(response.into_body()).await;
        };
        let asked = self.around.registry.asked(id);
        assert_eq!((asked.client, asked.kind), (self.number, self.kind));
        let has_no_events = response.status() == StatusCode::NO_CONTENT;
        if !response.status().is_success()
            || has_no_events
            || matches!(self.kind, Kind::Page | Kind::Gone)
        {
            return self.take_rest(response.into_body()).await;
        }
        {
            let mut state = lock(&self.state);
            let announce = self.around.announce;
            state.record.opened(id, &asked, &self.last_id, announce);
            state.open = Some(id);
            self.around.tally().opened_foreign(self.kind);
        }
        let coding = Coding::of(&response);
        self.take_events(id, coding, response.into_body()).await;
    }

    async fn take_rest(&self, body: Body<Sim>) {
        let mut body = body;
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            self.around.sim.note_progress();
            if frame.is_err() {
                return;
            }
        }
    }

    async fn take_events(&mut self, id: usize, mut coding: Coding, body: Body<Sim>) {
        let mut body = body;
        let mut decoder = Decoder::new();
        let reads_to_the_end = self.around.chaos.draw(|rng| rng.bool());
        loop {
            if body.is_end_stream() && !reads_to_the_end {
                coding.check_end();
                break;
            }
            let frame = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
            self.around.sim.note_progress();
            let is_proper = frame.is_none();
            let Some(Ok(frame)) = frame else {
                if is_proper {
                    coding.check_end();
                }
                let state = lock(&self.state);
                self.around.check_end(id, &state.record, is_proper);
                return;
            };
            let data = coding.decode(frame.into_data().unwrap_or_default());
            let mut events = Vec::new();
            let mut input = &data[..];
            while let Some(event) = decoder.decode_event(&mut input).expect("any size") {
                events.push(event);
            }
            for event in events {
                let mut state = lock(&self.state);
                state.record.received(&event, &self.around.topics);
                self.around.tally().delivered += 1;
            }
            if !decoder.last_event_id().is_empty() {
                decoder.last_event_id().clone_into(&mut self.last_id);
            }
            self.around.dawdle(&self.state).await;
            if self.around.chaos.draw(|rng| rng.u8(..60)) == 0 && !lock(&self.state).hurries {
                // The client has left.
                self.around.registry.drop_foreign(self.number);
                break;
            }
        }
    }
}

/// The content coding of a response.
struct Coding {
    #[cfg(feature = "compression")]
    gzip: Option<sse_core::gzip::GzipDecoder>,
}

#[cfg(feature = "compression")]
impl Coding {
    fn of<B>(response: &Response<B>) -> Self {
        let is_gzip = response.headers().contains_key("content-encoding");
        Self {
            gzip: is_gzip.then(|| sse_core::gzip::GzipDecoder::new(u32::MAX)),
        }
    }

    fn decode(&mut self, data: Bytes) -> Bytes {
        let Some(gzip) = &mut self.gzip else {
            return data;
        };
        let (mut input, mut plain) = (&data[..], Vec::new());
        while gzip.decode(&mut input, &mut plain).expect("a good body") {}
        plain.into()
    }

    /// Checks that the body is over, and complete.
    fn check_end(&self) {
        let end = self.gzip.as_ref().map(|gzip| gzip.end());
        assert!(
            end.is_none_or(|end| end.is_ok()),
            "the end of a body: {end:?}"
        );
    }
}

#[cfg(not(feature = "compression"))]
impl Coding {
    fn of<B>(_: &Response<B>) -> Self {
        Self {}
    }

    fn decode(&mut self, data: Bytes) -> Bytes {
        data
    }

    fn check_end(&self) {}
}

/// The body of a request in pieces, whose times of arrival are fixed from the beginning.
pub struct Upload {
    around: Surroundings,
    pieces: VecDeque<(Instant, Bytes)>,
    pause: Option<SimTimer>,
}

impl Upload {
    pub fn new(around: &Surroundings, body: &Bytes) -> Self {
        let mut pieces = VecDeque::new();
        let mut left = body.clone();
        let mut at = around.sim.now();
        while !left.is_empty() {
            let (piece, pause) = around.chaos.draw(|rng| {
                let pauses = rng.bool();
                (rng.usize(1..=8000), pauses.then(|| rng.u64(1..4000)))
            });
            at += Duration::from_millis(pause.unwrap_or(0));
            pieces.push_back((at, left.split_to(piece.min(left.len()))));
        }
        Self {
            around: around.clone(),
            pieces,
            pause: None,
        }
    }

    /// Returns when all of it will have arrived.
    fn end(&self) -> Option<Instant> {
        self.pieces.back().map(|(at, _)| *at)
    }
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Some((at, _)) = self.pieces.front() else {
            return Poll::Ready(None);
        };
        let (at, sim) = (*at, self.around.sim.clone());
        if sim.now() < at {
            let pause = self.pause.get_or_insert_with(|| sim.timer(at));
            std::task::ready!(pause.poll_elapsed(cx));
        }
        self.pause = None;
        sim.note_progress();
        let piece = self.pieces.pop_front();
        Poll::Ready(piece.map(|(_, piece)| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }
}
