//! One event of a topic on its way to many connections, over a runtime without sockets: everything
//! that a delivery costs but the kernel's part.

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

/// The connections, with the head of their responses read.
pub(crate) struct Delivery {
    sim: Sim,
    topic: Topic,
    clients: Vec<Client>,
}

impl Delivery {
    pub(crate) const NAME: &str = "deliver one event at a time to 100 connections";

    pub(crate) fn new() -> Self {
        let sim = Sim::new();
        let topic = Topic::on(sim.clone(), TopicConfig::default());
        let source = topic.clone();
        let router = Router::new().events("/", move |request: Request| source.resume(&request));
        let serving = sim.start(Server::new(sim.clone(), sim.listen()).serve(router));
        let mut clients: Vec<Client> = (0..CONNECTIONS).filter_map(|_| sim.connect()).collect();
        assert_eq!(clients.len(), CONNECTIONS);
        for client in &mut clients {
            client.get("/");
        }
        sim.settle();
        drop(serving.take());
        Self {
            sim,
            topic,
            clients,
        }
    }

    pub(crate) fn deliver(&mut self) {
        let data = "x".repeat(200);
        for _ in 0..EVENTS {
            let published = self.topic.publish(black_box(data.as_str()));
            assert!(published.is_ok());
            self.sim.settle();
            for client in &mut self.clients {
                assert!(client.read_all() > 0);
                black_box(client.take_received());
            }
            self.sim.advance(Duration::from_millis(1));
        }
    }
}
