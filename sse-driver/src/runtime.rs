//! The traits by which the driver uses a runtime, which are all that an adapter implements.

use std::{
    future::{Future, ready},
    io::{self, IoSlice},
    net::SocketAddr,
    path::Path,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use sse_core::Clock;

use crate::BindOptions;

/// A runtime: its clock, its timers, its tasks and its sockets.
///
/// The [timers](Self::timer) elapse on the clock of [`Clock::now`].
///
/// An adapter adds no behaviour. Every runtime has everything here, under some name.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a runtime",
    note = "an adapter has one: `Tokio`, `Smol` or `AsyncStd`; in tests a `TestClock` is one"
)]
pub trait Runtime: Clock + Clone + Unpin {
    /// A timer of the runtime.
    type Timer: Timer;
    /// A connected stream socket.
    type Transport: Transport;
    /// A listening socket.
    type Listener: Send + Sync + 'static;

    /// Creates a timer that elapses at `deadline`.
    fn timer(&self, deadline: Instant) -> Self::Timer;

    /// Runs `task` in the background, for as long as the runtime lives. A task that is done has to be
    /// dropped at once, and a runtime that shuts down has to drop those that are not done: that runs the
    /// clean-up of their connections.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static);

    /// Listens on `address`; with port 0, on any free port.
    fn bind(
        &self,
        address: SocketAddr,
        options: &BindOptions,
    ) -> impl Future<Output = io::Result<Self::Listener>> + Send;

    /// Returns the address of `listener`.
    ///
    /// # Errors
    ///
    /// The error of the operating system.
    fn local_addr(&self, listener: &Self::Listener) -> io::Result<SocketAddr>;

    /// Returns the next connection, with TCP_NODELAY set: the driver joins small writes by itself.
    fn accept(
        &self,
        listener: &Self::Listener,
    ) -> impl Future<Output = io::Result<(Self::Transport, SocketAddr)>> + Send;

    /// Returns the addresses of `host`, the best one first, each with `port`. `host` is a name or an IP
    /// address; an IPv6 address has no brackets.
    fn resolve(
        &self,
        host: &str,
        port: u16,
    ) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;

    /// Connects to `address`, with TCP_NODELAY set. If a host has several addresses, the driver tries one
    /// after the other, and does not wait long for one that does not answer. Dropping the future has to
    /// end the attempt.
    fn connect(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::Transport>> + Send;

    /// Connects to the Unix socket at `path`.
    ///
    /// # Errors
    ///
    /// The error of the operating system, or [`io::ErrorKind::Unsupported`] where the runtime has no such
    /// sockets, as by default.
    fn connect_unix(
        &self,
        path: &Path,
    ) -> impl Future<Output = io::Result<Box<dyn Transport>>> + Send {
        let _ = path;
        let text = "this runtime has no Unix sockets";
        ready(Err(io::Error::new(io::ErrorKind::Unsupported, text)))
    }

    /// Converts a listening Unix socket to one of this runtime. The socket is non-blocking.
    ///
    /// # Errors
    ///
    /// The error of the operating system, or [`io::ErrorKind::Unsupported`] where the runtime has no such
    /// sockets, as by default.
    #[cfg(unix)]
    fn listen_unix(
        &self,
        listener: std::os::unix::net::UnixListener,
    ) -> io::Result<Box<dyn UnixListener>> {
        drop(listener);
        let text = "this runtime has no Unix sockets";
        Err(io::Error::new(io::ErrorKind::Unsupported, text))
    }

    /// Sets the idle time after which the operating system probes the peer: TCP's keep-alive ([RFC 9293
    /// section 3.8.4](https://www.rfc-editor.org/rfc/rfc9293#section-3.8.4)). If three more probes, at
    /// the same interval, get no answer, `transport` has to fail with [`io::ErrorKind::TimedOut`]. It is
    /// called for clients, with 1 s to 32,767 s. A runtime without this does nothing.
    fn set_probing(&self, transport: &Self::Transport, after: Duration) {
        let _ = (transport, after);
    }

    /// Returns the TLS configuration of a client whose user sets none, such as one that trusts the
    /// platform's roots. It is called for each `https` connection, so an implementation should cache the
    /// result.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::Unsupported`] where the runtime has no such configuration, as by default: that
    /// ends the subscription. Any other kind is a loss, and the next attempt calls it again.
    #[cfg(feature = "tls")]
    fn client_tls(&self) -> io::Result<std::sync::Arc<rustls::ClientConfig>> {
        let text = "https needs a TLS configuration: give one with `with_tls`";
        Err(io::Error::new(io::ErrorKind::Unsupported, text))
    }

    /// Makes `transport` fail with [`io::ErrorKind::TimedOut`] once written bytes have not been
    /// acknowledged for this long: TCP's user timeout ([RFC 9293 section
    /// 3.9.1](https://www.rfc-editor.org/rfc/rfc9293#section-3.9.1)). It detects a peer that vanished,
    /// for which the kernel goes on taking bytes. It is called once, before anything is written. A
    /// runtime without this does nothing.
    fn set_user_timeout(&self, transport: &Self::Transport, timeout: Duration) {
        let _ = (transport, timeout);
    }
}

/// A listening Unix socket of a runtime, from [`Runtime::listen_unix`].
#[cfg(unix)]
pub trait UnixListener: Send + Sync + 'static {
    /// Returns the next connection. Only one task calls it at a time.
    fn accept(&self) -> AcceptUnix<'_>;
}

/// The future of a connection over a Unix socket.
#[cfg(unix)]
pub type AcceptUnix<'l> =
    std::pin::Pin<Box<dyn Future<Output = io::Result<Box<dyn Transport>>> + Send + 'l>>;

/// A timer that can be moved, so that a connection needs only one.
pub trait Timer: Send + Unpin {
    /// Moves the timer to `deadline`, whether it has elapsed already or not.
    fn reset(&mut self, deadline: Instant);

    /// Becomes ready once the deadline has passed on the clock of [`Clock::now`], and not before; wakes
    /// the task then.
    fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// A connected stream socket, or a stream in place of one, such as a TLS stream.
///
/// Dropping it closes it. A `Box<dyn Transport>` is one, too, for runtimes with several kinds of sockets.
pub trait Transport: Send + Unpin + 'static {
    /// Reads into `buffer`; 0 bytes mean that the peer's sending side has ended.
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes from `slices`, in order, as much as fits. Most often there is one slice, for which a plain
    /// write is less work for the system.
    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>>;

    /// Writes the bytes that the transport itself buffers. A plain socket buffers none.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ends the sending side, after everything that was written, flushed or not; reading continues.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ends the sending side of a response whose stream failed, so that the peer does not take it for
    /// complete. A transport with an end of its own, such as the `close_notify` of TLS, leaves that out;
    /// any other one does the same as [`poll_shutdown`](Self::poll_shutdown), as by default.
    fn poll_break_off(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_shutdown(cx)
    }

    /// Returns whether buffered bytes were passed on since the last call, so that the peer takes bytes
    /// although no write succeeds. A transport that writes through, such as a plain socket, returns
    /// false, as by default; TLS buffers up to a record.
    fn take_progress(&mut self) -> bool {
        false
    }
}

impl<T: Transport + ?Sized> Transport for Box<T> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        (**self).poll_read(cx, buffer)
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        (**self).poll_write_vectored(cx, slices)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        (**self).poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        (**self).poll_shutdown(cx)
    }

    fn poll_break_off(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        (**self).poll_break_off(cx)
    }

    fn take_progress(&mut self) -> bool {
        (**self).take_progress()
    }
}
