//! The listening socket, which a shutdown closes at once.

use std::{
    future::Future,
    io, mem,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};

#[cfg(unix)]
use super::unix_socket::UnixSocket;
use crate::Runtime;
#[cfg(unix)]
use crate::Transport;
use sse_core::internal::sync::{Mutex, MutexGuard, lock};

/// A connection, or the error of accepting.
pub(super) type Accepted<R> = io::Result<Newcomer<R>>;

pub(super) enum Newcomer<R: Runtime> {
    /// A connection with the address of its peer.
    Tcp(R::Transport, SocketAddr),
    #[cfg(unix)]
    Unix(Box<dyn Transport>),
}

/// The listening socket of a server.
pub(super) enum Listener<R: Runtime> {
    Tcp(R::Listener),
    #[cfg(unix)]
    Unix(UnixSocket),
}

/// The future of a connection, which returns the listener with it.
type Accepting<R> = Pin<Box<dyn Future<Output = (Accepted<R>, Listener<R>)> + Send>>;

/// The listening socket. The server's task accepts from it, and a handle closes it, on any thread: the
/// task may run late, behind all others that a shutdown wakes, and until then the system would accept
/// connections that are never served.
pub(super) struct Acceptor<R: Runtime>(Mutex<State<R>>);

enum State<R: Runtime> {
    Listening(Listener<R>),
    Accepting(Accepting<R>),
    Closed,
}

/// A listening socket of any runtime, to be closed.
pub(super) trait Close: Send + Sync {
    /// Stops listening: the system rejects a client that connects from now on, and resets one that waits
    /// to be accepted.
    fn close(&self);
}

impl<R: Runtime> Acceptor<R> {
    pub(super) fn new(listener: Listener<R>) -> Self {
        Self(Mutex::new(State::Listening(listener)))
    }

    /// Returns the next connection; `None` once the socket is closed. Only one task may wait at a time.
    pub(super) fn poll_accept(
        &self,
        runtime: &R,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Accepted<R>>> {
        let mut state = self.state();
        *state = match mem::replace(&mut *state, State::Closed) {
            State::Listening(listener) => State::Accepting(accept(runtime.clone(), listener)),
            state => state,
        };
        let State::Accepting(accepting) = &mut *state else {
            return Poll::Ready(None);
        };
        let (accepted, listener) = ready!(accepting.as_mut().poll(cx));
        *state = State::Listening(listener);
        Poll::Ready(Some(accepted))
    }

    pub(super) fn local_addr(&self, runtime: &R) -> io::Result<SocketAddr> {
        match &*self.state() {
            State::Listening(Listener::Tcp(listener)) => runtime.local_addr(listener),
            #[cfg(unix)]
            State::Listening(Listener::Unix(_)) => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "the server listens on a Unix socket, which has a path and no address",
            )),
            State::Accepting(_) | State::Closed => Err(io::Error::new(
                io::ErrorKind::NotConnected,
                "the server does not listen any more: it was shut down",
            )),
        }
    }

    /// The future that is polled under the lock is the runtime's; after a panic it is not polled again.
    fn state(&self) -> MutexGuard<'_, State<R>> {
        lock(&self.0)
    }
}

impl<R: Runtime> Close for Acceptor<R> {
    fn close(&self) {
        let before = mem::replace(&mut *self.state(), State::Closed);
        // This happens after the lock is released.
        drop(before);
    }
}

fn accept<R: Runtime>(runtime: R, listener: Listener<R>) -> Accepting<R> {
    Box::pin(async move {
        let accepted = match &listener {
            Listener::Tcp(listener) => runtime
                .accept(listener)
                .await
                .map(|(transport, peer)| Newcomer::Tcp(transport, peer)),
            #[cfg(unix)]
            Listener::Unix(socket) => socket.listener.accept().await.map(Newcomer::Unix),
        };
        (accepted, listener)
    })
}
