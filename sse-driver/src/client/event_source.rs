//! Subscribing: the event source that an adapter's users see.

use std::{
    error::Error,
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use futures_core::Stream;

use super::dial::{Dialer, Dialing};
use crate::{Runtime, Transport, alarm::Alarm, socket::Socket, trace};
use sse_core::{
    DecodeError, MessageEvent,
    client::{self, ClientEvent, EventSourceConfig, Failure, InvalidRequest, Phase},
    lifecycle::{Shutdown, ShutdownSignal},
};

/// How much is read at once. The buffer is on the stack: an idle event source has none.
const READ_BUFFER: usize = 16 * 1024;

/// After how many rounds, or events that the caller passes over, other tasks have the thread.
const ROUNDS: usize = 64;

/// A subscription to an event stream: a [`Stream`] of its events, through all reconnections.
///
/// It works only while it is polled: it has no task of its own, and holds the server back once its [buffer](EventSourceConfig::high_water_mark) is full. Dropping it closes the
/// connection at once and leaves nothing behind.
///
/// Each adapter has it under its own runtime: `sse_tokio::EventSource` is `EventSource<Tokio>`.
/// The crates of the adapters show it at work.
///
/// # What there is to take
///
/// [`next`](Self::next), like the stream, gives events and passes over all else; losses of the
/// connection show only in that it takes longer. [`next_update`](Self::next_update) gives
/// everything that happens: when the stream is open, comments, losses and the wait after them, and
/// the end with its reason. The two can be mixed.
pub struct EventSource<R: Runtime> {
    machine: client::EventSource,
    link: Link<R>,
    alarm: Alarm<R>,
    dialer: Dialer<R>,
    closing: ShutdownSignal,
    handle: EventSourceHandle,
    /// The end was told.
    is_over: bool,
    runtime: R,
}

/// Why there is no event.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum EventSourceError {
    /// An event was larger than [`EventSourceConfig::decoder_limits`] allow and is discarded. The stream goes
    /// on at the next one.
    Discarded(DecodeError),
    /// The subscription failed for good, and nothing comes after this.
    Failed(Failure),
}

impl fmt::Display for EventSourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Discarded(error) => error.fmt(f),
            Self::Failed(failure) => failure.fmt(f),
        }
    }
}

impl EventSourceError {
    /// The error of this type that caused it, if there is one: see [`Failure::cause`].
    #[must_use]
    pub fn cause<E: Error + 'static>(&self) -> Option<&E> {
        match self {
            Self::Discarded(_) => None,
            Self::Failed(failure) => failure.cause(),
        }
    }
}

impl Error for EventSourceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Discarded(error) => error.source(),
            Self::Failed(failure) => failure.source(),
        }
    }
}

/// Closes an [`EventSource`] from elsewhere. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct EventSourceHandle {
    closing: Shutdown,
}

impl EventSourceHandle {
    /// Ends the subscription: a task that waits for its next event gets the end of the stream, and by
    /// then the connection is closed. Events that were received and not yet taken are dropped.
    pub fn close(&self) {
        self.closing.begin();
    }
}

/// The connection.
enum Link<R: Runtime> {
    Down,
    Dialing(Dialing<R>),
    Up(Socket<R::Transport>, Sending),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sending {
    /// What was written has been passed on.
    Flushed,
    /// Something was written and may be held back.
    Unflushed,
    /// The server takes no more. It may have answered all the same.
    Failed,
}

impl<R: Runtime + Default> EventSource<R> {
    /// A subscription to `url`, with the [default settings](EventSourceConfig::default): those of a browser.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`] where `url` is not an http or https URL, or names a user. Whatever
    /// happens later is told by the stream.
    pub fn new(url: impl AsRef<str>) -> Result<Self, InvalidRequest> {
        Self::with_config(url, EventSourceConfig::default())
    }

    /// A subscription to `url` with settings of your own.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new), and where the method is `CONNECT`.
    pub fn with_config(
        url: impl AsRef<str>,
        config: impl Into<Arc<EventSourceConfig>>,
    ) -> Result<Self, InvalidRequest> {
        Self::on(R::default(), url, config)
    }
}

impl<R: Runtime> EventSource<R> {
    /// A subscription to `url` on this runtime.
    ///
    /// # Errors
    ///
    /// As for [`with_config`](Self::with_config).
    pub fn on(
        runtime: R,
        url: impl AsRef<str>,
        config: impl Into<Arc<EventSourceConfig>>,
    ) -> Result<Self, InvalidRequest> {
        let (seed, config) = (runtime.seed(), config.into());
        let handle = EventSourceHandle {
            closing: Shutdown::new(),
        };
        let probe_after = config.probe_after;
        Ok(Self {
            machine: client::EventSource::new(url.as_ref(), config, seed)?,
            link: Link::Down,
            alarm: Alarm::new(),
            dialer: Dialer::new(runtime.clone(), probe_after),
            closing: handle.closing.signal(),
            handle,
            is_over: false,
            runtime,
        })
    }

    /// Speaks TLS after this configuration, which says whom to trust and which certificate to
    /// show. Without one it is the adapter's, which trusts the platform's roots.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_tls(mut self, config: Arc<rustls::ClientConfig>) -> Self {
        self.dialer.set_tls(config);
        self
    }

    /// A handle that closes it from elsewhere.
    #[must_use]
    pub fn handle(&self) -> EventSourceHandle {
        self.handle.clone()
    }

