//! Redirects: RFC 9110 section 15.4 and the Fetch standard.

use std::io::ErrorKind::ConnectionRefused;

use sse_core::{
    client::{EventSourceConfig, Phase},
    http::{HeaderName, HeaderValue, Method, header},
};

use crate::harness::{Client, OPEN, body, field, request_line};

/// Returns a request with everything that a redirect may change.
fn config(method: Method, content: &'static str) -> EventSourceConfig {
    let mut config = EventSourceConfig::default();
    config.method = method;
    config.body = content.into();
    for (name, value) in [
        (header::AUTHORIZATION, "Bearer secret"),
        (header::COOKIE, "a=b"),
        (header::PROXY_AUTHORIZATION, "Basic eA=="),
        (header::CONTENT_TYPE, "application/json"),
        (header::CONTENT_LANGUAGE, "en"),
        (header::CONTENT_ENCODING, "identity"),
        (header::CONTENT_LOCATION, "/q"),
        (HeaderName::from_static("x-own"), "yes"),
    ] {
        config.headers.insert(name, HeaderValue::from_static(value));
    }
    config
}

fn get() -> EventSourceConfig {
    config(Method::GET, "")
}

fn redirect(client: &mut Client, status: u16, location: &str) {
    client.receive(format!(
        "HTTP/1.1 {status} Go\r\nlocation: {location}\r\n\r\n"
    ));
}

/// Returns the requests of a client that begins at the first URL and is redirected to the others.
fn requests(config: EventSourceConfig, urls: &[&str]) -> Vec<String> {
    let mut client = Client::to(urls[0], config);
    let mut requests = vec![client.connect()];
    for url in &urls[1..] {
        redirect(&mut client, 307, url);
        requests.push(client.connect());
    }
    requests
}

const OF_THE_BODY: [&str; 4] = [
    "content-type",
    "content-language",
    "content-encoding",
    "content-location",
];

const CREDENTIALS: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

#[test]
fn method_and_body_change_as_the_standards_say() {
    let (get, head, post, put) = (Method::GET, Method::HEAD, Method::POST, Method::PUT);
    let table = [
        // These are the method, the body, and the method after 301, 302, 303, 307 and 308.
        (&get, "", [&get, &get, &get, &get, &get]),
        (&get, "{}", [&get, &get, &get, &get, &get]),
        (&head, "", [&head, &head, &head, &head, &head]),
        (&post, "{}", [&get, &get, &get, &post, &post]),
        (&put, "{}", [&put, &put, &get, &put, &put]),
        (
            &Method::DELETE,
            "",
            [
                &Method::DELETE,
                &Method::DELETE,
                &get,
                &Method::DELETE,
                &Method::DELETE,
            ],
        ),
    ];
    for (method, content, expected) in table {
        for (status, expected) in [301, 302, 303, 307, 308].into_iter().zip(expected) {
            let mut client = Client::new(config(method.clone(), content));
            client.connect();
            redirect(&mut client, status, "/there");
            let request = client.connect();
            let note = format!("{method} {content:?} and {status}: {request}");
            assert_eq!(
                request_line(&request),
                format!("{expected} /there HTTP/1.1"),
                "{note}"
            );
            // With its method, the request loses its body and the fields of that.
            let kept = method == expected;
            assert_eq!(body(&request), if kept { content } else { "" }, "{note}");
            for name in OF_THE_BODY {
                assert_eq!(field(&request, name).is_some(), kept, "{name}: {note}");
            }
            let length = (kept && !content.is_empty()).then_some("2");
            assert_eq!(field(&request, "content-length"), length, "{note}");
            // The other fields stay: this is the same origin.
            for name in CREDENTIALS
                .into_iter()
                .chain(["x-own", "accept", "cache-control"])
            {
                assert!(field(&request, name).is_some(), "{name}: {note}");
            }
        }
    }
}

