//! The bounds of a head, and the cost of reading it.

use sse_core::http::HeadLimits;

use super::{
    Outcome::{self, Head, Incomplete, Refused},
    limits, read, read_in_every_cut, refused_within, taken_within, with_first_line, with_lines,
};

#[test]
fn a_target_has_a_limit() {
    let head = |length| format!("GET {:/<length$} HTTP/1.1\r\nHost: a\r\n\r\n", "/");
    taken_within(
        limits(200, 10, 20),
        head(20),
        "GET //////////////////// HTTP/1.1 | host: a",
    );
    refused_within(limits(200, 10, 20), head(21), 414, "up to 20 bytes");
    // The head's limit is reached within the request line.
    refused_within(limits(50, 10, 20), head(100), 414, "up to 20 bytes");
    refused_within(limits(50, 10, 100), head(100), 414, "up to 50 bytes");
    refused_within(
        limits(50, 10, 20),
        format!("\r\n{}", head(100)),
        414,
        "up to 20 bytes",
    );
    refused_within(limits(50, 10, 20), "GET ".repeat(50), 414, "up to 20 bytes");
    refused_within(
        limits(50, 10, 20),
        "G".repeat(51),
        400,
        "method is too long",
    );
    let at_limit = "G".repeat(50);
    assert_eq!(
        read_in_every_cut(limits(50, 10, 20), at_limit.as_bytes()),
        Incomplete
    );
}

#[test]
fn a_head_has_a_limit() {
    let head = "GET / HTTP/1.1\r\nHost: a\r\nX: bcd\r\n\r\n";
    let expected = "GET / HTTP/1.1 | host: a | x: bcd";
    let length = head.len();
    taken_within(limits(length, 10, 20), head, expected);
    refused_within(
        limits(length - 1, 10, 20),
        head,
        431,
        &format!("up to {} bytes", length - 1),
    );
    refused_within(limits(30, 10, 20), head, 431, "up to 30 bytes");
    refused_within(limits(16, 10, 20), head, 431, "up to 16 bytes");
    // The line has no end.
    refused_within(
        limits(50, 10, 20),
        "GET / HTTP/1.1\r\nX: ".to_owned() + &"b".repeat(50),
        431,
        "",
    );

    // Empty lines at the front count.
    let behind_lines = format!("\r\n\n\r\n{head}");
    taken_within(limits(length + 5, 10, 20), &behind_lines, expected);
    refused_within(limits(length + 4, 10, 20), &behind_lines, 431, "");
    for lines in ["\r\n".repeat(20), "\n".repeat(40)] {
        refused_within(limits(30, 10, 20), &lines, 431, "up to 30 bytes");
        // Bytes beyond the limit are not examined.
        refused_within(limits(30, 10, 20), format!("{lines}\0"), 431, "");
        // They are the cause even where the limit is reached in the line after them.
        for limit in 40..52 {
            refused_within(limits(limit, 10, 20), format!("{lines}{head}"), 431, "");
        }
    }
    refused_within(limits(0, 10, 20), "G", 400, "");
}

#[test]
fn field_lines_have_a_limit() {
    let head = |fields: usize| with_lines(&vec!["X: b"; fields - 1].join("\r\n"));
    let expected = format!("GET / HTTP/1.1 | host: a{}", " | x: b".repeat(4));
    taken_within(limits(500, 5, 20), head(5), &expected);
    refused_within(limits(500, 5, 20), head(6), 431, "up to 5.");
    refused_within(limits(500, 0, 20), head(2), 431, "up to 0.");
    taken_within(
        limits(500, 0, 20),
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.0",
    );
    // The lines count, whatever their names and values are.
    refused_within(
        limits(500, 5, 20),
        with_lines("A:1\r\nB:2\r\nC:3\r\nD:4\r\nE:5"),
        431,
        "up to 5.",
    );
}

/// Reads the whole, and byte by byte; the cuts between are those of smaller limits.
fn read_long(limits: HeadLimits, input: &str) -> Outcome {
    let whole = read(limits, [input.as_bytes()]);
    assert_eq!(read(limits, input.as_bytes().chunks(1)), whole);
    whole
}

#[track_caller]
fn assert_status(outcome: Outcome, status: u16) {
    match outcome {
        Refused(error) => assert_eq!(error.status().as_u16(), status, "{error}"),
        Head(..) => assert_eq!(status, 200),
        Incomplete => panic!("incomplete"),
    }
}

#[test]
fn the_default_limits_are_those_in_the_docs() {
    let with_target = |length| with_first_line(&format!("GET {:/<length$} HTTP/1.1", "/"));
    let default = HeadLimits::default();
    assert_status(read_long(default, &with_target(8 * 1024)), 200);
    assert_status(read_long(default, &with_target(8 * 1024 + 1)), 414);

    let padding = |length| with_lines(&format!("X: {}", "b".repeat(length)));
    let most = 16 * 1024 - padding(0).len();
    assert_status(read_long(default, &padding(most)), 200);
    assert_status(read_long(default, &padding(most + 1)), 431);

    let fields = |count: usize| with_lines(&vec!["X: b"; count - 1].join("\r\n"));
    assert_status(read_long(default, &fields(100)), 200);
    assert_status(read_long(default, &fields(101)), 431);
}

#[test]
fn limits_beyond_what_the_http_types_hold_are_lowered_to_it() {
    let boundless = limits(usize::MAX, usize::MAX, usize::MAX);
    let with_target = |length| with_first_line(&format!("GET {:/<length$} HTTP/1.1", "/"));
    assert_status(read_long(boundless, &with_target(65_534)), 200);
    assert_status(read_long(boundless, &with_target(65_535)), 414);

    let same = |count: usize| with_lines(&vec!["X: b"; count - 1].join("\r\n"));
    let different = |count| {
        let lines = (1..count).map(|at| format!("X{at}: b")).collect::<Vec<_>>();
        with_lines(&lines.join("\r\n"))
    };
    for fields in [&same as &dyn Fn(usize) -> String, &different] {
        assert_status(read_long(boundless, &fields(24_576)), 200);
        assert_status(read_long(boundless, &fields(24_577)), 431);
    }
}

/// With a quadratic cost, this would take hours.
#[test]
fn the_cost_of_a_long_head_is_linear() {
    let boundless = limits(usize::MAX, usize::MAX, usize::MAX);
    assert_status(
        read_long(
            boundless,
            &with_lines(&format!("X: {}", "b".repeat(1 << 20))),
        ),
        200,
    );
    let empty_lines = "\r\n".repeat(1 << 19);
    assert_status(
        read_long(boundless, &format!("{empty_lines}{}", with_lines("X: b"))),
        200,
    );
}
