//! The common parts of these tests: a server with a route that starts a stream or attaches to it.

use sse_core::topic::resumable::{ResumableConfig, StreamEnd};
use sse_driver::{
    Attachment, Producer, ResumableStreams,
    router::{Refusal, Request, Router, extract},
};

pub use sse_core::topic::resumable::StartError;

pub use crate::harness::{Journal, MILLI, secs};
use crate::{
    harness::{Feed, Received, World},
    sim::{Client, Sim},
};

/// The router's route, for the stream "x".
pub const START: &str = "/start/x";
pub const ATTACH: &str = "/attach/x";

pub struct Streams {
    pub world: World,
    pub streams: ResumableStreams,
    /// The events that the producers yield.
    pub feed: Feed,
    pub journal: Journal,
}

impl Streams {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// Starts a server whose producers are the feed, and log their ends in the journal.
    pub fn with(change: impl FnOnce(&mut ResumableConfig)) -> Self {
        let feed = Feed::default();
        let (source, sink) = (feed.clone(), Journal::default());
        let journal = sink.clone();
        let mut this = Self::of(change, move |streams, request, name| {
            let producer = |producer: Producer| {
                watch(&sink, &producer);
                source.stream(&sink)
            };
            streams.attach_or_start(name, request, producer)
        });
        (this.feed, this.journal) = (feed, journal);
        this
    }

    /// Starts a server: `/start/NAME` runs the given function, `/attach/NAME` attaches, and `/stop/NAME`
    /// stops.
    pub fn of(
        change: impl FnOnce(&mut ResumableConfig),
        start: impl Fn(&ResumableStreams, &Request, &str) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let mut config = ResumableConfig::default();
        change(&mut config);
        let mut made = None;
        let world = World::on(|sim| {
            let streams = ResumableStreams::on(sim.clone(), config);
            made = Some(streams.clone());
            router(&streams, start)
        });
        Self {
            world,
            streams: made.unwrap(),
            feed: Feed::default(),
            journal: Journal::default(),
        }
    }

    pub fn sim(&self) -> &Sim {
        &self.world.sim
    }

    pub fn get(&self, path: &str) -> Client {
        self.world.get(path)
    }

    /// Returns a client that comes back.
    pub fn resume(&self, path: &str, id: &str) -> Client {
        let mut client = self.world.connect();
        let fields = format!("Host: sim\r\nLast-Event-ID: {id}");
        client.send(format!("GET {path} HTTP/1.1\r\n{fields}\r\n\r\n"));
        self.sim().settle();
        client.read_all();
        self.sim().settle();
        client
    }

    /// Returns everything that `client` has received.
    pub fn read(&self, client: &mut Client) -> Received {
        self.sim().settle();
        while client.read_all() > 0 {
            self.sim().settle();
        }
        Received::by(client)
    }

    pub fn data(&self, client: &mut Client) -> Vec<String> {
        data(&self.read(client).body)
    }
}

type Answer = Result<Attachment, StartError>;

fn router(
    streams: &ResumableStreams,
    start: impl Fn(&ResumableStreams, &Request, &str) -> Answer + Send + Sync + 'static,
) -> Router {
    let name = |request: &Request| extract::path::<String, _>(request, "name");
    let [starts, attaches, stops] = [0; 3].map(|_| streams.clone());
    Router::new()
        .events("/start/{name}", move |request: Request| {
            let name = name(&request)?;
            Ok::<_, Refusal>(start(&starts, &request, &name)?)
        })
        .events("/attach/{name}", move |request: Request| {
            let attachment = attaches.attach(&name(&request)?, &request);
            Ok::<_, Refusal>(attachment)
        })
        .post("/stop/{name}", move |request: Request| {
            let stopped = stops.stop(&name(&request)?, "enough");
            Ok::<_, Refusal>(stopped.then_some("stopped"))
        })
}

/// Logs the end of the stream in the journal, when its clean-up runs.
pub fn watch(journal: &Journal, producer: &Producer) {
    let journal = journal.clone();
    producer
        .clean_up()
        .add(move |end: &StreamEnd| journal.note(format!("clean-up: {end}")));
}

/// Returns the data of the events.
pub fn data(body: &str) -> Vec<String> {
    lines(body, "data: ")
}

/// Returns the IDs of the events.
pub fn ids(body: &str) -> Vec<String> {
    lines(body, "id: ")
}

fn lines(body: &str, start: &str) -> Vec<String> {
    let lines = body.lines().filter_map(|line| line.strip_prefix(start));
    lines.map(str::to_owned).collect()
}

/// Returns the data of the last event.
pub fn end(outcome: &str) -> String {
    format!("{{\"outcome\":\"{outcome}\"}}")
}
