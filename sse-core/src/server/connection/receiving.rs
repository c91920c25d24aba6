//! The request's body: how it is asked for, received and rejected.

use std::{mem, time::Instant};

use super::{Connection, transitions::Step};
use crate::server::{
    WrongPhase,
    request_body::{BodyProgress, RequestBody},
    state::{Asked, State},
};

impl Connection {
    /// Asks for the request body, of at most [`body_limit`] bytes and within [`body_timeout`].
    /// [`ConnectionEvent::RequestBody`](super::ConnectionEvent::RequestBody) has it once it is complete;
    /// it is empty where the request has none. The machine itself rejects a body that is too large, too
    /// slow or invalidly framed (413, 408, 400). It sends a 100 to a client that waits for one before it
    /// sends the body (`Expect: 100-continue`).
    ///
    /// The application may respond without asking for the body, which is then discarded.
    ///
    /// [`body_limit`]: crate::server::ResponseConfig::body_limit
    /// [`body_timeout`]: crate::server::ResponseConfig::body_timeout
    ///
    /// # Errors
    ///
    /// [`WrongPhase`] where there is no request yet, where it has its response, or where its body was
    /// asked for before.
    pub fn receive_body(&mut self, now: Instant) -> Result<(), WrongPhase> {
        let State::Responding(responding) = &mut self.state else {
            return Err(self.wrong_phase("receive_body"));
        };
        let Asked::No(body) = &mut responding.body else {
            return Err(self.wrong_phase("receive_body"));
        };
        let mut body = mem::replace(body, RequestBody::none());
        if body.take_wait() {
            self.output.interim(b"HTTP/1.1 100 Continue\r\n\r\n");
            self.arm_stall(now);
        }
        self.step(Step::BodyAsked(now, body));
        self.check_body(now);
        Ok(())
    }

    /// Checks whether the body that was asked for is complete, or can never be.
    pub(super) fn check_body(&mut self, now: Instant) {
        let State::Body(receiving) = &self.state else {
            return;
        };
        match receiving.body.progress() {
            BodyProgress::Pending => {}
            BodyProgress::Complete => self.step(Step::BodyReceived(now)),
            BodyProgress::Faulty(fault) => self.reject(now, fault.status(), &fault.to_string()),
        }
    }
}
