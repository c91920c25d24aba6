//! What carries requests and responses, between an event source and its machine.

use std::{task::Context, task::Poll, time::Instant};

use sse_core::client;

use super::{
    connector::{Connected, Route},
    dial::Dialing,
};
use crate::Transport;

/// How much is read at once. The buffer is on the stack: an idle event source has none.
const READ_BUFFER: usize = 16 * 1024;

/// The connection.
pub(super) enum Link {
    Down,
    Dialing(Dialing),
    Up(Box<dyn Transport>, Sending),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sending {
    /// What was written has been passed on.
    Flushed,
    /// Something was written and may be held back.
    Unflushed,
    /// The server takes no more. It may have answered all the same.
    Failed,
}

impl Link {
    /// Hands in what has come, and sends what there is to send. Says whether there was anything.
    pub(super) fn turn(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        machine: &mut client::EventSource,
    ) -> bool {
        match self {
            Self::Down => false,
            Self::Dialing(_) => self.dial(cx, now, machine),
            Self::Up(..) => self.read(cx, now, machine) | self.write(cx, now, machine),
        }
    }

    fn dial(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        machine: &mut client::EventSource,
    ) -> bool {
        let Self::Dialing(dialing) = self else {
            return false;
        };
        match dialing.as_mut().poll(cx) {
            Poll::Pending => return false,
            Poll::Ready(Ok(Connected { transport, route })) => {
                *self = Self::Up(transport, Sending::Flushed);
                match route {
                    Route::Direct => machine.handle_connected(now),
                    Route::Proxy(authorization) => {
                        machine.handle_connected_to_proxy(now, authorization);
                    }
                }
            }
            Poll::Ready(Err(error)) => {
                *self = Self::Down;
                machine.handle_transport_error(now, error);
            }
        }
        true
    }

    fn read(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        machine: &mut client::EventSource,
    ) -> bool {
        let Self::Up(transport, _) = self else {
            return false;
        };
        let mut buffer = [0; READ_BUFFER];
        match transport.poll_read(cx, &mut buffer) {
            Poll::Pending => return false,
            Poll::Ready(Ok(0)) => {
                *self = Self::Down;
                machine.handle_eof(now);
            }
            Poll::Ready(Ok(n)) => {
                let input = buffer.get(..n).unwrap_or(&buffer);
                machine.handle_input(now, input);
            }
            Poll::Ready(Err(error)) => {
                *self = Self::Down;
                machine.handle_transport_error(now, error);
            }
        }
        true
    }

    fn write(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        machine: &mut client::EventSource,
    ) -> bool {
        let Self::Up(transport, sending) = self else {
            return false;
        };
        let mut busy = false;
        while *sending != Sending::Failed {
            let transmit = machine.poll_transmit();
            if transmit.is_empty() {
                break;
            }
            match transport.poll_write_vectored(cx, transmit.slices()) {
                Poll::Pending => return busy,
                Poll::Ready(Ok(n)) if n > 0 => {
                    machine.handle_transmitted(now, n);
                    *sending = Sending::Unflushed;
                }
                // Reading tells what is to be thought of it.
                Poll::Ready(_) => *sending = Sending::Failed,
            }
            busy = true;
        }
        if *sending == Sending::Unflushed {
            *sending = match transport.poll_flush(cx) {
                Poll::Pending => return busy,
                Poll::Ready(Ok(())) => Sending::Flushed,
                Poll::Ready(Err(_)) => Sending::Failed,
            };
        }
        busy
    }
}
