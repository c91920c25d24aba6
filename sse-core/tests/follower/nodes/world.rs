//! A run: its steps in order, and the checks at its end.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use fastrand::Rng;
use sse_core::topic::follower::{Bell, Page};

use super::{
    Tally,
    client::{Client, Epochs, Read},
    node::Node,
    scenario::Scenario,
};
use crate::log::Log;

/// The time after the last fault in which everything has to recover.
const RECOVERY: Duration = Duration::from_secs(10 * 60);

/// More steps than this count as a livelock.
const MOST: u64 = 5_000_000;

enum Happening {
    Publish,
    BeginAnew,
    Bell(usize, u64, Bell),
    /// The answer to a node's request of this number.
    Answer(usize, (u64, u64), Option<Page>),
    NodeAlarm(usize),
    Restart(usize),
    OutageBegins,
    OutageEnds,
    /// The client looks for a node.
    Connect(usize),
    Read(usize, u64),
    ClientAnswer(usize, u64, Option<Page>),
}

pub(super) struct World {
    scenario: Scenario,
    rng: Rng,
    now: Instant,
    agenda: BTreeMap<(Instant, u64), Happening>,
    happenings: u64,
    log: Log,
    epochs: Epochs,
    is_out: bool,
    nodes: Vec<Node>,
    clients: Vec<Client>,
    tally: Tally,
    lives: u64,
}

impl World {
    pub(super) fn new(seed: u64, scenario: Scenario) -> Self {
        Self {
            rng: Rng::with_seed(!seed),
            now: Instant::now(),
            agenda: BTreeMap::new(),
            happenings: 0,
            log: Log::new(0),
            epochs: Epochs::from([(crate::EPOCH, 1)]),
            is_out: false,
            nodes: Vec::new(),
            clients: (0..scenario.clients).map(|_| Client::default()).collect(),
            tally: Tally::default(),
            lives: 0,
            scenario,
        }
    }

    pub(super) fn run(mut self) -> Tally {
        self.plan();
        self.pass(self.scenario.time);
        self.calm_down();
        let end = self.now + RECOVERY;
        while !self.is_well() {
            assert!(self.now < end, "not everything came to the end");
            self.pass(Duration::from_secs(1));
        }
        self.tally
    }

    fn plan(&mut self) {
        for number in 0..self.scenario.nodes {
            let node = self.new_node();
            self.nodes.push(node);
            self.after_a_while(Happening::NodeAlarm(number));
        }
        let mut plan = Vec::new();
        let Scenario {
            nodes,
            clients,
            bursts,
            epochs,
            restarts,
            outages,
            ..
        } = self.scenario;
        plan.extend((0..clients).map(Happening::Connect));
        plan.extend((0..bursts).map(|_| Happening::Publish));
        plan.extend((0..epochs).map(|_| Happening::BeginAnew));
        plan.extend((0..restarts).map(|n| Happening::Restart(n as usize % nodes)));
        plan.extend((0..outages).map(|_| Happening::OutageBegins));
        for happening in plan {
            let at = self.now + self.scenario.time.mul_f64(self.rng.f64());
            self.at(at, happening);
        }
    }

    fn at(&mut self, time: Instant, happening: Happening) {
        self.happenings += 1;
        assert!(self.happenings < MOST, "livelock");
        self.agenda.insert((time, self.happenings), happening);
    }

    fn after(&mut self, time: Duration, happening: Happening) {
        self.at(self.now + time, happening);
    }

