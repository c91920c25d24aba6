//! Nodes that share streams, over a log that fails, in worlds of their own: nodes die and are cut off,
//! the log refuses, hangs, does not say what it did and loses its history, and clients go from node to
//! node.
//!
//! What must hold: a name has one producer for each time that the log lost its history, at most; a client
//! gets every event once and in order, or is told; a producer's events are in one epoch of the log; all
//! clients of a stream are told the same end; a clean-up runs once; and where all is well again, no stream
//! is without its producer and without an end, and nothing is left when the clients have gone.

mod clients;
mod log;
mod producers;

use std::{collections::BTreeMap, sync::Arc, thread, time::Duration};

use fastrand::Rng;
use sse_driver::{
    Clock,
    event_log::{MemoryLog, SharedStreams, SharedStreamsConfig},
};

use self::{
    clients::{Client, Got, connect, lock},
    log::{Trouble, Way},
    producers::Producers,
};
use crate::{
    chaos::{Chaos, Runtimes},
    scenario::Scenario,
    sim::{Job, Sim},
};

const SECOND: Duration = Duration::from_secs(1);

/// How many nodes and names there are.
const NODES: usize = 3;
const NAMES: usize = 6;

/// For how long things happen.
const TIME: Duration = Duration::from_secs(180);

/// After so long, everything is well again: the longest hold-up, the lease, a look and the grace time.
const RECOVERY: Duration = Duration::from_secs(5 * 60);

/// After so long, nothing is left of streams without clients: the grace time, a third more, and the
/// retention, twice.
const AFTERMATH: Duration = Duration::from_secs(15 * 60);

/// Something that is going to happen.
#[derive(Clone, Debug)]
enum Action {
    Join {
        name: usize,
        node: usize,
    },
    /// The client with this number, if there are so many, goes to another node, or for good.
    Move {
        client: usize,
        node: usize,
    },
    Leave {
        client: usize,
    },
    Stop {
        name: usize,
        node: usize,
    },
    StopAll {
        node: usize,
    },
    /// The node ends: without a word, or properly. Another one takes its place.
    Kill {
        node: usize,
    },
    ShutDown {
        node: usize,
    },
    /// The node's way to the log is in this trouble.
    Suffer {
        node: usize,
        trouble: Trouble,
    },
    BeginAnew,
    HoldUp(Duration),
}

/// What happened in worlds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub starts: u64,
    pub events: u64,
    pub notices: u64,
    pub ends: BTreeMap<String, u64>,
    pub clean_ups: BTreeMap<&'static str, u64>,
}

struct Node {
    way: Way,
    streams: SharedStreams,
    /// Its calls that are under way.
    calls: Vec<Job<()>>,
}

struct World {
    sim: Sim,
    chaos: Arc<Chaos>,
    log: MemoryLog,
    nodes: Vec<Node>,
    clients: Vec<Client>,
    producers: Producers,
    /// How often the log has lost its history.
    losses: usize,
    stops: usize,
}

/// Prints the seed if the world of it fails.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("again: SEED={} has it fail", self.0);
        }
    }
}

/// Runs the world of this seed.
///
/// # Panics
///
/// Where a law is broken.
pub fn run(seed: u64) -> Count {
    let _seed = Seed(seed);
    let mut disarray = Scenario::draw(seed).disarray;
    // A node that is held up for longer than the lease is taken for dead, which the others make happen.
    disarray.held_up = disarray.held_up.min(0.001);
    let mut rng = Rng::with_seed(seed ^ 0x6e6f_6465);
    let mut actions: Vec<_> = (0..rng.usize(10..60))
        .map(|_| (TIME.mul_f64(rng.f64()), action(&mut rng)))
        .collect();
    actions.sort_by_key(|(at, _)| *at);
    let chaos = Chaos::new(!seed, disarray);
    let sim = Sim::with_disorder(Arc::new(Runtimes(chaos.clone())));
    World::new(sim, chaos).run(actions)
}

fn action(rng: &mut Rng) -> Action {
    let (name, node) = (rng.usize(..NAMES), rng.usize(..NODES));
    let client = rng.usize(..20);
    match rng.u8(..32) {
        0..=11 => Action::Join { name, node },
        12..=15 => Action::Move { client, node },
        16..=18 => Action::Leave { client },
        19..=20 => Action::Stop { name, node },
        21 => Action::StopAll { node },
        22..=23 => Action::Kill { node },
        24 => Action::ShutDown { node },
        25..=29 => Action::Suffer {
            node,
            trouble: Trouble {
                is_cut: rng.u8(..3) == 0,
                failing: match rng.bool() {
                    true => 0.0,
                    false => rng.f64() * 0.3,
                },
                is_full: rng.u8(..4) == 0,
            },
        },
        30 => Action::BeginAnew,
        _ => Action::HoldUp(Duration::from_secs(rng.u64(1..60))),
    }
}

