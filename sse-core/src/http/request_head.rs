//! Reading a request's head: where it ends, how large it may be, and what it must not say.
//!
//! The end is found first, with one look at each byte; then the whole head is parsed, once.
//! Parsing a growing buffer again and again would take time quadratic in its length.

use std::{error::Error, fmt, io, mem, net::Ipv6Addr};

use ::http::{Extensions, HeaderMap, Method, Request, StatusCode, Uri, Version, header};

use super::{
    head::{self, EndFinder, Fault, MOST_FIELDS},
    is_token_byte,
};

/// How large a request head may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeadLimits {
    /// Bytes in all. 16 KiB by default; beyond it the answer is 431, or 414 where they are all
    /// the request line's.
    pub head: usize,
    /// Field lines. 100 by default; beyond it the answer is 431. More than 24 576 count as that
    /// many: a [`HeaderMap`] holds no more.
    pub fields: usize,
    /// Bytes of the request target. 8 KiB by default; beyond it the answer is 414. More than
    /// 65 534 count as that many: a [`Uri`] holds no more.
    pub target: usize,
}

const LONGEST_TARGET: usize = 65_534;

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
#[derive(Clone, Debug)]
pub struct RequestHead {
    request: Request<()>,
    body: BodyLength,
}

impl RequestHead {
    /// A head that another parser has read. It is checked by the same rules as one that
    /// [`RequestHeadReader`] reads.
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
    /// [`RequestHeadError`] where the version is neither HTTP/1.1 nor HTTP/1.0, or where the host or
    /// the length of the body is in doubt. The host is in doubt where there is not exactly one
    /// `Host` (HTTP/1.0 may have none), and where the target is a whole URL whose host and port are
    /// not those of `Host`.
    pub fn new(request: Request<()>) -> Result<Self, RequestHeadError> {
        let (headers, version) = (request.headers(), request.version());
        if ![Version::HTTP_10, Version::HTTP_11].contains(&version) {
            return Err(UnknownVersion);
        }
        check_host(headers, version, request.uri())?;
        let body = body_length(headers, version).map_err(|fault| error_of(fault, MOST_FIELDS))?;
        Ok(Self { request, body })
    }

    /// A head that a foreign server has read. It is not checked, because that server has done so. The
    /// caller says whether there is a body: over HTTP/2 one may come without a field that announces it.
    ///
    /// A length of [`Exact(0)`](BodyLength::Exact) becomes [`None`](BodyLength::None).
    ///
    /// ```
    /// use sse_core::http::{BodyLength, Request, RequestHead};
    ///
    /// let head = RequestHead::of_server(Request::new(()), BodyLength::Exact(0));
    /// assert_eq!(head.body(), BodyLength::None); // no bytes are no body
    /// ```
    #[must_use]
    pub fn of_server(request: Request<()>, body: BodyLength) -> Self {
        let body = match body {
            BodyLength::Exact(0) => BodyLength::None,
            body => body,
        };
        Self { request, body }
    }

    /// The method, the target, the version and the header fields.
    #[must_use]
    pub fn request(&self) -> &Request<()> {
        &self.request
    }

    /// The length of the body that follows. It is never `Exact(0)`.
    #[must_use]
    pub fn body(&self) -> BodyLength {
        self.body
    }

    /// The request's extensions, to be changed: values that one part of a program leaves for
    /// another. They have nothing to do with the bytes of the head.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        self.request.extensions_mut()
    }

    /// The request alone, to be changed or kept.
    #[must_use]
    pub fn into_request(self) -> Request<()> {
        self.request
    }
}

/// The length of a request's body
/// ([RFC 9112 section 6.3](https://www.rfc-editor.org/rfc/rfc9112#section-6.3)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// There is no body, or one of no bytes.
    None,
    /// So many bytes, and at least one.
    Exact(u64),
    /// In chunks, so that the length is not known yet.
    Chunked,
}

/// Why a request head cannot be served. Its text is fit to be sent back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestHeadError {
    /// It breaks the rules of HTTP/1.1, or could be read in more than one way: 400.
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
    /// The status to answer with.
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

/// Collects a request head from input that arrives in pieces.
///
/// ```
/// use sse_core::http::{HeadLimits, RequestHeadReader};
///
/// let mut reader = RequestHeadReader::new(HeadLimits::default());
/// let mut input = &b"GET /a HTTP/1.1\r\nHo"[..];
/// assert!(reader.read(&mut input)?.is_none());
///
/// let mut input = &b"st: example.org\r\n\r\nwhat follows"[..];
/// let head = reader.read(&mut input)?.unwrap();
/// assert_eq!(head.request().uri().path(), "/a");
/// assert_eq!(input, b"what follows");
/// # Ok::<(), sse_core::http::RequestHeadError>(())
/// ```
#[derive(Debug)]
pub struct RequestHeadReader {
    limits: HeadLimits,
    /// What came in earlier pieces.
    buffer: Vec<u8>,
    /// How many bytes were received, the empty lines before the request line included.
    received: usize,
    front: Front,
    end: EndFinder,
}

