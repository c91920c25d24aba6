//! What a server or an embedding counts.

use std::fmt;

use sse_core::{
    BudgetUse,
    internal::sync::{AtomicU64, Ordering::Relaxed},
    lifecycle::{CloseCounters, CloseCounts},
};

/// What a [`Server`](crate::Server) has done so far, and what it is doing:
/// [`ServerHandle::stats`](crate::ServerHandle::stats).
///
/// Each number is exact, but they are not read in one moment: two of them may differ by what happened
/// in between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStats {
    /// How many connections were accepted, without those turned away at the connection limit.
    pub accepted: u64,
    /// How many were turned away at the connection limit.
    pub turned_away: u64,
    /// How often accepting failed, for example because the process had no file descriptor left, or
    /// because `rustls` could make no connection of the TLS configuration.
    pub accept_errors: u64,
    /// How many connections are open, without those that are being turned away.
    pub open: u64,
    /// How many requests had a complete and valid head.
    pub requests: u64,
    /// How many events handlers and topics gave to connections.
    pub events: u64,
    /// How many bytes of responses were written, before TLS.
    pub written_bytes: u64,
    /// How many bytes wait to be written, on all connections. It is large only where clients do not
    /// read.
    pub queued_bytes: u64,
    /// How much of the [budget](sse_core::server::ResponseConfig::budget) is used, by all that share
    /// it: other servers and embeddings, and topics.
    pub budget: BudgetUse,
    /// How many connections have ended, by reason. Those that were turned away are not among them.
    pub closed: CloseCounts,
}

/// Counters of a server that has shut down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// How many connections were taken.
    pub accepted: u64,
    /// How many were turned away at the connection limit.
    pub turned_away: u64,
    /// How often accepting failed, for example because the process had no file descriptor left, or
    /// because `rustls` could make no connection of the TLS configuration.
    pub accept_errors: u64,
    /// How many connections with a request were cut, at the shutdown's deadline or by
    /// [`cut`](crate::ServerHandle::cut).
    pub cut: u64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            accepted,
            turned_away,
            accept_errors,
            cut,
        } = self;
        write!(
            f,
            "{accepted} connections accepted, {turned_away} turned away at the limit, \
             {accept_errors} failed to be accepted, {cut} cut when it was shut down"
        )
    }
}

/// [`ServerStats`], as it is being counted.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) accepted: AtomicU64,
    pub(super) turned_away: AtomicU64,
    pub(super) accept_errors: AtomicU64,
    pub(super) requests: AtomicU64,
    pub(super) events: AtomicU64,
    pub(super) written_bytes: AtomicU64,
    pub(super) queued_bytes: AtomicU64,
    pub(super) closed: CloseCounters,
    /// How many were cut.
    pub(super) cut: AtomicU64,
}

impl Counters {
    pub(super) fn stats(&self, open: usize, budget: BudgetUse) -> ServerStats {
        let read = |count: &AtomicU64| count.load(Relaxed);
        ServerStats {
            accepted: read(&self.accepted),
            turned_away: read(&self.turned_away),
            accept_errors: read(&self.accept_errors),
            open: open as u64,
            requests: read(&self.requests),
            events: read(&self.events),
            written_bytes: read(&self.written_bytes),
            queued_bytes: read(&self.queued_bytes),
            budget,
            closed: self.closed.counts(),
        }
    }
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}
