//! One connection from its opening to its end.

use std::{
    task::{Context, Poll},
    time::{Duration, Instant},
};

use redis::{Value, cmd};
use sse_driver::{Runtime, Transport};

use crate::{
    config::RedisConfig,
    connection::{Connections, Purpose},
    error::RedisError,
    link::{Answerer, Failed, Link, Order},
    machine::{AnsweredBy, Limits, MachineEvent},
    scripts::Script,
    subscriptions::Command,
    wire::Wire,
};

/// The longest wait for replicas: a day.
const MOST_MILLIS: u64 = 24 * 60 * 60 * 1000;

/// The request that an answer belongs to.
enum Token {
    Hello,
    Load(Script),
    Request(Answerer),
    /// The subscription of this channel, or its end.
    Channel(String),
    /// The number of replicas that have the commands before.
    Wait,
}

pub(crate) struct Driving<'a, R: Runtime> {
    wire: Wire<R, Token>,
    connections: &'a Connections,
    purpose: Purpose,
    link: &'a Link,
    /// The number of answers of the opening that are still to come.
    opening: usize,
    open_by: Option<Instant>,
    batch: Batch,
}

/// Publishes that were sent together, followed by a `WAIT`. The next ones are sent when it is answered.
#[derive(Default)]
struct Batch {
    is_out: bool,
    /// The answers, which are passed on once replicas have the events.
    held: Vec<(Answerer, Value)>,
}

impl<'a, R: Runtime> Driving<'a, R> {
    /// Begins a connection by sending the greeting and the scripts.
    pub(crate) fn new(
        runtime: &R,
        connections: &'a Connections,
        purpose: Purpose,
        transport: Box<dyn Transport>,
        open_by: Option<Instant>,
    ) -> Self {
        let config = &connections.config;
        let mut limits = Limits::of(config);
        if purpose == Purpose::Replicated {
            limits.answer_timeout = limits
                .answer_timeout
                .saturating_add(config.replicas_timeout);
        }
        let mut wire = Wire::new(runtime.clone(), transport, limits);
        wire.send(&hello(config), Token::Hello, AnsweredBy::Value);
        let mut opening = 1;
        if purpose != Purpose::Subscribed {
            for script in Script::ALL {
                wire.send(&script.load(), Token::Load(script), AnsweredBy::Value);
                opening += 1;
            }
        }
        Self {
            wire,
            connections,
            purpose,
            link: connections.link(purpose),
            opening,
            open_by,
            batch: Batch::default(),
        }
    }

    pub(crate) fn was_open(&self) -> bool {
        self.opening == 0
    }

