//! A run: its steps in order, and the checks at its end.

use std::{thread, time::Duration};

use fastrand::Rng;

use crate::{
    agenda::{ClientId, Happening},
    client::Client,
    network::{LinkId, Network, Side},
    scenario::Scenario,
    server::Server,
    tally::Tally,
};

/// The time after the last fault in which everything has to recover: the longest silence that is not
/// noticed, and some waits.
const RECOVERY: Duration = Duration::from_secs(15 * 60);

/// The time after the last client has left in which nothing of the clients may be left.
const AFTERMATH: Duration = Duration::from_secs(5 * 60);

pub(crate) struct World {
    scenario: Scenario,
    network: Network,
    server: Server,
    clients: Vec<Option<Client>>,
    tally: Tally,
    seed: u64,
}

impl World {
    pub(crate) fn new(seed: u64, scenario: Scenario) -> Self {
        let rng = Rng::with_seed(!seed);
        let network = Network::new(rng, scenario.weather.clone());
        let server = Server::new(&scenario, network.now());
        let clients = (0..scenario.clients).map(|_| None).collect();
        Self {
            scenario,
            network,
            server,
            clients,
            tally: Tally::default(),
            seed,
        }
    }

    pub(crate) fn run(mut self) -> Tally {
        self.plan();
        self.pass(self.scenario.time);
        self.calm_down();
        let end = self.network.now() + RECOVERY;
        while !self.is_well() {
            assert!(self.network.now() < end, "{}", self.complaint());
            self.pass(Duration::from_secs(1));
        }
        self.finish();
        self.tally.worlds = 1;
        self.tally.clients = self.clients.len() as u64;
        self.tally.time = self.network.agenda.elapsed();
        std::mem::take(&mut self.tally)
    }

    /// Draws the steps that happen by themselves.
    fn plan(&mut self) {
        let time = self.scenario.time;
        let Network { agenda, rng, .. } = &mut self.network;
        let mut sometime = |rng: &mut Rng, what| agenda.after(time.mul_f64(rng.f64()), what);
        for client in 0..self.scenario.clients {
            sometime(rng, Happening::Join(client));
            if rng.f64() < self.scenario.leavers {
                sometime(rng, Happening::Leave(client));
            }
        }
        for _ in 0..self.scenario.bursts {
            sometime(rng, Happening::Publish);
        }
        for _ in 0..self.scenario.restarts {
            let what = match rng.bool() {
                true => Happening::ServerStops,
                false => Happening::ServerIsKilled,
            };
            sometime(rng, what);
        }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.network.now() + time;
        while let Some(what) = self.network.agenda.next(end) {
            self.server.set_clock(self.network.now());
            self.happen(what);
            for link in self.server.take_woken() {
                self.pump_server(link);
            }
        }
        self.server.set_clock(self.network.now());
    }

    fn happen(&mut self, what: Happening) {
        self.tally.happenings += 1;
        match what {
            Happening::Arrive(link, side) => {
                if self.network.arrive(link, side) {
                    self.pump(link, side);
                }
            }
            Happening::Writable(link, side) => {
                if side == Side::Server {
                    self.server.is_writable(link);
                }
                self.pump(link, side);
            }
            Happening::Dialed(link) => self.dialed(link),
            Happening::Trouble(link) => {
                self.network.trouble(link);
            }
            Happening::LookForAcknowledgement(link) => {
                if self.network.look_for_acknowledgement(link) {
                    self.pump_server(link);
                }
            }
            Happening::ProbesFail(link) => {
                self.network.probes_fail(link);
                self.pump(link, Side::Client);
            }
            Happening::ServerAlarm(link) => self.pump_server(link),
            Happening::ClientAlarm(client) => self.pump_client(client),
            Happening::Publish => {
                let count = self.network.rng.u64(1..=self.scenario.burst);
                self.tally.published += self.server.publish(count);
            }
            Happening::Join(id) => {
                let seed = self.network.rng.u64(..);
                let config = self.scenario.client.clone();
                self.clients[id] = Some(Client::new(id, config, seed, &self.scenario));
                self.pump_client(id);
            }
            Happening::Leave(id) => {
                if let Some(client) = &mut self.clients[id] {
                    client.close(self.network.now());
                    self.pump_client(id);
                }
            }
            Happening::ServerStops if self.server.is_up() => {
                self.server.stop();
                let grace = Duration::from_millis(self.network.rng.u64(..20_000));
                self.network.agenda.after(grace, Happening::ServerIsKilled);
            }
            Happening::ServerStops => {}
            Happening::ServerIsKilled => {
                let with_its_host = self.network.rng.bool();
                let Self {
                    server,
                    network,
                    tally,
                    ..
                } = self;
                server.kill(network, tally, with_its_host);
                let pause = Duration::from_millis(self.network.rng.u64(..20_000));
                self.network.agenda.after(pause, Happening::ServerStarts);
            }
            Happening::ServerStarts => {
                if self.server.topic.is_none() {
                    self.server.start();
                }
            }
        }
    }

