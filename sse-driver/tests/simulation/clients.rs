//! Clients: event sources on the driver, each in a task of its own.

use std::{
    future::poll_fn,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use sse_core::{
    client::{Attempt, ClientEvent, EventSourceConfig, Loss, Phase},
    http::Method,
    topic::Announce,
};
use sse_driver::{Clock, EventSource, EventSourceHandle, Prepared, Runtime, Timer};

use crate::{
    chaos::Chaos,
    foreign::SharedHost,
    http_client::ToHost,
    records::Record,
    registry::{Kind, Registry},
    served::{number_of, path_of},
    sim::{Job, Sim},
    tally::Tally,
    topics::Topics,
};

/// The surroundings in which clients are made.
#[derive(Clone)]
pub struct Surroundings {
    pub sim: Sim,
    pub chaos: Arc<Chaos>,
    pub registry: Registry,
    pub topics: Topics,
    pub announce: Announce,
    pub tally: Arc<Mutex<Tally>>,
    /// The share of events after which a client is busy otherwise, and the longest time of that.
    pub dawdling: f64,
    pub longest_pause: Duration,
}

impl Surroundings {
    pub fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks a stream that is over for its client. No item of a handler's own stream may be
    /// missing then, unless something has gone wrong on the way.
    pub fn check_end(&self, id: usize, record: &Record, is_proper: bool) {
        let Some(items) = record.items() else {
            return;
        };
        let asked = self.registry.asked(id);
        if is_proper {
            assert!(asked.has_ended(), "the end of {asked:?}");
        }
        let troubles = asked.link.map(|id| {
            let link = self.chaos.link(id);
            link.is_some_and(|link| !link.state().log.troubles.is_empty())
        });
        let is_delivered = self.registry.is_to_be_delivered(&asked)
            && asked.is_told_its_end()
            && troubles == Some(false)
            && self.dawdling == 0.0;
        if is_proper || is_delivered {
            assert_eq!(items, asked.given, "what was received of {asked:?}");
        }
    }

    /// Checks that bytes that arrived in time count, however late the task is that handles them.
    fn check_loss(&self, client: usize, loss: &Loss, body: usize) {
        let bounds = self.registry.bounds;
        if bounds.has_short_budgets {
            return;
        }
        let links = self.chaos.links();
        let link = links.iter().rev().find(|link| link.client == client);
        let Some(log) = link.map(|link| link.state().log.take()) else {
            return;
        };
        if log.is_lost {
            // The attempt was lost before it had a connection.
            return;
        }
        let text = loss.to_string();
        // A connection that is cut gets no response, and neither does one that its client leaves.
        let is_silent = matches!(loss, Loss::NoResponse | Loss::Transport(_))
            && log.server_left
            && !log.has_response
            && !self.registry.has_shut_down();
        if text.contains("head was not complete") || is_silent {
            let deadline = log.connected + bounds.head_timeout;
            let was_in_time = log.head_arrived.is_some_and(|at| at < deadline);
            assert!(
                !was_in_time || !log.troubles.is_empty(),
                "{loss}, and the request came in time: {log:?}"
            );
        }
        match loss {
            Loss::HeadTimeout | Loss::IdleTimeout => {
                // Over TLS, one look takes a few pieces, which may not be a whole record.
                let is_encrypted = log.head_arrived.is_none();
                assert!(
                    !log.left_unread || is_encrypted,
                    "{loss}, and there was something to read"
                );
            }
            Loss::Status(_) if text.contains("body was not complete") => {
                let deadline = log.first_arrival.map(|at| at + bounds.body_timeout);
                let was_in_time = log.last_arrival < deadline;
                assert!(
                    log.arrived_of_body() < body || !was_in_time,
                    "{loss}, and the body came in time: {log:?}"
                );
            }
            _ => {}
        }
    }

    /// May be busy otherwise for some time.
    pub async fn dawdle(&self, state: &Mutex<State>) {
        if lock(state).hurries || self.chaos.draw(|rng| rng.f64()) >= self.dawdling {
            return;
        }
        let pause = self.chaos.draw(|rng| self.longest_pause.mul_f64(rng.f64()));
        lock(state).is_away = true;
        let mut timer = self.sim.timer(self.sim.now() + pause);
        poll_fn(|cx| timer.poll_elapsed(cx)).await;
        lock(state).is_away = false;
    }
}

/// The request of a client.
#[derive(Clone, Debug)]
pub struct Wish {
    pub kind: Kind,
    /// The number of redirects that lead to it.
    pub hops: Option<u32>,
    pub is_tls: bool,
    /// Whether the client prepares each attempt.
    pub prepares: bool,
    /// Whether the client has no connections: a foreign HTTP client sends its requests to the
    /// foreign server.
    pub is_elsewhere: bool,
    /// The length of its body.
    pub body: usize,
    pub config: EventSourceConfig,
}

#[derive(Debug)]
pub struct State {
    pub record: Record,
    /// The request whose answer is the open stream.
    pub open: Option<usize>,
    /// Whether the client is busy otherwise.
    pub is_away: bool,
    /// Whether the client is never busy otherwise any more.
    pub hurries: bool,
    pub is_over: bool,
    /// Whether the client is to pause, and whether it reported that it does.
    wants_pause: bool,
    pub is_paused: bool,
    /// Whether the client got an end that is final.
    pub is_final: bool,
}

pub struct Client {
    pub kind: Kind,
    /// Whether its requests go to the foreign server.
    pub is_elsewhere: bool,
    /// The shortest time between two requests.
    pub floor: Duration,
    pub state: Arc<Mutex<State>>,
    pub handle: EventSourceHandle,
    job: Job<()>,
}

pub fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// Returns whether the client is to pause, and has not reported yet that it does.
    pub fn is_about_to_pause(&self) -> bool {
        self.wants_pause && !self.is_paused
    }

    pub fn new(record: Record) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self {
            record,
            open: None,
            is_away: false,
            hurries: false,
            is_over: false,
            wants_pause: false,
            is_paused: false,
            is_final: false,
        }))
    }
}

