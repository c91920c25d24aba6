//! The same machine over a foreign HTTP client, which gets a request and passes in a response's head, the
//! bytes of its body and their end.

use std::io::ErrorKind::{ConnectionRefused, ConnectionReset};

use sse_core::{
    client::{EventSourceConfig, Phase},
    http::{HeaderName, HeaderValue, Method, Response, StatusCode, header},
};

use crate::harness::{Client, secs};

/// A response, as bytes or as an `http::Response`.
struct Answer {
    status: u16,
    fields: &'static [(&'static str, &'static str)],
    body: &'static str,
    end: End,
}

#[derive(Clone, Copy)]
enum End {
    Proper,
    Reset,
    /// The connection stays open.
    None,
}

const STREAM: &[(&str, &str)] = &[("content-type", "text/event-stream")];

const fn answer(
    status: u16,
    fields: &'static [(&'static str, &'static str)],
    body: &'static str,
    end: End,
) -> Answer {
    Answer {
        status,
        fields,
        body,
        end,
    }
}

/// The responses to one request after the other.
const SCENARIOS: &[(&str, &[Answer])] = &[
    (
        "a stream",
        &[answer(
            200,
            STREAM,
            "id: 1\ndata: a\n\n: c\nretry: 5\ndata: b\n\n",
            End::None,
        )],
    ),
    (
        "streams that end, and are asked for again",
        &[
            answer(200, STREAM, "id: 1\ndata: a\n\ndata: half", End::Proper),
            answer(200, STREAM, "data: b\n\n", End::Reset),
            answer(200, STREAM, "id: \u{1}\ndata: c\n\n", End::Proper),
            answer(200, STREAM, "", End::None),
        ],
    ),
    ("an empty stream", &[answer(200, STREAM, "", End::Proper)]),
    ("nothing to come", &[answer(204, &[], "", End::Proper)]),
    ("a refusal", &[answer(404, &[], "not here", End::Proper)]),
    (
        "a refusal that breaks off",
        &[answer(500, &[], "no", End::Reset)],
    ),
    (
        "another content type",
        &[answer(
            200,
            &[("content-type", "text/html")],
            "<html>",
            End::Proper,
        )],
    ),
    (
        "a content coding",
        &[answer(
            200,
            &[
                ("content-type", "text/event-stream"),
                ("content-encoding", "gzip"),
            ],
            "",
            End::None,
        )],
    ),
    (
        "a redirect",
        &[
            answer(307, &[("location", "/there")], "", End::None),
            answer(200, STREAM, "data: a\n\n", End::None),
        ],
    ),
    ("a redirect to nowhere", &[answer(302, &[], "", End::None)]),
    (
        "a redirect too many",
        &[
            answer(307, &[("location", "/1")], "", End::None),
            answer(307, &[("location", "/2")], "", End::None),
            answer(307, &[("location", "/3")], "", End::None),
        ],
    ),
    (
        "a server that is busy",
        &[
            answer(503, &[("retry-after", "100")], "later", End::Proper),
            answer(200, STREAM, "data: a\n\n", End::None),
        ],
    ),
    ("an interim response", &[answer(103, &[], "", End::None)]),
    ("a switch of protocols", &[answer(101, &[], "", End::None)]),
    (
        "a line that is too long",
        &[answer(
            200,
            STREAM,
            "data: 12345678901234567890\n\ndata: b\n\n",
            End::None,
        )],
    ),
];

fn config() -> EventSourceConfig {
    let mut config = EventSourceConfig::default();
    config.max_redirects = 2;
    config.retry_statuses = vec![StatusCode::SERVICE_UNAVAILABLE];
    config.decoder_limits = config.decoder_limits.with_line(20);
    config
}

/// Plays the response as bytes of a connection.
fn as_bytes(client: &mut Client, answer: &Answer, step: usize) -> String {
    let request = client.connect();
    let mut wire = format!("HTTP/1.1 {} Reason\r\n", answer.status);
    for (name, value) in answer.fields {
        wire += &format!("{name}: {value}\r\n");
    }
    wire += "\r\n";
    wire += answer.body;
    for piece in wire.as_bytes().chunks(step) {
        client.receive(piece);
    }
    match answer.end {
        End::Proper => client.end(),
        End::Reset => client.fail(ConnectionReset),
        End::None => {}
    }
    // These parts of the request are there in both ways.
    let head = request.split("\r\n\r\n").next().unwrap();
    let (line, fields) = head.split_once("\r\n").unwrap();
    let fields = fields.split("\r\n");
    let fields =
        fields.filter(|line| !line.starts_with("host:") && !line.starts_with("connection:"));
    let fields: Vec<_> = fields.collect();
    format!("{} {fields:?}", line.trim_end_matches(" HTTP/1.1"))
}

/// Plays the response from a foreign HTTP client.
fn as_response(client: &mut Client, answer: &Answer, step: usize) -> String {
    let request = client.take_request();
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap();
    for (name, value) in answer.fields {
        let value = HeaderValue::from_static(value);
        response
            .headers_mut()
            .append(HeaderName::from_static(name), value);
    }
    client.source.handle_response(client.now, response);
    client.poll();
    for piece in answer.body.as_bytes().chunks(step) {
        client.source.handle_body(client.now, piece);
        client.poll();
    }
    match answer.end {
        End::Proper => client.source.handle_body_end(client.now),
        End::Reset => client
            .source
            .handle_transport_error(client.now, ConnectionReset.into()),
        End::None => {}
    }
    client.poll();
    let fields: Vec<_> = request
        .headers()
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    format!("{} {} {fields:?}", request.method(), request.uri().path())
}

