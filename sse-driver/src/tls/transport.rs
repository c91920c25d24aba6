//! TLS over any transport, as a transport.
//!
//! [rustls] does no IO: ciphertext goes in, plaintext and ciphertext come out. This module moves its
//! ciphertext over the transport of a runtime, so that no runtime needs TLS of its own.
//!
//! The two sides of a transport may be polled with different wakers, and with TLS each side may have to
//! wait for the other: a reader writes (the handshake, an alert) and a writer reads (the handshake). The
//! transport therefore wakes [both of them](Waiting) once bytes can be written, and once bytes can be
//! read during the handshake; and the side that ends the handshake wakes the other, because the bytes
//! that the other waits for may have been read by then.

#[cfg(all(test, loom, feature = "loom"))]
mod under_loom;

use std::{
    fmt,
    io::{self, IoSlice, Read, Write},
    mem,
    sync::Arc,
    task::{Context, Poll, Wake, Waker, ready},
};

use sse_core::internal::sync::{Mutex, MutexGuard, lock};

use rustls::{
    ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection,
    pki_types::ServerName,
};

use crate::Transport;

/// The number of bytes of plaintext that are taken before their ciphertext is written: one record of the
/// largest size ([RFC 8446 section 5.1](https://www.rfc-editor.org/rfc/rfc8446#section-5.1)).
const PLAINTEXT_LIMIT: usize = 16 * 1024;

/// The number of reads without plaintext after which a reader lets other tasks run.
const ROUNDS: usize = 16;

/// A TLS connection over a transport.
///
/// The first read or write makes the handshake; [`poll_handshake`](Self::poll_handshake) makes it before
/// that. It has no deadline; the caller has one.
///
/// Plaintext is taken at most 16 KiB at a time, and not while older ciphertext is unwritten. For a peer
/// that does not read, at most one such record is held; of what a peer sends, one record, or a handshake
/// message of 64 KiB.
///
/// [`poll_shutdown`](Transport::poll_shutdown) sends `close_notify` before it ends the transport's
/// sending side, and [`poll_break_off`](Transport::poll_break_off) does not. Input that ends without the
/// peer's `close_notify` is an error of [`io::ErrorKind::UnexpectedEof`], because an attacker on the way
/// could have cut it off.
///
/// An error of TLS is of [`io::ErrorKind::InvalidData`], with the [`rustls::Error`] as its [inner
/// error](io::Error::get_ref). The peer gets the alert first.
pub struct Tls<T> {
    transport: T,
    connection: Connection,
    /// The error of TLS, if there was one.
    failure: Option<rustls::Error>,
    /// Whether the transport's input has ended.
    input_ended: bool,
    /// Whether there may be ciphertext that no writer produced, so that a reader has to send it: the
    /// handshake's, or an alert.
    unasked: bool,
    /// Whether the transport may hold bytes back.
    unflushed: bool,
    /// Whether the transport has taken ciphertext since the last check.
    has_progressed: bool,
    /// Whether `close_notify` was sent.
    output_ended: bool,
    waiting: Arc<Waiting>,
    /// Wakes the tasks that are `waiting`.
    waker: Waker,
}

impl<T: Transport> Tls<T> {
    /// Creates the server's end of a connection.
    ///
    /// # Errors
    ///
    /// The error of rustls about `config`.
    pub fn server(transport: T, config: Arc<ServerConfig>) -> Result<Self, rustls::Error> {
        let connection = ServerConnection::new(config)?;
        Ok(Self::new(transport, connection.into()))
    }

    /// Creates the client's end of a connection to `server_name`, which the server's certificate has to
    /// name. It is sent to the server (SNI) unless it is an IP address.
    ///
    /// # Errors
    ///
    /// The error of rustls about `config`.
    pub fn client(
        transport: T,
        config: Arc<ClientConfig>,
        server_name: ServerName<'static>,
    ) -> Result<Self, rustls::Error> {
        let connection = ClientConnection::new(config, server_name)?;
        Ok(Self::new(transport, connection.into()))
    }

