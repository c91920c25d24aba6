//! Listening on an address that a user gives.

use std::{io, net::SocketAddr};

use crate::Runtime;

/// The options of a listening socket.
///
/// ```
/// let mut options = sse_driver::BindOptions::default();
/// options.backlog = 512;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BindOptions {
    /// The number of connections that may wait to be accepted, such as those of a burst.
    ///
    /// The default is as many as the system allows: on Linux `net.core.somaxconn`, which is 4,096 unless
    /// it was set. A larger number counts as that. At the bound the system does not answer new
    /// connections; their clients try again by themselves, at first after a second.
    pub backlog: u32,
}

impl Default for BindOptions {
    fn default() -> Self {
        Self { backlog: u32::MAX }
    }
}

/// Listens on the first address of `address`, a `host:port`, for which that is possible.
pub(crate) async fn bind<R: Runtime>(
    runtime: &R,
    address: &str,
    options: &BindOptions,
) -> io::Result<R::Listener> {
    let addresses = match address.parse() {
        Ok(address) => vec![address],
        Err(_) => resolve(runtime, address).await?,
    };
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in addresses {
        match runtime.bind(address, options).await {
            Ok(listener) => return Ok(listener),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

async fn resolve<R: Runtime>(runtime: &R, address: &str) -> io::Result<Vec<SocketAddr>> {
    let parts = address.rsplit_once(':');
    let parts = parts.and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let (host, port) = parts.ok_or_else(|| {
        let text = "it is not a host and a port, such as 127.0.0.1:8080 or localhost:8080";
        io::Error::new(io::ErrorKind::InvalidInput, text)
    })?;
    runtime.resolve(host, port).await
}
