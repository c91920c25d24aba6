//! Watching a server, and shutting it down from elsewhere.

use std::sync::{Arc, Weak};

use super::acceptor::Close;
use crate::connections::{Connections, ServerStats};

/// Watches a [`Server`](super::Server) or a [`ConnectionServer`](super::ConnectionServer), and shuts it
/// down from elsewhere. Clones are handles to the same server.
#[derive(Clone, Debug)]
pub struct ServerHandle {
    pub(super) connections: Arc<Connections>,
    /// Not held: a server that is dropped does not listen any more.
    pub(super) acceptor: Weak<dyn Close>,
}

impl ServerHandle {
    /// Begins a graceful shutdown, as [`Server::serve`](super::Server::serve) describes it. Does
    /// nothing the second time.
    ///
    /// When it returns, the server does not listen any more: the system rejects a client that
    /// connects, which can go to another server at once.
    pub fn shut_down(&self) {
        self.stop_listening();
        self.connections.shut_down();
    }

    /// Ends every connection, without waiting for streams to end. A client that waits for its answer
    /// gets a 503, and has a second to take it. The server does not listen any more, as with
    /// [`shut_down`](Self::shut_down).
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

    /// Returns what the server has done so far, and what it is doing. Cheap, and at any time: some twenty
    /// numbers are read.
    #[must_use]
    pub fn stats(&self) -> ServerStats {
        self.connections.stats()
    }

    /// Returns how many connections are open.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.connections.open()
    }
}
