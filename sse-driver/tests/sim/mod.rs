//! A runtime without sockets, threads or waiting.
//!
//! Time stands still until [`Sim::advance`] moves it, tasks run on the thread of the test that calls it,
//! always in the same order, and connections are queues of bytes in memory. A test says what a [`Client`]
//! does and then checks the results, in the same instant or an hour later.
//!
//! It is also an example of an adapter: this file has the clock, the timers and the implementation of the
//! traits, [`executor`] runs the tasks, [`network`] carries the bytes.

#[allow(dead_code)] // most tests want a runtime in order
mod disorder;
mod executor;
mod network;

use std::{
    collections::BTreeMap,
    future::{Future, pending, poll_fn},
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant, SystemTime},
};

use sse_driver::{BindOptions, Clock, Runtime, Timer, Transport};

#[allow(unused_imports)]
pub use disorder::{Connected, Dialing, Disorder};
use executor::Executor;
pub use executor::Job;
pub use network::{Client, NO_HOST, NO_HOST_IPV6, SERVER, ServerSide, SimListener, SimTransport};

/// More steps than this without time passing count as a livelock, and so do more moments than this in one
/// [`Sim::advance`].
const MOST_STEPS: u64 = 200_000;

/// The runtime. Clones are handles to the same one.
#[derive(Clone)]
pub struct Sim {
    shared: Arc<Shared>,
    /// The client that it belongs to, where clients are distinguished.
    client: usize,
}

struct Shared {
    start: Instant,
    clock: Mutex<Time>,
    executor: Executor,
    disorder: Option<Arc<dyn Disorder>>,
    backlog: Mutex<network::Backlog>,
    /// The number of steps in this instant.
    steps: AtomicU64,
    /// The number of reads of the clock.
    readings: AtomicU64,
    /// The probe time of each connection that was made.
    probed_after: Mutex<Vec<Duration>>,
    /// The addresses of the only host, under any name.
    addresses: Mutex<Vec<SocketAddr>>,
    /// The addresses that were connected to, with the times.
    dialed: Mutex<Vec<(Duration, SocketAddr)>>,
}

struct Time {
    now: Instant,
    /// The timers. The number distinguishes those of the same deadline.
    timers: BTreeMap<(Instant, u64), Waker>,
    timer_count: u64,
}

impl Sim {
    /// Creates a runtime in which nothing happens yet.
    pub fn new() -> Self {
        Self::with(None)
    }

    /// Creates a runtime that is not in order.
    #[allow(dead_code)]
    pub fn with_disorder(disorder: Arc<dyn Disorder>) -> Self {
        Self::with(Some(disorder))
    }

    fn with(disorder: Option<Arc<dyn Disorder>>) -> Self {
        #[allow(clippy::disallowed_methods)] // an `Instant` has to come from somewhere
        let start = Instant::now();
        let clock = Time {
            now: start,
            timers: BTreeMap::new(),
            timer_count: 0,
        };
        Self {
            shared: Arc::new(Shared {
                start,
                clock: Mutex::new(clock),
                executor: Executor::new(disorder.clone()),
                disorder,
                backlog: Mutex::default(),
                steps: AtomicU64::new(0),
                readings: AtomicU64::new(0),
                probed_after: Mutex::default(),
                addresses: Mutex::new(vec![network::SERVER]),
                dialed: Mutex::default(),
            }),
            client: 0,
        }
    }

    /// Runs every task until all of them wait. No time passes.
    pub fn settle(&self) {
        while self.step() {}
    }

    /// Polls one woken task; returns whether there was one.
    pub fn step(&self) -> bool {
        self.count_step();
        self.shared.executor.poll_next()
    }

    /// Lets time pass, with everything that happens meanwhile.
    pub fn advance(&self, by: Duration) {
        self.settle();
        let end = self.now() + by;
        let mut moments = 0;
        loop {
            let next = self.clock().pop_timer(end);
            let Some((moment, waker)) = next else { break };
            moments += 1;
            assert!(moments < MOST_STEPS, "livelock: time hardly moves");
            self.move_clock(moment);
            waker.wake();
            self.settle();
        }
        self.move_clock(end);
    }

    /// Lets time pass in which no task runs, because the thread is blocked or the machine sleeps. The
    /// tasks then run all at once, late.
    pub fn hold_up(&self, by: Duration) {
        self.move_clock(self.now() + by);
    }

    /// Returns how long the runtime has been running, by its own clock.
    pub fn elapsed(&self) -> Duration {
        self.now() - self.shared.start
    }

    /// Spawns a task that the test can cancel, or take the output of.
    pub fn start<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Job<T> {
        Job::spawn(&self.shared.executor, future)
    }

    /// Drops every task, as a runtime does that shuts down. Later tasks are dropped at once.
    pub fn stop(&self) {
        self.shared.executor.stop();
    }

    /// Returns the number of live tasks.
    pub fn live_tasks(&self) -> usize {
        self.shared.executor.live()
    }

    /// Returns the number of timers that tasks wait for.
    pub fn live_timers(&self) -> usize {
        self.clock().timers.len()
    }

