//! Routes of other methods than `GET`, and their bodies.

use sse_core::http::{BodyLength, Method, RequestHead, Response};
use sse_driver::router::{Refusal, Request, RouteError, Routed, Router, Routes};

use super::{Answer, ask, ask_with, ask_with_body, context, head};

/// Responds with the request that it got.
fn echo(request: Request) -> Response<String> {
    let body = String::from_utf8_lossy(request.body());
    Response::new(format!("{} {body:?}", request.method()))
}

fn routes() -> Routes {
    Router::new()
        .events("/both", |_| futures_util::stream::iter(["events"]))
        .post("/both", echo)
        .post("/posts/{id}", echo)
        .route(Method::DELETE, "/posts/{id}", echo)
        .route(Method::from_bytes(b"QUERY").unwrap(), "/odd", echo)
        .build()
        .unwrap()
}

fn with_body(method: &str, target: &str, body: BodyLength) -> RequestHead {
    let head = head(method, target, &[]);
    RequestHead::of_server(head.into_request(), body)
}

#[test]
fn each_method_has_its_handler_and_its_body() {
    let routes = routes();
    for (method, target, expected) in [
        ("POST", "/both", "POST \"hello\""),
        ("POST", "/posts/1", "POST \"hello\""),
        ("DELETE", "/posts/1", "DELETE \"hello\""),
        ("QUERY", "/odd", "QUERY \"hello\""),
    ] {
        for body in [BodyLength::Exact(5), BodyLength::Chunked] {
            let head = with_body(method, target, body);
            let routed = routes.route(with_body(method, target, body), context());
            assert!(matches!(routed, Routed::Receive(_)), "{routed:?}");
            let answer = ask_with_body(&routes, head, "hello", context());
            assert_eq!((answer.status, answer.body.as_str()), (200, expected));
        }
        // Without a body there is nothing to wait for.
        for body in [BodyLength::None, BodyLength::Exact(0)] {
            let head = with_body(method, target, body);
            let routed = routes.route(head, context());
            assert!(matches!(routed, Routed::Call(_)), "{routed:?}");
            let answer = ask(&routes, method, target);
            assert_eq!(answer.body, format!("{method} \"\""));
        }
    }
    assert_eq!(ask(&routes, "GET", "/both").body, "data: events\n\n");
}

#[test]
fn an_unsupported_syntax_names_the_supported_one() {
    let routes = routes();
    for (target, method, allow) in [
        ("/both", "PUT", "GET, HEAD, POST, OPTIONS"),
        ("/posts/1", "GET", "POST, DELETE, OPTIONS"),
        ("/posts/1", "HEAD", "POST, DELETE, OPTIONS"),
        ("/odd", "POST", "QUERY, OPTIONS"),
    ] {
        // It is refused before its body is received.
        for body in [BodyLength::None, BodyLength::Chunked] {
            let answer = ask_with(&routes, with_body(method, target, body), context());
            assert_eq!(answer.status, 405, "{method} {target}");
            assert_eq!(answer.field("allow"), Some(allow), "{method} {target}");
            assert!(answer.body.contains(allow), "{}", answer.body);
            assert!(!answer.from_handler);
        }
        let options = ask(&routes, "OPTIONS", target);
        assert_eq!((options.status, options.field("allow")), (204, Some(allow)));
    }
    let head = with_body("GET", "/both", BodyLength::Exact(1));
    assert_eq!(ask_with(&routes, head, context()).status, 413);
}

#[test]
fn a_route_that_cannot_be_is_named() {
    let error = |router: Router| router.build().unwrap_err().to_string();
    let twice = Router::new().post("/a", echo).post("/a", echo);
    assert!(error(twice).contains("\"/a\" is not valid: the route exists already"));
    let twice = Router::new().get("/a", echo).route(Method::GET, "/a", echo);
    assert!(error(twice).contains("the route exists already"));
    for method in [
        Method::HEAD,
        Method::OPTIONS,
        Method::CONNECT,
        Method::TRACE,
    ] {
        let router = Router::new().route(method.clone(), "/a", echo);
        let says = format!("{method} has no routes of its own");
        assert!(error(router).contains(&says));
    }
    // Parameters of one path have one name.
    let router = Router::new().get("/{a}", echo).post("/{b}", echo);
    assert!(error(router).contains("the route /{a} matches the same paths"));
}

#[derive(serde::Deserialize)]
struct Prompt {
    text: String,
}

fn post_json(content_type: Option<&str>, body: &'static str) -> Answer {
    let handler = |request: Request| -> Result<_, Refusal> {
        let prompt: Prompt = request.json()?;
        Ok(Response::new(prompt.text))
    };
    let routes = Router::new().post("/", handler).build().unwrap();
    let fields: Vec<_> = content_type
        .map(|value| ("content-type", value))
        .into_iter()
        .collect();
    let head = head("POST", "/", &fields);
    let head = RequestHead::of_server(head.into_request(), BodyLength::Chunked);
    ask_with_body(&routes, head, body, context())
}

#[test]
fn a_body_of_json_is_read_and_a_fault_is_named() {
    const GOOD: &str = "{\"text\":\"hello\"}";
    for content_type in [
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/problem+json",
    ] {
        let answer = post_json(Some(content_type), GOOD);
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, "hello"),
            "{content_type}"
        );
    }
    for content_type in [
        None,
        Some("text/plain"),
        Some("application/jsonx"),
        Some("application/+json"),
        Some("json"),
        Some("application/x-www-form-urlencoded"),
    ] {
        let answer = post_json(content_type, GOOD);
        assert_eq!(answer.status, 415, "{content_type:?}");
        assert!(answer.body.contains("application/json"), "{}", answer.body);
    }
    for (body, status, says) in [
        ("", 400, "EOF"),
        ("{\"text\":", 400, "line 1 column 8"),
        ("{\"text\":\"a\"} x", 400, "trailing"),
        ("{}", 422, "missing field `text`"),
        ("{\"text\":1}", 422, "expected a string at line 1 column 9"),
    ] {
        let answer = post_json(Some("application/json"), body);
        assert_eq!(answer.status, status, "{body}: {}", answer.body);
        assert!(answer.body.contains(says), "{body}: {}", answer.body);
    }
}

#[test]
fn a_route_error_converts_to_an_io_error_that_keeps_it() {
    let built =
        |path: &str| -> std::io::Result<Routes> { Ok(Router::new().get(path, echo).build()?) };
    let error = built("no-slash").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    let kept = error
        .get_ref()
        .and_then(|error| error.downcast_ref::<RouteError>());
    assert_eq!(kept.map(RouteError::path), Some("no-slash"));
}