/// Returns the log, up to the last response and its result.
fn play(
    answers: &[Answer],
    way: fn(&mut Client, &Answer, usize) -> String,
    step: usize,
) -> Vec<String> {
    let mut client = Client::new(config());
    let mut log = Vec::new();
    for answer in answers {
        log.push(way(&mut client, answer, step));
        log.extend(client.told());
        if client.source.phase() == Phase::Waiting {
            client.wait();
        }
    }
    log.extend(client.told());
    log.push(format!("{:?} {:?}", client.source.phase(), client.waits));
    log
}

#[test]
fn a_foreign_clients_answers_come_to_the_same_as_bytes() {
    for (name, answers) in SCENARIOS {
        let expected = play(answers, as_bytes, usize::MAX);
        for step in [1, 5, usize::MAX] {
            assert_eq!(play(answers, as_bytes, step), expected, "{name}");
            assert_eq!(play(answers, as_response, step), expected, "{name}");
        }
    }
}

#[test]
fn the_scenarios_are_what_they_seem_to_be() {
    let last = |name: &str| {
        let (_, answers) = SCENARIOS.iter().find(|(known, _)| *known == name).unwrap();
        let log = play(answers, as_response, 5);
        log[log.len() - 2].clone()
    };
    assert_eq!(last("a stream"), r#"message "1" "b""#);
    assert_eq!(last("nothing to come"), "closed NoContent");
    assert_eq!(last("a refusal"), r#"failed Status 404 "not here""#);
    assert_eq!(
        last("another content type"),
        r#"failed ContentType 200 "<html>""#
    );
    assert_eq!(last("a redirect"), r#"message "" "a""#);
    assert_eq!(last("a server that is busy"), r#"message "" "a""#);
    assert_eq!(last("a line that is too long"), r#"message "" "b""#);
}

#[test]
fn the_request_is_whole_but_for_what_is_its_clients_own() {
    let mut config = EventSourceConfig::default();
    config.method = Method::POST;
    config.body = "{}".into();
    let token = HeaderValue::from_static("Bearer x");
    config.headers.insert(header::AUTHORIZATION, token);
    config.last_event_id = sse_core::EventId::new("7 — ü").unwrap();
    let mut client = Client::to("http://example.org:81/a?b#c", config);
    let request = client.take_request();
    assert_eq!(request.method(), Method::POST);
    assert_eq!(request.uri(), "http://example.org:81/a?b");
    assert_eq!(request.body(), "{}");
    let headers = request.headers();
    assert_eq!(headers["authorization"], "Bearer x");
    assert_eq!(headers["accept"], "text/event-stream");
    assert_eq!(headers["accept-encoding"], "identity");
    assert_eq!(headers["last-event-id"].as_bytes(), "7 — ü".as_bytes());
    for name in ["host", "connection", "content-length", "transfer-encoding"] {
        assert!(!headers.contains_key(name), "{name}");
    }
    // The request is asked for once, and there are no bytes to write.
    assert_eq!(client.source.phase(), Phase::Requesting);
    assert!(client.source.take_request(client.now).is_err());
    assert!(client.unsent().is_empty());
}

#[test]
fn a_request_is_to_be_had_only_while_one_is_asked_for() {
    let mut client = Client::new(EventSourceConfig::default());
    assert!(
        client.source.take_request(client.now).is_err(),
        "not told yet"
    );
    client.connect();
    assert!(client.source.take_request(client.now).is_err(), "connected");
    client.end();
    assert!(client.source.take_request(client.now).is_err(), "waiting");
    client.close();
    assert!(client.source.take_request(client.now).is_err(), "over");
}

#[test]
fn a_foreign_client_has_the_time_of_connecting_and_of_the_head() {
    let mut client = Client::new(EventSourceConfig::default());
    client.take_request();
    client.told();
    assert_eq!(client.wait(), secs(60));
    assert_eq!(client.told(), ["disconnect", "lost HeadTimeout"]);
}

#[test]
fn a_foreign_client_that_fails_is_a_loss() {
    let mut client = Client::new(EventSourceConfig::default());
    client.take_request();
    client.told();
    client.fail(ConnectionRefused);
    assert_eq!(
        client.told(),
        ["disconnect", "lost Transport(ConnectionRefused)"]
    );
    // A client that only reports the end gave no response.
    client.wait();
    client.take_request();
    client.told();
    client.source.handle_body_end(client.now);
    assert_eq!(client.told(), ["disconnect", "lost NoResponse"]);
}

#[test]
fn bytes_and_responses_are_not_mixed() {
    let open = || {
        let response = Response::builder().header("content-type", "text/event-stream");
        response.body(()).unwrap()
    };
    // A response is passed in where bytes are expected,
    let mut client = Client::new(EventSourceConfig::default());
    client.connect();
    client.source.handle_response(client.now, open());
    client.source.handle_body(client.now, b"data: x\n\n");
    assert_eq!(client.source.phase(), Phase::Requesting);
    // and bytes where a response is expected.
    let mut client = Client::new(EventSourceConfig::default());
    client.take_request();
    client.source.handle_connected(client.now);
    client.receive(crate::harness::OPEN);
    assert_eq!(client.source.phase(), Phase::Requesting);
    client.source.handle_response(client.now, open());
    assert_eq!(client.source.phase(), Phase::Open);
}
