//! Request heads: which are accepted, and which are rejected with which status, however the input is cut.
#![cfg(feature = "server")]
#![allow(clippy::panic, clippy::unwrap_used)] // that is how a test fails

mod body;
mod host_and_target;
mod laws;
mod limits;

use sse_core::http::{BodyLength, HeadLimits, RequestHead, RequestHeadError, RequestHeadReader};

/// The result of reading an input.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    /// The head in one line, and the bytes after it.
    Head(String, Vec<u8>),
    Refused(RequestHeadError),
    Incomplete,
}

use Outcome::{Head, Incomplete, Refused};

/// Returns method, target, version, fields with `|` between them, and the body unless it is `None`.
fn describe(head: &RequestHead) -> String {
    let request = head.request();
    let mut line = format!(
        "{} {} {:?}",
        request.method(),
        request.uri(),
        request.version()
    );
    for (name, value) in request.headers() {
        line += &format!(" | {name}: {}", value.as_bytes().escape_ascii());
    }
    match head.body() {
        BodyLength::None => {}
        BodyLength::Exact(length) => line += &format!(" | {length} bytes"),
        BodyLength::Chunked => line += " | chunks",
    }
    line
}

fn read<'a>(limits: HeadLimits, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut reader = RequestHeadReader::new(limits);
    let mut pieces = pieces.into_iter();
    while let Some(mut piece) = pieces.next() {
        match reader.read(&mut piece) {
            Ok(None) => assert!(piece.is_empty(), "what is incomplete takes everything"),
            Ok(Some(head)) => {
                let mut rest = piece.to_vec();
                pieces.for_each(|piece| rest.extend_from_slice(piece));
                return Head(describe(&head), rest);
            }
            Err(error) => return Refused(error),
        }
    }
    Incomplete
}

/// Reads the input whole, byte by byte, and cut in two at every place.
fn read_in_every_cut(limits: HeadLimits, input: &[u8]) -> Outcome {
    let whole = read(limits, [input]);
    let shown = input.escape_ascii();
    assert_eq!(read(limits, input.chunks(1)), whole, "by byte: {shown}");
    for at in 0..=input.len() {
        let (first, second) = input.split_at(at);
        assert_eq!(read(limits, [first, second]), whole, "cut at {at}: {shown}");
    }
    whole
}

fn limits(head: usize, fields: usize, target: usize) -> HeadLimits {
    let mut limits = HeadLimits::default();
    limits.head = head;
    limits.fields = fields;
    limits.target = target;
    limits
}

/// Checks that the input is a whole head, and is read as `expected`.
#[track_caller]
fn taken_within(limits: HeadLimits, input: impl AsRef<[u8]>, expected: &str) {
    let input = input.as_ref();
    let shown = input.escape_ascii();
    match read_in_every_cut(limits, input) {
        Head(head, rest) => {
            assert_eq!(head, expected, "{shown}");
            assert!(rest.is_empty(), "{shown}");
        }
        other => panic!("{other:?} from {shown}"),
    }
    // The bytes after it stay, whatever they are.
    let followed = [input, b"\r\nnext\0\r"].concat();
    assert_eq!(
        read_in_every_cut(limits, &followed),
        Head(expected.to_owned(), b"\r\nnext\0\r".to_vec()),
        "{shown}"
    );
}

#[track_caller]
fn taken(input: impl AsRef<[u8]>, expected: &str) {
    taken_within(HeadLimits::default(), input, expected);
}

/// Checks that the input is rejected with a status, and with a text that contains `text`.
#[track_caller]
fn refused_within(limits: HeadLimits, input: impl AsRef<[u8]>, status: u16, text: &str) {
    let input = input.as_ref();
    let shown = input.escape_ascii();
    match read_in_every_cut(limits, input) {
        Refused(error) => {
            assert_eq!(error.status().as_u16(), status, "{error} {shown}");
            assert!(error.to_string().contains(text), "{error} {shown}");
        }
        other => panic!("{other:?} from {shown}"),
    }
}

#[track_caller]
fn refused(input: impl AsRef<[u8]>, status: u16, text: &str) {
    refused_within(HeadLimits::default(), input, status, text);
}

/// Returns `GET / HTTP/1.1` with a Host, and these lines.
fn with_lines(lines: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n")
}

/// Returns a head of HTTP/1.1 with this request line.
fn with_first_line(line: &str) -> String {
    format!("{line}\r\nHost: a\r\n\r\n")
}

