//! Streams that outlive their connections, on several nodes over real servers.

use std::{sync::mpsc, time::Duration};

use futures_util::{
    StreamExt,
    future::join_all,
    stream::{self, Stream},
};
use sse_driver::{
    core::{
        Text,
        topic::{
            Batch,
            resumable::{StreamEnd, member::is_record_type},
        },
    },
    event_log::{SharedAttachment, SharedStreams, SharedStreamsConfig},
};
use sse_redis::RedisLog;
use sse_suite::Adapter;

use crate::{PATIENCE, patiently, server::Server, sleep, until};

fn node<A: Adapter>(server: &Server) -> SharedStreams {
    node_with::<A>(server, |_| {})
}

/// A server process, with a connection of its own.
fn node_with<A: Adapter>(
    server: &Server,
    change: impl FnOnce(&mut SharedStreamsConfig),
) -> SharedStreams {
    let mut config = SharedStreamsConfig::default();
    config.followed.follower.look_every = Some(Duration::from_secs(1));
    config.followed.client_wait = PATIENCE;
    // However long a test takes, clients find every number of the stream.
    config.streams.topic.max_events = 1_000_000;
    change(&mut config);
    let mut log = server.config();
    log.max_events = 2_000_000;
    let log = RedisLog::on(A::Runtime::default(), log);
    SharedStreams::on(A::Runtime::default(), log, config)
}

/// Yields numbers from 1 on, until the stream is stopped.
fn numbers<A: Adapter>() -> impl Stream<Item = u64> + Send + 'static
where
    A::Runtime: Send,
{
    stream::unfold(0_u64, |last| async move {
        sleep::<A>(Duration::from_millis(5)).await;
        Some((last + 1, last + 1))
    })
}

/// What a client has received.
#[derive(Default)]
struct Client {
    last_event_id: Option<String>,
    data: Vec<String>,
    is_over: bool,
}

impl Client {
    /// Takes the next event.
    async fn take<A: Adapter>(&mut self, attachment: &mut SharedAttachment) {
        let Some(batch) = patiently::<A, _>(attachment.next()).await else {
            self.is_over = true;
            return;
        };
        let batch = batch.unwrap();
        assert!(!matches!(batch, Batch::Notice(_)), "{batch:?}");
        for line in str::from_utf8(batch.as_bytes()).unwrap().lines() {
            if let Some(id) = line.strip_prefix("id: ") {
                self.last_event_id = Some(id.to_owned());
            }
            if let Some(data) = line.strip_prefix("data: ") {
                self.data.push(data.to_owned());
            }
            assert!(!line.strip_prefix("event: ").is_some_and(is_record_type));
        }
    }

    /// Attaches the client to this node, at its last event.
    async fn attach<A: Adapter>(&self, node: &SharedStreams) -> SharedAttachment {
        let id = self.last_event_id.as_deref();
        let attached = patiently::<A, _>(node.attach_at("x", id)).await;
        attached.unwrap().expect("there is such a stream")
    }

    /// Moves from one node to the next until the stream is over.
    async fn roam<A: Adapter>(mut self, nodes: &[SharedStreams]) -> Self {
        for node in nodes.iter().cycle() {
            let mut attachment = self.attach::<A>(node).await;
            if attachment.is_over() {
                return self;
            }
            for _ in 0..3 {
                if !self.is_over {
                    self.take::<A>(&mut attachment).await;
                }
            }
        }
        self
    }
}

/// Asserts that the client has everything in order, and then this end.
fn check(data: &[String], outcome: &str) {
    let (end, numbers) = data.split_last().unwrap();
    let expected = (1..=numbers.len()).map(|number| number.to_string());
    assert!(numbers.iter().cloned().eq(expected), "{numbers:?}");
    assert_eq!(*end, format!("{{\"outcome\":\"{outcome}\"}}"));
}

pub(crate) async fn a_stream_is_started_on_one_node_resumed_on_another_and_stopped_from_a_third<
    A: Adapter,
