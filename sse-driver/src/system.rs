//! What adapters over the sockets of the operating system have in common: a date, a seed, sockets'
//! options and a socket that listens. An adapter passes its calls on to these.
//!
//! What a system does not have is left out, and so is what fails for a socket whose peer is gone
//! already: that shows when it is read from.

use std::{
    hash::{BuildHasher, RandomState},
    io,
    net::{SocketAddr, TcpListener},
    time::{Duration, SystemTime},
};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::BindOptions;

/// For [`Clock::date`](crate::Clock::date).
#[must_use]
pub fn date() -> SystemTime {
    SystemTime::now()
}

/// For [`Clock::seed`](crate::Clock::seed): a number that is another one for each call.
#[must_use]
pub fn seed() -> u64 {
    RandomState::new().hash_one(())
}

/// For [`Runtime::bind`](crate::Runtime::bind): a socket that listens on `address` and does not
/// block. On Unix it may take over a port whose connections of before are not forgotten yet
/// (`SO_REUSEADDR`), as the sockets of the standard library do.
///
/// # Errors
///
/// What the operating system says.
pub fn listen(address: SocketAddr, options: &BindOptions) -> io::Result<TcpListener> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    // More than the system allows counts as what it allows.
    socket.listen(i32::try_from(options.backlog).unwrap_or(i32::MAX))?;
    Ok(socket.into())
}

/// For [`Runtime::accept`](crate::Runtime::accept) and [`Runtime::connect`](crate::Runtime::connect):
/// sets TCP_NODELAY.
pub fn set_nodelay<'s>(socket: impl Into<SockRef<'s>>) {
    let _ = socket.into().set_tcp_nodelay(true);
}

/// For [`Runtime::set_probing`](crate::Runtime::set_probing), on Linux and Android.
pub fn set_probing<'s>(socket: impl Into<SockRef<'s>>, after: Duration) {
    #[cfg(any(target_os = "android", target_os = "linux"))]
    let _ = socket.into().set_tcp_keepalive(
        &socket2::TcpKeepalive::new()
            .with_time(after)
            .with_interval(after)
            .with_retries(3),
    );
    #[cfg(not(any(target_os = "android", target_os = "linux")))]
    let _ = (socket, after);
}

/// For [`Runtime::set_user_timeout`](crate::Runtime::set_user_timeout), on Linux and Android.
pub fn set_user_timeout<'s>(socket: impl Into<SockRef<'s>>, timeout: Duration) {
    #[cfg(any(target_os = "android", target_os = "linux"))]
    let _ = socket.into().set_tcp_user_timeout(Some(timeout));
    #[cfg(not(any(target_os = "android", target_os = "linux")))]
    let _ = (socket, timeout);
}
