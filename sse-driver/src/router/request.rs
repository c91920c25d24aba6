//! A request, as its handler gets it.

use std::{
    borrow::Cow,
    net::{IpAddr, SocketAddr},
};

use ::http::{HeaderMap, HeaderName, Method, Uri, Version};
use bytes::Bytes;

use super::Context;
use crate::StreamId;
use sse_core::{
    Text,
    http::RequestHead,
    lifecycle::{CleanUp, ShutdownSignal},
};

/// A request, as its handler gets it, with the parts that belong to the connection.
///
/// ```
/// use futures_core::Stream;
/// use futures_util::stream;
/// use sse_driver::router::Request;
///
/// // The route is "/rooms/{room}".
/// fn handler(request: Request) -> impl Stream<Item = String> {
///     let room = request.path_param("room").unwrap_or_default().to_owned();
///     let after = request.last_event_id().unwrap_or("the beginning").to_owned();
///     request.clean_up().add(|reason| println!("a listener left: {reason}"));
///     stream::iter([format!("{room}, from {after}")])
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Request {
    // The head alone is large, and is moved around.
    head: Box<RequestHead>,
    path_params: Vec<(String, String)>,
    pub(super) body: Bytes,
    context: Context,
}

impl Request {
    pub(crate) fn new(
        head: RequestHead,
        path_params: Vec<(String, String)>,
        context: Context,
    ) -> Self {
        Self {
            head: Box::new(head),
            path_params,
            body: Bytes::new(),
            context,
        }
    }

    /// Returns the method: that of the [route](super::Router::route), or `HEAD` for a route of
    /// [`get`](super::Router::get).
    #[must_use]
    pub fn method(&self) -> &Method {
        self.head.request().method()
    }

    /// Returns the target as it was sent: the path and the query, or a whole URL where the client sent
    /// one, as it does to a proxy, and over HTTP/2 in an embedding.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        self.head.request().uri()
    }

    /// Returns the version: HTTP/1.1 or HTTP/1.0 from this server, and in an embedding what the foreign
    /// server received, such as HTTP/2.
    #[must_use]
    pub fn version(&self) -> Version {
        self.head.request().version()
    }

    /// Returns the path as it was sent, not percent-decoded. [`path_param`](Self::path_param) decodes the
    /// parts of it that a route names.
    #[must_use]
    pub fn path(&self) -> &str {
        self.uri().path()
    }

    /// Returns the query as it was sent, without the `?`; `None` if the target has none.
    /// [`query_param`](Self::query_param) decodes it.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.uri().query()
    }

    /// Returns the first parameter of the query with this name, decoded as from a form: a `+` is a space,
    /// and bytes that are not UTF-8 are replaced. `None` if there is no such parameter; one without a
    /// value is empty.
    #[must_use]
    pub fn query_param(&self, name: &str) -> Option<Cow<'_, str>> {
        form_urlencoded::parse(self.query()?.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// Returns the part of the path in place of a parameter or wildcard of the route, percent-decoded.
    ///
    /// For a parameter it is one segment, which is neither `.` nor `..`; a slash in it was
    /// percent-encoded, and was chosen by the client like all the rest. For a wildcard it is segments
    /// with slashes between them, none of them `.` or `..`; a slash that belongs to a segment stays
    /// `%2F`. It may begin with a slash, if the path has two in a row.
    #[must_use]
    pub fn path_param(&self, name: &str) -> Option<&str> {
        let mut params = self.path_params.iter();
        params
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Returns the header fields.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.head.request().headers()
    }

    /// Returns the client's last event ID: the `Last-Event-ID` field, read as UTF-8 ([WHATWG HTML
    /// 9.2.4](https://html.spec.whatwg.org/multipage/server-sent-events.html#the-last-event-id-header)).
    /// `None` where it is missing, empty, or not UTF-8.
    #[must_use]
    pub fn last_event_id(&self) -> Option<&str> {
        const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
        let value = self.headers().get(LAST_EVENT_ID)?.as_bytes();
        str::from_utf8(value).ok().filter(|id| !id.is_empty())
    }

    /// Returns the address that the connection came from, if it is known: that of the client, or of a
    /// proxy in front of it. [`client_addr`](Self::client_addr) looks behind proxies.
    #[must_use]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.context.peer
    }

    /// Returns the address of the client, if it is known: the one that the server's [trusted
    /// proxies](crate::TrustedProxies) name, or the peer's.
    #[must_use]
    pub fn client_addr(&self) -> Option<IpAddr> {
        self.context.client
    }

    /// Returns the ID of the stream that responds to this request, if the server
    /// [lists](crate::OpenStreams) its streams.
    #[must_use]
    pub fn stream_id(&self) -> Option<StreamId> {
        self.context.entry.as_ref().map(|entry| entry.id())
    }

    /// Sets a label of the stream that responds to this request in the [list](crate::OpenStreams) of
    /// streams, such as the name of its user. Has no effect if the server lists none.
    pub fn label_stream(&self, label: impl Into<Text>) {
        if let Some(entry) = &self.context.entry {
            entry.set_label(label.into());
        }
    }

    /// Returns the handle for callbacks that run once, when the connection is over, with the
    /// [`CloseReason`](sse_core::lifecycle::CloseReason).
    #[must_use]
    pub fn clean_up(&self) -> CleanUp {
        self.context.clean_up.clone()
    }

    /// Returns the signal of the server's shutdown: a future that becomes ready when it begins, and that
    /// can be checked at any time.
    #[must_use]
    pub fn shutdown(&self) -> ShutdownSignal {
        self.context.shutdown.clone()
    }

    /// Returns the extensions, where a [layer](super::Router::layer) leaves values for the layers and the
    /// handler behind it, which read them by [`as_http`](Self::as_http).
    pub fn extensions_mut(&mut self) -> &mut ::http::Extensions {
        self.head.extensions_mut()
    }

    /// Returns the request in the types of the `http` crate, with the extensions that a
    /// [layer](super::Router::layer) left. The body is [`body`](Self::body).
    #[must_use]
    pub fn as_http(&self) -> &::http::Request<()> {
        self.head.request()
    }
}
