//! Streams of `futures-io` as transports.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use futures_io::{AsyncRead, AsyncWrite};

use super::Transport;

/// A stream of `futures-io` as a [`Transport`]: the sockets of smol and async-std, and any other type
/// with these traits.
///
/// ```
/// use sse_driver::{FuturesIo, Transport};
///
/// # fn with_a_socket(socket: impl futures_io::AsyncRead + futures_io::AsyncWrite + Send + Unpin + 'static) {
/// let transport = FuturesIo::new(socket);
/// # fn is_one(_: impl Transport) {}
/// # is_one(transport);
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct FuturesIo<S>(S);

impl<S> FuturesIo<S> {
    /// Creates a transport from `stream`. Set the `TCP_NODELAY` of a TCP stream before, because the
    /// driver joins small writes itself.
    pub fn new(stream: S) -> Self {
        Self(stream)
    }

    /// Returns the stream, such as to read the address of its peer.
    pub fn get_ref(&self) -> &S {
        &self.0
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Transport for FuturesIo<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = Pin::new(&mut self.0);
        match slices {
            // A plain write is less work for the system.
            [bytes] => stream.poll_write(cx, bytes),
            slices => stream.poll_write_vectored(cx, slices),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    /// `futures-io` has no method for this. Most sockets, including those of smol, do it when they are
    /// closed.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx)
    }
}
