//! The runtime behind the driver's traits: async-std's clock, timers, tasks and sockets.

use std::{
    future::Future,
    io::{self, IoSlice},
    net::{Shutdown, SocketAddr},
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant, SystemTime},
};

#[cfg(unix)]
use async_std::os::unix::net::UnixStream;
use async_std::{
    io::{Read as AsyncRead, Write as AsyncWrite},
    net::{TcpListener, TcpStream, ToSocketAddrs},
    task,
};
use sse_driver::{BindOptions, Clock, FuturesIo, Runtime, Timer, Transport, system};

/// The runtime of async-std, of which a process has one. It starts by itself.
///
/// ```
/// use sse_async_std::{AsyncStd, Topic, TopicConfig};
///
/// // What needs a clock takes it from the runtime.
/// let topic = Topic::on(AsyncStd, TopicConfig::default());
/// assert_eq!(topic.retained_events(), 0);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct AsyncStd;

/// A socket of async-std as a transport of the driver: a TCP stream, or a Unix stream.
///
/// ```
/// use async_std::net::TcpStream;
/// use sse_async_std::AsyncStdTransport;
/// # async_std::task::block_on(async {
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let address = listener.local_addr()?;
///
/// let socket = TcpStream::connect(address).await?;
/// socket.set_nodelay(true)?;
/// let transport = AsyncStdTransport::from(socket);
/// # let _ = transport;
/// # Ok::<(), std::io::Error>(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct AsyncStdTransport<S = TcpStream>(FuturesIo<S>);

/// Wraps a socket. Set the `TCP_NODELAY` of a TCP stream, because the driver joins small writes itself.
impl<S: Socket> From<S> for AsyncStdTransport<S> {
    fn from(stream: S) -> Self {
        Self(FuturesIo::new(stream))
    }
}

/// How to end the sending side of a socket, which async-std's own `poll_close` leaves open. The trait is
/// sealed.
pub trait Socket: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    #[doc(hidden)]
    fn end_output(&self) -> io::Result<()>;
}

impl Socket for TcpStream {
    fn end_output(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

#[cfg(unix)]
impl Socket for UnixStream {
    fn end_output(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

/// A timer of `async-io`, on which async-std's own timers are built: those cannot be moved, and take
/// another allocation.
#[derive(Debug)]
pub struct AsyncStdTimer(async_io::Timer);

impl Clock for AsyncStd {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn date(&self) -> SystemTime {
        system::date()
    }

    fn seed(&self) -> u64 {
        system::seed()
    }
}

impl Runtime for AsyncStd {
    type Timer = AsyncStdTimer;
    type Transport = AsyncStdTransport;
    type Listener = TcpListener;

    fn timer(&self, deadline: Instant) -> AsyncStdTimer {
        AsyncStdTimer(async_io::Timer::at(deadline))
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        // Dropping the handle leaves the task running.
        drop(task::spawn(task));
    }

    async fn bind(&self, address: SocketAddr, options: &BindOptions) -> io::Result<TcpListener> {
        Ok(system::listen(address, options)?.into())
    }

    fn local_addr(&self, listener: &TcpListener) -> io::Result<SocketAddr> {
        listener.local_addr()
    }

    async fn accept(&self, listener: &TcpListener) -> io::Result<(AsyncStdTransport, SocketAddr)> {
        let (stream, peer) = listener.accept().await?;
        Ok((transport(stream), peer))
    }

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok((host, port).to_socket_addrs().await?.collect())
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<AsyncStdTransport> {
        TcpStream::connect(address).await.map(transport)
    }

    #[cfg(unix)]
    async fn connect_unix(&self, path: &std::path::Path) -> io::Result<Box<dyn Transport>> {
        let stream = UnixStream::connect(path).await?;
        Ok(Box::new(AsyncStdTransport::from(stream)))
    }

    #[cfg(unix)]
    fn listen_unix(
        &self,
        listener: std::os::unix::net::UnixListener,
    ) -> io::Result<Box<dyn sse_driver::UnixListener>> {
        Ok(Box::new(UnixSocket(listener.into())))
    }

    fn set_probing(&self, transport: &AsyncStdTransport, after: Duration) {
        system::set_probing(transport.0.get_ref(), after);
    }

    #[cfg(feature = "tls")]
    fn client_tls(&self) -> io::Result<std::sync::Arc<sse_driver::tls::rustls::ClientConfig>> {
        Ok(sse_driver::tls::platform_client_config()?)
    }

    fn set_user_timeout(&self, transport: &AsyncStdTransport, timeout: Duration) {
        system::set_user_timeout(transport.0.get_ref(), timeout);
    }
}

fn transport(stream: TcpStream) -> AsyncStdTransport {
    system::set_nodelay(&stream);
    AsyncStdTransport(FuturesIo::new(stream))
}

impl<S: Socket> Transport for AsyncStdTransport<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0.poll_read(cx, buffer)
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_write_vectored(cx, slices)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.get_ref().end_output())
    }
}

impl Timer for AsyncStdTimer {
    fn reset(&mut self, deadline: Instant) {
        self.0.set_at(deadline);
    }

    fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx).map(drop)
    }
}

/// A listening Unix socket.
#[cfg(unix)]
struct UnixSocket(async_std::os::unix::net::UnixListener);

#[cfg(unix)]
impl sse_driver::UnixListener for UnixSocket {
    fn accept(&self) -> sse_driver::AcceptUnix<'_> {
        Box::pin(async {
            let (stream, _) = self.0.accept().await?;
            Ok(Box::new(AsyncStdTransport::from(stream)) as Box<dyn Transport>)
        })
    }
}
