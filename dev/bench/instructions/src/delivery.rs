//! One event of a topic on its way to many connections, over a runtime without sockets: everything
//! that a delivery costs but the kernel's part. The same for a topic that compresses its events, and what
//! publishing costs there.

use std::{hint::black_box, time::Duration};

use sse_driver::{
    Server,
    core::topic::{Topic, TopicConfig},
    router::{Request, Router},
};

use crate::sim::{Client, Sim};

/// How many connections there are, and how many events each gets one at a time.
const CONNECTIONS: usize = 100;
const EVENTS: usize = 20;

/// How many events are published one after the other. They have more bytes than there are between two
/// restart points of a compressed stream.
const PUBLISHED: usize = 600;

/// Whether the topic compresses.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Identity,
    Gzip,
}

impl Coding {
    fn topic(self, sim: &Sim) -> Topic {
        let mut config = TopicConfig::default();
        config.compress = self == Self::Gzip;
        Topic::on(sim.clone(), config)
    }
}

/// The connections, with the head of their responses read.
pub(crate) struct Delivery {
    sim: Sim,
    topic: Topic,
    clients: Vec<Client>,
    coding: Coding,
    published: usize,
}

impl Delivery {
    pub(crate) const WORKS: [(&str, Coding); 2] = [
        (
            "deliver one event at a time to 100 connections",
            Coding::Identity,
        ),
        (
            "deliver one event at a time to 100 connections, compressed once",
            Coding::Gzip,
        ),
    ];

    pub(crate) fn new(coding: Coding) -> Self {
        let sim = Sim::new();
        let topic = coding.topic(&sim);
        let source = topic.clone();
        let router = Router::new().events("/", move |request: Request| source.resume(&request));
        let serving = sim.start(Server::new(sim.clone(), sim.listen()).serve(router));
        let mut clients: Vec<Client> = (0..CONNECTIONS).filter_map(|_| sim.connect()).collect();
        assert_eq!(clients.len(), CONNECTIONS);
        for client in &mut clients {
            match coding {
                Coding::Identity => client.get("/"),
                Coding::Gzip => {
                    client.send("GET / HTTP/1.1\r\nHost: sim\r\nAccept-Encoding: gzip\r\n\r\n");
                }
            }
        }
        sim.settle();
        drop(serving.take());
        let mut delivery = Self {
            sim,
            topic,
            clients,
            coding,
            published: 0,
        };
        delivery.read_heads();
        delivery
    }

    fn read_heads(&mut self) {
        for client in &mut self.clients {
            client.read_all();
            let head = client.take_received();
            let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
            let is_coded = head.contains("content-encoding: gzip");
            assert_eq!(is_coded, self.coding == Coding::Gzip, "{head}");
        }
    }

    pub(crate) fn deliver(&mut self) {
        for _ in 0..EVENTS {
            let data = match self.coding {
                Coding::Identity => "x".repeat(200),
                Coding::Gzip => quote(self.published),
            };
            let published = self.topic.publish(black_box(data.as_str()));
            assert!(published.is_ok());
            self.published += 1;
            self.sim.settle();
            for client in &mut self.clients {
                assert!(client.read_all() > 0);
                black_box(client.take_received());
            }
            self.sim.advance(Duration::from_millis(1));
        }
    }
}

/// A topic that compresses, for which no client waits.
pub(crate) struct Publishing {
    topic: Topic,
    published: usize,
}

impl Publishing {
    pub(crate) const NAME: &str = "publish 600 events into a topic that compresses";

    pub(crate) fn new() -> Self {
        Self {
            topic: Coding::Gzip.topic(&Sim::new()),
            published: 0,
        }
    }

    pub(crate) fn publish(&mut self) {
        for _ in 0..PUBLISHED {
            let published = self.topic.publish(black_box(quote(self.published)));
            assert!(published.is_ok());
            self.published += 1;
        }
    }
}

/// About 130 bytes, of which most come again in the next one.
fn quote(n: usize) -> String {
    const SYMBOLS: [&str; 4] = ["AAPL", "MSFT", "NVDA", "ASML"];
    // Without a pattern that a compressor could find.
    let random = (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    format!(
        r#"{{"symbol":"{}","bid":{}.{:02},"ask":{}.{:02},"size":{},"time":{},"venue":"XNAS","currency":"USD"}}"#,
        SYMBOLS[random % SYMBOLS.len()],
        random % 400,
        random % 97,
        random % 400 + 1,
        random % 89,
        random % 900 + 100,
        1_790_000_000_000 + 37 * n,
    )
}
