//! Access for pages of other origins ([Fetch standard, section
//! 3.3](https://fetch.spec.whatwg.org/#http-cors-protocol)).

use std::time::Duration;

use futures_util::{FutureExt, stream};
use sse_core::{
    http::{
        BodyLength, HeaderMap, HeaderName, HeaderValue, Method, Request, RequestHead, Response,
        header,
    },
    lifecycle::{CleanUpOwner, Shutdown},
};
use sse_driver::router::{Context, Cors, Refusal, Reply, Routed, Router, Routes};

const HERE: &str = "https://here.example";
const THERE: &str = "http://there.example:3000";
const OTHER: &str = "https://other.example";

fn ask(routes: &Routes, method: &str, target: &str, fields: &[(&str, &str)]) -> (u16, HeaderMap) {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let head = RequestHead::of_server(request.body(()).unwrap(), BodyLength::None);
    ask_for(routes, head)
}

fn ask_for(routes: &Routes, head: RequestHead) -> (u16, HeaderMap) {
    let context = Context::new(CleanUpOwner::new().handle(), Shutdown::new().signal());
    let reply = match routes.route(head, context) {
        Routed::Answer(reply) => reply,
        Routed::Call(reply) => reply.now_or_never().unwrap(),
        Routed::Receive(receive) => receive.call("".into()).now_or_never().unwrap(),
    };
    (reply.status().as_u16(), reply.headers().clone())
}

/// Returns all values of a field, in order.
fn all<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    let values = headers.get_all(name).iter();
    values.map(|value| value.to_str().unwrap()).collect()
}

fn allow_fields(headers: &HeaderMap) -> Vec<&str> {
    let names = headers.keys().map(HeaderName::as_str);
    names
        .filter(|name| name.starts_with("access-control-"))
        .collect()
}

fn routes(cors: Option<Cors>) -> Routes {
    let router = Router::new()
        .events("/feed", |_| stream::iter(["x"]))
        .get("/page/{name}", |_| Response::new("page"))
        .get("/refused", |_| {
            Refusal::new(sse_core::http::StatusCode::FORBIDDEN, "no")
        });
    match cors {
        Some(cors) => router.cors(cors),
        None => router,
    }
    .build()
    .unwrap()
}

/// One request for every kind of response that is not a preflight's.
const ANSWERS: &[(&str, &str, u16)] = &[
    ("GET", "/feed", 200),
    ("HEAD", "/feed", 200),
    ("OPTIONS", "/feed", 204),
    ("GET", "/page/a", 200),
    ("GET", "/page/%ff", 400),
    ("GET", "/refused", 403),
    ("GET", "/none", 404),
    ("POST", "/feed", 405),
];

#[test]
fn every_response_names_the_origins_that_may_read_it() {
    let listed = || Cors::origins([HERE, THERE]).unwrap();
    let with_credentials = || Cors::origins_with_credentials([HERE]).unwrap();
    // A case has the rule and the request's origin; the allowed origin, credentials and vary.
    type Case = (
        Option<Cors>,
        Option<&'static str>,
        Option<&'static str>,
        bool,
        bool,
    );
    let table: [Case; 12] = [
        (None, Some(HERE), None, false, false),
        (Some(Cors::any()), Some(OTHER), Some("*"), false, false),
        (Some(Cors::any()), Some("null"), Some("*"), false, false),
        (Some(Cors::any()), None, Some("*"), false, false),
        (Some(listed()), Some(HERE), Some(HERE), false, true),
        (Some(listed()), Some(THERE), Some(THERE), false, true),
        (Some(listed()), Some(OTHER), None, false, true),
        (Some(listed()), Some("null"), None, false, true),
        (
            Some(listed()),
            Some("https://here.example.evil"),
            None,
            false,
            true,
        ),
        (Some(listed()), None, None, false, true),
        (Some(with_credentials()), Some(HERE), Some(HERE), true, true),
        (Some(with_credentials()), Some(OTHER), None, false, true),
    ];
    for (cors, origin, allowed, credentials, varies) in table {
        let case = format!("{cors:?}, {origin:?}");
        let routes = routes(cors);
        let fields: Vec<_> = origin
            .map(|origin| ("origin", origin))
            .into_iter()
            .collect();
        for (method, target, expected) in ANSWERS {
            let case = format!("{method} {target}, {case}");
            let (status, headers) = ask(&routes, method, target, &fields);
            assert_eq!(status, *expected, "{case}");
            let origins = all(&headers, "access-control-allow-origin");
            assert_eq!(origins, Vec::from_iter(allowed), "{case}");
            let yes = all(&headers, "access-control-allow-credentials");
            assert_eq!(yes, Vec::from_iter(credentials.then_some("true")), "{case}");
            let vary = all(&headers, "vary");
            assert_eq!(vary, Vec::from_iter(varies.then_some("origin")), "{case}");
        }
    }
}

