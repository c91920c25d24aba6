//! Writes a response's head ([RFC 9112 section 4](https://www.rfc-editor.org/rfc/rfc9112#section-4)).

use std::time::SystemTime;

use ::http::{HeaderMap, HeaderName, StatusCode, header};
use httpdate::HttpDate;

use super::Framing;

/// Returns whether the field belongs to the connection. If the caller sets such a field it is left out,
/// so that no field contradicts the connection.
pub(crate) fn is_the_connections(name: &HeaderName) -> bool {
    const OTHERS: [&str; 2] = ["keep-alive", "proxy-connection"];
    [
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ]
    .contains(name)
        || OTHERS.contains(&name.as_str())
}

/// Appends the head. The status line says HTTP/1.1 whatever the request's version was ([RFC 9110 section
/// 2.5](https://www.rfc-editor.org/rfc/rfc9110#section-2.5)). There is one response per connection, and
/// `Connection: close` says so. A `Date` among `headers` takes the place of `date`.
pub(crate) fn encode_response_head(
    status: StatusCode,
    headers: &HeaderMap,
    date: SystemTime,
    framing: Framing,
    out: &mut Vec<u8>,
) {
    // Most names and values fit in this; the buffer grows if they do not.
    out.reserve(192 + headers.len() * 48);

    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    // A status without a registered reason has an empty one; the space stays.
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");

    for (name, value) in headers {
        if !is_the_connections(name) {
            put_field(out, name.as_str(), value.as_bytes());
        }
    }
    if !headers.contains_key(header::DATE) && is_a_date(date) {
        put_field(out, "date", HttpDate::from(date).to_string().as_bytes());
    }
    put_field(out, "connection", b"close");
    match framing {
        Framing::NoBody | Framing::CloseDelimited => {}
        Framing::Chunked => put_field(out, "transfer-encoding", b"chunked"),
        Framing::ContentLength(length) => {
            put_field(
                out,
                "content-length",
                itoa::Buffer::new().format(length).as_bytes(),
            );
        }
    }
    out.extend_from_slice(b"\r\n");
}

fn put_field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Returns whether `HttpDate` can hold the date: the years 1970 to 9999. It panics at others.
fn is_a_date(date: SystemTime) -> bool {
    const YEAR_10_000: u64 = 253_402_300_800;
    date.duration_since(SystemTime::UNIX_EPOCH)
        .is_ok_and(|since| since.as_secs() < YEAR_10_000)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ::http::HeaderValue;

    use super::*;

    fn encoded(status: u16, headers: &[(&'static str, &'static str)], framing: Framing) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        let date = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let mut out = Vec::new();
        encode_response_head(
            StatusCode::from_u16(status).unwrap(),
            &map,
            date,
            framing,
            &mut out,
        );
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_head_is_its_status_line_its_fields_and_the_connections() {
        assert_eq!(
            encoded(
                200,
                &[("set-cookie", "a=1"), ("set-cookie", "b=2")],
                Framing::Chunked
            ),
            "HTTP/1.1 200 OK\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n\
             date: Sun, 06 Nov 1994 08:49:37 GMT\r\nconnection: close\r\n\
             transfer-encoding: chunked\r\n\r\n"
        );
        assert_eq!(
            encoded(599, &[("date", "today")], Framing::ContentLength(12)),
            "HTTP/1.1 599 \r\ndate: today\r\nconnection: close\r\ncontent-length: 12\r\n\r\n"
        );
        for framing in [Framing::NoBody, Framing::CloseDelimited] {
            assert_eq!(
                encoded(204, &[("date", "today")], framing),
                "HTTP/1.1 204 No Content\r\ndate: today\r\nconnection: close\r\n\r\n"
            );
        }
    }

    #[test]
    fn no_field_contradicts_the_connection() {
        let theirs = [
            ("connection", "keep-alive"),
            ("content-length", "1"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("te", "trailers"),
            ("trailer", "expires"),
            ("transfer-encoding", "gzip"),
            ("upgrade", "h2c"),
        ];
        assert_eq!(
            encoded(200, &theirs, Framing::Chunked),
            encoded(200, &[], Framing::Chunked)
        );
    }

    #[test]
    fn a_date_that_cannot_be_written_is_left_out() {
        for date in [
            SystemTime::UNIX_EPOCH - Duration::from_secs(1),
            SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_800),
        ] {
            let mut out = Vec::new();
            let headers = HeaderMap::new();
            encode_response_head(StatusCode::OK, &headers, date, Framing::NoBody, &mut out);
            assert_eq!(out, b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
        }
    }
}
