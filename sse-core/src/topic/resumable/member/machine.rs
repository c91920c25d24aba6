//! The member: its state, what the application wants, and what is to be done.

use std::{collections::VecDeque, fmt, time::Instant};

use super::{
    MemberConfig, MemberOutput, MemberPhase, claim::Unclaimed, record::Append, running::Running,
    usage::Usage,
};
use crate::{
    Text,
    topic::{Position, resumable::StreamEnd},
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
/// member.handle_appended(now, Position::new(7, 1));
///
/// // All nodes read it in the log. It is the first, so that this node runs the producer.
/// for node in [&mut member, &mut other] {
///     node.handle_record(now, Position::new(7, 1), &claim);
///     assert_eq!(node.phase(), MemberPhase::Running);
/// }
/// assert_eq!(member.poll_output(now), Some(MemberOutput::Start { epoch: 7 }));
/// assert_eq!(other.poll_output(now), None);
///
/// // The other node stops the stream: it appends the reason, and the end. The owner reads both, and
/// // cancels its producer.
/// other.stop("the user stopped it".into());
/// for number in 2..=3 {
///     let Some(MemberOutput::Append { event, epoch: Some(7) }) = other.poll_output(now) else { panic!() };
///     other.handle_appended(now, Position::new(7, number));
///     let record = member.handle_record(now, Position::new(7, number), &event);
///     let is_end = record == MemberRecord::Ended("stopped".into());
///     assert_eq!(is_end, number == 3);
/// }
/// let Some(MemberOutput::Cancel(end)) = member.poll_output(now) else { panic!() };
/// assert_eq!(end.to_string(), "stopped: the user stopped it");
/// ```
#[derive(Clone, PartialEq, Hash)]
pub struct StreamMember {
    pub(super) config: MemberConfig,
    /// Distinguishes this node's claim from others.
    pub(super) token: Text,
    pub(super) state: State,
    /// The position up to which the log was read.
    pub(super) position: Option<Position>,
    created: Instant,
    pub(super) usage: Usage,
    /// What is being appended.
    pub(super) appending: Option<Append>,
    /// The last append failed, and the next one is not made before this time.
    pub(super) retry_at: Option<Instant>,
    pub(super) outputs: VecDeque<MemberOutput>,
}

#[derive(Clone, Debug, PartialEq, Hash)]
pub(super) enum State {
    Unclaimed(Unclaimed),
    Running(Running),
    Ended {
        /// This node read the end then.
        at: Instant,
        end: StreamEnd,
    },
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
            state: State::Unclaimed(Unclaimed::default()),
            position: None,
            created: now,
            usage: Usage::new(now),
            appending: None,
            retry_at: None,
            outputs: VecDeque::new(),
        }
    }

    /// Returns how far the stream has come.
    #[must_use]
    pub fn phase(&self) -> MemberPhase {
        match self.state {
            State::Unclaimed(_) => MemberPhase::Unclaimed,
            State::Running(_) => MemberPhase::Running,
            State::Ended { .. } => MemberPhase::Ended,
            State::Forgotten => MemberPhase::Forgotten,
        }
    }

    /// Returns whether the producer runs on this node.
    #[must_use]
    pub fn is_owner(&self) -> bool {
        matches!(&self.state, State::Running(running) if running.is_mine)
    }

    /// Returns how the stream ended, where it [has](MemberPhase::Ended). The reason of a stop is the same on
    /// all nodes. Of the error of a producer that failed, other nodes know the text, up to
    /// [`max_reason_len`](MemberConfig::max_reason_len).
    #[must_use]
    pub fn end(&self) -> Option<&StreamEnd> {
        match &self.state {
            State::Ended { end, .. } => Some(end),
            _ => None,
        }
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
            State::Unclaimed(unclaimed) => unclaimed.start(),
            _ => false,
        }
    }

    /// Withdraws the start of this node's producer, unless it has started. If the claim reaches the log
    /// all the same, an end follows it.
    pub fn give_up_start(&mut self) {
        if let State::Unclaimed(unclaimed) = &mut self.state {
            unclaimed.give_up();
        }
    }

    /// Returns whether this node has a producer to start, and its claim is not decided yet.
    #[must_use]
    pub fn is_claiming(&self) -> bool {
        matches!(&self.state, State::Unclaimed(unclaimed) if unclaimed.starts())
    }

    /// Ends the stream with [`StreamEnd::Stopped`], on whichever node it runs. Returns whether it runs.
    ///
    /// All nodes are told the reason, up to [`max_reason_len`](MemberConfig::max_reason_len). Of several stops,
    /// all nodes are told the reason that the log got first.
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
        self.usage.attach();
    }

    /// Reports that a client of this node has left.
    pub fn detach(&mut self, now: Instant) {
        let is_last = self.usage.detach(now);
        if is_last && let State::Running(running) = &mut self.state {
            running.leave(now, &self.config);
        }
    }

    /// Reports a call that concerns the stream, which is not [unused](Self::is_unused) until it is
    /// [released](Self::release).
    pub fn hold(&mut self) {
        self.usage.hold();
    }

    /// The call is over.
    pub fn release(&mut self, now: Instant) {
        self.usage.release(now);
    }

    /// Returns how many clients listen on this node.
    #[must_use]
    pub fn listeners(&self) -> u64 {
        self.usage.listeners()
    }

    /// Returns whether the node may forget the stream: there is neither a call nor a producer, and either no
    /// client and nothing that others may come back for, or the [retention](MemberConfig::retention) is over.
    /// Clients do not extend that: those that are there may read what they have, and new ones do not find it.
    #[must_use]
    pub fn is_unused(&self, now: Instant) -> bool {
        self.unused_at().is_some_and(|at| at <= now)
    }

    /// Since when nothing uses it, where it has ended.
    #[must_use]
    pub fn finished_since(&self) -> Option<Instant> {
        let is_over = matches!(self.state, State::Ended { .. } | State::Forgotten);
        self.usage.idle_since().filter(|_| is_over)
    }

    fn unused_at(&self) -> Option<Instant> {
        if self.usage.has_calls() || self.appending.is_some() || self.is_owner() {
            return None;
        }
        match &self.state {
            State::Unclaimed(unclaimed) if unclaimed.starts() => None,
            State::Unclaimed(_) => self.usage.idle_since(),
            State::Running(_) => {
                let since = self.usage.idle_since()?;
                since.checked_add(self.config.retention)
            }
            // The log does not keep it for longer because of a client.
            State::Ended { at, .. } => at.checked_add(self.config.retention),
            // Nothing is left for new clients.
            State::Forgotten => Some(self.created),
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
        match &self.state {
            State::Unclaimed(unclaimed) => {
                append = unclaimed.claims().then_some(self.created);
                silence = unclaimed.until();
            }
            State::Running(running) => {
                let listeners = self.listeners();
                append = running.append_at(listeners, &self.config);
                silence = running.silence_at(listeners, &self.config);
                silence = silence.filter(|_| !running.is_looking());
            }
            State::Ended { .. } | State::Forgotten => {}
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
        let listeners = self.listeners();
        let (append, epoch) = match &mut self.state {
            State::Unclaimed(unclaimed) => {
                let claims = unclaimed.take();
                (claims.then(|| Append::Claim(self.token.clone()))?, None)
            }
            State::Running(running) => {
                let append = running.take_append(now, listeners, &self.token, &self.config)?;
                (append, Some(running.epoch))
            }
            State::Ended { .. } | State::Forgotten => return None,
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
