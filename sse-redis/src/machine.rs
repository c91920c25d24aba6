//! A connection to Redis as a state machine: requests and their answers, in order, and pushes between
//! them.
//!
//! Redis answers in the order of the requests. One deadline is therefore enough, that of the oldest
//! request; and an answer that does not come in time ends the connection, because the answers after it
//! would be taken for it.

use std::{
    collections::VecDeque,
    io::{self, Read},
    time::{Duration, Instant},
};

use redis::{ErrorKind, Parser, PushKind, Value};

use crate::error::RedisError;

/// The bounds of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) answer_timeout: Duration,
    pub(crate) ping_after: Duration,
    pub(crate) max_answer_bytes: usize,
}

pub(crate) struct Machine<T> {
    limits: Limits,
    parser: Parser,
    /// The number of bytes since the last complete value.
    pending_bytes: usize,
    state: State<T>,
    events: VecDeque<MachineEvent<T>>,
}

enum State<T> {
    Open {
        output: Vec<u8>,
        asked: VecDeque<Asked<T>>,
        heard_at: Instant,
    },
    Closed,
}

struct Asked<T> {
    /// `None` for a `PING`.
    token: Option<T>,
    answered_by: AnsweredBy,
    deadline: Option<Instant>,
}

/// How the server answers a request. An error is an answer to each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnsweredBy {
    Value,
    /// A push of a subscription or its end.
    Acknowledgement,
}

/// An event of the machine.
#[derive(Debug)]
pub(crate) enum MachineEvent<T> {
    /// The answer to the request with this token.
    Answer(T, Value),
    /// The parts of a push, from a channel or as an acknowledgement.
    Push(redis::PushKind, Vec<Value>),
    /// The connection is over. The answers to these requests are unknown.
    Closed(RedisError, Vec<T>),
}

/// The available bytes, after which more may come.
struct Piece<'a>(&'a [u8]);

impl Read for Piece<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.0.read(buffer)
    }
}

impl<T> Machine<T> {
    pub(crate) fn new(now: Instant, limits: Limits) -> Self {
        Self {
            limits,
            parser: Parser::new(),
            pending_bytes: 0,
            state: State::Open {
                output: Vec::new(),
                asked: VecDeque::new(),
                heard_at: now,
            },
            events: VecDeque::new(),
        }
    }

    /// Sends a request whose answer has this token. Returns the token where the connection is over.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        bytes: &[u8],
        token: T,
        answered_by: AnsweredBy,
    ) -> Option<T> {
        let State::Open { output, asked, .. } = &mut self.state else {
            return Some(token);
        };
        output.extend_from_slice(bytes);
        asked.push_back(Asked {
            token: Some(token),
            answered_by,
            deadline: now.checked_add(self.limits.answer_timeout),
        });
        None
    }

    pub(crate) fn handle_input(&mut self, now: Instant, bytes: &[u8]) {
        if let State::Open { heard_at, .. } = &mut self.state {
            *heard_at = now;
        }
        self.pending_bytes += bytes.len();
        let mut piece = Piece(bytes);
        while matches!(self.state, State::Open { .. }) {
            let value = match self.parser.parse_value(&mut piece) {
                Ok(value) => value,
                Err(error) if error.kind() == ErrorKind::Io => break,
                Err(error) => return self.close(RedisError::Protocol(error.to_string())),
            };
            self.pending_bytes = piece.0.len();
            self.handle_value(value);
        }
        if self.pending_bytes > self.limits.max_answer_bytes {
            self.close(RedisError::Protocol("an answer is too large".into()));
        }
    }

    fn handle_value(&mut self, value: Value) {
        let State::Open { asked, .. } = &mut self.state else {
            return;
        };
        let front = asked.front();
        let by_push = front.is_some_and(|it| it.answered_by == AnsweredBy::Acknowledgement);
        match value {
            // Attributes before a value are not used.
            Value::Attribute { data, .. } => self.handle_value(*data),
            Value::Push { kind, data } => {
                let acknowledges = matches!(kind, PushKind::Subscribe | PushKind::Unsubscribe);
                if by_push && acknowledges {
                    asked.pop_front();
                }
                self.events.push_back(MachineEvent::Push(kind, data));
            }
            value if front.is_none() || (by_push && !matches!(value, Value::ServerError(_))) => {
                let text = format!("an answer to no request: {value:?}");
                self.close(RedisError::Protocol(text));
            }
            value => match (asked.pop_front().and_then(|asked| asked.token), value) {
                (Some(token), value) => self.events.push_back(MachineEvent::Answer(token, value)),
                (None, Value::ServerError(error)) => self.close(RedisError::of_answer(&error)),
                (None, _) => {}
            },
        }
    }

    pub(crate) fn handle_eof(&mut self) {
        let text = "the server closed the connection";
        let error = io::Error::new(io::ErrorKind::UnexpectedEof, text);
        self.handle_transport_error(error);
    }

    pub(crate) fn handle_transport_error(&mut self, error: io::Error) {
        self.close(RedisError::Lost(error.into()));
    }

    pub(crate) fn handle_transmitted(&mut self, count: usize) {
        if let State::Open { output, .. } = &mut self.state {
            output.drain(..count.min(output.len()));
            if output.is_empty() {
                *output = Vec::new();
            }
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        let State::Open {
            output,
            asked,
            heard_at,
        } = &mut self.state
        else {
            return;
        };
        if let Some(oldest) = asked.front() {
            if oldest.deadline.is_some_and(|at| at <= now) {
                self.close(RedisError::TimedOut);
            }
            return;
        }
        let ping_at = heard_at.checked_add(self.limits.ping_after);
        if ping_at.is_some_and(|at| at <= now) {
            output.extend_from_slice(b"*1\r\n$4\r\nPING\r\n");
            asked.push_back(Asked {
                token: None,
                answered_by: AnsweredBy::Value,
                deadline: now.checked_add(self.limits.answer_timeout),
            });
        }
    }

    pub(crate) fn poll_transmit(&self) -> &[u8] {
        match &self.state {
            State::Open { output, .. } => output,
            State::Closed => &[],
        }
    }

    pub(crate) fn poll_event(&mut self) -> Option<MachineEvent<T>> {
        self.events.pop_front()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Open {
                asked, heard_at, ..
            } => match asked.front() {
                Some(oldest) => oldest.deadline,
                None => heard_at.checked_add(self.limits.ping_after),
            },
            State::Closed => None,
        }
    }

    /// Ends the connection. The last event has the waiting requests.
    pub(crate) fn close(&mut self, error: RedisError) {
        if let State::Open { asked, .. } = std::mem::replace(&mut self.state, State::Closed) {
            let tokens = asked.into_iter().filter_map(|asked| asked.token);
            let event = MachineEvent::Closed(error, tokens.collect());
            self.events.push_back(event);
        }
    }
}

#[cfg(test)]
mod tests;
