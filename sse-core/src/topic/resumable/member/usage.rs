//! Who uses a stream on one node.

use std::time::Instant;

/// The clients and the calls of one node that concern a stream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Usage {
    calls: u64,
    listeners: u64,
    /// The time at which the last client, or call, left.
    idle_since: Instant,
}

impl Usage {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            calls: 0,
            listeners: 0,
            idle_since: now,
        }
    }

    pub(super) fn attach(&mut self) {
        self.listeners += 1;
    }

    /// Returns whether it was the last client.
    pub(super) fn detach(&mut self, now: Instant) -> bool {
        self.listeners = self.listeners.saturating_sub(1);
        let is_last = self.listeners == 0;
        if is_last {
            self.idle_since = now;
        }
        is_last
    }

    pub(super) fn hold(&mut self) {
        self.calls += 1;
    }

    pub(super) fn release(&mut self, now: Instant) {
        self.calls = self.calls.saturating_sub(1);
        if self.calls == 0 {
            self.idle_since = now;
        }
    }

    pub(super) fn listeners(&self) -> u64 {
        self.listeners
    }

    pub(super) fn has_calls(&self) -> bool {
        self.calls > 0
    }

    /// Since when there has been neither a client nor a call.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        (self.calls == 0 && self.listeners == 0).then_some(self.idle_since)
    }

    /// The stream has changed in a way from which on its idle time counts.
    pub(super) fn begin_to_idle(&mut self, now: Instant) {
        self.idle_since = now;
    }
}
