//! Access for pages of other origins ([Fetch standard, section
//! 3.3](https://fetch.spec.whatwg.org/#http-cors-protocol)).

use std::{error::Error, fmt, io, time::Duration};

use ::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};

use super::{
    Reply,
    methods::{Methods, asked_method},
};

/// The origins whose pages may read the responses of a router.
///
/// Without this setting, only pages of the server's own origin may.
///
/// ```
/// use sse_driver::router::{Cors, Router};
///
/// let cors = Cors::origins(["https://example.org", "http://localhost:3000"])?;
/// let router = Router::new().cors(cors);
/// # Ok::<(), sse_driver::router::InvalidOrigin>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    /// `None` is any origin.
    origins: Option<Vec<HeaderValue>>,
    /// Never with any origin: every page could act in the user's name.
    credentials: bool,
    headers: Vec<HeaderName>,
    /// The list of the fields that a page may read beyond those that it always may.
    exposed: Option<HeaderValue>,
    max_age: Duration,
}

/// The fields that a page may send beyond those that it always may: programs that replace an EventSource
/// send both.
const USUAL_HEADERS: [HeaderName; 2] = [
    HeaderName::from_static("last-event-id"),
    header::CACHE_CONTROL,
];

impl Cors {
    /// Allows pages of any origin, without credentials: a browser that was asked to send cookies does not
    /// pass the response on. For cookies name the origins.
    #[must_use]
    pub fn any() -> Self {
        Self {
            origins: None,
            credentials: false,
            headers: USUAL_HEADERS.into(),
            exposed: None,
            max_age: Duration::from_secs(24 * 60 * 60),
        }
    }

    /// Allows pages of these origins only, without credentials. An origin is a scheme, a host and, unless
    /// it is the scheme's default, a port: `https://example.org`, `http://localhost:3000`.
    ///
    /// # Errors
    ///
    /// [`InvalidOrigin`], which names the first text that is not an origin. That includes `null`, which
    /// any sandboxed page can claim as its origin, and `*`, for which there is [`any`](Self::any).
    pub fn origins<T: AsRef<str>>(
        origins: impl IntoIterator<Item = T>,
    ) -> Result<Self, InvalidOrigin> {
        let origins = origins
            .into_iter()
            .map(|origin| parse_origin(origin.as_ref()))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            origins: Some(origins),
            ..Self::any()
        })
    }

    /// Allows pages of these origins only, with cookies and other credentials (`withCredentials` of an
    /// EventSource).
    ///
    /// # Errors
    ///
    /// The errors of [`origins`](Self::origins).
    pub fn origins_with_credentials<T: AsRef<str>>(
        origins: impl IntoIterator<Item = T>,
    ) -> Result<Self, InvalidOrigin> {
        Ok(Self {
            credentials: true,
            ..Self::origins(origins)?
        })
    }

    /// Allows pages to send this header field, in addition to `last-event-id` and `cache-control`, and to
    /// `content-type` for methods that take a body.
    #[must_use]
    pub fn allow_header(mut self, name: HeaderName) -> Self {
        self.headers.push(name);
        self
    }

    /// Lets pages read this field of responses, such as `sse-resume`, `retry-after` or one of the application.
    /// Without this, a browser shows a page of another origin only [a few
    /// fields](https://fetch.spec.whatwg.org/#cors-safelisted-response-header-name), such as `content-type`. A
    /// handler can name further ones in `Access-Control-Expose-Headers`.
    ///
    /// ```
    /// use sse_driver::router::{Cors, Router};
    /// use sse_core::http::{HeaderName, header};
    ///
    /// let cors = Cors::origins(["https://example.org"])?
    ///     .expose_header(header::RETRY_AFTER)
    ///     .expose_header(HeaderName::from_static("mcp-session-id"));
    /// let router = Router::new().cors(cors);
    /// # Ok::<(), sse_driver::router::InvalidOrigin>(())
    /// ```
    #[must_use]
    pub fn expose_header(mut self, name: HeaderName) -> Self {
        self.exposed = match self.exposed {
            None => Some(name.into()),
            Some(names) => {
                let list = [names.as_bytes(), b", ", name.as_str().as_bytes()].concat();
                // Names of fields are valid values, and so is their list.
                Some(HeaderValue::from_bytes(&list).unwrap_or(names))
            }
        };
        self
    }

    /// Sets how long a browser may cache the response to a preflight, in whole seconds. A day by default;
    /// browsers have bounds of their own.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    /// Returns the fields that every response to this request gets.
    pub(super) fn fields(&self, request: &HeaderMap) -> CorsFields {
        let Some(origins) = &self.origins else {
            return CorsFields {
                allowed: Some(HeaderValue::from_static("*")),
                credentials: false,
                exposed: self.exposed.clone(),
                varies: false,
            };
        };
        let origin = request.get(header::ORIGIN);
        CorsFields {
            allowed: origin.filter(|origin| origins.contains(origin)).cloned(),
            credentials: self.credentials,
            exposed: self.exposed.clone(),
            varies: true,
        }
    }

    /// Returns the response to a preflight, if this is one. It still needs the [`fields`](Self::fields).
    pub(super) fn preflight(
        &self,
        request: &HeaderMap,
        methods: Option<&Methods>,
    ) -> Option<Reply> {
        let asks = request.contains_key(header::ORIGIN)
            && request.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        asks.then(|| {
            let mut reply = Reply::empty(StatusCode::NO_CONTENT);
            if self.fields(request).allowed.is_some() {
                let headers = reply.headers_mut();
                let allowed = methods.map_or_else(|| "GET, HEAD".into(), Methods::names);
                // Methods are tokens, so their list is a valid value.
                if let Ok(allowed) = HeaderValue::from_str(&allowed) {
                    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, allowed);
                }
                let mut names: Vec<_> = self.headers.iter().map(HeaderName::as_str).collect();
                // A page that may send a body may also send its content type.
                let takes_body = |methods: &Methods| {
                    asked_method(request).is_some_and(|asked| methods.take_body(&asked))
                };
                let content_type = header::CONTENT_TYPE.as_str();
                if methods.is_some_and(takes_body) && !names.contains(&content_type) {
                    names.push(content_type);
                }
                // Names of fields are valid values, and so is their list.
                if let Ok(names) = HeaderValue::from_str(&names.join(", ")) {
                    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names);
                }
                headers.insert(
                    header::ACCESS_CONTROL_MAX_AGE,
                    self.max_age.as_secs().into(),
                );
            }
            reply
        })
    }
}

