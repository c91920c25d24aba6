//! Inputs from outside. None of these methods fails: a peer's fault becomes a response and a close
//! reason.

use std::{io, time::Instant};

use ::http::StatusCode;

use super::{Connection, Host, PeerSide, transitions::Step};
use crate::{
    Comment, StreamItem,
    http::{BodyLength, RequestHead},
    lifecycle::{CloseReason, Deadline},
    server::{
        request_body::{BodyProgress, RequestBody},
        response::RequestFacts,
        state::{Asked, State},
    },
};

impl Connection {
    /// Handles bytes that arrived. Bytes after the end of the request are not a second request, and are
    /// discarded.
    ///
    /// Does nothing for a connection [for a response](Self::for_response), whose foreign server passes
    /// the request's body to [`handle_body`](Self::handle_body).
    pub fn handle_input(&mut self, now: Instant, mut input: &[u8]) {
        if !self.is_on_socket() {
            return;
        }
        if let State::Head(head) = &mut self.state {
            match head.reader.read(&mut input) {
                Ok(None) => return,
                Ok(Some(head)) => {
                    self.take_request(now, &head);
                    if let Host::Socket { request, .. } = &mut self.host {
                        *request = Some(Box::new(head));
                    }
                }
                Err(error) => self.reject(now, error.status(), &error.to_string()),
            }
        }
        self.receive(now, &mut input);
        if !input.is_empty() && self.incoming != PeerSide::Ended {
            self.incoming = PeerSide::Expected;
        }
        if let State::Lingering(lingering) = &mut self.state {
            match lingering.room.checked_sub(input.len()) {
                Some(room) => lingering.room = room,
                None => self.cut(CloseReason::ClientWentAway),
            }
        }
    }

    /// Reports that the peer's sending side ended. Before the response is sent this means that the client
    /// went away, even if it closed only its sending half.
    ///
    /// Does nothing for a connection [for a response](Self::for_response), whose foreign server reports
    /// the end of the request's body with [`handle_body_end`](Self::handle_body_end), which does not mean
    /// that the client went away.
    pub fn handle_eof(&mut self, _now: Instant) {
        if !self.is_on_socket() {
            return;
        }
        self.incoming = PeerSide::Ended;
        match &self.state {
            State::Head(_) | State::Body(_) | State::Responding(_) | State::Streaming(_) => {
                self.cut(CloseReason::ClientWentAway);
            }
            // A client that closed its sending half still gets the queued bytes.
            State::Delivering(_) | State::Failing(_) | State::Ending(_) | State::Closed { .. } => {}
            State::Lingering(_) => self.cut(CloseReason::ClientWentAway),
        }
    }

    /// Reports that the transport failed, so that nothing can be read or written any more. With
    /// [`io::ErrorKind::TimedOut`] the transport detected a stall, otherwise the client went away.
    ///
    /// For a connection [for a response](Self::for_response) that is receiving the request's body, it
    /// means that this body broke off: the response is a 400.
    pub fn handle_transport_error(&mut self, now: Instant, error: io::Error) {
        match (&self.state, error.kind()) {
            (State::Body(_), _) if !self.is_on_socket() => self.reject(
                now,
                StatusCode::BAD_REQUEST,
                "The request body could not be received in full.",
            ),
            (_, io::ErrorKind::TimedOut) => self.cut(CloseReason::TimedOut(Deadline::Stall)),
            _ => self.cut(CloseReason::ClientWentAway),
        }
    }

    /// Handles the deadlines that have passed by `now`. Does nothing for a deadline that is still ahead.
    ///
    /// Call it after the input that has arrived was handed in: a request that came in time is then
    /// served, even if the caller is late.
    #[inline]
    pub fn handle_timeout(&mut self, now: Instant) {
        // This is called for each event, and mostly no deadline has passed.
        if self.poll_timeout().is_some_and(|at| at <= now) {
            self.handle_passed(now);
        }
    }

    #[cold]
    fn handle_passed(&mut self, now: Instant) {
        let has_passed = |deadline: Option<Instant>| deadline.filter(|at| *at <= now);
        // Bytes that a deadline queues below have not been offered to the transport yet, so the stall
        // deadline that they may set has not passed in this call.
        let stall = has_passed(self.output.stall());
        loop {
            match (
                has_passed(self.state.deadline()),
                stall.filter(|_| self.output.stall() == stall),
            ) {
                (None, None) => return,
                // The response to a late request comes first, and a stall is handled after that.
                (Some(_), None) => self.handle_deadline(now),
                (Some(deadline), Some(stall)) if deadline < stall => self.handle_deadline(now),
                (Some(_), Some(_)) if !self.has_response() => self.handle_deadline(now),
                (_, Some(_)) => self.cut(CloseReason::TimedOut(Deadline::Stall)),
            }
        }
    }

    /// Reports that the first `n` bytes of [`poll_transmit`](Self::poll_transmit) were written. That is
    /// progress: the stall timeout begins anew. 0 changes nothing.
    pub fn handle_transmitted(&mut self, now: Instant, n: usize) {
        if n == 0 {
            return;
        }
        self.output.transmitted(n);
        self.after_progress(now);
    }

