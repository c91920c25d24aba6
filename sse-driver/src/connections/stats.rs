//! The counters of a server or an embedding.

use std::fmt;

use sse_core::{
    BudgetUse,
    internal::sync::{AtomicU64, Ordering::Relaxed},
    lifecycle::{CloseCounters, CloseCounts},
};

/// Counters and gauges of a [`Server`](crate::Server), from
/// [`ServerHandle::stats`](crate::ServerHandle::stats).
///
/// Each number is exact, but they are not read at one moment: two of them may differ by what happened in
/// between.
///
/// ```
/// use sse_driver::{ServerHandle, core::lifecycle::CloseReason};
///
/// fn report(handle: &ServerHandle) -> String {
///     let stats = handle.stats();
///     format!(
///         "{} open, {} events, {} clients gone",
///         stats.open,
///         stats.events,
///         stats.closed.of(&CloseReason::ClientWentAway),
///     )
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStats {
    /// The number of accepted connections, without those rejected at the connection limit.
    pub accepted: u64,
    /// The number of connections rejected at the connection limit.
    pub turned_away: u64,
    /// The number of failures to accept a connection, such as when the process had no file descriptor
    /// left, or when `rustls` could not use the TLS configuration.
    pub accept_errors: u64,
    /// The number of open connections, without those that are being rejected.
    pub open: u64,
    /// The number of requests with a complete and valid head.
    pub requests: u64,
    /// The number of events that handlers and topics gave to connections.
    pub events: u64,
    /// The number of written bytes of responses, before TLS.
    pub written_bytes: u64,
    /// The number of bytes that wait to be written, on all connections. It is large only where clients do
    /// not read.
    pub queued_bytes: u64,
    /// The use of the [budget](sse_core::server::ResponseConfig::budget) by all that share it, which may
    /// include other servers, embeddings and topics.
    pub budget: BudgetUse,
    /// The number of ended connections, by reason, without the rejected ones.
    pub closed: CloseCounts,
}

/// Counters of a server that has shut down, from [`Server::serve`](crate::Server::serve). Its `Display`
/// form is a line for a log.
///
/// ```
/// let report = sse_driver::Report::default();
/// assert_eq!(
///     report.to_string(),
///     "0 connections accepted, 0 turned away at the limit, 0 failed to be accepted, 0 cut when it was shut down",
/// );
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The number of accepted connections.
    pub accepted: u64,
    /// The number of connections rejected at the connection limit.
    pub turned_away: u64,
    /// The number of failures to accept a connection, such as when the process had no file descriptor
    /// left, or when `rustls` could not use the TLS configuration.
    pub accept_errors: u64,
    /// The number of connections with a request that were cut, at the shutdown's deadline or by
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

/// The counters of [`ServerStats`].
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
    /// The number of connections that were cut.
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
