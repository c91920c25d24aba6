//! The listening socket, which a shutdown closes at once.

use std::{
    future::Future,
    io, mem,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};

use crate::Runtime;
use sse_core::internal::sync::{Mutex, MutexGuard, lock};

/// A connection and its peer, or why there is none.
pub(super) type Accepted<R> = io::Result<(<R as Runtime>::Transport, SocketAddr)>;

/// Waits for a connection, and gives the listener back.
type Accepting<R> = Pin<Box<dyn Future<Output = (Accepted<R>, <R as Runtime>::Listener)> + Send>>;

/// The listening socket. The server's task accepts from it, and a handle closes it, on whatever
/// thread that is: the task itself may come to it late, behind all the others that a shutdown
/// wakes, and until then the system would take connections that are never answered.
pub(super) struct Acceptor<R: Runtime>(Mutex<State<R>>);

enum State<R: Runtime> {
    Listening(R::Listener),
    Accepting(Accepting<R>),
    Closed,
}

/// A listening socket of any runtime, to be closed.
pub(super) trait Close: Send + Sync {
    /// Stops listening: who connects from here on is refused, and who waits to be accepted is
    /// turned away.
    fn close(&self);
}

impl<R: Runtime> Acceptor<R> {
    pub(super) fn new(listener: R::Listener) -> Self {
        Self(Mutex::new(State::Listening(listener)))
    }

    /// The next connection; `None` once the socket is closed. Of no use to two tasks at a time.
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
            State::Listening(listener) => runtime.local_addr(listener),
            State::Accepting(_) | State::Closed => Err(io::Error::new(
                io::ErrorKind::NotConnected,
                "the server does not listen any more: it was shut down",
            )),
        }
    }

    /// What is polled under the lock is the runtime's; where it panics, it is not polled again.
    fn state(&self) -> MutexGuard<'_, State<R>> {
        lock(&self.0)
    }
}

impl<R: Runtime> Close for Acceptor<R> {
    fn close(&self) {
        let before = mem::replace(&mut *self.state(), State::Closed);
        // When the lock is free again.
        drop(before);
    }
}

fn accept<R: Runtime>(runtime: R, listener: R::Listener) -> Accepting<R> {
    Box::pin(async move {
        let accepted = runtime.accept(&listener).await;
        (accepted, listener)
    })
}
