//! The runtime behind the driver's traits: tokio's clock, timers, tasks and sockets.

use std::{
    future::Future,
    io::{self, IoSlice},
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant, SystemTime},
};

use sse_driver::{BindOptions, Clock, Runtime, Timer, Transport, system};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream, lookup_host},
    time::Sleep,
};

/// The tokio runtime of the calling task.
///
/// It needs tokio's IO and time drivers, which `#[tokio::main]` turns on.
///
/// ```
/// use sse_tokio::{Tokio, Topic, TopicConfig};
///
/// // What needs a clock takes it from the runtime.
/// let topic = Topic::on(Tokio, TopicConfig::default());
/// assert_eq!(topic.retained_events(), 0);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Tokio;

/// A timer on tokio's clock.
#[derive(Debug)]
pub struct TokioTimer(Pin<Box<Sleep>>);

/// A byte stream of tokio as a transport of the driver: a TCP stream by default, or any other.
///
/// ```
/// use sse_tokio::TokioTransport;
///
/// // Any byte stream of tokio is a transport, such as a pipe in memory.
/// let (ours, _theirs) = tokio::io::duplex(1024);
/// let transport = TokioTransport::from(ours);
/// # let _ = transport;
/// ```
#[derive(Debug)]
pub struct TokioTransport<S = TcpStream>(S);

/// Wraps a stream. Set the `TCP_NODELAY` of a TCP stream, because the driver joins small writes itself.
impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> From<S> for TokioTransport<S> {
    fn from(stream: S) -> Self {
        Self(stream)
    }
}

impl Clock for Tokio {
    fn now(&self) -> Instant {
        // This is tokio's own clock, so that its paused time in tests is the connections' time, too.
        tokio::time::Instant::now().into_std()
    }

    fn date(&self) -> SystemTime {
        system::date()
    }

    fn seed(&self) -> u64 {
        system::seed()
    }
}

impl Runtime for Tokio {
    type Timer = TokioTimer;
    type Transport = TokioTransport;
    type Listener = TcpListener;

    fn timer(&self, deadline: Instant) -> TokioTimer {
        TokioTimer(Box::pin(tokio::time::sleep_until(deadline.into())))
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(task);
    }

    async fn bind(&self, address: SocketAddr, options: &BindOptions) -> io::Result<TcpListener> {
        TcpListener::from_std(system::listen(address, options)?)
    }

    fn local_addr(&self, listener: &TcpListener) -> io::Result<SocketAddr> {
        listener.local_addr()
    }

    async fn accept(&self, listener: &TcpListener) -> io::Result<(TokioTransport, SocketAddr)> {
        let (stream, peer) = listener.accept().await?;
        system::set_nodelay(&stream);
        Ok((TokioTransport(stream), peer))
    }

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(lookup_host((host, port)).await?.collect())
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<TokioTransport> {
        let stream = TcpStream::connect(address).await?;
        system::set_nodelay(&stream);
        Ok(TokioTransport(stream))
    }

    #[cfg(unix)]
    async fn connect_unix(&self, path: &std::path::Path) -> io::Result<Box<dyn Transport>> {
        let stream = tokio::net::UnixStream::connect(path).await?;
        Ok(Box::new(TokioTransport(stream)))
    }

    #[cfg(unix)]
    fn listen_unix(
        &self,
        listener: std::os::unix::net::UnixListener,
    ) -> io::Result<Box<dyn sse_driver::UnixListener>> {
        Ok(Box::new(UnixSocket(tokio::net::UnixListener::from_std(
            listener,
        )?)))
    }

    fn set_probing(&self, transport: &TokioTransport, after: Duration) {
        system::set_probing(&transport.0, after);
    }

    #[cfg(feature = "tls")]
    fn client_tls(&self) -> io::Result<std::sync::Arc<sse_driver::tls::rustls::ClientConfig>> {
        Ok(sse_driver::tls::platform_client_config()?)
    }

    fn set_user_timeout(&self, transport: &TokioTransport, timeout: Duration) {
        system::set_user_timeout(&transport.0, timeout);
    }
}

impl Timer for TokioTimer {
    fn reset(&mut self, deadline: Instant) {
        self.0.as_mut().reset(deadline.into());
    }

    fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Transport for TokioTransport<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        Pin::new(&mut self.0)
            .poll_read(cx, &mut buffer)
            .map_ok(|()| buffer.filled().len())
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

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// A listening Unix socket.
#[cfg(unix)]
struct UnixSocket(tokio::net::UnixListener);

#[cfg(unix)]
impl sse_driver::UnixListener for UnixSocket {
    fn accept(&self) -> sse_driver::AcceptUnix<'_> {
        Box::pin(async {
            let (stream, _) = self.0.accept().await?;
            Ok(Box::new(TokioTransport(stream)) as Box<dyn Transport>)
        })
    }
}
