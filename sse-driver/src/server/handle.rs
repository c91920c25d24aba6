//! Watching a server, and shutting it down from elsewhere.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use super::{ServerStats, acceptor::Close, connections::Connections};

/// Watches a [`Server`](super::Server) or a [`ConnectionServer`](super::ConnectionServer), and shuts it
/// down from elsewhere. Clones are handles to the same server.
#[derive(Clone, Debug)]
pub struct ServerHandle {
    pub(super) connections: Arc<Connections>,
    /// Not held: a server that is dropped does not listen any more.
    pub(super) acceptor: Weak<dyn Close>,
}

impl ServerHandle {
    /// Begins a graceful shutdown, as [`Server::serve`](super::Server::serve) describes it. Does nothing the second time.
    ///
    /// When it returns, the server does not listen any more: who connects is refused, and can go to
    /// another server at once.
    pub fn shut_down(&self) {
        self.stop_listening();
        self.connections.shut_down();
    }

    /// Ends every connection at once, without waiting for streams to end. The server does not
    /// listen any more, as with [`shut_down`](Self::shut_down).
    pub fn cut(&self) {
        self.stop_listening();
        self.connections.cut();
    }

    /// Called before the connections' tasks are woken: waking many takes time, in which a new client
    /// would be accepted by the system and then wait.
    fn stop_listening(&self) {
        if let Some(acceptor) = self.acceptor.upgrade() {
            acceptor.close();
        }
    }

    /// What the server has done so far, and what it is doing. Cheap, and at any time: some twenty
    /// numbers are read.
    #[must_use]
    pub fn stats(&self) -> ServerStats {
        self.connections.stats()
    }

    /// How many connections are open.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.connections.open()
    }
}

/// What a server did, told when it has shut down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// How many connections were taken.
    pub accepted: u64,
    /// How many were turned away at the connection limit.
    pub turned_away: u64,
    /// How often accepting failed, for example because the process had no file descriptor left, or
    /// because `rustls` could make no connection of the TLS configuration.
    pub accept_errors: u64,
    /// How many connections with a request were cut, at the shutdown's deadline or by
    /// [`cut`](ServerHandle::cut).
    pub cut: u64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            accepted,
            turned_away,
            accept_errors,
            cut,
        } = self;
        write!(
            f,
            "{accepted} connections accepted, {turned_away} turned away at the limit, \
             {accept_errors} failed to be accepted, {cut} cut when it was shut down"
        )
    }
}
