//! Clients that move between nodes while the servers behind them fail.

use std::{cell::Cell, collections::HashMap, time::Duration};

use futures_util::{
    StreamExt,
    future::{join, join_all},
};
use sse_driver::{
    core::topic::Batch,
    event_log::{FollowedTopic, LogStream},
};
use sse_redis::RedisLog;
use sse_suite::Adapter;

use crate::{
    PATIENCE,
    failover::by_sentinels,
    nodes::{node, publish},
    patiently,
    server::Server,
    sleep, until,
};

const PHASE: u64 = 60;

/// The number of the last event.
const COUNT: u64 = 5 * PHASE;

/// What a client has received.
struct Client<'a> {
    /// The number of the event that was published last.
    published: &'a Cell<u64>,
    last_event_id: Option<String>,
    /// The events since the last notice that some may be missing.
    run: Vec<u64>,
    /// The number of the last published event at each notice.
    told: Vec<u64>,
}

impl Client<'_> {
    /// Takes the next item. Panics if an event is missing or double without a notice.
    async fn take<A: Adapter>(&mut self, stream: &mut LogStream) {
        let batch = match patiently::<A, _>(stream.next()).await.unwrap().unwrap() {
            Batch::Notice(_) => {
                self.told.push(self.published.get());
                return self.run.clear();
            }
            batch => batch,
        };
        for line in str::from_utf8(batch.as_bytes()).unwrap().lines() {
            if let Some(id) = line.strip_prefix("id: ") {
                self.last_event_id = Some(id.to_owned());
            }
            if let Some(data) = line.strip_prefix("data: ") {
                let number = data.parse().unwrap();
                if let Some(last) = self.run.last() {
                    assert_eq!(number, last + 1, "told {:?}", self.told);
                }
                self.run.push(number);
            }
        }
    }

    /// Moves from one node to the next, until it has the last event.
    async fn roam<A: Adapter>(mut self, nodes: &[FollowedTopic]) -> Self {
        for turn in 0.. {
            let node = &nodes[turn % nodes.len()];
            let mut stream = node.resume_from(self.last_event_id.as_deref());
            for _ in 0..3 {
                self.take::<A>(&mut stream).await;
                if self.run.last() == Some(&COUNT) {
                    return self;
                }
            }
        }
        self
    }
}

/// Has Sentinel move the master; false if it cannot yet.
fn begin_failover(sentinel: &Server) -> bool {
    let failover = ["SENTINEL", "FAILOVER", "mymaster"];
    sentinel.try_command(&failover).is_ok()
}

/// Returns whether this is the master that Sentinel knows, and about to move to no other.
fn watches_at_rest(sentinel: &Server, master: &Server) -> bool {
    let asked = ["SENTINEL", "MASTER", "mymaster"];
    let told: HashMap<String, String> = redis::from_redis_value(sentinel.command(&asked)).unwrap();
    told["port"] == master.port().to_string() && !told["flags"].contains("failover_in_progress")
}

pub(crate) async fn clients_that_move_through_kill_restart_and_failover_miss_nothing_untold<
    A: Adapter,
>() {
    let mut master = Server::start(&["--repl-diskless-sync-delay", "0"]);
    let replica = Server::replica_of(&master);
    let sentinel = Server::sentinel(&master);
    until::<A>(|| sentinel.info("sentinel").contains("slaves=1")).await;
    let log = || {
        let config = by_sentinels(&[&sentinel]);
        RedisLog::on(A::Runtime::default(), config)
    };
    let nodes = [node::<A>(log()).await, node::<A>(log()).await];
    let topics = [0, 1].map(|at: usize| nodes[at].topic("news").unwrap());
    let start = topics[0].position().to_string();
    let published = Cell::new(0);
    let clients = (0..6).map(|_| {
        let client = Client {
            published: &published,
            last_event_id: Some(start.clone()),
            run: Vec::new(),
            told: Vec::new(),
        };
        client.roam::<A>(&topics)
    });
    let epochs = Cell::new(0);
    let publishing = async {
        let mut epoch = 0;
        for number in 1..=COUNT {
            match number / PHASE {
                // Events continue while Sentinel moves the master.
                4 if number % PHASE != 0 => sleep::<A>(Duration::from_millis(5)).await,
                _ if number % PHASE != 0 => {}
                1 => drop(master.command(&["CLIENT", "KILL", "TYPE", "normal"])),
                2 => {
                    // The server hangs, and is not given up.
                    master.signal("-STOP");
                    sleep::<A>(Duration::from_millis(300)).await;
                    master.signal("-CONT");
                }
                3 => {
                    master.kill();
                    sentinel.gives_up_after(Duration::from_millis(500));
                }
                4 => {
                    // Once the old master is a replica of the new one, the new one gives the old
                    // one its place back.
                    sentinel.gives_up_after(PATIENCE);
                    let port = replica.port().to_string();
                    let own = ["--replicaof", "127.0.0.1", &port].map(str::to_owned);
                    master.arguments.extend(own);
                    assert!(master.start_again());
                    master.catch_up();
                    until::<A>(|| begin_failover(&sentinel)).await;
                }
                // The events that the old master still takes are lost. Sentinel would demote it
                // after some seconds.
                5 => {
                    until::<A>(|| {
                        // Sentinel gives up a change that takes too long.
                        if watches_at_rest(&sentinel, &replica) {
                            begin_failover(&sentinel);
                        }
                        master.info("replication").contains("role:master")
                    })
                    .await;
                    let port = master.port().to_string();
                    replica.command(&["REPLICAOF", "127.0.0.1", &port]);
                }
                _ => {}
            }
            let place = publish(&nodes[number as usize % 2], number).await;
            published.set(number);
            if place.epoch() != epoch {
                epoch = place.epoch();
                epochs.set(epochs.get() + 1);
            }
        }
    };
    let (clients, ()) = join(join_all(clients), publishing).await;
    // The first epoch, that of the replica, and that of the master after its return.
    assert_eq!(epochs.get(), 3);
    for client in clients {
        // There is a notice at each loss, and none before the first one.
        let told = client.told;
        assert!(told.len() >= 2 && told[0] >= 3 * PHASE - 1, "{told:?}");
    }
}
