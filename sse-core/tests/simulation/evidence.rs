//! The reasons that a connection of the server has to close.

use std::time::Instant;

use sse_core::{
    lifecycle::{CloseReason, Deadline},
    server::ConnectionConfig,
};

/// The events that are a reason to close.
#[derive(Debug)]
pub(crate) struct Evidence {
    pub(crate) accepted: Instant,
    pub(crate) asked: Option<Instant>,
    pub(crate) streaming: Option<Instant>,
    pub(crate) ended: Option<Instant>,
    pub(crate) last_write: Instant,
    pub(crate) went_away: bool,
    pub(crate) transport_timed_out: bool,
    pub(crate) topic_closed: bool,
    pub(crate) too_slow: bool,
    pub(crate) was_refused: bool,
    pub(crate) shutdown: bool,
}

impl Evidence {
    /// Records that a connection was accepted.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            accepted: now,
            asked: None,
            streaming: None,
            ended: None,
            last_write: now,
            went_away: false,
            transport_timed_out: false,
            topic_closed: false,
            too_slow: false,
            was_refused: false,
            shutdown: false,
        }
    }

    /// Checks that the close reason has a cause.
    pub(crate) fn check(&self, reason: &CloseReason, now: Instant, config: &ConnectionConfig) {
        let passed = |since: Option<Instant>, time| since.is_some_and(|since| now >= since + time);
        let fits = match reason {
            CloseReason::StreamEnded => self.topic_closed,
            CloseReason::Rejected(_) | CloseReason::ResponseSent => self.was_refused,
            CloseReason::ClientWentAway => self.went_away,
            CloseReason::SlowConsumer => self.too_slow,
            CloseReason::Shutdown => self.shutdown,
            CloseReason::TimedOut(Deadline::Head) => {
                self.asked.is_none() && passed(Some(self.accepted), config.head_timeout)
            }
            CloseReason::TimedOut(Deadline::Respond) => {
                passed(self.asked, config.response.respond_timeout)
            }
            CloseReason::TimedOut(Deadline::Stall) => {
                self.transport_timed_out || passed(Some(self.last_write), config.stall_timeout)
            }
            CloseReason::TimedOut(Deadline::Drain) => passed(self.ended, config.drain_timeout),
            CloseReason::TaskDropped => true,
            _ => false,
        };
        assert!(fits, "closed because {reason}, with {self:?}");
    }

    /// Checks that a client that vanished is detected in time.
    pub(crate) fn check_silence(&self, since: Instant, now: Instant, config: &ConnectionConfig) {
        let stall = config.stall_timeout;
        let most = match self.streaming {
            Some(streaming) if streaming <= since => {
                config.response.keep_alive.unwrap_or_default() + stall
            }
            _ => config.response.respond_timeout + config.drain_timeout.max(stall),
        };
        let time = now - since;
        assert!(
            time <= most,
            "a client that vanished was there for {time:?}"
        );
    }
}
