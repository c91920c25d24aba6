//! TLS over any transport.
//!
//! `rustls` is a state machine itself, so that one wrapper over the driver's own [`Transport`]
//! serves every runtime. What it needs besides bytes, a crypto provider with its randomness and a
//! clock, is in the configuration that is handed in.

use std::{
    fmt,
    io::{self, IoSlice, Read, Write},
    sync::Arc,
    task::{Context, Poll, ready},
};

use rustls::{
    ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection,
    pki_types::ServerName,
};

use super::Transport;

/// A TLS connection over a transport.
///
/// The handshake goes on while it is read from, so that a deadline for the first bytes covers it;
/// nothing is written before it is complete. [`poll_handshake`](Self::poll_handshake) waits for
/// that.
///
/// The end of the input without TLS's own word for it (`close_notify`) is an error of the kind
/// [`io::ErrorKind::UnexpectedEof`]: somebody may have cut the connection short. A failure of
/// TLS is one of the kind [`io::ErrorKind::InvalidData`], and the peer is told by an alert.
///
/// At most 64 KiB of what was written wait to be encrypted, and no more is taken before what is
/// encrypted has gone out.
pub struct Tls<T> {
    transport: T,
    connection: Connection,
    said_goodbye: bool,
}

impl<T: Transport> Tls<T> {
    /// The server's side of a connection.
    ///
    /// # Errors
    ///
    /// What `rustls` finds wrong with `config`.
    pub fn server(transport: T, config: Arc<ServerConfig>) -> io::Result<Self> {
        let connection = ServerConnection::new(config).map_err(broken)?;
        Ok(Self::new(transport, connection.into()))
    }

    /// The client's side of a connection to the server that is called `name`: a host name, or an
    /// IP address.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] where `name` is neither, and what `rustls` finds wrong with
    /// `config`.
    pub fn client(transport: T, config: Arc<ClientConfig>, name: &str) -> io::Result<Self> {
        let server = ServerName::try_from(name.to_owned()).map_err(|_| {
            let text = format!("there can be no certificate for a server called {name:?}");
            io::Error::new(io::ErrorKind::InvalidInput, text)
        })?;
        let connection = ClientConnection::new(config, server).map_err(broken)?;
        Ok(Self::new(transport, connection.into()))
    }

    fn new(transport: T, connection: Connection) -> Self {
        Self {
            transport,
            connection,
            said_goodbye: false,
        }
    }

    /// Ready when the handshake is complete.
    ///
    /// # Errors
    ///
    /// Those of reading and writing.
    pub fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.connection.is_handshaking() {
            ready!(self.poll_send(cx))?;
            if ready!(self.poll_receive(cx))? == 0 {
                let text = "the peer closed the connection in the midst of the TLS handshake";
                let error = io::Error::new(io::ErrorKind::UnexpectedEof, text);
                return Poll::Ready(Err(error));
            }
        }
        self.poll_flush(cx)
    }

    /// Writes all that is encrypted.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.connection.wants_write() {
            let mut transport = Blocking(&mut self.transport, cx);
            match ready!(pending(self.connection.write_tls(&mut transport)))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                _ => continue,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads something and decrypts it; 0 bytes mean the end.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut transport = Blocking(&mut self.transport, cx);
        let count = ready!(pending(self.connection.read_tls(&mut transport)))?;
        if let Err(error) = self.connection.process_new_packets() {
            // The alert that says what is wrong; if it does not fit, that is that.
            let _ = self.poll_flush(cx);
            return Poll::Ready(Err(broken(error)));
        }
        Poll::Ready(Ok(count))
    }
}

impl<T: Transport> Transport for Tls<T> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            match pending(self.connection.reader().read(buffer)) {
                Poll::Pending => {}
                ready => return ready,
            }
            // Reading may have made something to say: the handshake's answers, new keys. If it
            // does not go out now, its way being free wakes the reader, who comes by here again.
            if let Poll::Ready(Err(error)) = self.poll_flush(cx) {
                return Poll::Ready(Err(error));
            }
            ready!(self.poll_receive(cx))?;
        }
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_send(cx))?;
        if self.connection.is_handshaking() {
            // It is the reader who is woken when it goes on, and who leads here again.
            return Poll::Pending;
        }
        let count = self.connection.writer().write_vectored(slices)?;
        match self.poll_send(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(count)),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        self.transport.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.said_goodbye {
            self.said_goodbye = true;
            self.connection.send_close_notify();
        }
        ready!(self.poll_send(cx))?;
        self.transport.poll_shutdown(cx)
    }
}

impl<T> fmt::Debug for Tls<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("is_handshaking", &self.connection.is_handshaking())
            .finish_non_exhaustive()
    }
}

fn broken(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// A transport as `rustls` has it: what is pending would block.
struct Blocking<'a, 'c, T>(&'a mut T, &'a mut Context<'c>);

impl<T: Transport> Read for Blocking<'_, '_, T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        would_block(self.0.poll_read(self.1, buffer))
    }
}

impl<T: Transport> Write for Blocking<'_, '_, T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        would_block(self.0.poll_write_vectored(self.1, slices))
    }

    fn flush(&mut self) -> io::Result<()> {
        would_block(self.0.poll_flush(self.1))
    }
}

fn would_block<T>(poll: Poll<io::Result<T>>) -> io::Result<T> {
    match poll {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

fn pending<T>(result: io::Result<T>) -> Poll<io::Result<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result),
    }
}
