//! The transport of requests and responses between an event source and its machine.

use std::{
    error::Error,
    fmt, io,
    task::{Context, Poll},
    time::Instant,
};

#[cfg(feature = "http-body")]
use sse_core::http::Response;
use sse_core::{
    client,
    internal::{Panicked, catch},
};

#[cfg(feature = "http-body")]
use super::http_client::{AnyBody, Sent};
use super::{
    connector::{Connected, Route},
    dial::Dialing,
};
use crate::{Transport, contained::Contained};

/// The size of a read from a stream with few bytes. The buffer is on the stack: an idle event source has
/// none, and clearing one for a single event costs little.
const SMALL_READ: usize = 4 * 1024;

/// The largest size of a read. A stream that fills one buffer gets a larger one, on the heap. That buffer
/// goes to the machine with the bytes, comes back when they are decoded, and is cleared once.
const LARGE_READ: usize = 64 * 1024;

/// The factor by which a buffer is larger or smaller than the one before.
const GROWTH: usize = 4;

/// The connection, or the foreign HTTP client's response.
#[derive(Default)]
pub(super) enum Link {
    #[default]
    Down,
    Dialing(Dialing),
    Up(Box<dyn Transport>, Sending, ReadSize),
    #[cfg(feature = "http-body")]
    Sent(Sent),
    #[cfg(feature = "http-body")]
    Responding(AnyBody),
}

/// The size of the next read, which follows from the reads before.
pub(super) struct ReadSize {
    size: usize,
    /// The bytes read since the stream last had no more.
    read: usize,
}

impl ReadSize {
    const SMALL: Self = Self {
        size: SMALL_READ,
        read: 0,
    };

    /// Records a read of `n` bytes.
    fn learn(&mut self, n: usize) {
        self.read = self.read.saturating_add(n);
        if n >= self.size {
            self.size = (self.size * GROWTH).min(LARGE_READ);
        }
    }

    /// Records that the stream has no more bytes for now.
    fn end_turn(&mut self) {
        if self.read < self.size / GROWTH {
            self.size = (self.size / GROWTH).max(SMALL_READ);
        }
        self.read = 0;
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sending {
    /// Everything written was passed on.
    Flushed,
    /// Written bytes may be held back.
    Unflushed,
    /// The server accepts no more bytes. It may have responded nevertheless.
    Failed,
}

/// The error of a [`Connector`](crate::Connector), its transport or an `HttpClient` that panicked, which
/// is the [cause](sse_core::client::Loss::cause) of a loss. The panic hook has reported the panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransportPanicked;

impl fmt::Display for TransportPanicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connector, its transport or the HTTP client panicked")
    }
}

impl Error for TransportPanicked {}

impl Link {
    /// Passes received bytes in, and sends bytes out. Returns whether there were any.
    ///
    /// Connectors, transports and HTTP clients may be application code: their panics are caught.
    pub(super) fn turn(
        this: &mut Contained<Self>,
        cx: &mut Context<'_>,
        now: Instant,
        machine: &mut client::EventSource,
    ) -> bool {
        match catch(|| this.carry(cx, now, machine)) {
            Ok(was_busy) => was_busy,
            Err(Panicked) => {
                this.clear();
                machine.handle_transport_error(now, io::Error::other(TransportPanicked));
                true
            }
        }
    }

    fn carry(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        machine: &mut client::EventSource,
    ) -> bool {
        match self {
            Self::Down => false,
            Self::Dialing(_) => self.dial(cx, now, machine),
            Self::Up(..) => self.read(cx, now, machine) | self.write(cx, now, machine),
            #[cfg(feature = "http-body")]
            Self::Sent(_) => self.take_response(cx, now, machine),
            #[cfg(feature = "http-body")]
            Self::Responding(_) => self.take_data(cx, now, machine),
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
                *self = Self::Up(transport, Sending::Flushed, ReadSize::SMALL);
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
        let Self::Up(transport, _, size) = self else {
            return false;
        };
        let mut small;
        let mut large = machine.take_buffer();
        let buffer = match size.size {
            SMALL_READ => {
                small = [0; SMALL_READ];
                &mut small[..]
            }
            size => {
                if large.len() != size {
                    large = vec![0; size];
                }
                &mut large[..]
            }
        };
        match transport.poll_read(cx, buffer) {
            Poll::Pending => {
                size.end_turn();
                return false;
            }
            Poll::Ready(Ok(0)) => {
                *self = Self::Down;
                machine.handle_eof(now);
            }
            Poll::Ready(Ok(n)) if size.size == SMALL_READ => {
                machine.handle_input(now, buffer.get(..n).unwrap_or(buffer));
                size.learn(n);
            }
            Poll::Ready(Ok(n)) => {
                machine.handle_input_in(now, large, n);
                size.learn(n);
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
        let Self::Up(transport, sending, _) = self else {
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
                // The read side finds out what to make of it.
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

    #[cfg(feature = "http-body")]
    fn take_response(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        machine: &mut client::EventSource,
    ) -> bool {
        let Self::Sent(sent) = self else {
            return false;
        };
        match sent.as_mut().poll(cx) {
            Poll::Pending => return false,
            Poll::Ready(Ok(response)) => {
                let (head, body) = response.into_parts();
                *self = Self::Responding(body);
                machine.handle_response(now, Response::from_parts(head, ()));
            }
            Poll::Ready(Err(error)) => {
                *self = Self::Down;
                machine.handle_transport_error(now, error);
            }
        }
        true
    }

    #[cfg(feature = "http-body")]
    fn take_data(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        machine: &mut client::EventSource,
    ) -> bool {
        let Self::Responding(body) = self else {
            return false;
        };
        match body.as_mut().poll_data(cx) {
            Poll::Pending => return false,
            Poll::Ready(Some(Ok(bytes))) => machine.handle_body(now, &bytes),
            Poll::Ready(Some(Err(error))) => {
                *self = Self::Down;
                machine.handle_transport_error(now, error);
            }
            Poll::Ready(None) => {
                *self = Self::Down;
                machine.handle_body_end(now);
            }
        }
        true
    }
}
