//! The laws that hold whenever no task is left to be polled, and at the end.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, atomic::Ordering::Relaxed},
    time::Duration,
};

use sse_core::topic::WhenTooSlow;
use sse_driver::OpenStreams;

use crate::{
    clients::{State, lock},
    registry::{Asked, Kind},
    wire::{Link, Side},
    world::World,
};

impl World {
    /// Finds lost wake-ups: there is something to do, and no task is going to do it.
    pub fn check_at_rest(&self) {
        self.around.registry.check_faults();
        self.around
            .topics
            .jobs
            .check(self.around.registry.has_ever_shut_down());
        self.around.tally().rests += 1;
        let links = self.around.chaos.open_links();
        for link in &links {
            self.check_link(link);
        }
        for client in &self.clients {
            let state = lock(&client.state);
            let id = state.open.filter(|_| !state.is_over && !state.is_away);
            let Some(id) = id else {
                continue;
            };
            let asked = self.around.registry.asked(id);
            let link = asked.link.and_then(|id| self.around.chaos.link(id));
            let is_at_rest = match link {
                Some(link) => link.state().is_at_rest(),
                None => client.is_elsewhere,
            };
            if is_at_rest {
                self.check_has_everything(id, &asked, &state);
            }
        }
        for client in &self.foreign {
            let state = lock(&client.state);
            if let Some(id) = state.open.filter(|_| !state.is_over && !state.is_away) {
                let asked = self.around.registry.asked(id);
                self.check_has_everything(id, &asked, &state);
            }
        }
        self.check_pauses(&links);
        self.check_streams();
        self.check_shutdowns();
        let queued = self.server.handle.stats().queued_bytes;
        // A TLS handshake waits for bytes that are on their way.
        let is_busy = |link: &Arc<Link>| {
            let state = &mut *link.state();
            state.to(Side::Client).room() == 0 || !state.is_at_rest()
        };
        assert!(
            queued == 0 || links.iter().any(is_busy),
            "{queued} bytes are queued, and every link has room"
        );
    }

    fn check_link(&self, link: &Link) {
        let is_away = self.clients.get(link.client).is_some_and(|client| {
            let state = lock(&client.state);
            state.is_away || state.is_over
        });
        let state = &mut *link.state();
        let (number, client) = (link.id, link.client);
        assert!(
            state.log.server_left || !state.to(Side::Server).has_news(),
            "the server does not see what came on link {number}: {:?}",
            state.log
        );
        assert!(
            is_away || state.log.client_left || !state.to(Side::Client).has_news(),
            "client {client} does not see what came on link {number}: {:?}",
            state.log
        );
    }

    fn check_has_everything(&self, id: usize, asked: &Asked, state: &State) {
        if asked.link.is_none() && self.may_have_failed(asked) {
            return;
        }
        assert!(
            state
                .record
                .has_everything(&self.around.topics, asked.given),
            "nothing more comes for request {id}, {asked:?}, and there is more: {:?}",
            state.record
        );
    }

    /// An embedded stream that has failed is silent for a moment.
    fn may_have_failed(&self, asked: &Asked) -> bool {
        let is_cut_when_slow = self.scenario.topic.when_too_slow == WhenTooSlow::Cut;
        let is_forgetful = matches!(asked.kind, Kind::Forgetful | Kind::Slow);
        (is_forgetful && is_cut_when_slow) || asked.ended.is_some()
    }

    /// Checks that the list of open streams is complete, and that the streams that were ended from
    /// outside have ended.
    fn check_streams(&self) {
        let Some(streams) = &self.streams else {
            return;
        };
        let listed: BTreeSet<_> = streams.list().iter().map(|stream| stream.id).collect();
        self.around.registry.each(|asked| {
            let is_listed = asked.stream.is_some_and(|id| listed.contains(&id));
            if !asked.cleaned.is_empty() {
                assert!(!is_listed, "{asked:?} is over, and listed");
                return;
            }
            if asked.has_stream() && !self.may_be_whole(asked) {
                // A foreign server may not have polled its stream yet.
                let is_embedded = asked.link.is_none();
                assert!(is_listed || is_embedded, "{asked:?} is not listed");
                assert!(
                    !asked.is_ended || self.is_blocked(asked),
                    "{asked:?} goes on"
                );
            }
        });
    }

