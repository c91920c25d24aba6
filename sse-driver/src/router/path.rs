//! The comparison of paths, the syntax of a route's path, and the values of its parameters.
//!
//! Two paths that differ only in their percent-encoding are the same path. The paths of routes and of
//! requests are therefore converted to one form before they are matched; otherwise a wildcard could match
//! a path that has a route of its own, such as `/w/%61dmin` for `/w/admin`. In that form a byte is
//! percent-encoded if it cannot stand in a path, or if it is a slash or a percent sign that belongs to a
//! segment.

use std::{borrow::Cow, fmt::Write};

use percent_encoding::percent_decode_str;

/// The largest number of parameters of a route: the matcher names them by letters, and panics at one more.
const MAX_PARAMS: usize = 25;

/// Why a request's path has no canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PathFault {
    /// A percent sign is not followed by two hexadecimal digits.
    Encoding,
    /// A segment is `.` or `..`, percent-encoded or not. Clients resolve those before they send the
    /// request; what they mean otherwise is not defined.
    DotSegment,
}

impl PathFault {
    /// Returns the text for a client whose path is `path`.
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

/// Returns the form in which a request's path is matched.
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

/// Returns the form in which a route's path is matched, with its parameters unchanged. `Err` says why no
/// request has such a path.
pub(super) fn canonical_route(path: &str) -> Result<String, &'static str> {
    if let Some(problem) = problem_with_syntax(path) {
        return Err(problem);
    }
    let (mut canonical, mut rest, mut params) = (String::new(), path, 0);
    while !rest.is_empty() {
        let (literal, param, after) = split_at_param(rest);
        // Doubled braces are literal braces.
        let literal = literal.replace("{{", "{").replace("}}", "}");
        canonical += &encode(&literal)
            .ok_or("a percent sign is not followed by two hexadecimal digits; write %25")?;
        if let Some(problem) = problem_with_param(param) {
            return Err(problem);
        }
        params += usize::from(!param.is_empty());
        if params > MAX_PARAMS {
            return Err("it has more than 25 parameters");
        }
        canonical += param;
        rest = after;
    }
    match has_dot_segment(&canonical) {
        true => Err("a segment of it is . or .., which no request has"),
        false => Ok(canonical),
    }
}

/// Returns what in this path most probably means something else: the syntax of parameters in other routers,
/// or a query. A route with it would only be found by requests that have these very characters.
fn problem_with_syntax(path: &str) -> Option<&'static str> {
    if path.contains('?') {
        return Some(
            "it has a query, which is not a part of a route: take the value by #[query], or write %3F for a \
             question mark of the path",
        );
    }
    path.split('/').find_map(|segment| match segment.as_bytes() {
        [b':', ..] => Some(
            "a segment of it begins with a colon; write {id} for a parameter, or %3A for a colon of the path",
        ),
        [b'*', ..] => Some(
            "a segment of it begins with an asterisk; write {*rest} for the rest of a path, or %2A for an \
             asterisk of the path",
        ),
        _ => None,
    })
}

/// Returns why this is not a parameter, although it has a brace. An empty text is none at all.
fn problem_with_param(param: &str) -> Option<&'static str> {
    if param.is_empty() {
        return None;
    }
    let name = param.strip_prefix('{').and_then(|it| it.strip_suffix('}'));
    match name {
        None => Some("a brace in it has no counterpart; write {{ or }} for a brace of the path"),
        Some(name) if name.contains(['{', '/']) => {
            Some("a parameter's name has a brace or a slash in it; end it with }")
        }
        Some(_) => None,
    }
}

/// Returns the text before the first parameter, the parameter, and the rest. An invalid parameter is
/// returned like a valid one.
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

/// Percent-encodes a path. Returns `None` where a percent sign is not followed by two hexadecimal digits.
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

/// Returns whether the byte may stand in a segment without percent-encoding ([RFC 3986 section
/// 3.3](https://www.rfc-editor.org/rfc/rfc3986#section-3.3)).
fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte)
}

fn has_dot_segment(canonical: &str) -> bool {
    canonical.contains("/.") && is_or_has_dot_segment(canonical)
}

/// Returns whether this part of a path in its canonical form has a segment `.` or `..`.
pub(super) fn is_or_has_dot_segment(part: &str) -> bool {
    part.split('/')
        .any(|segment| [".", ".."].contains(&segment))
}

/// Returns the decoded value of a parameter for one segment. Returns `None` where it is not UTF-8, or
/// where the literal text around the parameter cuts a percent-encoded byte in two.
pub(super) fn decode(part: &str) -> Option<String> {
    let is_whole = |after_percent: &str| after_percent.len() >= 2;
    if !part.split('%').skip(1).all(is_whole) {
        return None;
    }
    let decoded = percent_decode_str(part).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

/// Returns the decoded value of a wildcard, except for slashes that belong to a segment, which could not
/// be told from those between segments.
pub(super) fn decode_wildcard(rest: &str) -> Option<String> {
    let parts = rest.split("%2F").map(decode);
    let parts: Option<Vec<_>> = parts.collect();
    Some(parts?.join("%2F"))
}

/// Returns whether a route ends with a wildcard. `canonical` is the canonical form of its path.
pub(super) fn has_wildcard(canonical: &str) -> bool {
    // A literal brace is percent-encoded there.
    canonical.contains("{*")
}

/// What a route is found by that has text before or after a parameter in its segment.
pub(super) struct TextAroundParam {
    /// The text before the first parameter.
    pub(super) start: String,
    /// The path without the names of its parameters: two routes with one shape match the same paths.
    pub(super) shape: String,
}

impl TextAroundParam {
    /// Returns `None` if each parameter is a whole segment. `canonical` is the canonical form of a route.
    pub(super) fn of(canonical: &str) -> Option<Self> {
        let is_around = |segment: &str| {
            let is_param = segment.starts_with('{') && segment.ends_with('}');
            segment.contains('{') && !is_param
        };
        if !canonical.split('/').any(is_around) {
            return None;
        }
        let (start, params) = canonical.split_once('{')?;
        let mut shape = start.to_owned();
        for param in params.split('{') {
            let (name, after) = param.split_once('}').unwrap_or((param, ""));
            shape += if name.starts_with('*') { "{*}" } else { "{}" };
            shape += after;
        }
        let start = start.to_owned();
        Some(Self { start, shape })
    }
}

/// How specific a route's path is, segment by segment: of two that match a request, the greater one is
/// for it. The more text is before a parameter or a wildcard, the more specific it is; a segment without
/// one is all text. Then a parameter goes before a wildcard, and the longer text after a parameter counts.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Specificity(Vec<SegmentSpecificity>);

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct SegmentSpecificity {
    prefix_len: usize,
    is_one_segment: bool,
    suffix_len: usize,
}

impl Specificity {
    /// Returns that of a route, from the canonical form of its path.
    pub(super) fn of(canonical: &str) -> Self {
        let segments = canonical.split('/').map(|segment| {
            let (prefix, param) = segment.split_once('{').unwrap_or((segment, ""));
            let suffix = param.split_once('}').map_or("", |(_, suffix)| suffix);
            SegmentSpecificity {
                prefix_len: prefix.len(),
                is_one_segment: !param.starts_with('*'),
                suffix_len: suffix.len(),
            }
        });
        Self(segments.collect())
    }
}

/// Returns a name that two parameters of a well-formed path share: a handler could only read the first.
pub(super) fn repeated_param(path: &str) -> Option<String> {
    // Doubled braces are literal braces.
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
