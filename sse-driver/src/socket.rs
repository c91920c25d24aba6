//! A connection's transport: the runtime's own, or TLS over it.

use std::{
    io::{self, IoSlice},
    task::{Context, Poll},
};

use crate::Transport;
#[cfg(feature = "tls")]
use crate::tls::Tls;

/// A plain one is no larger than the transport itself.
pub(super) enum Socket<T> {
    Plain(T),
    #[cfg(feature = "tls")]
    Tls(Box<Tls<T>>),
}

macro_rules! delegate {
    ($socket:expr, $inner:ident => $call:expr) => {
        match $socket {
            Socket::Plain($inner) => $call,
            #[cfg(feature = "tls")]
            Socket::Tls($inner) => $call,
        }
    };
}

impl<T: Transport> Transport for Socket<T> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        delegate!(self, inner => inner.poll_read(cx, buffer))
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        delegate!(self, inner => inner.poll_write_vectored(cx, slices))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, inner => inner.poll_flush(cx))
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, inner => inner.poll_shutdown(cx))
    }

    fn poll_break_off(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, inner => inner.poll_break_off(cx))
    }

    fn take_progress(&mut self) -> bool {
        delegate!(self, inner => inner.take_progress())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_socket_is_no_larger_than_its_transport() {
        /// A transport that owns something, as those of runtimes do.
        type Transport = Box<u8>;
        assert_eq!(
            size_of::<Socket<(Transport, u32)>>(),
            size_of::<(Transport, u32)>()
        );
    }
}