    /// Reports that the client took some bytes, although no more output could be written: a transport
    /// that buffers bytes, as TLS does, has passed on some of them. The stall timeout begins anew.
    pub fn handle_progress(&mut self, now: Instant) {
        if let Host::Socket { config, .. } = &self.host {
            self.output.rearm_stall(now, config.stall_timeout);
        }
    }

    /// Reports that the sending side was shut down, as
    /// [`ConnectionEvent::EndOutput`](super::ConnectionEvent::EndOutput) asked.
    pub fn handle_output_ended(&mut self, now: Instant) {
        self.step(Step::OutputEnded(now));
    }

    /// Handles the deadline of this state, which has passed.
    fn handle_deadline(&mut self, now: Instant) {
        let (deadline, status, text) = match &self.state {
            State::Head(head) if head.reader.is_empty() => {
                return self.cut(CloseReason::TimedOut(Deadline::Head));
            }
            State::Head(_) => (
                Deadline::Head,
                StatusCode::REQUEST_TIMEOUT,
                "The request head was not complete in time.",
            ),
            State::Body(_) => (
                Deadline::Body,
                StatusCode::REQUEST_TIMEOUT,
                "The request body was not complete in time.",
            ),
            State::Responding(_) => (
                Deadline::Respond,
                StatusCode::SERVICE_UNAVAILABLE,
                "The server took too long to answer. Try again later.",
            ),
            State::Streaming(_) => return self.stream_deadline(now),
            State::Failing(_) => return self.step(Step::Written),
            // A transport that does not end its output in time has not written all of it, such as TLS
            // with a peer that reads nothing.
            State::Ending(_) => return self.cut_off(CloseReason::TimedOut(Deadline::Drain), false),
            State::Delivering(_) | State::Lingering(_) | State::Closed { .. } => {
                return self.cut(CloseReason::TimedOut(Deadline::Drain));
            }
        };
        self.answer(now, status, text, CloseReason::TimedOut(deadline));
    }

    /// Handles the deadline of an open stream, which has to end or has been idle for long.
    fn stream_deadline(&mut self, now: Instant) {
        let State::Streaming(streaming) = &self.state else {
            return;
        };
        match streaming.end() {
            Some((at, reason)) if *at <= now => {
                let reason = reason.clone();
                // This cannot fail: the stream is open.
                let _ = self.finish_for(now, reason);
            }
            _ => self.keep_alive(now),
        }
    }

    /// Sends a keep-alive comment on an idle stream.
    fn keep_alive(&mut self, now: Instant) {
        let State::Streaming(streaming) = &mut self.state else {
            return;
        };
        streaming.next_comment = None;
        // While bytes are queued the stall deadline counts instead.
        if self.output.is_empty() {
            #[cfg(feature = "compression")]
            if let Some(coding) = streaming.coding() {
                coding.release();
            }
            let own = streaming.own.as_ref();
            let own = own.and_then(|own| own.keep_alive.as_ref());
            // This cannot fail: the stream is open and has room.
            let _ = match own.map(|own| own.item().clone()) {
                Some(StreamItem::Event(event)) => self.send(now, &event),
                Some(StreamItem::Comment(comment)) if comment != Comment::KEEP_ALIVE => {
                    self.comment(now, &comment)
                }
                // A keep-alive is never an encoded event.
                Some(_) | None => self.queue("comment", now, |sink| sink.keep_alive()),
            };
        }
    }

    fn has_response(&self) -> bool {
        !matches!(
            self.state,
            State::Head(_) | State::Body(_) | State::Responding(_)
        )
    }

    /// Handles a complete request head.
    pub(super) fn take_request(&mut self, now: Instant, head: &RequestHead) {
        self.note_request(head);
        let body = RequestBody::of(head, self.host.config());
        self.step(Step::Requested(now, body));
    }

    /// Stores the properties of the request that the response depends on, and whether a body is to come.
    pub(super) fn note_request(&mut self, head: &RequestHead) {
        self.request = RequestFacts::of(head);
        self.incoming = match head.body() {
            BodyLength::None => PeerSide::Complete,
            BodyLength::Exact(_) | BodyLength::Chunked => PeerSide::Expected,
        };
    }

    /// Takes the bytes of the request body off the front of `input`.
    pub(super) fn receive(&mut self, now: Instant, input: &mut &[u8]) {
        let body = match &mut self.state {
            State::Body(receiving) => &mut receiving.body,
            State::Responding(responding) => match &mut responding.body {
                Asked::No(body) => body,
                Asked::Untold(_) | Asked::Told => return,
            },
            _ => return,
        };
        if body.progress() == BodyProgress::Pending {
            body.receive(input);
            if self.incoming != PeerSide::Ended && body.progress() == BodyProgress::Complete {
                self.incoming = PeerSide::Complete;
            }
        }
        self.check_body(now);
    }
}
