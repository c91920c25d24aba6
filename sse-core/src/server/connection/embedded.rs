//! A connection whose request was read elsewhere, or whose response is written elsewhere.

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use super::Connection;
use crate::{
    http::RequestHead,
    server::{ConnectionConfig, Phase},
};

impl Connection {
    /// A connection whose request head was read by somebody else: a parser of your own. It goes on
    /// where the head is complete, in [`Phase::Responding`], without telling of a
    /// [`ConnectionEvent::Request`](super::ConnectionEvent::Request). What was read beyond the head goes to
    /// [`handle_input`](Self::handle_input).
    ///
    /// [`RequestHead::new`] makes a head of an `http::Request`.
    #[must_use]
    pub fn for_request(
        now: Instant,
        date: SystemTime,
        config: Arc<ConnectionConfig>,
        head: &RequestHead,
    ) -> Self {
        let mut connection = Self::new(now, date, config);
        connection.begin_responding(now, head);
        connection
    }

    /// An event stream that is the body of somebody else's response: your server writes the head
    /// and frames the body, in chunks or in HTTP/2, and this gives the bytes in between. The stream
    /// is open from the beginning, in [`Phase::Streaming`].
    ///
    /// Everything after the head is as it is elsewhere:
    /// [`ConnectionEvent::EndOutput`](super::ConnectionEvent::EndOutput) is the time to end the body. Where the stream was [aborted](Self::abort), leave that out and break the
    /// response off, so that the client can tell. [`handle_eof`](Self::handle_eof) is for a client
    /// that went away.
    #[must_use]
    pub fn for_body(now: Instant, config: Arc<ConnectionConfig>) -> Self {
        // Without a response's head nobody is told the date.
        let mut connection = Self::new(now, SystemTime::UNIX_EPOCH, config);
        connection.head = None;
        connection.phase = Phase::Streaming;
        connection.timers.stop_all();
        connection.input.expected = false;
        connection.arm_keep_alive(now);
        connection
    }
}