impl World {
    fn new(sim: Sim, chaos: Arc<Chaos>) -> Self {
        let mut world = Self {
            log: MemoryLog::new(1),
            nodes: Vec::new(),
            clients: Vec::new(),
            producers: Producers::new(&sim, &chaos),
            losses: 0,
            stops: 0,
            sim,
            chaos,
        };
        for _ in 0..NODES {
            let node = world.new_node();
            world.nodes.push(node);
        }
        world
    }

    fn new_node(&self) -> Node {
        let way = Way::new(&self.sim, &self.chaos, &self.log);
        let config = SharedStreamsConfig::default();
        Node {
            streams: SharedStreams::on(self.sim.clone(), way.clone(), config),
            way,
            calls: Vec::new(),
        }
    }

    fn run(mut self, actions: Vec<(Duration, Action)>) -> Count {
        for (at, action) in actions {
            while self.sim.elapsed() < at {
                let left = at - self.sim.elapsed();
                self.pass(left.min(SECOND));
            }
            self.act(action);
        }
        for node in &self.nodes {
            node.way.set(Trouble::default());
        }
        self.chaos.calm_down(&self.sim);
        self.pass_long(RECOVERY);
        self.check_recovered();
        self.finish()
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Join { name, node } => {
                self.clients.push(Client {
                    name: format!("stream {name}"),
                    node,
                    job: None,
                    got: Arc::default(),
                });
                self.reconnect(self.clients.len() - 1, node);
            }
            Action::Move { client, node } => {
                let is_there = self.clients.get(client);
                if is_there.is_some_and(|client| !lock(&client.got).is_over) {
                    self.reconnect(client, node);
                }
            }
            Action::Leave { client } => {
                if let Some(client) = self.clients.get_mut(client) {
                    leave(client);
                    lock(&client.got).is_over = true;
                }
            }
            Action::Stop { name, node } => {
                let reason = self.next_reason();
                let streams = self.nodes[node].streams.clone();
                self.call(node, async move {
                    let _ = streams.stop(&format!("stream {name}"), reason).await;
                });
            }
            Action::StopAll { node } => {
                let reason = self.next_reason();
                let streams = self.nodes[node].streams.clone();
                self.call(node, async move {
                    streams.stop_all(reason).await;
                });
            }
            Action::Kill { node } => self.kill(node),
            Action::ShutDown { node } => {
                let streams = self.nodes[node].streams.clone();
                self.call(node, async move {
                    streams.shut_down().await;
                });
            }
            Action::Suffer { node, trouble } => self.nodes[node].way.set(trouble),
            Action::BeginAnew => {
                self.losses += 1;
                self.log.begin_anew();
            }
            Action::HoldUp(time) => self.chaos.hold_up(&self.sim, time),
        }
    }

    fn next_reason(&mut self) -> String {
        self.stops += 1;
        format!("reason {}", self.stops)
    }

    fn call(&mut self, node: usize, call: impl Future<Output = ()> + Send + 'static) {
        let job = self.sim.start(call);
        self.nodes[node].calls.push(job);
    }

    /// Nothing of the node runs any more, and its clients have no connection.
    fn kill(&mut self, node: usize) {
        for client in &mut self.clients {
            if client.node == node {
                leave(client);
            }
        }
        let next = self.new_node();
        let gone = std::mem::replace(&mut self.nodes[node], next);
        gone.calls.iter().for_each(Job::cancel);
    }

    fn reconnect(&mut self, which: usize, node: usize) {
        let streams = self.nodes[node].streams.clone();
        let client = &mut self.clients[which];
        leave(client);
        client.node = node;
        let (got, producers) = (client.got.clone(), self.producers.clone());
        let connection = connect(
            self.sim.clone(),
            (node, streams),
            client.name.clone(),
            producers,
            got,
        );
        client.job = Some(self.sim.start(connection));
    }

    fn pass(&mut self, time: Duration) {
        let end = self.sim.now() + time;
        let producers = &self.producers;
        let (losses, clients) = (self.losses, &self.clients);
        self.chaos
            .pass(&self.sim, end, || check(producers, losses, clients));
        for which in 0..self.clients.len() {
            let client = &self.clients[which];
            let is_over = lock(&client.got).is_over;
            let is_gone = client.job.as_ref().is_none_or(|job| job.take().is_some());
            if is_gone && !is_over {
                let node = self.chaos.draw(|rng| rng.usize(..NODES));
                self.reconnect(which, node);
            }
        }
    }

    fn pass_long(&mut self, time: Duration) {
        let end = self.sim.now() + time;
        while self.sim.now() < end {
            self.pass(SECOND);
        }
    }

    /// All is well: who has no end has a producer, and no name has two.
    fn check_recovered(&self) {
        let runs = self.producers.all();
        let mut live = BTreeMap::<&str, usize>::new();
        for run in runs.iter().filter(|run| run.is_held) {
            *live.entry(&run.name).or_default() += 1;
        }
        assert!(live.values().all(|live| *live == 1), "{live:?}: {runs:?}");
        for client in &self.clients {
            let got = lock(&client.got).clone();
            let has_producer = live.contains_key(&*client.name);
            assert!(
                got.is_over || (got.is_attached && has_producer),
                "a stream without an end: {} at {}: {got:?}, {runs:?}",
                client.name,
                client.node,
            );
        }
        self.check_ends();
    }

    /// Who has the same stream has the same end.
    fn check_ends(&self) {
        let mut ends = BTreeMap::<usize, Vec<String>>::new();
        for client in &self.clients {
            let got = lock(&client.got).clone();
            if let (Some((run, _)), Some(end)) = (got.at, got.end) {
                let ends = ends.entry(run).or_default();
                if !ends.contains(&end) {
                    ends.push(end);
                }
            }
        }
        for (run, mut ends) in ends {
            if self.losses > 0 {
                // The log may have lost the end before all nodes had read it.
                ends.retain(|end| !end.contains("lost"));
            }
            assert!(ends.len() < 2, "the ends of {run}: {ends:?}");
        }
    }

    fn finish(mut self) -> Count {
        let mut count = Count::default();
        for client in &mut self.clients {
            leave(client);
            let mut got = lock(&client.got);
            got.is_over = true;
            count.take(&got);
        }
        self.pass_long(AFTERMATH);
        let left: Vec<_> = self.nodes.iter().map(|node| node.streams.all()).collect();
        assert!(left.iter().all(Vec::is_empty), "{left:?}");
        let runs = self.producers.all();
        for run in &runs {
            assert!(!run.is_held && run.cleaned.len() == 1, "{run:?}");
            for end in &run.cleaned {
                *count.clean_ups.entry(end.name()).or_default() += 1;
            }
        }
        count.starts = runs.len() as u64;
        self.nodes.clear();
        self.clients.clear();
        let sim = &self.sim;
        self.chaos.pass(sim, sim.now() + SECOND, || {});
        assert_eq!((sim.live_tasks(), sim.live_timers()), (0, 0), "left");
        count
    }
}