    /// What it is doing.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.machine.phase()
    }

    /// The last event ID: what to keep for [`EventSourceConfig::last_event_id`] of a later run.
    ///
    /// The next request carries it, unless it has control characters other than a tab, which a
    /// header field may not have: then the request carries the newest ID without them.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        self.machine.last_event_id()
    }

    /// The URL of the next request: the one that was given, or where redirects led.
    #[must_use]
    pub fn url(&self) -> &str {
        self.machine.url()
    }

    /// The next event; `None` once the subscription is over. A future that is dropped before it is
    /// ready loses nothing.
    ///
    /// # Errors
    ///
    /// [`EventSourceError::Discarded`] for an event that is too large; the stream goes on after
    /// it. [`EventSourceError::Failed`] where it is over for a reason that is not proper.
    pub async fn next(&mut self) -> Option<Result<MessageEvent, EventSourceError>> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// The next thing that happens, whatever it is; `None` after [`ClientEvent::Closed`]. A future
    /// that is dropped before it is ready loses nothing.
    ///
    /// The connection is made and closed here: [`ClientEvent::Connect`] and
    /// [`ClientEvent::Disconnect`] say that it is done, and ask for nothing.
    pub async fn next_update(&mut self) -> Option<ClientEvent> {
        poll_fn(|cx| self.poll_update(cx)).await
    }

    /// [`next_update`](Self::next_update) for futures that are written by hand.
    pub fn poll_update(&mut self, cx: &mut Context<'_>) -> Poll<Option<ClientEvent>> {
        for _ in 0..ROUNDS {
            if self.is_over {
                return Poll::Ready(None);
            }
            let now = self.runtime.now();
            if self.closing.has_begun() {
                self.machine.close();
            }
            if let Some(event) = self.take_event(now) {
                return Poll::Ready(Some(event));
            }
            if self.dial(cx, now) | self.read(cx, now) | self.write(cx, now) {
                continue;
            }
            // What has come in counts before the time that has passed.
            self.machine.handle_timeout(now);
            if let Some(event) = self.take_event(now) {
                return Poll::Ready(Some(event));
            }
            let deadline = self.machine.poll_timeout();
            if self.alarm.poll(&self.runtime, deadline, cx).is_pending()
                && Pin::new(&mut self.closing).poll(cx).is_pending()
            {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<MessageEvent, EventSourceError>>> {
        for _ in 0..ROUNDS {
            let Some(event) = ready!(self.poll_update(cx)) else {
                return Poll::Ready(None);
            };
            return Poll::Ready(Some(match event {
                ClientEvent::Event(event) => Ok(event),
                ClientEvent::Discarded(error) => Err(EventSourceError::Discarded(error)),
                ClientEvent::Closed(Err(failure)) => Err(EventSourceError::Failed(failure)),
                _ => continue,
            }));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// What the machine has to tell. What it asks for is done.
    fn take_event(&mut self, now: Instant) -> Option<ClientEvent> {
        let event = self.machine.poll_event(now)?;
        trace::event_source(self.machine.url(), &event);
        match &event {
            ClientEvent::Connect(endpoint) => {
                self.link = Link::Dialing(self.dialer.dial(endpoint.clone()));
            }
            ClientEvent::Disconnect => self.link = Link::Down,
            ClientEvent::Closed(_) => {
                self.is_over = true;
                self.alarm = Alarm::new();
            }
            _ => {}
        }
        Some(event)
    }

    fn dial(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let Link::Dialing(dialing) = &mut self.link else {
            return false;
        };
        match dialing.as_mut().poll(cx) {
            Poll::Pending => return false,
            Poll::Ready(Ok(transport)) => {
                self.link = Link::Up(transport, Sending::Flushed);
                self.machine.handle_connected(now);
            }
            Poll::Ready(Err(error)) => {
                self.link = Link::Down;
                self.machine.handle_transport_error(now, error);
            }
        }
        true
    }

    fn read(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let Link::Up(transport, _) = &mut self.link else {
            return false;
        };
        let mut buffer = [0; READ_BUFFER];
        match transport.poll_read(cx, &mut buffer) {
            Poll::Pending => return false,
            Poll::Ready(Ok(0)) => {
                self.link = Link::Down;
                self.machine.handle_eof(now);
            }
            Poll::Ready(Ok(n)) => {
                let input = buffer.get(..n).unwrap_or(&buffer);
                self.machine.handle_input(now, input);
            }
            Poll::Ready(Err(error)) => {
                self.link = Link::Down;
                self.machine.handle_transport_error(now, error);
            }
        }
        true
    }

    fn write(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let Link::Up(transport, sending) = &mut self.link else {
            return false;
        };
        let mut busy = false;
        while *sending != Sending::Failed {
            let transmit = self.machine.poll_transmit();
            if transmit.is_empty() {
                break;
            }
            match transport.poll_write_vectored(cx, transmit.slices()) {
                Poll::Pending => return busy,
                Poll::Ready(Ok(n)) if n > 0 => {
                    self.machine.handle_transmitted(now, n);
                    *sending = Sending::Unflushed;
                }
                // Reading tells what is to be thought of it.
                Poll::Ready(_) => *sending = Sending::Failed,
            }
            busy = true;
        }
        if *sending == Sending::Unflushed {
            *sending = match transport.poll_flush(cx) {
                Poll::Pending => return busy,
                Poll::Ready(Ok(())) => Sending::Flushed,
                Poll::Ready(Err(_)) => Sending::Failed,
            };
        }
        busy
    }
}

impl<R: Runtime> Stream for EventSource<R> {
    type Item = Result<MessageEvent, EventSourceError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_event(cx)
    }
}

impl<R: Runtime> fmt::Debug for EventSource<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSource")
            .field("url", &self.url())
            .field("phase", &self.phase())
            .field("last_event_id", &self.last_event_id())
            .finish_non_exhaustive()
    }
}