impl Client {
    pub fn start(around: &Surroundings, number: usize, wish: &Wish, host: &SharedHost) -> Self {
        let mut config = wish.config.clone();
        config.headers.insert("x-client", number.into());
        if wish.kind == Kind::Upload {
            config.method = Method::POST;
            config.body = body_of(wish.body);
        }
        let path = path_of(wish.kind);
        let path = match wish.hops {
            Some(hops) => format!("/elsewhere/{hops}{path}"),
            None => path.to_owned(),
        };
        let scheme = if wish.is_tls { "https" } else { "http" };
        let port = if wish.is_tls { ":443" } else { "" };
        let url = format!("{scheme}://{}{port}{path}", crate::NAME);
        let sim = around.sim.of_client(number);
        let source = EventSource::on(sim, url, config).expect("a good URL");
        #[cfg(feature = "tls")]
        let source = match wish.is_tls {
            true => source.with_tls(crate::tls::client_config()),
            false => source,
        };
        let source = match wish.prepares {
            true => {
                let around = around.clone();
                source.prepare(move |attempt| prepare(around.clone(), attempt))
            }
            false => source,
        };
        let source = match wish.is_elsewhere {
            true => source.with_http_client(ToHost {
                around: around.clone(),
                number,
                host: host.clone(),
            }),
            false => source,
        };
        let record = Record::new(wish.kind, &body_of(wish.body), around.topics.largest_event);
        let state = State::new(record);
        let handle = source.handle();
        let listener = Listener {
            around: around.clone(),
            number,
            kind: wish.kind,
            source,
            body: wish.body,
            state: state.clone(),
            last: None,
        };
        let job = around.sim.start(listener.listen());
        let reconnection = wish.config.reconnection.as_ref();
        Self {
            kind: wish.kind,
            is_elsewhere: wish.is_elsewhere,
            floor: reconnection.map_or(Duration::ZERO, |reconnection| reconnection.floor),
            state,
            handle,
            job,
        }
    }

    pub fn pause(&self) {
        lock(&self.state).wants_pause = true;
        self.handle.pause();
    }

    pub fn resume(&self) {
        let mut state = lock(&self.state);
        (state.wants_pause, state.is_paused) = (false, false);
        drop(state);
        self.handle.resume();
    }

