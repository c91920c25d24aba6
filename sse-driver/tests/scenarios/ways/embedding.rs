//! Embedded: a response with a body that the test polls, as a foreign server does.

use std::{
    collections::VecDeque,
    future::poll_fn,
    io,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use http_body::{Body as _, Frame, SizeHint};
use sse_core::http::{Method, Request, Response};
use sse_driver::{
    embedding::{Answer, Body, Embedding, EmbeddingConfig, StreamBroken},
    router::{Router, Routes},
};

use super::{End, Gate, Host, Reading, Sight};
use crate::{
    scenario::{Ask, Bounds},
    sim::{Job, Sim},
};

pub struct Embedded {
    sim: Sim,
    embedding: Embedding<Sim>,
    routes: Routes,
    clients: Vec<Reader>,
    shutdown: Option<Job<u64>>,
    reading: Reading,
}

struct Reader {
    job: Job<()>,
    gate: Gate,
    upload: Upload,
    sight: Arc<Mutex<Sight>>,
}

impl Embedded {
    pub fn new(sim: &Sim, router: Router, bounds: &Bounds, reading: Reading) -> Self {
        let mut config = EmbeddingConfig::default();
        config.response.respond_timeout = bounds.respond_timeout;
        config.response.body_timeout = bounds.body_timeout;
        config.response.body_limit = bounds.body_limit;
        config.response.keep_alive = bounds.keep_alive;
        config.response.high_water_mark = bounds.high_water_mark;
        Self {
            sim: sim.clone(),
            embedding: Embedding::on(sim.clone(), config),
            routes: router.build().unwrap(),
            clients: Vec::new(),
            shutdown: None,
            reading,
        }
    }
}

impl Host for Embedded {
    fn ask(&mut self, path: &'static str, ask: &Ask) {
        let upload = Upload::new(ask.announced);
        let mut request = Request::builder().method(&ask.method).uri(path);
        for (name, value) in &ask.fields {
            request = request.header(*name, value);
        }
        if let Some(announced) = ask.announced {
            request = request.header("content-length", announced);
        }
        let request = request.body(upload.clone()).unwrap();
        let answer = self.embedding.route(&self.routes, request, None);
        let (gate, sight) = (Gate::of(ask), Arc::<Mutex<Sight>>::default());
        let is_head = ask.method == Method::HEAD;
        let job = read_all(answer, is_head, self.reading, gate.clone(), sight.clone());
        self.clients.push(Reader {
            job: self.sim.start(job),
            gate,
            upload,
            sight,
        });
        self.settle();
    }

    fn settle(&mut self) {
        self.sim.settle();
    }

    fn advance(&mut self, by: Duration) {
        self.sim.advance(by);
    }

    fn hold_up(&mut self, by: Duration) {
        self.sim.hold_up(by);
    }

    fn read_once(&mut self) {
        self.clients[0].gate.read_once();
    }

    fn upload(&mut self, piece: &'static str) {
        self.clients[0].upload.add(Ok(piece));
    }

    fn break_upload(&mut self) {
        self.clients[0]
            .upload
            .add(Err(io::ErrorKind::ConnectionReset));
    }

    fn leave(&mut self) {
        self.clients[0].job.cancel();
    }

    fn shut_down(&mut self) {
        self.shutdown = Some(self.sim.start(self.embedding.shut_down()));
    }

    fn cut(&mut self) {
        self.embedding.cut();
    }

    fn stop(&mut self) {
        self.sim.stop();
        // The server is gone, and its connections with it.
        for reader in &self.clients {
            let end = &mut reader.sight.lock().unwrap().end;
            if *end == End::Open {
                *end = End::BrokeOff;
            }
        }
    }

    fn sight(&self) -> Sight {
        self.clients[0].sight.lock().unwrap().clone()
    }

    fn bystander(&self) -> Sight {
        self.clients[1].sight.lock().unwrap().clone()
    }

    fn counted(&self) -> Option<String> {
        super::counted(self.embedding.stats().closed)
    }
}

/// Does what a server does with a response: it sends the head, and takes the body piece by piece.
async fn read_all(
    answer: Answer<Sim>,
    is_head: bool,
    reading: Reading,
    gate: Gate,
    sight: Arc<Mutex<Sight>>,
) {
    let response = answer.await;
    let lock = || sight.lock().unwrap();
    let body = begin(response, is_head, &mut lock());
    let mut body = pin!(body);
    let mut bytes = Vec::new();
    loop {
        let is_over = body.is_end_stream();
        if is_over && reading == Reading::ToItsWord {
            break;
        }
        let next = poll_fn(|cx| {
            // Polling the end is not a read.
            if !is_over {
                ready!(gate.poll(cx));
            }
            body.as_mut().poll_frame(cx)
        });
        let frame = next.await;
        gate.took();
        assert!(!is_over || frame.is_none(), "it said that it was over");
        match frame {
            None => {
                assert!(body.is_end_stream(), "there is nothing more");
                break;
            }
            Some(Ok(frame)) => bytes.extend_from_slice(&frame.into_data().unwrap()),
            Some(Err(StreamBroken { .. })) => {
                lock().end = End::BrokeOff;
                return;
            }
        }
        lock().set_body(&bytes);
    }
    lock().end = End::Ended;
}

fn begin(
    response: Response<Body<Sim>>,
    is_head: bool,
    sight: &mut MutexGuard<'_, Sight>,
) -> Body<Sim> {
    let (parts, body) = response.into_parts();
    sight.set_head(parts.status.as_u16(), &parts.headers);
    let has_body = !is_head && ![204, 205, 304].contains(&parts.status.as_u16());
    // A server announces the length of a body if it knows it.
    if has_body && sight.length.is_none() {
        sight.length = body.size_hint().exact();
    }
    // The server may keep or drop extensions.
    std::mem::forget(parts.extensions);
    body
}

/// A request's body that comes piece by piece.
#[derive(Clone)]
struct Upload {
    state: Arc<Mutex<State>>,
}

struct State {
    /// The number of bytes that are still to come.
    left: usize,
    pieces: VecDeque<Result<&'static str, io::ErrorKind>>,
    reader: Option<Waker>,
}

impl Upload {
    fn new(announced: Option<usize>) -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                left: announced.unwrap_or_default(),
                pieces: VecDeque::new(),
                reader: None,
            })),
        }
    }

    fn add(&self, piece: Result<&'static str, io::ErrorKind>) {
        let mut state = self.state.lock().unwrap();
        state.pieces.push_back(piece);
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

impl http_body::Body for Upload {
    type Data = &'static [u8];
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<&'static [u8]>>>> {
        let mut state = self.state.lock().unwrap();
        match state.pieces.pop_front() {
            Some(Ok(piece)) => {
                state.left -= piece.len();
                Poll::Ready(Some(Ok(Frame::data(piece.as_bytes()))))
            }
            Some(Err(kind)) => Poll::Ready(Some(Err(kind.into()))),
            None if state.left == 0 => Poll::Ready(None),
            None => {
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.size_hint().exact() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.state.lock().unwrap().left as u64)
    }
}