#[test]
fn locations_are_resolved_against_the_url_at_hand() {
    let table = [
        ("http://a/b/c?d", "e", "http a 80", "/b/e"),
        ("http://a/b/c?d", "../e?f", "http a 80", "/e?f"),
        ("http://a/b/c?d", "?f", "http a 80", "/b/c?f"),
        ("http://a/b/c?d", "#f", "http a 80", "/b/c?d"),
        ("http://a/b/c?d", "/e#f", "http a 80", "/e"),
        ("http://a/b/c?d", "//x/e", "http x 80", "/e"),
        ("https://a:8/b", "//x/e", "https x 443", "/e"),
        ("http://a/b", "http://x:8080", "http x 8080", "/"),
        ("http://a/b", "https://a/b", "https a 443", "/b"),
        ("https://a/b", "http://a/b", "http a 80", "/b"),
        (
            "http://a/b",
            "http://[2001:db8::1]/",
            "http 2001:db8::1 80",
            "/",
        ),
        ("http://a:80/b", "/ü b", "http a 80", "/%C3%BC%20b"),
    ];
    for (from, location, connection, target) in table {
        let mut client = Client::to(from, EventSourceConfig::default());
        client.connect();
        client.told();
        redirect(&mut client, 302, location);
        let request = client.connect();
        let told = ["disconnect".to_owned(), format!("connect {connection}")];
        assert_eq!(client.told(), told, "{location}");
        assert_eq!(
            request_line(&request),
            format!("GET {target} HTTP/1.1"),
            "{location}"
        );
    }
}

#[test]
fn credentials_stay_with_their_origin() {
    let with_credentials = |request: &String| {
        let there = CREDENTIALS.map(|name| field(request, name).is_some());
        assert!(there == [true; 3] || there == [false; 3], "{request}");
        assert_eq!(field(request, "x-own"), Some("yes"));
        there[0]
    };
    for (urls, expected) in [
        (
            ["http://a/1", "http://a/2", "http://a:80/3"],
            [true, true, true],
        ),
        (
            ["http://a/1", "http://b/2", "http://b/3"],
            [true, false, false],
        ),
        (
            ["http://a/1", "http://a:81/2", "http://a:81/3"],
            [true, false, false],
        ),
        (
            ["http://a/1", "https://a/2", "https://a/3"],
            [true, false, false],
        ),
        (
            ["https://a/1", "http://a/2", "http://a/3"],
            [true, false, false],
        ),
        (
            ["https://a/1", "https://A:443/2", "https://sub.a/3"],
            [true, true, false],
        ),
        // A request that was redirected away has no credentials when it is redirected back.
        (
            ["http://a/1", "http://b/2", "http://a/1"],
            [true, false, false],
        ),
    ] {
        let requests = requests(get(), &urls);
        let there: Vec<_> = requests.iter().map(with_credentials).collect();
        assert_eq!(there, expected, "{urls:?}");
    }
}

#[test]
fn credentials_do_not_come_back_with_a_reconnection() {
    let mut client = Client::to("http://a/", get());
    client.connect();
    redirect(&mut client, 302, "http://b/");
    client.connect();
    let request = client.lose_after("id: 1\ndata: x\n\n");
    assert_eq!(field(&request, "host"), Some("b"));
    assert_eq!(field(&request, "authorization"), None);
    assert_eq!(field(&request, "last-event-id"), Some("1"));
}