    /// Drops the client without a close.
    pub fn cancel(&self) {
        self.job.cancel();
        lock(&self.state).is_over = true;
    }
}

/// Returns a body of this length.
pub fn body_of(length: usize) -> Bytes {
    let bytes = (0..length).map(|at| (at * at % 251) as u8);
    bytes.collect()
}

/// The hook before an attempt: it takes some time, and sometimes fails.
async fn prepare(around: Surroundings, attempt: Attempt) -> io::Result<Prepared> {
    let (pause, what) = around.chaos.draw(|rng| (rng.u64(..800), rng.u8(..20)));
    let mut timer = around
        .sim
        .timer(around.sim.now() + Duration::from_millis(pause));
    poll_fn(|cx| timer.poll_elapsed(cx)).await;
    around.sim.note_progress();
    match what {
        _ if around.chaos.is_calm() => Ok(Prepared::Send(attempt)),
        0 => Err(io::ErrorKind::NotFound.into()),
        1 => Ok(Prepared::Wait(Duration::from_millis(pause))),
        2 => panic!("expected in this test"),
        _ => Ok(Prepared::Send(attempt)),
    }
}

/// The task of a client.
struct Listener {
    around: Surroundings,
    number: usize,
    kind: Kind,
    source: EventSource<Sim>,
    state: Arc<Mutex<State>>,
    /// The length of its requests' body.
    body: usize,
    /// The request that was answered last, until its stream is lost.
    last: Option<usize>,
}

impl Listener {
    async fn listen(mut self) {
        while let Some(event) = self.source.next_update().await {
            self.around.sim.note_progress();
            let is_event = matches!(event, ClientEvent::Event(_));
            self.take(event);
            if is_event {
                self.around.dawdle(&self.state).await;
            }
        }
        assert!(lock(&self.state).is_over, "an end that is not told");
    }

    fn take(&mut self, event: ClientEvent) {
        let (around, number) = (&self.around, self.number);
        let mut state = lock(&self.state);
        assert!(!state.is_over, "{event:?} after the end");
        match event {
            ClientEvent::Open(response) => {
                let id = number_of(&response).expect("a number");
                around
                    .registry
                    .note(format_args!("client {number} is open: {id}"));
                assert!(!state.is_paused, "client {number} is open, and pauses");
                let asked = around.registry.asked(id);
                assert_eq!((asked.client, asked.kind), (number, self.kind));
                if response.headers().contains_key("content-encoding") {
                    around.tally().compressed(self.kind);
                }
                let last_id = self.source.last_event_id();
                state
                    .record
                    .opened(id, &asked, last_id.as_str(), around.announce);
                state.open = Some(id);
                self.last = Some(id);
                match asked.link {
                    Some(_) => around.tally().opened(self.kind),
                    None => around.tally().opened_elsewhere(self.kind),
                }
            }
            ClientEvent::Event(event) => {
                assert!(state.open.is_some(), "{event:?} of no stream");
                state.record.received(&event, &around.topics);
                around.tally().delivered += 1;
            }
            ClientEvent::Disconnect => state.open = None,
            ClientEvent::Lost { loss, .. } => {
                around
                    .registry
                    .note(format_args!("client {number} is lost: {loss}"));
                around.check_loss(number, &loss, self.body);
                // A connection that the client replaces need not have delivered everything.
                let is_left = matches!(loss, Loss::Replaced);
                if let Some(id) = self.last.take().filter(|_| !is_left) {
                    around.check_end(id, &state.record, matches!(loss, Loss::Ended));
                }
                around.tally().lost(&loss);
            }
            ClientEvent::Paused => {
                around.registry.note(format_args!("client {number} pauses"));
                assert_eq!(state.open, None, "a connection of a client that pauses");
                // The client may have been resumed meanwhile.
                state.is_paused = state.wants_pause;
                self.last = None;
                around.tally().paused();
            }
            ClientEvent::Closed(result) => {
                around
                    .registry
                    .note(format_args!("client {number} is over: {result:?}"));
                assert_eq!(self.source.phase(), Phase::Closed);
                state.is_over = true;
                state.is_final = true;
                around.tally().ended(&result);
            }
            ClientEvent::Discarded(error) => panic!("{error}"),
            _ => {}
        }
    }
}