fn preflight(routes: &Routes, target: &str, origin: &str) -> (u16, HeaderMap) {
    let fields = [
        ("origin", origin),
        ("access-control-request-method", "GET"),
        ("access-control-request-headers", "last-event-id"),
    ];
    ask(routes, "OPTIONS", target, &fields)
}

#[test]
fn a_preflight_says_what_a_page_may_send() {
    let cors = Cors::origins_with_credentials([HERE])
        .unwrap()
        .allow_header(header::AUTHORIZATION)
        .max_age(Duration::from_millis(90_900));
    let routes = routes(Some(cors));
    // This is also true of a 404, which the page may then read.
    for target in ["/feed", "/page/a", "/none"] {
        let (status, headers) = preflight(&routes, target, HERE);
        assert_eq!(status, 204, "{target}");
        let expected = [
            ("access-control-allow-origin", HERE),
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-methods", "GET, HEAD"),
            (
                "access-control-allow-headers",
                "last-event-id, cache-control, authorization",
            ),
            ("access-control-max-age", "90"),
            ("vary", "origin"),
        ];
        for (name, value) in expected {
            assert_eq!(all(&headers, name), [value], "{target}: {name}");
        }
    }
}

#[test]
fn a_preflight_of_any_origin_has_the_defaults() {
    let (status, headers) = preflight(&routes(Some(Cors::any())), "/feed", OTHER);
    assert_eq!(status, 204);
    let expected = [
        ("access-control-allow-origin", "*"),
        ("access-control-allow-methods", "GET, HEAD"),
        (
            "access-control-allow-headers",
            "last-event-id, cache-control",
        ),
        ("access-control-max-age", "86400"),
    ];
    for (name, value) in expected {
        assert_eq!(all(&headers, name), [value], "{name}");
    }
    assert!(!headers.contains_key("access-control-allow-credentials"));
    assert!(!headers.contains_key("vary"));
}

#[test]
fn a_preflight_of_a_stranger_allows_nothing() {
    let listed = Cors::origins_with_credentials([HERE]).unwrap();
    for (cors, vary) in [(Some(listed), &["origin"][..]), (None, &[])] {
        let (status, headers) = preflight(&routes(cors), "/feed", OTHER);
        assert_eq!(status, 204);
        assert_eq!(allow_fields(&headers), [""; 0]);
        assert_eq!(all(&headers, "vary"), vary);
    }
}

#[test]
fn options_without_the_fields_of_a_preflight_tells_the_methods() {
    let routes = routes(Some(Cors::any()));
    let only_origin = [("origin", HERE)];
    let only_method = [("access-control-request-method", "GET")];
    for fields in [&only_origin, &only_method] {
        let (status, headers) = ask(&routes, "OPTIONS", "/feed", fields);
        assert_eq!(status, 204, "{fields:?}");
        assert_eq!(all(&headers, "allow"), ["GET, HEAD, OPTIONS"], "{fields:?}");
        assert!(
            !headers.contains_key("access-control-allow-methods"),
            "{fields:?}"
        );
    }
}

