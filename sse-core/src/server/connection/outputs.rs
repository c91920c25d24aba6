//! Outputs: what the caller has to do next.

use std::time::Instant;

use super::{Connection, ConnectionEvent, Host};
use crate::{
    Transmit,
    server::state::{Asked, State},
};

impl Connection {
    /// Returns the bytes to write now, for one vectored write. Report with
    /// [`handle_transmitted`](Self::handle_transmitted) how many of them were written.
    pub fn poll_transmit(&mut self) -> Transmit<'_> {
        self.output.poll_transmit()
    }

    /// Returns the oldest event that the caller has yet to see.
    ///
    /// `now` is a parameter as on [the client's machine](crate::client::EventSource::poll_event); the
    /// events of this machine do not depend on it.
    pub fn poll_event(&mut self, _now: Instant) -> Option<ConnectionEvent> {
        match &mut self.host {
            Host::Socket { request, .. } => {
                if let Some(request) = request.take() {
                    return Some(ConnectionEvent::Request(request));
                }
            }
            Host::Server { response, .. } => {
                if let Some(response) = response.take() {
                    return Some(ConnectionEvent::Respond(response));
                }
            }
        }
        match &mut self.state {
            State::Responding(responding) => match &mut responding.body {
                Asked::Untold(bytes) => {
                    let bytes = std::mem::take(bytes);
                    responding.body = Asked::Told;
                    Some(ConnectionEvent::RequestBody(bytes))
                }
                Asked::No(_) | Asked::Told => None,
            },
            State::Delivering(_) => self.end_output(),
            State::Closed { reason, told } if !*told => {
                *told = true;
                Some(ConnectionEvent::Closed(reason.clone()))
            }
            _ => None,
        }
    }

    /// Returns when to call [`handle_timeout`](Self::handle_timeout), if nothing happens before; `None`
    /// where no deadline is set. Ask again after every other call.
    #[must_use]
    #[inline]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match (self.output.stall(), self.state.deadline()) {
            (Some(stall), Some(deadline)) => Some(stall.min(deadline)),
            (stall, deadline) => stall.or(deadline),
        }
    }
}
