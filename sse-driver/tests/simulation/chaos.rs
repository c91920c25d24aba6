//! The behaviour of the runtime and the network, drawn from a seed: how tasks are woken and polled,
//! how many bytes a read or a write moves, and how connections are made.

use std::{
    collections::BTreeMap,
    fmt,
    future::pending,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
    time::{Duration, Instant},
};

use fastrand::Rng;
use sse_driver::{Clock, Runtime, Timer};

use crate::{
    reactor::Reactor,
    sim::{Dialing, Disorder, NO_HOST, NO_HOST_IPV6, Sim},
    transport::{End, Manner},
    wire::{Link, Side},
};

/// How the wakers of a task differ from those of its earlier polls.
#[derive(Clone, Copy, Debug)]
pub enum Wakers {
    /// A new waker at each poll.
    New,
    /// The same waker at every poll.
    Same,
    Either,
}

/// How disorderly a world is.
#[derive(Clone, Debug)]
pub struct Disarray {
    pub wakers: Wakers,
    /// The share of polls of tasks that need not have been woken.
    pub needless: f64,
    /// The share of polls after which no task has a turn for some time.
    pub held_up: f64,
    pub longest_hold_up: Duration,
    /// The share of polls that have a small budget.
    pub short_budgets: f64,
    /// The largest piece that a transport takes or gives at once.
    pub piece: usize,
    /// The share of flushes and shutdowns that are pending at first.
    pub slow_flushes: f64,
    /// The manner of transports that have one of their own.
    pub manner: Manner,
    /// The number of bytes that may be on their way in one direction.
    pub capacity: usize,
    pub longest_latency: Duration,
    /// The share of dials that never end, and of those that are refused.
    pub lost_dials: f64,
    /// The share of arrivals that can be read before a task is woken for them.
    pub late_notices: f64,
}

/// The longest time for which threads are held up where everything has to recover soon.
const CALM_HOLD_UP: Duration = Duration::from_millis(100);

/// Why no task is polled.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// None was woken.
    Rest,
    /// The woken tasks are on threads that are held up.
    SomeHeldUp,
    /// All threads are held up.
    AllHeldUp,
}

pub struct Chaos {
    disarray: Disarray,
    reactor: Arc<Reactor>,
    state: Mutex<State>,
}

struct State {
    rng: Rng,
    budget: u32,
    is_calm: bool,
    /// The threads that are held up, and until when.
    held: Option<(Instant, u64)>,
    /// When the last thread was released, or will be.
    free_since: Duration,
    links: Vec<Arc<Link>>,
    open: Vec<Arc<Link>>,
    /// When each client began its last attempt.
    attempts: BTreeMap<usize, Duration>,
}

/// The budget that tokio gives a task, which is more than the task needs as a rule.
const BUDGET: u32 = 128;