#[test]
fn a_nested_router_keeps_its_own_rule() {
    let page = |_| Response::new("page");
    let own = Router::new()
        .get("/page", page)
        .cors(Cors::origins([HERE]).unwrap());
    let none = Router::new().get("/page", page);
    let deep = Router::new().nest("/own", own).nest("/none", none);
    let outer = Router::new().nest("/in", deep).get("/page", page);
    let routes = outer.cors(Cors::any()).build().unwrap();
    let table = [
        ("/page", vec!["*"]),
        ("/in/none/page", vec!["*"]),
        ("/in/own/page", vec![]),
    ];
    for (target, expected) in table {
        let (status, headers) = ask(&routes, "GET", target, &[("origin", OTHER)]);
        assert_eq!(status, 200, "{target}");
        assert_eq!(
            all(&headers, "access-control-allow-origin"),
            expected,
            "{target}"
        );
    }
    let (_, headers) = preflight(&routes, "/in/own/page", HERE);
    assert_eq!(all(&headers, "access-control-allow-origin"), [HERE]);
}

#[test]
fn the_routers_rule_stands_over_the_handlers() {
    let routes = Router::new()
        .get("/", |_| {
            Reply::from(Response::new(""))
                .with_header(header::VARY, HeaderValue::from_static("cookie"))
                .with_header(
                    header::ACCESS_CONTROL_ALLOW_ORIGIN,
                    HeaderValue::from_static("*"),
                )
                .with_header(
                    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
                    HeaderValue::from_static("true"),
                )
        })
        .cors(Cors::origins([HERE]).unwrap())
        .build()
        .unwrap();
    // A browser rejects two origins.
    let (_, headers) = ask(&routes, "GET", "/", &[("origin", HERE)]);
    assert_eq!(all(&headers, "access-control-allow-origin"), [HERE]);
    assert!(!headers.contains_key("access-control-allow-credentials"));
    assert_eq!(all(&headers, "vary"), ["cookie", "origin"]);
    let (_, headers) = ask(&routes, "GET", "/", &[("origin", OTHER)]);
    assert_eq!(allow_fields(&headers), [""; 0]);
}

#[test]
fn pages_of_allowed_origins_may_read_the_exposed_fields() {
    let cors = Cors::origins([HERE]).unwrap();
    let cors = cors
        .expose_header(header::RETRY_AFTER)
        .expose_header(HeaderName::from_static("sse-resume"));
    let router = Router::new()
        .events("/feed", |_| stream::iter(["x"]))
        .get("/page/{name}", |_| Response::new("page"))
        .get("/refused", |_| {
            Refusal::new(sse_core::http::StatusCode::FORBIDDEN, "no")
        })
        .get("/own", |_| {
            let own = Response::builder().header("access-control-expose-headers", "x-own");
            own.body("page").unwrap()
        });
    let routes = router.cors(cors).build().unwrap();
    let exposed = |method: &str, target: &str, origin| {
        let (_, headers) = ask(&routes, method, target, &[("origin", origin)]);
        all(&headers, "access-control-expose-headers").join("; ")
    };
    for (method, target, _) in ANSWERS {
        let case = format!("{method} {target}");
        assert_eq!(
            exposed(method, target, HERE),
            "retry-after, sse-resume",
            "{case}"
        );
        assert_eq!(exposed(method, target, OTHER), "", "{case}");
    }
    assert_eq!(
        exposed("GET", "/own", HERE),
        "x-own; retry-after, sse-resume"
    );
}

#[test]
fn a_preflight_with_a_body_is_refused_readably() {
    let request = Request::builder()
        .method("OPTIONS")
        .uri("/feed")
        .header("origin", HERE)
        .header("access-control-request-method", "GET");
    let head = RequestHead::of_server(request.body(()).unwrap(), BodyLength::Exact(1));
    let (status, headers) = ask_for(&routes(Some(Cors::any())), head);
    assert_eq!(status, 413);
    assert_eq!(all(&headers, "access-control-allow-origin"), ["*"]);
}