/// Where the reader is before the request line, where empty lines may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Front {
    LineStart,
    AfterCr,
    /// The request line has begun.
    Past,
}

impl RequestHeadReader {
    /// A reader that has received nothing.
    #[must_use]
    pub fn new(limits: HeadLimits) -> Self {
        Self {
            limits: HeadLimits {
                head: limits.head,
                fields: limits.fields.min(MOST_FIELDS),
                target: limits.target.min(LONGEST_TARGET),
            },
            buffer: Vec::new(),
            received: 0,
            front: Front::LineStart,
            end: EndFinder::LineStart,
        }
    }

    /// Whether nothing was received yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.received == 0
    }

    /// Takes what belongs to the head from the front of `input`. Gives the head once it is
    /// complete; `input` then begins with the first byte after it. Until then all of `input` is
    /// taken.
    ///
    /// Empty lines before the request line are skipped, and a line may end in LF alone, as
    /// [RFC 9112 section 2.2](https://www.rfc-editor.org/rfc/rfc9112#section-2.2) allows.
    ///
    /// # Errors
    ///
    /// [`RequestHeadError`] where the head cannot be served. Which one does not depend on how the
    /// input was cut. The reader is of no more use then.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<RequestHead>, RequestHeadError> {
        self.skip_front(input)?;
        let end = self.end.find(input);
        let (new, rest) = input.split_at(end.unwrap_or(input.len()));
        *input = rest;
        self.received = self.received.saturating_add(new.len());
        if self.received > self.limits.head {
            return Err(self.too_large(new));
        }
        if end.is_some() && self.buffer.is_empty() {
            // The usual case: the head came in one piece, and is parsed where it lies.
            return parse(new, &self.limits).map(Some);
        }
        self.buffer.extend_from_slice(new);
        match end {
            Some(_) => parse(&mem::take(&mut self.buffer), &self.limits).map(Some),
            None => Ok(None),
        }
    }

    /// Takes the empty lines before the request line away.
    fn skip_front(&mut self, input: &mut &[u8]) -> Result<(), RequestHeadError> {
        while self.front != Front::Past
            && let Some((&byte, rest)) = input.split_first()
        {
            self.front = match (self.front, byte) {
                (_, b'\n') => Front::LineStart,
                (Front::LineStart, b'\r') => Front::AfterCr,
                (Front::LineStart, byte) if is_token_byte(byte) => {
                    self.front = Front::Past;
                    break;
                }
                // Not HTTP at all, TLS perhaps: no need to wait for the end.
                _ => return Err(Malformed("it does not begin with a method")),
            };
            *input = rest;
            self.received += 1;
            if self.received > self.limits.head {
                return Err(HeadTooLarge(self.limits.head));
            }
        }
        Ok(())
    }

    /// The head is over the limit, with `new` at its end: what is it that is too large?
    fn too_large(&self, new: &[u8]) -> RequestHeadError {
        let skipped = self.received - self.buffer.len() - new.len();
        let room = self.limits.head.saturating_sub(skipped);
        let within = || self.buffer.iter().chain(new).take(room);
        let is_mostly_empty_lines = skipped > room;
        if is_mostly_empty_lines || within().any(|&byte| byte == b'\n') {
            HeadTooLarge(self.limits.head)
        } else if within().any(|&byte| byte == b' ') {
            TargetTooLong(self.limits.target.min(self.limits.head))
        } else {
            Malformed("its method is too long")
        }
    }
}

/// Parses a whole head: no empty line at its front, one at its end.
fn parse(head: &[u8], limits: &HeadLimits) -> Result<RequestHead, RequestHeadError> {
    let fault = |fault| error_of(fault, limits.fields);
    head::check_bytes(head).map_err(fault)?;
    head::with_room_for_fields(limits.fields, head, |fields| {
        let mut parsed = httparse::Request::new(fields);
        match parsed.parse(head) {
            // Both must see its end in the same place.
            Ok(httparse::Status::Complete(length)) if length == head.len() => {}
            Ok(_) => return Err(Malformed("it is unclear where it ends")),
            Err(httparse::Error::Version) if is_other_version(head) => return Err(UnknownVersion),
            Err(error) => {
                let first_line = "its first line is not METHOD target HTTP/1.1";
                return Err(fault(head::parse_fault(error, first_line)));
            }
        }
        // Both are there once a request is complete.
        let (method, target) = (
            parsed.method.unwrap_or_default(),
            parsed.path.unwrap_or_default(),
        );
        if target.len() > limits.target {
            return Err(TargetTooLong(limits.target));
        }
        let version = match parsed.version {
            Some(1) => Version::HTTP_11,
            _ => Version::HTTP_10,
        };
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| Malformed("its method is not a valid one"))?;
        let uri = parse_target(target, &method)?;
        let headers = head::collect_fields(parsed.headers).map_err(fault)?;
        check_host(&headers, version, &uri)?;
        let body = body_length(&headers, version).map_err(fault)?;

        let mut request = Request::new(());
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.version_mut() = version;
        *request.headers_mut() = headers;
        Ok(RequestHead { request, body })
    })
}

