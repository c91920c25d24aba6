//! The runtime behind the driver's traits: smol's clock, timers, tasks and sockets.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant, SystemTime},
};

use smol::net::{TcpListener, TcpStream, resolve};
use sse_driver::{BindOptions, Clock, FuturesIo, Runtime, Timer, Transport, system};

/// The global runtime of smol, which begins by itself. Tasks run on its threads, of which there
/// is one unless the environment variable `SMOL_THREADS` says otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub struct Smol;

/// A timer of smol's reactor.
#[derive(Debug)]
pub struct SmolTimer(smol::Timer);

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
    type Transport = FuturesIo<TcpStream>;
    type Listener = TcpListener;

    fn timer(&self, deadline: Instant) -> SmolTimer {
        SmolTimer(smol::Timer::at(deadline))
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        smol::spawn(task).detach();
    }

    async fn bind(&self, address: SocketAddr, options: &BindOptions) -> io::Result<TcpListener> {
        system::listen(address, options)?.try_into()
    }

    fn local_addr(&self, listener: &TcpListener) -> io::Result<SocketAddr> {
        listener.local_addr()
    }

    async fn accept(&self, listener: &TcpListener) -> io::Result<(Self::Transport, SocketAddr)> {
        let (stream, peer) = listener.accept().await?;
        Ok((transport(stream), peer))
    }

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        resolve((host, port)).await
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<Self::Transport> {
        TcpStream::connect(address).await.map(transport)
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

    fn set_probing(&self, transport: &Self::Transport, after: Duration) {
        system::set_probing(transport.get_ref(), after);
    }

    #[cfg(feature = "tls")]
    fn client_tls(&self) -> io::Result<std::sync::Arc<sse_driver::tls::rustls::ClientConfig>> {
        Ok(sse_driver::tls::platform_client_config()?)
    }

    fn set_user_timeout(&self, transport: &Self::Transport, timeout: Duration) {
        system::set_user_timeout(transport.get_ref(), timeout);
    }
}

fn transport(stream: TcpStream) -> FuturesIo<TcpStream> {
    system::set_nodelay(&stream);
    FuturesIo::new(stream)
}

impl Timer for SmolTimer {
    fn reset(&mut self, deadline: Instant) {
        self.0.set_at(deadline);
    }

    fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx).map(drop)
    }
}

/// A Unix socket that listens.
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
