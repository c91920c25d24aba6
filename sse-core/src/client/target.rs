//! The target of a request: its URL, method and fields, redirects included.

use ::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use bytes::Bytes;
use url::{Origin, Position, Url};

use super::{Attempt, EventSourceConfig, InvalidRequest, RedirectError, error::UrlError};

/// The host and port to connect to, and whether over TLS.
///
/// ```
/// use sse_core::client::Endpoint;
///
/// let endpoint = Endpoint::new(true, "example.org", 443);
/// assert!(endpoint.tls);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Endpoint {
    /// Whether to use TLS.
    pub tls: bool,
    /// The host: a domain name, or an IP address without brackets.
    pub host: String,
    /// The port: that of the URL, or 80 or 443 by its scheme.
    pub port: u16,
}

impl Endpoint {
    /// Creates the endpoint at `host`, a name or an IP address without brackets, and `port`. The caller
    /// chooses the port: there is no default by the scheme.
    #[must_use]
    pub fn new(tls: bool, host: impl Into<String>, port: u16) -> Self {
        Self {
            tls,
            host: host.into(),
            port,
        }
    }

    /// Returns the host and port as they are in a URL.
    pub(super) fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        }
    }
}

/// The request as it is made next. Redirects change it, and reconnections repeat the changed one, as
/// browsers do.
#[derive(Clone, Debug)]
pub(super) struct Target {
    url: Url,
    /// The URL without its fragment, for a foreign HTTP client.
    uri: Uri,
    method: Method,
    body: Bytes,
    /// The caller's own header fields.
    headers: HeaderMap,
    /// The origin that the application named, to which its credentials may be sent.
    origin: Origin,
}

/// The path of a connection to the server.
#[derive(Clone, Debug)]
pub(super) enum Route {
    /// The bytes reach the server itself, as far as HTTP can tell, such as through a tunnel.
    Direct,
    /// The bytes reach a proxy, which forwards the request; with the credentials for the proxy.
    Proxy(Option<HeaderValue>),
}

/// Fields with credentials, which are never sent to another origin.
const CREDENTIALS: [HeaderName; 3] = [
    header::AUTHORIZATION,
    header::COOKIE,
    header::PROXY_AUTHORIZATION,
];

/// Fields that describe a body, and are removed with it.
const OF_THE_BODY: [HeaderName; 4] = [
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_LOCATION,
    header::CONTENT_TYPE,
];

/// Fields that belong to the connection.
const OF_THE_CONNECTION: [HeaderName; 8] = [
    header::HOST,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
    header::EXPECT,
];

/// The value of `User-Agent`, without which some servers reject a request.
const USER_AGENT: &str = concat!("sse-core/", env!("CARGO_PKG_VERSION"));

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

impl Target {
    pub(super) fn new(url: &str, config: &EventSourceConfig) -> Result<Self, InvalidRequest> {
        #[cfg_attr(not(feature = "compression"), allow(unused_mut))]
        let mut target = Self::of(url, &config.method, &config.headers, &config.body)?;
        #[cfg(feature = "compression")]
        if config.accept_gzip {
            target
                .headers
                .entry(header::ACCEPT_ENCODING)
                .or_insert(HeaderValue::from_static("gzip, deflate"));
        }
        Ok(target)
    }

