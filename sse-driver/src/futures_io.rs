//! Streams of `futures-io` as transports.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use futures_io::{AsyncRead, AsyncWrite};

use super::Transport;

/// Any stream of `futures-io` as a [`Transport`]: the sockets of smol and async-std, and whatever
/// else has these traits.
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
    /// `stream` as a transport.
    pub fn new(stream: S) -> Self {
        Self(stream)
    }

    /// Returns the stream itself.
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
            // The system does less for a plain write.
            [bytes] => stream.poll_write(cx, bytes),
            slices => stream.poll_write_vectored(cx, slices),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    /// `futures-io` has no word for it. Most sockets take closing for this, smol's among them.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx)
    }
}
