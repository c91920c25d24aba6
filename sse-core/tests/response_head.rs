//! Response heads: which are accepted and which are rejected, however the input is cut.
#![cfg(feature = "client")]
#![allow(clippy::panic, clippy::unwrap_used)] // that is how a test fails

use proptest::{prelude::*, sample::Index};
use sse_core::http::{
    Response, ResponseHeadError, ResponseHeadLimits, ResponseHeadReader, Version,
};

use Outcome::{Head, Incomplete, Refused};
use ResponseHeadError::{Malformed, SwitchedProtocols, TooLarge, TooManyFields, TooManyInterim};

/// The result of reading an input.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    /// The head in one line, and the bytes after it.
    Head(String, Vec<u8>),
    Refused(ResponseHeadError),
    Incomplete,
}

/// Version, status and fields with `|` between them.
fn describe(response: &Response<()>) -> String {
    let version = match response.version() {
        Version::HTTP_10 => "1.0",
        Version::HTTP_11 => "1.1",
        other => panic!("there is no {other:?} here"),
    };
    let mut line = format!("{version} {}", response.status().as_u16());
    for (name, value) in response.headers() {
        line += &format!(" | {name}: {}", value.as_bytes().escape_ascii());
    }
    line
}

fn read<'a>(limits: ResponseHeadLimits, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut reader = ResponseHeadReader::new(limits);
    let mut pieces = pieces.into_iter();
    while let Some(mut piece) = pieces.next() {
        match reader.read(&mut piece) {
            Ok(None) => assert!(piece.is_empty(), "what is incomplete takes everything"),
            Ok(Some(response)) => {
                let mut rest = piece.to_vec();
                pieces.for_each(|piece| rest.extend_from_slice(piece));
                return Head(describe(&response), rest);
            }
            Err(error) => return Refused(error),
        }
    }
    Incomplete
}

/// Reads the input whole, byte by byte, and cut in two at every place.
fn read_cut_anyhow(limits: ResponseHeadLimits, input: &[u8]) -> Outcome {
    let whole = read(limits, [input]);
    let what = input[..input.len().min(200)].escape_ascii();
    assert_eq!(read(limits, input.chunks(1)), whole, "byte by byte: {what}");
    // A long input is not cut everywhere.
    for at in (0..input.len()).step_by(input.len() / 500 + 1) {
        let (first, second) = input.split_at(at);
        assert_eq!(
            read(limits, [first, b"", second]),
            whole,
            "cut at {at}: {what}"
        );
    }
    whole
}

fn outcome(input: impl AsRef<[u8]>) -> Outcome {
    read_cut_anyhow(ResponseHeadLimits::default(), input.as_ref())
}

#[test]
fn good_heads_are_taken_up_to_their_end() {
    let table: &[(&str, &str, &str)] = &[
        ("HTTP/1.1 200 OK\r\n\r\n", "1.1 200", ""),
        ("HTTP/1.0 200 OK\r\n\r\n", "1.0 200", ""),
        ("HTTP/1.1 200 OK\r\n\r\n\r\nrest", "1.1 200", "\r\nrest"),
        // The reason may be empty, and some servers leave out the space before it.
        ("HTTP/1.1 200 \r\n\r\n", "1.1 200", ""),
        ("HTTP/1.1 200\r\n\r\n", "1.1 200", ""),
        ("HTTP/1.1 404 Nö, not there!\r\n\r\n", "1.1 404", ""),
        ("HTTP/1.1 999 What?\r\n\r\n", "1.1 999", ""),
        (
            "HTTP/1.1 200 OK\r\nA: b\r\nC:d \t\r\nE:\r\na: f\r\n\r\nrest",
            "1.1 200 | a: b | a: f | c: d | e: ",
            "rest",
        ),
        (
            "HTTP/1.1 200 OK\r\na: \u{fc}\r\n\r\n",
            "1.1 200 | a: \\xc3\\xbc",
            "",
        ),
        // Lines that end in LF alone are unambiguous.
        ("HTTP/1.1 200 OK\na: b\n\nrest", "1.1 200 | a: b", "rest"),
        (
            "HTTP/1.1 200 OK\r\na: b\n\r\nrest",
            "1.1 200 | a: b",
            "rest",
        ),
        // Interim responses are skipped, with their fields.
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n\
             HTTP/1.1 200 OK\r\na: b\r\n\r\nrest",
            "1.1 200 | a: b",
            "rest",
        ),
        ("HTTP/1.1 199 Hm\r\n\r\nHTTP/1.0 204\r\n\r\n", "1.0 204", ""),
    ];
    for (input, head, rest) in table {
        let expected = Head((*head).to_owned(), rest.as_bytes().to_vec());
        assert_eq!(outcome(input), expected, "{input:?}");
    }
}

