//! The route of a request, the values that its handler gets, and responses without a handler.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::{FutureExt, StreamExt, stream};
use sse_core::{
    http::{BodyLength, HeaderValue, RequestHead, Response},
    lifecycle::{CleanUpOwner, CloseReason, Shutdown},
};
use sse_driver::router::{Context, ReplyBody, Request, RouteError, Routed, Router, Routes};

use super::{ask, ask_with, body_of, context, head};

/// Returns a feed of events and a page, and the number of calls of their handlers.
fn feed_and_page() -> (Routes, Arc<AtomicUsize>) {
    let calls = Arc::<AtomicUsize>::default();
    let [feed_calls, page_calls] = [calls.clone(), calls.clone()];
    let routes = Router::new()
        .events("/feed", move |_| {
            feed_calls.fetch_add(1, Ordering::Relaxed);
            stream::iter(["one"])
        })
        .get("/page", move |_| {
            page_calls.fetch_add(1, Ordering::Relaxed);
            Response::new("a page")
        })
        .build()
        .unwrap();
    (routes, calls)
}

#[test]
fn what_the_routes_answer_by_themselves() {
    const HTML: &[(&str, &str)] = &[("accept", "text/html")];
    const ALLOW: Option<&str> = Some("GET, HEAD, OPTIONS");
    type Case = (
        &'static str,
        &'static str,
        &'static [(&'static str, &'static str)],
        BodyLength,
        u16,
        Option<&'static str>,
        &'static str,
    );
    let no_body = BodyLength::None;
    // Where several things are wrong, the first of 404, 405, 413 and 406 is the response.
    let table: &[Case] = &[
        ("GET", "/none", &[], no_body, 404, None, "/none"),
        (
            "POST",
            "/none",
            HTML,
            BodyLength::Chunked,
            404,
            None,
            "/none",
        ),
        ("OPTIONS", "/none", &[], no_body, 404, None, "/none"),
        ("GET", "/feed/", &[], no_body, 404, None, "/feed/"),
        ("GET", "/feed/more", &[], no_body, 404, None, "/feed/more"),
        ("GET", "/FEED", &[], no_body, 404, None, "/FEED"),
        ("POST", "/feed", &[], no_body, 405, ALLOW, "POST"),
        ("DELETE", "/page", &[], no_body, 405, ALLOW, "DELETE"),
        (
            "POST",
            "/feed",
            HTML,
            BodyLength::Exact(1),
            405,
            ALLOW,
            "POST",
        ),
        ("GET", "/feed", &[], BodyLength::Exact(1), 413, None, "body"),
        ("OPTIONS", "*", &[], BodyLength::Chunked, 413, None, "body"),
        ("GET", "/page", &[], BodyLength::Chunked, 413, None, "body"),
        ("HEAD", "/feed", &[], BodyLength::Chunked, 413, None, "body"),
        (
            "OPTIONS",
            "/feed",
            &[],
            BodyLength::Exact(1),
            413,
            None,
            "body",
        ),
        (
            "GET",
            "/feed",
            HTML,
            BodyLength::Exact(1),
            413,
            None,
            "body",
        ),
        (
            "GET",
            "/feed",
            HTML,
            no_body,
            406,
            None,
            "text/event-stream",
        ),
        (
            "HEAD",
            "/feed",
            HTML,
            no_body,
            406,
            None,
            "text/event-stream",
        ),
        ("OPTIONS", "/feed", HTML, no_body, 204, ALLOW, ""),
        ("OPTIONS", "/page", &[], no_body, 204, ALLOW, ""),
        ("OPTIONS", "*", &[], no_body, 204, ALLOW, ""),
    ];
    let (routes, calls) = feed_and_page();
    for (method, target, fields, body, status, allow, says) in table {
        let head = head(method, target, fields);
        let head = RequestHead::of_server(head.into_request(), *body);
        let case = format!("{method} {target} {fields:?} {body:?}");
        let answer = ask_with(&routes, head, context());
        assert_eq!(answer.status, *status, "{case}");
        assert_eq!(answer.field("allow"), *allow, "{case}");
        assert!(!answer.from_handler, "{case}");
        if says.is_empty() {
            assert_eq!(answer.body, "", "{case}");
        } else {
            assert!(answer.body.contains(says), "{case}: {}", answer.body);
            let text = Some("text/plain; charset=utf-8");
            assert_eq!(answer.field("content-type"), text, "{case}");
        }
    }
    assert_eq!(calls.load(Ordering::Relaxed), 0);
}

