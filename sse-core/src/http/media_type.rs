//! Whether a response is an event stream.

use ::http::{HeaderMap, HeaderValue, header};

/// Returns whether the `Content-Type` of a response is `text/event-stream`, in UTF-8 if it has a
/// `charset`.
///
/// The standard does not say how to read a content type that is not well-formed, and browsers differ;
/// this function reads it as Chromium does. Letter case and parameters do not matter, nor does text after
/// a blank behind the type. Of several types, in one field or in several, the last one counts. A
/// `charset` other than UTF-8 means no.
///
/// ```
/// use sse_core::http::{HeaderMap, HeaderValue, is_event_stream};
///
/// let mut headers = HeaderMap::new();
/// headers.insert("content-type", HeaderValue::from_static("Text/Event-Stream; charset=utf-8"));
/// assert!(is_event_stream(&headers));
/// headers.insert("content-type", HeaderValue::from_static("text/html"));
/// assert!(!is_event_stream(&headers));
/// ```
#[must_use]
pub fn is_event_stream(headers: &HeaderMap) -> bool {
    let mut last = ContentType::default();
    for value in headers.get_all(header::CONTENT_TYPE) {
        // Bytes that are not ASCII do not matter for any of the types.
        let value = String::from_utf8_lossy(value.as_bytes());
        for content_type in split_unquoted(&value, ',') {
            last.read(content_type);
        }
    }
    last.essence.eq_ignore_ascii_case("text/event-stream")
        && last.charset.is_none_or(|charset| is_utf8(&charset))
}

/// A content coding that the client decodes
/// ([RFC 9110 section 8.4.1](https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1)).
#[cfg(feature = "compression")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KnownCoding {
    Gzip,
    Deflate,
}

#[cfg(feature = "compression")]
impl KnownCoding {
    /// Returns the coding of this value, if it is a single one of these.
    pub(crate) fn of(coding: &HeaderValue) -> Option<Self> {
        let coding = coding.as_bytes().trim_ascii();
        let is = |name: &str| coding.eq_ignore_ascii_case(name.as_bytes());
        match () {
            () if is("gzip") || is("x-gzip") => Some(Self::Gzip),
            () if is("deflate") => Some(Self::Deflate),
            () => None,
        }
    }
}

/// Returns the content codings of a response, one for each of its fields.
pub(crate) fn content_codings(headers: &HeaderMap) -> impl Iterator<Item = &HeaderValue> {
    let codings = headers.get_all(header::CONTENT_ENCODING).iter();
    codings.filter(|codings| !codings.as_bytes().split(|&b| b == b',').all(is_no_coding))
}

/// Returns whether this element of a `Content-Encoding` leaves the body as it is. `none` and `utf-8` are not
/// registered codings: servers write the one so that nothing between them and the client compresses, and the
/// other where they mean the charset. Browsers and curl ignore both.
fn is_no_coding(coding: &[u8]) -> bool {
    let coding = coding.trim_ascii();
    let names: [&[u8]; 5] = [b"", b"identity", b"none", b"utf-8", b"utf8"];
    names.iter().any(|name| coding.eq_ignore_ascii_case(name))
}

#[derive(Default)]
struct ContentType {
    /// The type and the subtype.
    essence: String,
    charset: Option<String>,
}

impl ContentType {
    /// Takes over the type and the charset of another content type, if it is valid.
    fn read(&mut self, text: &str) {
        let text = text.trim();
        let end = text.find([' ', '\t', ';', '(']).unwrap_or(text.len());
        let (essence, rest) = text.split_at(end);
        if essence == "*/*" || !essence.contains('/') {
            return;
        }
        let charset = split_unquoted(rest, ';')
            .skip(1)
            .filter_map(|parameter| parameter.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))
            .map(|(_, value)| value.trim().trim_matches('"').trim().to_owned());
        // The same type again, without a charset, keeps the earlier charset.
        if charset.is_some() || !self.essence.eq_ignore_ascii_case(essence) {
            self.charset = charset;
        }
        self.essence = essence.to_owned();
    }
}

/// Returns whether this is a label of UTF-8 ([Encoding
/// standard](https://encoding.spec.whatwg.org/#names-and-labels)).
fn is_utf8(charset: &str) -> bool {
    ["", "utf-8", "utf8"]
        .iter()
        .any(|label| charset.eq_ignore_ascii_case(label))
}

/// Splits `text` at each `separator` that is not in a quoted string.
fn split_unquoted(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c| {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => return c == separator && !quoted,
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_are_read_as_chromium_reads_them() {
        let table: &[(&[&str], bool)] = &[
            (&["text/event-stream"], true),
            (&["TEXT/EVENT-STREAM"], true),
            (&["Text/Event-Stream"], true),
            (&["text/event-stream; charset=utf-8"], true),
            (&["text/event-stream;CHARSET=\"UTF-8\""], true),
            (&["text/event-stream; charset=utf8"], true),
            (&["text/event-stream; charset="], true),
            (&["text/event-stream; charset=windows-1252"], false),
            (&["text/event-stream; charset=bogus"], false),
            (&["text/event-stream; boundary=x; charset=latin1"], false),
            (&["text/event-stream; note=\"; charset=latin1\""], true),
            (&["text/event-stream; note=\"\\\"; charset=latin1\""], true),
            (&["text/event-stream; foo=bar"], true),
            (&["text/event-stream;"], true),
            (&["text/event-stream ;charset=utf-8"], true),
            (&["text/event-stream junk"], true),
            (&["text/event-stream(comment)"], true),
            (&["text/event-streamx"], false),
            (&["text/plain"], false),
            (&["application/json"], false),
            (&["bogus"], false),
            (&[""], false),
            (&[], false),
            (&["text/event-stream, text/plain"], false),
            (&["text/plain, text/event-stream"], true),
            (&["text/event-stream, bogus"], true),
            (&["text/plain", "text/event-stream"], true),
            (&["text/event-stream", "text/plain"], false),
            (
                &["text/event-stream; charset=latin1", "text/event-stream"],
                false,
            ),
            (&["text/plain; charset=latin1", "text/event-stream"], true),
        ];
        for (fields, expected) in table {
            let mut headers = HeaderMap::new();
            for field in *fields {
                headers.append(header::CONTENT_TYPE, HeaderValue::from_static(field));
            }
            assert_eq!(is_event_stream(&headers), *expected, "{fields:?}");
        }
    }

    #[test]
    fn identity_is_not_a_coding() {
        let mut headers = HeaderMap::new();
        assert_eq!(content_codings(&headers).next(), None);
        headers.append("content-encoding", HeaderValue::from_static(" Identity"));
        assert_eq!(content_codings(&headers).next(), None);
        headers.append("content-encoding", HeaderValue::from_static("gzip"));
        assert_eq!(content_codings(&headers).next().unwrap(), "gzip");
    }
}