    /// Returns whether the answer may be no stream: a client that has everything of a producer is told that
    /// there is no more.
    fn may_be_whole(&self, asked: &Asked) -> bool {
        let run = asked.run.map(|run| self.around.topics.jobs.run(run));
        run.is_some_and(|run| run.is_over())
    }

    /// Returns whether its client takes no bytes, so that the stream cannot end.
    fn is_blocked(&self, asked: &Asked) -> bool {
        match asked.link.and_then(|id| self.around.chaos.link(id)) {
            Some(link) => link.state().to(Side::Client).room() == 0,
            None => self.is_away(asked.client) || self.may_have_failed(asked),
        }
    }

    /// Returns whether the client of a foreign server is busy otherwise, or has no stream.
    fn is_away(&self, client: usize) -> bool {
        let is_away = |state: &Mutex<State>| {
            let state = lock(state);
            state.is_away || state.open.is_none()
        };
        let mut foreign = self.foreign.iter();
        foreign.any(|it| it.number == client && is_away(&it.state))
            || (self.clients.get(client)).is_some_and(|it| is_away(&it.state))
    }

    /// Checks that a client that is to pause does, and then has no connection.
    fn check_pauses(&self, links: &[Arc<Link>]) {
        for (number, client) in self.clients.iter().enumerate() {
            let state = lock(&client.state);
            if state.is_over || state.is_away {
                continue;
            }
            assert!(
                !state.is_about_to_pause(),
                "client {number} does not pause: {state:?}"
            );
            let has_connection = |link: &Arc<Link>| {
                link.client == number && !link.state().log.client_left && state.is_paused
            };
            assert!(
                !links.iter().any(has_connection),
                "client {number} pauses with a connection"
            );
        }
    }

    /// Checks that a shutdown has ended its streams, unless the client takes no bytes.
    fn check_shutdowns(&self) {
        let now = self.around.sim.elapsed();
        // Streams whose ends are spread over a window have ended before the others are cut. The
        // task that shuts down may be held up before it begins.
        let is_past_window = |since: Option<Duration>| {
            let server = &self.scenario.server;
            let window = match server.shutdown_spread.ends.is_zero() {
                true => Duration::ZERO,
                false => server.shutdown_timeout,
            };
            since.is_some_and(|since| now >= since.max(self.around.chaos.free_since()) + window)
        };
        let server_is_down = self.server.down_since.is_some();
        let embedding_is_down = self.embedded.down_since.is_some();
        if !server_is_down && !embedding_is_down {
            return;
        }
        for asked in self.around.registry.all() {
            if !asked.cleaned.is_empty() {
                continue;
            }
            match asked.link.and_then(|id| self.around.chaos.link(id)) {
                Some(link) if server_is_down => {
                    let is_full = link.state().to(Side::Client).room() == 0;
                    let ends = self.server.is_cut
                        || (asked.has_subscriber() && is_past_window(self.server.down_since));
                    assert!(is_full || !ends, "a shutdown passes over {asked:?}");
                }
                None if embedding_is_down => {
                    let is_away = self.is_away(asked.client);
                    // The task of the shutdown may have begun late.
                    let is_past_window =
                        is_past_window(None) || self.embedded.has_shut_down.load(Relaxed);
                    let ends = self.embedded.is_cut || (asked.has_subscriber() && is_past_window);
                    assert!(
                        is_away || self.may_have_failed(&asked) || !ends,
                        "a shutdown passes over {asked:?}"
                    );
                }
                _ => {}
            }
        }
    }

