//! A stream of which a node has read no claim yet, and the node's own claim.

use std::time::Instant;

use super::{AppendFailure, MemberConfig};
use crate::topic::Position;

/// What a node knows of its own claim, while it has read none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Unclaimed {
    /// There is a producer to start.
    starts: bool,
    /// The claim is still to be appended.
    claims: bool,
    /// Where the log took it.
    taken_at: Option<Position>,
    /// Until when it is waited for, once it is in the log or may be.
    until: Option<Instant>,
}

impl Unclaimed {
    /// Returns whether it begins to claim the stream.
    pub(super) fn start(&mut self) -> bool {
        let begins = !self.starts;
        if begins {
            self.claim_again();
        }
        begins
    }

    pub(super) fn give_up(&mut self) {
        *self = Self::default();
    }

    pub(super) fn starts(&self) -> bool {
        self.starts
    }

    pub(super) fn claims(&self) -> bool {
        self.claims
    }

    /// Returns whether the claim is to be appended. It counts as done.
    pub(super) fn take(&mut self) -> bool {
        std::mem::take(&mut self.claims)
    }

    fn claim_again(&mut self) {
        *self = Self {
            starts: true,
            claims: true,
            taken_at: None,
            until: None,
        };
    }

    /// Returns whether the claim waits to be read back, or is being appended.
    fn waits(&self) -> bool {
        self.starts && !self.claims
    }

    /// The log took the claim there, and was read up to `read`. Returns whether the log has lost the claim
    /// since then, so that it is appended again.
    pub(super) fn handle_appended(
        &mut self,
        now: Instant,
        at: Position,
        read: Option<Position>,
        config: &MemberConfig,
    ) -> bool {
        if !self.waits() {
            return false;
        }
        let is_lost = read.is_some_and(|read| read.epoch() > at.epoch());
        if is_lost {
            self.claim_again();
        } else {
            self.taken_at = Some(at);
            self.wait(now, config);
        }
        is_lost
    }

    pub(super) fn handle_append_failed(
        &mut self,
        now: Instant,
        failure: AppendFailure,
        config: &MemberConfig,
    ) {
        match failure {
            AppendFailure::NotAppended => self.give_up(),
            AppendFailure::Unknown if self.waits() => self.wait(now, config),
            AppendFailure::Unknown => {}
        }
    }

    fn wait(&mut self, now: Instant, config: &MemberConfig) {
        self.until = now.checked_add(config.counted_lease());
    }

    /// The history begins in this epoch. A claim that the log took in another one is appended again: it is
    /// lost, or the log has come back to before it. Of two in the log the first counts.
    pub(super) fn handle_begin(&mut self, epoch: u64) {
        if self.taken_at.is_some_and(|at| at.epoch() != epoch) {
            self.claim_again();
        }
    }

    /// The log has lost its history, and is in this epoch now. A claim of which it is not known where it is may
    /// be lost.
    pub(super) fn handle_anew(&mut self, epoch: u64) {
        if self.until.is_some() && self.taken_at.is_none() {
            self.claim_again();
        }
        self.handle_begin(epoch);
    }

    /// The time does not count in which the log does not answer.
    pub(super) fn forgive(&mut self, now: Instant, config: &MemberConfig) {
        if self.until.is_some() {
            self.wait(now, config);
        }
    }

    /// When the claim is given up.
    pub(super) fn until(&self) -> Option<Instant> {
        self.until
    }
}
