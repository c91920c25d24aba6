//! A connection to Redis as a state machine: requests and their answers, in order, and pushes between
//! them.
//!
//! Redis answers in the order of the requests. So one deadline is enough, that of the oldest request; and an
//! answer that does not come in time is the end of the connection, since those behind it would be taken
//! for it.

use std::{
    collections::VecDeque,
    io::{self, Read},
    time::{Duration, Instant},
};

use redis::{ErrorKind, Parser, Value};

/// The bounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) answer_timeout: Duration,
    pub(crate) ping_after: Duration,
    pub(crate) max_answer_bytes: usize,
}

pub(crate) struct Machine<T> {
    limits: Limits,
    parser: Parser,
    /// How many bytes came since the last whole value.
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
    deadline: Option<Instant>,
}

/// What came of it.
#[derive(Debug, PartialEq)]
pub(crate) enum MachineEvent<T> {
    /// The answer to the request with this token.
    Answer(T, Value),
    /// Of a channel, or an acknowledgement: the parts.
    Push(redis::PushKind, Vec<Value>),
    /// The connection is over. The answers to these requests are unknown.
    Closed(Fault, Vec<T>),
}

/// Why a connection is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No answer came in time.
    TimedOut,
    /// The server ended the connection.
    EndOfInput,
    Io(String),
    /// What came is no answer.
    Protocol(String),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TimedOut => f.write_str("redis did not answer in time"),
            Self::EndOfInput => f.write_str("redis closed the connection"),
            Self::Io(error) => write!(f, "the connection to redis failed: {error}"),
            Self::Protocol(what) => write!(f, "redis sent no valid answer: {what}"),
        }
    }
}

impl std::error::Error for Fault {}