    /// Adds a step after a random time on its way.
    fn after_a_while(&mut self, happening: Happening) {
        let time = self.scenario.latency.mul_f64(self.rng.f64());
        self.after(time, happening);
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(first) = self.agenda.first_entry() {
            if first.key().0 > end {
                break;
            }
            let ((time, _), happening) = first.remove_entry();
            self.now = time;
            self.happen(happening);
            self.wake_clients();
        }
        self.now = end;
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Publish => {
                for _ in 0..self.rng.u64(1..=self.scenario.burst) {
                    self.publish();
                }
            }
            Happening::BeginAnew => {
                self.log.begin_anew();
                self.note_tails();
            }
            Happening::Bell(number, life, bell) => {
                if self.nodes[number].life == life {
                    self.nodes[number].bell(self.now, bell);
                    self.pump(number);
                }
            }
            Happening::Answer(number, (life, request), page) => {
                let node = &mut self.nodes[number];
                if node.life == life && node.requests == request {
                    node.answer(self.now, page);
                    self.pump(number);
                }
            }
            Happening::NodeAlarm(number) => {
                if self.rng.u8(0..4) == 0 && !self.is_out {
                    self.nodes[number].up(self.now);
                }
                self.pump(number);
            }
            Happening::Restart(number) => self.restart(number),
            Happening::OutageBegins => {
                self.is_out = true;
                for number in 0..self.nodes.len() {
                    self.nodes[number].down(self.now);
                    self.pump(number);
                }
                let time = Duration::from_secs(self.rng.u64(1..40));
                self.after(time, Happening::OutageEnds);
            }
            Happening::OutageEnds => self.end_outage(),
            Happening::Connect(client) => self.connect(client),
            Happening::Read(client, life) => {
                if self.clients[client].life == life {
                    self.read(client);
                }
            }
            Happening::ClientAnswer(client, life, page) => {
                if self.clients[client].life == life {
                    self.clients[client].answer(page);
                }
            }
        }
    }

    fn publish(&mut self) {
        self.tally.published += 1;
        self.log.append(1);
        if let Some(keep) = self.scenario.keep {
            self.log.trim(keep);
        }
        self.note_tails();
        let sequence = self.log.tails.newest;
        for number in 0..self.nodes.len() {
            let copies = 1 + u8::from(self.rng.f64() < self.scenario.bells_doubled);
            for _ in 0..copies {
                if self.is_out || self.rng.f64() < self.scenario.bells_lost {
                    self.tally.lost_bells += 1;
                    continue;
                }
                let bell = match self.rng.f64() < self.scenario.bells_full {
                    true => self.log.full_bell(sequence),
                    false => self.log.bell(sequence),
                };
                let life = self.nodes[number].life;
                self.after_a_while(Happening::Bell(number, life, bell));
            }
        }
    }

    fn note_tails(&mut self) {
        let tails = self.log.tails;
        self.epochs.insert(tails.epoch, tails.oldest);
    }

    fn new_node(&mut self) -> Node {
        self.lives += 1;
        self.tally.cold_starts += 1;
        // This is the topic's own epoch, until the log's is known.
        Node::new(&self.scenario, self.lives, 0, self.now)
    }

    fn restart(&mut self, number: usize) {
        let node = self.new_node();
        self.nodes[number] = node;
        for client in 0..self.clients.len() {
            if self.clients[client].node() == Some(number) {
                self.leave(client);
            }
        }
        self.after_a_while(Happening::NodeAlarm(number));
    }

    fn end_outage(&mut self) {
        self.is_out = false;
        for number in 0..self.nodes.len() {
            self.nodes[number].up(self.now);
            self.pump(number);
        }
    }

    /// Handles a node. Its request is answered halfway; an answer that is lost is known to be lost, or is
    /// waited for.
    fn pump(&mut self, number: usize) {
        while let Some(request) = self.nodes[number].pump(self.now) {
            self.tally.pages_of_nodes += 1;
            let (life, requests) = (self.nodes[number].life, self.nodes[number].requests);
            let is_lost = self.is_out || self.rng.f64() < self.scenario.requests_lost;
            let page = (!is_lost).then(|| self.log.page(request));
            if !is_lost || self.rng.bool() {
                self.after_a_while(Happening::Answer(number, (life, requests), page));
            }
        }
        if let Some(deadline) = self.nodes[number].deadline() {
            self.at(deadline.max(self.now), Happening::NodeAlarm(number));
        }
    }

    fn connect(&mut self, client: usize) {
        if self.clients[client].is_connected() {
            return;
        }
        let number = self.rng.usize(0..self.nodes.len());
        let node = &self.nodes[number];
        if !node.is_following() {
            self.tally.waits_for_cold_nodes += 1;
            return self.after(Duration::from_millis(500), Happening::Connect(client));
        }
        let page = self.scenario.client_page;
        self.clients[client].connect(number, node, page, &mut self.tally);
    }

    fn leave(&mut self, client: usize) {
        self.clients[client].disconnect();
        self.after_a_while(Happening::Connect(client));
    }

    fn wake_clients(&mut self) {
        for client in 0..self.clients.len() {
            if self.clients[client].take_woken() {
                let life = self.clients[client].life;
                let time = self.scenario.slowness.mul_f64(self.rng.f64());
                self.after(time, Happening::Read(client, life));
            }
        }
    }

    fn read(&mut self, client: usize) {
        for _ in 0..self.rng.u32(1..5) {
            let hops = self.rng.f64() < self.scenario.hops;
            let lost = match hops {
                true => self.rng.usize(0..3),
                false => 0,
            };
            match self.clients[client].read(lost, &self.epochs, &mut self.tally) {
                Read::Nothing => return,
                Read::Something if hops => return self.leave(client),
                Read::Something => {}
                Read::Asks(request) => {
                    self.tally.pages_of_clients += 1;
                    let is_lost = self.is_out || self.rng.f64() < self.scenario.requests_lost;
                    let page = (!is_lost).then(|| self.log.page(request));
                    let life = self.clients[client].life;
                    self.after_a_while(Happening::ClientAnswer(client, life, page));
                    return;
                }
                Read::Over => return self.leave(client),
            }
        }
        let life = self.clients[client].life;
        self.after(Duration::from_millis(1), Happening::Read(client, life));
    }

    /// Loses all bells from now on, so that the last event is found only by reading the tails, while
    /// everything else works.
    fn calm_down(&mut self) {
        self.end_outage();
        self.scenario.requests_lost = 0.0;
        self.scenario.hops = 0.0;
        self.scenario.slowness = Duration::from_millis(100);
        self.scenario.latency = Duration::from_millis(100);
        self.pass(Duration::from_secs(60));
        self.scenario.bells_lost = 1.0;
        self.publish();
    }

    fn is_well(&self) -> bool {
        let tails = self.log.tails;
        let end = (tails.epoch, tails.newest);
        let is_there = |client: &Client| {
            let number = client.node().unwrap_or(0);
            client.is_past(end) && client.is_at(number, self.nodes[number].life)
        };
        self.clients.iter().all(is_there)
    }
}
