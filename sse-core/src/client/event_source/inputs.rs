//! What the world did: the connection and the clock.

use std::{error::Error, io, mem, time::Instant};

use ::http::HeaderValue;

use super::{
    super::{
        Loss,
        loss::PreparationError,
        state::{Answer, Requesting, State},
        target::Route,
    },
    EventSource,
    transitions::Step,
};
use crate::http::{BodyReader, Framing};

impl EventSource {
    /// The connection that [`ClientEvent::Connect`](super::ClientEvent::Connect) asked for stands.
    pub fn handle_connected(&mut self, now: Instant) {
        self.step(Step::Connected(now, Route::Direct));
    }

    /// The connection that [`ClientEvent::Connect`](super::ClientEvent::Connect) asked for stands, and
    /// leads to an HTTP proxy that forwards the request. The request names its target by the whole URL
    /// ([RFC 9112 section 3.2.2](https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2)) and carries
    /// `authorization`, if there is any, as `Proxy-Authorization`.
    ///
    /// This is for `http` URLs. For an `https` one ask the proxy for a tunnel (`CONNECT`), speak TLS
    /// through it, and call [`handle_connected`](Self::handle_connected).
    pub fn handle_connected_to_proxy(&mut self, now: Instant, authorization: Option<HeaderValue>) {
        self.step(Step::Connected(now, Route::Proxy(authorization)));
    }

    /// Bytes arrived.
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

    /// The first `n` bytes of `buffer` arrived. This is [`handle_input`](Self::handle_input) for many bytes
    /// at once: where nothing that was received before is left to take, they are decoded where they lie.
    ///
    /// The buffer is held until they are decoded. Take it back with [`take_buffer`](Self::take_buffer) to
    /// read into it again, which saves making and clearing another, or to give its memory back.
    pub fn handle_input_in(&mut self, now: Instant, buffer: Vec<u8>, n: usize) {
        match &mut self.state {
            State::Open(open) => open.incoming.receive_in(buffer, n),
            _ => self.handle_input(now, buffer.get(..n).unwrap_or(&buffer)),
        }
    }

    /// Returns the buffer that [`handle_input_in`](Self::handle_input_in) was given, with whatever is in
    /// it, once everything that was received is taken. An empty one before that, and where there is none.
    #[must_use]
    pub fn take_buffer(&mut self) -> Vec<u8> {
        match &mut self.state {
            State::Open(open) => open.incoming.take_buffer().unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    /// The peer's sending side ended.
    pub fn handle_eof(&mut self, now: Instant) {
        self.end(now, Loss::Ended);
    }

    /// There is no connection to be had, or it failed. With [`io::ErrorKind::Unsupported`] there
    /// never will be one, and the subscription fails. The error is kept, and can be had from the
    /// [`Loss`].
    pub fn handle_transport_error(&mut self, now: Instant, error: io::Error) {
        self.end(now, Loss::Transport(error.into()));
    }

    /// The application failed to prepare the request that
    /// [`ClientEvent::Prepare`](super::ClientEvent::Prepare) asked for: a loss, whose
    /// [cause](Loss::cause) the error is. With an [`InvalidRequest`](super::super::InvalidRequest) the
    /// subscription fails instead. Does nothing outside of the phase `Preparing`.
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

    /// Time passed. Does nothing for a deadline that is still ahead of `now`.
    ///
    /// Call it after what has arrived was handed in: an answer that came in time then counts,
    /// however late the caller is.
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
                    // It is not the server that keeps the caller waiting.
                    open.expect_more(now, &self.config);
                } else {
                    open.deadline = None;
                    open.incoming.lose(Loss::IdleTimeout);
                }
            }
            State::Waiting { .. } => self.step(Step::WaitOver),
            // They have no deadline.
            State::Unprepared | State::Asking | State::Paused { .. } | State::Closed { .. } => {}
        }
    }

    /// The first `n` bytes of [`poll_transmit`](Self::poll_transmit) were written.
    pub fn handle_transmitted(&mut self, _now: Instant, n: usize) {
        if let Some(outgoing) = self.state.outgoing() {
            outgoing.transmitted(n);
        }
    }

    /// Takes what belongs to the response's body.
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

    /// The connection ended or failed, and with it the response.
    pub(super) fn end(&mut self, now: Instant, loss: Loss) {
        match (&mut self.state, loss) {
            // What was received before is still to be decoded.
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
            // There is no connection.
            _ => {}
        }
    }
}