    fn new(transport: T, mut connection: Connection) -> Self {
        connection.set_buffer_limit(Some(PLAINTEXT_LIMIT));
        let waiting = Arc::<Waiting>::default();
        Self {
            transport,
            connection,
            failure: None,
            input_ended: false,
            unasked: true,
            unflushed: false,
            has_progressed: false,
            output_ended: false,
            waker: Waker::from(waiting.clone()),
            waiting,
        }
    }

    /// Makes the handshake, unless reading or writing has made it. Becomes ready once it is complete and
    /// this end's part of it was written to the transport.
    ///
    /// # Errors
    ///
    /// The errors of the transport; [`io::ErrorKind::InvalidData`] where TLS fails, such as because the
    /// certificate has another name or an unknown issuer; [`io::ErrorKind::UnexpectedEof`] where the peer
    /// closed the connection during the handshake.
    pub fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.waiting.writer(cx);
        ready!(self.handshake(Side::Writer))?;
        ready!(self.fail())?;
        self.send()
    }

    /// Sends all ciphertext, and ends the transport's sending side.
    fn end_transport(&mut self) -> Poll<io::Result<()>> {
        ready!(self.send())?;
        self.transport
            .poll_shutdown(&mut Context::from_waker(&self.waker))
    }

    /// Continues the handshake, if it is not complete, for both sides that wait for it.
    fn handshake(&mut self, side: Side) -> Poll<io::Result<()>> {
        if !self.connection.is_handshaking() {
            return Poll::Ready(Ok(()));
        }
        let result = ready!(self.shake_hands());
        // The other side waits for bytes that may all have been read here, for which the transport has no
        // reason to wake it: for plaintext that came with the handshake's end, or for the handshake
        // itself.
        self.waiting.wake_other_than(side);
        Poll::Ready(result)
    }

    fn shake_hands(&mut self) -> Poll<io::Result<()>> {
        while self.connection.is_handshaking() {
            ready!(self.fail())?;
            // Ciphertext that cannot be sent yet does not stop reading: both ends could wait forever for
            // the other to read.
            if let Poll::Ready(result) = self.send() {
                result?;
            }
            if self.input_ended {
                return Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the peer closed the connection during the TLS handshake",
                )));
            }
            let waker = self.waker.clone();
            ready!(self.receive(&mut Context::from_waker(&waker)))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Returns the failure, if there is one, once the alert for the peer is sent.
    fn fail(&mut self) -> Poll<io::Result<()>> {
        let Some(failure) = self.failure.clone() else {
            return Poll::Ready(Ok(()));
        };
        // If the peer cannot be told, the failure stays the same.
        let _ = ready!(self.send());
        Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, failure)))
    }

    /// Sends all ciphertext.
    fn send(&mut self) -> Poll<io::Result<()>> {
        ready!(self.write_ciphertext())?;
        if self.unflushed {
            ready!(
                self.transport
                    .poll_flush(&mut Context::from_waker(&self.waker))
            )?;
            self.unflushed = false;
        }
        self.unasked = self.connection.is_handshaking();
        Poll::Ready(Ok(()))
    }

    fn write_ciphertext(&mut self) -> Poll<io::Result<()>> {
        let mut output = Blocking {
            transport: &mut self.transport,
            cx: &mut Context::from_waker(&self.waker),
        };
        while self.connection.wants_write() {
            let result = self.connection.write_tls(&mut output);
            match ready!(nonblocking(result))? {
                // A transport that takes none of some bytes is broken.
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                _ => (self.unflushed, self.has_progressed) = (true, true),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads from the transport, and decrypts the bytes.
    fn receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let transport = &mut self.transport;
        let result = self.connection.read_tls(&mut Blocking { transport, cx });
        self.input_ended = ready!(nonblocking(result))? == 0;
        if let Err(error) = self.connection.process_new_packets() {
            self.failure = Some(error);
            self.unasked = true;
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: Transport> Transport for Tls<T> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        for _ in 0..ROUNDS {
            if self.unasked {
                self.waiting.reader(cx);
            }
            ready!(self.handshake(Side::Reader))?;
            let result = self.connection.reader().read(buffer);
            if let Poll::Ready(result) = nonblocking(result) {
                return Poll::Ready(result);
            }
            ready!(self.fail())?;
            if self.unasked {
                // If it cannot be sent there may still be input to read, and the next write returns the
                // error.
                let _ = self.send();
            }
            ready!(self.receive(cx))?;
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.waiting.writer(cx);
        ready!(self.handshake(Side::Writer))?;
        ready!(self.fail())?;
        if self.output_ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        ready!(self.write_ciphertext())?;
        let count = self.connection.writer().write_vectored(slices)?;
        // Ciphertext that is not written now is written before more plaintext is taken.
        match self.write_ciphertext() {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(count)),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.waiting.writer(cx);
        ready!(self.fail())?;
        self.send()
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.waiting.writer(cx);
        if !mem::replace(&mut self.output_ended, true) {
            // This sends nothing after an alert.
            self.connection.send_close_notify();
        }
        self.end_transport()
    }

    /// Ends the sending side without `close_notify`. After a body of HTTP/1.0, nothing else tells one
    /// that broke off from a complete one ([RFC 9112 section
    /// 9.8](https://www.rfc-editor.org/rfc/rfc9112#section-9.8)).
    fn poll_break_off(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.waiting.writer(cx);
        self.output_ended = true;
        self.end_transport()
    }

    fn take_progress(&mut self) -> bool {
        mem::take(&mut self.has_progressed)
    }
}

impl<T: fmt::Debug> fmt::Debug for Tls<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("transport", &self.transport)
            .field("is_handshaking", &self.connection.is_handshaking())
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

/// The sides that wait for the transport.
#[derive(Default)]
struct Waiting(Mutex<Sides>);

#[derive(Default)]
struct Sides {
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// A side of a transport.
#[derive(Clone, Copy)]
enum Side {
    Reader,
    Writer,
}

impl Waiting {
    fn reader(&self, cx: &Context<'_>) {
        set(&mut self.sides().reader, cx);
    }

    fn writer(&self, cx: &Context<'_>) {
        set(&mut self.sides().writer, cx);
    }

    fn wake_other_than(&self, side: Side) {
        let mut sides = self.sides();
        let other = match side {
            Side::Reader => sides.writer.take(),
            Side::Writer => sides.reader.take(),
        };
        drop(sides);
        if let Some(other) = other {
            other.wake();
        }
    }

    /// No foreign code runs under the lock, so a poisoned lock never hides a half-done change.
    fn sides(&self) -> MutexGuard<'_, Sides> {
        lock(&self.0)
    }
}

fn set(side: &mut Option<Waker>, cx: &Context<'_>) {
    match side {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *side = Some(cx.waker().clone()),
    }
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let Sides { reader, writer } = mem::take(&mut *self.sides());
        for side in [reader, writer].into_iter().flatten() {
            side.wake();
        }
    }
}

/// A transport in the form that rustls uses: instead of waiting it returns [`io::ErrorKind::WouldBlock`].
struct Blocking<'a, 'cx, T> {
    transport: &'a mut T,
    cx: &'a mut Context<'cx>,
}

impl<T: Transport> Read for Blocking<'_, '_, T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        blocking(self.transport.poll_read(self.cx, buffer))
    }
}

impl<T: Transport> Write for Blocking<'_, '_, T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        blocking(self.transport.poll_write_vectored(self.cx, slices))
    }

    fn flush(&mut self) -> io::Result<()> {
        blocking(self.transport.poll_flush(self.cx))
    }
}

fn blocking<V>(polled: Poll<io::Result<V>>) -> io::Result<V> {
    match polled {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

fn nonblocking<V>(result: io::Result<V>) -> Poll<io::Result<V>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result),
    }
}