#[test]
fn a_head_is_method_target_version_fields_and_body() {
    taken(
        "GET /a?b=c HTTP/1.1\r\nHost: a\r\nX-One:1\r\nx-two: \t2 \t\r\nX-Empty:\r\nx-one: 3\r\n\r\n",
        "GET /a?b=c HTTP/1.1 | host: a | x-one: 1 | x-one: 3 | x-two: 2 | x-empty: ",
    );
    taken(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
        "POST / HTTP/1.1 | host: a | content-length: 5 | 5 bytes",
    );
    taken(
        "!#$%&'*+-.^_`|~09azAZ / HTTP/1.1\r\nHost: a\r\n!#$%&'*+-.^_`|~09az: b\r\n\r\n",
        "!#$%&'*+-.^_`|~09azAZ / HTTP/1.1 | host: a | !#$%&'*+-.^_`|~09az: b",
    );
}

#[test]
fn a_body_without_an_end_is_incomplete() {
    for input in [
        "",
        "\r",
        "\r\n",
        "GET / HTTP/1.1",
        "GET / HTTP/1.1\r\nHost: a\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\r",
    ] {
        assert_eq!(
            read_in_every_cut(HeadLimits::default(), input.as_bytes()),
            Incomplete,
            "{input:?}"
        );
    }
}

#[test]
fn a_reader_is_empty_until_the_first_byte() {
    let mut reader = RequestHeadReader::new(HeadLimits::default());
    assert!(reader.is_empty());
    assert!(reader.read(&mut &b""[..]).unwrap().is_none());
    assert!(reader.is_empty());
    assert!(reader.read(&mut &b"\n"[..]).unwrap().is_none());
    assert!(!reader.is_empty());
}

#[test]
fn lines_end_in_crlf_or_lf() {
    let expected = "GET / HTTP/1.1 | host: a | b: c";
    taken("GET / HTTP/1.1\nHost: a\nB: c\n\n", expected);
    taken("GET / HTTP/1.1\r\nHost: a\nB: c\r\n\n", expected);
    taken("GET / HTTP/1.1\nHost: a\r\nB: c\n\r\n", expected);
}