    fn of(
        url: &str,
        method: &Method,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Self, InvalidRequest> {
        let url = Url::parse(url).map_err(|error| InvalidRequest::Url(UrlError::new(error)))?;
        let uri = check(&url)?;
        if method == Method::CONNECT {
            return Err(InvalidRequest::Method);
        }
        let mut headers = headers.clone();
        for name in OF_THE_CONNECTION.iter().chain([&LAST_EVENT_ID]) {
            headers.remove(name);
        }
        Ok(Self {
            origin: url.origin(),
            url,
            uri,
            method: method.clone(),
            body: body.clone(),
            headers,
        })
    }

    /// Returns the target of an attempt as the application prepared it.
    pub(super) fn of_attempt(attempt: &Attempt, before: &Self) -> Result<Self, InvalidRequest> {
        let mut target = Self::of(
            &attempt.url,
            &attempt.method,
            &attempt.headers,
            &attempt.body,
        )?;
        let was_led_there = before.is_redirected() && before.url.origin() == target.origin;
        if was_led_there && attempt.is_redirected {
            target.origin = before.origin.clone();
            target.remove(&CREDENTIALS);
        }
        Ok(target)
    }

    /// Returns whether a redirect led to an origin that the application did not name.
    pub(super) fn is_redirected(&self) -> bool {
        self.url.origin() != self.origin
    }

    fn remove(&mut self, names: &[HeaderName]) {
        for name in names {
            self.headers.remove(name);
        }
    }

    pub(super) fn method(&self) -> &Method {
        &self.method
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    pub(super) fn endpoint(&self) -> Endpoint {
        let host = self.url.host_str().unwrap_or_default();
        Endpoint {
            tls: self.url.scheme() == "https",
            host: host.trim_matches(['[', ']']).to_owned(),
            port: self.url.port_or_known_default().unwrap_or_default(),
        }
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    pub(super) fn body(&self) -> &Bytes {
        &self.body
    }

    /// Returns the request for a foreign HTTP client.
    pub(super) fn request(&self, last_event_id: &str) -> Request<Bytes> {
        let mut request = Request::new(self.body.clone());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.fields(last_event_id);
        request
    }

    /// Encodes the request's head. `last_event_id` must be one that a header field can carry.
    ///
    /// A proxy needs the target in absolute form, other servers in origin form ([RFC 9112 section
    /// 3.2](https://www.rfc-editor.org/rfc/rfc9112#section-3.2)).
    pub(super) fn encode_head(&self, last_event_id: &str, route: &Route) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        let path = match route {
            Route::Direct => &self.url[Position::BeforePath..Position::AfterQuery],
            Route::Proxy(_) => &self.url[..Position::AfterQuery],
        };
        let host = self.url.host_str().unwrap_or_default();
        put(
            &mut out,
            &[self.method.as_str(), " ", path, " HTTP/1.1\r\nhost: ", host],
        );
        if let Some(port) = self.url.port() {
            put(&mut out, &[":", itoa::Buffer::new().format(port)]);
        }
        put(&mut out, &["\r\nconnection: close\r\n"]);
        let mut fields = self.fields(last_event_id);
        if let Route::Proxy(Some(authorization)) = route {
            fields.insert(header::PROXY_AUTHORIZATION, authorization.clone());
        }
        for (name, value) in &fields {
            put_field(&mut out, name.as_str(), value.as_bytes());
        }
        let expects_body = [Method::POST, Method::PUT, Method::PATCH].contains(&self.method);
        if !self.body.is_empty() || expects_body {
            let mut length = itoa::Buffer::new();
            let length = length.format(self.body.len());
            put_field(&mut out, header::CONTENT_LENGTH.as_str(), length.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        out
    }

    /// Returns the caller's own fields, the added ones, and the last event ID unless it is empty.
    fn fields(&self, last_event_id: &str) -> HeaderMap {
        let usual = [
            (header::ACCEPT, "text/event-stream"),
            (header::CACHE_CONTROL, "no-cache"),
            // Without the field any content coding would be acceptable.
            (header::ACCEPT_ENCODING, "identity"),
            (header::USER_AGENT, USER_AGENT),
        ];
        let mut fields = self.headers.clone();
        for (name, value) in usual {
            fields
                .entry(name)
                .or_insert(HeaderValue::from_static(value));
        }
        if fields[header::USER_AGENT].is_empty() {
            fields.remove(header::USER_AGENT);
        }
        // The standard requires UTF-8.
        if let Ok(id) = HeaderValue::from_bytes(last_event_id.as_bytes())
            && !id.is_empty()
        {
            fields.insert(LAST_EVENT_ID, id);
        }
        fields
    }

    /// Changes the method to `GET`, and removes the body.
    pub(super) fn become_get(&mut self) {
        self.method = Method::GET;
        self.body = Bytes::new();
        self.remove(&OF_THE_BODY);
    }

    /// Follows a redirect by the rules of [RFC 9110 section
    /// 15.4](https://www.rfc-editor.org/rfc/rfc9110#section-15.4) and the [Fetch
    /// standard](https://fetch.spec.whatwg.org/#http-redirect-fetch): a 303 turns any method into `GET`,
    /// a 301 or 302 turns `POST` into `GET`; a change to `GET` removes the body; and credentials are not
    /// sent to another origin.
    pub(super) fn redirect(
        &mut self,
        status: StatusCode,
        location: Option<&HeaderValue>,
    ) -> Result<(), RedirectError> {
        let location = location.map(HeaderValue::as_bytes).unwrap_or_default();
        if location.is_empty() {
            return Err(RedirectError::NoLocation);
        }
        let bad = || RedirectError::BadLocation(String::from_utf8_lossy(location).into_owned());
        let text = str::from_utf8(location).map_err(|_| bad())?;
        let url = self.url.join(text).map_err(|_| bad())?;
        let uri = check(&url).map_err(|_| bad())?;

        let becomes_get = match status {
            StatusCode::SEE_OTHER => self.method != Method::GET && self.method != Method::HEAD,
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => self.method == Method::POST,
            _ => false,
        };
        if becomes_get {
            self.become_get();
        }
        if url.origin() != self.url.origin() {
            self.remove(&CREDENTIALS);
        }
        self.url = url;
        self.uri = uri;
        Ok(())
    }
}

/// Returns whether the status is a redirect.
pub(super) fn is_redirect(status: StatusCode) -> bool {
    [301, 302, 303, 307, 308].contains(&status.as_u16())
}

/// Returns the URI to request for a URL, if an event source can use it.
fn check(url: &Url) -> Result<Uri, InvalidRequest> {
    if !["http", "https"].contains(&url.scheme()) {
        return Err(InvalidRequest::Scheme(url.scheme().to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(InvalidRequest::User);
    }
    // The fragment is not sent. Every URL is a URI, unless it is too long.
    let uri = url[..Position::AfterQuery].parse();
    uri.map_err(|_| InvalidRequest::Length)
}

fn put(out: &mut Vec<u8>, parts: &[&str]) {
    for part in parts {
        out.extend_from_slice(part.as_bytes());
    }
}

fn put_field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    put(out, &[name, ": "]);
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}
