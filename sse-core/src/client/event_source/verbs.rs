//! The methods that the application calls.

use std::time::{Duration, Instant};

use ::http::Request;
use bytes::Bytes;

use super::{
    super::{
        Attempt, AttemptError, End, Failure, Loss, Reconnection, WrongPhase,
        state::{State, later},
        target::Target,
    },
    EventSource,
    transitions::Step,
};
use crate::EventId;

impl EventSource {
    /// Makes the next attempt with this request, which is the one from
    /// [`ClientEvent::Prepare`](super::ClientEvent::Prepare), changed or not. Changes stay for later
    /// attempts.
    ///
    /// # Errors
    ///
    /// [`AttemptError::WrongPhase`] where the phase is not `Preparing`, and [`AttemptError::Invalid`]
    /// where the request is invalid. Nothing changes then, not even the phase.
    pub fn attempt(&mut self, _now: Instant, attempt: Attempt) -> Result<(), AttemptError> {
        self.check_preparing("attempt")?;
        self.target = Target::of_attempt(&attempt, &self.target)?;
        if attempt.last_event_id.as_str() != self.decoder.last_event_id_to_send() {
            self.decoder.set_last_event_id(&attempt.last_event_id);
        }
        self.step(Step::Prepared);
        Ok(())
    }

    /// Postpones the attempt, and asks the application again after `time`, or after the [shortest
    /// reconnection time](super::super::Reconnection::floor) if that is longer.
    ///
    /// # Errors
    ///
    /// [`WrongPhase`] where the phase is not `Preparing`. Nothing changes then.
    pub fn wait(&mut self, now: Instant, time: Duration) -> Result<(), WrongPhase> {
        self.check_preparing("wait")?;
        self.step(Step::Wait(later(now, time.max(self.floor()))));
        Ok(())
    }

    /// Ends the subscription instead of making another attempt. It ends as the last attempt did: with a
    /// failure that has the [`UnexpectedResponse`](super::super::UnexpectedResponse) or the loss, or
    /// properly if the stream had ended properly or there was no attempt yet.
    ///
    /// # Errors
    ///
    /// [`WrongPhase`] where the phase is not `Preparing`. Nothing changes then.
    pub fn stop(&mut self, _now: Instant) -> Result<(), WrongPhase> {
        self.check_preparing("stop")?;
        let last_loss = self.last_loss.take().map(|loss| *loss);
        self.over(match last_loss {
            None => Ok(End::Closed),
            Some(Loss::Ended) => Ok(End::StreamEnded),
            Some(loss @ (Loss::Status(_) | Loss::ContentType(_))) => Err(Failure::of(loss)),
            Some(loss) => Err(Failure::GaveUp(loss)),
        });
        Ok(())
    }

    /// Returns the request for a foreign HTTP client, to use in place of a connection when
    /// [`ClientEvent::Connect`](super::ClientEvent::Connect) asks for one.
    ///
    /// Report the outcome with [`handle_response`](Self::handle_response),
    /// [`handle_body`](Self::handle_body) and [`handle_body_end`](Self::handle_body_end), or with
    /// [`handle_transport_error`](Self::handle_transport_error). The response's head may take the sum of
    /// the connect timeout and the head timeout.
    ///
    /// The request has all its header fields except those that its client adds: `Host` and
    /// `Content-Length`.
    ///
    /// # Errors
    ///
    /// [`WrongPhase`] where no connection was asked for, or where it is established already.
    pub fn take_request(&mut self, now: Instant) -> Result<Request<Bytes>, WrongPhase> {
        let State::Connecting { .. } = self.state else {
            return Err(WrongPhase::new("take_request", self.phase()));
        };
        let request = self.target.request(self.decoder.last_event_id_to_send());
        self.step(Step::Taken(now));
        Ok(request)
    }

