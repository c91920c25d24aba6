//! Subscribing: the event source that an adapter's users see.

use std::{fmt, future::Future, sync::Arc};

use sse_core::{
    EventId,
    client::{self, Attempt, EventSourceConfig, InvalidRequest, Phase},
    http::Response,
};

#[cfg(feature = "http-body")]
use super::http_client::{AnyClient, HttpClient};
use super::{
    connector::Connector,
    control::EventSourceHandle,
    dial::Dialer,
    link::Link,
    prepare::{IntoPrepared, Preparer},
};
use crate::{Runtime, alarm::Alarm};

/// A subscription to an event stream: a [`Stream`](futures_core::Stream) of its events, through all
/// reconnections.
///
/// It works only while it is polled: it has no task of its own, and holds the server back once its
/// [buffer](EventSourceConfig::high_water_mark) is full. Dropping it closes the connection at once and
/// leaves nothing behind.
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
    pub(super) machine: client::EventSource,
    pub(super) link: Link,
    pub(super) alarm: Alarm<R>,
    pub(super) dialer: Dialer<R>,
    /// What sends requests in the place of connections.
    #[cfg(feature = "http-body")]
    pub(super) http_client: Option<AnyClient>,
    /// Where the application prepares each attempt.
    pub(super) preparer: Option<Box<Preparer>>,
    pub(super) handle: EventSourceHandle,
    /// The head of the open stream's response.
    pub(super) response: Option<Box<Response<()>>>,
    /// The end was told.
    pub(super) is_over: bool,
    pub(super) runtime: R,
}

impl<R: Runtime + Default> EventSource<R> {
    /// Creates a subscription to `url`, with the [default settings](EventSourceConfig::default): those of
    /// a browser.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`] where `url` is not an http or https URL, or names a user. Whatever
    /// happens later is told by the stream.
    pub fn new(url: impl AsRef<str>) -> Result<Self, InvalidRequest> {
        Self::with_config(url, EventSourceConfig::default())
    }

    /// Creates a subscription to `url` with settings of your own.
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
    /// Creates a subscription to `url` on this runtime.
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
        let probe_after = config.probe_after;
        Ok(Self {
            machine: client::EventSource::new(url.as_ref(), config, seed)?,
            link: Link::Down,
            alarm: Alarm::new(),
            dialer: Dialer::new(runtime.clone(), probe_after),
            #[cfg(feature = "http-body")]
            http_client: None,
            preparer: None,
            handle: EventSourceHandle::new(),
            response: None,
            is_over: false,
            runtime,
        })
    }

    /// Speaks TLS after this configuration, which says whom to trust and which certificate to
    /// show. Without one it is the adapter's, which trusts the platform's roots. The protocol that is
    /// agreed on (ALPN) is HTTP/1.1, whatever the configuration says.
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

    /// Sends its requests with another HTTP client, in the place of connections of its own: with the
    /// HTTP/2, the proxies, the cookies and whatever else that client has. What is retried, the pacing,
    /// redirects, bounds and deadlines are those of the event source; connecting and the response's head
    /// have their two deadlines together. [`HttpClient`] says what to turn off in the client.
    ///
    /// [`EventSourceConfig::probe_after`], TLS configurations and connectors are about connections, and do
    /// nothing here. [`ClientEvent::Connect`](client::ClientEvent::Connect) says that the client was
    /// given the request.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use sse_driver::{EventSource, Runtime};
    /// use sse_core::{client::InvalidRequest, http::{Request, Response}};
    /// # type Error = std::convert::Infallible;
    /// # struct Body;
    /// # impl http_body::Body for Body {
    /// #     type Data = Bytes;
    /// #     type Error = Error;
    /// #     fn poll_frame(self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>)
    /// #         -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Error>>> {
    /// #         std::task::Poll::Ready(None)
    /// #     }
    /// # }
    ///
    /// async fn send(request: Request<Bytes>) -> Result<Response<Body>, Error> {
    ///     // Calls another HTTP client here.
    ///     # let _ = request;
    ///     Ok(Response::new(Body))
    /// }
    ///
    /// fn subscribe<R: Runtime + Default>() -> Result<EventSource<R>, InvalidRequest> {
    ///     Ok(EventSource::new("https://example.org/events")?.with_http_client(send))
    /// }
    /// ```
    #[cfg(feature = "http-body")]
    #[must_use]
    pub fn with_http_client(mut self, client: impl HttpClient) -> Self {
        self.http_client = Some(Arc::new(client));
        self
    }

    /// Calls `hook` before each attempt, the first one included, with what the request is to be. The
    /// hook may change URL, method, header fields, body and last event ID, and may wait: for a token
    /// that expires, for a cursor in the URL or the body. It returns the attempt to send, or one of
    /// [`Prepared`](crate::Prepared).
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
    /// in a row are a failure. Return [`Prepared::Stop`](crate::Prepared::Stop) to fail earlier.
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

    /// Goes on after this event, which an earlier run of the program has seen: the first request carries
    /// the ID as `Last-Event-ID`. It is what [`last_event_id`](Self::last_event_id) gave, or
    /// [`MessageEvent::last_event_id`](sse_core::MessageEvent::last_event_id) of the last event that was
    /// dealt with.
    ///
    /// # Errors
    ///
    /// [`InvalidField`](sse_core::InvalidField) for a text with a CR, an LF or a NUL, which no last event
    /// ID has.
    ///
    /// ```
    /// # use sse_driver::{EventSource, Runtime};
    /// fn go_on<R: Runtime + Default>(saved: String) -> Result<EventSource<R>, Box<dyn std::error::Error>> {
    ///     Ok(EventSource::new("https://example.org/events")?.with_last_event_id(saved)?)
    /// }
    /// ```
    pub fn with_last_event_id<I: TryInto<EventId>>(mut self, id: I) -> Result<Self, I::Error> {
        self.machine.set_last_event_id(&id.try_into()?);
        Ok(self)
    }

    /// Returns a handle that closes, pauses or reconnects the event source from another task or thread.
    #[must_use]
    pub fn handle(&self) -> EventSourceHandle {
        self.handle.clone()
    }

    /// Returns what the event source is doing.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.machine.phase()
    }

    /// Returns the last event ID, empty for none: what to keep for
    /// [`with_last_event_id`](Self::with_last_event_id) of a later run.
    ///
    /// The next request carries it, unless it has control characters other than a tab, which a
    /// header field may not have: then the request carries the newest ID without them.
    #[must_use]
    pub fn last_event_id(&self) -> EventId {
        self.machine.last_event_id()
    }

    /// Returns the head of the response that opened the stream, while the stream is open.
    #[must_use]
    pub fn response(&self) -> Option<&Response<()>> {
        self.response.as_deref()
    }

    /// Returns the URL of the next request: the one that was given, or where redirects led.
    #[must_use]
    pub fn url(&self) -> &str {
        self.machine.url()
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
