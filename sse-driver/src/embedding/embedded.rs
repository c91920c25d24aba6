//! An exchange inside a foreign server: it begins in the answer and continues in the body.

use std::{
    io,
    task::{Context, Poll, Waker, ready},
    time::Instant,
};

use ::http::Response;
use bytes::Bytes;
use sse_core::{
    http::BodyLength,
    internal::{Panicked, catch},
    lifecycle::CloseReason,
};

use super::{Embedding, IncomingBody};
use crate::{
    Runtime,
    alarm::Alarm,
    exchange::{Exchange, Turn},
};

/// The exchange with the parts that its host needs. The answer and the body pass it on in a box.
pub(super) struct Embedded<R: Runtime> {
    exchange: Exchange<IncomingBody>,
    alarm: Alarm<R>,
    embedding: Embedding<R>,
    /// Whether the request is a `HEAD`, whose response has no body.
    pub(super) is_head: bool,
    /// The task that polled last.
    task: Option<Waker>,
}

/// The output of the exchange for the foreign server.
pub(super) enum Output {
    /// The response's head. It comes once, and first.
    Head(Box<Response<BodyLength>>),
    /// A piece of the body.
    Data(Bytes),
    /// The body has ended. This is the last output.
    End,
    /// The body fails for this reason. This is the last output.
    Failed(CloseReason),
}

impl<R: Runtime> Embedded<R> {
    pub(super) fn new(
        embedding: &Embedding<R>,
        exchange: Exchange<IncomingBody>,
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

    /// Drives the exchange until it has an output for the foreign server. This is the only loop of an
    /// embedded response: the answer calls it for the head, the body for the rest.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) -> Poll<Output> {
        self.register(cx);
        loop {
            let now = self.now();
            let turn = match self.turn(cx, now) {
                Turn::Respond(head) => return Poll::Ready(Output::Head(head)),
                turn => turn,
            };
            if let Some(bytes) = self.take_body(now) {
                return Poll::Ready(Output::Data(bytes));
            }
            match turn {
                Turn::Closed(CloseReason::StreamEnded | CloseReason::ResponseSent) => {
                    return Poll::Ready(Output::End);
                }
                Turn::Closed(reason) => return Poll::Ready(Output::Failed(reason)),
                Turn::EndOutput { .. } => {
                    self.exchange.connection.handle_output_ended(now);
                    return Poll::Ready(Output::End);
                }
                Turn::Spent => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                // The head was returned above, and there is room, because everything is taken.
                Turn::Respond(_) | Turn::Full => {}
                Turn::Parked => ready!(self.sleep(cx, now)),
            }
        }
    }

    fn now(&self) -> Instant {
        self.embedding.shared.runtime.now()
    }

    /// Receives the available bytes of the request, and takes a turn.
    fn turn(&mut self, cx: &mut Context<'_>, now: Instant) -> Turn {
        let Exchange {
            transport,
            connection,
            ..
        } = &mut self.exchange;
        // The body is code of the foreign server, or of its user.
        if let Err(Panicked) = catch(|| transport.receive(cx, now, connection)) {
            *transport = IncomingBody::none();
            connection.handle_transport_error(now, io::Error::other("the body panicked"));
        }
        let turn = self.exchange.turn(cx, now, false);
        self.exchange.count_queued();
        turn
    }

    /// Returns the next piece of the body.
    fn take_body(&mut self, now: Instant) -> Option<Bytes> {
        let bytes = self.exchange.connection.take_body(now)?;
        self.exchange.place.wrote(bytes.len());
        self.exchange.count_queued();
        Some(bytes)
    }

    /// Waits for the connection's next deadline. The clock is read before the timer is polled: a runtime
    /// may make a timer wait for others.
    fn sleep(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<()> {
        let deadline = self.exchange.connection.poll_timeout();
        if deadline.is_some_and(|deadline| deadline <= now) {
            return Poll::Ready(());
        }
        let runtime = &self.embedding.shared.runtime;
        self.alarm.sleep(runtime, deadline, now, cx)
    }

    /// Makes sure that a shutdown wakes this task.
    fn register(&mut self, cx: &mut Context<'_>) {
        let is_new = !matches!(&self.task, Some(task) if task.will_wake(cx.waker()));
        if is_new {
            self.task = Some(cx.waker().clone());
            self.alarm.forget_task();
        }
        // Every turn checks whether it has begun; this is only for the waking.
        let place = &mut self.exchange.place;
        place.wake_at_shutdown(cx.waker(), is_new);
    }
}

/// A foreign server drops a response that it no longer needs, or whose client has left.
impl<R: Runtime> Drop for Embedded<R> {
    fn drop(&mut self) {
        let now = self.now();
        self.exchange.hang_up(now);
    }
}
