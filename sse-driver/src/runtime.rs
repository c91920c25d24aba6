//! What the driver needs of a runtime, and all that an adapter implements.

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
/// [`Clock::now`] is the clock of the [timers](Self::timer).
///
/// An adapter adds no behaviour. Everything here is what every runtime has under some name.
pub trait Runtime: Clock + Clone + Unpin {
    /// A timer of the runtime's.
    type Timer: Timer;
    /// A connected stream socket.
    type Transport: Transport;
    /// A listening socket.
    type Listener: Send + Sync + 'static;

    /// A timer that elapses at `deadline`.
    fn timer(&self, deadline: Instant) -> Self::Timer;

    /// Runs `task` in the background, for as long as the runtime lives. A task that is done is
    /// dropped at once, and a runtime that shuts down drops those that are not: that is what runs
    /// their connections' clean-up.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static);

    /// Listens on `address`; port 0 is any free one.
    fn bind(
        &self,
        address: SocketAddr,
        options: &BindOptions,
    ) -> impl Future<Output = io::Result<Self::Listener>> + Send;

    /// Where `listener` listens.
    ///
    /// # Errors
    ///
    /// What the operating system says.
    fn local_addr(&self, listener: &Self::Listener) -> io::Result<SocketAddr>;

    /// The next connection, with TCP_NODELAY set: the driver puts together what belongs together
    /// by itself.
    fn accept(
        &self,
        listener: &Self::Listener,
    ) -> impl Future<Output = io::Result<(Self::Transport, SocketAddr)>> + Send;

    /// The addresses of `host`, the best one first, each with `port`. `host` is a name or an IP
    /// address; an IPv6 address comes without brackets.
    fn resolve(
        &self,
        host: &str,
        port: u16,
    ) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;

    /// A connection to `address`, with TCP_NODELAY set. Of a host with several addresses the driver
    /// tries one after the other, and does not wait long for one that does not answer. An attempt
    /// that is dropped has to end.
    fn connect(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::Transport>> + Send;

    /// A connection to the Unix socket at `path`.
    ///
    /// # Errors
    ///
    /// What the system says, and [`io::ErrorKind::Unsupported`] where the runtime has no such sockets,
    /// as by default.
    fn connect_unix(
        &self,
        path: &Path,
    ) -> impl Future<Output = io::Result<Box<dyn Transport>>> + Send {
        let _ = path;
        let text = "this runtime has no Unix sockets";
        ready(Err(io::Error::new(io::ErrorKind::Unsupported, text)))
    }

    /// The listening Unix socket as one of this runtime's. It does not block.
    ///
    /// # Errors
    ///
    /// What the system says, and [`io::ErrorKind::Unsupported`] where the runtime has no such sockets,
    /// as by default.
    #[cfg(unix)]
    fn listen_unix(
        &self,
        listener: std::os::unix::net::UnixListener,
    ) -> io::Result<Box<dyn UnixListener>> {
        drop(listener);
        let text = "this runtime has no Unix sockets";
        Err(io::Error::new(io::ErrorKind::Unsupported, text))
    }

    /// Has the system ask whether the peer is still there after so much silence, and have
    /// `transport` fail with [`io::ErrorKind::TimedOut`] where three more questions, as long after
    /// each other, get no answer: TCP's keep-alive
    /// ([RFC 9293 section 3.8.4](https://www.rfc-editor.org/rfc/rfc9293#section-3.8.4)). Called for
    /// clients, with 1 s to 32,767 s. A runtime that has no such thing does nothing.
    fn set_probing(&self, transport: &Self::Transport, after: Duration) {
        let _ = (transport, after);
    }

    /// What a client trusts where its user sets nothing, such as the platform's roots. It is called
    /// for each https connection, so an implementation should keep the result.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::Unsupported`] where the runtime brings no such thing, as by default: that
    /// ends the subscription. Any other kind is a loss, and the next attempt asks again.
    #[cfg(feature = "tls")]
    fn client_tls(&self) -> io::Result<std::sync::Arc<rustls::ClientConfig>> {
        let text = "https needs a TLS configuration: give one with `with_tls`";
        Err(io::Error::new(io::ErrorKind::Unsupported, text))
    }

    /// Has `transport` fail with [`io::ErrorKind::TimedOut`] once written bytes have not been
    /// acknowledged for this long: TCP's user timeout
    /// ([RFC 9293 section 3.9.1](https://www.rfc-editor.org/rfc/rfc9293#section-3.9.1)). It is how a
    /// peer that vanished without a word is found out, since the kernel goes on taking bytes for
    /// it. Called once, before anything is written. A runtime that has no such thing does
    /// nothing.
    fn set_user_timeout(&self, transport: &Self::Transport, timeout: Duration) {
        let _ = (transport, timeout);
    }
}

/// A listening Unix socket of a runtime's, from [`Runtime::listen_unix`].
#[cfg(unix)]
pub trait UnixListener: Send + Sync + 'static {
    /// The next connection. Called by one task at a time.
    fn accept(&self) -> AcceptUnix<'_>;
}

/// The future of a connection over a Unix socket.
#[cfg(unix)]
pub type AcceptUnix<'l> =
    std::pin::Pin<Box<dyn Future<Output = io::Result<Box<dyn Transport>>> + Send + 'l>>;

/// A timer that can be moved.
pub trait Timer: Send + Unpin {
    /// Has the timer elapse at `deadline` instead, whether it has elapsed already or not.
    fn reset(&mut self, deadline: Instant);

    /// Ready once the deadline has passed on the clock of [`Clock::now`], and not before; wakes
    /// the task then.
    fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// A connected stream socket, or what stands for one, such as a TLS stream.
///
/// Dropping it closes it. A `Box<dyn Transport>` is one, too: for runtimes with several kinds of
/// sockets.
pub trait Transport: Send + Unpin + 'static {
    /// Reads into `buffer`; 0 bytes mean that the peer's sending side has ended.
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes from `slices`, in order, as much as fits. One slice is what there mostly is: a system
    /// does less for a plain write of it.
    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>>;

    /// Passes on what the transport itself may hold back. A plain socket holds nothing back.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ends the sending side, after everything that was written, flushed or not; reading goes on.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ends the sending side of a response whose stream failed, so that the peer does not take it
    /// for whole. A transport with an end of its own, such as the `close_notify` of TLS, leaves that
    /// out; any other one does what [`poll_shutdown`](Self::poll_shutdown) does, as by default.
    fn poll_break_off(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_shutdown(cx)
    }

    /// Whether bytes that it had taken and held back were passed on since the last call, so that the
    /// peer takes something though no write succeeds. A transport that writes through, such as a plain
    /// socket, has none, as by default; TLS holds up to a record.
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