#[test]
fn what_a_handler_is_asked() {
    let (routes, calls) = feed_and_page();
    let table = [
        ("GET", "/feed", BodyLength::None, "data: one\n\n"),
        ("GET", "/feed?a=b", BodyLength::Exact(0), "data: one\n\n"),
        (
            "GET",
            "http://example.org/feed",
            BodyLength::None,
            "data: one\n\n",
        ),
        ("GET", "/page", BodyLength::None, "a page"),
        // The connection leaves the body out.
        ("HEAD", "/page", BodyLength::None, "a page"),
    ];
    for (n, (method, target, body, expected)) in table.into_iter().enumerate() {
        let head = head(method, target, &[("accept", "text/event-stream")]);
        let head = RequestHead::of_server(head.into_request(), body);
        let answer = ask_with(&routes, head, context());
        assert_eq!(
            (answer.status, &*answer.body),
            (200, expected),
            "{method} {target}"
        );
        assert!(answer.from_handler, "{method} {target}");
        assert_eq!(calls.load(Ordering::Relaxed), n + 1, "{method} {target}");
    }
}

#[test]
fn a_page_does_not_have_to_be_an_event_stream() {
    let (routes, _) = feed_and_page();
    let head = head("GET", "/page", &[("accept", "text/html")]);
    assert_eq!(ask_with(&routes, head, context()).status, 200);
}

