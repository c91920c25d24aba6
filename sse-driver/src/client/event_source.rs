//! Subscribing: the event source that an adapter's users see.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use futures_core::Stream;

use super::{
    EventSourceError,
    connector::Connector,
    dial::Dialer,
    link::Link,
    prepare::{IntoPrepared, Prepared, Preparer},
};
use crate::{Runtime, alarm::Alarm, trace};
use sse_core::{
    MessageEvent,
    client::{self, Attempt, AttemptError, ClientEvent, EventSourceConfig, InvalidRequest, Phase},
    lifecycle::{Shutdown, ShutdownSignal},
};

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
    link: Link,
    alarm: Alarm<R>,
    dialer: Dialer<R>,
    /// Where the application prepares each attempt.
    preparer: Option<Box<Preparer>>,
    closing: ShutdownSignal,
    handle: EventSourceHandle,
    /// The end was told.
    is_over: bool,
    runtime: R,
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
            preparer: None,
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

    /// Makes connections by `connector` instead of [TCP to the URL's host](crate::TcpConnector): over a Unix
    /// socket, through a proxy, or whatever a function brings.
    #[must_use]
    pub fn with_connector(mut self, connector: impl Connector<R>) -> Self {
        self.dialer.set_connector(connector);
        self
    }

    /// Calls `hook` before each attempt, the first one included, with what the request is to be. The
    /// hook may change URL, method, header fields, body and last event ID, and may wait: for a token
    /// that expires, for a cursor in the URL or the body. It returns the attempt to send, or one of
    /// [`Prepared`].
    ///
    /// ```
    /// # use sse_driver::{EventSource, Prepared, Runtime};
    /// # use sse_core::{client::InvalidRequest, http::StatusCode};
    /// # #[derive(Clone)] struct Tokens;
    /// # impl Tokens {
    /// #     async fn token(&self) -> std::io::Result<&'static str> { Ok("8f14e45f") }
    /// #     async fn renew(&self) -> std::io::Result<()> { Ok(()) }
    /// # }
    /// fn subscribe<R: Runtime + Default>(tokens: Tokens) -> Result<EventSource<R>, InvalidRequest> {
    ///     let source = EventSource::new("https://example.org/events")?;
    ///     Ok(source.prepare(move |mut attempt| {
    ///         let tokens = tokens.clone();
    ///         async move {
    ///             match attempt.unexpected_response().map(|response| response.status()) {
    ///                 None => {}
    ///                 Some(StatusCode::UNAUTHORIZED) => tokens.renew().await?,
    ///                 Some(_) => return Ok(Prepared::Stop),
    ///             }
    ///             let token = format!("Bearer {}", tokens.token().await?);
    ///             let token = token.parse().map_err(std::io::Error::other)?;
    ///             attempt.headers.insert("authorization", token);
    ///             Ok::<_, std::io::Error>(Prepared::Send(attempt))
    ///         }
    ///     }))
    /// }
    /// ```
    ///
    /// What the hook returns never makes attempts come sooner: the wait after a loss, the server's
    /// reconnection time and the back-off are the same as without it. A redirect is a part of its
    /// attempt, and is followed without asking. Later attempts begin where it led, and credentials are
    /// left out there: see [`Attempt::is_redirected`].
    ///
    /// A response that is no event stream is then a loss, too, and the next attempt
    /// [has it](Attempt::unexpected_response); [`EventSourceConfig::max_unexpected_responses`] of them
    /// in a row are a failure. Return [`Prepared::Stop`] to fail earlier.
    ///
    /// An error of the hook is a loss, `Loss::Preparation`; so is a panic in it, whose cause is
    /// [`PreparePanicked`](crate::PreparePanicked), and a hook that takes longer than
    /// [`EventSourceConfig::prepare_timeout`], which is dropped. A URL that cannot be asked is a failure.
    ///
    /// A second hook replaces the first one.
    #[must_use]
    pub fn prepare<H, F>(mut self, hook: H) -> Self
    where
        H: FnMut(Attempt) -> F + Send + 'static,
        F: Future<Output: IntoPrepared> + Send + 'static,
    {
        self.machine = self.machine.with_preparation();
        self.preparer = Some(Box::new(Preparer::new(hook)));
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
    /// The connection is made and closed here, and the [hook](Self::prepare) is called:
    /// [`ClientEvent::Prepare`], [`ClientEvent::Connect`] and [`ClientEvent::Disconnect`] say that it
    /// is done, and ask for nothing.
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
                // Fails where it is over already.
                let _ = self.machine.close(now);
            }
            if let Some(event) = self.take_event(now) {
                return Poll::Ready(Some(event));
            }
            if self.link.turn(cx, now, &mut self.machine) || self.prepare_next(cx, now) {
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

    /// Asks the hook for the next attempt, and does what it says. Says whether it said anything.
    fn prepare_next(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let Some(preparer) = &mut self.preparer else {
            return false;
        };
        let Poll::Ready(prepared) = preparer.poll(cx) else {
            return false;
        };
        let machine = &mut self.machine;
        // It is asked in the phase that all of these are for.
        let done = match prepared {
            Ok(Prepared::Send(attempt)) => machine.send(now, attempt),
            Ok(Prepared::Wait(time)) => machine.wait(now, time).map_err(AttemptError::from),
            Ok(Prepared::Stop) => machine.stop(now).map_err(AttemptError::from),
            Err(error) => {
                machine.handle_preparation_error(now, error);
                Ok(())
            }
        };
        if let Err(AttemptError::Invalid(error)) = done {
            machine.handle_preparation_error(now, error);
        }
        true
    }

    /// What the machine has to tell. What it asks for is done.
    fn take_event(&mut self, now: Instant) -> Option<ClientEvent> {
        let event = self.machine.poll_event(now)?;
        trace::event_source(self.machine.url(), &event);
        match &event {
            ClientEvent::Prepare(attempt) => {
                if let Some(preparer) = &mut self.preparer {
                    preparer.begin(Attempt::clone(attempt));
                }
            }
            ClientEvent::Connect(endpoint) => {
                self.link = Link::Dialing(self.dialer.dial(endpoint.clone()));
            }
            ClientEvent::Disconnect => self.link = Link::Down,
            // There is no time left to prepare in.
            ClientEvent::Lost { .. } => self.cancel_preparing(),
            ClientEvent::Closed(_) => {
                self.cancel_preparing();
                self.is_over = true;
                self.alarm = Alarm::new();
            }
            _ => {}
        }
        Some(event)
    }

    fn cancel_preparing(&mut self) {
        if let Some(preparer) = &mut self.preparer {
            preparer.cancel();
        }
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
