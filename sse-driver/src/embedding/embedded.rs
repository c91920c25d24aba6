//! An exchange inside a foreign server: it begins in the answer and moves on to the body.

use std::{
    io,
    task::{Context, Poll, Waker},
    time::Instant,
};

use bytes::Bytes;
use sse_core::internal::{Panicked, catch};

use super::{Embedding, Incoming};
use crate::{
    Runtime,
    alarm::Alarm,
    exchange::{Exchange, Turn},
};

/// The exchange with what its host needs. In a box that the answer and the body pass on.
pub(super) struct Embedded<R: Runtime> {
    exchange: Exchange<Incoming>,
    alarm: Alarm<R>,
    embedding: Embedding<R>,
    /// The request is a `HEAD`: there would be a body, and there is none.
    pub(super) is_head: bool,
    /// Who polled last.
    task: Option<Waker>,
}

impl<R: Runtime> Embedded<R> {
    pub(super) fn new(
        embedding: &Embedding<R>,
        exchange: Exchange<Incoming>,
        is_head: bool,
    ) -> Self {
        Self {
            exchange,
            alarm: Alarm::new(),
            embedding: embedding.clone(),
            is_head,
            task: None,
        }
    }

    pub(super) fn now(&self) -> Instant {
        self.embedding.shared.runtime.now()
    }

    /// Receives what there is of the request, and takes a turn.
    pub(super) fn turn(&mut self, cx: &mut Context<'_>, now: Instant) -> Turn {
        self.register(cx);
        let Exchange {
            transport,
            connection,
            ..
        } = &mut self.exchange;
        // The body is the foreign server's, or its user's.
        if let Err(Panicked) = catch(|| transport.receive(cx, now, connection)) {
            *transport = Incoming::none();
            connection.handle_transport_error(now, io::Error::other("the body panicked"));
        }
        let turn = self.exchange.turn(cx, now, false);
        self.exchange.count_queued();
        turn
    }

    /// What is to be sent next.
    pub(super) fn take_body(&mut self, now: Instant) -> Option<Bytes> {
        let bytes = self.exchange.connection.take_body(now)?;
        self.exchange.place.wrote(bytes.len());
        self.exchange.count_queued();
        Some(bytes)
    }

    /// The body has ended in the foreign server.
    pub(super) fn output_ended(&mut self, now: Instant) {
        self.exchange.connection.handle_output_ended(now);
    }

    /// Until the connection's next deadline. The clock is looked at before the timer: a runtime may
    /// make a timer wait for others.
    pub(super) fn sleep(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<()> {
        let deadline = self.exchange.connection.poll_timeout();
        if deadline.is_some_and(|deadline| deadline <= now) {
            return Poll::Ready(());
        }
        if self.alarm.will_wake(deadline, now) {
            return Poll::Pending;
        }
        let runtime = &self.embedding.shared.runtime;
        self.alarm.poll(runtime, deadline, cx)
    }

    /// Makes sure that a shutdown wakes this task.
    fn register(&mut self, cx: &mut Context<'_>) {
        let is_new = !matches!(&self.task, Some(task) if task.will_wake(cx.waker()));
        if is_new {
            self.task = Some(cx.waker().clone());
            self.alarm.forget_task();
        }
        // Whether it has begun is looked up in every turn; this is for the waking alone.
        let place = &mut self.exchange.place;
        place.wake_at_shutdown(cx.waker(), is_new);
    }
}

/// A foreign server drops what it needs no more, and what its client has left.
impl<R: Runtime> Drop for Embedded<R> {
    fn drop(&mut self) {
        let now = self.now();
        self.exchange.hang_up(now);
    }
}