    /// Returns the probe times of the connections that were made.
    pub fn probed_after(&self) -> Vec<Duration> {
        lock(&self.shared.probed_after).clone()
    }

    /// Gives the host these addresses instead of the server's.
    pub fn set_addresses(&self, addresses: impl Into<Vec<SocketAddr>>) {
        *lock(&self.shared.addresses) = addresses.into();
    }

    /// Returns the addresses that were connected to, with the milliseconds after the start.
    pub fn dialed(&self) -> Vec<(u128, SocketAddr)> {
        let dialed = lock(&self.shared.dialed);
        dialed
            .iter()
            .map(|(when, address)| (when.as_millis(), *address))
            .collect()
    }

    /// Returns the number of polls so far.
    pub fn polls(&self) -> u64 {
        self.shared.executor.polls()
    }

    /// Returns the number of reads of the clock so far.
    #[allow(dead_code)]
    pub fn readings(&self) -> u64 {
        self.shared.readings.load(Ordering::Relaxed)
    }

    /// Counts a step that takes no time; too many are a livelock.
    fn count_step(&self) {
        let steps = self.shared.steps.fetch_add(1, Ordering::Relaxed);
        assert!(steps < MOST_STEPS, "livelock: this goes on without an end");
    }

    fn move_clock(&self, to: Instant) {
        self.clock().now = to;
        self.shared.steps.store(0, Ordering::Relaxed);
    }

    fn clock(&self) -> MutexGuard<'_, Time> {
        lock(&self.shared.clock)
    }
}

impl Time {
    fn pop_timer(&mut self, end: Instant) -> Option<(Instant, Waker)> {
        let entry = self.timers.first_entry()?;
        let (deadline, _) = *entry.key();
        // A deadline may have passed before the timer was set.
        (deadline <= end).then(|| (deadline.max(self.now), entry.remove()))
    }
}

impl Clock for Sim {
    fn now(&self) -> Instant {
        self.shared.readings.fetch_add(1, Ordering::Relaxed);
        self.clock().now
    }

    fn date(&self) -> SystemTime {
        // Sun, 06 Nov 1994 08:49:37 GMT
        SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777) + self.elapsed()
    }

    fn seed(&self) -> u64 {
        self.shared.disorder.as_ref().map_or(7, |it| it.seed())
    }
}

impl Runtime for Sim {
    type Timer = SimTimer;
    /// This is the type of a runtime with several kinds of sockets.
    type Transport = Box<dyn Transport>;
    type Listener = SimListener;

    fn timer(&self, deadline: Instant) -> SimTimer {
        let mut clock = self.clock();
        clock.timer_count += 1;
        SimTimer {
            sim: self.clone(),
            deadline,
            number: clock.timer_count,
        }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.shared.executor.spawn(task);
    }

    async fn bind(&self, _: SocketAddr, _: &BindOptions) -> io::Result<SimListener> {
        Ok(self.listen())
    }

    fn local_addr(&self, _: &SimListener) -> io::Result<SocketAddr> {
        Ok(network::SERVER)
    }

    async fn accept(&self, listener: &SimListener) -> io::Result<(Self::Transport, SocketAddr)> {
        poll_fn(|cx| listener.poll_accept(cx)).await
    }

    async fn resolve(&self, _host: &str, _port: u16) -> io::Result<Vec<SocketAddr>> {
        if let Some(disorder) = &self.shared.disorder {
            disorder.begin_attempt(self, self.client);
        }
        Ok(lock(&self.shared.addresses).clone())
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<Self::Transport> {
        lock(&self.shared.dialed).push((self.elapsed(), address));
        if let Some(disorder) = self.shared.disorder.clone() {
            return disorder.dial(self, self.client, address).await;
        }
        match address {
            network::SERVER => Ok(Box::new(self.dial().await?)),
            network::NO_HOST | network::NO_HOST_IPV6 => pending().await,
            _ => Err(io::ErrorKind::NetworkUnreachable.into()),
        }
    }

    fn set_probing(&self, _: &Self::Transport, after: Duration) {
        lock(&self.shared.probed_after).push(after);
    }
}

/// A timer on the runtime's clock.
pub struct SimTimer {
    sim: Sim,
    deadline: Instant,
    number: u64,
}

impl Timer for SimTimer {
    fn reset(&mut self, deadline: Instant) {
        let key = (self.deadline, self.number);
        self.sim.clock().timers.remove(&key);
        self.deadline = deadline;
    }

    fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let key = (self.deadline, self.number);
        if !self.sim.may_go_on(cx) {
            return Poll::Pending;
        }
        let mut clock = self.sim.clock();
        if self.deadline <= clock.now {
            clock.timers.remove(&key);
            drop(clock);
            // A task may wait in a loop for times that have passed.
            self.sim.count_step();
            return Poll::Ready(());
        }
        clock.timers.insert(key, cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for SimTimer {
    fn drop(&mut self) {
        let key = (self.deadline, self.number);
        self.sim.clock().timers.remove(&key);
    }
}

/// A test should report the failed assertion, not the poisoned lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