    /// Connects again as soon as two attempts may follow each other, which is the [shortest reconnection
    /// time](super::super::Reconnection::floor) after the last one. Call it when the network is back, for
    /// example, or when the computer woke up. The reconnection time, the state of the back-off and the
    /// redirects stay unchanged.
    ///
    /// A wait becomes shorter. A connection that is established or is being made is given up, which is a
    /// loss that does not count; everything received from it is returned first. An attempt that is being
    /// prepared continues, and so does the reading of a response that is no event stream, which decides
    /// what comes next. Does nothing while the subscription is paused, and without
    /// [reconnections](super::super::EventSourceConfig::reconnection).
    ///
    /// # Errors
    ///
    /// [`WrongPhase`] where the subscription is over.
    pub fn reconnect(&mut self, now: Instant) -> Result<(), WrongPhase> {
        self.check_not_over("reconnect")?;
        if self.config.reconnection.is_none() {
            return Ok(());
        }
        match &mut self.state {
            State::Waiting { .. } => self.step(Step::Hurry(self.soonest(now))),
            State::Connecting { .. } | State::Requesting(_) => self.lose(now, Loss::Replaced, None),
            // A pause that has received events to return first is a pause already.
            State::Open(open) if !open.incoming.is_pausing() => {
                open.incoming.end_with(Loss::Replaced);
            }
            _ => {}
        }
        Ok(())
    }

    /// Closes the connection, and makes no other before [`resume`](Self::resume). Everything received
    /// from an open stream is returned first. Does nothing while the subscription is paused, and without
    /// [reconnections](super::super::EventSourceConfig::reconnection).
    ///
    /// # Errors
    ///
    /// [`WrongPhase`] where the subscription is over.
    pub fn pause(&mut self, now: Instant) -> Result<(), WrongPhase> {
        self.check_not_over("pause")?;
        if self.config.reconnection.is_none() {
            return Ok(());
        }
        match &mut self.state {
            State::Open(open) => open.incoming.end_with(Loss::Paused),
            State::Connecting { .. } | State::Requesting(_) | State::Unexpected(_) => {
                self.rest(now, false);
            }
            State::Unprepared | State::Preparing { .. } | State::Asking => {
                self.step(Step::Pause(now));
            }
            State::Waiting { until } => {
                let until = *until;
                self.step(Step::Pause(until));
            }
            State::Paused { .. } | State::Closed { .. } => {}
        }
        Ok(())
    }

    /// Continues after [`pause`](Self::pause): with the next attempt at once, or after the rest of the
    /// wait that was interrupted or of the time between two attempts. Does nothing while the subscription
    /// is not paused.
    ///
    /// # Errors
    ///
    /// [`WrongPhase`] where the subscription is over.
    pub fn resume(&mut self, now: Instant) -> Result<(), WrongPhase> {
        self.check_not_over("resume")?;
        match &mut self.state {
            State::Open(open) if open.incoming.is_pausing() => {
                open.incoming.end_with(Loss::Replaced);
            }
            _ => self.step(Step::Resume(now)),
        }
        Ok(())
    }

    /// Sets the last event ID that the next request carries, such as the one of an earlier run. An empty
    /// one removes it. The open stream goes on: the ID of its next event replaces this one.
    ///
    /// While an attempt is being prepared, set [`Attempt::last_event_id`] instead, which the request
    /// carries.
    pub fn set_last_event_id(&mut self, id: &EventId) {
        self.decoder.set_last_event_id(id);
    }

    /// Ends the subscription: no more input is received, and the caller has to
    /// [close](super::ClientEvent::Disconnect) the connection.
    ///
    /// # Errors
    ///
    /// [`WrongPhase`] where the subscription is over already.
    pub fn close(&mut self, _now: Instant) -> Result<(), WrongPhase> {
        self.check_not_over("close")?;
        self.over(Ok(End::Closed));
        Ok(())
    }

    pub(super) fn to_prepare(&self) -> Attempt {
        Attempt::new(
            self.backoff.failed_attempts().saturating_add(1),
            self.last_loss.as_deref().cloned(),
            &self.target,
            self.decoder.last_event_id_to_send(),
        )
    }

    /// Returns the shortest time between two attempts.
    pub(super) fn floor(&self) -> Duration {
        let settings = self.config.reconnection.as_ref();
        settings.map_or_else(
            || Reconnection::default().counted_floor(),
            Reconnection::counted_floor,
        )
    }

    fn check_not_over(&self, call: &'static str) -> Result<(), WrongPhase> {
        match self.state {
            State::Closed { .. } => Err(WrongPhase::new(call, self.phase())),
            _ => Ok(()),
        }
    }

    fn check_preparing(&self, call: &'static str) -> Result<(), WrongPhase> {
        match self.state {
            State::Unprepared | State::Preparing { .. } => Ok(()),
            _ => Err(WrongPhase::new(call, self.phase())),
        }
    }
}
