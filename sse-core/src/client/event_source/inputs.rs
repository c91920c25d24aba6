//! Inputs from outside: the connection and the clock.

use std::{error::Error, io, mem, time::Instant};

use ::http::HeaderValue;

use super::{
    super::{
        Loss,
        loss::{PreparationError, TransportError},
        state::{Answer, Requesting, State},
        target::Route,
    },
    EventSource,
    transitions::Step,
};
use crate::http::{BodyReader, Framing};

impl EventSource {
    /// Reports that the connection that [`ClientEvent::Connect`](super::ClientEvent::Connect) asked for
    /// is established.
    pub fn handle_connected(&mut self, now: Instant) {
        self.step(Step::Connected(now, Route::Direct));
    }

    /// Reports that the connection that [`ClientEvent::Connect`](super::ClientEvent::Connect) asked for
    /// is established, and leads to an HTTP proxy that forwards the request. The request then names its
    /// target by the whole URL ([RFC 9112 section
    /// 3.2.2](https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2)) and carries `authorization`, if
    /// given, as `Proxy-Authorization`.
    ///
    /// This is for `http` URLs. For an `https` one ask the proxy for a tunnel (`CONNECT`), speak TLS
    /// through it, and call [`handle_connected`](Self::handle_connected).
    pub fn handle_connected_to_proxy(&mut self, now: Instant, authorization: Option<HeaderValue>) {
        self.step(Step::Connected(now, Route::Proxy(authorization)));
    }

    /// Handles bytes that arrived on the connection. They may be split anywhere.
    ///
    /// The event source copies the bytes of the stream, and decodes them when the caller takes the
    /// events. It takes all of `input` even above the high-water mark: stop reading while
    /// [`has_room`](Self::has_room) returns false. Bytes that come while there is no connection are
    /// ignored.
    pub fn handle_input(&mut self, now: Instant, mut input: &[u8]) {
        if let State::Requesting(requesting) = &mut self.state {
            let Requesting {
                answer: Answer::Bytes(reader),
                ..
            } = &mut **requesting
            else {
                return;
            };
            match reader.read(&mut input) {
                Ok(None) => return,
                Ok(Some(response)) => match Framing::of(&response, self.target.method()) {
                    Ok(framing) => self.judge(now, response, BodyReader::new(framing)),
                    Err(error) => return self.lose(now, Loss::BadHead(error), None),
                },
                Err(error) => return self.lose(now, Loss::BadHead(error), None),
            }
        }
        self.receive(now, input);
    }

    /// Handles the first `n` bytes of `buffer`, which arrived on the connection. This is
    /// [`handle_input`](Self::handle_input) for large reads: if everything received before is taken, the
    /// bytes are decoded in place, without a copy.
    ///
    /// The event source holds the buffer until the bytes are decoded. Take it back with
    /// [`take_buffer`](Self::take_buffer) to read into it again, which saves allocating and clearing
    /// another one, or to free its memory.
    pub fn handle_input_in(&mut self, now: Instant, buffer: Vec<u8>, n: usize) {
        match &mut self.state {
            State::Open(open) => open.incoming.receive_in(buffer, n),
            _ => self.handle_input(now, buffer.get(..n).unwrap_or(&buffer)),
        }
    }

