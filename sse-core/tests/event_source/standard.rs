//! The request, and the responses that open the stream: WHATWG HTML 9.2.2 and 9.2.3.

use sse_core::{
    EventId,
    client::{EventSource, EventSourceConfig, InvalidRequest, Phase},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
};

use crate::harness::{Client, OPEN, URL, body, field, request_line};

fn request(url: &str, config: EventSourceConfig) -> String {
    Client::to(url, config).connect()
}

fn fields(list: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in list {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

#[test]
fn a_request_is_whole_however_little_of_it_is_taken_at_a_time() {
    for body in ["", "{}"] {
        let mut config = EventSourceConfig::default();
        config.body = body.into();
        let mut whole = Client::new(config.clone());
        let whole = whole.connect();
        let mut client = Client::new(config);
        client.poll();
        client.source.handle_connected(client.now);
        let mut request = Vec::new();
        while let Some(byte) = client.unsent().first() {
            request.push(*byte);
            client.source.handle_transmitted(client.now, 1);
        }
        assert_eq!(String::from_utf8_lossy(&request), whole);
    }
}

#[test]
fn the_request_is_this() {
    assert_eq!(
        request(URL, EventSourceConfig::default()),
        format!(
            "GET /events HTTP/1.1\r\n\
             host: example.org\r\n\
             connection: close\r\n\
             accept: text/event-stream\r\n\
             cache-control: no-cache\r\n\
             accept-encoding: identity\r\n\
             user-agent: sse-core/{}\r\n\
             \r\n",
            env!("CARGO_PKG_VERSION")
        )
    );
}

#[test]
fn a_proxy_that_forwards_gets_the_whole_url_and_its_own_credentials() {
    let url = "http://example.org:8080/events?room=1#part";
    let request =
        Client::to(url, EventSourceConfig::default()).connect_to_proxy(Some("Basic eA=="));
    assert_eq!(
        request_line(&request),
        "GET http://example.org:8080/events?room=1 HTTP/1.1"
    );
    assert_eq!(field(&request, "host"), Some("example.org:8080"));
    assert_eq!(field(&request, "proxy-authorization"), Some("Basic eA=="));

    let mut config = EventSourceConfig::default();
    config.headers = fields(&[("proxy-authorization", "Bearer own")]);
    let own = Client::to(URL, config).connect_to_proxy(None);
    assert_eq!(field(&own, "proxy-authorization"), Some("Bearer own"));
}

#[test]
fn the_url_says_where_to_connect_what_host_says_and_what_the_target_is() {
    let table = [
        // URL, connection, Host, target
        ("http://a", "http a 80", "a", "/"),
        ("http://a:80/", "http a 80", "a", "/"),
        ("http://a:8080/x", "http a 8080", "a:8080", "/x"),
        ("https://a/x?y=z#part", "https a 443", "a", "/x?y=z"),
        ("https://a:80?q", "https a 80", "a:80", "/?q"),
        ("http://[::1]/x", "http ::1 80", "[::1]", "/x"),
        ("http://[::1]:81/x", "http ::1 81", "[::1]:81", "/x"),
        (
            "http://127.0.0.1:81/",
            "http 127.0.0.1 81",
            "127.0.0.1:81",
            "/",
        ),
        (
            "HTTP://EXAMPLE.org/A%20b c",
            "http example.org 80",
            "example.org",
            "/A%20b%20c",
        ),
        (
            "http://bücher.example/ü",
            "http xn--bcher-kva.example 80",
            "xn--bcher-kva.example",
            "/%C3%BC",
        ),
    ];
    for (url, connection, host, target) in table {
        let mut client = Client::to(url, EventSourceConfig::default());
        let request = client.connect();
        assert_eq!(client.told(), [format!("connect {connection}")], "{url}");
        assert_eq!(
            request_line(&request),
            format!("GET {target} HTTP/1.1"),
            "{url}"
        );
        assert_eq!(field(&request, "host"), Some(host), "{url}");
    }
}

#[test]
fn a_url_that_cannot_be_gone_to_is_refused() {
    let new = |url: &str| EventSource::new(url, EventSourceConfig::default(), 1).map(drop);
    assert!(matches!(new("/events"), Err(InvalidRequest::Url(_))));
    assert!(matches!(new("http://"), Err(InvalidRequest::Url(_))));
    assert!(matches!(
        new("http://a:99999/"),
        Err(InvalidRequest::Url(_))
    ));
    let scheme = |scheme: &str| Err(InvalidRequest::Scheme(scheme.to_owned()));
    assert_eq!(new("ftp://a/"), scheme("ftp"));
    assert_eq!(new("data:text/event-stream,x"), scheme("data"));
    for url in ["http://me@a/", "http://me:secret@a/", "http://:secret@a/"] {
        assert_eq!(new(url), Err(InvalidRequest::User), "{url}");
    }
    let mut config = EventSourceConfig::default();
    config.method = Method::CONNECT;
    let connect = EventSource::new(URL, config, 1).map(drop);
    assert_eq!(connect, Err(InvalidRequest::Method));
}

#[test]
fn the_last_event_id_goes_along_when_it_is_not_empty() {
    let mut config = EventSourceConfig::default();
    config.last_event_id = EventId::new("").unwrap();
    assert_eq!(field(&request(URL, config.clone()), "last-event-id"), None);
    config.last_event_id = EventId::new("7 — ü").unwrap();
    let mut client = Client::new(config);
    let request = client.connect();
    assert_eq!(field(&request, "last-event-id"), Some("7 — ü"));
    assert_eq!(client.source.last_event_id(), "7 — ü");
}

#[test]
fn a_last_event_id_goes_out_in_the_bytes_it_came_in() {
    let mut client = Client::open(EventSourceConfig::default());
    client.receive(b"id: \xc3\xa9\t\xe2\x82\xac\ndata\n\n");
    client.end();
    client.wait();
    client.source.handle_connected(client.now);
    let request = client.unsent();
    let expected = b"\r\nlast-event-id: \xc3\xa9\t\xe2\x82\xac\r\n";
    assert!(
        request.windows(expected.len()).any(|part| part == expected),
        "{}",
        request.escape_ascii()
    );
}

/// A strict server responds to a request with control characters with 400, which would end the
/// subscription.
#[test]
fn the_request_carries_the_newest_id_that_a_header_field_can_carry() {
    for (stream, last_event_id, sent) in [
        ("id: 1\ndata\n\nid: \x1b[2J\ndata\n\n", "\x1b[2J", Some("1")),
        ("id: 1\ndata\n\nid: 2\x7f\ndata\n\n", "2\x7f", Some("1")),
        ("id: \x01\ndata\n\n", "\x01", None),
        (
            "id: 1\ndata\n\nid\ndata\n\nid: \x01\ndata\n\n",
            "\x01",
            None,
        ),
        ("id: 1\n\nid: \x01\n\nid: \x02\n\n", "\x02", Some("1")),
        ("id: \x01\ndata\n\nid: 2\ndata\n\n", "2", Some("2")),
        ("id: 1\ndata\n\nid: 2\x01\ndata: half\n", "1", Some("1")),
        ("id: 1\nid: \x01\nid: 2\ndata\n\n", "2", Some("2")),
        ("id: 1\tb\u{85}\ndata\n\n", "1\tb\u{85}", Some("1\tb\u{85}")),
    ] {
        let mut client = Client::new(EventSourceConfig::default());
        client.connect();
        let request = client.lose_after(stream);
        assert_eq!(client.source.last_event_id(), last_event_id, "{stream:?}");
        assert_eq!(field(&request, "last-event-id"), sent, "{stream:?}");
        // It is kept until there is a newer one, over any number of losses.
        client.end();
        let request = client.reconnect();
        assert_eq!(field(&request, "last-event-id"), sent, "{stream:?}");
    }
}

#[test]
fn an_id_to_begin_with_that_no_header_field_can_carry_is_not_sent() {
    let mut config = EventSourceConfig::default();
    config.last_event_id = EventId::new("1\x01").unwrap();
    let mut client = Client::new(config);
    assert_eq!(field(&client.connect(), "last-event-id"), None);
    assert_eq!(client.source.last_event_id(), "1\x01");
}

#[test]
fn an_id_resets_the_last_event_id_when_it_is_empty() {
    let mut client = Client::new(EventSourceConfig::default());
    client.connect();
    let request = client.lose_after("id: 1\ndata: a\n\nid\ndata: b\n\n");
    assert_eq!(field(&request, "last-event-id"), None);
}

#[test]
fn own_fields_take_the_place_of_the_usual_ones_and_stand_beside_them() {
    let mut config = EventSourceConfig::default();
    config.headers = fields(&[
        ("Accept", "application/json"),
        ("Cache-Control", "no-store"),
        ("Authorization", "Bearer x"),
        ("X-Twice", "1"),
        ("X-Twice", "2"),
    ]);
    let request = request(URL, config);
    assert_eq!(field(&request, "accept"), Some("application/json"));
    assert_eq!(field(&request, "cache-control"), Some("no-store"));
    assert_eq!(field(&request, "authorization"), Some("Bearer x"));
    assert!(request.contains("x-twice: 1\r\n") && request.contains("x-twice: 2\r\n"));
}

#[test]
fn a_user_agent_of_ones_own_is_named_or_none() {
    for (value, expected) in [("listener/2.0", Some("listener/2.0")), ("", None)] {
        let mut config = EventSourceConfig::default();
        config.headers = fields(&[("User-Agent", value)]);
        assert_eq!(field(&request(URL, config), "user-agent"), expected);
    }
}

#[test]
fn fields_that_are_the_connections_are_left_out() {
    let forbidden = [
        ("Host", "evil"),
        ("Connection", "upgrade"),
        ("Content-Length", "5"),
        ("Transfer-Encoding", "chunked"),
        ("TE", "trailers"),
        ("Trailer", "x"),
        ("Upgrade", "websocket"),
        ("Expect", "100-continue"),
        ("Last-Event-ID", "evil"),
    ];
    let mut config = EventSourceConfig::default();
    config.headers = fields(&forbidden);
    assert_eq!(
        request(URL, config),
        request(URL, EventSourceConfig::default())
    );
}

#[test]
fn a_body_goes_along_with_its_length() {
    let table = [
        // method, body, Content-Length
        (Method::GET, "", None),
        (Method::GET, "{}", Some("2")),
        (Method::DELETE, "", None),
        // A server may wait for a body where the method usually has one.
        (Method::POST, "", Some("0")),
        (Method::PUT, "", Some("0")),
        (Method::PATCH, "", Some("0")),
        (Method::POST, "a\r\n\r\nb", Some("6")),
    ];
    for (method, content, length) in table {
        let mut config = EventSourceConfig::default();
        config.method = method.clone();
        config.body = content.into();
        let request = request(URL, config);
        assert_eq!(request_line(&request), format!("{method} /events HTTP/1.1"));
        assert_eq!(
            field(&request, "content-length"),
            length,
            "{method} {content:?}"
        );
        assert_eq!(body(&request), content);
    }
}

#[test]
fn the_request_is_sent_again_at_a_reconnection() {
    let mut config = EventSourceConfig::default();
    config.method = Method::POST;
    config.headers = fields(&[("Content-Type", "application/json")]);
    config.body = r#"{"q":1}"#.into();
    let mut client = Client::new(config);
    let first = client.connect();
    let again = client.lose_after("data: a\n\n");
    assert_eq!(first, again);
}

#[test]
fn bytes_written_piece_by_piece_are_the_same() {
    let mut config = EventSourceConfig::default();
    config.method = Method::POST;
    config.body = "hello".into();
    let whole = request(URL, config.clone());
    let mut client = Client::new(config);
    client.poll();
    client.source.handle_connected(client.now);
    let mut pieces = Vec::new();
    while let Some(&byte) = client.unsent().first() {
        pieces.push(byte);
        client.source.handle_transmitted(client.now, 1);
    }
    assert_eq!(String::from_utf8(pieces).unwrap(), whole);
}

#[test]
fn a_request_is_written_to_its_end_while_its_answer_arrives() {
    let mut config = EventSourceConfig::default();
    config.method = Method::POST;
    config.body = "hello".into();
    let whole = request(URL, config.clone());
    for head in [OPEN, "HTTP/1.1 404 Not Found\r\ncontent-length: 9\r\n\r\n"] {
        let mut client = Client::new(config.clone());
        client.poll();
        client.source.handle_connected(client.now);
        let mut written = client.unsent()[..10].to_vec();
        client.source.handle_transmitted(client.now, 10);
        client.source.handle_input(client.now, head.as_bytes());
        written.extend(client.unsent());
        assert_eq!(String::from_utf8(written).unwrap(), whole);
    }
}

#[test]
fn more_than_there_is_cannot_be_written() {
    for (first, second) in [(0, 1000), (1, usize::MAX), (usize::MAX, usize::MAX)] {
        let mut client = Client::new(EventSourceConfig::default());
        client.poll();
        client.source.handle_connected(client.now);
        client.source.handle_transmitted(client.now, first);
        client.source.handle_transmitted(client.now, second);
        assert!(client.unsent().is_empty());
        client.receive(OPEN);
        assert_eq!(client.source.phase(), Phase::Open);
    }
}

#[test]
fn an_answer_may_come_before_the_request_is_out() {
    let mut config = EventSourceConfig::default();
    config.method = Method::POST;
    config.body = "hello".into();
    let mut client = Client::new(config);
    client.poll();
    client.source.handle_connected(client.now);
    let request = client.unsent();
    client.source.handle_transmitted(client.now, 10);
    client.receive(OPEN);
    client.receive("data: a\n\n");
    assert_eq!(client.unsent(), request[10..]);
    client
        .source
        .handle_transmitted(client.now, request.len() - 10);
    assert!(client.unsent().is_empty());
    assert_eq!(client.source.phase(), Phase::Open);
}

#[test]
fn the_rest_of_a_request_is_forgotten_with_its_connection() {
    let mut client = Client::new(EventSourceConfig::default());
    client.poll();
    client.source.handle_connected(client.now);
    client.source.handle_transmitted(client.now, 5);
    client.end();
    assert!(client.unsent().is_empty());
    let again = client.reconnect();
    assert!(again.starts_with("GET "), "{again}");
}

#[test]
fn the_stream_opens_and_its_events_come_in_order() {
    let mut client = Client::new(EventSourceConfig::default());
    client.connect();
    assert_eq!(client.source.phase(), Phase::Requesting);
    client.receive(OPEN.replace("\r\n\r\n", "\r\nX-Own: yes\r\n\r\n"));
    assert_eq!(client.source.phase(), Phase::Open);
    client.receive(": hi\nretry: 1500\nevent: add\nid: 1\ndata: a\ndata: b\n\ndata: c\n\n");
    assert_eq!(
        client.told(),
        [
            "connect http example.org 80",
            "open 200",
            ": hi",
            "retry 1.5s",
            r#"add "1" "a\nb""#,
            r#"message "1" "c""#,
        ]
    );
    assert_eq!(client.opened.unwrap().headers()["x-own"], "yes");
}

#[test]
fn no_content_is_an_end_and_no_error() {
    for head in [
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 204 No Content\r\ncontent-type: text/event-stream\r\n\r\n",
        "HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        let mut client = Client::new(EventSourceConfig::default());
        client.connect();
        client.told();
        client.receive(head);
        assert_eq!(client.told(), ["disconnect", "closed NoContent"]);
        assert_eq!(client.source.poll_timeout(), None);
    }
}

#[test]
fn a_refusal_shows_status_fields_and_the_beginning_of_the_body() {
    let mut client = Client::new(EventSourceConfig::default());
    client.connect();
    client.receive(
        "HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Basic\r\ncontent-length: 9\r\n\r\n",
    );
    assert_eq!(client.source.phase(), Phase::Unexpected);
    client.receive("log ");
    client.receive("in!\n\n");
    let failure = client.failure.expect("a failure");
    let text = failure.to_string();
    let sse_core::client::Failure::Status(refusal) = failure else {
        panic!("{failure:?}")
    };
    assert_eq!(
        refusal.response.headers()[header::WWW_AUTHENTICATE],
        "Basic"
    );
    assert_eq!(refusal.body, "log in!\n\n");
    assert_eq!(text, "the server answered 401 Unauthorized: log in!");
}

#[test]
fn a_refusal_that_breaks_off_shows_what_there_was_of_it() {
    let answer = "HTTP/1.1 500 Oh\r\ncontent-length: 90\r\n\r\nbecause";
    let told = ["disconnect", r#"failed Status 500 "because" cut"#];
    let mut client = Client::new(EventSourceConfig::default());
    client.connect();
    client.told();
    client.receive(answer);
    assert_eq!(client.told(), [""; 0]);
    client.end();
    assert_eq!(client.told(), told);

    let mut client = Client::new(EventSourceConfig::default());
    client.connect();
    client.told();
    client.receive(answer);
    client.fail(std::io::ErrorKind::ConnectionReset);
    assert_eq!(client.told(), told);
}
