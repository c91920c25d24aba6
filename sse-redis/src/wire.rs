//! A machine with its transport and its timer.

use std::{
    future::poll_fn,
    io::{self, IoSlice},
    task::{Context, Poll},
    time::Instant,
};

use redis::Value;
use sse_driver::{Runtime, Timer, Transport};

use crate::{
    error::RedisError,
    machine::{AnsweredBy, Limits, Machine, MachineEvent},
};

/// The number of reads from a socket in one turn.
const READS: usize = 8;

/// A connection with its waiting requests.
pub(crate) struct Wire<R: Runtime, T> {
    runtime: R,
    transport: Box<dyn Transport>,
    machine: Machine<T>,
    timer: Option<R::Timer>,
}

impl<R: Runtime, T> Wire<R, T> {
    pub(crate) fn new(runtime: R, transport: Box<dyn Transport>, limits: Limits) -> Self {
        let machine = Machine::new(runtime.now(), limits);
        Self {
            runtime,
            transport,
            machine,
            timer: None,
        }
    }

    pub(crate) fn now(&self) -> Instant {
        self.runtime.now()
    }

    /// Sends a request. If the connection is over, its last event has the token.
    pub(crate) fn send(&mut self, bytes: &[u8], token: T, answered_by: AnsweredBy) {
        let now = self.now();
        drop(self.machine.send(now, bytes, token, answered_by));
    }

    /// Closes the connection.
    pub(crate) fn close(&mut self, error: RedisError) {
        self.machine.close(error);
    }

    pub(crate) fn poll_event(&mut self) -> Option<MachineEvent<T>> {
        self.machine.poll_event()
    }

    /// Reads the available bytes, and then handles the deadlines. Returns whether there may be more.
    pub(crate) fn read(&mut self, cx: &mut Context<'_>) -> bool {
        let now = self.now();
        let has_more = self.read_some(now, cx);
        if !has_more {
            // Bytes that have arrived are handled before time that has passed.
            self.machine.handle_timeout(now);
        }
        has_more
    }

    fn read_some(&mut self, now: Instant, cx: &mut Context<'_>) -> bool {
        let mut buffer = [0; 16 * 1024];
        for _ in 0..READS {
            match self.transport.poll_read(cx, &mut buffer) {
                Poll::Pending => return false,
                Poll::Ready(Ok(0)) => {
                    self.machine.handle_eof();
                    return false;
                }
                Poll::Ready(Ok(count)) => {
                    let bytes = buffer.get(..count).unwrap_or_default();
                    self.machine.handle_input(now, bytes);
                }
                Poll::Ready(Err(error)) => {
                    self.machine.handle_transport_error(error);
                    return false;
                }
            }
        }
        true
    }

    pub(crate) fn write(&mut self, cx: &mut Context<'_>) {
        while !self.machine.poll_transmit().is_empty() {
            let slices = [IoSlice::new(self.machine.poll_transmit())];
            match self.transport.poll_write_vectored(cx, &slices) {
                Poll::Pending => return,
                Poll::Ready(Ok(0)) => {
                    let error = io::Error::from(io::ErrorKind::WriteZero);
                    return self.machine.handle_transport_error(error);
                }
                Poll::Ready(Ok(count)) => self.machine.handle_transmitted(count),
                Poll::Ready(Err(error)) => return self.machine.handle_transport_error(error),
            }
        }
        if let Poll::Ready(Err(error)) = self.transport.poll_flush(cx) {
            self.machine.handle_transport_error(error);
        }
    }

    /// Wakes the task at the machine's deadline, or at `by`, whichever is first.
    pub(crate) fn sleep(&mut self, by: Option<Instant>, cx: &mut Context<'_>) {
        let deadlines = [self.machine.poll_timeout(), by];
        if let Some(deadline) = deadlines.into_iter().flatten().min() {
            let timer = self
                .timer
                .get_or_insert_with(|| self.runtime.timer(deadline));
            timer.reset(deadline);
            if timer.poll_elapsed(cx).is_ready() {
                cx.waker().wake_by_ref();
            }
        }
    }
}

impl<R: Runtime> Wire<R, ()> {
    /// Sends these requests, and waits for their answers. The first error of the server is the result.
    pub(crate) async fn ask(mut self, requests: &[Vec<u8>]) -> Result<Vec<Value>, RedisError> {
        for request in requests {
            self.send(request, (), AnsweredBy::Value);
        }
        let mut answers = Vec::new();
        poll_fn(|cx| {
            if self.read(cx) {
                cx.waker().wake_by_ref();
            }
            self.write(cx);
            while let Some(event) = self.poll_event() {
                match event {
                    MachineEvent::Answer((), Value::ServerError(error)) => {
                        return Poll::Ready(Err(RedisError::of_answer(&error)));
                    }
                    MachineEvent::Answer((), value) => answers.push(value),
                    MachineEvent::Push(..) => {}
                    MachineEvent::Closed(error, _) => return Poll::Ready(Err(error)),
                }
            }
            if answers.len() == requests.len() {
                return Poll::Ready(Ok(std::mem::take(&mut answers)));
            }
            self.sleep(None, cx);
            Poll::Pending
        })
        .await
    }
}
