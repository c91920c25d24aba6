//! The states of a server connection, each with exactly the data that it needs.

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;

#[cfg(feature = "compression")]
use super::coding::Coding;
use super::{KeepAlive, Phase, ResponseConfig, request_body::RequestBody};
use crate::{http::RequestHeadReader, lifecycle::CloseReason};

/// The state of a connection. It is small while a stream is open; the data of other states is boxed.
///
/// Each state owns its deadline, which therefore ends with it.
#[derive(Debug)]
pub(super) enum State {
    Head(Box<Head>),
    Body(Box<ReceivingBody>),
    Responding(Box<Responding>),
    Streaming(Streaming),
    Delivering(Box<Leaving>),
    /// A foreign server has taken all bytes of a stream that broke off, and has some time to write them
    /// before the body fails. The phase is still `Delivering`.
    Failing(Box<Leaving>),
    Ending(Box<Leaving>),
    Lingering(Box<Lingering>),
    Closed {
        reason: CloseReason,
        /// Whether the caller has been told.
        told: bool,
    },
}

#[derive(Debug)]
pub(super) struct Head {
    pub(super) deadline: Option<Instant>,
    pub(super) reader: RequestHeadReader,
    pub(super) clock: Moment,
}

#[derive(Debug)]
pub(super) struct ReceivingBody {
    pub(super) deadline: Option<Instant>,
    pub(super) body: RequestBody,
    pub(super) clock: Option<Moment>,
}

#[derive(Debug)]
pub(super) struct Responding {
    pub(super) deadline: Option<Instant>,
    pub(super) body: Asked,
    /// The time for the response's `Date`; `None` where a foreign server writes the head.
    pub(super) clock: Option<Moment>,
}

/// Whether the application has asked for the request body.
#[derive(Debug)]
pub(super) enum Asked {
    /// It has not; this is the body so far.
    No(RequestBody),
    /// It has; it has yet to be told these bytes.
    Untold(Bytes),
    Told,
}

#[derive(Debug)]
pub(super) struct Streaming {
    /// When the stream will have been idle for so long that a comment is due. `None` while one is queued,
    /// and where there is none.
    pub(super) next_comment: Option<Instant>,
    /// The stream's own settings, if it has any.
    pub(super) own: Option<Box<Own>>,
}

/// A stream's own settings.
#[derive(Debug, Default)]
pub(super) struct Own {
    pub(super) keep_alive: Option<KeepAlive>,
    /// When the stream ends, whatever is still to come, and for which reason.
    pub(super) end: Option<(Instant, CloseReason)>,
    /// The reconnection time that the client gets at a proper end.
    pub(super) retry: Option<Duration>,
    /// The content coding of its body, if it has one.
    #[cfg(feature = "compression")]
    pub(super) coding: Option<Coding>,
}

/// The connection is ending for this reason.
#[derive(Debug)]
pub(super) struct Leaving {
    pub(super) deadline: Option<Instant>,
    pub(super) reason: CloseReason,
    pub(super) body: BodyEnd,
}

/// How the response's body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyEnd {
    /// The body was complete from the beginning.
    Whole,
    /// The body is a stream that ended.
    Stream,
    /// The body is a stream that failed, which the client must be able to tell.
    BrokenOff,
}

#[derive(Debug)]
pub(super) struct Lingering {
    pub(super) deadline: Option<Instant>,
    pub(super) reason: CloseReason,
    /// The number of bytes that may still be read and discarded.
    pub(super) room: usize,
}

/// A moment on both clocks, from which the wall clock of any later instant follows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) instant: Instant,
    pub(super) date: SystemTime,
}

impl Moment {
    pub(super) fn date(&self, now: Instant) -> SystemTime {
        let passed = now.saturating_duration_since(self.instant);
        self.date.checked_add(passed).unwrap_or(self.date)
    }
}

impl State {
    /// The state that a connection has while its state is being replaced.
    pub(super) const NONE: Self = Self::Closed {
        reason: CloseReason::TaskDropped,
        told: false,
    };

    /// Returns the state of a connection that is over for this reason.
    pub(super) fn closed(reason: CloseReason) -> Self {
        let told = false;
        Self::Closed { reason, told }
    }

    pub(super) fn phase(&self) -> Phase {
        match self {
            Self::Head(_) => Phase::Head,
            Self::Body(_) => Phase::Body,
            Self::Responding(_) => Phase::Responding,
            Self::Streaming(_) => Phase::Streaming,
            Self::Delivering(_) | Self::Failing(_) => Phase::Delivering,
            Self::Ending(_) => Phase::Ending,
            Self::Lingering(_) => Phase::Lingering,
            Self::Closed { .. } => Phase::Closed,
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Head(head) => head.deadline,
            Self::Body(receiving) => receiving.deadline,
            Self::Responding(responding) => responding.deadline,
            Self::Streaming(streaming) => streaming.deadline(),
            Self::Delivering(leaving) | Self::Failing(leaving) | Self::Ending(leaving) => {
                leaving.deadline
            }
            Self::Lingering(lingering) => lingering.deadline,
            Self::Closed { .. } => None,
        }
    }

    /// Returns the time for the response's `Date`, before there is a response.
    pub(super) fn clock(&self) -> Option<Moment> {
        match self {
            Self::Head(head) => Some(head.clock),
            Self::Body(receiving) => receiving.clock,
            Self::Responding(responding) => responding.clock,
            _ => None,
        }
    }
}

impl Streaming {
    /// Returns when there is something to do: a comment to send, or the stream to end.
    fn deadline(&self) -> Option<Instant> {
        let end = self.end().map(|(at, _)| *at);
        self.next_comment.into_iter().chain(end).min()
    }

    pub(super) fn end(&self) -> Option<&(Instant, CloseReason)> {
        self.own.as_ref().and_then(|own| own.end.as_ref())
    }

    /// Sets the end of the stream to `at`, unless it is set to an earlier time.
    pub(super) fn end_at(&mut self, at: Instant, reason: CloseReason) {
        if self.end().is_none_or(|(earlier, _)| at < *earlier) {
            self.own.get_or_insert_default().end = Some((at, reason));
        }
    }

    pub(super) fn retry(&self) -> Option<Duration> {
        self.own.as_ref().and_then(|own| own.retry)
    }

    #[cfg(feature = "compression")]
    pub(super) fn coding(&mut self) -> Option<&mut Coding> {
        self.own.as_mut()?.coding.as_mut()
    }

    #[cfg(feature = "compression")]
    pub(super) fn take_coding(&mut self) -> Option<Coding> {
        self.own.as_mut()?.coding.take()
    }

    /// Sets the reconnection time that the client gets at a proper end.
    pub(super) fn end_with_retry(&mut self, retry: Duration) {
        self.own.get_or_insert_default().retry = Some(retry);
    }

    /// Restarts the stream's idle time at `now`.
    pub(super) fn expect_idleness(&mut self, now: Instant, config: &ResponseConfig) {
        const SHORTEST: Duration = Duration::from_millis(10);
        let own = self.own.as_ref().and_then(|own| own.keep_alive.as_ref());
        let idle = own.map_or(config.keep_alive, KeepAlive::interval);
        self.next_comment = idle.and_then(|idle| now.checked_add(idle.max(SHORTEST)));
    }
}

impl Leaving {
    /// Returns whether this end says that the client has everything: a stream that ended, for whatever
    /// reason, or a whole response of the application's.
    pub(super) fn promises_delivery(&self) -> bool {
        self.body == BodyEnd::Stream || self.reason == CloseReason::ResponseSent
    }
}
