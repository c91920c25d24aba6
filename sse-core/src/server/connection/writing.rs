//! Queues bytes to be written, and handles their transmission.

use std::time::{Instant, SystemTime};

use ::http::{HeaderValue, Response, StatusCode, header, response::Parts};

use super::{Connection, Host};
use crate::{
    chunked::Shared,
    http::encode_response_head,
    lifecycle::CloseReason,
    server::{
        ResponseBody,
        response::embedded_response,
        sink::Sink,
        state::{BodyEnd, State},
    },
};

impl Connection {
    /// Responds that the request cannot be served.
    pub(super) fn reject(&mut self, now: Instant, status: StatusCode, text: &str) {
        self.answer(now, status, text, CloseReason::Rejected(status));
    }

    /// Responds in the application's place.
    pub(super) fn answer(
        &mut self,
        now: Instant,
        status: StatusCode,
        text: &str,
        reason: CloseReason,
    ) {
        let (mut head, ()) = Response::new(()).into_parts();
        head.status = status;
        head.headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        self.begin_output(now, head, ResponseBody::Whole(format!("{text}\n").into()));
        self.output.finish();
        self.end(now, BodyEnd::Whole, reason);
    }

    /// Queues the response's head and, if there is one, the whole body.
    pub(super) fn begin_output(&mut self, now: Instant, head: Parts, body: ResponseBody) {
        let status = head.status;
        let bytes = match &mut self.host {
            Host::Server { response, .. } => {
                let (head, bytes) = embedded_response(head, body, self.request);
                *response = Some(Box::new(head));
                bytes
            }
            Host::Socket { .. } => {
                let (framing, delimiting) = self.request.framing(status, &body);
                let mut wire = Vec::new();
                let clock = self.state.clock();
                let date = clock.map_or(SystemTime::UNIX_EPOCH, |clock| clock.date(now));
                encode_response_head(status, &head.headers, date, framing, &mut wire);
                self.output.begin(delimiting, wire);
                self.request.body_of(status, body)
            }
        };
        self.output.put_shared(Shared::new(bytes));
        self.count_output();
    }

    /// Returns where the events of the open stream are queued.
    #[inline]
    pub(super) fn sink(&mut self) -> Sink<'_> {
        Sink {
            #[cfg(feature = "compression")]
            coding: match &mut self.state {
                State::Streaming(streaming) => streaming
                    .coding()
                    .map(|coding| (coding, &self.host.config().budget)),
                _ => None,
            },
            output: &mut self.output,
        }
    }

    /// Updates the count of queued bytes. Call it whenever the queue has changed.
    #[inline]
    pub(super) fn count_output(&mut self) {
        self.output.count(&self.host.config().budget);
    }

    /// Handles that some of the output was taken.
    pub(super) fn after_progress(&mut self, now: Instant) {
        self.count_output();
        if let Host::Socket { config, .. } = &self.host {
            self.output.rearm_stall(now, config.stall_timeout);
        }
        match &mut self.state {
            State::Streaming(streaming) => streaming.expect_idleness(now, self.host.config()),
            _ => self.check_taken(now),
        }
    }

    /// Sets the stall deadline. Call it whenever bytes were queued.
    pub(super) fn arm_stall(&mut self, now: Instant) {
        // A foreign server detects by itself that a client takes no bytes.
        if let Host::Socket { config, .. } = &self.host {
            self.output.arm_stall(now, config.stall_timeout);
        }
    }
}
