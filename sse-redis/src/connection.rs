//! The task of a connection: it dials, drives the machine, and dials again.

use std::{
    future::{Future, poll_fn},
    io::{self, IoSlice},
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use redis::{Value, cmd};
use sse_driver::{Runtime, Timer, Transport, event_log::LogError};

use crate::{
    config::RedisConfig,
    link::{Answerer, Failed, Link},
    machine::{Limits, Machine, MachineEvent},
    subscriptions::Subscriptions,
};

/// The longest wait between two dials.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How often a socket is read in one turn.
const READS: usize = 8;

enum Token {
    /// The answer to the opening.
    Hello,
    Request(Answerer),
}

/// Runs a connection for as long as the link is used. `subscriptions` are those of a subscribed one.
pub(crate) async fn run<R: Runtime>(
    runtime: R,
    config: Arc<RedisConfig>,
    link: Arc<Link>,
    subscriptions: Option<Arc<Subscriptions>>,
) {
    let mut wait = config.redial;
    while !link.is_closed() {
        let deadline = runtime.now().checked_add(config.dial_timeout);
        let dialed = within(&runtime, deadline, dial(&runtime, &config)).await;
        let error = match dialed {
            None => LogError::new("redis could not be reached in time"),
            Some(Err(error)) => LogError::new(error),
            Some(Ok(transport)) => {
                let mut driving = Driving {
                    machine: Machine::new(runtime.now(), limits(&config)),
                    runtime: &runtime,
                    transport,
                    link: &link,
                    subscriptions: subscriptions.as_deref(),
                    is_open: false,
                    open_by: deadline,
                    timer: None,
                };
                driving.open(&config);
                let error = poll_fn(|cx| driving.poll(cx)).await;
                if driving.is_open {
                    wait = config.redial;
                }
                error
            }
        };
        link.lost(&error);
        if let Some(subscriptions) = &subscriptions {
            subscriptions.lost(&error);
        }
        let until = runtime.now().checked_add(wait);
        within(&runtime, until, poll_fn(|cx| link.poll_closed(cx))).await;
        wait = wait.saturating_mul(2).min(LONGEST_WAIT);
    }
}

fn limits(config: &RedisConfig) -> Limits {
    Limits {
        answer_timeout: config.answer_timeout,
        ping_after: config.ping_after,
        max_answer_bytes: config.max_answer_bytes,
    }
}

async fn dial<R: Runtime>(runtime: &R, config: &RedisConfig) -> io::Result<R::Transport> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in runtime.resolve(&config.host, config.port).await? {
        match runtime.connect(address).await {
            Ok(transport) => return Ok(transport),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// What `future` comes to before the deadline.
pub(crate) async fn within<R: Runtime, T>(
    runtime: &R,
    deadline: Option<Instant>,
    future: impl Future<Output = T>,
) -> Option<T> {
    let mut future = pin!(future);
    let mut timer = deadline.map(|deadline| runtime.timer(deadline));
    poll_fn(|cx| {
        if let Poll::Ready(result) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(result));
        }
        match &mut timer {
            Some(timer) => timer.poll_elapsed(cx).map(|()| None),
            None => Poll::Pending,
        }
    })
    .await
}

struct Driving<'a, R: Runtime> {
    runtime: &'a R,
    transport: R::Transport,
    machine: Machine<Token>,
    link: &'a Link,
    subscriptions: Option<&'a Subscriptions>,
    /// The server has greeted.
    is_open: bool,
    open_by: Option<Instant>,
    timer: Option<R::Timer>,
}