>() {
    let server = Server::start(&[]);
    let nodes = [(); 3].map(|()| node::<A>(&server));
    let (ends, ended) = mpsc::channel();
    let start = nodes[0].start("x", move |producer| {
        producer
            .clean_up()
            .add(move |end: &StreamEnd| ends.send(end.name()).unwrap_or_default());
        numbers::<A>()
    });
    assert!(patiently::<A, _>(start).await.unwrap());
    let mut client = Client::default();
    for node in &nodes[..2] {
        let mut attachment = client.attach::<A>(node).await;
        let before = client.data.len();
        while client.data.len() < before + 5 {
            client.take::<A>(&mut attachment).await;
        }
    }
    let clients = join_all((0..4).map(|_| Client::default().roam::<A>(&nodes)));
    let stopping = async {
        sleep::<A>(Duration::from_millis(200)).await;
        let stopped = patiently::<A, _>(nodes[2].stop("x", "enough")).await;
        assert!(stopped.unwrap());
    };
    let (clients, ()) = futures_util::future::join(clients, stopping).await;
    let mut attachment = client.attach::<A>(&nodes[1]).await;
    while !client.is_over {
        client.take::<A>(&mut attachment).await;
    }
    check(&client.data, "stopped");
    for other in clients {
        assert_eq!(other.data, client.data);
    }
    until::<A>(|| ended.try_recv() == Ok("stopped")).await;
}

pub(crate) async fn of_starts_on_several_nodes_at_once_one_counts<A: Adapter>() {
    let server = Server::start(&[]);
    let nodes = [(); 4].map(|()| node::<A>(&server));
    for round in 0..10 {
        let name = format!("x{round}");
        let starts = nodes.iter().enumerate().map(|(at, node)| {
            let name = name.clone();
            async move {
                node.start(&name, move |_| stream::iter([at]))
                    .await
                    .unwrap()
            }
        });
        let started = patiently::<A, _>(join_all(starts)).await;
        let by: Vec<_> = (0..nodes.len()).filter(|at| started[*at]).collect();
        assert_eq!(by.len(), 1, "{started:?}");
        for node in &nodes {
            let mut client = Client::default();
            let attached = patiently::<A, _>(node.attach_at(&name, None)).await;
            let mut attachment = attached.unwrap().unwrap();
            while !client.is_over {
                client.take::<A>(&mut attachment).await;
            }
            assert_eq!(client.data[0], by[0].to_string());
            assert_eq!(client.data.len(), 2);
        }
    }
}

pub(crate) async fn a_node_that_is_gone_is_told_after_the_lease<A: Adapter>() {
    let server = Server::start(&[]);
    let short = |config: &mut SharedStreamsConfig| config.lease = Duration::from_millis(1500);
    let first = node_with::<A>(&server, short);
    let second = node_with::<A>(&server, short);
    let start = first.start("x", |_| numbers::<A>());
    assert!(patiently::<A, _>(start).await.unwrap());
    let mut client = Client::default();
    let mut attachment = client.attach::<A>(&second).await;
    client.take::<A>(&mut attachment).await;
    // This process keeps no part of the stream.
    drop(first);
    while !client.is_over {
        client.take::<A>(&mut attachment).await;
    }
    check(&client.data, "lost");
}

pub(crate) async fn a_server_that_hangs_or_cuts_connections_costs_a_stream_nothing<A: Adapter>() {
    let server = Server::start(&[]);
    let nodes = [(); 2].map(|()| node::<A>(&server));
    let start = nodes[0].start("x", |_| numbers::<A>());
    assert!(patiently::<A, _>(start).await.unwrap());
    let failing = async {
        for _ in 0..3 {
            server.command(&["CLIENT", "KILL", "TYPE", "normal"]);
            sleep::<A>(Duration::from_millis(100)).await;
            server.command(&["CLIENT", "KILL", "TYPE", "pubsub"]);
            sleep::<A>(Duration::from_millis(100)).await;
            server.signal("-STOP");
            sleep::<A>(Duration::from_millis(300)).await;
            server.signal("-CONT");
        }
        let stopped = patiently::<A, _>(nodes[1].stop("x", "enough")).await;
        assert!(stopped.unwrap());
    };
    let mut client = Client::default();
    let mut attachment = client.attach::<A>(&nodes[1]).await;
    let reading = async {
        while !client.is_over {
            client.take::<A>(&mut attachment).await;
        }
    };
    futures_util::future::join(failing, reading).await;
    check(&client.data, "stopped");
}

