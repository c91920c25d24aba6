//! A request's head: its bounds, and its rules.

use std::{error::Error, fmt, io};

use ::http::{Extensions, HeaderMap, Request, StatusCode, Version, header};

use super::{
    head::{self, Fault, MOST_FIELDS},
    request_target::check_host,
};

/// The bounds of a request head.
///
/// ```
/// use sse_core::server::ConnectionConfig;
///
/// let mut config = ConnectionConfig::default();
/// config.head_limits.head = 32 * 1024;
/// config.head_limits.fields = 200;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeadLimits {
    /// The largest head in bytes. 16 KiB by default; beyond it the response is 431, or 414 where the
    /// request line alone is longer.
    pub head: usize,
    /// The largest number of field lines. 100 by default; beyond it the response is 431. More than 24,576
    /// count as that many, because a [`HeaderMap`] holds no more.
    pub fields: usize,
    /// The longest request target in bytes. 8 KiB by default; beyond it the response is 414. More than
    /// 65,534 count as that many, because a [`Uri`](::http::Uri) holds no more.
    pub target: usize,
}

pub(super) const LONGEST_TARGET: usize = 65_534;

impl Default for HeadLimits {
    fn default() -> Self {
        Self {
            head: 16 * 1024,
            fields: 100,
            target: 8 * 1024,
        }
    }
}

/// A request's head.
///
/// ```
/// use sse_core::http::{BodyLength, Request, RequestHead};
///
/// let request = Request::get("/events").header("host", "example.org").body(())?;
/// let head = RequestHead::new(request)?;
/// assert_eq!(head.request().uri().path(), "/events");
/// assert_eq!(head.body(), BodyLength::None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct RequestHead {
    request: Request<()>,
    body: BodyLength,
}

impl RequestHead {
    /// Creates a head from a request that another parser has read, and checks it by the same rules as
    /// [`RequestHeadReader`](super::RequestHeadReader).
    ///
    /// ```
    /// use sse_core::http::{BodyLength, Request, RequestHead};
    ///
    /// let request = Request::post("/ask").header("host", "a").header("content-length", "5");
    /// assert_eq!(RequestHead::new(request.body(())?)?.body(), BodyLength::Exact(5));
    /// let request = Request::get("/").header("host", "a").header("host", "b");
    /// assert!(RequestHead::new(request.body(())?).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`RequestHeadError`] where the version is neither HTTP/1.1 nor HTTP/1.0, or where the host or the
    /// length of the body is ambiguous. The host is ambiguous where there is not exactly one `Host`
    /// (HTTP/1.0 may have none), and where the target is a whole URL whose host and port are not those of
    /// `Host`.
    pub fn new(request: Request<()>) -> Result<Self, RequestHeadError> {
        let (headers, version) = (request.headers(), request.version());
        if ![Version::HTTP_10, Version::HTTP_11].contains(&version) {
            return Err(UnknownVersion);
        }
        check_host(headers, version, request.uri())?;
        let body = body_length(headers, version).map_err(|fault| error_of(fault, MOST_FIELDS))?;
        Ok(Self { request, body })
    }

    /// Creates a head from a request that a foreign server has read and checked. The caller says whether
    /// there is a body: over HTTP/2 one may come without a field that announces it.
    ///
    /// A length of [`Exact(0)`](BodyLength::Exact) becomes [`None`](BodyLength::None).
    ///
    /// ```
    /// use sse_core::http::{BodyLength, Request, RequestHead};
    ///
    /// let head = RequestHead::of_server(Request::new(()), BodyLength::Exact(0));
    /// assert_eq!(head.body(), BodyLength::None); // A length of 0 is the same as no body.
    /// ```
    #[must_use]
    pub fn of_server(request: Request<()>, body: BodyLength) -> Self {
        let body = match body {
            BodyLength::Exact(0) => BodyLength::None,
            body => body,
        };
        Self { request, body }
    }

    /// Returns the method, the target, the version and the header fields.
    #[must_use]
    pub fn request(&self) -> &Request<()> {
        &self.request
    }

    /// Returns the length of the body that follows. It is never `Exact(0)`, which is
    /// [`None`](BodyLength::None).
    #[must_use]
    pub fn body(&self) -> BodyLength {
        self.body
    }

    /// Returns the request's extensions, mutably: values that one part of a program leaves for another.
    /// They are not part of the head's bytes.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        self.request.extensions_mut()
    }

    /// Returns the request in the types of the `http` crate, which the caller may change or keep. Read
    /// the [length of the body](Self::body) before.
    #[must_use]
    pub fn into_request(self) -> Request<()> {
        self.request
    }
}

