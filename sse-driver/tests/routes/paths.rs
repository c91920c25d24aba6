//! One path, in any of its written forms.

use sse_core::http::{Method, Response};
use sse_driver::router::{Request, Router, Routes};

use super::{ask, body_of};

/// Returns routes of which one has a path that a wildcard and a parameter would match, too.
fn guarded() -> Routes {
    let wildcard = |request: Request| {
        let rest = request.path_param("rest").unwrap_or_default().to_owned();
        Response::new(format!("rest {rest}"))
    };
    Router::new()
        .get("/w/admin", |_| Response::new("guarded"))
        .get("/w/admin/{*rest}", |_| Response::new("guarded"))
        .get("/w/a:b", |_| Response::new("guarded"))
        .get("/w/gr\u{fc}n", |_| Response::new("guarded"))
        .get("/w/a%2fb", |_| Response::new("guarded"))
        .get("/w/{{x}}", |_| Response::new("guarded"))
        .get("/w/{*rest}", wildcard)
        .build()
        .unwrap()
}

#[test]
fn no_way_of_writing_a_path_leads_around_the_route_that_it_has() {
    let routes = guarded();
    for target in [
        "/w/admin",
        "/w/%61dmin",
        "/w/%61%64%6D%69%6e",
        "/%77/admin",
        "/w/admin/secret",
        "/w/%61dmin/",
        "/w/admi%6e/x",
        "/w/a:b",
        "/w/a%3ab",
        "/w/a%3Ab",
        "/w/gr\u{fc}n",
        "/w/gr%C3%BCn",
        "/w/gr%c3%bcn",
        "/w/a%2Fb",
        "/w/a%2fb",
        "/w/{x}",
        "/w/%7bx%7D",
    ] {
        let answer = ask(&routes, "GET", target);
        // Below /w/admin a wildcard has to match something.
        let expected = match target {
            "/w/%61dmin/" => "rest admin/",
            _ => "guarded",
        };
        assert_eq!(answer.body, expected, "{target}");
    }
}

#[test]
fn dot_segments_are_refused_however_they_are_written() {
    let routes = guarded();
    for target in [
        "/w/x/../admin",
        "/w/./admin",
        "/w/%2e%2e/admin",
        "/w/.%2E/admin",
        "/w/x/%2e",
        "/w/..",
        "/w/.",
        "/..",
        "/.",
        "/./w/admin",
        "/nowhere/..",
    ] {
        for method in ["GET", "POST", "OPTIONS"] {
            let answer = ask(&routes, method, target);
            assert_eq!(answer.status, 400, "{method} {target}");
            assert!(answer.body.contains("segment . or .."), "{}", answer.body);
            assert!(!answer.from_handler);
        }
    }
    for (target, rest) in [
        ("/w/...", "..."),
        ("/w/.a/b.", ".a/b."),
        ("/w/a..b", "a..b"),
        // A query is not part of the path.
        ("/w/x?../admin", "x"),
    ] {
        let answer = ask(&routes, "GET", target);
        assert_eq!(answer.body, format!("rest {rest}"), "{target}");
    }
}

/// A handler that joins a part to a path of its own would leave that.
#[test]
fn a_part_of_a_segment_is_no_dot_segment_either() {
    let part = |request: Request| {
        let part = request.path_param("part").unwrap_or_default().to_owned();
        Response::new(format!("part {part}"))
    };
    let routes = Router::new()
        .get("/v{part}", part)
        .get("/{part}.json", part)
        .get("/files{*part}", part)
        .build()
        .unwrap();
    for target in [
        "/v..",
        "/v.",
        "/v%2e%2E",
        "/...json",
        "/..json",
        "/files../etc",
        "/files.",
        "/files%2e./etc",
    ] {
        let answer = ask(&routes, "GET", target);
        assert_eq!(answer.status, 400, "{target}: {}", answer.body);
        assert!(answer.body.contains(". or .."), "{}", answer.body);
        assert!(!answer.from_handler);
    }
    for (target, is) in [
        ("/v...", "..."),
        ("/v1.2", "1.2"),
        ("/a..json", "a."),
        ("/files/a..b/c", "/a..b/c"),
        ("/files...", "..."),
    ] {
        let answer = ask(&routes, "GET", target);
        assert_eq!(answer.body, format!("part {is}"), "{target}");
    }
}

#[test]
fn a_slash_of_a_segment_separates_none() {
    let routes = guarded();
    for (target, rest) in [
        // Decoded, it would be the path of the route beside it.
        ("/w/admin%2Fsecret", "admin%2Fsecret"),
        ("/w/admin%2fsecret", "admin%2Fsecret"),
        ("/w/..%2F..%2Fetc", "..%2F..%2Fetc"),
        ("/w/x/b%2fc%20d", "x/b%2Fc d"),
        ("/w/x%25", "x%"),
        ("/w//x", "/x"),
    ] {
        let answer = ask(&routes, "GET", target);
        assert_eq!(answer.body, format!("rest {rest}"), "{target}");
    }
    let name = |request: Request| Response::new(request.path_param("x").unwrap().to_owned());
    assert_eq!(body_of(Router::new().get("/{x}", name), "/a%2Fb"), "a/b");
}

