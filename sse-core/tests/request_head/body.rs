//! The body's length in a head.

use sse_core::http::{BodyLength, Request, RequestHead};

use super::{refused, taken, with_lines};

#[test]
fn content_length_is_one_number() {
    for (text, body) in [
        ("0", ""),
        ("000", ""),
        ("1", " | 1 bytes"),
        ("007", " | 7 bytes"),
        ("18446744073709551615", " | 18446744073709551615 bytes"),
    ] {
        taken(
            with_lines(&format!("Content-Length: {text}\t")),
            &format!("GET / HTTP/1.1 | host: a | content-length: {text}{body}"),
        );
    }
    for text in [
        "",
        " ",
        "+5",
        "-1",
        "-0",
        "0x10",
        "1e3",
        "5.0",
        "1 2",
        "1\t2",
        "5,",
        "5, 5",
        "5,5",
        "a",
        "\u{665}",
        "18446744073709551616",
        "99999999999999999999999999",
    ] {
        let input = with_lines(&format!("Content-Length: {text}"));
        refused(input, 400, "Content-Length is not a number");
    }
    for (one, other) in [("5", "5"), ("5", "6"), ("0", "0"), ("5", "")] {
        refused(
            with_lines(&format!("Content-Length: {one}\r\ncontent-length: {other}")),
            400,
            "more than one Content-Length",
        );
    }
}

#[test]
fn chunked_is_the_only_transfer_coding() {
    for text in ["chunked", "Chunked", "CHUNKED\t"] {
        taken(
            with_lines(&format!("Transfer-Encoding: {text}")),
            &format!(
                "GET / HTTP/1.1 | host: a | transfer-encoding: {} | chunks",
                text.trim()
            ),
        );
    }
    for (text, status) in [
        ("gzip", 501),
        ("identity", 501),
        ("gzip, chunked", 501),
        ("identity, chunked", 501),
        ("gzip\r\nTransfer-Encoding: chunked", 501),
        ("chunked;q=1", 501),
        ("chunked;", 501),
        ("xchunked", 501),
        ("chunkedx", 501),
        ("chunked chunked", 501),
        ("\"chunked\"", 501),
        ("chunked\x0b", 400),
        ("chunked, chunked", 400),
        ("chunked,chunked", 400),
        ("chunked, gzip", 400),
        ("chunked, identity", 400),
        ("gzip, chunked, chunked", 400),
        ("chunked\r\nTransfer-Encoding: chunked", 400),
        ("chunked\r\ntransfer-encoding: gzip", 400),
        ("", 400),
        (",", 400),
        ("\r\nTransfer-Encoding:", 400),
    ] {
        let input = with_lines(&format!("Transfer-Encoding: {text}"));
        refused(input, status, "");
    }
    refused(
        b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\xa0\r\n\r\n",
        501,
        "transfer coding",
    );
    for text in ["chunked", "gzip", "", "identity"] {
        refused(
            format!("GET / HTTP/1.0\r\nTransfer-Encoding: {text}\r\n\r\n"),
            400,
            "HTTP/1.0 has no Transfer-Encoding",
        );
    }
    for lines in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: chunked\r\nContent-Length: 0",
        "Transfer-Encoding: gzip\r\nContent-Length: x",
    ] {
        refused(
            with_lines(lines),
            400,
            "both Transfer-Encoding and Content-Length",
        );
    }
}

/// A foreign server may announce an empty body.
#[test]
fn an_empty_body_is_no_body_for_every_reader_of_the_head() {
    for (said, body) in [
        (BodyLength::None, BodyLength::None),
        (BodyLength::Exact(0), BodyLength::None),
        (BodyLength::Exact(1), BodyLength::Exact(1)),
        (BodyLength::Chunked, BodyLength::Chunked),
    ] {
        let head = RequestHead::of_server(Request::new(()), said);
        assert_eq!(head.body(), body);
    }
    let request = Request::get("/").header("host", "a");
    let request = request.header("content-length", "0").body(()).unwrap();
    let head = RequestHead::new(request).unwrap();
    assert_eq!(head.body(), BodyLength::None);
}
