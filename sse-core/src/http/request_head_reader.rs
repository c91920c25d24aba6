//! Reads a request's head from input that arrives in pieces.
//!
//! It first finds the end of the head, reading each byte once, and then parses the whole head once.
//! Parsing a growing buffer repeatedly would take time quadratic in its length.

use std::mem;

use ::http::{Method, Request, Version};

use super::{
    head::{self, EndFinder, MOST_FIELDS},
    is_token_byte,
    request_head::{
        HeadLimits, LONGEST_TARGET, RequestHead,
        RequestHeadError::{self, HeadTooLarge, Malformed, TargetTooLong, UnknownVersion},
        error_of,
    },
    request_target::parse_target,
};

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
    /// The bytes of earlier pieces.
    buffer: Vec<u8>,
    /// The number of received bytes, the empty lines before the request line included.
    received: usize,
    front: Front,
    end: EndFinder,
}

/// The position before the request line, where empty lines may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Front {
    LineStart,
    AfterCr,
    /// The request line has begun.
    Past,
}

impl RequestHeadReader {
    /// Creates a reader that has received nothing. More than 24,576 field lines and a target of more than
    /// 65,534 bytes count as that many, because the `http` crate holds no more.
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

    /// Returns whether no byte was received yet. Empty lines before the request line count as bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.received == 0
    }

    /// Takes the bytes of the head off the front of `input`. Returns the head once it is complete;
    /// `input` then begins with the first byte after it. Until then all of `input` is taken.
    ///
    /// Empty lines before the request line are skipped, and a line may end in LF alone, as
    /// [RFC 9112 section 2.2](https://www.rfc-editor.org/rfc/rfc9112#section-2.2) allows.
    ///
    /// # Errors
    ///
    /// [`RequestHeadError`] where the head cannot be served. The error does not depend on how the input
    /// was cut. Drop the reader then.
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
            // The usual case: the head came in one piece, and is parsed in place.
            return parse(new, &self.limits).map(Some);
        }
        self.buffer.extend_from_slice(new);
        match end {
            Some(_) => parse(&mem::take(&mut self.buffer), &self.limits).map(Some),
            None => Ok(None),
        }
    }

    /// Skips the empty lines before the request line.
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
                // This is not HTTP, perhaps TLS: there is no need to wait for the end of a head.
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

    /// Returns which part of the head is too large. `new` is its last piece.
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

/// Parses a whole head, which has no empty line at its front and one at its end.
fn parse(head: &[u8], limits: &HeadLimits) -> Result<RequestHead, RequestHeadError> {
    let fault = |fault| error_of(fault, limits.fields);
    head::check_bytes(head).map_err(fault)?;
    head::with_room_for_fields(limits.fields, head, |fields| {
        let mut parsed = httparse::Request::new(fields);
        match parsed.parse(head) {
            // Both must see the end in the same place.
            Ok(httparse::Status::Complete(length)) if length == head.len() => {}
            Ok(_) => return Err(Malformed("its end is ambiguous")),
            Err(httparse::Error::Version) if is_other_version(head) => return Err(UnknownVersion),
            Err(error) => {
                let first_line = "its first line is not METHOD target HTTP/1.1";
                return Err(fault(head::parse_fault(error, first_line)));
            }
        }
        // A complete request has both.
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
            .map_err(|_| Malformed("its method is not valid"))?;
        let uri = parse_target(target, &method)?;
        let headers = head::collect_fields(parsed.headers).map_err(fault)?;

        let mut request = Request::new(());
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.version_mut() = version;
        *request.headers_mut() = headers;
        RequestHead::new(request)
    })
}

/// Returns whether the request line is valid but for its version, which is not supported ([RFC 9112
/// section 2.3](https://www.rfc-editor.org/rfc/rfc9112#section-2.3)).
fn is_other_version(head: &[u8]) -> bool {
    let line = head.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    // The method and the target have no spaces, and stand before the version: they were parsed.
    let version = line.splitn(3, |&byte| byte == b' ').nth(2);
    version
        .and_then(|version| version.strip_prefix(b"HTTP/"))
        .is_some_and(|number| {
            matches!(number, [major, b'.', minor]
                if major.is_ascii_digit() && minor.is_ascii_digit())
        })
}
