//! What the clean-up of a connection tells.

use std::{fmt, time::Instant};

use serde::Serialize;

use super::state::rounded;
use crate::on::adapter::{CloseReason, Request};

/// A connection, from its request on.
#[derive(Debug)]
pub(super) struct Connection {
    path: String,
    peer: String,
    start: Instant,
}

/// The end of a connection.
#[derive(Debug, Serialize)]
pub(super) struct CleanUp {
    path: String,
    peer: String,
    reason: String,
    seconds: f64,
}

impl Connection {
    pub(super) fn of(request: &Request) -> Self {
        let peer = request.peer_addr();
        Self {
            path: request.path().to_owned(),
            peer: peer.map_or_else(String::new, |peer| peer.to_string()),
            start: Instant::now(),
        }
    }

    pub(super) fn ended(self, reason: &CloseReason) -> CleanUp {
        CleanUp {
            path: self.path,
            peer: self.peer,
            reason: reason.to_string(),
            seconds: rounded(self.start.elapsed()),
        }
    }
}

impl fmt::Display for CleanUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            peer,
            reason,
            seconds,
        } = self;
        write!(f, "{path} from {peer} ended after {seconds} s: {reason}")
    }
}
