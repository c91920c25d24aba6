//! The parts that adapters over the sockets of the operating system have in common: a date, a seed,
//! socket options and a listening socket. An adapter passes its calls on to these functions.
//!
//! An option that a system does not have is left out. An option that fails because the peer has gone
//! already is ignored: the next read shows the error.

use std::{
    hash::{BuildHasher, RandomState},
    io,
    net::{SocketAddr, TcpListener},
    time::{Duration, SystemTime},
};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::BindOptions;

/// Returns the date, for [`Clock::date`](crate::Clock::date).
#[must_use]
pub fn date() -> SystemTime {
    SystemTime::now()
}

/// Returns an unpredictable number, for [`Clock::seed`](crate::Clock::seed). Each call returns another
/// one.
#[must_use]
pub fn seed() -> u64 {
    RandomState::new().hash_one(())
}

/// Returns a non-blocking socket that listens on `address`, for [`Runtime::bind`](crate::Runtime::bind).
/// On Unix it may take over a port whose earlier connections are not forgotten yet (`SO_REUSEADDR`), as
/// the sockets of the standard library do.
///
/// # Errors
///
/// The error of the operating system.
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

/// Sets TCP_NODELAY, for [`Runtime::accept`](crate::Runtime::accept) and
/// [`Runtime::connect`](crate::Runtime::connect).
pub fn set_nodelay<'s>(socket: impl Into<SockRef<'s>>) {
    let _ = socket.into().set_tcp_nodelay(true);
}

/// Sets the keep-alive options of TCP on Linux and Android, for
/// [`Runtime::set_probing`](crate::Runtime::set_probing).
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

/// Sets the user timeout of TCP on Linux and Android, for
/// [`Runtime::set_user_timeout`](crate::Runtime::set_user_timeout).
pub fn set_user_timeout<'s>(socket: impl Into<SockRef<'s>>, timeout: Duration) {
    #[cfg(any(target_os = "android", target_os = "linux"))]
    let _ = socket.into().set_tcp_user_timeout(Some(timeout));
    #[cfg(not(any(target_os = "android", target_os = "linux")))]
    let _ = (socket, timeout);
}
