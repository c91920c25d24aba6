//! A stream that runs: the times of its owner's records and of its clients, and the decision of a node on
//! silence.

use std::time::{Duration, Instant};

use super::{
    MemberConfig,
    record::{Append, Told},
};
use crate::{
    Text,
    topic::resumable::{StreamEnd, StreamError},
};

#[derive(Clone, Debug, PartialEq, Hash)]
pub(super) struct Running {
    pub(super) epoch: u64,
    /// The producer runs on this node.
    pub(super) is_mine: bool,
    /// The time of the owner's last record, or of the last trouble with the log.
    heard_at: Instant,
    /// The time at which the owner reports next that it is alive.
    alive_at: Instant,
    /// The end of the grace time, unless a node reports a client.
    grace_until: Option<Instant>,
    /// The time at which this node reports its clients next.
    listen_at: Instant,
    look: Look,
    /// The producer was told to end.
    pub(super) is_cancelled: bool,
    /// The end that this node wants for the stream.
    end: Option<StreamEnd>,
    /// This node takes the owner for dead.
    is_lost: bool,
    /// The end is in the log, or being appended.
    end_is_there: bool,
    told: Told,
    /// This node's own reason or error is in the log, or being appended.
    text_is_there: bool,
    /// The log takes no end from this node, for good. What it has already is still read.
    rejected: Option<StreamError>,
}

/// Whether the log is asked for what a node has not read yet, before it takes silence for an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Look {
    No,
    Asked,
    /// What the log had then is being read, up to this event.
    Until(u64),
}

/// The decision of a node on silence.
pub(super) enum Silence {
    /// No client listens.
    Abandoned,
    /// The owner has died.
    Lost,
    /// The log rejects the stream's records, and everything that it has was read.
    Rejected,
}

impl Running {
    pub(super) fn new(now: Instant, epoch: u64, is_mine: bool, config: &MemberConfig) -> Self {
        Self {
            epoch,
            is_mine,
            heard_at: now,
            alive_at: later(now, config.counted_lease() / 3),
            grace_until: config
                .counted_grace()
                .and_then(|grace| now.checked_add(grace)),
            listen_at: now,
            look: Look::No,
            is_cancelled: false,
            end: None,
            is_lost: false,
            end_is_there: false,
            told: Told::default(),
            text_is_there: false,
            rejected: None,
        }
    }

    /// The owner has appended something.
    pub(super) fn hear(&mut self, now: Instant, config: &MemberConfig) {
        self.heard_at = now;
        self.alive_at = later(now, config.counted_lease() / 3);
        self.is_lost &= self.end_is_there;
        if !self.is_mine {
            self.rejected = None;
        }
    }

    /// A node has told of its clients, this one or another.
    pub(super) fn hear_of_clients(&mut self, now: Instant, is_own: bool, config: &MemberConfig) {
        self.extend_grace(now, true, config);
        // The node that tells goes on telling, so that the others need not.
        let wait = config.counted_grace().map(|grace| match is_own {
            true => grace / 4,
            false => grace / 3,
        });
        self.listen_at = later(now, wait.unwrap_or_default());
    }

    /// A node has told why it stops the stream.
    pub(super) fn hear_of_reason(&mut self, reason: &str, config: &MemberConfig) {
        let told = &mut self.told.reason;
        told.get_or_insert_with(|| config.shortened(reason).into());
    }

    /// The owner has told why its producer failed.
    pub(super) fn hear_of_error(&mut self, error: &str, config: &MemberConfig) {
        let told = &mut self.told.error;
        told.get_or_insert_with(|| config.shortened(error).into());
    }

    /// What the log tells of an end that is to follow.
    pub(super) fn told(&self) -> &Told {
        &self.told
    }

    /// The last client of this node has left.
    pub(super) fn leave(&mut self, now: Instant, config: &MemberConfig) {
        self.extend_grace(now, false, config);
    }

    /// No silence counts in which the log did not answer, or took nothing.
    pub(super) fn forgive(&mut self, now: Instant, config: &MemberConfig) {
        self.heard_at = now;
        self.is_lost &= self.end_is_there;
        self.extend_grace(now, true, config);
        self.look = Look::No;
    }

    /// There is a client now; or there may be one until another node tells of it.
    fn extend_grace(&mut self, now: Instant, may_stay: bool, config: &MemberConfig) {
        let longer = config.counted_grace().map(|grace| match may_stay {
            true => grace.saturating_add(grace / 3),
            false => grace,
        });
        let until = longer.and_then(|longer| now.checked_add(longer));
        self.grace_until = match (self.grace_until, until) {
            (Some(before), Some(until)) => Some(before.max(until)),
            _ => None,
        };
    }

    /// The stream is to end so, unless it is to end otherwise already.
    pub(super) fn end_with(&mut self, end: StreamEnd) {
        self.end.get_or_insert(end);
    }

    /// How this node wants the stream to end.
    pub(super) fn end(&self) -> Option<&StreamEnd> {
        let lost = self.is_lost.then_some(&StreamEnd::Lost);
        self.end.as_ref().or(lost)
    }

