//! Streams that outlive their connections, on several nodes.

mod bounds;
mod faults;
mod handlers;
mod known;
mod rejections;
mod retention;

use sse_core::{
    EventType,
    topic::resumable::{StartError, StreamEnd},
};
use sse_driver::{
    Producer,
    event_log::{SharedAttachment, SharedStreamError, SharedStreams, SharedStreamsConfig},
    router::{Refusal, Request, Router, extract},
};

use super::*;
use crate::{
    harness::{Feed, Journal, Received, World, secs},
    sim::Client,
};

/// A server process.
fn node(sim: &Sim, log: &Faulty) -> SharedStreams {
    node_with(sim, log, |_| {})
}

fn node_with(
    sim: &Sim,
    log: &Faulty,
    change: impl FnOnce(&mut SharedStreamsConfig),
) -> SharedStreams {
    let mut config = SharedStreamsConfig::default();
    change(&mut config);
    SharedStreams::on(sim.clone(), log.clone(), config)
}

/// Several of them, over one log, and what their producers do.
struct Nodes<const N: usize> {
    sim: Sim,
    log: Faulty,
    nodes: [SharedStreams; N],
    feed: Feed,
    journal: Journal,
}

impl<const N: usize> Nodes<N> {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl Fn(&mut SharedStreamsConfig)) -> Self {
        let (sim, log) = (Sim::new(), Faulty::new());
        Self {
            nodes: std::array::from_fn(|_| node_with(&sim, &log, &change)),
            sim,
            log,
            feed: Feed::default(),
            journal: Journal::default(),
        }
    }

    /// What a producer does: it yields what it is fed, and the journal is told of its end.
    fn producer(&self) -> impl FnOnce(Producer) -> crate::harness::FeedStream + Send + 'static {
        let (feed, journal) = (self.feed.clone(), self.journal.clone());
        move |producer| {
            let sink = journal.clone();
            producer
                .clean_up()
                .add(move |end: &StreamEnd| sink.note(format!("clean-up: {end}")));
            feed.stream(&journal)
        }
    }

    fn run<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> T {
        run(&self.sim, future)
    }

    /// Starts the stream "x" on this node. Says whether it was started there.
    fn start(&self, node: usize) -> bool {
        self.try_start(node).unwrap()
    }

    fn try_start(&self, node: usize) -> Result<bool, SharedStreamError> {
        let (node, producer) = (self.nodes[node].clone(), self.producer());
        self.run(async move { node.start("x", producer).await })
    }

    /// A client of this node.
    fn attach(&self, node: usize, last_event_id: Option<&str>) -> Option<SharedAttachment> {
        let (node, id) = (self.nodes[node].clone(), last_event_id.map(str::to_owned));
        let attached = self.run(async move { node.attach_at("x", id.as_deref()).await });
        attached.unwrap()
    }

    fn reader(&self, node: usize, last_event_id: Option<&str>) -> Reader {
        let attachment = self.attach(node, last_event_id).unwrap();
        Reader::new(&self.sim, attachment)
    }

    fn stop(&self, node: usize) -> bool {
        let node = self.nodes[node].clone();
        self.run(async move { node.stop("x", "enough").await })
            .unwrap()
    }

    fn push(&self, text: &str) {
        self.feed.push(text);
        self.sim.settle();
    }

    fn advance(&self, seconds: u64) {
        self.sim.advance(secs(seconds));
    }
}

fn end(outcome: &str) -> String {
    format!("{{\"outcome\":\"{outcome}\"}}")
}

/// The ID of the last event.
fn last_id(reader: &Reader) -> String {
    let text = reader.got().text;
    let mut ids = text.lines().filter_map(|line| line.strip_prefix("id: "));
    ids.next_back().unwrap().to_owned()
}

#[test]
fn a_stream_that_was_started_on_one_node_is_resumed_on_another_and_stopped_from_a_third() {
    let nodes = Nodes::<3>::new();
    assert!(nodes.start(0));
    nodes.push("one");
    nodes.push("two");
    let first = nodes.reader(0, None);
    assert_eq!(first.data(), ["one", "two"]);
    let id = last_id(&first);
    first.leave();

    nodes.push("three");
    let second = nodes.reader(1, Some(&id));
    nodes.push("four");
    assert_eq!(second.data(), ["three", "four"]);
    assert!(second.got().outcomes.is_empty());

    assert!(nodes.stop(2));
    let told = second.got();
    assert!(told.is_over && told.error.is_none());
    assert_eq!(second.data(), ["three", "four", &end("stopped")]);
    let journal = nodes.journal.lines();
    assert!(
        journal.contains(&"clean-up: stopped: enough".into()),
        "{journal:?}"
    );
    assert!(!nodes.stop(1));

    // A client of any node that has had the end has everything, and one that has not gets the rest.
    for node in 0..3 {
        assert!(
            nodes
                .attach(node, Some(&last_id(&second)))
                .unwrap()
                .is_over()
        );
        let rest = nodes.reader(node, Some(&id));
        assert_eq!(rest.data(), ["three", "four", &end("stopped")]);
        assert!(rest.got().is_over);
    }
}

#[test]
fn a_producers_end_is_told_on_every_node() {
    let nodes = Nodes::<2>::new();
    nodes.start(0);
    let readers = [0, 1].map(|node| nodes.reader(node, None));
    nodes.push("one");
    nodes.feed.end();
    nodes.sim.settle();
    for reader in readers {
        assert_eq!(reader.data(), ["one", &end("complete")]);
        assert!(reader.got().is_over);
    }
    // A node that was not there reads it in the log.
    let late = node(&nodes.sim, &nodes.log);
    let attached = nodes.run(async move { late.attach_at("x", None).await });
    let late = Reader::new(&nodes.sim, attached.unwrap().unwrap());
    assert_eq!(late.data(), ["one", &end("complete")]);
}

#[test]
fn of_two_starts_at_once_one_has_a_producer() {
    let nodes = Nodes::<2>::new();
    let starts = [0, 1].map(|node| {
        let (node, producer) = (nodes.nodes[node].clone(), nodes.producer());
        nodes
            .sim
            .start(async move { node.start("x", producer).await.unwrap() })
    });
    nodes.sim.settle();
    let started = starts.map(|start| start.take().unwrap());
    assert_eq!(started.iter().filter(|it| **it).count(), 1, "{started:?}");
    nodes.push("one");
    for node in [0, 1] {
        assert_eq!(nodes.reader(node, None).data(), ["one"]);
        assert!(!nodes.start(node));
    }
}

#[test]
fn a_producer_without_clients_on_any_node_is_cancelled_after_the_grace_time() {
    let nodes = Nodes::<2>::new();
    nodes.start(0);
    let reader = nodes.reader(1, None);
    nodes.advance(600);
    assert!(!reader.got().is_over);
    reader.leave();
    nodes.advance(59);
    assert!(nodes.journal.lines().is_empty());
    nodes.advance(22);
    let late = nodes.reader(1, None);
    assert_eq!(late.data(), [end("abandoned")]);
    let lines = nodes.journal.lines();
    assert!(
        lines.iter().any(|line| line.contains("no client listened")),
        "{lines:?}"
    );
}

#[test]
fn a_node_that_shuts_down_ends_what_it_runs() {
    let nodes = Nodes::<2>::new();
    nodes.start(0);
    nodes.push("one");
    let reader = nodes.reader(1, None);
    let ended = [0, 1].map(|node| {
        let node = nodes.nodes[node].clone();
        nodes.run(async move { node.shut_down().await })
    });
    assert_eq!(ended, [1, 0]);
    assert_eq!(reader.data(), ["one", &end("shutdown")]);
}