impl<R: Runtime> Driving<'_, R> {
    fn open(&mut self, config: &RedisConfig) {
        let mut hello = cmd("HELLO");
        hello.arg(3);
        if let Some(password) = &config.password {
            hello.arg("AUTH").arg(&config.user).arg(password);
        }
        let bytes = hello.get_packed_command();
        self.machine
            .send(self.runtime.now(), &bytes, Some(Token::Hello));
    }

    /// Ready once the connection is over.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<LogError> {
        let now = self.runtime.now();
        if self.link.is_closed() {
            return Poll::Ready(LogError::new("the log is no longer used"));
        }
        let mut had_all = self.read(now, cx);
        self.machine.handle_timeout(now);
        if !self.is_open && self.open_by.is_some_and(|at| at <= now) {
            return Poll::Ready(LogError::new("redis did not greet in time"));
        }
        if let Some(error) = self.take_events() {
            return Poll::Ready(error);
        }
        self.take_requests(now, cx);
        self.write(cx);
        if let Some(error) = self.take_events() {
            return Poll::Ready(error);
        }
        let greets_by = self.open_by.filter(|_| !self.is_open);
        let deadlines = [self.machine.poll_timeout(), greets_by];
        if let Some(deadline) = deadlines.into_iter().flatten().min() {
            let timer = self
                .timer
                .get_or_insert_with(|| self.runtime.timer(deadline));
            timer.reset(deadline);
            had_all &= timer.poll_elapsed(cx).is_pending();
        }
        if !had_all {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Says whether everything was read.
    fn read(&mut self, now: Instant, cx: &mut Context<'_>) -> bool {
        let mut buffer = [0; 16 * 1024];
        for _ in 0..READS {
            match self.transport.poll_read(cx, &mut buffer) {
                Poll::Pending => return true,
                Poll::Ready(Ok(0)) => {
                    self.machine.handle_eof();
                    return true;
                }
                Poll::Ready(Ok(count)) => {
                    let bytes = buffer.get(..count).unwrap_or_default();
                    self.machine.handle_input(now, bytes);
                }
                Poll::Ready(Err(error)) => {
                    self.machine.handle_transport_error(&error);
                    return true;
                }
            }
        }
        false
    }

    fn write(&mut self, cx: &mut Context<'_>) {
        while !self.machine.poll_transmit().is_empty() {
            let slices = [IoSlice::new(self.machine.poll_transmit())];
            match self.transport.poll_write_vectored(cx, &slices) {
                Poll::Pending => return,
                Poll::Ready(Ok(0)) => {
                    let error = io::Error::from(io::ErrorKind::WriteZero);
                    return self.machine.handle_transport_error(&error);
                }
                Poll::Ready(Ok(count)) => self.machine.handle_transmitted(count),
                Poll::Ready(Err(error)) => return self.machine.handle_transport_error(&error),
            }
        }
        if let Poll::Ready(Err(error)) = self.transport.poll_flush(cx) {
            self.machine.handle_transport_error(&error);
        }
    }

    fn take_requests(&mut self, now: Instant, cx: &Context<'_>) {
        if !self.is_open {
            // Only so that a closed link wakes the task.
            let _ = self.link.poll_closed(cx);
            return;
        }
        for (bytes, answerer) in self.link.take(self.machine.waiting(), cx) {
            self.machine
                .send(now, &bytes, Some(Token::Request(answerer)));
        }
        if let Some(subscriptions) = self.subscriptions {
            for bytes in subscriptions.take_commands(cx) {
                self.machine.send(now, &bytes, None);
            }
        }
    }

    /// Says why the connection is over, if it is.
    fn take_events(&mut self) -> Option<LogError> {
        while let Some(event) = self.machine.poll_event() {
            match event {
                MachineEvent::Answer(Token::Hello, Value::ServerError(error)) => {
                    return Some(LogError::new(format!(
                        "redis refused the connection: {error}"
                    )));
                }
                MachineEvent::Answer(Token::Hello, _) => {
                    self.is_open = true;
                    if let Some(subscriptions) = self.subscriptions {
                        subscriptions.connected();
                    }
                    self.link.set_open();
                }
                MachineEvent::Answer(Token::Request(answerer), value) => answerer.answer(Ok(value)),
                MachineEvent::Push(kind, data) => {
                    if let Some(subscriptions) = self.subscriptions {
                        subscriptions.handle_push(&kind, &data);
                    }
                }
                MachineEvent::Closed(fault, tokens) => {
                    let error = LogError::new(fault);
                    for token in tokens {
                        if let Token::Request(answerer) = token {
                            answerer.answer(Err(Failed::Unknown(error.clone())));
                        }
                    }
                    return Some(error);
                }
            }
        }
        None
    }
}