#[test]
fn a_head_without_its_end_is_incomplete() {
    for input in [
        "",
        "H",
        "HTTP/1.1 200 OK",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\n\r",
        "HTTP/1.1 200 OK\r\na: b\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n",
    ] {
        assert_eq!(outcome(input), Incomplete, "{input:?}");
    }
}

#[test]
fn input_that_is_not_http_is_refused_at_its_first_byte() {
    for input in [
        "h",
        "hello",
        "\r",
        "\n",
        " HTTP/1.1 200 OK\r\n\r\n",
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
        "http/1.1 200 OK\r\n\r\n",
        "HTTP/2",
        "HTTP/0.9 200 OK\r\n\r\n",
        "SSH-2.0-OpenSSH",
        "ICY 200 OK\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\ndata: x",
    ] {
        assert!(matches!(outcome(input), Refused(Malformed(_))), "{input:?}");
    }
}

#[test]
fn malformed_heads_are_refused() {
    for input in [
        "HTTP/1.2 200 OK\r\n\r\n",
        "HTTP/1.11 200 OK\r\n\r\n",
        "HTTP/1.1\r\n\r\n",
        "HTTP/1.1 \r\n\r\n",
        "HTTP/1.1 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1 000 OK\r\n\r\n",
        "HTTP/1.1 -20 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nnothing\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: b\r\n\r\n",
        "HTTP/1.1 200 OK\r\na : b\r\n\r\n",
        "HTTP/1.1 200 OK\r\na b: c\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\u{fc}: b\r\n\r\n",
        // This line continues in the next one.
        "HTTP/1.1 200 OK\r\na: b\r\n c\r\n\r\n",
        "HTTP/1.1 200 OK\r\n a: b\r\n\r\n",
        // Some readers ignore these bytes.
        "HTTP/1.1 200 OK\r\na: b\0\r\n\r\n",
        "HTTP/1.1 200 OK\r\na: b\rc: d\r\n\r\n",
        "HTTP/1.1 200 OK\r\na: b\r\r\n\r\n",
        "HTTP/1.1 200 OK\r\na: b\r\n\r\r\n\r\n",
        "HTTP/1.1 200 OK\rX\n\r\n",
        "HTTP/1.1 200 O\rK\r\n\r\n",
        "HTTP/1.1 200 O\0K\r\n\r\n",
        "HTTP/1.1 200 OK\r\na: \x7f\r\n\r\n",
        // An interim response has to be valid, too.
        "HTTP/1.1 100 Continue\r\na\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ] {
        assert!(
            matches!(outcome(input), Refused(Malformed(_))),
            "{input:?}: {:?}",
            outcome(input)
        );
    }
}

#[test]
fn a_switch_of_protocols_is_refused() {
    let input = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nrest";
    assert_eq!(outcome(input), Refused(SwitchedProtocols));
}

fn limits(change: impl FnOnce(&mut ResponseHeadLimits)) -> ResponseHeadLimits {
    let mut limits = ResponseHeadLimits::default();
    change(&mut limits);
    limits
}

