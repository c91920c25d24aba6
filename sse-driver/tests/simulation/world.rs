//! A run: the actions, one after the other, and the laws that hold whenever nothing is left to be
//! done, and at the end.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sse_core::Budget;
use sse_driver::{
    Clock, OpenStreams, Report, Server, ServerHandle, embedding::Embedding, router::RouteError,
};

use crate::{
    chaos::{Chaos, Runtimes},
    clients::{Client, State, Surroundings, lock},
    foreign::{Foreign, Host, SharedHost},
    jobs::Jobs,
    registry::{ENDED, Kind, Registry, is_stream_of},
    scenario::{Action, Scenario},
    served::Service,
    sim::{Job, NO_HOST, NO_HOST_IPV6, SERVER, Sim},
    tally::Tally,
    topics::{COMPLETE, FORGETFUL, Topics},
};

/// The time after the last fault by which everything has to recover: the longest silence and the
/// longest waits.
const RECOVERY: Duration = Duration::from_secs(5 * 60);

/// The time after which nothing of the clients is left, once the last one has left.
const AFTERMATH: Duration = Duration::from_secs(2 * 60);

/// The longest time of a server's shutdown, with the deadlines of its connections.
const SHUTDOWN: Duration = Duration::from_secs(5 * 60);

const SECOND: Duration = Duration::from_secs(1);

type Serving = Job<Result<Report, RouteError>>;

/// A server, which may be shutting down.
pub struct Running {
    pub handle: ServerHandle,
    serving: Serving,
    pub down_since: Option<Duration>,
    pub is_cut: bool,
}

/// An embedding, which may be shutting down.
pub struct Embedded {
    pub host: SharedHost,
    shutdowns: Vec<Job<u64>>,
    /// Whether the shutdown that began last is over.
    pub has_shut_down: Arc<AtomicBool>,
    pub down_since: Option<Duration>,
    pub is_cut: bool,
}

pub struct World {
    pub scenario: Scenario,
    pub budget: Budget,
    pub around: Surroundings,
    service: Service,
    pub server: Running,
    pub embedded: Embedded,
    pub clients: Vec<Client>,
    pub foreign: Vec<Foreign>,
    /// The list of open streams, if the servers have one.
    pub streams: Option<OpenStreams>,
}

impl World {
    pub fn new(seed: u64, mut scenario: Scenario) -> Self {
        let budget = scenario.share_budget();
        let streams = scenario.share_streams();
        let chaos = Chaos::new(!seed, scenario.disarray.clone());
        let sim = Sim::with_disorder(Arc::new(Runtimes(chaos.clone())));
        let mut addresses = vec![NO_HOST, NO_HOST_IPV6];
        addresses.truncate(scenario.false_addresses);
        addresses.push(SERVER);
        sim.set_addresses(addresses);
        let registry = Registry::new(&sim, &chaos, scenario.bounds());
        let jobs = Jobs::new(&sim, &chaos, scenario.jobs.clone());
        let topics = Topics::new(&sim, scenario.topic.clone(), scenario.largest_event, jobs);
        let service = Service {
            sim: sim.clone(),
            chaos: chaos.clone(),
            registry: registry.clone(),
            topics: topics.clone(),
            longest_decision: scenario.longest_decision,
            longest_feed: scenario.longest_feed,
            longest_pause: scenario.longest_pause.min(5 * SECOND),
        };
        let around = Surroundings {
            sim,
            chaos,
            registry,
            topics,
            announce: scenario.topic.announce,
            tally: Arc::default(),
            dawdling: scenario.dawdling,
            longest_pause: scenario.longest_pause,
        };
        let server = start(&service, &scenario);
        let embedded = embed(&service, &scenario);
        Self {
            scenario,
            budget,
            around,
            service,
            server,
            embedded,
            clients: Vec::new(),
            foreign: Vec::new(),
            streams,
        }
    }

    /// Runs it all.
    pub fn run(mut self) -> Tally {
        let actions = std::mem::take(&mut self.scenario.actions);
        for (at, action) in actions {
            while self.sim().elapsed() < at {
                let left = at - self.sim().elapsed();
                self.pass(left.min(SECOND));
            }
            self.around.registry.note(format_args!("{action:?}"));
            self.act(action);
            self.around.sim.note_progress();
        }
        self.pass(SECOND);
        self.recover();
        self.finish();
        let mut tally = self.around.tally().clone();
        tally.worlds = 1;
        tally.time = self.sim().elapsed();
        tally.polls = self.sim().polls();
        tally.connections = self.around.chaos.links().len() as u64;
        for asked in self.around.registry.all() {
            tally.closed(&asked.cleaned);
        }
        for run in self.around.topics.jobs.all() {
            tally.job_ended(&run.cleaned);
        }
        tally
    }