#[test]
fn a_handler_is_called_when_its_answer_is_first_polled() {
    let (routes, calls) = feed_and_page();
    let Routed::Call(reply) = routes.route(head("GET", "/feed", &[]), context()) else {
        panic!("the handler is not asked");
    };
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    reply.now_or_never().unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[test]
fn a_head_of_an_event_stream_is_what_a_get_gets_without_events() {
    let (routes, calls) = feed_and_page();
    let Routed::Answer(head_reply) = routes.route(head("HEAD", "/feed", &[]), context()) else {
        panic!("a handler is asked");
    };
    let Routed::Call(get_reply) = routes.route(head("GET", "/feed", &[]), context()) else {
        panic!("no handler is asked");
    };
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    let (head_parts, head_body) = head_reply.into_parts();
    let (get_parts, _) = get_reply.now_or_never().unwrap().into_parts();
    assert_eq!(head_parts.status(), get_parts.status());
    assert_eq!(head_parts.headers(), get_parts.headers());
    let ReplyBody::Events(events) = head_body else {
        panic!("it is not an event stream");
    };
    assert!(
        events
            .collect::<Vec<_>>()
            .now_or_never()
            .unwrap()
            .is_empty()
    );
}

#[test]
fn parts_of_the_path_are_decoded() {
    let echo = |request: Request| {
        let room = request.path_param("room").unwrap_or("-").to_owned();
        let rest = request.path_param("rest").unwrap_or("-");
        assert_eq!(request.path_param("other"), None);
        Response::new(format!("{room} {rest}"))
    };
    let routes = Router::new()
        .get("/rooms/{room}", echo)
        .get("/rooms/{room}/files/{*rest}", echo)
        .get("/rooms/lobby", |_| Response::new("the lobby"))
        // Doubled braces are literal braces.
        .get("/{{a}}/{{a}}", |_| Response::new("braces"))
        .build()
        .unwrap();
    let table = [
        ("/rooms/a", 200, "a -"),
        ("/rooms/lobby", 200, "the lobby"),
        ("/{a}/{a}", 200, "braces"),
        ("/x/x", 404, ""),
        ("/rooms/caf%C3%A9%20%2f%25", 200, "café /% -"),
        // A plus is a space only in a query.
        ("/rooms/a+b", 200, "a+b -"),
        ("/rooms/a/files/b/c%20d%3f", 200, "a b/c d?"),
        ("/rooms/a/files/", 404, ""),
        ("/rooms/", 404, ""),
        ("/rooms/%ff", 400, "room"),
        ("/rooms/a/files/%C3", 400, "rest"),
        ("/rooms/%", 400, "/rooms/% does not decode"),
        ("/rooms/%4", 400, "/rooms/%4 does not decode"),
        ("/rooms/%zz", 400, "percent sign"),
        ("/rooms/%4z", 400, "percent sign"),
        ("/rooms/a%+1", 400, "percent sign"),
        ("/rooms/%%34%31", 400, "percent sign"),
        ("/rooms/a/files/b%2", 400, "percent sign"),
        ("/nowhere/%", 400, "percent sign"),
    ];
    for (target, status, says) in table {
        let answer = ask(&routes, "GET", target);
        assert_eq!(answer.status, status, "{target}: {}", answer.body);
        match status {
            200 => assert_eq!(answer.body, says, "{target}"),
            _ => assert!(answer.body.contains(says), "{target}: {}", answer.body),
        }
        assert_eq!(answer.from_handler, status == 200, "{target}");
    }
}

#[test]
fn a_request_shows_its_head() {
    let routes = Router::new()
        .get("/{a}", |request: Request| {
            assert_eq!(
                (request.method().as_str(), request.path()),
                ("GET", "/x%20y")
            );
            assert_eq!(request.uri(), "/x%20y?q=1&name=a+b%26c&name=second&empty");
            assert_eq!(request.query(), Some("q=1&name=a+b%26c&name=second&empty"));
            assert_eq!(request.query_param("name").as_deref(), Some("a b&c"));
            assert_eq!(request.query_param("empty").as_deref(), Some(""));
            assert_eq!(request.query_param("other"), None);
            assert_eq!(request.headers()["x-name"], "value");
            assert_eq!(
                request.peer_addr(),
                Some(SocketAddr::from(([192, 0, 2, 1], 80)))
            );
            assert!(!request.shutdown().has_begun());
            Response::new("shown")
        })
        .build()
        .unwrap();
    let target = "/x%20y?q=1&name=a+b%26c&name=second&empty";
    let mut context = context();
    context.peer = Some(SocketAddr::from(([192, 0, 2, 1], 80)));
    let answer = ask_with(
        &routes,
        head("GET", target, &[("x-name", "value")]),
        context,
    );
    assert_eq!(answer.body, "shown");
}

#[test]
fn the_last_event_id_is_utf_8_or_none() {
    let routes = Router::new()
        .get("/", |request: Request| {
            Response::new(format!("{:?}", request.last_event_id()))
        })
        .build()
        .unwrap();
    let table: [(Option<&[u8]>, &str); 5] = [
        (None, "None"),
        (Some(b""), "None"),
        (Some(b"42"), "Some(\"42\")"),
        (Some("naïve ☃".as_bytes()), "Some(\"naïve ☃\")"),
        (Some(b"\xff\xfe"), "None"),
    ];
    for (value, expected) in table {
        let mut request = head("GET", "/", &[]).into_request();
        if let Some(value) = value {
            let value = HeaderValue::from_bytes(value).unwrap();
            request.headers_mut().insert("last-event-id", value);
        }
        let head = RequestHead::of_server(request, BodyLength::None);
        assert_eq!(
            ask_with(&routes, head, context()).body,
            expected,
            "{value:?}"
        );
    }
}

#[test]
fn a_handler_reaches_clean_up_and_shutdown_of_its_own_connection() {
    let runs = Arc::<AtomicUsize>::default();
    let log = runs.clone();
    let router = Router::new().get("/", move |request: Request| {
        let log = log.clone();
        request.clean_up().add(move |_| {
            log.fetch_add(1, Ordering::Relaxed);
        });
        Response::new(format!("{}", request.shutdown().has_begun()))
    });
    let (owner, shutdown) = (CleanUpOwner::new(), Shutdown::new());
    shutdown.begin();
    let context = Context::new(owner.handle(), shutdown.signal());
    let answer = ask_with(&router.build().unwrap(), head("GET", "/", &[]), context);
    assert_eq!(answer.body, "true");
    assert_eq!(runs.load(Ordering::Relaxed), 0);
    owner.run(CloseReason::StreamEnded);
    assert_eq!(runs.load(Ordering::Relaxed), 1);
}

#[test]
fn nested_routes_are_below_their_prefix() {
    let page = |text: &'static str| move |_: Request| Response::new(text);
    let inner = Router::new().get("/", page("inner")).get("/x", page("x"));
    let deep = Router::new().get("/{b}", |request: Request| {
        let params = ["a", "b"].map(|name| request.path_param(name).unwrap_or("-").to_owned());
        Response::new(params.join("+"))
    });
    let routes = Router::new()
        .get("/", page("outer"))
        .nest("/in", inner)
        .nest("/slash/", Router::new().get("/y", page("y")))
        .nest("/deep", Router::new().nest("/{a}", deep))
        .nest("", Router::new().get("/beside", page("beside")))
        .build()
        .unwrap();
    let table = [
        ("/", 200, "outer"),
        ("/in", 200, "inner"),
        ("/in/", 404, "/in/"),
        ("/in/x", 200, "x"),
        ("/x", 404, "/x"),
        ("/slash/y", 200, "y"),
        ("/deep/1/2", 200, "1+2"),
        ("/beside", 200, "beside"),
    ];
    for (target, status, says) in table {
        let answer = ask(&routes, "GET", target);
        assert_eq!(answer.status, status, "{target}");
        assert!(answer.body.contains(says), "{target}: {}", answer.body);
    }
}

#[test]
fn a_route_has_at_most_25_parameters() {
    let with = |count: usize| {
        let path: String = (0..count).map(|n| format!("/{{p{n}}}")).collect();
        Router::new().events(path, |_| stream::iter(["x"])).build()
    };
    assert!(with(25).is_ok());
    let error = with(26).unwrap_err();
    assert!(
        error.to_string().contains("more than 25 parameters"),
        "{error}"
    );
}

#[test]
fn a_segment_may_have_colons_and_asterisks() {
    let page = |text: &'static str| move |_: Request| Response::new(text);
    let routes = Router::new()
        .get("/jobs:run", page("inside"))
        .get("/%3Aid", page("a colon"))
        .get("/%2A", page("an asterisk"))
        .get("/%3Fa", page("a question mark"))
        .build()
        .unwrap();
    for (target, says) in [
        ("/jobs:run", "inside"),
        ("/:id", "a colon"),
        ("/*", "an asterisk"),
        ("/%3Fa", "a question mark"),
    ] {
        assert_eq!(ask(&routes, "GET", target).body, says, "{target}");
    }
}

#[test]
fn a_router_with_a_mistake_is_not_built() {
    fn with(paths: &[&str]) -> Router {
        let mut router = Router::new();
        for path in paths {
            router = router.events(*path, |_| stream::iter(["x"]));
        }
        router
    }
    let nested = |prefix, path| Router::new().nest(prefix, with(&[path]));
    let table = [
        (with(&["/a", "/a"]), "/a", "already"),
        (with(&["/{a}", "/{b}"]), "/{b}", "/{a}"),
        (
            with(&["/a/{*all}", "/a/{*rest}"]),
            "/a/{*rest}",
            "/a/{*all}",
        ),
        (with(&["a"]), "a", "slash"),
        (with(&[""]), "", "slash"),
        (with(&["/{a"]), "/{a", "brace"),
        (with(&["/{}"]), "/{}", "name"),
        (with(&["/{a{b}"]), "/{a{b}", "end it with }"),
        (with(&["/{a/{b}"]), "/{a/{b}", "end it with }"),
        (with(&["/{a/b}c"]), "/{a/b}c", "end it with }"),
        (with(&["/{a}}b}"]), "/{a}}b}", "no counterpart"),
        (with(&["/ab", "/%61%62"]), "/%61%62", "/ab"),
        (with(&["/{a}/%7e", "/{b}/~"]), "/{b}/~", "/{a}/%7e"),
        (with(&["/a/../b"]), "/a/../b", "which no request has"),
        (with(&["/a/{b}/%2E"]), "/a/{b}/%2E", "which no request has"),
        (with(&["/100%"]), "/100%", "write %25"),
        (with(&["/a/:id"]), "/a/:id", "write {id}"),
        (with(&["/:"]), "/:", "%3A"),
        (with(&["/a/*rest"]), "/a/*rest", "write {*rest}"),
        (with(&["/a/*"]), "/a/*", "%2A"),
        (with(&["/a?b={b}"]), "/a?b={b}", "#[query]"),
        (with(&["/{a}{b}"]), "/{a}{b}", "segment"),
        (with(&["/{*all}/more"]), "/{*all}/more", "end"),
        (with(&["/{a}/x/{a}"]), "/{a}/x/{a}", "twice"),
        (with(&["/{a}/{*a}"]), "/{a}/{*a}", "twice"),
        (nested("/{a}", "/{a}"), "/{a}/{a}", "twice"),
        (nested("api", "/x"), "api/x", "slash"),
        (nested("/api", "x"), "x", "slash"),
        (nested("", "x"), "x", "slash"),
        (nested("/{*all}", "/x"), "/{*all}/x", "end"),
        (
            with(&["/in/x"]).nest("/in", with(&["/x"])),
            "/in/x",
            "already",
        ),
    ];
    for (router, path, says) in table {
        let debug = format!("{router:?}");
        let error: RouteError = router.build().expect_err(&debug);
        assert_eq!(error.path(), path);
        assert!(error.to_string().contains(says), "{path}: {error}");
        assert!(error.to_string().contains(path), "{path}: {error}");
    }
}

#[test]
fn a_path_with_markup_is_told_as_text() {
    let answer = ask(&Router::new().build().unwrap(), "GET", "/a'b(script)");
    assert_eq!(
        answer.field("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(
        body_of(Router::new(), "/%3Cscript%3E").matches('<').count(),
        0
    );
}