    /// Returns the buffer that [`handle_input_in`](Self::handle_input_in) was given, with its old
    /// contents, once everything received is taken. Returns an empty one before that, and if there is
    /// none.
    #[must_use]
    pub fn take_buffer(&mut self) -> Vec<u8> {
        match &mut self.state {
            State::Open(open) => open.incoming.take_buffer().unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    /// Reports that the peer ended its sending side. On an open event stream the events before the end
    /// come first, and then the loss: [`Loss::Ended`] where the body is complete by its framing, and
    /// [`Loss::BadBody`] where it is cut short. Before the response's head it is [`Loss::NoResponse`].
    pub fn handle_eof(&mut self, now: Instant) {
        self.end(now, Loss::Ended);
    }

    /// Reports that the connection could not be made, or failed. The error is kept and is part of the
    /// [`Loss`]. With [`io::ErrorKind::Unsupported`] no later attempt could succeed, and the subscription
    /// fails.
    pub fn handle_transport_error(&mut self, now: Instant, error: io::Error) {
        let is_unreached = matches!(self.state, State::Connecting { .. });
        let unreached = is_unreached.then(|| self.target.endpoint());
        self.end(now, Loss::Transport(TransportError::new(error, unreached)));
    }

    /// Reports that the application could not prepare the request that
    /// [`ClientEvent::Prepare`](super::ClientEvent::Prepare) asked for. This is a loss with `error` as
    /// its [cause](Loss::cause), or a failure if `error` is an
    /// [`InvalidRequest`](super::super::InvalidRequest). Does nothing outside of the phase `Preparing`.
    pub fn handle_preparation_error(
        &mut self,
        now: Instant,
        error: impl Into<Box<dyn Error + Send + Sync>>,
    ) {
        if let State::Preparing { .. } = self.state {
            let error = PreparationError::new(error.into());
            self.lose(now, Loss::Preparation(error), None);
        }
    }

    /// Handles the deadlines that have passed by `now`. Does nothing for a deadline that is still ahead.
    ///
    /// Call it after the input that has arrived was handed in: an answer that came in time then counts,
    /// even if the caller is late.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.state.deadline().is_none_or(|deadline| deadline > now) {
            return;
        }
        match &mut self.state {
            State::Preparing { .. } => self.lose(now, Loss::PrepareTimeout, None),
            State::Connecting { .. } => self.lose(now, Loss::ConnectTimeout, None),
            State::Requesting(_) => self.lose(now, Loss::HeadTimeout, None),
            State::Unexpected(_) => self.end_unexpected(now),
            State::Open(open) => {
                if mem::take(&mut open.taken_untimed) || open.incoming.len() > 0 {
                    // The caller is late here, and not the server.
                    open.expect_more(now, &self.config);
                } else {
                    open.deadline = None;
                    open.incoming.lose(Loss::IdleTimeout);
                }
            }
            State::Waiting { .. } => self.step(Step::WaitOver),
            // These states have no deadline.
            State::Unprepared | State::Asking | State::Paused { .. } | State::Closed { .. } => {}
        }
    }

    /// Reports that the first `n` bytes of [`poll_transmit`](Self::poll_transmit) were written. The next
    /// call of `poll_transmit` returns the rest.
    pub fn handle_transmitted(&mut self, _now: Instant, n: usize) {
        if let Some(outgoing) = self.state.outgoing() {
            outgoing.transmitted(n);
        }
    }

    /// Receives bytes that belong to the response's body.
    pub(super) fn receive(&mut self, now: Instant, input: &[u8]) {
        match &mut self.state {
            State::Open(open) => open.incoming.receive(input),
            State::Unexpected(unexpected) => {
                let is_enough = unexpected.receive(input, self.config.max_unexpected_body);
                if is_enough {
                    self.end_unexpected(now);
                }
            }
            _ => {}
        }
    }

    /// Ends the connection, and the response with it.
    pub(super) fn end(&mut self, now: Instant, loss: Loss) {
        match (&mut self.state, loss) {
            // The bytes received before the end are still to be decoded.
            (State::Open(open), loss) => open.incoming.lose(loss),
            (State::Unexpected(unexpected), loss) => {
                if matches!(loss, Loss::Ended) {
                    unexpected.end();
                }
                self.end_unexpected(now);
            }
            (State::Connecting { .. } | State::Requesting(_), Loss::Ended) => {
                self.lose(now, Loss::NoResponse, None);
            }
            (State::Connecting { .. } | State::Requesting(_), loss) => self.lose(now, loss, None),
            // These states have no connection.
            _ => {}
        }
    }
}
