//! A handle that watches a server, and shuts it down.

use std::sync::{Arc, Weak};

use super::acceptor::Close;
use crate::connections::{Connections, ServerStats};

/// A handle that watches a [`Server`](super::Server) or a [`ConnectionServer`](super::ConnectionServer),
/// and shuts it down from any task or thread. Clones are handles to the same server.
///
/// ```
/// use sse_driver::{Runtime, Server, router::Router};
///
/// async fn serve<R: Runtime + Default>(
///     stop: impl Future<Output = ()> + Send + 'static,
/// ) -> Result<(), Box<dyn std::error::Error>> {
///     let server = Server::<R>::bind("127.0.0.1:8080").await?;
///     let handle = server.handle();
///     R::default().spawn(async move {
///         stop.await;
///         handle.shut_down();
///     });
///     println!("{}", server.serve(Router::new()).await?);
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct ServerHandle {
    pub(super) connections: Arc<Connections>,
    /// A weak reference: a server that is dropped does not listen any more.
    pub(super) acceptor: Weak<dyn Close>,
}

impl ServerHandle {
    /// Begins a graceful shutdown, as [`Server::serve`](super::Server::serve) describes. A second call
    /// does nothing.
    ///
    /// When it returns, the server does not listen any more: the system rejects a client that connects,
    /// which can try another server at once.
    pub fn shut_down(&self) {
        self.stop_listening();
        self.connections.shut_down();
    }

    /// Ends every connection, without waiting for streams to end. A client that waits for its response
    /// gets a 503, and has a second to take it. The server does not listen any more, as after
    /// [`shut_down`](Self::shut_down).
    pub fn cut(&self) {
        self.stop_listening();
        self.connections.cut();
    }

    /// Stops listening before the connections' tasks are woken: waking many takes time, in which the
    /// system would accept a new client, which would then wait.
    fn stop_listening(&self) {
        if let Some(acceptor) = self.acceptor.upgrade() {
            acceptor.close();
        }
    }

    /// Returns the counters and gauges of the server. It is cheap: about twenty numbers are read.
    #[must_use]
    pub fn stats(&self) -> ServerStats {
        self.connections.stats()
    }

    /// Returns the number of open connections, with those that wait for a request or for a handler.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.connections.open()
    }
}
