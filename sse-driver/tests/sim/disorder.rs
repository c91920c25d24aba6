//! A runtime that does what runtimes may do and most do not; a test draws it from a seed.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::atomic::Ordering,
    task::{Context, Waker},
    time::Instant,
};

use sse_driver::Transport;

use super::{Sim, lock};

/// How often in a row a task may be woken and polled without any progress.
const IDLE_POLLS: u32 = 40;

/// A connection's end and its peer's address.
pub type Connected = (Box<dyn Transport>, SocketAddr);

/// A connection that is being made.
pub type Dialing = Pin<Box<dyn Future<Output = io::Result<Box<dyn Transport>>> + Send>>;

/// The decisions of a runtime that its contract leaves open.
pub trait Disorder: Send + Sync {
    /// Returns which of `woken` tasks is polled next.
    fn next(&self, woken: usize) -> usize;

    /// Returns whether the thread of this task is blocked, so that the task is not polled.
    fn holds(&self, task: u64) -> bool;

    /// Returns whether a poll has a new waker, after which the earlier ones do nothing.
    fn renews_waker(&self) -> bool;

    /// Begins a poll of a task, woken or not, with a new budget.
    fn begin_poll(&self, is_woken: bool);

    /// Uses one operation of the budget; returns whether there was one left.
    fn spend(&self) -> bool;

    /// Notes that the client begins an attempt: it asks for the server's addresses.
    fn begin_attempt(&self, _sim: &Sim, _client: usize) {}

    /// Connects to this address.
    fn dial(&self, sim: &Sim, client: usize, address: SocketAddr) -> Dialing;

    /// Returns an unpredictable number.
    fn seed(&self) -> u64;
}

/// How often in a row a task was polled without any progress.
#[derive(Default)]
pub struct Idleness {
    polls: u32,
    /// The progress at the end of the last poll.
    seen: u64,
}

impl Idleness {
    /// Records a poll of a task after it was woken.
    ///
    /// # Panics
    ///
    /// If it wakes itself again and again without any progress.
    pub fn polled(&mut self, before: u64, after: u64) {
        let is_idle = before == self.seen && after == before;
        self.polls = if is_idle { self.polls + 1 } else { 0 };
        self.seen = after;
        assert!(
            self.polls < IDLE_POLLS,
            "a busy loop: a task is woken again and again, and nothing happens"
        );
    }
}

impl Sim {
    /// Returns the same runtime for this client.
    pub fn of_client(&self, client: usize) -> Self {
        Self {
            client,
            ..self.clone()
        }
    }

    /// Records progress: a task that is polled because of it does not loop.
    pub fn note_progress(&self) {
        self.shared
            .executor
            .progress
            .fetch_add(1, Ordering::Relaxed);
    }

    /// Returns whether the task that is being polled may do one more operation. If not, it is woken at
    /// once, as by tokio's cooperative budget.
    pub fn may_go_on(&self, cx: &Context<'_>) -> bool {
        let goes_on = self.shared.disorder.as_ref().is_none_or(|it| it.spend());
        if !goes_on {
            self.note_progress();
            cx.waker().wake_by_ref();
        }
        goes_on
    }

    /// Returns the number of woken tasks that wait for their poll.
    pub fn woken(&self) -> usize {
        self.shared.executor.woken()
    }

    /// Polls a task that need not have been woken.
    pub fn poll_needlessly(&self, one: usize) {
        self.count_step();
        self.shared.executor.poll_needlessly(one);
    }

    /// Returns when the next timer elapses.
    pub fn next_timer(&self) -> Option<Instant> {
        let clock = self.clock();
        clock.timers.keys().next().map(|(deadline, _)| *deadline)
    }

    /// Wakes the waker at this time.
    pub fn wake_at(&self, deadline: Instant, waker: Waker) {
        let mut clock = self.clock();
        clock.timer_count += 1;
        let number = clock.timer_count;
        clock.timers.insert((deadline, number), waker);
    }

    /// Moves the clock. Returns the elapsed timers, for the caller to wake.
    pub fn go_to(&self, now: Instant) -> Vec<Waker> {
        let mut clock = self.clock();
        clock.now = clock.now.max(now);
        let now = clock.now;
        let mut due = Vec::new();
        while let Some((_, waker)) = clock.pop_timer(now) {
            due.push(waker);
        }
        drop(clock);
        self.shared.steps.store(0, Ordering::Relaxed);
        self.note_progress();
        due
    }

    /// Adds a connection that was made elsewhere, if the server listens.
    pub fn come_in(&self, connected: Connected) -> bool {
        self.offer(Ok(connected))
    }

    /// Returns whether the server listens.
    pub fn listens(&self) -> bool {
        lock(&self.shared.backlog).listening()
    }
}