    fn dialed(&mut self, link: LinkId) {
        let Some(client) = self.network.link(link).map(|link| link.client) else {
            return;
        };
        let is_up = self.server.is_up() && self.network.accept(link);
        if let Some(client) = &mut self.clients[client] {
            client.dialed(link, is_up, &mut self.network);
        }
        if is_up {
            self.server.accept(link, &mut self.network, &mut self.tally);
        }
        self.pump_client(client);
    }

    fn pump(&mut self, link: LinkId, side: Side) {
        match side {
            Side::Server => self.pump_server(link),
            Side::Client => {
                if let Some(client) = self.network.link(link).map(|link| link.client) {
                    self.pump_client(client);
                }
            }
        }
    }

    fn pump_server(&mut self, link: LinkId) {
        self.server.pump(link, &mut self.network, &mut self.tally);
    }

    fn pump_client(&mut self, id: ClientId) {
        if let Some(client) = &mut self.clients[id] {
            client.pump(&mut self.network, &self.server, &mut self.tally);
        }
    }

    /// Ends all faults; each client takes everything. One last event is published.
    fn calm_down(&mut self) {
        self.network.calm_down();
        self.server.calm_down();
        for id in 0..self.clients.len() {
            if let Some(client) = &mut self.clients[id] {
                client.hurry();
                self.pump_client(id);
            }
        }
        self.network
            .agenda
            .after(Duration::from_secs(60), Happening::Publish);
        self.pass(Duration::from_secs(60));
    }

    fn live_clients(&self) -> impl Iterator<Item = &Client> {
        let clients = self.clients.iter().flatten();
        clients.filter(|client| !client.is_over())
    }

    /// Returns whether each client has everything, and there is no other connection.
    fn is_well(&self) -> bool {
        let end = self.server.end();
        let clients = self.live_clients().count();
        self.live_clients().all(|client| client.is_past(end))
            && self.server.connections() == clients
            && self.network.open_links() == clients
    }

    fn complaint(&self) -> String {
        let end = self.server.end();
        let behind = self.live_clients().find(|client| !client.is_past(end));
        format!(
            "{} clients, {} connections, {} links; the newest event is {end:?}; one that is behind: {behind:?}",
            self.live_clients().count(),
            self.server.connections(),
            self.network.open_links(),
        )
    }

    /// Lets all clients leave, and checks that nothing of them is left.
    fn finish(&mut self) {
        for id in 0..self.clients.len() {
            if let Some(client) = &mut self.clients[id] {
                client.close(self.network.now());
                self.pump_client(id);
            }
        }
        self.pass(AFTERMATH);
        assert_eq!(self.live_clients().count(), 0, "a client that does not end");
        assert_eq!(self.server.connections(), 0, "a connection is left");
        assert_eq!(self.network.open_links(), 0, "a link is left");
        assert_eq!(self.server.clocks_held(), 1, "a subscriber is left");
        self.server.topic = None;
        assert_eq!(self.server.clocks_held(), 0, "a topic is left");
        let waiting = self.network.agenda.waiting();
        assert!(waiting.is_empty(), "for nothing: {waiting:?}");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("seed {}: {:#?}", self.seed, self.scenario);
            self.network.agenda.print_past();
        }
    }
}
