//! How paths are compared, what a route's may look like, and what its parameters stand for.
//!
//! Two paths that differ in nothing but how they are percent-encoded ask for the same thing. So the
//! paths of routes and of requests are brought into one form before they are matched, or else a
//! wildcard would take what has a route of its own: `/w/%61dmin` for `/w/admin`. In that form a byte
//! is percent-encoded if it cannot stand in a path, or if it is a slash or a percent sign that
//! belongs to a segment.

use std::{borrow::Cow, fmt::Write};

use percent_encoding::percent_decode_str;

/// Why a request's path has no such form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PathFault {
    /// A percent sign is not followed by two hexadecimal digits.
    Encoding,
    /// A segment is `.` or `..`, percent-encoded or not. Clients resolve those before they send
    /// the request; what a client means that does not is not defined.
    DotSegment,
}

impl PathFault {
    /// What is said to a client whose path is `path`.
    pub(super) fn text(self, path: &str) -> String {
        match self {
            Self::Encoding => format!(
                "The path {path} does not decode. \
                 Follow each percent sign with two hexadecimal digits.\n"
            ),
            Self::DotSegment => {
                format!("The path {path} has a segment . or .. in it. Send the path without.\n")
            }
        }
    }
}

/// The form in which a request's path is matched.
pub(super) fn canonical(path: &str) -> Result<Cow<'_, str>, PathFault> {
    let canonical = match path.bytes().all(|byte| is_path_byte(byte) || byte == b'/') {
        true => Cow::Borrowed(path),
        false => Cow::Owned(encode(path).ok_or(PathFault::Encoding)?),
    };
    match has_dot_segment(&canonical) {
        true => Err(PathFault::DotSegment),
        false => Ok(canonical),
    }
}

/// The form in which a route's path is matched, with its parameters as they are. `Err` says why
/// no request has such a path.
pub(super) fn canonical_route(path: &str) -> Result<String, &'static str> {
    let (mut canonical, mut rest) = (String::new(), path);
    while !rest.is_empty() {
        let (literal, param, after) = split_at_param(rest);
        // Doubled braces stand for themselves.
        let literal = literal.replace("{{", "{").replace("}}", "}");
        canonical += &encode(&literal)
            .ok_or("a percent sign is not followed by two hexadecimal digits; write %25")?;
        canonical += param;
        rest = after;
    }
    match has_dot_segment(&canonical) {
        true => Err("a segment of it is . or .., which no request has"),
        false => Ok(canonical),
    }
}

/// What stands before the first parameter, the parameter, and what follows. What is no proper
/// parameter is taken for one, so that it is the matcher's to refuse.
fn split_at_param(path: &str) -> (&str, &str, &str) {
    let bytes = path.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let is_doubled = bytes.get(at + 1) == Some(&byte);
        match byte {
            b'{' | b'}' if is_doubled => at += 2,
            b'{' | b'}' => {
                let (literal, param) = path.split_at(at);
                let end = param.find('}').map_or(param.len(), |end| end + 1);
                let (param, after) = param.split_at(end);
                return (literal, param, after);
            }
            _ => at += 1,
        }
    }
    (path, "", "")
}

/// `None` where a percent sign is not followed by two hexadecimal digits.
fn encode(path: &str) -> Option<String> {
    let (mut encoded, mut bytes) = (String::with_capacity(path.len()), path.bytes());
    while let Some(byte) = bytes.next() {
        let (byte, is_plain) = match byte {
            b'%' => {
                let byte = hex_digit(bytes.next()?)? << 4 | hex_digit(bytes.next()?)?;
                (byte, is_path_byte(byte))
            }
            byte => (byte, is_path_byte(byte) || byte == b'/'),
        };
        match is_plain {
            true => encoded.push(char::from(byte)),
            // Writing to a string cannot fail.
            false => _ = write!(encoded, "%{byte:02X}"),
        }
    }
    Some(encoded)
}

fn hex_digit(byte: u8) -> Option<u8> {
    let digit = char::from(byte).to_digit(16)?;
    u8::try_from(digit).ok()
}

/// Of a segment, and not percent-encoded
/// ([RFC 3986 section 3.3](https://www.rfc-editor.org/rfc/rfc3986#section-3.3)).
fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte)
}

fn has_dot_segment(canonical: &str) -> bool {
    canonical.contains("/.")
        && canonical
            .split('/')
            .any(|segment| [".", ".."].contains(&segment))
}

/// What a parameter for one segment stands for, decoded. `None` where that is not UTF-8, or where
/// what surrounds the parameter in its segment cuts a percent-encoded byte in two.
pub(super) fn decode(part: &str) -> Option<String> {
    let is_whole = |after_percent: &str| after_percent.len() >= 2;
    if !part.split('%').skip(1).all(is_whole) {
        return None;
    }
    let decoded = percent_decode_str(part).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

/// What a wildcard stands for, decoded but for the slashes that belong to a segment: those that
/// separate segments would be mistaken for them.
pub(super) fn decode_wildcard(rest: &str) -> Option<String> {
    let parts = rest.split("%2F").map(decode);
    let parts: Option<Vec<_>> = parts.collect();
    Some(parts?.join("%2F"))
}

/// Whether a route ends with a wildcard, where `canonical` is the form of its path.
pub(super) fn has_wildcard(canonical: &str) -> bool {
    // A brace that stands for itself is percent-encoded there.
    canonical.contains("{*")
}

/// A name that two parameters of a well-formed path share: a handler could see the first alone.
pub(super) fn repeated_param(path: &str) -> Option<String> {
    // Doubled braces stand for themselves.
    let path = path.replace("{{", "").replace("}}", "");
    let mut seen = Vec::new();
    for (param, _) in path.split('{').skip(1).filter_map(|p| p.split_once('}')) {
        let name = param.trim_start_matches('*');
        if seen.contains(&name) {
            return Some(name.to_owned());
        }
        seen.push(name);
    }
    None
}