fn leave(client: &mut Client) {
    if let Some(job) = client.job.take() {
        job.cancel();
    }
    lock(&client.got).is_attached = false;
}

/// What holds at any time.
fn check(producers: &Producers, losses: usize, clients: &[Client]) {
    let runs = producers.all();
    let mut starts = BTreeMap::<&str, usize>::new();
    for run in &runs {
        assert!(run.cleaned.len() < 2, "{run:?}");
        *starts.entry(&run.name).or_default() += 1;
    }
    for (name, starts) in starts {
        assert!(starts <= losses + 1, "{name} has {starts} starts: {runs:?}");
    }
    let mut epochs = BTreeMap::new();
    for client in clients {
        let got = lock(&client.got);
        assert!(got.fault.is_none(), "{}: {got:?}", client.name);
        for (run, epoch) in &got.epochs {
            let first = epochs.entry(*run).or_insert_with(|| epoch.clone());
            assert_eq!(first, epoch, "the events of {run} are in two epochs");
        }
    }
}

impl Count {
    fn take(&mut self, got: &Got) {
        self.events += got.events;
        self.notices += got.notices;
        if let Some(end) = &got.end {
            *self.ends.entry(end.clone()).or_default() += 1;
        }
    }

    pub fn add(&mut self, other: Self) {
        self.starts += other.starts;
        self.events += other.events;
        self.notices += other.notices;
        for (end, count) in other.ends {
            *self.ends.entry(end).or_default() += count;
        }
        for (end, count) in other.clean_ups {
            *self.clean_ups.entry(end).or_default() += count;
        }
    }
}
