//! The connections of a server, or the responses of an embedding: their number, their counters, and their
//! end.

mod endings;
mod stats;
#[cfg(all(test, loom, feature = "loom"))]
mod under_loom;

use std::{
    future::poll_fn,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use crate::{OpenStreams, Runtime, TrustedProxies, open_streams::Ticket, trace, wait::within};
use ::http::HeaderMap;
use endings::Ending;
use sse_core::{
    Budget,
    internal::{
        SlotId, WakerSet,
        sync::{AtomicBool, AtomicU32, AtomicUsize, Mutex, MutexGuard, Ordering, lock},
    },
    lifecycle::{CloseReason, Shutdown},
};
use stats::{Counters, count};

pub(crate) use endings::Endings;
pub use stats::{Report, ServerStats};

/// The time to wait, at the end of a shutdown, for tasks that were told to end. They only need a turn
/// each: only a task that blocks its thread takes as long.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// What all connections of a server share.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    /// The shutdown that handlers see. [`shut_down`](Self::shut_down) begins it.
    pub(crate) shutdown: Shutdown,
    /// Whether the shutdown's deadline has passed: connections that are still open are cut.
    cut: AtomicBool,
    counters: Counters,
    /// The memory for request bodies and queued output, which others may share.
    budget: Mutex<Budget>,
    /// The proxies that are trusted to name the clients.
    trusted_proxies: Mutex<Option<Arc<TrustedProxies>>>,
    /// The list of open streams.
    open_streams: Mutex<Option<OpenStreams>>,
    /// When streams end.
    endings: Mutex<Endings>,
    open: AtomicUsize,
    turned_away: AtomicUsize,
    /// The connections' tasks, which are woken at the shutdown's beginning, and again at its end.
    tasks: Mutex<WakerSet>,
    /// The number of times that they were woken. It changes only under their lock, and may wrap around.
    wakings: AtomicU32,
    /// The tasks that wait for the last connection: the server's, or those that shut an embedding down.
    waiting: Mutex<WakerSet>,
}

/// A connection's place among the others, held for as long as the connection exists.
#[derive(Debug)]
pub(crate) struct Place {
    connections: Arc<Connections>,
    slot: Option<SlotId>,
    /// The number of wakings when this task last asked to be woken.
    wakings: u32,
    is_turned_away: bool,
    /// Whether its end has been counted.
    closed: bool,
    /// Whether the server was cut before the client had everything. The exchange stores this here, where
    /// there is room for it.
    pub(crate) is_cut: bool,
    /// Whether the end of the stream at the shutdown was drawn.
    pub(crate) has_end: bool,
    /// The number of queued bytes that it last reported.
    queued: usize,
    /// Its entry in the list of open streams.
    pub(crate) ticket: Option<Ticket>,
}

impl Connections {
    /// Replaces the budget, which is that of the process by default.
    pub(crate) fn set_budget(&self, budget: &Budget) {
        lock(&self.budget).clone_from(budget);
    }

    /// Sets the trusted proxies.
    pub(crate) fn set_trusted_proxies(&self, proxies: Option<&TrustedProxies>) {
        *lock(&self.trusted_proxies) = proxies.cloned().map(Arc::new);
    }

    /// Returns the client that sent a request with these fields.
    pub(crate) fn client(&self, peer: Option<SocketAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        let proxies = lock(&self.trusted_proxies).clone();
        match proxies {
            Some(proxies) => proxies.client(peer, headers),
            None => peer.map(|peer| peer.ip().to_canonical()),
        }
    }

    /// Sets the list of open streams.
    pub(crate) fn set_open_streams(&self, streams: Option<&OpenStreams>) {
        *lock(&self.open_streams) = streams.cloned();
    }

    pub(crate) fn open_streams(&self) -> Option<OpenStreams> {
        lock(&self.open_streams).clone()
    }

    /// Sets when streams end.
    pub(crate) fn set_endings(&self, endings: Endings) {
        *lock(&self.endings) = endings;
    }

    /// Draws the longest life of the next stream.
    pub(crate) fn draw_lifetime(&self) -> Option<Duration> {
        lock(&self.endings).draw_lifetime()
    }

