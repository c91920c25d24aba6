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
use crate::{Runtime, alarm::Alarm, contained::Contained};

/// A subscription to an event stream: a [`Stream`](futures_core::Stream) of its events, through all
/// reconnections.
///
/// It works only while it is polled: it has no task of its own, and stops reading once its
/// [buffer](EventSourceConfig::high_water_mark) is full. Dropping it closes the connection at once.
///
/// Each adapter has it for its own runtime: `sse_tokio::EventSource` is `EventSource<Tokio>`. The front
/// pages of the adapters have examples.
///
/// # Events and updates
///
/// [`next`](Self::next), like the stream, returns events only; the losses of a connection appear only as
/// delays. [`next_update`](Self::next_update) returns everything that happens: the opening of the stream,
/// events, comments, losses with the wait after them, and the end with its reason. The two can be mixed.
///
/// ```
/// use sse_driver::{EventSource, Runtime, core::client::ClientEvent};
///
/// async fn watch<R: Runtime + Default>(url: &str) -> Result<(), Box<dyn std::error::Error>> {
///     let mut source = EventSource::<R>::new(url)?;
///     while let Some(update) = source.next_update().await {
///         match update {
///             ClientEvent::Event(event) => println!("{}", event.data()),
///             ClientEvent::Lost { loss, wait } => eprintln!("{loss}; again in {wait:?}"),
///             _ => {}
///         }
///     }
///     Ok(())
/// }
/// ```
pub struct EventSource<R: Runtime> {
    pub(super) machine: client::EventSource,
    pub(super) link: Contained<Link>,
    pub(super) alarm: Alarm<R>,
    pub(super) dialer: Dialer<R>,
    /// The HTTP client that sends requests in place of connections.
    #[cfg(feature = "http-body")]
    pub(super) http_client: Contained<Option<AnyClient>>,
    /// The hook, if the application prepares each attempt.
    pub(super) preparer: Contained<Option<Box<Preparer>>>,
    pub(super) handle: EventSourceHandle,
    /// The head of the open stream's response.
    pub(super) response: Option<Box<Response<()>>>,
    /// Whether the end was returned.
    pub(super) is_over: bool,
    pub(super) runtime: R,
}

impl<R: Runtime + Default> EventSource<R> {
    /// Creates a subscription to `url` with the [default settings](EventSourceConfig::default), which are
    /// those of a browser.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`] where `url` is not an `http` or `https` URL, is longer than 65,534 bytes or has
    /// a user name. Later errors are items of the stream.
    pub fn new(url: impl AsRef<str>) -> Result<Self, InvalidRequest> {
        Self::with_config(url, EventSourceConfig::default())
    }

    /// Creates a subscription to `url` with these settings.
    ///
    /// # Errors
    ///
    /// The errors of [`new`](Self::new), and [`InvalidRequest`] where the method is `CONNECT`.
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
    /// The errors of [`with_config`](Self::with_config).
    pub fn on(
        runtime: R,
        url: impl AsRef<str>,
        config: impl Into<Arc<EventSourceConfig>>,
    ) -> Result<Self, InvalidRequest> {
        let (seed, config) = (runtime.seed(), config.into());
        let probe_after = config.probe_after;
        Ok(Self {
            machine: client::EventSource::new(url.as_ref(), config, seed)?,
            link: Contained::default(),
            alarm: Alarm::new(),
            dialer: Dialer::new(runtime.clone(), probe_after),
            #[cfg(feature = "http-body")]
            http_client: Contained::default(),
            preparer: Contained::default(),
            handle: EventSourceHandle::new(),
            response: None,
            is_over: false,
            runtime,
        })
    }