#[test]
fn a_head_has_so_many_bytes() {
    let head = "HTTP/1.1 200 OK\r\na: b\r\n\r\n";
    let fits = limits(|limits| limits.head = head.len());
    let rest = [head, &"x".repeat(100)].concat();
    assert!(matches!(read_cut_anyhow(fits, rest.as_bytes()), Head(..)));
    let tight = limits(|limits| limits.head = head.len() - 1);
    let refused = Refused(TooLarge(head.len() - 1));
    assert_eq!(read_cut_anyhow(tight, head.as_bytes()), refused);
    // The end is not waited for, either.
    assert_eq!(
        read_cut_anyhow(tight, &head.as_bytes()[..head.len() - 1]),
        Incomplete
    );
    let endless = [head.trim_end(), &"b".repeat(100)].concat();
    assert_eq!(read_cut_anyhow(tight, endless.as_bytes()), refused);
    // Each interim response counts by itself.
    let interim = "HTTP/1.1 100 Go on\r\n\r\n";
    assert!(matches!(
        read_cut_anyhow(fits, [interim, head].concat().as_bytes()),
        Head(..)
    ));
}

#[test]
fn limits_that_let_nothing_through_do_so_however_the_input_is_cut() {
    for limit in 0..20 {
        let limits = limits(|limits| limits.head = limit);
        for input in ["HTTP/1.1 200 OK\r\n\r\n", "HTTX", "HTTPX", "X"] {
            let outcome = read_cut_anyhow(limits, input.as_bytes());
            assert!(!matches!(outcome, Head(..)) || limit >= input.len());
        }
    }
}

#[test]
fn a_head_has_so_many_fields() {
    let head = |fields: usize| format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(fields));
    for limit in [0, 1, 99, 100, 101, 500] {
        let limits = limits(|limits| limits.fields = limit);
        assert!(
            matches!(read(limits, [head(limit).as_bytes()]), Head(..)),
            "{limit}"
        );
        let refused = Refused(TooManyFields(limit));
        assert_eq!(read(limits, [head(limit + 1).as_bytes()]), refused);
    }
    // More than a map holds are never accepted, and room for more than there is memory for is never
    // allocated.
    let boundless = limits(|limits| {
        limits.fields = usize::MAX;
        limits.head = usize::MAX;
    });
    assert!(matches!(
        read(boundless, [head(24_576).as_bytes()]),
        Head(..)
    ));
    assert_eq!(
        read(boundless, [head(24_577).as_bytes()]),
        Refused(TooManyFields(24_576))
    );
    // The same is true of names that all differ.
    let different: String = (0..30_000).map(|n| format!("a{n}: b\r\n")).collect();
    let head = format!("HTTP/1.1 200 OK\r\n{different}\r\n");
    assert_eq!(
        read(boundless, [head.as_bytes()]),
        Refused(TooManyFields(24_576))
    );
}

#[test]
fn so_many_interim_responses_are_passed_over() {
    let input = |interim: usize| "HTTP/1.1 100 Go on\n\n".repeat(interim) + "HTTP/1.1 200 OK\n\n";
    for limit in [0, 1, 16] {
        let limits = limits(|limits| limits.interim = limit);
        let good = read_cut_anyhow(limits, input(limit).as_bytes());
        assert!(matches!(good, Head(..)));
        let refused = Refused(TooManyInterim(limit));
        assert_eq!(
            read_cut_anyhow(limits, input(limit + 1).as_bytes()),
            refused
        );
    }
}

const GOOD: &[&str] = &[
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: x\n\n",
    "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\na: b\r\n\r\nrest",
    "HTTP/1.0 404 Not there\na: b\nc: d\n\nrest",
    "HTTP/1.1 302\r\nLocation: /\r\n\r\n",
];

proptest! {
    /// However a head is changed and cut, the cuts make no difference, and nothing panics.
    #[test]
    fn cuts_make_no_difference(
        good in prop::sample::select(GOOD),
        changes in prop::collection::vec(
            (any::<Index>(), prop::sample::select(b"\r\n\0 \t:01Ha\xff".to_vec()), 0..3_u8),
            0..4,
        ),
        head in 0..100_usize,
    ) {
        let mut input = good.as_bytes().to_vec();
        for (at, byte, how) in changes {
            let at = at.index(input.len());
            match how {
                0 => input[at] = byte,
                1 => input.insert(at, byte),
                _ => _ = input.remove(at),
            }
        }
        outcome(&input);
        let small = limits(|limits| {
            limits.head = head;
            limits.fields = 1;
            limits.interim = 1;
        });
        read_cut_anyhow(small, &input);
    }
}
