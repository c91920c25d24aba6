//! The request's body: asked for, complete, or refused.

use std::{mem, time::Instant};

use super::Connection;
use crate::{
    lifecycle::{CloseReason, Timer},
    server::{
        Phase, WrongPhase,
        phase::Input,
        request_body::{RequestBody, State},
    },
};

impl Connection {
    /// Asks for the request body, of which up to [`body_limit`] bytes are taken, within
    /// [`body_timeout`]. It comes as
    /// [`ConnectionEvent::RequestBody`](super::ConnectionEvent::RequestBody) once it is complete, empty where the request has none.
    /// One that is too large, too slow or not framed as it should be is refused (413, 408, 400)
    /// without the application. A client that waits for a 100 before it sends the body
    /// (`Expect: 100-continue`) gets it.
    ///
    /// Without asking, the application may respond at once: the body is thrown away then.
    ///
    /// [`body_limit`]: crate::server::ConnectionConfig::body_limit
    /// [`body_timeout`]: crate::server::ConnectionConfig::body_timeout
    ///
    /// # Errors
    ///
    /// [`WrongPhase`] where there is no request yet, where it has its response, or where its body
    /// was asked for before.
    pub fn receive_body(&mut self, now: Instant) -> Result<(), WrongPhase> {
        let (call, phase) = ("receive_body", self.phase);
        let next = phase.allow(call, Input::ReceiveBody)?;
        if mem::replace(&mut self.input.body_asked, true) {
            return Err(WrongPhase { call, phase });
        }
        self.phase = next;
        self.timers.stop(Timer::Respond);
        self.timers
            .set(Timer::Body, now.checked_add(self.config.body_timeout));
        let body = self
            .body
            .get_or_insert_with(|| Box::new(RequestBody::none()));
        if body.take_wait() {
            self.output.interim(b"HTTP/1.1 100 Continue\r\n\r\n");
            self.arm_stall(now);
        }
        self.check_body(now);
        Ok(())
    }

    /// Where the body was asked for: is it there, or will it never be?
    pub(super) fn check_body(&mut self, now: Instant) {
        let Some(body) = self.body.as_ref().filter(|_| self.phase == Phase::Body) else {
            return;
        };
        match (body.state(), self.phase.after(Input::BodyEnd)) {
            (State::Complete, Some(next)) => {
                self.phase = next;
                self.timers.stop(Timer::Body);
                self.arm_respond(now);
            }
            (State::Faulty(fault), _) => self.refuse(
                now,
                Input::BadRequest,
                fault.status(),
                fault.to_string(),
                CloseReason::Refused(fault.status()),
            ),
            _ => {}
        }
    }
}
