//! What a member is told: what its node reads in the log, and what the log makes of its node's calls.

use std::time::Instant;

use super::{
    AppendFailure, MemberOutput, MemberRecord, StreamMember,
    machine::State,
    record::{Append, Record, end_of},
    running::{Running, Silence},
};
use crate::{
    Event, Text,
    topic::{
        Position,
        follower::Tails,
        resumable::{StreamEnd, StreamError},
    },
};

impl StreamMember {
    /// The history begins behind this place. Where the log has dropped its first events, the stream was
    /// started.
    pub fn handle_begin(&mut self, now: Instant, behind: Position) {
        self.position = Some(behind);
        if behind.sequence() > 0 {
            self.run(now, behind.epoch(), false);
        }
        if let State::Unclaimed(unclaimed) = &mut self.state {
            unclaimed.handle_begin(behind.epoch());
        }
    }

    /// Events of the log are lost up to this place.
    pub fn handle_passed_over(&mut self, now: Instant, behind: Position) {
        self.handle_begin(now, behind);
        self.decide(now);
    }

    /// The log has lost its history, and goes on behind this place in another epoch. Says whether the stream
    /// ran, which has ended with it. A claim that was not read before may be lost, too, and is appended again:
    /// of two in the log the first counts.
    pub fn handle_anew(&mut self, now: Instant, behind: Position) -> bool {
        let runs = match &mut self.state {
            State::Running(running) => {
                if running.is_mine {
                    let cancel = MemberOutput::Cancel(StreamEnd::Lost);
                    self.outputs.push_back(cancel);
                }
                true
            }
            State::Unclaimed(unclaimed) => {
                unclaimed.handle_anew(behind.epoch());
                false
            }
            State::Ended { .. } | State::Forgotten => false,
        };
        if runs {
            self.forget(now);
        }
        self.handle_begin(now, behind);
        runs
    }

    fn forget(&mut self, now: Instant) {
        self.state = State::Forgotten;
        self.usage.begin_to_idle(now);
    }

    /// The next event of the log. Returns what it is to the stream.
    pub fn handle_record(
        &mut self,
        now: Instant,
        position: Position,
        event: &Event,
    ) -> MemberRecord {
        self.position = Some(position);
        let config = self.config.clone();
        let record = Record::of(event, &config);
        if let State::Unclaimed(_) = self.state {
            let is_own = matches!(record, Record::Claim(token) if self.token == *token);
            self.run(now, position.epoch(), is_own);
        }
        let State::Running(running) = &mut self.state else {
            return MemberRecord::Passed;
        };
        match record {
            Record::Claim(_) => {}
            Record::Alive | Record::Content => running.hear(now, &config),
            Record::Listen(token) => {
                running.hear_of_clients(now, self.token == *token, &config);
            }
            Record::Reason(reason) => running.hear_of_reason(reason, &config),
            Record::Error(error) => running.hear_of_error(error, &config),
            Record::End(outcome) => {
                self.end_with(now, &outcome);
                return MemberRecord::Ended(outcome);
            }
        }
        self.decide(now);
        MemberRecord::Passed
    }

    /// The stream was started.
    fn run(&mut self, now: Instant, epoch: u64, is_own: bool) {
        let State::Unclaimed(unclaimed) = &self.state else {
            return;
        };
        let mut running = Running::new(now, epoch, is_own, &self.config);
        match (is_own, unclaimed.starts()) {
            (true, true) => self.outputs.push_back(MemberOutput::Start { epoch }),
            // Its claim came when it was given up.
            (true, false) => running.end_with(StreamEnd::Dropped),
            (false, _) => {}
        }
        self.state = State::Running(running);
    }

    fn end_with(&mut self, now: Instant, outcome: &Text) {
        let State::Running(running) = &self.state else {
            return;
        };
        let end = end_of(outcome, running.end(), running.told());
        if running.is_mine {
            self.outputs.push_back(MemberOutput::Cancel(end.clone()));
        }
        self.state = State::Ended { at: now, end };
        self.usage.begin_to_idle(now);
    }

    /// The log answered a [look](MemberOutput::Look), or was asked for another reason. A stream that has ended
    /// is [forgotten](super::MemberPhase::Forgotten) where the log has another one by now: in another epoch,
    /// with events.
    pub fn handle_tails(&mut self, now: Instant, tails: Tails) {
        match &mut self.state {
            State::Running(running) if tails.epoch == running.epoch => {
                running.handle_newest(tails.newest);
            }
            // The follower will come there.
            State::Running(_) => self.forgive(now),
            State::Ended { .. } => {
                let is_other = self.position.is_some_and(|at| at.epoch() != tails.epoch);
                if is_other && tails.newest > 0 {
                    self.forget(now);
                }
            }
            State::Unclaimed(_) | State::Forgotten => {}
        }
        self.decide(now);
    }

    /// The log did not answer, here or elsewhere on this node: the owner and the clients may not be heard,
    /// and this node's own claim is not.
    pub fn handle_log_failed(&mut self, now: Instant) {
        match &mut self.state {
            State::Unclaimed(unclaimed) => unclaimed.forgive(now, &self.config),
            State::Running(_) => self.forgive(now),
            State::Ended { .. } | State::Forgotten => {}
        }
    }