    /// Draws how the next stream that its client can resume ends, once the shutdown has begun.
    pub(crate) fn draw_end(&self, now: Instant) -> Ending {
        lock(&self.endings).draw_end(now, self.open())
    }

    /// Takes a place, unless `limit` places are taken, or the whole budget is used.
    pub(crate) fn enter(self: &Arc<Self>, limit: usize) -> Option<Place> {
        if lock(&self.budget).is_exhausted() {
            return None;
        }
        self.open
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |open| {
                (open < limit).then_some(open + 1)
            })
            .ok()
            .map(|_| self.place(false))
    }

    /// Takes a place for a connection that is told that there is none, unless `limit` of those are taken.
    pub(crate) fn enter_turned_away(self: &Arc<Self>, limit: usize) -> Option<Place> {
        self.turned_away
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |turned_away| {
                (turned_away < limit).then_some(turned_away + 1)
            })
            .ok()
            .map(|_| self.place(true))
    }

    fn place(self: &Arc<Self>, is_turned_away: bool) -> Place {
        Place {
            connections: self.clone(),
            slot: None,
            wakings: 0,
            is_turned_away,
            closed: false,
            is_cut: false,
            has_end: false,
            queued: 0,
            ticket: None,
        }
    }

    /// Begins the shutdown.
    pub(crate) fn shut_down(&self) {
        self.shutdown.begin();
        self.wake_tasks();
    }

    /// Cuts every connection.
    pub(crate) fn cut(&self) {
        self.shutdown.begin();
        self.cut.store(true, Ordering::Release);
        self.wake_tasks();
    }

    /// Returns whether every connection is being cut.
    pub(crate) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Acquire)
    }

    fn wake_tasks(&self) {
        let mut tasks = self.tasks();
        self.wakings.fetch_add(1, Ordering::Release);
        let woken = tasks.take_all();
        drop(tasks);
        woken.for_each(Waker::wake);
    }

    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    pub(crate) fn count_accepted(&self) {
        count(&self.counters.accepted);
    }

    pub(crate) fn count_turned_away(&self) {
        count(&self.counters.turned_away);
    }

    pub(crate) fn count_accept_error(&self) {
        count(&self.counters.accept_errors);
    }

    pub(crate) fn stats(&self) -> ServerStats {
        self.counters.stats(self.open(), lock(&self.budget).used())
    }

    fn report(&self) -> Report {
        let stats = self.stats();
        Report {
            accepted: stats.accepted,
            turned_away: stats.turned_away,
            accept_errors: stats.accept_errors,
            cut: self.counters.cut.load(Ordering::Relaxed),
        }
    }

    /// Shuts down gracefully: begins the shutdown, waits up to `time` for all connections to end by
    /// themselves, and cuts the others.
    pub(crate) async fn shut_down_within<R: Runtime>(
        &self,
        runtime: &R,
        timeout: Duration,
    ) -> Report {
        self.shut_down();
        trace::shutting_down(self.open());
        let deadline = runtime.now().checked_add(timeout);
        within(runtime, deadline, self.all_gone()).await;
        self.cut();
        let deadline = runtime.now().checked_add(LAST_WAIT);
        within(runtime, deadline, self.all_gone()).await;
        let report = self.report();
        trace::shut_down(&report);
        report
    }

    /// Waits until the last place is free.
    async fn all_gone(&self) {
        let mut waiting = Waiting {
            connections: self,
            slot: None,
        };
        poll_fn(|cx| waiting.poll(cx)).await;
    }

    /// No foreign code runs under the locks, so a poisoned lock never hides a half-done change.
    fn waiting(&self) -> MutexGuard<'_, WakerSet> {
        lock(&self.waiting)
    }

    fn tasks(&self) -> MutexGuard<'_, WakerSet> {
        lock(&self.tasks)
    }
}

/// A task that waits for the last connection. There may be several, and each is woken.
struct Waiting<'c> {
    connections: &'c Connections,
    slot: Option<SlotId>,
}

impl Waiting<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let before = self
            .connections
            .waiting()
            .register(&mut self.slot, cx.waker());
        // This must not happen under the lock: it may drop the last handle of a task.
        drop(before);
        match self.connections.open() {
            0 => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            let task = self.connections.waiting().remove(slot);
            drop(task);
        }
    }
}

