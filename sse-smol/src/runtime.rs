//! The runtime behind the driver's traits: smol's clock, timers, tasks and sockets.

use std::{
    future::Future,
    io::{self, IoSlice},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant, SystemTime},
};

use smol::{Async, net::resolve};
use sse_driver::{BindOptions, Clock, FuturesIo, Runtime, Timer, Transport, system};

/// The global runtime of smol, which starts by itself. Its threads run the tasks; there is one thread
/// unless the environment variable `SMOL_THREADS` says otherwise.
///
/// ```
/// use sse_smol::{Smol, Topic, TopicConfig};
///
/// // What needs a clock takes it from the runtime.
/// let topic = Topic::on(Smol, TopicConfig::default());
/// assert_eq!(topic.retained_events(), 0);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Smol;

/// A timer of smol's reactor.
#[derive(Debug)]
pub struct SmolTimer(smol::Timer);

/// A TCP socket in smol's reactor.
///
/// `smol::net::TcpStream` is one, too, which many tasks can wait for. This type is for one task, and
/// takes less memory.
///
/// ```
/// use sse_smol::SmolTransport;
/// # smol::block_on(async {
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let address = listener.local_addr()?;
///
/// let socket = smol::Async::<std::net::TcpStream>::connect(address).await?;
/// socket.get_ref().set_nodelay(true)?;
/// let transport = SmolTransport::from(socket);
/// # let _ = transport;
/// # Ok::<(), std::io::Error>(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct SmolTransport(FuturesIo<Async<TcpStream>>);

/// Wraps a socket. Set its `TCP_NODELAY`, because the driver joins small writes itself.
impl From<Async<TcpStream>> for SmolTransport {
    fn from(socket: Async<TcpStream>) -> Self {
        Self(FuturesIo::new(socket))
    }
}

impl Clock for Smol {
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

impl Runtime for Smol {
    type Timer = SmolTimer;
    type Transport = SmolTransport;
    type Listener = Async<TcpListener>;

    fn timer(&self, deadline: Instant) -> SmolTimer {
        SmolTimer(smol::Timer::at(deadline))
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        smol::spawn(task).detach();
    }

    async fn bind(
        &self,
        address: SocketAddr,
        options: &BindOptions,
    ) -> io::Result<Async<TcpListener>> {
        Async::new_nonblocking(system::listen(address, options)?)
    }

    fn local_addr(&self, listener: &Async<TcpListener>) -> io::Result<SocketAddr> {
        listener.get_ref().local_addr()
    }

    async fn accept(
        &self,
        listener: &Async<TcpListener>,
    ) -> io::Result<(SmolTransport, SocketAddr)> {
        let (stream, peer) = listener.accept().await?;
        Ok((transport(stream), peer))
    }

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        resolve((host, port)).await
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<SmolTransport> {
        Async::<TcpStream>::connect(address).await.map(transport)
    }

    #[cfg(unix)]
    async fn connect_unix(&self, path: &std::path::Path) -> io::Result<Box<dyn Transport>> {
        let stream = smol::net::unix::UnixStream::connect(path).await?;
        Ok(Box::new(FuturesIo::new(stream)))
    }

    #[cfg(unix)]
    fn listen_unix(
        &self,
        listener: std::os::unix::net::UnixListener,
    ) -> io::Result<Box<dyn sse_driver::UnixListener>> {
        Ok(Box::new(UnixSocket(listener.try_into()?)))
    }

    fn set_probing(&self, transport: &SmolTransport, after: Duration) {
        system::set_probing(transport.0.get_ref(), after);
    }

    #[cfg(feature = "tls")]
    fn client_tls(&self) -> io::Result<std::sync::Arc<sse_driver::tls::rustls::ClientConfig>> {
        Ok(sse_driver::tls::platform_client_config()?)
    }

    fn set_user_timeout(&self, transport: &SmolTransport, timeout: Duration) {
        system::set_user_timeout(transport.0.get_ref(), timeout);
    }
}

fn transport(socket: Async<TcpStream>) -> SmolTransport {
    system::set_nodelay(&socket);
    SmolTransport::from(socket)
}

impl Transport for SmolTransport {
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
        Poll::Ready(self.0.get_ref().get_ref().shutdown(Shutdown::Write))
    }
}

impl Timer for SmolTimer {
    fn reset(&mut self, deadline: Instant) {
        self.0.set_at(deadline);
    }

    fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx).map(drop)
    }
}

/// A listening Unix socket.
#[cfg(unix)]
struct UnixSocket(smol::net::unix::UnixListener);

#[cfg(unix)]
impl sse_driver::UnixListener for UnixSocket {
    fn accept(&self) -> sse_driver::AcceptUnix<'_> {
        Box::pin(async {
            let (stream, _) = self.0.accept().await?;
            Ok(Box::new(FuturesIo::new(stream)) as Box<dyn Transport>)
        })
    }
}