    /// Becomes ready once the connection is over.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<RedisError> {
        match self.link.order() {
            Order::GoOn => {}
            Order::Redial(error) => return Poll::Ready(self.end(error)),
            Order::End => return Poll::Ready(self.end(RedisError::Over)),
        }
        let has_more = self.wire.read(cx);
        if let Some(error) = self.take_events() {
            return Poll::Ready(self.end(error));
        }
        let now = self.wire.now();
        if !self.was_open() && self.open_by.is_some_and(|at| at <= now) {
            return Poll::Ready(self.end(RedisError::TimedOut));
        }
        self.take_requests(cx);
        self.wire.write(cx);
        if let Some(error) = self.take_events() {
            return Poll::Ready(self.end(error));
        }
        let open_by = self.open_by.filter(|_| !self.was_open());
        self.wire.sleep(open_by, cx);
        if has_more {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Tells all waiting requests why there is no answer.
    fn end(&mut self, error: RedisError) -> RedisError {
        self.wire.close(error.clone());
        while self.take_events().is_some() {}
        error
    }

    fn take_requests(&mut self, cx: &Context<'_>) {
        if self.batch.is_out {
            // The answer wakes the task, and closing the link has to, too.
            let _ = self.link.poll_closed(cx);
            return;
        }
        // This registers the task to be woken by further requests, in any case.
        let requests = self.link.take(cx);
        let has_some = !requests.is_empty();
        for (bytes, answerer) in requests {
            self.wire
                .send(&bytes, Token::Request(answerer), AnsweredBy::Value);
        }
        if self.purpose == Purpose::Replicated && has_some {
            let config = &self.connections.config;
            let wait = wait(config.replicas, config.replicas_timeout);
            self.wire.send(&wait, Token::Wait, AnsweredBy::Value);
            self.batch.is_out = true;
        }
        if self.purpose == Purpose::Subscribed && self.was_open() {
            for Command { bytes, channel } in self.connections.subscriptions.take_commands(cx) {
                self.wire
                    .send(&bytes, Token::Channel(channel), AnsweredBy::Acknowledgement);
            }
        }
    }

    /// Returns why the connection is over, if it is.
    fn take_events(&mut self) -> Option<RedisError> {
        while let Some(event) = self.wire.poll_event() {
            let ended = match event {
                MachineEvent::Answer(token, value) => self.handle_answer(token, value).err(),
                MachineEvent::Push(kind, data) => {
                    if self.purpose == Purpose::Subscribed {
                        self.connections.subscriptions.handle_push(&kind, &data);
                    }
                    None
                }
                MachineEvent::Closed(error, tokens) => {
                    // A caller that asks again once it is told finds no connection.
                    self.link.lost(&error);
                    let held = std::mem::take(&mut self.batch.held);
                    for (answerer, _) in held {
                        answerer.answer(Err(Failed::Unknown(error.clone())));
                    }
                    for token in tokens {
                        if let Token::Request(answerer) = token {
                            answerer.answer(Err(Failed::Unknown(error.clone())));
                        }
                    }
                    Some(error)
                }
            };
            if ended.is_some() {
                return ended;
            }
        }
        None
    }

    /// Handles an answer. Fails where the connection has to end.
    fn handle_answer(&mut self, token: Token, value: Value) -> Result<(), RedisError> {
        let error = match &value {
            Value::ServerError(error) => Some(RedisError::of_answer(error)),
            _ => None,
        };
        match (token, error) {
            (Token::Hello | Token::Load(_), Some(error)) => return Err(error),
            (Token::Hello, None) => {
                check_role(value)?;
                self.opened_further();
            }
            (Token::Load(script), None) => {
                if let Value::BulkString(name) = value {
                    let name = String::from_utf8_lossy(&name).into_owned();
                    self.connections.names.set(script, name);
                }
                self.opened_further();
            }
            (Token::Request(answerer), None) if self.purpose == Purpose::Replicated => {
                self.batch.held.push((answerer, value));
            }
            (Token::Wait, error) => self.end_batch(&value, error),
            (Token::Request(answerer), error) => {
                let replica = error.filter(|error| matches!(error, RedisError::Replica(_)));
                if let Some(error) = &replica {
                    // The other connections are to the same server.
                    self.connections.links().for_each(|link| link.leave(error));
                }
                answerer.answer(Ok(value));
                return replica.map_or(Ok(()), Err);
            }
            (Token::Channel(channel), Some(error)) => {
                self.connections.subscriptions.refused(&channel, &error);
            }
            (Token::Channel(_), None) => {}
        }
        Ok(())
    }

    /// Tells the publishes of a batch whether enough replicas have them.
    fn end_batch(&mut self, acknowledged: &Value, error: Option<RedisError>) {
        let wanted = self.connections.config.replicas;
        let acknowledged = match acknowledged {
            Value::Int(count) => usize::try_from(*count).unwrap_or_default(),
            _ => 0,
        };
        let error = error.or(
            (acknowledged < wanted).then_some(RedisError::TooFewReplicas {
                wanted,
                acknowledged,
            }),
        );
        let Batch { held, .. } = std::mem::take(&mut self.batch);
        for (answerer, value) in held {
            answerer.answer(match &error {
                None => Ok(value),
                Some(error) => Err(Failed::Unknown(error.clone())),
            });
        }
    }

    fn opened_further(&mut self) {
        self.opening -= 1;
        if self.opening == 0 {
            if self.purpose == Purpose::Subscribed {
                self.connections.subscriptions.connected();
            }
            self.link.set_open();
        }
    }
}

fn hello(config: &RedisConfig) -> Vec<u8> {
    let mut hello = cmd("HELLO");
    hello.arg(3);
    if let Some(password) = &config.password {
        hello.arg("AUTH").arg(&config.user).arg(password);
    }
    hello.get_packed_command()
}

fn wait(replicas: usize, timeout: Duration) -> Vec<u8> {
    // Zero would mean no limit.
    let millis = timeout.as_millis().max(1);
    let millis = u64::try_from(millis).unwrap_or(u64::MAX).min(MOST_MILLIS);
    cmd("WAIT").arg(replicas).arg(millis).get_packed_command()
}

/// Checks in the greeting that the server is the master.
fn check_role(greeting: Value) -> Result<(), RedisError> {
    let Value::Map(fields) = greeting else {
        return Ok(());
    };
    let text = |value: &Value| match value {
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::SimpleString(text) => text.clone(),
        _ => String::new(),
    };
    let role = fields.iter().find(|(key, _)| text(key) == "role");
    match role.map(|(_, role)| text(role)) {
        Some(role) if role != "master" => Err(RedisError::Replica(format!("its role is {role}"))),
        _ => Ok(()),
    }
}
