//! The methods that the application calls. In the wrong phase they return an error and change nothing.

use std::{
    mem,
    time::{Duration, Instant},
};

use ::http::{Response, StatusCode};

use super::{Connection, transitions::Step};
#[cfg(feature = "compression")]
use crate::server::coding::Coding;
use crate::{
    Comment, EncodedEvents, Event,
    lifecycle::{CleanUpOwner, CloseReason},
    server::{
        RespondError, ResponseBody, SendError, WrongPhase,
        response::add_stream_fields,
        sink::Sink,
        state::{BodyEnd, State},
    },
};

impl Connection {
    /// Responds to the request. With [`ResponseBody::EventStream`] the stream is open afterwards, unless
    /// the request or the status allows no body (`HEAD`, 204, 205, 304); [`phase`](Self::phase) tells.
    ///
    /// A [whole](ResponseBody::Whole) response may come before the request: an overloaded server responds
    /// without waiting. The bytes that the client is sending are then read for a while and discarded, so
    /// that the response reaches it.
    ///
    /// An event stream gets `content-type: text/event-stream`, `cache-control: no-cache, no-transform`
    /// and `x-accel-buffering: no`, unless the response has the field already. The connection, or the
    /// foreign server, sets `date`, `connection: close` and the framing of the body; fields of the
    /// response that contradict them are left out.
    ///
    /// # Errors
    ///
    /// [`RespondError::WrongPhase`] where there was a response already, or where the body is an event
    /// stream and the request is not there yet; [`RespondError::InterimStatus`] for a 1xx status.
    pub fn respond(
        &mut self,
        now: Instant,
        response: Response<ResponseBody>,
    ) -> Result<(), RespondError> {
        let (mut head, mut body) = response.into_parts();
        let status = head.status;
        let options = match &mut body {
            ResponseBody::EventStream(options) => Some(mem::take(options)),
            ResponseBody::Whole(_) => None,
        };
        let is_stream = options.is_some();
        let opens_stream = is_stream && self.request.may_have_body(status);
        let reason = match &self.state {
            State::Head(_) if !opens_stream => CloseReason::Rejected(status),
            State::Body(_) if !opens_stream => CloseReason::ResponseSent,
            State::Responding(_) => CloseReason::ResponseSent,
            _ => return Err(self.wrong_phase("respond").into()),
        };
        if status.is_informational() {
            return Err(RespondError::InterimStatus(status));
        }
        // Dropping them runs application code, which must not happen in the middle of this.
        let _dropped_last = self.is_on_socket().then(|| mem::take(&mut head.extensions));
        if is_stream {
            add_stream_fields(&mut head.headers);
        }
        #[cfg(feature = "compression")]
        let compression = options
            .as_ref()
            .map(|options| options.compression)
            .filter(|it| it.add_fields(&mut head.headers, self.request.accepts_gzip()));
        self.begin_output(now, head, body);
        if self.clean_up.get_mut().is_some_and(CleanUpOwner::is_unused) {
            self.clean_up.take();
        }
        match options {
            Some(options) if opens_stream => {
                #[cfg_attr(not(feature = "compression"), allow(unused_mut))]
                let mut own = options.into_own(now).map(Box::new);
                #[cfg(feature = "compression")]
                if let Some(compression) = compression {
                    let coding = Coding::begin(compression, &mut self.output);
                    own.get_or_insert_default().coding = Some(coding);
                }
                self.step(Step::Opened(now, own));
                self.arm_stall(now);
            }
            _ => {
                self.output.finish();
                self.end(now, BodyEnd::Whole, reason);
            }
        }
        Ok(())
    }

    /// Queues an event.
    ///
    /// # Errors
    ///
    /// [`SendError::Full`] at the high-water mark; [`SendError::WrongPhase`] where no event stream is
    /// open. The event is not queued then.
    pub fn send(&mut self, now: Instant, event: &Event) -> Result<(), SendError> {
        self.queue("send", now, |sink| sink.put(|buffer| event.encode(buffer)))
    }

    /// Queues a comment.
    ///
    /// # Errors
    ///
    /// The errors of [`send`](Self::send).
    pub fn comment(&mut self, now: Instant, comment: &Comment) -> Result<(), SendError> {
        self.queue("comment", now, |sink| {
            sink.put(|buffer| comment.encode(buffer));
        })
    }

    /// Queues events of a topic without copying them: they are written from the shared memory, and held
    /// for as long as that takes.
    ///
    /// # Errors
    ///
    /// The errors of [`send`](Self::send).
    pub fn send_encoded(&mut self, now: Instant, events: EncodedEvents) -> Result<(), SendError> {
        self.queue("send_encoded", now, |sink| sink.put_encoded(events))
    }