#[test]
fn a_location_that_is_missing_or_leads_nowhere_is_a_failure() {
    let failure = |fields: &str| {
        let mut client = Client::new(EventSourceConfig::default());
        client.connect();
        client.told();
        client.receive(format!("HTTP/1.1 302 Found\r\n{fields}\r\n"));
        let told = client.told();
        assert_eq!(told.len(), 2, "{fields}: {told:?}");
        assert_eq!(told[0], "disconnect");
        assert_eq!(client.source.phase(), Phase::Closed);
        told[1].clone()
    };
    for fields in ["", "location:\r\n", "location: \t\r\n"] {
        assert_eq!(failure(fields), "failed Redirect(NoLocation)");
    }
    for location in [
        "ftp://a/",
        "file:///etc/passwd",
        "data:text/event-stream,data:x",
        "javascript:alert(1)",
        "http://",
        "http://a:99999/",
        "//[::1/",
        // Otherwise a server could make the client send them anywhere.
        "http://me@a/",
        "//me:secret@a/",
    ] {
        let told = failure(&format!("location: {location}\r\n"));
        assert_eq!(told, format!("failed Redirect(BadLocation({location:?}))"));
    }
}

#[test]
fn a_location_that_is_not_utf8_is_a_failure() {
    let mut client = Client::new(EventSourceConfig::default());
    client.connect();
    client.receive(b"HTTP/1.1 302 Found\r\nlocation: /\xff\r\n\r\n");
    let told = client.told();
    assert_eq!(
        told.last().unwrap(),
        "failed Redirect(BadLocation(\"/\u{fffd}\"))"
    );
}

#[test]
fn so_many_redirects_in_a_row_are_followed() {
    for most in [0, 1, 10] {
        let mut config = EventSourceConfig::default();
        config.max_redirects = most;
        let mut client = Client::new(config);
        for n in 0..most {
            client.connect();
            redirect(&mut client, 307, &format!("/{n}"));
        }
        client.connect();
        client.told();
        redirect(&mut client, 307, "/more");
        assert_eq!(client.told(), ["disconnect", "lost TooManyRedirects"]);
    }
}

#[test]
fn the_count_of_redirects_starts_again_with_each_attempt() {
    let mut config = EventSourceConfig::default();
    config.max_redirects = 2;
    let mut client = Client::new(config);
    client.connect();
    for round in 0..5 {
        for n in 0..2 {
            redirect(&mut client, 307, &format!("/{round}/{n}"));
            client.connect();
        }
        client.lose_after("data: x\n\n");
        for n in 0..2 {
            redirect(&mut client, 307, &format!("/{round}/{n}"));
            client.connect();
        }
        client.end();
        client.reconnect();
    }
    assert_eq!(client.source.phase(), Phase::Requesting);
}

#[test]
fn reconnections_go_where_the_redirect_led() {
    let mut client = Client::to("http://a/1", EventSourceConfig::default());
    client.connect();
    redirect(&mut client, 302, "http://b/2");
    assert_eq!(client.source.url(), "http://b/2");
    client.poll();
    client.fail(ConnectionRefused);
    let request = client.reconnect();
    assert_eq!(request_line(&request), "GET /2 HTTP/1.1");
    assert_eq!(client.source.url(), "http://b/2");
}

#[test]
fn reconnections_make_the_request_that_the_redirect_made_of_it() {
    let mut client = Client::new(config(Method::POST, "{}"));
    client.connect();
    redirect(&mut client, 303, "/there");
    let redirected = client.connect();
    assert_eq!(client.lose_after("data: x\n\n"), redirected);
    assert_eq!(request_line(&redirected), "GET /there HTTP/1.1");
}

#[test]
fn the_rest_of_a_redirect_is_ignored() {
    let mut client = Client::new(EventSourceConfig::default());
    client.connect();
    client.told();
    let redirect = "HTTP/1.1 302 Found\r\nlocation: /there\r\ncontent-type: text/event-stream\r\n\
         content-encoding: gzip\r\n\r\nid: evil\ndata: evil\n\n";
    client.source.handle_input(client.now, redirect.as_bytes());
    // The old connection may continue for a while.
    client.source.handle_input(client.now, OPEN.as_bytes());
    client
        .source
        .handle_input(client.now, b"id: evil\ndata: evil\n\n");
    client.source.handle_eof(client.now);
    assert_eq!(client.told(), ["disconnect", "connect http example.org 80"]);
    assert_eq!(field(&client.connect(), "last-event-id"), None);
}
