//! Reads a response's head from input that arrives in pieces.

use std::{error::Error, fmt, io, mem};

use ::http::{Response, StatusCode, Version};

use super::head::{self, EndFinder, Fault, MOST_FIELDS};

/// The bounds of a response head.
///
/// ```
/// use sse_core::client::EventSourceConfig;
///
/// let mut config = EventSourceConfig::default();
/// config.response_head_limits.head = 16 * 1024;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResponseHeadLimits {
    /// The largest head in bytes. 64 KiB by default.
    pub head: usize,
    /// The largest number of field lines. 100 by default. More than 24,576 count as that many, because a
    /// [`HeaderMap`](super::HeaderMap) holds no more.
    pub fields: usize,
    /// The largest number of interim responses (1xx) before the response, each with a head of at most the
    /// size above. 16 by default.
    pub interim: usize,
}

impl Default for ResponseHeadLimits {
    fn default() -> Self {
        Self {
            head: 64 * 1024,
            fields: 100,
            interim: 16,
        }
    }
}

/// The error of a response head that is malformed, exceeds a bound, or is not one that the request
/// allows. In an event source it is the cause of a loss, and of a failure for [`Http2`](Self::Http2).
/// Close the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponseHeadError {
    /// The head breaks the rules of HTTP/1.1, or could be read in more than one way, for this reason. A
    /// server that speaks another protocol, such as TLS, is one case.
    Malformed(&'static str),
    /// The head is longer than [`ResponseHeadLimits::head`].
    TooLarge(usize),
    /// The head has more field lines than [`ResponseHeadLimits::fields`].
    TooManyFields(usize),
    /// There were more interim responses than [`ResponseHeadLimits::interim`].
    TooManyInterim(usize),
    /// The body has a transfer coding other than `chunked`, which the request did not allow.
    UnknownTransferCoding,
    /// The server switched protocols (101), which the request did not ask for.
    SwitchedProtocols,
    /// The server speaks HTTP/2, whose connections begin with a SETTINGS frame ([RFC 9113 section
    /// 3.4](https://www.rfc-editor.org/rfc/rfc9113#section-3.4)), in reply to HTTP/1.1.
    Http2,
}

use ResponseHeadError::{
    Http2, Malformed, SwitchedProtocols, TooLarge, TooManyFields, TooManyInterim,
    UnknownTransferCoding,
};

impl ResponseHeadError {
    pub(super) fn from_fault(fault: Fault) -> Self {
        match fault {
            Fault::Malformed(what) => Malformed(what),
            Fault::TooManyFields => TooManyFields(MOST_FIELDS),
            Fault::UnknownTransferCoding => UnknownTransferCoding,
        }
    }
}

impl fmt::Display for ResponseHeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed(what) => write!(f, "the response is malformed: {what}"),
            TooLarge(limit) => write!(f, "the response head is larger than {limit} bytes"),
            TooManyFields(limit) => {
                write!(f, "the response has more than {limit} header fields")
            }
            TooManyInterim(limit) => {
                write!(f, "the server sent more than {limit} interim responses")
            }
            UnknownTransferCoding => {
                f.write_str("the response has a transfer coding other than chunked")
            }
            SwitchedProtocols => f.write_str(
                "the server switched protocols (101), which the request did not ask for",
            ),
            Http2 => f.write_str(
                "the server answered in HTTP/2 to a request in HTTP/1.1; \
                 send the request with an HTTP client that speaks HTTP/2",
            ),
        }
    }
}

impl Error for ResponseHeadError {}

