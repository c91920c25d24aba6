//! TLS over any transport, as one more transport.
//!
//! [rustls] does no IO either: ciphertext goes in, plaintext and ciphertext come out. This moves
//! its ciphertext over the transport of a runtime, so that no runtime needs TLS of its own.
//!
//! The two sides of a transport may be polled with different wakers, and with TLS each side may
//! have to wait for the other: a reader writes (the handshake, an alert) and a writer reads (the
//! handshake). So the transport wakes [both of them](Waiting) once something can be written, and
//! once something can be read during the handshake; and the one that ends the handshake wakes the
//! other, because what the other waits for may be read by then.

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

/// How much plaintext is taken before its ciphertext is written: one record of the largest size
/// ([RFC 8446 section 5.1](https://www.rfc-editor.org/rfc/rfc8446#section-5.1)).
const PLAINTEXT_LIMIT: usize = 16 * 1024;

/// After how many reads that brought no plaintext a reader lets others have the thread.
const ROUNDS: usize = 16;

/// A TLS connection over a transport.
///
/// The first read or write makes the handshake; [`poll_handshake`](Self::poll_handshake) makes it by
/// itself. No deadline is kept here: the caller has one.
///
/// Plaintext is taken at most 16 KiB at a time, and not while older ciphertext is unwritten. The
/// most that is held for a peer that does not read is one such record; of what a peer sends, one
/// record, or a handshake message of 64 KiB.
///
/// [`poll_shutdown`](Transport::poll_shutdown) says `close_notify` before it ends the transport's
/// sending side, and [`poll_break_off`](Transport::poll_break_off) does not. Input that ends without the peer's `close_notify` is an error of
/// [`io::ErrorKind::UnexpectedEof`], since an attacker on the way could have cut it off.
///
/// What goes wrong with TLS is an error of [`io::ErrorKind::InvalidData`], with the
/// [`rustls::Error`] as its [inner error](io::Error::get_ref). The peer is sent the alert first.
pub struct Tls<T> {
    transport: T,
    connection: Connection,
    /// What went wrong, once something has.
    failure: Option<rustls::Error>,
    /// The transport's input has ended.
    input_ended: bool,
    /// There may be ciphertext that no writer asked for, so that a reader has to send it: the
    /// handshake's, or an alert.
    unasked: bool,
    /// The transport may hold something back.
    unflushed: bool,
    /// The transport has taken ciphertext since the last look.
    has_progressed: bool,
    /// `close_notify` is said.
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
    /// What rustls finds wrong with `config`.
    pub fn server(transport: T, config: Arc<ServerConfig>) -> Result<Self, rustls::Error> {
        let connection = ServerConnection::new(config)?;
        Ok(Self::new(transport, connection.into()))
    }

    /// Creates the client's end of a connection to `server_name`, which is what the server's certificate
    /// has to be for. It is named to the server (SNI) unless it is an IP address.
    ///
    /// # Errors
    ///
    /// What rustls finds wrong with `config`.
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

    /// Makes the handshake, if that has not been done by reading or writing. Ready once it is
    /// made and this end's part of it is with the transport.
    ///
    /// # Errors
    ///
    /// Those of the transport; [`io::ErrorKind::InvalidData`] where TLS fails, for example because the
    /// certificate is for another name or its issuer is not known; [`io::ErrorKind::UnexpectedEof`] where
    /// the peer closed the connection half-way.
    pub fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.waiting.writer(cx);
        ready!(self.handshake(Side::Writer))?;
        ready!(self.fail())?;
        self.send()
    }

    /// Sends what there is, and ends the transport's sending side.
    fn end_transport(&mut self) -> Poll<io::Result<()>> {
        ready!(self.send())?;
        self.transport
            .poll_shutdown(&mut Context::from_waker(&self.waker))
    }

    /// Goes on with the handshake, if it is not over, for all who wait for it.
    fn handshake(&mut self, side: Side) -> Poll<io::Result<()>> {
        if !self.connection.is_handshaking() {
            return Poll::Ready(Ok(()));
        }
        let result = ready!(self.shake_hands());
        // The other side waits for bytes that may all have been read here, and then the transport
        // has no reason to wake it: for plaintext that came with the handshake's end, or for the
        // handshake itself.
        self.waiting.wake_other_than(side);
        Poll::Ready(result)
    }

    fn shake_hands(&mut self) -> Poll<io::Result<()>> {
        while self.connection.is_handshaking() {
            ready!(self.fail())?;
            // What cannot be sent yet does not stop reading: both ends could wait for the
            // other to read, for ever.
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

    /// The failure, if there is one, once the alert that tells the peer is sent.
    fn fail(&mut self) -> Poll<io::Result<()>> {
        let Some(failure) = self.failure.clone() else {
            return Poll::Ready(Ok(()));
        };
        // Where the peer cannot be told, the failure is still what happened.
        let _ = ready!(self.send());
        Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, failure)))
    }

    /// Sends all ciphertext there is.
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
                // A transport that takes nothing of something is broken.
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                _ => (self.unflushed, self.has_progressed) = (true, true),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Takes what the transport has, and decrypts it.
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
                // Where it cannot be sent there may still be something to read, and the
                // next write returns the error.
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
        // What does not go out now goes out before anything else is taken.
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
            // Says nothing where an alert has said why already.
            self.connection.send_close_notify();
        }
        self.end_transport()
    }

    /// Ends the sending side without `close_notify`. Behind a body of HTTP/1.0, nothing else tells one
    /// that broke off from a whole one
    /// ([RFC 9112 section 9.8](https://www.rfc-editor.org/rfc/rfc9112#section-9.8)).
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

/// The sides that wait for the transport, whatever they wait for.
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

    /// Nothing can go wrong under the lock, so that a poisoned one hides nothing half-done.
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

/// A transport as rustls takes it: what would wait is [`io::ErrorKind::WouldBlock`].
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