/// Which origin may read a response.
#[derive(Debug)]
pub(super) struct CorsFields {
    /// The origin, or `*`; `None` where the request's origin is not allowed.
    allowed: Option<HeaderValue>,
    credentials: bool,
    exposed: Option<HeaderValue>,
    /// Whether a cache must not give the response for one origin to another.
    varies: bool,
}

impl CorsFields {
    /// Sets the fields. They replace those of a handler: a browser rejects two values, and a handler must
    /// not allow a further origin. The handler's `Vary` and the names of fields that a page may read stay.
    pub(super) fn set_on(&self, headers: &mut HeaderMap) {
        headers.remove(header::ACCESS_CONTROL_ALLOW_ORIGIN);
        headers.remove(header::ACCESS_CONTROL_ALLOW_CREDENTIALS);
        // These calls fail beyond 24,576 fields, which no client would accept.
        if self.varies {
            let _ = headers.try_append(header::VARY, HeaderValue::from_static("origin"));
        }
        let Some(allowed) = &self.allowed else {
            return;
        };
        let _ = headers.try_insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed.clone());
        if self.credentials {
            let yes = HeaderValue::from_static("true");
            let _ = headers.try_insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        }
        if let Some(exposed) = &self.exposed {
            let _ = headers.try_append(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
        }
    }
}

/// Parses an origin in the form that browsers send.
pub(super) fn parse_origin(origin: &str) -> Result<HeaderValue, InvalidOrigin> {
    let error = || InvalidOrigin {
        origin: origin.into(),
    };
    let uri: Uri = origin.parse().map_err(|_| error())?;
    let host = uri.host().ok_or_else(error)?;
    let scheme = uri.scheme_str().ok_or_else(error)?;
    // Browsers leave out the scheme's default port.
    let port = match (scheme, uri.port_u16()) {
        (_, None) | ("http", Some(80)) | ("https", Some(443)) => String::new(),
        (_, Some(port)) => format!(":{port}"),
    };
    let written = format!("{scheme}://{host}{port}");
    // No browser sends these, so that such an origin would never match.
    let never_sent = |byte: u8| byte.is_ascii_uppercase() || byte == b'*';
    if written != origin || origin.bytes().any(never_sent) {
        return Err(error());
    }
    HeaderValue::from_str(origin).map_err(|_| error())
}

/// The error of a text that is not an origin as browsers write it: a scheme and a host, with a port or
/// without, such as `https://example.org`; no path and no slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidOrigin {
    origin: String,
}

impl InvalidOrigin {
    /// Returns the text that was given for an origin.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }
}

impl fmt::Display for InvalidOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is no origin as browsers write it; give a scheme and a host in lower case and, \
             unless it is the scheme's own, a port, such as https://example.org, and neither a \
             path nor a wildcard",
            self.origin
        )
    }
}

impl Error for InvalidOrigin {}

/// Its kind is [`InvalidInput`](io::ErrorKind::InvalidInput).
impl From<InvalidOrigin> for io::Error {
    fn from(error: InvalidOrigin) -> Self {
        Self::new(io::ErrorKind::InvalidInput, error)
    }
}
