//! What the heads of requests and responses have in common: where they end, which bytes they may have,
//! and how their fields become a [`HeaderMap`].

use ::http::{HeaderMap, HeaderName, HeaderValue, header};
use memchr::{memchr, memchr_iter};

/// The largest number of fields in a [`HeaderMap`].
pub(super) const MOST_FIELDS: usize = 24_576;

/// The fault of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It breaks the rules of HTTP/1.1, or could be read in more than one way.
    Malformed(&'static str),
    /// It has more field lines than the limit allows.
    TooManyFields,
    /// It has a transfer coding other than `chunked`.
    UnknownTransferCoding,
}

/// Finds the empty line that ends a head, in input that arrives in pieces. It reads each byte once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum EndFinder {
    #[default]
    LineStart,
    /// The line so far is a CR.
    AfterCr,
    InLine,
}

impl EndFinder {
    /// Returns the number of bytes in `input` up to the end of the head, if it is there.
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

/// Rejects bytes that some readers ignore and others do not.
pub(super) fn check_bytes(head: &[u8]) -> Result<(), Fault> {
    if memchr(b'\0', head).is_some() {
        return Err(Fault::Malformed("it has a NUL"));
    }
    // A CR alone is a line end to some readers and a blank to others.
    if memchr_iter(b'\r', head).any(|at| head.get(at + 1) != Some(&b'\n')) {
        return Err(Fault::Malformed("it has a CR without an LF"));
    }
    Ok(())
}

/// Calls `parse` with room for `limit` fields of `head`.
pub(super) fn with_room_for_fields<'h, T>(
    limit: usize,
    head: &'h [u8],
    parse: impl FnOnce(&mut [httparse::Header<'h>]) -> T,
) -> T {
    const USUAL: usize = 100;
    let mut usual = [httparse::EMPTY_HEADER; USUAL];
    match usual.get_mut(..limit) {
        Some(fields) => parse(fields),
        // A head has fewer fields than bytes.
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

const IMPROPER_NAME: Fault = Fault::Malformed("a header field has an invalid name");
const IMPROPER_VALUE: Fault = Fault::Malformed("a header field has an invalid value");

/// Returns the fault of a line that `httparse` rejected; `first_line` says what the first line should be.
pub(super) fn parse_fault(error: httparse::Error, first_line: &'static str) -> Fault {
    match error {
        httparse::Error::TooManyHeaders => Fault::TooManyFields,
        httparse::Error::HeaderName => IMPROPER_NAME,
        httparse::Error::HeaderValue => IMPROPER_VALUE,
        httparse::Error::NewLine => Fault::Malformed("a line has an invalid end"),
        _ => Fault::Malformed(first_line),
    }
}

/// Parses digits only; Rust's own parser would also take a sign.
pub(super) fn parse_number(text: &[u8]) -> Option<u64> {
    let digits = text.iter().all(u8::is_ascii_digit);
    str::from_utf8(text).ok().filter(|_| digits)?.parse().ok()
}

/// Returns the transfer codings, in their order.
pub(super) fn transfer_codings(headers: &HeaderMap) -> Result<Vec<&str>, Fault> {
    let mut codings = Vec::new();
    for value in headers.get_all(header::TRANSFER_ENCODING) {
        let value = value.to_str().map_err(|_| Fault::UnknownTransferCoding)?;
        codings.extend(value.split(',').map(str::trim));
    }
    match codings.contains(&"") {
        true => Err(Fault::Malformed(
            "its Transfer-Encoding is empty, or has an empty element",
        )),
        false => Ok(codings),
    }
}

/// Checks that the only transfer coding is `chunked`, once.
pub(super) fn check_codings(codings: &[&str]) -> Result<(), Fault> {
    let is_chunked = |coding: &&str| coding.eq_ignore_ascii_case("chunked");
    match codings.iter().position(is_chunked) {
        Some(0) if codings.len() == 1 => Ok(()),
        Some(at) if at + 1 < codings.len() => Err(Fault::Malformed(
            "chunked is not the last transfer coding, or occurs twice",
        )),
        _ => Err(Fault::UnknownTransferCoding),
    }
}
