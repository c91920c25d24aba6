//! The pump: the task of one connection.
//!
//! It moves bytes and time between a transport and an [`Exchange`], which decides everything.

use std::{
    future::Future,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Instant,
};

use sse_core::server::Phase;

use super::read_waker::ReadWaker;
use crate::{
    Runtime, Transport,
    alarm::Alarm,
    exchange::{Exchange, Turn},
    trace::ConnectionSpan,
};

/// The size of a read. The buffer is on the stack: an idle connection has none.
const READ_BUFFER: usize = 4096;

/// The number of rounds after which a busy connection lets other tasks run.
const ROUNDS: usize = 16;

/// The number of reads before a deadline takes effect: 1 MiB, which is more than a system usually
/// buffers, and the default size of a request body.
const LATE_READS: usize = 256;

/// Drives an exchange over its transport until it is over. If it is dropped before that, the stream is
/// dropped, the socket closed and clean-up run nevertheless.
///
/// This future is written by hand, because the state of an `async fn` would hold all of this twice.
pub(super) struct Pump<R: Runtime, T> {
    exchange: Exchange<T>,
    alarm: Alarm<R>,
    /// The waker of the task that polled last.
    task: Waker,
    read_waker: ReadWaker,
    input_ended: bool,
    /// Whether the transport took nothing when it was last offered bytes.
    write_blocked: bool,
    output: OutputSide,
    span: ConnectionSpan,
    runtime: R,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum OutputSide {
    Open,
    /// Written bytes may be held back.
    Unflushed,
    /// The output is being shut down.
    Ending,
    /// The output is being shut down without the end that TLS gives a stream.
    BreakingOff,
    Ended,
}

impl<R: Runtime, T: Transport> Pump<R, T> {
    pub(super) fn new(runtime: R, peer: Option<SocketAddr>, exchange: Exchange<T>) -> Self {
        Self {
            exchange,
            alarm: Alarm::new(),
            task: Waker::noop().clone(),
            read_waker: ReadWaker::new(Waker::noop()),
            input_ended: false,
            write_blocked: false,
            output: OutputSide::Open,
            span: ConnectionSpan::new(peer),
            runtime,
        }
    }
}

impl<R: Runtime, T: Transport> Future for Pump<R, T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let _entered = self.span.enter();
        self.register(cx);
        for _ in 0..ROUNDS {
            let now = self.runtime.now();
            let read = self.read(now) | self.act_late(cx, now);
            let write_blocked = self.write_blocked;
            let turn = self.exchange.turn(cx, now, write_blocked);
            match turn {
                Turn::Closed(_) => return Poll::Ready(()),
                Turn::EndOutput { broken_off: false } => self.output = OutputSide::Ending,
                Turn::EndOutput { broken_off: true } => self.output = OutputSide::BreakingOff,
                _ => {}
            }
            let wrote = self.write(cx, now);
            self.exchange.count_queued();
            let goes_on = match turn {
                Turn::Spent => break,
                Turn::Full => wrote,
                // In an open stream, only the stream waits for queued bytes to be written.
                Turn::Parked => wrote && self.exchange.connection.phase() != Phase::Streaming,
                Turn::EndOutput { .. } => true,
                // The former is handled above, and a connection over a socket never returns the latter.
                Turn::Closed(_) | Turn::Respond(_) => false,
            };
            if !read && !goes_on && self.sleep(cx, now).is_pending() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<R: Runtime, T: Transport> Pump<R, T> {
    /// Makes sure that the read side and the server's shutdown wake this task.
    fn register(&mut self, cx: &mut Context<'_>) {
        let is_new = !self.task.will_wake(cx.waker());
        if is_new {
            self.task.clone_from(cx.waker());
            self.read_waker.set_task(cx.waker());
            self.alarm.forget_task();
        }
        // Every round checks whether it has begun; this is only for the waking.
        self.exchange.place.wake_at_shutdown(cx.waker(), is_new);
    }

    fn read(&mut self, now: Instant) -> bool {
        if self.input_ended || !self.read_waker.take_woken() {
            return false;
        }
        let mut buffer = [0; READ_BUFFER];
        let waker = self.read_waker.waker();
        let mut cx = Context::from_waker(&waker);
        match self.exchange.transport.poll_read(&mut cx, &mut buffer) {
            Poll::Pending => return false,
            Poll::Ready(Ok(0)) => {
                self.input_ended = true;
                self.exchange.connection.handle_eof(now);
            }
            Poll::Ready(Ok(n)) => {
                self.read_waker.again();
                self.exchange
                    .connection
                    .handle_input(now, buffer.get(..n).unwrap_or(&buffer));
            }
            Poll::Ready(Err(error)) => {
                self.input_ended = true;
                self.exchange.connection.handle_transport_error(now, error);
            }
        }
        true
    }

    /// Where a deadline has passed, handles the input that has arrived and offers the output to the
    /// transport first: this task may be late, and not the client. Reading is bounded, because a client
    /// that sends without end would have no deadline; the output is bounded already.
    fn act_late(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let deadline = self.exchange.connection.poll_timeout();
        if deadline.is_none_or(|deadline| now < deadline) {
            return false;
        }
        if self.exchange.connection.has_output() {
            self.write(cx, now);
        }
        let mut has_read = false;
        for _ in 0..LATE_READS {
            let phase = self.exchange.connection.phase();
            if !matches!(phase, Phase::Head | Phase::Body) || !self.read(now) {
                break;
            }
            has_read = true;
        }
        has_read
    }

    fn write(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let mut busy = false;
        while self.exchange.connection.has_output() {
            let transmit = self.exchange.connection.poll_transmit();
            match self
                .exchange
                .transport
                .poll_write_vectored(cx, transmit.slices())
            {
                Poll::Pending => {
                    self.write_blocked = true;
                    if self.exchange.transport.take_progress() {
                        self.exchange.connection.handle_progress(now);
                    }
                    return busy;
                }
                Poll::Ready(Ok(n)) if n > 0 => {
                    self.write_blocked = false;
                    self.exchange.transmitted(now, n);
                    self.output = OutputSide::Unflushed;
                }
                // A transport that takes none of some bytes is broken.
                Poll::Ready(Ok(_)) => {
                    let error = std::io::ErrorKind::WriteZero.into();
                    self.exchange.connection.handle_transport_error(now, error);
                }
                Poll::Ready(Err(error)) => {
                    self.exchange.connection.handle_transport_error(now, error);
                }
            }
            busy = true;
        }
        let result = match self.output {
            OutputSide::Open | OutputSide::Ended => return busy,
            OutputSide::Unflushed => self.exchange.transport.poll_flush(cx),
            OutputSide::Ending => self.exchange.transport.poll_shutdown(cx),
            OutputSide::BreakingOff => self.exchange.transport.poll_break_off(cx),
        };
        match (result, self.output) {
            (Poll::Pending, _) => return busy,
            // It does not matter whether the peer still listens.
            (Poll::Ready(_), OutputSide::Ending | OutputSide::BreakingOff) => {
                self.output = OutputSide::Ended;
                self.exchange.connection.handle_output_ended(now);
            }
            (Poll::Ready(Ok(())), _) => self.output = OutputSide::Open,
            (Poll::Ready(Err(error)), _) => {
                self.output = OutputSide::Open;
                self.exchange.connection.handle_transport_error(now, error);
            }
        }
        true
    }

    /// Waits for the connection's next deadline.
    fn sleep(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<()> {
        let deadline = self.exchange.connection.poll_timeout();
        self.alarm.sleep(&self.runtime, deadline, now, cx)
    }
}