impl Place {
    pub(crate) fn connections(&self) -> &Connections {
        &self.connections
    }

    /// Registers this task to be woken when the shutdown begins, and when all connections are cut. Check
    /// afterwards whether that has happened. `is_new` says that it is another task than the last time.
    pub(crate) fn wake_at_shutdown(&mut self, task: &Waker, is_new: bool) {
        let wakings = &self.connections.wakings;
        // A waking removes all registered tasks, and there may be several wakings: a shutdown may be
        // begun twice, and a task may see it before it is woken for it.
        if is_new || wakings.load(Ordering::Acquire) != self.wakings {
            let mut tasks = self.connections.tasks();
            self.wakings = wakings.load(Ordering::Acquire);
            let before = tasks.register(&mut self.slot, task);
            // This must not happen under the lock: it may drop the last handle of a task.
            drop(tasks);
            drop(before);
        }
    }

    /// Counts a request.
    pub(crate) fn asked(&self) {
        count(&self.counters().requests);
    }

    /// Counts events that the handler yielded.
    pub(crate) fn sent(&self, events: usize) {
        if events > 0 {
            let counter = &self.counters().events;
            counter.fetch_add(events as u64, Ordering::Relaxed);
        }
    }

    /// Counts bytes that were written.
    pub(crate) fn wrote(&self, bytes: usize) {
        let counter = &self.counters().written_bytes;
        counter.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Updates the number of bytes that wait to be written, which is mostly 0, as before.
    pub(crate) fn queues(&mut self, bytes: usize) {
        if bytes != self.queued {
            // The change may be negative: the counter wraps around and comes back.
            let change = (bytes as u64).wrapping_sub(self.queued as u64);
            self.queued = bytes;
            let counter = &self.counters().queued_bytes;
            counter.fetch_add(change, Ordering::Relaxed);
        }
    }

    /// Counts the end of the connection for this reason. Only the first call counts.
    pub(crate) fn closed(&mut self, reason: &CloseReason) {
        let counted = self.closed || self.is_turned_away;
        self.closed = true;
        if !counted {
            self.counters().closed.count(reason);
        }
    }

    /// Counts that the connection was cut.
    pub(crate) fn was_cut(&self) {
        count(&self.counters().cut);
    }

    fn counters(&self) -> &Counters {
        &self.connections.counters
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.queues(0);
        // No other reason was given.
        self.closed(&CloseReason::TaskDropped);
        if let Some(slot) = self.slot.take() {
            let task = self.connections.tasks().remove(slot);
            drop(task);
        }
        if self.is_turned_away {
            self.connections.turned_away.fetch_sub(1, Ordering::AcqRel);
        } else if self.connections.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            let waiting = self.connections.waiting().take_all();
            waiting.for_each(Waker::wake);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_task_with_one_waker_is_woken_at_the_shutdown_and_again_at_the_cut() {
        let (connections, count) = (Arc::<Connections>::default(), Arc::<Count>::default());
        let task = Waker::from(count.clone());
        let mut place = connections.enter(1).unwrap();
        place.wake_at_shutdown(&task, true);
        connections.shut_down();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        // As the task does when it is polled then.
        place.wake_at_shutdown(&task, false);
        connections.cut();
        assert_eq!(count.0.load(Ordering::Relaxed), 2);
        drop(place);
        assert_eq!(connections.open(), 0);
    }

    #[test]
    fn a_task_is_woken_for_the_cut_however_often_and_early_it_heard_of_the_shutdown() {
        let (connections, count) = (Arc::<Connections>::default(), Arc::new(Count::default()));
        let waker = Waker::from(count.clone());
        let mut place = connections.enter(1).unwrap();
        place.wake_at_shutdown(&waker, true);

        // Its handler sees the shutdown first, and has the task polled.
        connections.shutdown.begin();
        place.wake_at_shutdown(&waker, false);
        connections.shut_down();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        place.wake_at_shutdown(&waker, false);
        // A second shutdown begins.
        connections.shut_down();
        assert_eq!(count.0.load(Ordering::Relaxed), 2);
        place.wake_at_shutdown(&waker, false);
        connections.cut();
        assert_eq!(count.0.load(Ordering::Relaxed), 3);
    }
}
