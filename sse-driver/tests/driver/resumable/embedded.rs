//! The same streams in another server.

use sse_core::topic::resumable::StreamEnd;
use sse_driver::{ResumableStreams, embedding::Embedding, router};

use super::harness::{data, end, ids, secs, watch};
use crate::{
    embedding::harness::{Reader, Request, get, now},
    harness::{Feed, Journal},
    sim::Sim,
};

struct World {
    sim: Sim,
    embedding: Embedding<Sim>,
    streams: ResumableStreams,
    feed: Feed,
    journal: Journal,
}

impl World {
    fn new() -> Self {
        let sim = Sim::new();
        Self {
            embedding: Embedding::on(sim.clone(), Default::default()),
            streams: ResumableStreams::on(sim.clone(), Default::default()),
            feed: Feed::default(),
            journal: Journal::default(),
            sim,
        }
    }

    fn ask(&self, request: Request) -> (u16, Reader) {
        let (streams, feed) = (self.streams.clone(), self.feed.clone());
        let journal = self.journal.clone();
        let handler = move |request: router::Request| {
            let attachment = streams.attach_or_start("x", &request, |producer| {
                watch(&journal, &producer);
                feed.stream(&journal)
            });
            Ok::<_, router::Refusal>(attachment?)
        };
        let answer = self.embedding.respond(request, None, handler);
        let response = now(&self.sim, answer);
        let status = response.status().as_u16();
        (status, Reader::start(&self.sim, response.into_body()))
    }

    fn resume(&self, id: &str) -> (u16, Reader) {
        let mut request = get("/");
        let id = id.parse().unwrap();
        request.headers_mut().insert("last-event-id", id);
        self.ask(request)
    }
}

#[test]
fn a_client_of_another_server_leaves_and_comes_back_and_misses_nothing() {
    let world = World::new();
    let (status, reader) = world.ask(get("/"));
    world.feed.push("one");
    assert_eq!((status, data(&reader.text())), (200, vec!["one".into()]));
    let seen = ids(&reader.text()).swap_remove(0);
    reader.job.cancel();
    assert_eq!(world.embedding.open(), 0);
    assert_eq!(world.streams.get("x").unwrap().listeners(), 0);

    world.feed.push("two");
    world.feed.end();
    let (_, reader) = world.resume(&seen);
    assert_eq!(data(&reader.text()), ["two".into(), end("complete")]);
    assert!(reader.job.take().unwrap().is_ok());
    let last = ids(&reader.text()).pop().unwrap();
    let (status, reader) = world.resume(&last);
    assert_eq!((status, reader.text().as_str()), (204, ""));
}

#[test]
fn an_embedding_that_shuts_down_tells_the_clients_of_streams() {
    let world = World::new();
    let (_, reader) = world.ask(get("/"));
    let shutting_down = world.sim.start(world.embedding.shut_down());
    world.sim.advance(secs(5));
    assert_eq!(data(&reader.text()), [end("shutdown")]);
    assert_eq!(shutting_down.take(), Some(0));
    assert_eq!(
        world.streams.get("x").unwrap().end(),
        Some(StreamEnd::Shutdown)
    );
    assert_eq!(
        world.journal.lines(),
        ["stream dropped", "clean-up: the server was shut down"]
    );
}
