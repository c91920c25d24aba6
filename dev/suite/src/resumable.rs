//! Streams that outlive their connections, over real sockets.

use std::{sync::mpsc, thread, time::Duration};

use sse_core::{client::EventSourceConfig, lifecycle::Shutdown, topic::resumable::ResumableConfig};
use sse_driver::{
    Producer, ResumableStreams,
    router::{Refusal, Request, Router},
};

use crate::{
    Adapter, EventSource, PATIENCE, patiently,
    running::{Client, Running, start},
};

/// A server with one stream, which the test's own thread publishes to.
struct Example {
    server: Running,
    streams: ResumableStreams,
    producers: mpsc::Receiver<Producer>,
    /// Ends the producer's stream by itself.
    ends: Shutdown,
    /// The reasons that the producer's clean-up gets.
    over: mpsc::Receiver<String>,
}

impl Example {
    fn start<A: Adapter>(change: impl FnOnce(&mut ResumableConfig)) -> Self {
        let mut config = ResumableConfig::default();
        change(&mut config);
        let streams = ResumableStreams::on(A::Runtime::default(), config);
        let (started, stopped) = (streams.clone(), streams.clone());
        let (hand_over, producers) = mpsc::channel();
        let (told, over) = mpsc::channel();
        let ends = Shutdown::new();
        let signals = ends.clone();
        let router = Router::new()
            .events("/x", move |request: Request| {
                let attachment = started.attach_or_start("x", &request, |producer| {
                    let told = told.clone();
                    let tell = move |end: &_| told.send(format!("{end}")).unwrap();
                    producer.clean_up().add(tell);
                    hand_over.send(producer).unwrap();
                    signals.signal()
                });
                Ok::<_, Refusal>(attachment?)
            })
            .post("/stop", move |_| {
                stopped.stop("x", "enough").then_some("stopped")
            });
        Self {
            server: start::<A>(router),
            streams,
            producers,
            ends,
            over,
        }
    }

    /// Returns the stream's first client, which has received its first event, and the producer.
    fn begin(&self) -> (Client, Producer) {
        let mut client = self.server.get("/x");
        let producer = self.producers.recv_timeout(PATIENCE).unwrap();
        producer.publish("one").unwrap();
        client.read_until("data: one\n\n");
        (client, producer)
    }

    fn resume(&self, id: &str) -> Client {
        let mut client = self.server.connect();
        let request = format!("GET /x HTTP/1.1\r\nHost: a\r\nLast-Event-ID: {id}\r\n\r\n");
        client.send(request);
        client
    }

    fn stop(&self) -> u16 {
        let request = "POST /stop HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
        self.server.request(request).status()
    }

    fn is_over(&self, end: &str) {
        assert_eq!(self.over.recv_timeout(PATIENCE).as_deref(), Ok(end));
    }
}

fn of_events<'a>(events: &'a str, field: &str) -> Vec<&'a str> {
    let lines = events.lines();
    lines.filter_map(|line| line.strip_prefix(field)).collect()
}

pub fn a_client_that_leaves_comes_back_and_misses_nothing<A: Adapter>() {
    let example = Example::start::<A>(|_| {});
    let (client, producer) = example.begin();
    drop(client);
    example.server.empty();
    producer.publish("two").unwrap();

    // The client reloads its page.
    let mut reloaded = example.server.get("/x");
    let text = reloaded.read_until("data: two\n\n");
    let first = of_events(&text, "id: ")[0].to_owned();
    drop(reloaded);
    producer.publish("three").unwrap();
    let resumed = example.resume(&first);
    example.ends.begin();
    let (events, complete) = resumed.answer().events();
    let all = ["two", "three", r#"{"outcome":"complete"}"#];
    assert_eq!(
        (of_events(&events, "data: "), complete),
        (all.to_vec(), true)
    );
    example.is_over("the stream is complete");

    // The client has received everything.
    let last = of_events(&events, "id: ").pop().unwrap();
    assert_eq!(example.resume(last).answer().status(), 204);
    assert_eq!(example.streams.stats().started, 1);
}

pub fn a_stop_ends_the_stream_of_every_client<A: Adapter>() {
    let example = Example::start::<A>(|_| {});
    let (_first, _) = example.begin();
    let clients: Vec<_> = (0..20).map(|_| example.server.get("/x")).collect();
    example.server.wait_for_open(21);
    assert_eq!(example.stop(), 200);
    for client in clients {
        let (events, complete) = client.answer().events();
        let all = ["one", r#"{"outcome":"stopped"}"#];
        assert_eq!(
            (of_events(&events, "data: "), complete),
            (all.to_vec(), true)
        );
    }
    example.is_over("stopped: enough");
    assert_eq!(example.stop(), 404);
}

pub fn a_producer_without_clients_is_cancelled<A: Adapter>() {
    let example = Example::start::<A>(|config| config.grace = Some(Duration::from_millis(50)));
    let (client, producer) = example.begin();
    drop(client);
    example.is_over("no client listened for too long");
    assert!(producer.publish("two").is_err());
    let (events, _) = example.server.get("/x").answer().events();
    let all = ["one", r#"{"outcome":"abandoned"}"#];
    assert_eq!(of_events(&events, "data: "), all);
}

pub fn a_finished_stream_is_forgotten<A: Adapter>() {
    let example = Example::start::<A>(|config| config.retention = Duration::from_millis(50));
    let (client, _) = example.begin();
    example.ends.begin();
    client.answer_rest();
    while example.streams.get("x").is_some() {
        thread::yield_now();
    }
    assert_eq!(example.resume("1-1").answer().status(), 404);
    assert_eq!(example.streams.stats().started, 1);
}

pub fn clients_are_told_of_a_shutdown<A: Adapter>() {
    let change = |config: &mut ResumableConfig| {
        config.shutdown_grace = Some(Duration::from_millis(50));
    };
    let example = Example::start::<A>(change);
    let (client, _) = example.begin();
    example.server.handle.shut_down();
    let rest = client.answer_rest();
    assert!(rest.contains(r#"data: {"outcome":"shutdown"}"#), "{rest}");
    assert!(rest.ends_with("0\r\n\r\n"), "{rest}");
    example.is_over("the server was shut down");
    assert_eq!(example.server.report().cut, 0);
}

pub fn an_event_source_reads_a_stream_to_its_end_and_stops<A: Adapter>() {
    const EVENTS: usize = 2_000;
    let example = Example::start::<A>(|_| {});
    let url = format!("http://{}/x", example.server.address);
    let (producers, ends) = (example.producers, example.ends);
    let publishes = thread::spawn(move || {
        let producer: Producer = producers.recv_timeout(PATIENCE).unwrap();
        for n in 0..EVENTS {
            producer.publish(n).unwrap();
        }
        ends.begin();
    });
    A::block_on(patiently::<A, _>(async {
        let mut config = EventSourceConfig::default();
        if let Some(reconnection) = &mut config.reconnection {
            reconnection.floor = Duration::ZERO;
            reconnection.time = Duration::from_millis(1);
        }
        let mut source = EventSource::<A>::with_config(url, config).unwrap();
        let mut data = Vec::new();
        while let Some(event) = source.next().await {
            data.push(event.unwrap().data().to_owned());
        }
        assert_eq!(data.pop().as_deref(), Some(r#"{"outcome":"complete"}"#));
        let expected: Vec<_> = (0..EVENTS).map(|n| n.to_string()).collect();
        assert_eq!(data, expected);
    }));
    publishes.join().unwrap();
}
