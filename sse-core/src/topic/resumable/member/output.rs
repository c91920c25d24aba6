//! What a member tells its caller, and is told.

use crate::{Event, topic::resumable::StreamEnd};

/// How far a stream has come, as one node knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MemberPhase {
    /// The log has no claim: the stream was not started, or is no longer kept.
    Unclaimed,
    /// It was started, here or elsewhere.
    Running,
    /// It has ended, and the log has its events.
    Ended,
    /// The log has lost its history while the stream ran, and the stream with it; or it has another stream of
    /// this name since this one ended; or it [rejects](super::StreamMember::handle_rejected) the stream's
    /// records. A new member reads the log anew.
    Forgotten,
}

/// A task for the caller of a [`StreamMember`](super::StreamMember).
#[derive(Clone, Debug, PartialEq, Hash)]
#[non_exhaustive]
pub enum MemberOutput {
    /// Append this event to the stream's log, and pass the outcome to
    /// [`handle_appended`](super::StreamMember::handle_appended),
    /// [`handle_append_failed`](super::StreamMember::handle_append_failed) or
    /// [`handle_rejected`](super::StreamMember::handle_rejected). There is one at a time.
    Append {
        /// The event.
        event: Event,
        /// It is to be appended only where the log is in this epoch.
        epoch: Option<u64>,
    },
    /// Start the producer: this node is the owner. Its events are appended in this epoch, and when all are
    /// there, [`finish`](super::StreamMember::finish) is told of its end.
    Start {
        /// The epoch.
        epoch: u64,
    },
    /// Cancel the producer, for this reason, where it runs. What it has made may still be appended, and
    /// [`finish`](super::StreamMember::finish) is told then; where the stream has ended, neither matters.
    Cancel(StreamEnd),
    /// The stream has ended so on this node alone, without a record in its log, which takes none: give its clients
    /// the last event, and end their streams.
    End(StreamEnd),
    /// Ask the log for its tails, and pass them to [`handle_tails`](super::StreamMember::handle_tails), or call
    /// [`handle_log_failed`](super::StreamMember::handle_log_failed).
    Look,
}

/// Why something was not appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AppendFailure {
    /// The log has not taken it.
    NotAppended,
    /// The log may have taken it or not.
    Unknown,
}
