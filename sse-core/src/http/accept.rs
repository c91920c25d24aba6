//! Whether a request accepts a media type ([RFC 9110 section
//! 12.5.1](https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1)).

use ::http::{HeaderMap, header};

use super::is_token_byte;

/// Returns whether the `Accept` fields of a request allow `type/subtype`.
///
/// A request without the field accepts everything. Of the media ranges that match, the most specific one
/// decides, and a weight of 0 means no. Parameters other than the weight are ignored, and so are invalid
/// parts; if no part is valid, the answer is yes, as without the field.
///
/// ```
/// use sse_core::http::{HeaderMap, HeaderValue, accepts};
///
/// let mut headers = HeaderMap::new();
/// assert!(accepts(&headers, "text", "event-stream"));
/// headers.insert("accept", HeaderValue::from_static("text/html, */*;q=0.1"));
/// assert!(accepts(&headers, "text", "event-stream"));
/// headers.insert("accept", HeaderValue::from_static("application/json"));
/// assert!(!accepts(&headers, "text", "event-stream"));
/// ```
#[must_use]
pub fn accepts(headers: &HeaderMap, type_: &str, subtype: &str) -> bool {
    let mut parsed_any = false;
    let mut best = None;
    for range in headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(Range::parse)
    {
        parsed_any = true;
        if let Some(specificity) = range.matches(type_, subtype) {
            // Of two equal ranges, the one that allows the type decides.
            best = best.max(Some((specificity, range.allowed)));
        }
    }
    match best {
        Some((_, allowed)) => allowed,
        None => !parsed_any,
    }
}

/// A media range, and whether its weight is more than 0.
struct Range<'a> {
    type_: &'a str,
    subtype: &'a str,
    allowed: bool,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (type_, subtype) = parts.next()?.split_once('/')?;
        if !is_token(type_) || !is_token(subtype) || (type_ == "*" && subtype != "*") {
            return None;
        }
        let mut allowed = true;
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            if name.trim().eq_ignore_ascii_case("q") {
                allowed = parse_weight(value.trim())? > 0.0;
            }
        }
        Some(Self {
            type_,
            subtype,
            allowed,
        })
    }

    /// Returns how specific the range is, if the media type is in it.
    fn matches(&self, type_: &str, subtype: &str) -> Option<u8> {
        if self.type_ == "*" {
            Some(0)
        } else if !self.type_.eq_ignore_ascii_case(type_) {
            None
        } else if self.subtype == "*" {
            Some(1)
        } else {
            self.subtype.eq_ignore_ascii_case(subtype).then_some(2)
        }
    }
}

/// Parses a weight ([RFC 9110 section 12.4.2](https://www.rfc-editor.org/rfc/rfc9110#section-12.4.2)):
/// digits and a point. Rust's own parser would also take a sign, an exponent and `NaN`.
pub(super) fn parse_weight(text: &str) -> Option<f32> {
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse().ok().filter(|_| plain)
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

#[cfg(test)]
mod tests {
    use ::http::HeaderValue;

    use super::*;

    #[test]
    fn the_most_specific_range_decides() {
        let table: &[(&[&str], bool)] = &[
            (&[], true),
            (&["text/event-stream"], true),
            (&["TEXT/Event-Stream; charset=utf-8"], true),
            (&["*/*"], true),
            (&["text/*"], true),
            (&["text/html, application/xhtml+xml, */*;q=0.8"], true),
            (&["text/html"], false),
            (&["application/*"], false),
            (&["text/html", "text/event-stream;q=0.001"], true),
            (&["text/event-stream;q=0"], false),
            (&["text/event-stream;q=0.000, */*"], false),
            (&["*/*, text/event-stream ; Q=0"], false),
            (&["text/*;q=0, text/event-stream"], true),
            (&["*/*;q=0, text/*"], true),
            (&["text/event-stream;q=0, text/event-stream"], true),
            (&[""], true),
            (&["nonsense"], true),
            (&["*/event-stream"], true),
            (&["nonsense, text/html"], false),
            (&["text/event-stream;q=high"], true),
            (&["text/html, text/event-stream;q=high"], false),
            (&["text/html, text/event-stream;q=+1"], false),
            (&["text/event-streams"], false),
            (&[",, text/event-stream ,"], true),
        ];
        for (fields, expected) in table {
            let mut headers = HeaderMap::new();
            for field in *fields {
                headers.append(header::ACCEPT, HeaderValue::from_static(field));
            }
            assert_eq!(
                accepts(&headers, "text", "event-stream"),
                *expected,
                "{fields:?}"
            );
        }
    }
}
