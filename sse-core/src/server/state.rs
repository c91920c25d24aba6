//! What a server connection is doing, with what it needs for that and for nothing else.

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;

#[cfg(feature = "compression")]
use super::coding::Coding;
use super::{KeepAlive, Phase, ResponseConfig, request_body::RequestBody};
use crate::{http::RequestHeadReader, lifecycle::CloseReason};

/// Where a connection is. Small while a stream is open; what the other states need is boxed.
///
/// Each state has its deadline, which therefore ends with it.
#[derive(Debug)]
pub(super) enum State {
    Head(Box<Head>),
    Body(Box<ReceivingBody>),
    Responding(Box<Responding>),
    Streaming(Streaming),
    Delivering(Box<Leaving>),
    /// A foreign server has taken everything of a stream that broke off, and has some time to write it
    /// before the body fails. Seen from outside it is still delivering.
    Failing(Box<Leaving>),
    Ending(Box<Leaving>),
    Lingering(Box<Lingering>),
    Closed {
        reason: CloseReason,
        /// The caller has been told.
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
    /// For the date of the response; `None` where its head is written elsewhere.
    pub(super) clock: Option<Moment>,
}

/// What the application knows of the request body.
#[derive(Debug)]
pub(super) enum Asked {
    /// It has not asked.
    No(RequestBody),
    /// It has asked, and is to be told these bytes.
    Untold(Bytes),
    Told,
}

#[derive(Debug)]
pub(super) struct Streaming {
    /// When the stream has been idle for so long that a comment is due. `None` while one is queued, and
    /// where there is to be none.
    pub(super) next_comment: Option<Instant>,
    /// What the stream has of its own, where it has anything.
    pub(super) own: Option<Box<Own>>,
}

/// What a stream has of its own.
#[derive(Debug, Default)]
pub(super) struct Own {
    pub(super) keep_alive: Option<KeepAlive>,
    /// When the stream ends, whatever is still to come, and for which reason.
    pub(super) end: Option<(Instant, CloseReason)>,
    /// The reconnection time that the client is told at a proper end.
    pub(super) retry: Option<Duration>,
    /// The content coding of its body, if it has one.
    #[cfg(feature = "compression")]
    pub(super) coding: Option<Coding>,
}

/// The connection ends, for this reason.
#[derive(Debug)]
pub(super) struct Leaving {
    pub(super) deadline: Option<Instant>,
    pub(super) reason: CloseReason,
    pub(super) body: BodyEnd,
}

/// How the response's body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyEnd {
    /// It was known as a whole from the beginning.
    Whole,
    /// A stream that ended.
    Stream,
    /// A stream that failed: the client must be able to tell.
    BrokenOff,
}

#[derive(Debug)]
pub(super) struct Lingering {
    pub(super) deadline: Option<Instant>,
    pub(super) reason: CloseReason,
    /// How many more bytes are read and discarded.
    pub(super) room: usize,
}

/// A moment that is known on both clocks, so that every later one is, too.
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
    /// What a connection is in while its state is replaced.
    pub(super) const NONE: Self = Self::Closed {
        reason: CloseReason::TaskDropped,
        told: false,
    };

    /// Over, for this reason.
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

    /// The clock for the date of the response, before there is one.
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
    /// When there is something to do: a comment to send, or the stream to end.
    fn deadline(&self) -> Option<Instant> {
        let end = self.end().map(|(at, _)| *at);
        self.next_comment.into_iter().chain(end).min()
    }

    pub(super) fn end(&self) -> Option<&(Instant, CloseReason)> {
        self.own.as_ref().and_then(|own| own.end.as_ref())
    }

    /// Has the stream end then, unless it ends earlier.
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

    /// Has the client told this reconnection time at a proper end.
    pub(super) fn end_with_retry(&mut self, retry: Duration) {
        self.own.get_or_insert_default().retry = Some(retry);
    }

    /// The stream's idle time counts from now.
    pub(super) fn expect_idleness(&mut self, now: Instant, config: &ResponseConfig) {
        const SHORTEST: Duration = Duration::from_millis(10);
        let own = self.own.as_ref().and_then(|own| own.keep_alive.as_ref());
        let idle = own.map_or(config.keep_alive, KeepAlive::interval);
        self.next_comment = idle.and_then(|idle| now.checked_add(idle.max(SHORTEST)));
    }
}

impl Leaving {
    /// Whether this end says that the client has everything: a stream that ended, for whatever
    /// reason, and a whole response of the application's.
    pub(super) fn promises_delivery(&self) -> bool {
        self.body == BodyEnd::Stream || self.reason == CloseReason::ResponseSent
    }
}