    /// Returns what has not recovered, once nothing goes wrong any more.
    pub fn complaint(&self) -> Option<String> {
        if self.server.down_since.is_some() || self.embedded.down_since.is_some() {
            return Some("a server is down".into());
        }
        let clients = self
            .clients
            .iter()
            .map(|client| (client.kind, &client.state));
        let foreign = self
            .foreign
            .iter()
            .map(|client| (client.kind, &client.state));
        for (number, (kind, state)) in clients.chain(foreign).enumerate() {
            let state = lock(state);
            if state.is_over {
                continue;
            }
            let is_well = match kind {
                Kind::Job if state.record.is_over() => true,
                Kind::Page | Kind::Gone => state.is_final || number >= self.clients.len(),
                _ => state.open.is_some() && state.record.has_everything(&self.around.topics, 0),
            };
            if !is_well {
                return Some(format!("client {number} of {kind:?}: {state:?}"));
            }
        }
        None
    }

    pub fn check_nothing_is_open(&self) {
        let open = self.server.handle.open_connections();
        assert_eq!(open, 0, "connections are left");
        assert_eq!(self.embedded.embedding().open(), 0, "responses are left");
        let left: Vec<_> = self.around.chaos.open_links();
        let left: Vec<_> = left.iter().map(|link| link.id).collect();
        assert!(left.is_empty(), "links {left:?} are left");
        assert_eq!(self.around.topics.subscribers(), 0, "subscribers are left");
        for asked in self.around.registry.all() {
            assert_eq!(asked.cleaned.len(), 1, "the clean-up of {asked:?}");
            assert!(!asked.is_held, "the stream of {asked:?} is left");
        }
        for run in self.around.topics.jobs.all() {
            assert!(run.is_over(), "{run:?} is left");
        }
        let listed = self.streams.as_ref().map_or(0, OpenStreams::len);
        assert_eq!(listed, 0, "streams are left in the list");
        self.check_paces();
    }

    pub fn check_nothing_is_left(&self) {
        let sim = &self.around.sim;
        assert_eq!(sim.live_tasks(), 0, "tasks are left");
        assert_eq!(sim.live_timers(), 0, "timers are left");
        self.around.topics.clear();
        let used = self.budget.used();
        assert_eq!(used.total(), 0, "{used:?} of the budget is left");
        self.around.registry.check_faults();
    }

    /// Checks that no client begins two attempts within its floor, unless it is redirected.
    fn check_paces(&self) {
        let mut last: BTreeMap<usize, (Option<Duration>, bool)> = BTreeMap::new();
        let follows = |(before, redirects): (Option<Duration>, bool), began, floor: Duration| {
            redirects || before.is_none_or(|before| began >= Some(before + floor))
        };
        for asked in self.around.registry.all() {
            if let Some(client) = self.clients.get(asked.client).filter(|it| it.is_elsewhere) {
                let redirects = asked.kind == Kind::Elsewhere;
                let before = last.insert(asked.client, (asked.began, redirects));
                assert!(
                    before.is_none_or(|before| follows(before, asked.began, client.floor)),
                    "client {} begins at {before:?} and again at {:?}",
                    asked.client,
                    asked.began
                );
            }
        }
        for link in self.around.chaos.links() {
            let log = link.state().log.clone();
            if log.asked.is_none() {
                continue;
            }
            let before = last.insert(link.client, (log.began, log.redirects));
            let floor = self.clients[link.client].floor;
            assert!(
                before.is_none_or(|before| follows(before, log.began, floor)),
                "client {} begins at {before:?} and again at {:?}",
                link.client,
                log.began
            );
        }
    }
}

impl Asked {
    /// Returns whether its stream is that of a topic, and open.
    fn has_subscriber(&self) -> bool {
        self.is_answered()
            && !matches!(
                self.kind,
                Kind::Feed | Kind::Job | Kind::Upload | Kind::Page | Kind::Gone | Kind::Elsewhere
            )
    }
}