impl Chaos {
    pub fn new(seed: u64, disarray: Disarray) -> Arc<Self> {
        Arc::new(Self {
            reactor: Reactor::new(seed, disarray.late_notices),
            disarray,
            state: Mutex::new(State {
                rng: Rng::with_seed(seed),
                budget: BUDGET,
                is_calm: false,
                held: None,
                free_since: Duration::ZERO,
                links: Vec::new(),
                open: Vec::new(),
                attempts: BTreeMap::new(),
            }),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn draw<T>(&self, draw: impl FnOnce(&mut Rng) -> T) -> T {
        draw(&mut self.state().rng)
    }

    fn has(&self, share: f64) -> bool {
        self.draw(|rng| rng.f64()) < share
    }

    /// Lets the network work properly from now on. The runtime stays as it is.
    pub fn calm_down(&self, sim: &Sim) {
        let mut state = self.state();
        (state.is_calm, state.held) = (true, None);
        state.free_since = state.free_since.min(sim.elapsed());
    }

    /// Holds about half of the tasks up for this time, while the others continue.
    pub fn hold_up(&self, sim: &Sim, time: Duration) {
        let mut state = self.state();
        let which = state.rng.u64(..);
        state.held = Some((sim.now() + time, which));
        state.free_since = sim.elapsed() + time;
    }

    /// Returns the time since which, or from which on, every task has its turn.
    pub fn free_since(&self) -> Duration {
        self.state().free_since
    }

    fn held_until(&self) -> Option<Instant> {
        self.state().held.map(|(until, _)| until)
    }

    fn release(&self, now: Instant) {
        let held = &mut self.state().held;
        *held = held.filter(|(until, _)| *until > now);
    }

    /// Notes that this client begins an attempt.
    pub fn begin_attempt(&self, sim: &Sim, client: usize) {
        let now = sim.elapsed();
        self.state().attempts.insert(client, now);
    }

    /// Returns when this client began its last attempt.
    pub fn last_attempt(&self, client: usize) -> Option<Duration> {
        self.state().attempts.get(&client).copied()
    }

    pub fn is_calm(&self) -> bool {
        self.state().is_calm
    }

    /// Returns every link that was made, in order.
    pub fn links(&self) -> Vec<Arc<Link>> {
        self.state().links.clone()
    }

    pub fn link(&self, id: usize) -> Option<Arc<Link>> {
        self.state().links.get(id).cloned()
    }

    /// Returns the links that have an open end.
    pub fn open_links(&self) -> Vec<Arc<Link>> {
        let open = &mut self.state().open;
        open.retain(|link| !link.is_over());
        open.clone()
    }

    pub fn manner(&self) -> Manner {
        match self.draw(|rng| rng.bool()) {
            true => self.disarray.manner,
            false => Manner::Plain,
        }
    }

    pub fn piece(&self, most: usize) -> usize {
        let piece = self.disarray.piece;
        self.draw(|rng| rng.usize(1..=piece)).min(most)
    }

    pub fn holds_up_flush(&self) -> bool {
        self.has(self.disarray.slow_flushes)
    }

    /// Lets time pass up to `end`. Whenever no task is left to be polled, `at_rest` is called.
    pub fn pass(&self, sim: &Sim, end: Instant, mut at_rest: impl FnMut()) {
        loop {
            self.release(sim.now());
            let stop = self.run(sim);
            if stop == Stop::Rest {
                at_rest();
            }
            let now = sim.now();
            let next = match stop {
                Stop::Rest => sim.next_timer(),
                Stop::SomeHeldUp => sim.next_timer().into_iter().chain(self.held_until()).min(),
                Stop::AllHeldUp => {
                    let most = match self.is_calm() {
                        true => CALM_HOLD_UP,
                        false => self.disarray.longest_hold_up,
                    };
                    let later = self.draw(|rng| most.mul_f64(rng.f64()));
                    Some(now + later.max(Duration::from_millis(1)))
                }
            };
            if let Some(next) = next.filter(|next| *next <= end) {
                self.wake(sim.go_to(next));
                continue;
            }
            self.wake(sim.go_to(end));
            if stop == Stop::AllHeldUp {
                // Everything that is due now is done before the end.
                while sim.step() || self.reactor.look() {}
                if sim.woken() == 0 {
                    at_rest();
                }
            }
            return;
        }
    }

    /// Polls tasks until no woken task can be polled, or every thread is held up.
    fn run(&self, sim: &Sim) -> Stop {
        loop {
            if self.has(self.disarray.needless) {
                let one = self.draw(|rng| rng.usize(..));
                sim.poll_needlessly(one);
            }
            if !sim.step() && !self.reactor.look() {
                return match sim.woken() {
                    0 => Stop::Rest,
                    _ => Stop::SomeHeldUp,
                };
            }
            if self.has(self.disarray.held_up) && sim.woken() > 0 {
                return Stop::AllHeldUp;
            }
        }
    }

    fn wake(&self, mut wakers: Vec<Waker>) {
        self.draw(|rng| rng.shuffle(&mut wakers));
        wakers.into_iter().for_each(Waker::wake);
    }

    fn connect(self: &Arc<Self>, sim: &Sim, client: usize) -> io::Result<End> {
        if !sim.listens() {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (client, server, address) = self.new_link(sim, client);
        sim.come_in((Box::new(server), address));
        Ok(client)
    }

    /// Makes a link, and returns both ends, the client's first, and the address of the client.
    pub fn new_link(self: &Arc<Self>, sim: &Sim, client: usize) -> (End, End, SocketAddr) {
        let link = {
            let state = &mut *self.state();
            let (latency, capacity) = (self.disarray.longest_latency, self.disarray.capacity);
            let latency = match state.rng.u8(..3) {
                0 => Duration::ZERO,
                _ => latency.mul_f64(state.rng.f64()),
            };
            let id = state.links.len();
            let link = Link::new(id, client, sim, &self.reactor, latency, capacity);
            link.state().log.began = state.attempts.get(&client).copied();
            state.links.push(link.clone());
            state.open.push(link.clone());
            link
        };
        let server = End::new(sim, self, &link, Side::Server);
        let client = End::new(sim, self, &link, Side::Client);
        (client, server, address_of(&link))
    }
}

/// Returns the address of a link's client, by which its requests are recognised.
fn address_of(link: &Link) -> SocketAddr {
    let [high, low] = u16::try_from(link.id + 1).map_or([0, 0], u16::to_be_bytes);
    SocketAddr::from(([127, 1, high, low], 50_000))
}

/// Returns the number of the link whose client has this address.
pub fn link_from(address: SocketAddr) -> Option<usize> {
    let SocketAddr::V4(address) = address else {
        return None;
    };
    let [_, _, high, low] = address.ip().octets();
    usize::from(u16::from_be_bytes([high, low])).checked_sub(1)
}

/// The part of it that a runtime has.
pub struct Runtimes(pub Arc<Chaos>);

impl Disorder for Runtimes {
    fn next(&self, woken: usize) -> usize {
        self.0.draw(|rng| rng.usize(..woken))
    }

    fn holds(&self, task: u64) -> bool {
        let held = self.0.state().held;
        held.is_some_and(|(_, which)| Rng::with_seed(task ^ which).bool())
    }

    fn renews_waker(&self) -> bool {
        match self.0.disarray.wakers {
            Wakers::New => true,
            Wakers::Same => false,
            Wakers::Either => self.0.draw(|rng| rng.bool()),
        }
    }

    fn begin_poll(&self, is_woken: bool) {
        // A used-up budget wakes the task. If needless polls had small budgets as well, this would
        // never end.
        let is_short = is_woken && self.0.has(self.0.disarray.short_budgets);
        let mut state = self.0.state();
        state.budget = match is_short {
            true => state.rng.u32(..6),
            false => BUDGET,
        };
    }

    fn spend(&self) -> bool {
        let mut state = self.0.state();
        let left = state.budget.checked_sub(1);
        state.budget = left.unwrap_or(0);
        left.is_some()
    }

    fn begin_attempt(&self, sim: &Sim, client: usize) {
        self.0.begin_attempt(sim, client);
    }

    fn dial(&self, sim: &Sim, client: usize, address: SocketAddr) -> Dialing {
        let (chaos, sim) = (self.0.clone(), sim.clone());
        let is_lost = !chaos.is_calm() && chaos.has(chaos.disarray.lost_dials);
        let latency = chaos.disarray.longest_latency;
        let (is_refused, latency) = chaos.draw(|rng| (rng.bool(), latency.mul_f64(rng.f64())));
        Box::pin(async move {
            if address == NO_HOST || address == NO_HOST_IPV6 || (is_lost && !is_refused) {
                return pending().await;
            }
            let mut timer = sim.timer(sim.now() + latency);
            std::future::poll_fn(|cx| timer.poll_elapsed(cx)).await;
            if is_lost {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            let end = chaos.connect(&sim, client)?;
            Ok(Box::new(end) as _)
        })
    }

    fn seed(&self) -> u64 {
        self.0.draw(|rng| rng.u64(..))
    }
}

impl fmt::Debug for Chaos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.disarray.fmt(f)
    }
}
