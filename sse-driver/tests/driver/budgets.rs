//! Runtimes that postpone a task that has used up its budget, as tokio does: an operation returns
//! pending, and the task is woken at once.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use sse_driver::{
    Server, ServerConfig,
    embedding::{Embedding, EmbeddingConfig},
    router::Router,
};

use crate::{
    embedding::harness::{Reader, get, now},
    harness::{Feed, Journal, Received, secs},
    sim::{Dialing, Disorder, Sim},
};

/// More operations than a short exchange has.
const OPERATIONS: i64 = 60;

/// Postpones a task at one operation.
struct PutOff {
    /// The number of operations before that.
    left: AtomicI64,
}

impl PutOff {
    fn sim(at: i64) -> Sim {
        Sim::with_disorder(Arc::new(Self {
            left: AtomicI64::new(at),
        }))
    }
}

impl Disorder for PutOff {
    fn next(&self, _: usize) -> usize {
        0
    }

    /// Tasks keep one waker: with another one the timer would be polled again.
    fn holds(&self, _: u64) -> bool {
        false
    }

    fn renews_waker(&self) -> bool {
        false
    }

    fn begin_poll(&self, _: bool) {}

    fn spend(&self) -> bool {
        self.left.fetch_sub(1, Ordering::Relaxed) != 0
    }

    fn dial(&self, _: &Sim, _: usize, _: SocketAddr) -> Dialing {
        Box::pin(std::future::pending())
    }

    fn seed(&self) -> u64 {
        7
    }
}

#[test]
fn a_connection_that_is_put_off_at_any_operation_has_its_keep_alive() {
    for at in 0..OPERATIONS {
        let (sim, feed) = (PutOff::sim(at), Feed::default());
        let mut config = ServerConfig::default();
        // Deadlines that come later do not help.
        config.connection.head_timeout = secs(60);
        config.connection.response.respond_timeout = secs(60);
        let server = Server::new(sim.clone(), sim.listen()).with_config(config);
        let router = Router::new().events("/feed", feed.handler(&Journal::default()));
        let _serving = sim.start(server.serve(router));
        let mut client = sim.connect().unwrap();
        client.get("/feed");
        sim.settle();
        client.read_all();
        sim.advance(secs(15));
        client.read_all();
        assert_eq!(Received::by(&client).body, ":\n", "put off at {at}");
        feed.push("a");
        sim.settle();
        client.read_all();
        assert_eq!(
            Received::by(&client).body,
            ":\ndata: a\n\n",
            "put off at {at}"
        );
    }
}

#[test]
fn a_body_that_is_put_off_at_any_operation_has_its_keep_alive() {
    for at in 0..OPERATIONS {
        let (sim, feed) = (PutOff::sim(at), Feed::default());
        let embedding = Embedding::on(sim.clone(), EmbeddingConfig::default());
        let handler = feed.handler(&Journal::default());
        let response = now(&sim, embedding.respond(get("/"), None, handler));
        let reader = Reader::start(&sim, response.into_body());
        sim.advance(secs(15));
        assert_eq!(reader.text(), ":\n", "put off at {at}");
        // Its failure waits a moment, and only the timer wakes it.
        feed.fail("no more");
        sim.advance(secs(1));
        assert!(reader.job.take().is_some(), "put off at {at}");
    }
}