pub(crate) async fn a_server_that_comes_back_ends_its_streams_and_their_names_are_free<
    A: Adapter,
>() {
    let mut server = Server::start(&[]);
    let nodes = [(); 2].map(|()| node::<A>(&server));
    let start = nodes[0].start("x", |_| numbers::<A>());
    assert!(patiently::<A, _>(start).await.unwrap());
    let attachment = Client::default().attach::<A>(&nodes[1]).await;
    server.kill();
    assert!(server.start_again());
    let told = text::<A>(attachment).await;
    assert!(told.contains("{\"outcome\":\"lost\"}"), "{told}");
    let start = nodes[1].start("x", |_| stream::iter(["anew"]));
    assert!(patiently::<A, _>(start).await.unwrap());
    // The other node may learn late that the stream was started anew, and reports the loss until
    // then.
    let mut told = String::from("lost");
    while told.contains("lost") {
        let attachment = Client::default().attach::<A>(&nodes[0]).await;
        told = text::<A>(attachment).await;
    }
    assert!(told.contains("data: anew\n"), "{told}");
}

/// Returns everything that a client gets until the stream is over.
async fn text<A: Adapter>(mut attachment: SharedAttachment) -> String {
    let mut text = String::new();
    while let Some(batch) = patiently::<A, _>(attachment.next()).await {
        text += str::from_utf8(batch.unwrap().as_bytes()).unwrap();
    }
    text
}

pub(crate) async fn a_finished_stream_and_an_unknown_name_are_forgotten_by_the_server<
    A: Adapter,
>() {
    let server = Server::start(&[]);
    let node = node_with::<A>(&server, |config| {
        config.lease = Duration::from_secs(1);
        config.streams.retention = Duration::from_secs(1);
    });
    let start = node.start("x", |_| stream::iter(["words"]));
    assert!(patiently::<A, _>(start).await.unwrap());
    let long = self::node::<A>(&server);
    let start = long.start("kept", |_| stream::iter(["words"]));
    assert!(patiently::<A, _>(start).await.unwrap());
    let unknown = patiently::<A, _>(node.attach_at("y", None)).await;
    assert!(unknown.unwrap().is_none());
    let keys = |pattern| match server.command(&["KEYS", pattern]) {
        redis::Value::Array(keys) => keys.len(),
        other => panic!("{other:?}"),
    };
    // One stream is kept, and the other one may be forgotten by now.
    assert_eq!(keys("*stream*kept}:log"), 1);
    assert_eq!(keys("*stream*y}:log"), 0);
    until::<A>(|| keys("*stream*:log") == 1 && keys("*stream*:meta") == 1).await;
    until::<A>(|| node.is_empty()).await;
    let again = patiently::<A, _>(node.attach_at("x", None)).await;
    assert!(again.unwrap().is_none());
}

pub(crate) async fn an_event_for_an_epoch_that_is_over_is_not_appended<A: Adapter>() {
    use sse_driver::{
        core::{Event, topic::follower::PageRequest},
        event_log::{AppendError, EventLog},
    };
    let server = Server::start(&[]);
    let log = server.log::<A>();
    log.ready(PATIENCE).await.unwrap();
    let topic = Text::from("news");
    let place = log.append(&topic, Event::new("1")).await.unwrap();
    let next = log.append_in(&topic, place.epoch(), Event::new("2")).await;
    assert_eq!(next.unwrap().sequence(), 2);
    let other = log
        .append_in(&topic, place.epoch() - 1, Event::new("3"))
        .await;
    assert!(matches!(other, Err(AppendError::OtherEpoch)), "{other:?}");
    let request = PageRequest::new(place, 10);
    assert_eq!(log.read(&topic, request).await.unwrap().events.len(), 1);
}
