//! The states of an event source, each with exactly the data that it needs.

use std::{
    mem,
    time::{Duration, Instant},
};

use ::http::Response;
use bytes::Bytes;

use super::{End, EventSourceConfig, Failure, Loss, Phase, UnexpectedResponse, incoming::Incoming};
use crate::http::{BodyPart, BodyReader, ResponseHeadReader};

/// The state of an event source. Each state owns its deadline, which therefore ends with it.
#[derive(Debug)]
pub(super) enum State {
    /// The application has to prepare the request, and the caller has yet to be told.
    Unprepared,
    /// The application prepares the request.
    Preparing {
        deadline: Option<Instant>,
    },
    /// A connection is wanted, and the caller has yet to be told.
    Asking,
    /// The caller was told to make a connection, or to send the request.
    Connecting {
        deadline: Option<Instant>,
    },
    Requesting(Box<Requesting>),
    Unexpected(Box<Unexpected>),
    Open(Box<Open>),
    Waiting {
        until: Instant,
    },
    /// The application wants no connection for now.
    Paused {
        /// The earliest instant of the next attempt.
        until: Instant,
    },
    Closed {
        /// How the subscription ended, until the caller has been told.
        untold: Option<Box<Result<End, Failure>>>,
    },
}

/// The request is being sent, and the response's head has not arrived yet.
#[derive(Debug)]
pub(super) struct Requesting {
    pub(super) deadline: Option<Instant>,
    pub(super) request: Outgoing,
    pub(super) answer: Answer,
}

/// Which code reads the response's head.
#[derive(Debug)]
pub(super) enum Answer {
    /// This crate, from the connection's bytes.
    Bytes(ResponseHeadReader),
    /// A foreign HTTP client, which also writes the request.
    Foreign,
}

/// The response is not an event stream. Its body is being received.
#[derive(Debug)]
pub(super) struct Unexpected {
    pub(super) deadline: Option<Instant>,
    pub(super) request: Outgoing,
    pub(super) verdict: Verdict,
    pub(super) response: Response<()>,
    pub(super) body: BodyReader,
    pub(super) bytes: Vec<u8>,
    pub(super) is_complete: bool,
}

/// What follows from a response that is not an event stream.
#[derive(Debug)]
pub(super) struct Verdict {
    /// Which loss it is.
    pub(super) loss: fn(Box<UnexpectedResponse>) -> Loss,
    /// Whether no other attempt follows.
    pub(super) is_final: bool,
    /// The time that the server asks to wait.
    pub(super) retry_after: Option<Duration>,
}

/// The event stream is open.
#[derive(Debug)]
pub(super) struct Open {
    /// When the stream has been idle for too long.
    pub(super) deadline: Option<Instant>,
    pub(super) request: Outgoing,
    /// The response's head, until the caller has been told.
    pub(super) untold: Option<Box<Response<()>>>,
    pub(super) incoming: Incoming,
    /// Whether an item was taken since the time was known: the idle time counts from after that.
    pub(super) taken_untimed: bool,
    pub(super) since: Instant,
    pub(super) gave_event: bool,
}

/// The part of a request that is still to be written. Some servers answer before they have all of it.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    pub(super) head: Vec<u8>,
    pub(super) body: Bytes,
    pub(super) written: usize,
}

impl State {
    /// The state that an event source has while its state is being replaced.
    pub(super) const NONE: Self = Self::Closed { untold: None };

    pub(super) fn phase(&self) -> Phase {
        match self {
            Self::Unprepared | Self::Preparing { .. } => Phase::Preparing,
            Self::Asking | Self::Connecting { .. } => Phase::Connecting,
            Self::Requesting(_) => Phase::Requesting,
            Self::Unexpected(_) => Phase::Unexpected,
            Self::Open(_) => Phase::Open,
            Self::Waiting { .. } => Phase::Waiting,
            Self::Paused { .. } => Phase::Paused,
            Self::Closed { .. } => Phase::Closed,
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Preparing { deadline } | Self::Connecting { deadline } => *deadline,
            Self::Requesting(requesting) => requesting.deadline,
            Self::Unexpected(unexpected) => unexpected.deadline,
            Self::Open(open) => open.deadline,
            Self::Waiting { until } => Some(*until),
            Self::Unprepared | Self::Asking | Self::Paused { .. } | Self::Closed { .. } => None,
        }
    }

    /// Returns whether there is a connection, or one that the caller was told to make.
    pub(super) fn has_connection(&self) -> bool {
        match self {
            Self::Connecting { .. } | Self::Requesting(_) | Self::Unexpected(_) | Self::Open(_) => {
                true
            }
            Self::Unprepared
            | Self::Preparing { .. }
            | Self::Asking
            | Self::Waiting { .. }
            | Self::Paused { .. }
            | Self::Closed { .. } => false,
        }
    }

    /// Returns the open stream, to take from it what was received, unless the caller is to be told first
    /// that it is open.
    #[inline]
    pub(super) fn receiving(&mut self) -> Option<&mut Open> {
        match self {
            Self::Open(open) if open.untold.is_none() => {
                open.taken_untimed |= open.incoming.len() > 0;
                Some(open)
            }
            _ => None,
        }
    }

    /// Returns the bytes to be written, while there is a connection.
    pub(super) fn outgoing(&mut self) -> Option<&mut Outgoing> {
        match self {
            Self::Requesting(requesting) => Some(&mut requesting.request),
            Self::Unexpected(unexpected) => Some(&mut unexpected.request),
            Self::Open(open) => Some(&mut open.request),
            _ => None,
        }
    }
}

impl Outgoing {
    pub(super) fn transmitted(&mut self, n: usize) {
        self.written = self.written.saturating_add(n);
        if self.written >= self.head.len() + self.body.len() {
            *self = Self::default();
        }
    }
}

impl Open {
    /// Restarts the idle time at `now`.
    pub(super) fn expect_more(&mut self, now: Instant, config: &EventSourceConfig) {
        self.deadline = config.idle_timeout.and_then(|idle| now.checked_add(idle));
    }
}

impl Unexpected {
    /// Receives a part of the body. Returns whether the body is complete, or as much of it is there as is
    /// wanted.
    pub(super) fn receive(&mut self, mut input: &[u8], most: usize) -> bool {
        loop {
            match self.body.read(&mut input) {
                Ok(BodyPart::Data(data)) => {
                    let room = most.saturating_sub(self.bytes.len());
                    self.bytes.extend(data.iter().take(room));
                    if data.len() > room {
                        return true;
                    }
                }
                Ok(BodyPart::More) => return most == 0,
                Ok(BodyPart::End) => {
                    self.is_complete = true;
                    return true;
                }
                Err(_) => return true,
            }
        }
    }

    /// Records the end of the connection.
    pub(super) fn end(&mut self) {
        self.is_complete = self.body.end_of_input().is_ok();
    }

    /// Returns the loss, with the part of the body that was received.
    pub(super) fn loss(&mut self) -> Loss {
        (self.verdict.loss)(Box::new(UnexpectedResponse {
            response: mem::take(&mut self.response),
            body: mem::take(&mut self.bytes).into(),
            is_cut: !self.is_complete,
        }))
    }
}

/// Returns `now` plus `wait`, or a year after `now` where an [`Instant`] cannot hold that.
pub(super) fn later(now: Instant, wait: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    now.checked_add(wait)
        .or_else(|| now.checked_add(YEAR))
        .unwrap_or(now)
}
