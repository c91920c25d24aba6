//! Connects to a host that has several addresses, some of which may be out of reach ([RFC
//! 8305](https://www.rfc-editor.org/rfc/rfc8305)).

use std::{
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
    vec,
};

use crate::{Runtime, Timer};

/// The time before the next address is tried beside this one.
const HEAD_START: Duration = Duration::from_millis(250);

/// The largest number of addresses of a host that are tried. A name server may return any number.
const MOST_ADDRESSES: usize = 16;

/// Connects over TCP to the first of a host's addresses that answers, as [RFC
/// 8305](https://www.rfc-editor.org/rfc/rfc8305) says: it tries up to 16 addresses, each 250 ms after the
/// one before, or at once after a failure. `host` is a name, or an IP address without brackets. There is
/// no deadline; the caller has one.
///
/// The event source connects in this way. The function is public for other code that uses a runtime's
/// sockets, such as an event log.
///
/// ```
/// # use std::io;
/// # use sse_driver::{Runtime, connect};
/// async fn to_the_log<R: Runtime + Default>() -> io::Result<R::Transport> {
///     connect(&R::default(), "redis.internal", 6379).await
/// }
/// ```
///
/// # Errors
///
/// The error of the name resolution, or of the last attempt.
pub async fn connect<R: Runtime>(runtime: &R, host: &str, port: u16) -> io::Result<R::Transport> {
    let addresses = runtime.resolve(host, port).await?;
    let mut attempts = Attempts {
        runtime,
        waiting: by_turns(addresses).into_iter(),
        running: Vec::new(),
        head_start: None,
        error: None,
    };
    poll_fn(|cx| attempts.poll(cx)).await
}

type Attempt<'r, T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'r>>;

struct Attempts<'r, R: Runtime> {
    runtime: &'r R,
    /// The addresses that were not tried yet.
    waiting: vec::IntoIter<SocketAddr>,
    running: Vec<Attempt<'r, R::Transport>>,
    /// The time until the next one is tried.
    head_start: Option<R::Timer>,
    /// The error of the last attempt that failed.
    error: Option<io::Error>,
}

impl<R: Runtime> Attempts<'_, R> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<R::Transport>> {
        loop {
            let mut has_failed = false;
            let mut at = 0;
            while let Some(attempt) = self.running.get_mut(at) {
                match attempt.as_mut().poll(cx) {
                    Poll::Pending => at += 1,
                    Poll::Ready(Ok(transport)) => return Poll::Ready(Ok(transport)),
                    Poll::Ready(Err(error)) => {
                        has_failed = true;
                        self.error = Some(error);
                        drop(self.running.remove(at));
                    }
                }
            }
            if !(self.running.is_empty() || has_failed || self.head_start_is_over(cx)) {
                return Poll::Pending;
            }
            match self.waiting.next() {
                Some(address) => self.begin(address),
                None if self.running.is_empty() => {
                    let error = self.error.take();
                    return Poll::Ready(Err(error.unwrap_or_else(no_address)));
                }
                None => return Poll::Pending,
            }
        }
    }

    fn begin(&mut self, address: SocketAddr) {
        let runtime = self.runtime;
        self.running.push(Box::pin(runtime.connect(address)));
        self.head_start = match self.waiting.as_slice() {
            [] => None,
            _ => Some(runtime.timer(runtime.now() + HEAD_START)),
        };
    }

    fn head_start_is_over(&mut self, cx: &mut Context<'_>) -> bool {
        let timer = self.head_start.as_mut();
        timer.is_some_and(|timer| timer.poll_elapsed(cx).is_ready())
    }
}

fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "the host has no address")
}

/// Orders the addresses so that IPv6 and IPv4 alternate, because a network may have only one of them.
fn by_turns(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_ipv6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_ipv6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut turns = Vec::new();
    while turns.len() < MOST_ADDRESSES {
        let before = turns.len();
        turns.extend(first.next());
        turns.extend(second.next());
        if turns.len() == before {
            break;
        }
    }
    turns.truncate(MOST_ADDRESSES);
    turns
}
