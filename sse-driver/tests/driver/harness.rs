//! The common parts of the tests: a server, a stream that a test feeds, and a journal.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures_util::Stream;
use sse_core::lifecycle::CloseReason;
use sse_driver::{
    Report, Server, ServerConfig, ServerHandle,
    router::{Request, Router},
};

use crate::sim::{Client, Job, ServerSide, Sim};

/// A running server.
pub struct World {
    pub sim: Sim,
    pub handle: ServerHandle,
    pub serving: Job<Result<Report, sse_driver::router::RouteError>>,
}

impl World {
    pub fn new(router: Router) -> Self {
        Self::with_config(ServerConfig::default(), router)
    }

    pub fn with_config(config: ServerConfig, router: Router) -> Self {
        Self::start(router, |server| server.with_config(config))
    }

    /// Starts any server, made from one with the defaults.
    pub fn start(router: Router, change: impl FnOnce(Server<Sim>) -> Server<Sim>) -> Self {
        Self::start_on(Sim::new(), router, change)
    }

    /// Starts a server of a router that has tasks on the same runtime.
    pub fn on(router: impl FnOnce(&Sim) -> Router) -> Self {
        let sim = Sim::new();
        let router = router(&sim);
        Self::start_on(sim, router, |server| server)
    }

    fn start_on(sim: Sim, router: Router, change: impl FnOnce(Server<Sim>) -> Server<Sim>) -> Self {
        let server = change(Server::new(sim.clone(), sim.listen()));
        let handle = server.handle();
        let serving = sim.start(server.serve(router));
        sim.settle();
        Self {
            sim,
            handle,
            serving,
        }
    }

    /// Returns a client that has sent nothing yet.
    pub fn connect(&self) -> Client {
        let client = self.sim.connect().expect("the server listens");
        self.sim.settle();
        client
    }

    /// Returns a client that has requested `path`, and has read the first output.
    pub fn get(&self, path: &str) -> Client {
        let mut client = self.connect();
        client.get(path);
        self.sim.settle();
        client.read_all();
        self.sim.settle();
        client
    }

    /// Lets time pass, and lets `client` read.
    pub fn advance(&self, by: Duration, client: &mut Client) {
        self.sim.advance(by);
        client.read_all();
        self.sim.settle();
    }

    pub fn report(&self) -> Report {
        let result = self.serving.take().expect("the server has shut down");
        result.expect("the routes can be")
    }
}

/// A stream whose items come from the test.
#[derive(Clone, Default)]
pub struct Feed {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    items: VecDeque<Result<String, String>>,
    ended: bool,
    reader: Option<Waker>,
}

/// The handler's side of a [`Feed`]. Its end is logged in the journal.
pub struct FeedStream {
    feed: Feed,
    journal: Journal,
}

impl Feed {
    /// Yields an event with this text.
    pub fn push(&self, text: impl Into<String>) {
        self.change(|shared| shared.items.push_back(Ok(text.into())));
    }

    /// Yields `count` events before the reader is woken.
    pub fn push_many(&self, count: usize, text: &str) {
        let items = std::iter::repeat_n(Ok(text.to_owned()), count);
        self.change(|shared| shared.items.extend(items));
    }

    /// Yields an error.
    pub fn fail(&self, text: &str) {
        self.change(|shared| shared.items.push_back(Err(text.into())));
    }

    pub fn end(&self) {
        self.change(|shared| shared.ended = true);
    }

    /// Lets the next stream not end at once.
    pub fn start_again(&self) {
        self.change(|shared| shared.ended = false);
    }

    /// Returns the number of holders of this feed.
    pub fn holders(&self) -> usize {
        Arc::strong_count(&self.shared)
    }

    /// Returns the number of events that were not taken.
    pub fn left(&self) -> usize {
        self.shared.lock().unwrap().items.len()
    }

    /// Returns a handler that responds with this feed, and logs its end in the journal.
    pub fn handler(
        &self,
        journal: &Journal,
    ) -> impl Fn(Request) -> FeedStream + Send + Sync + use<> {
        let (feed, journal) = (self.clone(), journal.clone());
        move |request| {
            journal.watch_clean_up(&request);
            feed.stream(&journal)
        }
    }

    /// Returns the stream that the test feeds, whose end is logged in the journal.
    pub fn stream(&self, journal: &Journal) -> FeedStream {
        FeedStream {
            feed: self.clone(),
            journal: journal.clone(),
        }
    }

    fn change(&self, change: impl FnOnce(&mut Shared)) {
        let mut shared = self.shared.lock().unwrap();
        change(&mut shared);
        let reader = shared.reader.take();
        drop(shared);
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

impl Stream for FeedStream {
    type Item = Result<String, String>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut shared = self.feed.shared.lock().unwrap();
        match shared.items.pop_front() {
            Some(item) => Poll::Ready(Some(item)),
            None if shared.ended => Poll::Ready(None),
            None => {
                shared.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for FeedStream {
    fn drop(&mut self) {
        self.journal.note("stream dropped");
    }
}

/// The log of what happened, in order.
#[derive(Clone, Default)]
pub struct Journal {
    lines: Arc<Mutex<Vec<String>>>,
    socket: Arc<Mutex<Option<ServerSide>>>,
}

impl Journal {
    pub fn note(&self, line: impl Into<String>) {
        self.lines.lock().unwrap().push(line.into());
    }

    /// Logs when clean-up runs, and why.
    pub fn watch_clean_up(&self, request: &Request) {
        let journal = self.clone();
        request.clean_up().add(move |reason: &CloseReason| {
            let socket = journal.socket.lock().unwrap().clone();
            if socket.is_some_and(|socket| socket.is_closed()) {
                journal.note("socket closed");
            }
            journal.note(format!("clean-up: {reason}"));
        });
    }

    /// Makes clean-up log whether this socket is closed by then.
    pub fn watch_socket(&self, client: &Client) {
        *self.socket.lock().unwrap() = Some(client.server_side());
    }

    /// Returns the number of holders of this journal.
    pub fn holders(&self) -> usize {
        Arc::strong_count(&self.lines)
    }

    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

/// A response, as far as it was received.
#[derive(Debug, PartialEq, Eq)]
pub struct Received {
    pub status: u16,
    pub head: String,
    pub body: String,
    /// Whether a chunked body has had its last chunk.
    pub complete: bool,
}

impl Received {
    /// Reads the bytes that `client` has received, which end with a chunk if the body is in chunks.
    pub fn by(client: &Client) -> Self {
        Self::parse(client.received())
    }

    /// Reads the bytes that another client has received.
    pub fn parse(text: &str) -> Self {
        let (head, mut rest) = text.split_once("\r\n\r\n").expect("a whole head");
        let status = head.split(' ').nth(1).expect("a status line");
        let mut received = Self {
            status: status.parse().expect("a status"),
            head: head.to_ascii_lowercase(),
            body: String::new(),
            complete: false,
        };
        if !received.head.contains("transfer-encoding: chunked") {
            received.body = rest.to_owned();
            return received;
        }
        while let Some((size, after)) = rest.split_once("\r\n") {
            let size = usize::from_str_radix(size, 16).expect("a chunk size");
            if size == 0 {
                assert_eq!(after, "\r\n", "nothing follows the last chunk");
                received.complete = true;
                return received;
            }
            let (chunk, end) = after.split_at(size);
            received.body += chunk;
            rest = end.strip_prefix("\r\n").expect("a chunk's end");
        }
        assert_eq!(rest, "", "a whole chunk");
        received
    }

    /// Returns a field's value.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub const MILLI: Duration = Duration::from_millis(1);
