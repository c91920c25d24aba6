//! The member: which records it reads, and which it has appended.

use std::{collections::VecDeque, fmt, time::Instant};

use super::{
    AppendFailure, MemberConfig, MemberOutput, MemberPhase, MemberRecord,
    record::{Append, Record, end_of},
    running::{Running, Silence},
};
use crate::{
    Event, Text,
    topic::{Position, follower::Tails, resumable::StreamEnd},
};

/// The part of one node in a stream that several nodes share, as a state machine: see the
/// [module](super).
///
/// The methods have the form of the other machines: verbs are the application's calls, `handle_*` reports
/// what happened, and `poll_*` returns what the caller has to do next. Any order of calls is legal.
///
/// ```
/// use std::time::Instant;
/// use sse_core::topic::{Position, resumable::member::{
///     MemberConfig, MemberOutput, MemberPhase, MemberRecord, StreamMember,
/// }};
///
/// let now = Instant::now();
/// let mut member = StreamMember::new(now, "node-1".into(), MemberConfig::default());
/// let mut other = StreamMember::new(now, "node-2".into(), MemberConfig::default());
///
/// // This node is to start the stream, and appends its claim.
/// assert!(member.start());
/// let Some(MemberOutput::Append { event: claim, epoch: None }) = member.poll_output(now) else { panic!() };
/// member.handle_appended();
///
/// // All nodes read it in the log. It is the first, so that this node runs the producer.
/// for node in [&mut member, &mut other] {
///     node.handle_record(now, Position::new(7, 1), &claim);
///     assert_eq!(node.phase(), MemberPhase::Running);
/// }
/// assert_eq!(member.poll_output(now), Some(MemberOutput::Start { epoch: 7 }));
/// assert_eq!(other.poll_output(now), None);
///
/// // The other node stops the stream. The owner reads that, and cancels its producer.
/// other.stop("the user stopped it".into());
/// let Some(MemberOutput::Append { event: end, epoch: Some(7) }) = other.poll_output(now) else { panic!() };
/// let record = member.handle_record(now, Position::new(7, 2), &end);
/// assert_eq!(record, MemberRecord::Ended("stopped".into()));
/// let Some(MemberOutput::Cancel(end)) = member.poll_output(now) else { panic!() };
/// assert_eq!(end.name(), "stopped");
/// ```
pub struct StreamMember {
    config: MemberConfig,
    /// Distinguishes this node's claim from others.
    token: Text,
    state: State,
    /// The position up to which the log was read.
    position: Option<Position>,
    created: Instant,
    users: u64,
    listeners: u64,
    /// The time at which the last client, or call, left.
    idle_since: Instant,
    /// What is being appended.
    appending: Option<Append>,
    /// The last append failed, and the next one is not made before this time.
    retry_at: Option<Instant>,
    outputs: VecDeque<MemberOutput>,
}

#[derive(Clone, Debug)]
enum State {
    Unclaimed {
        /// There is a producer to start.
        starts: bool,
        /// The claim is still to be appended.
        claims: bool,
        /// Until when it is waited for a claim of which the log does not tell whether it is there.
        until: Option<Instant>,
    },
    Running(Running),
    /// This node read the end then.
    Ended(Instant),
    Forgotten,
}

impl StreamMember {
    /// Creates the member of a node that has read nothing of the stream's log yet. `token` distinguishes
    /// this member from all others of the stream, on any node and at any time.
    #[must_use]
    pub fn new(now: Instant, token: Text, config: MemberConfig) -> Self {
        Self {
            config,
            token,
            state: State::Unclaimed {
                starts: false,
                claims: false,
                until: None,
            },
            position: None,
            created: now,
            users: 0,
            listeners: 0,
            idle_since: now,
            appending: None,
            retry_at: None,
            outputs: VecDeque::new(),
        }
    }

    /// Returns how far the stream has come.
    #[must_use]
    pub fn phase(&self) -> MemberPhase {
        match self.state {
            State::Unclaimed { .. } => MemberPhase::Unclaimed,
            State::Running(_) => MemberPhase::Running,
            State::Ended(_) => MemberPhase::Ended,
            State::Forgotten => MemberPhase::Forgotten,
        }
    }

    /// Returns whether the producer runs on this node.
    #[must_use]
    pub fn is_owner(&self) -> bool {
        matches!(&self.state, State::Running(running) if running.is_mine)
    }