#[test]
fn an_origin_is_what_a_browser_would_write() {
    let good = [
        "https://example.org",
        "http://localhost:3000",
        "http://127.0.0.1:8080",
        "http://[::1]:8080",
        "https://xn--bcher-kva.example",
        "chrome-extension://abcdef",
    ];
    for origin in good {
        assert!(Cors::origins([origin]).is_ok(), "{origin}");
    }
    let bad = [
        "",
        "*",
        "null",
        "example.org",
        "https://",
        "https://example.org/",
        "https://example.org/path",
        "https://example.org?query",
        "https://example.org:443",
        "http://example.org:80",
        "https://example.org:",
        "https://example.org:08080",
        "https://example.org:65536",
        "https://user@example.org",
        "https://Example.org",
        "HTTPS://example.org",
        "Custom://example.org",
        "https://bücher.example",
        "https://example.org, https://example.net",
        "https://*.example.org",
        " https://example.org",
        "https://example.org\r\nx: y",
    ];
    for origin in bad {
        let error = Cors::origins([HERE, origin]).expect_err(origin);
        assert_eq!(error.origin(), origin);
        assert!(
            error.to_string().contains(&format!("{origin:?}")),
            "{error}"
        );
        assert!(
            Cors::origins_with_credentials([origin]).is_err(),
            "{origin}"
        );
    }
}

#[test]
fn a_preflight_names_the_methods_of_its_path() {
    let inner = Router::new()
        .post("/", |_| Response::new("posted"))
        .cors(Cors::origins([THERE]).unwrap());
    let routes = Router::new()
        .get("/ask", |_| Response::new("page"))
        .route(Method::PATCH, "/other", |_| Response::new("patched"))
        .nest("/ask", inner)
        .cors(Cors::any())
        .build()
        .unwrap();
    let preflight = |target: &str, method: &str| {
        let fields = [("origin", THERE), ("access-control-request-method", method)];
        let (status, headers) = ask(&routes, "OPTIONS", target, &fields);
        assert_eq!(status, 204, "{method} {target}");
        let of = |name: &str| all(&headers, name).join(" | ");
        (
            of("access-control-allow-origin"),
            of("access-control-allow-methods"),
            of("access-control-allow-headers"),
        )
    };
    let case = |origin: &str, methods: &str, fields: &str| {
        (origin.to_owned(), methods.to_owned(), fields.to_owned())
    };
    let (usual, with_type) = (
        "last-event-id, cache-control",
        "last-event-id, cache-control, content-type",
    );
    // Each method has the rule of its own route.
    assert_eq!(
        preflight("/ask", "POST"),
        case(THERE, "GET, HEAD, POST", with_type)
    );
    assert_eq!(
        preflight("/ask", "GET"),
        case("*", "GET, HEAD, POST", usual)
    );
    assert_eq!(
        preflight("/ask", "PUT"),
        case("*", "GET, HEAD, POST", usual)
    );
    assert_eq!(preflight("/other", "PATCH"), case("*", "PATCH", with_type));

    let (status, headers) = ask(&routes, "POST", "/ask", &[("origin", THERE)]);
    assert_eq!(
        (status, all(&headers, "access-control-allow-origin")),
        (200, vec![THERE])
    );
    let (status, headers) = ask(&routes, "POST", "/ask", &[("origin", OTHER)]);
    assert_eq!(
        (status, all(&headers, "access-control-allow-origin").len()),
        (200, 0)
    );
    // The same is true where the handler waits for a body.
    let head = Request::post("/ask")
        .header("origin", THERE)
        .body(())
        .unwrap();
    let head = RequestHead::of_server(head, BodyLength::Exact(4));
    let (status, headers) = ask_for(&routes, head);
    assert_eq!(
        (status, all(&headers, "access-control-allow-origin")),
        (200, vec![THERE])
    );
}