    /// Nothing was heard of a stream that runs, because of the log. One that the log rejects is not read on.
    fn forgive(&mut self, now: Instant) {
        if let State::Running(running) = &mut self.state {
            match running.rejected() {
                Some(end) => self.end_here(now, end),
                None => running.forgive(now, &self.config),
            }
        }
    }

    /// Ends the stream on this node alone.
    fn end_here(&mut self, now: Instant, end: StreamEnd) {
        if self.is_owner() {
            // What it makes now goes nowhere.
            self.outputs.push_back(MemberOutput::Cancel(end.clone()));
        }
        self.outputs.push_back(MemberOutput::End(end));
        self.forget(now);
    }

    /// The log has what was to be appended, at this place.
    ///
    /// The node waits until it has read its claim there, for the [lease](super::MemberConfig::lease) at most, in
    /// which the log answers; then the start is [given up](Self::give_up_start). A claim that the log has lost
    /// before it was read is appended again.
    pub fn handle_appended(&mut self, now: Instant, at: Position) {
        let appended = self.appending.take();
        self.retry_at = None;
        if let (Some(Append::Claim(_)), State::Unclaimed(unclaimed)) = (appended, &mut self.state)
            && unclaimed.handle_appended(now, at, self.position, &self.config)
        {
            self.retry_at = now.checked_add(self.config.retry);
        }
    }

    /// What was to be appended was not, or may not have been: it is appended again after the
    /// [retry](super::MemberConfig::retry) time. A claim is not, unless the log [begins
    /// anew](Self::handle_anew). Where it may be in the log, the node waits for it to be read there, as for one
    /// that [is](Self::handle_appended).
    ///
    /// A log that takes nothing from this node may take nothing from others either, so that they are not heard:
    /// silence begins to count anew, as for [`handle_log_failed`](Self::handle_log_failed).
    pub fn handle_append_failed(&mut self, now: Instant, failure: AppendFailure) {
        let Some(append) = self.appending.take() else {
            return;
        };
        match (&append, &mut self.state) {
            (Append::Claim(_), State::Unclaimed(unclaimed)) => {
                unclaimed.handle_append_failed(now, failure, &self.config);
            }
            (append, State::Running(running)) => {
                running.give_back(now, append);
                running.forgive(now, &self.config);
                self.retry_at = now.checked_add(self.config.retry);
            }
            _ => {}
        }
    }

    /// The log rejects for good what was to be appended, or an event of this node's producer, with this error: it
    /// is not appended again.
    ///
    /// A stream that this node owns ends here with [`StreamEnd::Rejected`], or as it was about to end: its producer
    /// is [cancelled](MemberOutput::Cancel) at once, and its clients are told the [end](MemberOutput::End) when
    /// this node has read what the log has. Other nodes do not hear of the owner, and take it for dead after the
    /// [lease](super::MemberConfig::lease). So the stream of another node ends here, with [`StreamEnd::Lost`], if
    /// the log rejects that end. The clients of a node that cannot append anything else keep their stream; a
    /// [stop](Self::stop) is repeated after the [retry](super::MemberConfig::retry) time. A claim is given up.
    pub fn handle_rejected(&mut self, now: Instant, error: StreamError) {
        let append = self.appending.take();
        match &mut self.state {
            State::Unclaimed(unclaimed) if matches!(append, Some(Append::Claim(_))) => {
                unclaimed.give_up();
            }
            State::Running(running) => {
                if running.reject(now, append.as_ref(), error) {
                    let end = running.rejected().filter(|_| running.is_mine);
                    self.outputs.extend(end.map(MemberOutput::Cancel));
                } else {
                    self.retry_at = now.checked_add(self.config.retry);
                }
            }
            _ => {}
        }
    }

    /// Has the log asked, where silence has lasted for too long by `now`. Gives up a claim that was waited for
    /// too long.
    pub fn handle_timeout(&mut self, now: Instant) {
        let listeners = self.listeners();
        match &mut self.state {
            State::Unclaimed(unclaimed) => {
                if unclaimed.until().is_some_and(|at| at <= now) {
                    unclaimed.give_up();
                }
            }
            State::Running(running) => {
                if running.look(now, listeners, &self.config) {
                    self.outputs.push_back(MemberOutput::Look);
                }
            }
            State::Ended { .. } | State::Forgotten => {}
        }
    }

    fn decide(&mut self, now: Instant) {
        let listeners = self.listeners();
        let State::Running(running) = &mut self.state else {
            return;
        };
        let read = self.position.map_or(0, |position| position.sequence());
        match running.decide(now, read, listeners, &self.config) {
            None => {}
            Some(Silence::Lost) => running.lose(),
            Some(Silence::Rejected) => {
                if let Some(end) = running.rejected() {
                    self.end_here(now, end);
                }
            }
            Some(Silence::Abandoned) => {
                self.cancel(StreamEnd::Abandoned);
            }
        }
    }
}