    fn sim(&self) -> &Sim {
        &self.around.sim
    }

    fn pass(&mut self, time: Duration) {
        let end = self.sim().now() + time;
        let this = &*self;
        let sim = this.sim();
        this.around.chaos.pass(sim, end, || this.check_at_rest());
        self.around.registry.check_faults();
        self.begin_again();
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Publish(which, count) => {
                self.around.topics.publish(which, count);
                self.around.tally().published += count;
            }
            Action::Join(wish) => {
                let number = self.clients.len();
                self.clients.push(Client::start(
                    &self.around,
                    number,
                    &wish,
                    &self.embedded.host,
                ));
            }
            Action::JoinForeign(kind, body) => {
                let number = FOREIGN + self.foreign.len();
                let foreign = Foreign::start(&self.around, number, kind, body, &self.embedded.host);
                self.foreign.push(foreign);
            }
            Action::Close(number) => {
                if let Some(client) = self.clients.get(number) {
                    client.handle.close();
                }
            }
            Action::Cancel(number) => {
                if let Some(client) = self.clients.get(number) {
                    client.cancel();
                }
            }
            Action::CancelForeign(number) => {
                if let Some(foreign) = self.foreign.get(number) {
                    foreign.cancel();
                }
            }
            Action::Suffer(newest, trouble) => {
                let links = self.around.chaos.open_links();
                if let Some(link) = links.iter().rev().nth(newest) {
                    link.suffer(trouble);
                }
            }
            Action::ShutDown => {
                self.server_goes_down();
                self.server.handle.shut_down();
            }
            Action::Cut => {
                self.server_goes_down();
                self.server.handle.cut();
                self.server.is_cut = true;
            }
            Action::DropServer => {
                self.server_goes_down();
                self.server.serving.cancel();
                self.server.is_cut = true;
            }
            Action::ShutDownEmbedding => {
                let shutdown = self.embedding_goes_down().shut_down();
                let is_over = Arc::<AtomicBool>::default();
                self.embedded.has_shut_down = is_over.clone();
                let shutdown = self.sim().start(async move {
                    let cut = shutdown.await;
                    is_over.store(true, Ordering::Relaxed);
                    cut
                });
                self.embedded.shutdowns.push(shutdown);
            }
            Action::CutEmbedding => {
                self.embedding_goes_down().cut();
                self.embedded.is_cut = true;
            }
            Action::StopJob(name) => self.around.topics.jobs.stop(name),
            Action::Pause(number) => {
                if let Some(client) = self.clients.get(number) {
                    client.pause();
                }
            }
            Action::Resume(number) => {
                if let Some(client) = self.clients.get(number) {
                    client.resume();
                }
            }
            Action::Reconnect(number) => {
                if let Some(client) = self.clients.get(number) {
                    client.handle.reconnect();
                }
            }
            Action::EndStreams(first) => {
                if let Some(streams) = &self.streams {
                    self.around.registry.end_streams(first);
                    streams.end_where(|stream| is_stream_of(stream, first), ENDED);
                }
            }
            Action::HoldUp(time) => self.around.chaos.hold_up(self.sim(), time),
            Action::BeginAnew => {
                self.around.registry.topic_began_anew();
                self.around.topics.begin_anew();
            }
        }
    }

    fn server_goes_down(&mut self) {
        self.around.registry.set_shutdown(false, true);
        let now = self.sim().elapsed();
        self.server.down_since.get_or_insert(now);
    }

    fn embedding_goes_down(&mut self) -> Embedding<Sim> {
        self.around.registry.set_shutdown(true, true);
        let now = self.sim().elapsed();
        self.embedded.down_since.get_or_insert(now);
        self.embedded.embedding()
    }

    /// Starts again what has shut down.
    fn begin_again(&mut self) {
        let now = self.sim().elapsed();
        if let Some(since) = self.server.down_since {
            match self.server.handle.open_connections() {
                0 => {
                    self.around.registry.set_shutdown(false, false);
                    self.server = start(&self.service, &self.scenario);
                }
                open => {
                    let time = now - since;
                    assert!(time < SHUTDOWN, "{open} connections outlive a shutdown");
                }
            }
        }
        if self.embedded.down_since.is_some() && self.embedded.embedding().open() == 0 {
            self.around.registry.set_shutdown(true, false);
            let embedded = embed(&self.service, &self.scenario);
            let next = embedded.host.lock().unwrap().embedding.clone();
            self.embedded.host.lock().unwrap().embedding = next;
            self.embedded.down_since = None;
            self.embedded.is_cut = false;
        }
    }

    /// Lets the network work properly and clients read at once. After some time everything has
    /// recovered.
    fn recover(&mut self) {
        self.around.chaos.calm_down(&self.around.sim);
        for client in &self.clients {
            lock(&client.state).hurries = true;
            client.resume();
        }
        for state in self.foreign.iter().map(|client| &client.state) {
            lock(state).hurries = true;
        }
        self.pass(10 * SECOND);
        self.let_those_in_who_fit();
        self.pass(50 * SECOND);
        for which in [FORGETFUL].into_iter().chain(COMPLETE) {
            self.around.topics.publish(which, 1);
        }
        let end = self.sim().elapsed() + RECOVERY;
        while let Some(complaint) = self.complaint() {
            assert!(self.sim().elapsed() < end, "after all that: {complaint}");
            self.pass(SECOND);
        }
    }

    /// Lets clients leave beyond the connection limit, which would be rejected forever, and those
    /// whose streams begin again and again.
    fn let_those_in_who_fit(&mut self) {
        let most = self.scenario.server.max_connections;
        let mut room = [most; 2];
        let mut fits = |is_foreign: bool, kind, state: &Mutex<State>| {
            let room = &mut room[usize::from(is_foreign)];
            let stays = !lock(state).is_over && !matches!(kind, Kind::Feed | Kind::Upload);
            let fits = stays && *room > 0;
            *room -= usize::from(fits);
            fits
        };
        for client in &self.clients {
            if !fits(client.is_elsewhere, client.kind, &client.state) {
                client.cancel();
            }
        }
        for client in &self.foreign {
            if !fits(true, client.kind, &client.state) {
                client.cancel();
            }
        }
    }

    /// Lets all clients leave, and checks that nothing of them is left.
    fn finish(&mut self) {
        self.around.registry.note("all leave");
        for client in &self.clients {
            match self.around.chaos.draw(|rng| rng.bool()) {
                true => client.handle.close(),
                false => client.cancel(),
            }
        }
        self.foreign.iter().for_each(Foreign::cancel);
        self.pass(AFTERMATH);
        self.around.topics.jobs.forget_all();
        self.pass(SECOND);
        self.check_nothing_is_open();
        self.act(Action::ShutDown);
        let shutdown = self.embedding_goes_down().shut_down();
        let shutdown = self.sim().start(shutdown);
        let (sim, chaos) = (self.sim().clone(), self.around.chaos.clone());
        chaos.pass(&sim, sim.now() + SECOND, || ());
        assert_eq!(shutdown.take(), Some(0), "nothing was there to be cut");
        let report = self.server.serving.take().expect("the server is down");
        assert!(report.is_ok_and(|report| report.cut == 0), "what was cut");
        self.check_nothing_is_left();
    }
}

/// The first number of foreign clients.
const FOREIGN: usize = 1000;

impl Embedded {
    pub fn embedding(&self) -> Embedding<Sim> {
        self.host.lock().unwrap().embedding.clone()
    }
}

fn start(service: &Service, scenario: &Scenario) -> Running {
    let sim = &service.sim;
    let server = Server::new(sim.clone(), sim.listen()).with_config(scenario.server.clone());
    #[cfg(feature = "tls")]
    let server = match scenario.is_tls {
        true => server.with_tls(crate::tls::server_config()),
        false => server,
    };
    Running {
        handle: server.handle(),
        serving: sim.start(server.serve(service.router())),
        down_since: None,
        is_cut: false,
    }
}

fn embed(service: &Service, scenario: &Scenario) -> Embedded {
    let embedding = Embedding::on(service.sim.clone(), scenario.embedding.clone());
    let routes = service.router().build().expect("valid routes");
    Embedded {
        host: Arc::new(Mutex::new(Host {
            embedding,
            routes: Arc::new(routes),
        })),
        shutdowns: Vec::new(),
        has_shut_down: Arc::default(),
        down_since: None,
        is_cut: false,
    }
}
