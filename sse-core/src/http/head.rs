//! What the heads of requests and of responses have in common: where they end, which bytes they
//! may have, and how their fields become a [`HeaderMap`].

use ::http::{HeaderMap, HeaderName, HeaderValue, header};
use memchr::{memchr, memchr_iter};

/// A [`HeaderMap`] holds no more fields.
pub(super) const MOST_FIELDS: usize = 24_576;

/// What is wrong with a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It breaks the rules of HTTP/1.1, or could be read in more than one way.
    Malformed(&'static str),
    /// It has more field lines than it may have.
    TooManyFields,
    /// It has a transfer coding other than `chunked`.
    UnknownTransferCoding,
}

/// Finds the empty line that ends a head, in input that arrives in pieces. Looks at each byte
/// once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum EndFinder {
    #[default]
    LineStart,
    /// The line so far is a CR.
    AfterCr,
    InLine,
}

impl EndFinder {
    /// How many bytes of `input` there are up to the end of the head, if it is there.
    pub(super) fn find(&mut self, input: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(&byte) = input.get(at) {
            *self = match (*self, byte) {
                (Self::LineStart | Self::AfterCr, b'\n') => return Some(at + 1),
                (Self::LineStart, b'\r') => Self::AfterCr,
                _ => match memchr(b'\n', &input[at..]) {
                    Some(line_end) => {
                        at += line_end;
                        Self::LineStart
                    }
                    None => {
                        *self = Self::InLine;
                        return None;
                    }
                },
            };
            at += 1;
        }
        None
    }
}

/// Refuses bytes that some readers pass over and others do not.
pub(super) fn check_bytes(head: &[u8]) -> Result<(), Fault> {
    if memchr(b'\0', head).is_some() {
        return Err(Fault::Malformed("it has a NUL"));
    }
    // A CR alone is a line's end to some readers and a blank to others.
    if memchr_iter(b'\r', head).any(|at| head.get(at + 1) != Some(&b'\n')) {
        return Err(Fault::Malformed("it has a CR without an LF"));
    }
    Ok(())
}

/// Calls `parse` with room for so many fields of `head`.
pub(super) fn with_room_for_fields<'h, T>(
    limit: usize,
    head: &'h [u8],
    parse: impl FnOnce(&mut [httparse::Header<'h>]) -> T,
) -> T {
    const USUAL: usize = 100;
    let mut usual = [httparse::EMPTY_HEADER; USUAL];
    match usual.get_mut(..limit) {
        Some(fields) => parse(fields),
        // No head has more fields than it has bytes.
        None => parse(&mut vec![httparse::EMPTY_HEADER; limit.min(head.len())]),
    }
}

pub(super) fn collect_fields(fields: &[httparse::Header<'_>]) -> Result<HeaderMap, Fault> {
    let mut headers = HeaderMap::with_capacity(fields.len());
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| IMPROPER_NAME)?;
        let value = HeaderValue::from_bytes(field.value).map_err(|_| IMPROPER_VALUE)?;
        headers
            .try_append(name, value)
            .map_err(|_| Fault::TooManyFields)?;
    }
    Ok(headers)
}

const IMPROPER_NAME: Fault = Fault::Malformed("it has a header field without a proper name");
const IMPROPER_VALUE: Fault = Fault::Malformed("it has a header field without a proper value");

/// What `httparse` found wrong with a line; `first_line` says what is expected of the first one.
pub(super) fn parse_fault(error: httparse::Error, first_line: &'static str) -> Fault {
    match error {
        httparse::Error::TooManyHeaders => Fault::TooManyFields,
        httparse::Error::HeaderName => IMPROPER_NAME,
        httparse::Error::HeaderValue => IMPROPER_VALUE,
        httparse::Error::NewLine => Fault::Malformed("it has a line that does not end properly"),
        _ => Fault::Malformed(first_line),
    }
}

/// Digits and nothing else; Rust's own numbers may have a sign.
pub(super) fn parse_number(text: &[u8]) -> Option<u64> {
    let digits = text.iter().all(u8::is_ascii_digit);
    str::from_utf8(text).ok().filter(|_| digits)?.parse().ok()
}

/// The one transfer coding that is known here is `chunked`, once and by itself.
pub(super) fn check_codings(headers: &HeaderMap) -> Result<(), Fault> {
    let mut codings = Vec::new();
    for value in headers.get_all(header::TRANSFER_ENCODING) {
        let value = value.to_str().map_err(|_| Fault::UnknownTransferCoding)?;
        codings.extend(value.split(',').map(str::trim));
    }
    if codings.contains(&"") {
        return Err(Fault::Malformed(
            "its Transfer-Encoding is empty, or has an empty element",
        ));
    }
    let is_chunked = |coding: &&str| coding.eq_ignore_ascii_case("chunked");
    match codings.iter().position(is_chunked) {
        Some(0) if codings.len() == 1 => Ok(()),
        Some(at) if at + 1 < codings.len() => Err(Fault::Malformed(
            "chunked is not the last transfer coding, or not the only time",
        )),
        _ => Err(Fault::UnknownTransferCoding),
    }
}