    /// Returns the position up to which the log was read; `None` before its beginning is known.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.position
    }

    /// Claims the stream for this node, which has a producer to start. Returns whether it does: `false`
    /// if the stream was started, or if this node is claiming it already.
    pub fn start(&mut self) -> bool {
        match &mut self.state {
            State::Unclaimed {
                starts,
                claims,
                until,
            } if !*starts => {
                (*starts, *claims, *until) = (true, true, None);
                true
            }
            _ => false,
        }
    }

    /// Withdraws the start of this node's producer, unless it has started. If the claim reaches the log
    /// all the same, an end follows it.
    pub fn give_up_start(&mut self) {
        if let State::Unclaimed {
            starts,
            claims,
            until,
        } = &mut self.state
        {
            (*starts, *claims, *until) = (false, false, None);
        }
    }

    /// Returns whether this node has a producer to start, and its claim is not decided yet.
    #[must_use]
    pub fn is_claiming(&self) -> bool {
        matches!(self.state, State::Unclaimed { starts: true, .. })
    }

    /// Ends the stream with [`StreamEnd::Stopped`], on whichever node it runs. Returns whether it runs.
    pub fn stop(&mut self, reason: Text) -> bool {
        if let State::Running(running) = &mut self.state {
            running.end_with(StreamEnd::Stopped(reason));
            return true;
        }
        false
    }

    /// Cancels the producer if it runs on this node. The stream ends with this end once
    /// [`finish`](Self::finish) is called.
    pub fn cancel(&mut self, end: StreamEnd) -> bool {
        match &mut self.state {
            State::Running(running) if running.is_mine => {
                running.is_cancelled = true;
                self.outputs.push_back(MemberOutput::Cancel(end));
                true
            }
            _ => false,
        }
    }

    /// Reports that this node's producer has ended, and that all its events are in the log.
    pub fn finish(&mut self, end: StreamEnd) {
        if let State::Running(running) = &mut self.state
            && running.is_mine
        {
            running.end_with(end);
        }
    }

    /// Reports a client on this node.
    pub fn attach(&mut self) {
        self.listeners += 1;
    }

    /// Reports that a client of this node has left.
    pub fn detach(&mut self, now: Instant) {
        self.listeners = self.listeners.saturating_sub(1);
        if self.listeners == 0 {
            self.idle_since = now;
            if let State::Running(running) = &mut self.state {
                running.leave(now, &self.config);
            }
        }
    }

    /// Reports a call that concerns the stream, which is not [unused](Self::is_unused) until it is
    /// [released](Self::release).
    pub fn hold(&mut self) {
        self.users += 1;
    }

    /// The call is over.
    pub fn release(&mut self, now: Instant) {
        self.users = self.users.saturating_sub(1);
        if self.users == 0 {
            self.idle_since = now;
        }
    }

    /// Returns how many clients listen on this node.
    #[must_use]
    pub fn listeners(&self) -> u64 {
        self.listeners
    }

    /// Returns whether the node may forget the stream: there is neither a client nor a call nor a producer,
    /// and what others may come back for was kept for the [retention](MemberConfig::retention).
    #[must_use]
    pub fn is_unused(&self, now: Instant) -> bool {
        self.unused_at().is_some_and(|at| at <= now)
    }

    /// Since when nothing uses it, where it has ended.
    #[must_use]
    pub fn finished_since(&self) -> Option<Instant> {
        let is_over = matches!(self.state, State::Ended(_) | State::Forgotten);
        (is_over && self.users == 0 && self.listeners == 0).then_some(self.idle_since)
    }

    fn unused_at(&self) -> Option<Instant> {
        if self.users > 0 || self.listeners > 0 || self.appending.is_some() || self.is_owner() {
            return None;
        }
        match self.state {
            State::Unclaimed { starts: true, .. } => None,
            State::Unclaimed { .. } | State::Forgotten => Some(self.idle_since),
            State::Running(_) => self.idle_since.checked_add(self.config.retention),
            // The log does not keep it for longer because of a later client.
            State::Ended(at) => at.checked_add(self.config.retention),
        }
    }

    /// The history begins behind this place. Where the log has dropped its first events, the stream was
    /// started.
    pub fn handle_begin(&mut self, now: Instant, behind: Position) {
        self.position = Some(behind);
        if behind.sequence() > 0 {
            self.run(now, behind.epoch(), false);
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
        let runs = match &self.state {
            State::Running(running) => {
                if running.is_mine {
                    self.outputs
                        .push_back(MemberOutput::Cancel(StreamEnd::Lost));
                }
                true
            }
            _ => false,
        };
        if runs {
            self.state = State::Forgotten;
            self.idle_since = now;
        }
        if self.is_claiming() {
            self.state = State::Unclaimed {
                starts: true,
                claims: true,
                until: None,
            };
        }
        self.handle_begin(now, behind);
        runs
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
        if let State::Unclaimed { .. } = self.state {
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
            Record::End(outcome) => {
                self.end(now, &outcome);
                return MemberRecord::Ended(outcome);
            }
        }
        self.decide(now);
        MemberRecord::Passed
    }

    /// The stream was started.
    fn run(&mut self, now: Instant, epoch: u64, is_own: bool) {
        let State::Unclaimed { starts, .. } = self.state else {
            return;
        };
        let mut running = Running::new(now, epoch, is_own, &self.config);
        match (is_own, starts) {
            (true, true) => self.outputs.push_back(MemberOutput::Start { epoch }),
            // Its claim came when it was given up.
            (true, false) => running.end_with(StreamEnd::Dropped),
            (false, _) => {}
        }
        self.state = State::Running(running);
    }

    fn end(&mut self, now: Instant, outcome: &Text) {
        let before = std::mem::replace(&mut self.state, State::Ended(now));
        self.idle_since = now;
        if let State::Running(running) = before
            && running.is_mine
        {
            let told = format!(r#"{{"outcome":"{outcome}"}}"#);
            let own = running.end().filter(|end| end.to_json() == told);
            let end = own.cloned().unwrap_or_else(|| end_of(outcome));
            self.outputs.push_back(MemberOutput::Cancel(end));
        }
    }

    /// The log answered a [look](MemberOutput::Look).
    pub fn handle_tails(&mut self, now: Instant, tails: Tails) {
        if let State::Running(running) = &mut self.state {
            if tails.epoch == running.epoch {
                running.handle_newest(tails.newest);
            } else {
                // The follower will come there.
                running.forgive(now, &self.config);
            }
        }
        self.decide(now);
    }

    /// The log did not answer, here or elsewhere on this node, or it rings no bells: the owner and the clients
    /// may not be heard.
    pub fn handle_log_failed(&mut self, now: Instant) {
        if let State::Running(running) = &mut self.state {
            running.forgive(now, &self.config);
        }
    }

    /// What was to be appended was.
    pub fn handle_appended(&mut self) {
        self.appending = None;
        self.retry_at = None;
    }

    /// What was to be appended was not, or may not have been: it is appended again after the
    /// [retry](MemberConfig::retry) time. A claim is not, unless the log [begins anew](Self::handle_anew). Where it
    /// may be in the log, the node waits for it to be read there, for the [lease](MemberConfig::lease) at most.
    ///
    /// A log that takes nothing from this node may take nothing from others either, so that they are not heard:
    /// silence begins to count anew, as for [`handle_log_failed`](Self::handle_log_failed).
    pub fn handle_append_failed(&mut self, now: Instant, failure: AppendFailure) {
        let Some(append) = self.appending.take() else {
            return;
        };
        match (&append, &mut self.state) {
            (Append::Claim(_), _) if failure == AppendFailure::NotAppended => self.give_up_start(),
            (Append::Claim(_), State::Unclaimed { until, .. }) => {
                *until = Some(now.checked_add(self.config.counted_lease()).unwrap_or(now));
            }
            (append, State::Running(running)) => {
                running.give_back(now, append);
                running.forgive(now, &self.config);
                self.retry_at = now.checked_add(self.config.retry);
            }
            _ => {}
        }
    }

    /// Has the log asked, where silence has lasted for too long by `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let State::Unclaimed {
            until: Some(at), ..
        } = self.state
            && at <= now
        {
            self.give_up_start();
        }
        let listeners = self.listeners;
        if let State::Running(running) = &mut self.state
            && running.look(now, listeners, &self.config)
        {
            self.outputs.push_back(MemberOutput::Look);
        }
    }

    fn decide(&mut self, now: Instant) {
        let State::Running(running) = &mut self.state else {
            return;
        };
        let read = self.position.map_or(0, |position| position.sequence());
        match running.decide(now, read, self.listeners, &self.config) {
            None => {}
            Some(Silence::Lost) => running.lose(),
            Some(Silence::Abandoned) => {
                self.cancel(StreamEnd::Abandoned);
            }
        }
    }

    /// Returns when to call [`handle_timeout`](Self::handle_timeout) and then
    /// [`poll_output`](Self::poll_output) next, or to look whether it is [unused](Self::is_unused). The
    /// instant has passed where there is something to do at once.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if !self.outputs.is_empty() {
            return Some(self.created);
        }
        let (mut append, mut silence) = (None, None);
        if let State::Unclaimed { claims, until, .. } = self.state {
            append = claims.then_some(self.created);
            silence = until;
        }
        if let State::Running(running) = &self.state {
            append = running.append_at(self.listeners, &self.config);
            silence = running.silence_at(self.listeners, &self.config);
            silence = silence.filter(|_| !running.is_looking());
        }
        append = match (append, self.retry_at) {
            (Some(at), Some(retry_at)) => Some(at.max(retry_at)),
            (at, _) => at,
        };
        append = append.filter(|_| self.appending.is_none());
        [append, silence, self.unused_at()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Returns what the caller has to do next. `None` once there is nothing.
    pub fn poll_output(&mut self, now: Instant) -> Option<MemberOutput> {
        if let Some(output) = self.outputs.pop_front() {
            return Some(output);
        }
        if self.appending.is_some() || self.retry_at.is_some_and(|at| at > now) {
            return None;
        }
        let listeners = self.listeners;
        let (append, epoch) = match &mut self.state {
            State::Unclaimed { claims, .. } if *claims => {
                *claims = false;
                (Append::Claim(self.token.clone()), None)
            }
            State::Running(running) => {
                let append = running.take_append(now, listeners, &self.token, &self.config)?;
                (append, Some(running.epoch))
            }
            _ => return None,
        };
        let event = append.to_event(&self.config);
        self.appending = Some(append);
        Some(MemberOutput::Append { event, epoch })
    }

    /// Returns the settings.
    #[must_use]
    pub fn config(&self) -> &MemberConfig {
        &self.config
    }
}

impl fmt::Debug for StreamMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamMember")
            .field("token", &self.token)
            .field("phase", &self.phase())
            .field("is_owner", &self.is_owner())
            .finish_non_exhaustive()
    }
}