    /// The log rejects this node's `append`, if it was one, for good. Returns whether the stream ends by that: it
    /// does not where this node only cannot tell of its clients, or cannot stop it. The log works, so that the
    /// owner's silence counts on.
    pub(super) fn reject(
        &mut self,
        now: Instant,
        append: Option<&Append>,
        error: StreamError,
    ) -> bool {
        match append {
            // Not again before it is due.
            Some(Append::Listen(_)) => {}
            Some(append) => self.give_back(now, append),
            None => {}
        }
        let ends = self.is_mine || matches!(append, Some(Append::End(StreamEnd::Lost)));
        if ends {
            self.rejected = Some(error);
        }
        ends
    }

    /// How the stream ends on this node, because the log rejects its records: as this node wanted to end it
    /// already, if it did.
    pub(super) fn rejected(&self) -> Option<StreamEnd> {
        let error = self.rejected.as_ref()?;
        let own = self.end().cloned();
        Some(own.unwrap_or_else(|| StreamEnd::Rejected(error.clone())))
    }

    /// The owner is taken for dead, until it is heard of.
    pub(super) fn lose(&mut self) {
        self.is_lost = true;
    }

    /// What this node is to append now. It counts as done.
    pub(super) fn take_append(
        &mut self,
        now: Instant,
        listeners: u64,
        token: &Text,
        config: &MemberConfig,
    ) -> Option<Append> {
        if self.rejected.is_some() {
            return None;
        }
        if let Some(end) = self.end().cloned() {
            return self.take_end(end);
        }
        if self.is_mine && self.alive_at <= now {
            self.alive_at = later(now, config.counted_lease() / 3);
            return Some(Append::Alive);
        }
        let grace = config.counted_grace()?;
        if !self.is_mine && listeners > 0 && self.listen_at <= now {
            self.listen_at = later(now, grace / 4);
            return Some(Append::Listen(token.clone()));
        }
        None
    }

    /// What is to be appended of the end: its text comes before it, because clients get the end.
    fn take_end(&mut self, end: StreamEnd) -> Option<Append> {
        if self.end_is_there {
            return None;
        }
        let text = match &end {
            StreamEnd::Stopped(reason) if self.told.reason.is_none() => {
                Some(Append::Reason(reason.clone()))
            }
            StreamEnd::Failed(error) => Some(Append::Error(error.text().clone())),
            _ => None,
        };
        if text.is_some() && !std::mem::replace(&mut self.text_is_there, true) {
            return text;
        }
        self.end_is_there = true;
        Some(Append::End(end))
    }

    /// What was appended was not.
    pub(super) fn give_back(&mut self, now: Instant, append: &Append) {
        match append {
            Append::Claim(_) => {}
            Append::Alive => self.alive_at = now,
            Append::Listen(_) => self.listen_at = now,
            Append::Reason(_) | Append::Error(_) => self.text_is_there = false,
            Append::End(_) => self.end_is_there = false,
        }
    }

    /// When this node is to append something.
    pub(super) fn append_at(&self, listeners: u64, config: &MemberConfig) -> Option<Instant> {
        if self.rejected.is_some() {
            return None;
        }
        if self.end().is_some() {
            return match self.end_is_there {
                true => None,
                // It was to be appended long ago.
                false => Some(self.heard_at),
            };
        }
        let alive = self.is_mine.then_some(self.alive_at);
        let tells = !self.is_mine && listeners > 0 && config.grace.is_some();
        let listen = tells.then_some(self.listen_at);
        [alive, listen].into_iter().flatten().min()
    }

    /// When silence has lasted for too long.
    pub(super) fn silence_at(&self, listeners: u64, config: &MemberConfig) -> Option<Instant> {
        if self.rejected.is_some() {
            return Some(self.heard_at);
        }
        if self.end().is_some() || self.is_cancelled {
            return None;
        }
        match self.is_mine {
            false => self.heard_at.checked_add(config.counted_lease()),
            true if listeners > 0 => None,
            true => self.grace_until,
        }
    }

    pub(super) fn is_looking(&self) -> bool {
        self.look != Look::No
    }

    /// Has the log asked for its end, where silence has lasted for too long. Says whether it has to be.
    pub(super) fn look(&mut self, now: Instant, listeners: u64, config: &MemberConfig) -> bool {
        let is_due = self
            .silence_at(listeners, config)
            .is_some_and(|at| at <= now);
        let looks = is_due && !self.is_looking();
        if looks {
            self.look = Look::Asked;
        }
        looks
    }

    /// The log has events up to this one.
    pub(super) fn handle_newest(&mut self, newest: u64) {
        if self.look == Look::Asked {
            self.look = Look::Until(newest);
        }
    }

    /// What a node makes of silence, once it has read what the log had, up to `read`.
    pub(super) fn decide(
        &mut self,
        now: Instant,
        read: u64,
        listeners: u64,
        config: &MemberConfig,
    ) -> Option<Silence> {
        match self.look {
            Look::Until(newest) if newest <= read => self.look = Look::No,
            _ => return None,
        }
        let lasts = self
            .silence_at(listeners, config)
            .is_some_and(|at| at <= now);
        lasts.then_some(match self.is_mine {
            _ if self.rejected.is_some() => Silence::Rejected,
            true => Silence::Abandoned,
            false => Silence::Lost,
        })
    }
}

/// As late as instants reach.
fn later(now: Instant, by: Duration) -> Instant {
    now.checked_add(by)
        .unwrap_or(now + Duration::from_secs(u32::MAX.into()))
}
