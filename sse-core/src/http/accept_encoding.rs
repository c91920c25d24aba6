//! Whether a request accepts the content coding `gzip` ([RFC 9110 section
//! 12.5.3](https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3)).

use ::http::{HeaderMap, header};

use super::accept::parse_weight;

/// Returns whether the `Accept-Encoding` fields of a request ask for `gzip`.
///
/// The answer is no where the request has no such field, where no field names `gzip` or `*`, and where
/// `gzip` has the weight 0 or a lower weight than `identity`. A part that is invalid is ignored.
///
/// ```
/// use sse_core::http::{HeaderMap, HeaderValue, accepts_gzip};
///
/// let mut headers = HeaderMap::new();
/// assert!(!accepts_gzip(&headers));
/// headers.insert("accept-encoding", HeaderValue::from_static("gzip, deflate, br"));
/// assert!(accepts_gzip(&headers));
/// headers.insert("accept-encoding", HeaderValue::from_static("br, gzip;q=0"));
/// assert!(!accepts_gzip(&headers));
/// ```
#[must_use]
#[cfg(all(feature = "compression", feature = "server"))]
pub fn accepts_gzip(headers: &HeaderMap) -> bool {
    let (mut gzip, mut identity, mut any) = (None, None, None);
    for (coding, weight) in headers
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(parse)
    {
        let known = match coding {
            // `x-gzip` is an old name of `gzip`.
            _ if is(coding, "gzip") || is(coding, "x-gzip") => &mut gzip,
            _ if is(coding, "identity") => &mut identity,
            "*" => &mut any,
            _ => continue,
        };
        // Of two equal codings the higher weight counts.
        *known = Some(known.map_or(weight, |before: f32| before.max(weight)));
    }
    let gzip = gzip.or(any).unwrap_or(0.0);
    gzip > 0.0 && gzip >= identity.unwrap_or(0.0)
}

fn is(coding: &str, name: &str) -> bool {
    coding.eq_ignore_ascii_case(name)
}

fn parse(text: &str) -> Option<(&str, f32)> {
    let (coding, parameters) = match text.split_once(';') {
        Some((coding, parameters)) => (coding, Some(parameters)),
        None => (text, None),
    };
    let weight = match parameters {
        None => 1.0,
        Some(parameters) => {
            let (name, value) = parameters.split_once('=')?;
            parse_weight(value.trim()).filter(|_| name.trim().eq_ignore_ascii_case("q"))?
        }
    };
    Some((coding.trim(), weight))
}

#[cfg(test)]
mod tests {
    use ::http::HeaderValue;

    use super::*;

    #[test]
    fn gzip_is_taken_where_it_is_named_and_no_less_than_identity() {
        let table: &[(&[&str], bool)] = &[
            (&[], false),
            (&[""], false),
            (&["gzip"], true),
            (&["GZip"], true),
            (&["x-gzip"], true),
            (&["gzip, deflate, br, zstd"], true),
            (&["br", "gzip"], true),
            (&["deflate, br"], false),
            (&["*"], true),
            (&["*;q=0"], false),
            (&["*;q=0, gzip"], true),
            (&["*, gzip;q=0"], false),
            (&["gzip;q=0"], false),
            (&["gzip;q=0.000"], false),
            (&["gzip;q=0.001"], true),
            (&["gzip ; Q = 0.5"], true),
            (&["identity"], false),
            (&["identity, gzip"], true),
            (&["identity, gzip;q=0.5"], false),
            (&["identity;q=0.5, gzip;q=0.5"], true),
            (&["identity;q=0, gzip;q=0.1"], true),
            (&["identity;q=0"], false),
            (&["identity;q=0, *"], true),
            (&["gzip;q=high"], false),
            (&["gzip;q=-1"], false),
            (&["gzip;level=9"], false),
            (&["gzips"], false),
            (&[",, gzip ,"], true),
        ];
        for (fields, expected) in table {
            let mut headers = HeaderMap::new();
            for field in *fields {
                headers.append(header::ACCEPT_ENCODING, HeaderValue::from_static(field));
            }
            assert_eq!(accepts_gzip(&headers), *expected, "{fields:?}");
        }
    }
}
