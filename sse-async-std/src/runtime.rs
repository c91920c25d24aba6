//! The runtime behind the driver's traits: async-std's clock, timers, tasks and sockets.

use std::{
    fmt,
    future::Future,
    io::{self, IoSlice},
    net::{Shutdown, SocketAddr},
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant, SystemTime},
};

use async_std::{
    net::{TcpListener, TcpStream, ToSocketAddrs},
    task,
};
use sse_driver::{BindOptions, Clock, FuturesIo, Runtime, Timer, Transport, system};

/// The runtime of async-std, of which a process has one and which begins by itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct AsyncStd;

/// An async-std TCP stream as the driver's transport.
#[derive(Debug)]
pub struct AsyncStdTransport(FuturesIo<TcpStream>);

/// A socket of the caller's. Set its `TCP_NODELAY`: the driver writes what belongs together in one
/// write.
impl From<TcpStream> for AsyncStdTransport {
    fn from(stream: TcpStream) -> Self {
        Self(FuturesIo::new(stream))
    }
}

/// A timer of async-std's. It cannot be moved, so another one takes its place.
pub struct AsyncStdTimer {
    deadline: Instant,
    /// Once it has been polled.
    sleep: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

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
        AsyncStdTimer {
            deadline,
            sleep: None,
        }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        // A handle that is dropped leaves its task running.
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

impl Transport for AsyncStdTransport {
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

    /// async-std's own `poll_close` leaves the sending side open.
    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.get_ref().shutdown(Shutdown::Write))
    }
}

impl Timer for AsyncStdTimer {
    fn reset(&mut self, deadline: Instant) {
        self.deadline = deadline;
        self.sleep = None;
    }

    fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let left = || self.deadline.saturating_duration_since(Instant::now());
        while !left().is_zero() {
            let sleep = self
                .sleep
                .get_or_insert_with(|| Box::pin(task::sleep(left())));
            ready!(sleep.as_mut().poll(cx));
            self.sleep = None;
        }
        Poll::Ready(())
    }
}

impl fmt::Debug for AsyncStdTimer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncStdTimer")
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