/// What is there, and more may come.
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

    /// Sends a request whose answer has this token, or one that is answered by pushes. Gives the token
    /// back where the connection is over.
    pub(crate) fn send(&mut self, now: Instant, bytes: &[u8], token: Option<T>) -> Option<T> {
        let State::Open { output, asked, .. } = &mut self.state else {
            return token;
        };
        output.extend_from_slice(bytes);
        if token.is_some() {
            let deadline = now.checked_add(self.limits.answer_timeout);
            asked.push_back(Asked { token, deadline });
        }
        None
    }

    pub(crate) fn handle_input(&mut self, now: Instant, bytes: &[u8]) {
        if let State::Open { heard_at, .. } = &mut self.state {
            *heard_at = now;
        }
        self.pending_bytes += bytes.len();
        let mut piece = Piece(bytes);
        while let State::Open { asked, .. } = &mut self.state {
            let value = match self.parser.parse_value(&mut piece) {
                Ok(value) => value,
                Err(error) if error.kind() == ErrorKind::Io => break,
                Err(error) => return self.close(Fault::Protocol(error.to_string())),
            };
            self.pending_bytes = piece.0.len();
            match (value, asked.front()) {
                (Value::Push { kind, data }, _) => {
                    self.events.push_back(MachineEvent::Push(kind, data));
                }
                (value, Some(_)) => {
                    let token = asked.pop_front().and_then(|asked| asked.token);
                    self.events
                        .extend(token.map(|token| MachineEvent::Answer(token, value)));
                }
                (value, None) => {
                    let text = format!("an answer to no request: {value:?}");
                    return self.close(Fault::Protocol(text));
                }
            }
        }
        if self.pending_bytes > self.limits.max_answer_bytes {
            self.close(Fault::Protocol("an answer is too large".into()));
        }
    }

    pub(crate) fn handle_eof(&mut self) {
        self.close(Fault::EndOfInput);
    }

    pub(crate) fn handle_transport_error(&mut self, error: &io::Error) {
        self.close(Fault::Io(error.to_string()));
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
                self.close(Fault::TimedOut);
            }
            return;
        }
        let ping_at = heard_at.checked_add(self.limits.ping_after);
        if ping_at.is_some_and(|at| at <= now) {
            output.extend_from_slice(b"*1\r\n$4\r\nPING\r\n");
            asked.push_back(Asked {
                token: None,
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

    /// How many requests wait.
    pub(crate) fn waiting(&self) -> usize {
        match &self.state {
            State::Open { asked, .. } => asked.len(),
            State::Closed => 0,
        }
    }

    fn close(&mut self, fault: Fault) {
        if let State::Open { asked, .. } = std::mem::replace(&mut self.state, State::Closed) {
            let tokens = asked.into_iter().filter_map(|asked| asked.token);
            let event = MachineEvent::Closed(fault, tokens.collect());
            self.events.push_back(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits {
        answer_timeout: Duration::from_secs(5),
        ping_after: Duration::from_secs(10),
        max_answer_bytes: 1_000,
    };

    fn machine() -> (Machine<u32>, Instant) {
        let now = Instant::now();
        (Machine::new(now, LIMITS), now)
    }

    fn events(machine: &mut Machine<u32>) -> Vec<MachineEvent<u32>> {
        std::iter::from_fn(|| machine.poll_event()).collect()
    }

    #[test]
    fn answers_go_to_requests_in_order_and_pushes_come_between() {
        let (mut machine, now) = machine();
        for token in 1..=2 {
            assert_eq!(
                machine.send(now, b"*1\r\n$4\r\nTIME\r\n", Some(token)),
                None
            );
        }
        machine.send(now, b"*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\nx\r\n", None);
        assert_eq!(machine.waiting(), 2);
        let input = b":1\r\n>3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n+PONG\r\n";
        machine.handle_input(now, input);
        let events = events(&mut machine);
        assert_eq!(events[0], MachineEvent::Answer(1, Value::Int(1)));
        assert!(matches!(
            &events[1],
            MachineEvent::Push(redis::PushKind::Subscribe, _)
        ));
        let pong = Value::SimpleString("PONG".into());
        assert_eq!(events[2], MachineEvent::Answer(2, pong));
    }

    #[test]
    fn a_late_answer_ends_the_connection_and_the_rest_is_unknown() {
        let (mut machine, now) = machine();
        machine.send(now, b"a", Some(1));
        machine.send(now + Duration::from_secs(3), b"b", Some(2));
        assert_eq!(machine.poll_timeout(), Some(now + Duration::from_secs(5)));
        machine.handle_timeout(now + Duration::from_secs(5));
        let closed = MachineEvent::Closed(Fault::TimedOut, vec![1, 2]);
        assert_eq!(events(&mut machine), [closed]);
        // It is over for good.
        machine.handle_input(now, b":1\r\n");
        machine.handle_eof();
        assert_eq!(machine.send(now, b"c", Some(3)), Some(3));
        assert_eq!(
            (machine.poll_transmit(), machine.poll_timeout()),
            (&b""[..], None)
        );
        assert!(machine.poll_event().is_none());
    }

    #[test]
    fn an_idle_server_is_asked_whether_it_is_there() {
        let (mut machine, now) = machine();
        let later = now + Duration::from_secs(10);
        assert_eq!(machine.poll_timeout(), Some(later));
        machine.handle_timeout(later);
        assert_eq!(machine.poll_transmit(), b"*1\r\n$4\r\nPING\r\n");
        machine.handle_transmitted(14);
        machine.handle_input(later, b"+PONG\r\n");
        assert!(machine.poll_event().is_none());
        machine.handle_timeout(later + Duration::from_secs(10));
        machine.handle_timeout(later + Duration::from_secs(15));
        let closed = MachineEvent::Closed(Fault::TimedOut, vec![]);
        assert_eq!(events(&mut machine), [closed]);
    }

    #[test]
    fn what_is_no_answer_ends_the_connection() {
        for input in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b":1\r\n"] {
            let (mut machine, now) = machine();
            machine.handle_input(now, input);
            let events = events(&mut machine);
            assert!(
                matches!(&events[..], [MachineEvent::Closed(Fault::Protocol(_), _)]),
                "{events:?}"
            );
        }
    }

    #[test]
    fn an_answer_that_is_too_large_ends_the_connection() {
        let (mut machine, now) = machine();
        machine.send(now, b"a", Some(1));
        machine.handle_input(now, b"$100000\r\n");
        machine.handle_input(now, &[b'x'; 900]);
        assert!(machine.poll_event().is_none());
        machine.handle_input(now, &[b'x'; 900]);
        let text = "an answer is too large".into();
        let closed = MachineEvent::Closed(Fault::Protocol(text), vec![1]);
        assert_eq!(events(&mut machine), [closed]);
    }

    /// A value, and its bytes.
    fn value() -> impl Strategy<Value = (Value, Vec<u8>)> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(|n| (Value::Int(n), format!(":{n}\r\n").into_bytes())),
            prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| {
                let mut wire = format!("${}\r\n", bytes.len()).into_bytes();
                wire.extend_from_slice(&bytes);
                wire.extend_from_slice(b"\r\n");
                (Value::BulkString(bytes), wire)
            }),
            Just((Value::Nil, b"_\r\n".to_vec())),
            Just((Value::Boolean(true), b"#t\r\n".to_vec())),
            "[a-z]{1,9}".prop_map(|text| {
                let wire = format!("+{text}\r\n").into_bytes();
                (Value::SimpleString(text), wire)
            }),
        ];
        leaf.prop_recursive(3, 20, 5, |inner| {
            prop::collection::vec(inner, 0..5).prop_map(|parts| {
                let mut wire = format!("*{}\r\n", parts.len()).into_bytes();
                parts
                    .iter()
                    .for_each(|(_, bytes)| wire.extend_from_slice(bytes));
                let values = parts.into_iter().map(|(value, _)| value);
                (Value::Array(values.collect()), wire)
            })
        })
    }

    proptest! {
        #[test]
        fn values_are_the_same_in_pieces_of_any_size(
            values in prop::collection::vec(value(), 1..6),
            sizes in prop::collection::vec(1..9_usize, 1..20),
        ) {
            let now = Instant::now();
            let limits = Limits { max_answer_bytes: usize::MAX, ..LIMITS };
            let mut machine = Machine::new(now, limits);
            let mut wire = Vec::new();
            for (token, (_, bytes)) in values.iter().enumerate() {
                machine.send(now, b"x", Some(token));
                wire.extend_from_slice(bytes);
            }
            let (mut rest, mut sizes) = (&wire[..], sizes.iter().cycle());
            while !rest.is_empty() {
                let size = sizes.next().map_or(1, |size| *size).min(rest.len());
                machine.handle_input(now, &rest[..size]);
                rest = &rest[size..];
            }
            for (token, (value, _)) in values.into_iter().enumerate() {
                let found = machine.poll_event();
                prop_assert_eq!(found, Some(MachineEvent::Answer(token, value)));
            }
            prop_assert!(machine.poll_event().is_none());
        }
    }
}
