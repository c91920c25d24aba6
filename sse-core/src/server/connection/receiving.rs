//! The request's body: asked for, complete, or refused.

use std::{mem, time::Instant};

use super::{Connection, transitions::Step};
use crate::server::{
    WrongPhase,
    request_body::{BodyProgress, RequestBody},
    state::{Asked, State},
};

impl Connection {
    /// Asks for the request body, of which up to [`body_limit`] bytes are taken, within
    /// [`body_timeout`]. It comes as
    /// [`ConnectionEvent::RequestBody`](super::ConnectionEvent::RequestBody) once it is complete,
    /// empty where the request has none. One that is too large, too slow or not framed as it should
    /// be is refused (413, 408, 400) without the application. A client that waits for a 100 before
    /// it sends the body (`Expect: 100-continue`) gets it.
    ///
    /// Without asking, the application may respond at once: the body is discarded then.
    ///
    /// [`body_limit`]: crate::server::ResponseConfig::body_limit
    /// [`body_timeout`]: crate::server::ResponseConfig::body_timeout
    ///
    /// # Errors
    ///
    /// [`WrongPhase`] where there is no request yet, where it has its response, or where its body
    /// was asked for before.
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

    /// Where the body was asked for: is it there, or will it never be?
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
