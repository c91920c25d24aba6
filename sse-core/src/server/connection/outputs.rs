//! What the caller must do next.

use std::time::Instant;

use super::{Connection, ConnectionEvent, Host};
use crate::{
    Transmit,
    server::state::{Asked, State},
};

impl Connection {
    /// Returns the bytes to write now, for one vectored write. Say with
    /// [`handle_transmitted`](Self::handle_transmitted) how many of them were written.
    pub fn poll_transmit(&mut self) -> Transmit<'_> {
        self.output.poll_transmit()
    }

    /// Returns what happened that the caller should know, oldest first.
    ///
    /// `now` is there as on [the client's machine](crate::client::EventSource::poll_event); what
    /// this machine tells does not depend on it.
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

    /// Returns when to call [`handle_timeout`](Self::handle_timeout), if nothing happens before.
    #[must_use]
    #[inline]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match (self.output.stall(), self.state.deadline()) {
            (Some(stall), Some(deadline)) => Some(stall.min(deadline)),
            (stall, deadline) => stall.or(deadline),
        }
    }
}