    pub(super) fn queue(
        &mut self,
        call: &'static str,
        now: Instant,
        put: impl FnOnce(Sink<'_>),
    ) -> Result<(), SendError> {
        let State::Streaming(_) = self.state else {
            return Err(self.wrong_phase(call).into());
        };
        if !self.has_room() {
            return Err(SendError::Full);
        }
        put(self.sink());
        self.count_output();
        self.arm_stall(now);
        Ok(())
    }

    /// Ends the event stream: the queued bytes are delivered, the body ends properly, and the connection
    /// closes with [`CloseReason::StreamEnded`].
    ///
    /// # Errors
    ///
    /// [`WrongPhase`] where no event stream is open.
    pub fn finish(&mut self, now: Instant) -> Result<(), WrongPhase> {
        self.finish_for(now, CloseReason::StreamEnded)
    }

    /// Does the same as [`finish`](Self::finish) for a stream that is ended from outside, between two
    /// events: the connection closes with `reason`. A stream that its client can resume ends in this way
    /// at a [shutdown](CloseReason::Shutdown).
    ///
    /// # Errors
    ///
    /// [`WrongPhase`] where no event stream is open.
    pub fn finish_for(&mut self, now: Instant, reason: CloseReason) -> Result<(), WrongPhase> {
        let State::Streaming(streaming) = &self.state else {
            return Err(self.wrong_phase("finish"));
        };
        if let Some(retry) = streaming.retry() {
            // A `retry` line takes effect at its end, and dispatches no event.
            let retry = Event::without_data().with_reconnection_time(retry);
            self.sink().put(|buffer| retry.encode(buffer));
        }
        #[cfg(feature = "compression")]
        if let State::Streaming(streaming) = &mut self.state
            && let Some(coding) = streaming.take_coding()
        {
            coding.finish(&mut self.output);
        }
        self.output.finish();
        self.end(now, BodyEnd::Stream, reason);
        Ok(())
    }

    /// Ends the stream at `at`, as [`finish_for`](Self::finish_for) does, unless it ends earlier. Of
    /// several such times the earliest counts. A server that shuts down can spread the ends of its
    /// streams over a window in this way.
    ///
    /// # Errors
    ///
    /// [`WrongPhase`] where no event stream is open.
    pub fn finish_at(&mut self, at: Instant, reason: CloseReason) -> Result<(), WrongPhase> {
        let State::Streaming(streaming) = &mut self.state else {
            return Err(self.wrong_phase("finish_at"));
        };
        streaming.end_at(at, reason);
        Ok(())
    }

    /// Sets the reconnection time that the client gets when the stream ends properly, whichever call or
    /// deadline ends it: the last line sent is a `retry` line, in whole milliseconds, which dispatches no
    /// event ([WHATWG HTML
    /// 9.2.6](https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation)).
    /// A stream that fails or is cut sends none. Of several calls the last counts.
    ///
    /// Choose a random time for each stream, so that clients whose streams end together do not reconnect
    /// together.
    ///
    /// # Errors
    ///
    /// [`WrongPhase`] where no event stream is open.
    pub fn end_with_retry(&mut self, retry: Duration) -> Result<(), WrongPhase> {
        let State::Streaming(streaming) = &mut self.state else {
            return Err(self.wrong_phase("end_with_retry"));
        };
        streaming.end_with_retry(retry);
        Ok(())
    }

    /// Breaks the response off for this reason: the handler or its stream failed. If nothing of the
    /// response is sent yet, the client gets a 500, or a 503 where the reason is a
    /// [shutdown](CloseReason::Shutdown). An open stream breaks off: the queued bytes are delivered, but
    /// an HTTP/1.1 body does not end properly, so that the client can tell.
    ///
    /// # Errors
    ///
    /// [`WrongPhase`] where no response is under way.
    pub fn abort(&mut self, now: Instant, reason: CloseReason) -> Result<(), WrongPhase> {
        match &self.state {
            State::Body(_) | State::Responding(_) => {
                let (status, text) = match reason {
                    CloseReason::Shutdown => (
                        StatusCode::SERVICE_UNAVAILABLE,
                        "The server is shutting down. Try again later.",
                    ),
                    _ => (
                        StatusCode::INTERNAL_SERVER_ERROR,
                        "The server failed to answer.",
                    ),
                };
                self.answer(now, status, text, reason);
            }
            State::Streaming(_) => {
                self.output.break_off();
                self.end(now, BodyEnd::BrokenOff, reason);
            }
            _ => return Err(self.wrong_phase("abort")),
        }
        Ok(())
    }

    /// Sets `at` as the time by which the client has to take the queued bytes, where
    /// [`drain_timeout`](super::ConnectionConfig::drain_timeout) allows longer. This is for a server that
    /// has to end at once and has little time for its last responses.
    ///
    /// # Errors
    ///
    /// [`WrongPhase`] where the response has not ended, or the connection is over.
    pub fn deliver_by(&mut self, at: Instant) -> Result<(), WrongPhase> {
        let (State::Delivering(leaving) | State::Failing(leaving) | State::Ending(leaving)) =
            &mut self.state
        else {
            return Err(self.wrong_phase("deliver_by"));
        };
        leaving.deadline = leaving.deadline.into_iter().chain([at]).min();
        Ok(())
    }

    /// Ends the connection at once: nothing more is transmitted. `reason` is the close reason, unless the
    /// connection was ending for another one already.
    ///
    /// # Errors
    ///
    /// [`WrongPhase`] where the connection is over already.
    pub fn close(&mut self, _now: Instant, reason: CloseReason) -> Result<(), WrongPhase> {
        if let State::Closed { .. } = self.state {
            return Err(self.wrong_phase("close"));
        }
        self.cut(reason);
        Ok(())
    }

    pub(super) fn wrong_phase(&self, call: &'static str) -> WrongPhase {
        WrongPhase::new(call, self.phase())
    }
}