    /// Sets the TLS configuration, which has the trusted roots and the client's certificate. By default
    /// it is the adapter's, which trusts the platform's roots. The protocol (ALPN) is HTTP/1.1, whatever
    /// the configuration says.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_tls(mut self, config: Arc<rustls::ClientConfig>) -> Self {
        self.dialer.set_tls(config);
        self
    }

    /// Makes connections by `connector` instead of [TCP to the URL's host](crate::TcpConnector), such as
    /// over a Unix socket, through a proxy, or by a function.
    #[must_use]
    pub fn with_connector(mut self, connector: impl Connector<R>) -> Self {
        self.dialer.set_connector(connector);
        self
    }

    /// Sends the requests with another HTTP client instead of connections of its own, with that client's
    /// HTTP/2, proxies and cookies. Retries, waits, redirects, bounds and deadlines stay those of the
    /// event source; connecting and the response's head may together take the sum of their two deadlines.
    /// [`HttpClient`] says what to turn off in the client.
    ///
    /// [`EventSourceConfig::probe_after`], TLS configurations and connectors concern connections, and
    /// have no effect here. [`ClientEvent::Connect`](client::ClientEvent::Connect) says that the client
    /// was given the request.
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
    ///     // Call another HTTP client here.
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
        self.http_client.set(Some(Arc::new(client)));
        self
    }

    /// Calls `hook` before each attempt, including the first one, with its request. The hook may change
    /// URL, method, header fields, body and last event ID, and may be async: to fetch a new token, for
    /// example, or to put a cursor into the URL or the body. It returns the attempt to send, or a
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
    /// The hook never makes attempts come sooner: the wait after a loss, the server's reconnection time
    /// and the back-off are the same as without it. A redirect is a part of its attempt, and is followed
    /// without a call. Later attempts begin at its target, without credentials: see
    /// [`Attempt::is_redirected`].
    ///
    /// A response that is not an event stream is then a loss, too, and the next attempt [has
    /// it](Attempt::unexpected_response); [`EventSourceConfig::max_unexpected_responses`] of them in a
    /// row are a failure. Return [`Prepared::Stop`](crate::Prepared::Stop) to fail earlier.
    ///
    /// An error of the hook is a loss, `Loss::Preparation`; so is a panic in it, whose cause is
    /// [`PreparePanicked`](crate::PreparePanicked), and a hook that takes longer than
    /// [`EventSourceConfig::prepare_timeout`], which is dropped. An invalid URL is a failure.
    ///
    /// A second hook replaces the first one.
    #[must_use]
    pub fn prepare<H, F>(mut self, hook: H) -> Self
    where
        H: FnMut(Attempt) -> F + Send + 'static,
        F: Future<Output: IntoPrepared> + Send + 'static,
    {
        self.machine = self.machine.with_preparation();
        self.preparer.set(Some(Box::new(Preparer::new(hook))));
        self
    }

    /// Continues after an event that an earlier run of the program has seen: the first request carries
    /// the ID as `Last-Event-ID`. It is the value of [`last_event_id`](Self::last_event_id), or of
    /// [`MessageEvent::last_event_id`](sse_core::MessageEvent::last_event_id) of the last event that the
    /// program processed.
    ///
    /// # Errors
    ///
    /// [`InvalidField`](sse_core::InvalidField) for a text with a CR, an LF or a NUL, which no last event
    /// ID can have.
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
    /// An event source that is dropped ignores its handles.
    #[must_use]
    pub fn handle(&self) -> EventSourceHandle {
        self.handle.clone()
    }

    /// Returns the phase of the event source. It changes only while the event source is polled.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.machine.phase()
    }

    /// Returns the last event ID, empty for none. Store it for
    /// [`with_last_event_id`](Self::with_last_event_id) in a later run.
    ///
    /// The next request carries it, unless it has control characters other than a tab, which a header
    /// field may not have: the request then carries the newest ID without them.
    #[must_use]
    pub fn last_event_id(&self) -> EventId {
        self.machine.last_event_id()
    }

    /// Returns the head of the response that opened the stream, while the stream is open; `None` before,
    /// and after a loss until the stream is open again.
    #[must_use]
    pub fn response(&self) -> Option<&Response<()>> {
        self.response.as_deref()
    }

    /// Returns the URL of the next request: the one that was given, or the target of redirects. A
    /// redirect of any status stays in effect for later attempts, as in browsers.
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