fn error_of(fault: Fault, most_fields: usize) -> RequestHeadError {
    match fault {
        Fault::Malformed(what) => Malformed(what),
        Fault::TooManyFields => TooManyFields(most_fields),
        Fault::UnknownTransferCoding => UnknownTransferCoding,
    }
}

/// Whether the request line is as it should be but for its version, which is one that is not
/// spoken here ([RFC 9112 section 2.3](https://www.rfc-editor.org/rfc/rfc9112#section-2.3)).
fn is_other_version(head: &[u8]) -> bool {
    let line = head.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    // The method and the target are without spaces, and stand before the version: they were parsed.
    let version = line.splitn(3, |&byte| byte == b' ').nth(2);
    version
        .and_then(|version| version.strip_prefix(b"HTTP/"))
        .is_some_and(|number| {
            matches!(number, [major, b'.', minor]
                if major.is_ascii_digit() && minor.is_ascii_digit())
        })
}

/// The forms of a target
/// ([RFC 9112 section 3.2](https://www.rfc-editor.org/rfc/rfc9112#section-3.2)).
fn parse_target(target: &str, method: &Method) -> Result<Uri, RequestHeadError> {
    const WRONG: RequestHeadError = Malformed("its target is not a valid one");
    // `Uri` would drop a fragment without a word.
    if target.contains('#') {
        return Err(Malformed("its target has a fragment"));
    }
    let uri: Uri = target.parse().map_err(|_| WRONG)?;
    let authority = uri
        .authority()
        .and_then(|authority| host_and_port(authority.as_str()));
    let is_proper = if *method == Method::CONNECT {
        uri.scheme().is_none() && matches!(authority, Some((_, Some(_))))
    } else if target == "*" {
        *method == Method::OPTIONS
    } else if target.starts_with('/') {
        true
    } else {
        matches!(uri.scheme_str(), Some("http" | "https")) && authority.is_some()
    };
    if is_proper { Ok(uri) } else { Err(WRONG) }
}

/// An HTTP/1.1 request has exactly one valid `Host`, an HTTP/1.0 one at most one
/// ([RFC 9112 section 3.2](https://www.rfc-editor.org/rfc/rfc9112#section-3.2)). Where the target
/// names a host as well, it is the same one: a client has to say so, and of two hosts a proxy and a
/// handler could look at different ones.
fn check_host(headers: &HeaderMap, version: Version, target: &Uri) -> Result<(), RequestHeadError> {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if version == Version::HTTP_10 => Ok(()),
        (None, _) => Err(Malformed("it has no Host field")),
        (Some(_), Some(_)) => Err(Malformed("it has more than one Host field")),
        (Some(host), None) => match host.to_str().ok().and_then(host_and_port) {
            Some(host) if is_for(host, target) => Ok(()),
            Some(_) => Err(Malformed("its Host field is not the host of its target")),
            None => Err(Malformed("its Host field is not a host and a port")),
        },
    }
}

/// Whether `target` is for this host and port, or does not say whom it is for.
fn is_for((host, port): (&str, Option<u16>), target: &Uri) -> bool {
    // Without a scheme there is no authority, or it is that of CONNECT, which nothing here serves.
    let (Some(scheme), Some(authority)) = (target.scheme_str(), target.authority()) else {
        return true;
    };
    let usual = if scheme == "https" { 443 } else { 80 };
    host_and_port(authority.as_str()).is_some_and(|(target_host, target_port)| {
        target_host.eq_ignore_ascii_case(host)
            && target_port.unwrap_or(usual) == port.unwrap_or(usual)
    })
}

/// A host, and a port if any.
///
/// [RFC 3986 section 3.2](https://www.rfc-editor.org/rfc/rfc3986#section-3.2) allows more: a user,
/// a colon without a port, and in a name commas, parentheses and percent signs. No host is called
/// so, and what is read from such a name differs: `a,b` may well be two fields that became one.
fn host_and_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match authority.rsplit_once(':') {
        // A colon within the brackets is the address's own.
        Some((host, port)) if !port.ends_with(']') => (host, Some(parse_port(port)?)),
        _ => (authority, None),
    };
    let is_host = match host.strip_prefix('[') {
        Some(address) => address
            .strip_suffix(']')
            .is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()),
        None => !host.is_empty() && host.bytes().all(is_name_byte),
    };
    is_host.then_some((host, port))
}

/// Of a registered name or of an IPv4 address.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn parse_port(text: &str) -> Option<u16> {
    head::parse_number(text.as_bytes())?.try_into().ok()
}

/// The framing of the body, as long as there is no doubt about it
/// ([RFC 9112 section 6.3](https://www.rfc-editor.org/rfc/rfc9112#section-6.3)).
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
        return head::check_codings(headers).map(|()| BodyLength::Chunked);
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
