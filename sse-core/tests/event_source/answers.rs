//! The outcomes of 74 responses of a server.
//!
//! How three clients in use treat them was measured: Chromium, undici and the `eventsource` package of
//! npm, and Chromium alone for codings. Where they differ, this crate follows Chromium, because servers are
//! tested with it. Comments mark the differences from it.

use std::io::ErrorKind::ConnectionReset;

use sse_core::client::{EventSourceConfig, Phase};

use crate::harness::{Client, request_line};

/// What Chromium does in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chromium {
    Reconnects,
    Closes,
}

use Chromium::{Closes, Reconnects};

/// The response on one connection, and how it ends.
#[derive(Clone, Debug)]
enum Answer {
    Ended(String),
    Reset(String),
    /// The connection stays open.
    Stays(String),
}

use Answer::{Ended, Reset, Stays};

const EVENT: &str = "data: hello\n\n";
const STREAM: &str = "text/event-stream";

/// The log of one good connection.
const HELLO: [&str; 4] = ["GET /c", "open 200", r#"message "" "hello""#, "disconnect"];

fn head(status: u16, fields: &[(&str, &str)]) -> String {
    let mut head = format!("HTTP/1.1 {status} Reason\r\n");
    for (name, value) in fields {
        head += &format!("{name}: {value}\r\n");
    }
    head + "\r\n"
}

fn status(status: u16) -> Answer {
    Ended(head(status, &[("Content-Type", STREAM)]) + EVENT)
}

fn content_type(value: &str) -> Vec<Answer> {
    vec![Ended(head(200, &[("Content-Type", value)]) + EVENT)]
}

fn redirect(status: u16, location: &str) -> Answer {
    Stays(head(
        status,
        &[("Location", location), ("Content-Length", "0")],
    ))
}

fn stream(field: (&str, &str), body: &str) -> Vec<Answer> {
    vec![Ended(head(200, &[("Content-Type", STREAM), field]) + body)]
}

/// Plays the responses, each in pieces of `step` bytes, and returns what the event source did: its
/// request lines, and its events. If it continues, the request after the last response is there.
fn play(answers: &[Answer], step: usize) -> Vec<String> {
    let mut client = Client::to("http://a/c", EventSourceConfig::default());
    let mut said = Vec::new();
    let ask = |client: &mut Client, said: &mut Vec<String>| {
        let request = client.connect();
        said.extend(
            client
                .told()
                .into_iter()
                .filter(|line| !line.starts_with("connect ")),
        );
        said.push(
            request_line(&request)
                .trim_end_matches(" HTTP/1.1")
                .to_owned(),
        );
    };
    for answer in answers {
        ask(&mut client, &mut said);
        let (Ended(wire) | Reset(wire) | Stays(wire)) = answer;
        for piece in wire.as_bytes().chunks(step) {
            client.receive(piece);
        }
        match answer {
            Ended(_) => client.end(),
            Reset(_) => client.fail(ConnectionReset),
            Stays(_) => {}
        }
        if client.source.phase() == Phase::Waiting {
            client.wait();
        }
    }
    if client.source.phase() == Phase::Closed {
        said.extend(client.told());
    } else {
        ask(&mut client, &mut said);
    }
    said
}

/// Checks the log against `expected`, however the responses are cut, and against Chromium's.
fn check(name: &str, chromium: Chromium, answers: &[Answer], expected: &[&str]) {
    for step in [usize::MAX, 1, 7] {
        assert_eq!(play(answers, step), expected, "{name} in steps of {step}");
    }
    let closes = expected
        .last()
        .is_some_and(|line| line.starts_with("failed ") || line.starts_with("closed "));
    let ours = if closes { Closes } else { Reconnects };
    assert_eq!(ours, chromium, "{name}");
}

fn hello_then(rest: &[&'static str]) -> Vec<&'static str> {
    [&HELLO[..], rest].concat()
}

const LOST: [&str; 2] = ["lost Ended", "GET /c"];

#[test]
fn statuses() {
    check("status-200", Reconnects, &[status(200)], &hello_then(&LOST));
    // This is not an error, as no other is.
    check(
        "status-204",
        Closes,
        &[status(204)],
        &["GET /c", "disconnect", "closed NoContent"],
    );
    // A 204 has no body, whatever follows it.
    check(
        "status-304",
        Closes,
        &[status(304)],
        &["GET /c", "disconnect", r#"failed Status 304 """#],
    );
    for code in [
        201, 202, 203, 205, 206, 210, 226, 299, 300, 400, 401, 403, 404, 408, 410, 425, 429, 500,
        501, 502, 503, 504,
    ] {
        let failed = format!(r#"failed Status {code} "data: hello\n\n""#);
        let name = format!("status-{code}");
        check(
            &name,
            Closes,
            &[status(code)],
            &["GET /c", "disconnect", &failed],
        );
    }
}

#[test]
fn content_types() {
    // The other two read some of these differently: npm's eventsource requires lower case and accepts any
    // type with this beginning; both ignore charsets.
    for (name, value) in [
        ("mime-upper", "TEXT/EVENT-STREAM"),
        ("mime-mixed", "Text/Event-Stream"),
        ("mime-charset-utf8", "text/event-stream; charset=utf-8"),
        ("mime-param", "text/event-stream; foo=bar"),
        ("mime-trailing-semicolon", "text/event-stream;"),
        (
            "mime-space-before-semicolon",
            "text/event-stream ; charset=utf-8",
        ),
        ("mime-trailing-junk", "text/event-stream junk"),
        ("mime-comma-first-other", "text/plain, text/event-stream"),
    ] {
        check(name, Reconnects, &content_type(value), &hello_then(&LOST));
    }
    let failed = [
        "GET /c",
        "disconnect",
        r#"failed ContentType 200 "data: hello\n\n""#,
    ];
    for (name, value) in [
        ("mime-bogus", "bogus"),
        (
            "mime-charset-1252",
            "text/event-stream; charset=windows-1252",
        ),
        ("mime-charset-bogus", "text/event-stream; charset=bogus"),
        ("mime-text-plain", "text/plain"),
        ("mime-json", "application/json"),
        ("mime-event-streamx", "text/event-streamx"),
        ("mime-comma-two", "text/event-stream, text/plain"),
    ] {
        check(name, Closes, &content_type(value), &failed);
    }
    check(
        "mime-missing",
        Closes,
        &[Ended(head(200, &[]) + EVENT)],
        &failed,
    );
    let two = head(
        200,
        &[("Content-Type", "text/plain"), ("Content-Type", STREAM)],
    );
    // The last field counts; the other two clients join both and reject them.
    check(
        "mime-two-headers",
        Reconnects,
        &[Ended(two + EVENT)],
        &hello_then(&LOST),
    );
}

#[test]
fn redirects() {
    for code in [301, 302, 303, 307, 308] {
        // As in Chromium and undici, and unlike npm's eventsource, reconnections go to the target of the
        // redirect.
        check(
            &format!("redirect-{code}"),
            Reconnects,
            &[redirect(code, "/there"), status(200), status(200)],
            &[
                "GET /c",
                "disconnect",
                "GET /there",
                "open 200",
                r#"message "" "hello""#,
                "disconnect",
                "lost Ended",
                "GET /there",
                "open 200",
                r#"message "" "hello""#,
                "disconnect",
                "lost Ended",
                "GET /there",
            ],
        );
    }
    let nowhere = ["GET /c", "disconnect", "failed Redirect(NoLocation)"];
    check(
        "redirect-no-location",
        Closes,
        &[Ended(head(302, &[]))],
        &nowhere,
    );
    // The other two request the same URL again.
    check(
        "redirect-empty-location",
        Closes,
        &[redirect(302, "")],
        &nowhere,
    );
    let mut told = ["GET /c", "disconnect"].repeat(11);
    told.extend(["lost TooManyRedirects", "GET /c"]);
    check(
        "redirect-loop",
        Reconnects,
        &vec![redirect(302, "/c"); 11],
        &told,
    );
}

#[test]
fn connections_that_are_lost() {
    let no_answer = ["GET /c", "disconnect", "lost NoResponse", "GET /c"];
    check(
        "close-before-response",
        Reconnects,
        &[Ended(String::new())],
        &no_answer,
    );
    let reset = [
        "GET /c",
        "disconnect",
        "lost Transport(ConnectionReset)",
        "GET /c",
    ];
    check(
        "reset-before-response",
        Reconnects,
        &[Reset(String::new())],
        &reset,
    );
    let Ended(good) = status(200) else {
        unreachable!()
    };
    let told = hello_then(&["lost Transport(ConnectionReset)", "GET /c"]);
    check(
        "reset-mid-stream",
        Reconnects,
        &[Reset(good.clone())],
        &told,
    );
    let told = [
        "GET /c",
        "disconnect",
        "lost BadHead(Malformed(\"it does not begin with HTTP/1.1 or HTTP/1.0\"))",
        "GET /c",
    ];
    check(
        "garbage-response",
        Reconnects,
        &[Stays("hello, I am not HTTP\r\n\r\n".into())],
        &told,
    );
    let early = [Reset(String::new()), status(200)];
    let told = [&reset[..3], &hello_then(&LOST)].concat();
    check("reset-first-then-200", Reconnects, &early, &told);
}

#[test]
fn bodies() {
    let chunked = |body: &str| stream(("Transfer-Encoding", "chunked"), body);
    let whole = chunked("d\r\ndata: hello\n\n\r\n0\r\n\r\n");
    check("chunked-clean-end", Reconnects, &whole, &hello_then(&LOST));
    let truncated = chunked("d\r\ndata: hello\n\n\r\n5\r\nda");
    let told = hello_then(&["lost BadBody(Truncated)", "GET /c"]);
    check("chunked-truncated", Reconnects, &truncated, &told);
    // The event before the fault is returned, as by the other two. Chromium returned none: it seems to
    // drop everything in the same read as the fault.
    let bad_size = chunked("d\r\ndata: hello\n\n\r\nzz\r\ndata: x\n\n\r\n");
    let told = hello_then(&["lost BadBody(ChunkSize)", "GET /c"]);
    check("chunked-bad-size", Reconnects, &bad_size, &told);
    let exact = stream(("Content-Length", "13"), EVENT);
    check(
        "content-length-exact",
        Reconnects,
        &exact,
        &hello_then(&LOST),
    );
    let short = stream(("Content-Length", "99"), EVENT);
    let told = hello_then(&["lost BadBody(Short(86))", "GET /c"]);
    check("content-length-short-body", Reconnects, &short, &told);
    let old = Ended(format!(
        "HTTP/1.0 200 OK\r\nContent-Type: {STREAM}\r\n\r\n{EVENT}"
    ));
    check(
        "http10-close-delimited",
        Reconnects,
        &[old],
        &hello_then(&LOST),
    );
    let Ended(good) = status(200) else {
        unreachable!()
    };
    let hints =
        Ended("HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n".to_owned() + &good);
    check(
        "info-103-then-200",
        Reconnects,
        &[hints],
        &hello_then(&LOST),
    );
}

/// `none` is a common way to keep proxies and frameworks from compressing, `identity` was a transfer coding in
/// RFC 2616 and turns chunks off in Node.js, and `chunked` comes twice from handlers that set it beside their
/// server.
#[test]
fn codings_that_are_none_and_chunks_that_are_named_twice() {
    for coding in ["none", "None", "UTF-8", "utf8", "identity, none"] {
        let told = hello_then(&LOST);
        let answer = stream(("Content-Encoding", coding), EVENT);
        check(coding, Reconnects, &answer, &told);
    }
    let not_chunked = stream(("Transfer-Encoding", "identity"), EVENT);
    check("identity", Reconnects, &not_chunked, &hello_then(&LOST));
    let Ended(head) = &not_chunked[0] else {
        unreachable!()
    };
    let old = Ended(head.replace("HTTP/1.1", "HTTP/1.0"));
    check("identity-http10", Reconnects, &[old], &hello_then(&LOST));
    let counted = stream(
        ("Transfer-Encoding", "identity\r\nContent-Length: 13"),
        &format!("{EVENT}data: of no response\n\n"),
    );
    check("identity-length", Reconnects, &counted, &hello_then(&LOST));
    for codings in [
        "chunked\r\ntransfer-encoding: Chunked",
        "chunked, chunked",
        "identity, chunked",
    ] {
        let body = "d\r\ndata: hello\n\n\r\n0\r\n\r\n";
        let answer = stream(("Transfer-Encoding", codings), body);
        check(codings, Reconnects, &answer, &hello_then(&LOST));
    }
}

#[test]
fn servers_that_change_their_mind() {
    let failed = [
        "GET /c",
        "disconnect",
        r#"failed Status 500 "data: hello\n\n""#,
    ];
    let told = [&HELLO[..], &["lost Ended"], &failed].concat();
    check(
        "flap-200-then-500",
        Closes,
        &[status(200), status(500)],
        &told,
    );
    let told = [
        &HELLO[..],
        &["lost Ended", "GET /c", "disconnect", "closed NoContent"],
    ]
    .concat();
    check(
        "flap-200-then-204",
        Closes,
        &[status(200), status(204)],
        &told,
    );
    let told = [
        &HELLO[..],
        &[
            "lost Ended",
            "GET /c",
            "disconnect",
            "lost Transport(ConnectionReset)",
        ],
        &HELLO,
        &LOST,
    ]
    .concat();
    let flap = [status(200), Reset(String::new()), status(200)];
    check("flap-200-then-reset-then-200", Reconnects, &flap, &told);
}

/// A response with a length need not wait for the connection's end.
#[test]
fn a_complete_answer_on_a_connection_that_stays_is_enough() {
    let chunked = head(
        200,
        &[("Content-Type", STREAM), ("Transfer-Encoding", "chunked")],
    );
    let length = head(200, &[("Content-Type", STREAM), ("Content-Length", "13")]);
    for answer in [
        chunked + "d\r\ndata: hello\n\n\r\n0\r\n\r\n",
        length + EVENT + "data: too much\n\n",
    ] {
        assert_eq!(play(&[Stays(answer)], 1), hello_then(&LOST));
    }
    for (answer, told) in [
        (
            head(404, &[("Content-Length", "2")]) + "no",
            r#"failed Status 404 "no""#,
        ),
        (
            head(404, &[("Content-Length", "0")]),
            r#"failed Status 404 """#,
        ),
        (head(304, &[]), r#"failed Status 304 """#),
        (
            head(200, &[("Content-Length", "0")]),
            r#"failed ContentType 200 """#,
        ),
        (head(302, &[]), "failed Redirect(NoLocation)"),
        (
            head(503, &[("Transfer-Encoding", "chunked")]) + "2\r\nno\r\n0\r\n\r\n",
            r#"failed Status 503 "no""#,
        ),
        (
            head(503, &[("Transfer-Encoding", "chunked")]) + "2\r\nno\r\nzz",
            r#"failed Status 503 "no" cut"#,
        ),
    ] {
        assert_eq!(play(&[Stays(answer)], 1), ["GET /c", "disconnect", told]);
    }
}