/// The length of a request's body
/// ([RFC 9112 section 6.3](https://www.rfc-editor.org/rfc/rfc9112#section-6.3)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// There is no body, or an empty one.
    None,
    /// The body has this many bytes, at least one.
    Exact(u64),
    /// The body is in chunks, and its length is not known yet.
    Chunked,
}

/// The error of a request head that cannot be served, with the [status](Self::status) of the response to
/// it. Its text says what the client has to change, and may be sent to it. Close the connection after the
/// response, because it is not known where the next request begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestHeadError {
    /// The head breaks the rules of HTTP/1.1, or could be read in more than one way, for this reason:
    /// 400.
    Malformed(&'static str),
    /// The target is longer than this many bytes: 414.
    TargetTooLong(usize),
    /// The head is longer than this many bytes: 431.
    HeadTooLarge(usize),
    /// The head has more than this many field lines: 431.
    TooManyFields(usize),
    /// The body has a transfer coding other than `chunked`: 501.
    UnknownTransferCoding,
    /// The HTTP version is neither 1.0 nor 1.1: 505.
    UnknownVersion,
}

use RequestHeadError::{
    HeadTooLarge, Malformed, TargetTooLong, TooManyFields, UnknownTransferCoding, UnknownVersion,
};

impl RequestHeadError {
    /// Returns the status of the response to such a request: 400, 414, 431, 501 or 505. Each variant
    /// names its own.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Malformed(_) => StatusCode::BAD_REQUEST,
            TargetTooLong(_) => StatusCode::URI_TOO_LONG,
            HeadTooLarge(_) | TooManyFields(_) => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            UnknownTransferCoding => StatusCode::NOT_IMPLEMENTED,
            UnknownVersion => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
        }
    }
}

impl fmt::Display for RequestHeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed(what) => write!(f, "The request is malformed: {what}."),
            TargetTooLong(limit) => write!(
                f,
                "The request target is too long: this server takes up to {limit} bytes."
            ),
            HeadTooLarge(limit) => write!(
                f,
                "The request head is too large: this server takes up to {limit} bytes."
            ),
            TooManyFields(limit) => write!(
                f,
                "The request has too many header fields: this server takes up to {limit}."
            ),
            UnknownTransferCoding => f.write_str(
                "The request has a transfer coding that this server does not know: \
                 use chunked, or Content-Length.",
            ),
            UnknownVersion => f.write_str("This server speaks HTTP/1.1 and HTTP/1.0."),
        }
    }
}

impl Error for RequestHeadError {}

/// Its kind is [`InvalidData`](io::ErrorKind::InvalidData).
impl From<RequestHeadError> for io::Error {
    fn from(error: RequestHeadError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

pub(super) fn error_of(fault: Fault, most_fields: usize) -> RequestHeadError {
    match fault {
        Fault::Malformed(what) => Malformed(what),
        Fault::TooManyFields => TooManyFields(most_fields),
        Fault::UnknownTransferCoding => UnknownTransferCoding,
    }
}

/// Returns the framing of the body, unless it is ambiguous ([RFC 9112 section
/// 6.3](https://www.rfc-editor.org/rfc/rfc9112#section-6.3)).
fn body_length(headers: &HeaderMap, version: Version) -> Result<BodyLength, Fault> {
    if headers.contains_key(header::TRANSFER_ENCODING) {
        if version == Version::HTTP_10 {
            return Err(Fault::Malformed("HTTP/1.0 has no Transfer-Encoding"));
        }
        if headers.contains_key(header::CONTENT_LENGTH) {
            return Err(Fault::Malformed(
                "it has both Transfer-Encoding and Content-Length",
            ));
        }
        let codings = head::transfer_codings(headers)?;
        return head::check_codings(&codings).map(|()| BodyLength::Chunked);
    }
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    match (lengths.next(), lengths.next()) {
        (None, _) => Ok(BodyLength::None),
        (Some(_), Some(_)) => Err(Fault::Malformed(
            "it has more than one Content-Length field",
        )),
        (Some(length), None) => match head::parse_number(length.as_bytes()) {
            Some(0) => Ok(BodyLength::None),
            Some(length) => Ok(BodyLength::Exact(length)),
            None => Err(Fault::Malformed("its Content-Length is not a number")),
        },
    }
}