/// Its kind is [`InvalidData`](io::ErrorKind::InvalidData).
impl From<ResponseHeadError> for io::Error {
    fn from(error: ResponseHeadError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

/// Collects a response head from input that arrives in pieces, and skips interim responses ([RFC 9110
/// section 15.2](https://www.rfc-editor.org/rfc/rfc9110#section-15.2)).
///
/// ```
/// use sse_core::http::{ResponseHeadLimits, ResponseHeadReader};
///
/// let mut reader = ResponseHeadReader::new(ResponseHeadLimits::default());
/// let mut input = &b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 O"[..];
/// assert!(reader.read(&mut input)?.is_none());
///
/// let mut input = &b"K\r\nServer: x\r\n\r\nwhat follows"[..];
/// let response = reader.read(&mut input)?.unwrap();
/// assert_eq!((response.status().as_u16(), &response.headers()["server"] == "x"), (200, true));
/// assert_eq!(input, b"what follows");
/// # Ok::<(), sse_core::http::ResponseHeadError>(())
/// ```
#[derive(Debug)]
pub struct ResponseHeadReader {
    limits: ResponseHeadLimits,
    /// The bytes of this head in earlier pieces.
    buffer: Vec<u8>,
    end: EndFinder,
    interim: usize,
}

impl ResponseHeadReader {
    /// Creates a reader that has received nothing. More than 24,576 field lines count as that many.
    #[must_use]
    pub fn new(limits: ResponseHeadLimits) -> Self {
        Self {
            limits: ResponseHeadLimits {
                fields: limits.fields.min(MOST_FIELDS),
                ..limits
            },
            buffer: Vec::new(),
            end: EndFinder::default(),
            interim: 0,
        }
    }

    /// Takes the bytes of the head off the front of `input`. Returns the head once it is complete;
    /// `input` then begins with the first byte after it. Until then all of `input` is taken.
    ///
    /// # Errors
    ///
    /// [`ResponseHeadError`], which does not depend on how the input was cut. Input that is not HTTP is
    /// reported at once, not at the end of the head. Drop the reader after an error.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Response<()>>, ResponseHeadError> {
        while !input.is_empty() {
            let end = self.end.find(input);
            let (new, rest) = input.split_at(end.unwrap_or(input.len()));
            *input = rest;
            let length = self.buffer.len().saturating_add(new.len());
            let room = self.limits.head.saturating_sub(self.buffer.len());
            self.check_beginning(&new[..new.len().min(room)])?;
            if length > self.limits.head {
                return Err(TooLarge(self.limits.head));
            }
            let response = match (end, self.buffer.is_empty()) {
                (None, _) => {
                    self.buffer.extend_from_slice(new);
                    return Ok(None);
                }
                // The usual case: the head came in one piece, and is parsed in place.
                (Some(_), true) => parse(new, &self.limits)?,
                (Some(_), false) => {
                    self.buffer.extend_from_slice(new);
                    parse(&mem::take(&mut self.buffer), &self.limits)?
                }
            };
            if !response.status().is_informational() {
                return Ok(Some(response));
            }
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                return Err(SwitchedProtocols);
            }
            self.interim += 1;
            if self.interim > self.limits.interim {
                return Err(TooManyInterim(self.limits.interim));
            }
            self.end = EndFinder::default();
        }
        Ok(None)
    }

    /// Checks the first bytes, of which `new` are the next ones. A server of another protocol may wait
    /// for the client to speak, so that the end of a head would never come.
    fn check_beginning(&self, new: &[u8]) -> Result<(), ResponseHeadError> {
        const BEGINNING: &[u8] = b"HTTP/1.";
        let bytes = || self.buffer.iter().chain(new).copied();
        if bytes()
            .zip(BEGINNING)
            .all(|(byte, expected)| byte == *expected)
        {
            return Ok(());
        }
        match begins_http2(bytes()) {
            None => Ok(()),
            Some(true) => Err(Http2),
            Some(false) => Err(NOT_HTTP),
        }
    }
}

/// Returns whether these are the first bytes of a server that speaks HTTP/2: the head of a SETTINGS frame
/// with any number of settings, each of 6 bytes. Returns `None` where more bytes are needed to tell.
fn begins_http2(bytes: impl Iterator<Item = u8>) -> Option<bool> {
    const SETTINGS: u8 = 4;
    let mut length = 0_u32;
    let mut count = 0;
    for byte in bytes.take(9) {
        let fits = match count {
            0 => byte == 0,
            1 => true,
            2 => (length << 8 | u32::from(byte)).is_multiple_of(6),
            3 => byte == SETTINGS,
            // The flags are empty, and the stream is that of the connection.
            _ => byte == 0,
        };
        if !fits {
            return Some(false);
        }
        length = length << 8 | u32::from(byte);
        count += 1;
    }
    (count == 9).then_some(true)
}

const NOT_HTTP: ResponseHeadError = Malformed("it does not begin with HTTP/1.1 or HTTP/1.0");

/// Parses a whole head, with the empty line at its end.
fn parse(head: &[u8], limits: &ResponseHeadLimits) -> Result<Response<()>, ResponseHeadError> {
    let fault = |fault| match fault {
        Fault::TooManyFields => TooManyFields(limits.fields),
        fault => ResponseHeadError::from_fault(fault),
    };
    head::check_bytes(head).map_err(fault)?;
    head::with_room_for_fields(limits.fields, head, |fields| {
        let mut parsed = httparse::Response::new(fields);
        match parsed.parse(head) {
            // Both must see the end in the same place.
            Ok(httparse::Status::Complete(length)) if length == head.len() => {}
            Ok(_) => return Err(Malformed("its end is ambiguous")),
            Err(httparse::Error::Version) => return Err(NOT_HTTP),
            Err(error) => {
                let first_line = "its first line is not HTTP/1.1 status reason";
                return Err(fault(head::parse_fault(error, first_line)));
            }
        }
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::from_u16(parsed.code.unwrap_or_default())
            .map_err(|_| Malformed("its status is not one from 100 to 999"))?;
        *response.version_mut() = match parsed.version {
            Some(1) => Version::HTTP_11,
            _ => Version::HTTP_10,
        };
        *response.headers_mut() = head::collect_fields(parsed.headers).map_err(fault)?;
        Ok(response)
    })
}