#[test]
fn routes_of_one_path_are_together_however_they_are_written() {
    let routes = Router::new()
        .get("/caf\u{e9}", |_| Response::new("got"))
        .post("/caf%c3%a9", |_| Response::new("posted"))
        .route(Method::PUT, "/c%61f%C3%A9", |_| Response::new("put"))
        .build()
        .unwrap();
    for (method, body) in [("GET", "got"), ("POST", "posted"), ("PUT", "put")] {
        assert_eq!(ask(&routes, method, "/caf%C3%A9").body, body);
    }
}

/// Literal text around a parameter may cut a percent-encoded byte in two.
#[test]
fn half_of_a_percent_encoded_byte_is_not_a_parameter() {
    let routes = Router::new()
        .get("/x{a}F", |_| Response::new("asked"))
        .build()
        .unwrap();
    assert_eq!(ask(&routes, "GET", "/x%2F").status, 400);
    assert_eq!(ask(&routes, "GET", "/xaF").body, "asked");
}

/// Checks that these paths lead to these routes, in whichever order the routes are added.
fn assert_found<const N: usize>(mut routes: [&'static str; N], cases: &[(&str, &str)]) {
    for _ in 0..N {
        routes.rotate_left(1);
        let router = routes.into_iter().fold(Router::new(), |router, route| {
            let tell = move |request: Request| {
                let params = ["id", "file", "rest"].map(|name| request.path_param(name));
                let params = params.into_iter().flatten().collect::<Vec<_>>().join(" ");
                Response::new(format!("{route}: {params}"))
            };
            router.get(route, tell)
        });
        let found = router.build().unwrap();
        for (path, expected) in cases {
            assert_eq!(ask(&found, "GET", path).body, *expected, "{path}");
        }
    }
}

#[test]
fn text_around_a_parameter_is_no_dead_end_where_another_route_goes_on() {
    let routes = [
        "/{id}",
        "/{id}/events",
        "/{file}.json",
        "/{file}.json/raw",
        "/{file}.min.json/min",
        "/{id}/{file}.json/text",
        "/{id}/{file}",
        "/a.json/exact",
        "/v{id}/events",
        "/version{id}/events",
        "/v{id}/raw",
        "/version/raw",
        "/v{id}.json",
        "/w{*rest}",
        "/w{id}",
    ];
    assert_found(
        routes,
        &[
            ("/a", "/{id}: a"),
            ("/a.json", "/{file}.json: a"),
            ("/.json", "/{id}: .json"),
            ("/a.json/raw", "/{file}.json/raw: a"),
            ("/a.json/events", "/{id}/events: a.json"),
            ("/a.json/b.json/text", "/{id}/{file}.json/text: a.json b"),
            ("/a.json/b", "/{id}/{file}: a.json b"),
            // The longer suffix does not match the rest, the shorter one does.
            ("/a.min.json/min", "/{file}.min.json/min: a"),
            ("/a.min.json/raw", "/{file}.json/raw: a.min"),
            ("/a.json/exact", "/a.json/exact: "),
            ("/v", "/{id}: v"),
            ("/v1", "/{id}: v1"),
            ("/v1.json", "/v{id}.json: 1"),
            ("/v1/events", "/v{id}/events: 1"),
            ("/v1.json/raw", "/v{id}/raw: 1.json"),
            ("/version1/events", "/version{id}/events: 1"),
            ("/version1/raw", "/v{id}/raw: ersion1"),
            ("/version/events", "/v{id}/events: ersion"),
            ("/version/raw", "/version/raw: "),
            ("/u1/events", "/{id}/events: u1"),
            ("/w/events", "/w{*rest}: /events"),
            ("/w1", "/w{id}: 1"),
            ("/w1/events", "/w{*rest}: 1/events"),
            ("/w", "/{id}: w"),
        ],
    );
}

#[test]
fn text_around_a_parameter_tells_routes_apart_and_its_name_does_not() {
    for (one, other, conflicts) in [
        ("/{a}.json", "/{b}.json", true),
        ("/v{a}/x", "/v{b}/x", true),
        ("/w{*a}", "/w{*b}", true),
        ("/%76{a}", "/v{b}", true),
        ("/{a}.json", "/{a}.xml", false),
        ("/{a}.json/x", "/{a}.json/y", false),
        ("/v{a}", "/v{*a}", false),
        ("/v{a}", "/{a}v", false),
    ] {
        let router = Router::new().get(one, |_| "one").get(other, |_| "other");
        let conflict = router.build().err().map(|error| error.to_string());
        let text =
            format!("the route \"{other}\" is not valid: the route {one} matches the same paths");
        assert_eq!(conflict, conflicts.then_some(text), "{one} {other}");
    }
}