#[test]
fn empty_lines_at_the_front_are_skipped() {
    let expected = "GET / HTTP/1.1 | host: a";
    for front in ["\r\n", "\n", "\r\n\n\n\r\n\r\n"] {
        taken(
            format!("{front}GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
            expected,
        );
    }
    for front in [
        "\r", "\r\r\n", "\n\r", " ", "\n ", "\t", " \r\n", "\0", "\r\n\0",
    ] {
        refused(
            format!("{front}GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
            400,
            "does not begin with a method",
        );
    }
}

#[test]
fn input_that_cannot_be_http_is_refused_at_the_first_byte() {
    for input in [
        &b"\x16"[..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x80",
        b"{",
        b":",
    ] {
        refused(input, 400, "does not begin with a method");
    }
}

#[test]
fn the_request_line_has_three_parts_and_two_spaces() {
    for line in [
        "GET",
        "GET ",
        "GET  ",
        "GET /",
        "GET / ",
        "GET  / HTTP/1.1",
        "GET /  HTTP/1.1",
        "GET\t/ HTTP/1.1",
        "GET /\tHTTP/1.1",
        "GET / HTTP/1.1 ",
        "GET / HTTP/1.1\t",
        "GET / HTTP/1.1 HTTP/1.1",
        "GET / a HTTP/1.1",
        "GET HTTP/1.1",
        "G(T / HTTP/1.1",
        "G\u{e9}T / HTTP/1.1",
        "GET:/ HTTP/1.1",
        "GET\x0b/ HTTP/1.1",
        "GET\x0c/ HTTP/1.1",
        "GET /\x7f HTTP/1.1",
        "GET /\x01 HTTP/1.1",
        "GET / HTTP/1.1\x0b",
    ] {
        refused(with_first_line(line), 400, "malformed");
    }
    refused("GET / HTTP/1.1\r\n\tHost: a\r\n\r\n", 400, "name");
    refused(b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", 400, "malformed");
}

#[test]
fn other_versions_are_not_supported() {
    for line in [
        "GET / HTTP/2.0",
        "GET / HTTP/0.9",
        "GET / HTTP/1.2",
        "GET / HTTP/3.0",
        "GET / HTTP/9.9",
    ] {
        refused(with_first_line(line), 505, "HTTP/1.1 and HTTP/1.0");
        refused(format!("{line}\n\n"), 505, "HTTP/1.1 and HTTP/1.0");
    }
    refused(
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        505,
        "HTTP/1.1 and HTTP/1.0",
    );
}

#[test]
fn an_invalid_version_is_malformed() {
    for line in [
        "GET / HTTP/1",
        "GET / HTTP/11",
        "GET / HTTP/1.",
        "GET / HTTP/.1",
        "GET / HTTP/1.10",
        "GET / HTTP/01.1",
        "GET / HTTP/20.0",
        "GET / HTTP/2",
        "GET / HTTP/2.x",
        "GET / HTTP/+2.0",
        "GET / http/1.1",
        "GET / http/2.0",
        "GET / HTTPS/1.1",
        "GET / HTTP 2.0",
        "GET / HTTP/",
        "GET / H",
        "GET / ",
        "GET /",
        // The version is valid, but the line is not.
        "GET / HTTP/2.0 ",
        "GET / HTTP/2.0\t",
        "GET / a HTTP/2.0",
        "GET /  HTTP/2.0",
        "GET  / HTTP/2.0",
        "GET HTTP/2.0",
    ] {
        refused(with_first_line(line), 400, "malformed");
        refused(format!("{line}\n\n"), 400, "malformed");
    }
}

/// Checks a head that is spoilt. It may have lost its end, and gets another one.
#[track_caller]
fn refused_once_ended(input: &[u8]) {
    refused([input, b"\r\n\r\n"].concat(), 400, "malformed");
}

#[test]
fn a_bare_cr_or_a_nul_is_refused_everywhere() {
    let good = b"GET /a HTTP/1.1\r\nHost: a\r\nX-Y: b c\r\n\r\n";
    for byte in [b'\r', b'\0'] {
        // The byte before an LF is tested below, because a CR belongs there.
        for at in (0..good.len()).filter(|&at| !b"\r\n".contains(&good[at])) {
            let mut bad = good.to_vec();
            bad.insert(at, byte);
            refused_once_ended(&bad);
            bad.remove(at);
            bad[at] = byte;
            refused_once_ended(&bad);
        }
    }
    // This rule rejects them, and not the form of the line.
    for (value, text) in [("b\rc", "CR without an LF"), ("b\0c", "NUL")] {
        refused(with_lines(&format!("X: {value}")), 400, text);
    }
    for at in (0..good.len()).filter(|&at| good[at] == b'\n') {
        for spoilt in [&b"\r\n"[..], b"\0\n", b"\0", b" "] {
            let bad = [&good[..at], spoilt, &good[at + 1..]].concat();
            refused_once_ended(&bad);
        }
    }
}

#[test]
fn a_field_line_is_a_name_a_colon_and_a_value() {
    for line in [
        "X : b",
        "X\t: b",
        " X: b",
        "\tX: b",
        ": b",
        ":",
        "X",
        "X b",
        "X y: b",
        "X(: b",
        "\"X\": b",
        "X\u{e9}: b",
        "X\x01: b",
        "X\x7f: b",
        // Continuation lines.
        "X: b\r\n c",
        "X: b\r\n\tc",
        "X: b\n c",
        "X:\r\n c",
        "X: b\r\n ",
        "X: b\r\n \r\nY: c",
    ] {
        refused(with_lines(line), 400, "name");
    }
}

#[test]
fn field_values_have_no_control_characters_but_may_have_other_bytes() {
    for byte in (0..=255).filter(|byte| !b"\n\r".contains(byte)) {
        for value in [
            &[b'b', byte, b'c'][..],
            &[b'b', byte],
            &[byte, b'c'],
            &[byte],
        ] {
            let input = [b"GET / HTTP/1.1\r\nHost: a\r\nX: ", value, b"\r\n\r\n"].concat();
            if byte == b'\t' || (byte >= b' ' && byte != 0x7f) {
                let shown = value.trim_ascii().escape_ascii();
                taken(input, &format!("GET / HTTP/1.1 | host: a | x: {shown}"));
            } else {
                refused(input, 400, if byte == 0 { "NUL" } else { "value" });
            }
        }
    }
}

#[test]
fn every_error_says_what_is_wrong() {
    let status = |error: RequestHeadError| error.status().as_u16();
    assert_eq!(status(RequestHeadError::TargetTooLong(7)), 414);
    assert_eq!(status(RequestHeadError::HeadTooLarge(7)), 431);
    assert_eq!(status(RequestHeadError::TooManyFields(7)), 431);
    assert_eq!(status(RequestHeadError::UnknownTransferCoding), 501);
    assert_eq!(status(RequestHeadError::UnknownVersion), 505);
    assert_eq!(status(RequestHeadError::Malformed("it has a NUL")), 400);
    assert_eq!(
        RequestHeadError::Malformed("it has a NUL").to_string(),
        "The request is malformed: it has a NUL."
    );
}
