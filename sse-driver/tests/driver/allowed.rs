//! The hosts and origins to which a router responds.

use futures_util::stream;
use sse_driver::router::{AllowList, Router};

use crate::harness::{Received, World};

fn status(world: &World, target: &str, fields: &str) -> u16 {
    let mut client = world.connect();
    client.send(format!("GET {target} HTTP/1.1\r\n{fields}\r\n"));
    world.sim.settle();
    client.read_all();
    Received::by(&client).status
}

fn serve(allowed: AllowList) -> World {
    let router = Router::new().events("/", |_| stream::iter(["x"]));
    World::new(router.allow_only(allowed))
}

#[test]
fn a_page_that_has_its_name_lead_here_is_refused() {
    let world = serve(AllowList::localhost());
    for (target, fields, expected) in [
        ("/", "Host: localhost\r\n", 200),
        ("/", "Host: LocalHost.:8080\r\n", 200),
        ("/", "Host: 127.0.0.1:3000\r\n", 200),
        ("/", "Host: [::1]:3000\r\n", 200),
        // The attacker's name resolves to this server, and the browser takes it for the same origin.
        ("/", "Host: evil.example:3000\r\n", 421),
        (
            "/",
            "Host: evil.example:3000\r\nOrigin: http://evil.example:3000\r\n",
            421,
        ),
        ("/", "Host: localhost.evil.example\r\n", 421),
        (
            "/",
            "Host: localhost\r\nOrigin: http://evil.example\r\n",
            403,
        ),
        ("/", "Host: localhost\r\nOrigin: null\r\n", 403),
        (
            "/",
            "Host: localhost\r\nOrigin: http://localhost\r\nOrigin: http://evil.example\r\n",
            403,
        ),
        // These are its own pages.
        (
            "/",
            "Host: localhost:3000\r\nOrigin: http://localhost:3000\r\n",
            200,
        ),
        ("/", "Host: localhost\r\nOrigin: https://localhost\r\n", 200),
        (
            "/",
            "Host: localhost:3000\r\nOrigin: http://localhost:3001\r\n",
            403,
        ),
        (
            "/",
            "Host: localhost:3000\r\nOrigin: http://127.0.0.1:3000\r\n",
            403,
        ),
        // The authority of the target has to be that of the field.
        ("http://localhost/", "Host: localhost\r\n", 200),
        ("http://evil.example/", "Host: evil.example\r\n", 421),
    ] {
        assert_eq!(
            status(&world, target, fields),
            expected,
            "{target} {fields}"
        );
    }
}

#[test]
fn other_origins_and_ports_are_let_in_by_name() {
    let allowed = AllowList::hosts(["api.example.org", "localhost:8080"]).unwrap();
    let world = serve(allowed.with_origins(["https://app.example.org"]).unwrap());
    for (fields, expected) in [
        (
            "Host: api.example.org\r\nOrigin: https://app.example.org\r\n",
            200,
        ),
        (
            "Host: api.example.org\r\nOrigin: http://app.example.org\r\n",
            403,
        ),
        (
            "Host: app.example.org\r\nOrigin: https://app.example.org\r\n",
            421,
        ),
        ("Host: localhost:8080\r\n", 200),
        ("Host: localhost:8081\r\n", 421),
        ("Host: localhost\r\n", 421),
    ] {
        assert_eq!(status(&world, "/", fields), expected, "{fields}");
    }
}

#[test]
fn a_client_leaves_out_the_port_that_is_the_usual_one() {
    let world = serve(AllowList::hosts(["a.example.org:443", "b.example.org:80"]).unwrap());
    for (host, expected) in [
        ("a.example.org", 200),
        ("a.example.org:443", 200),
        ("a.example.org:80", 421),
        ("b.example.org", 200),
        ("b.example.org:80", 200),
        ("b.example.org:8080", 421),
    ] {
        let fields = format!("Host: {host}\r\n");
        assert_eq!(status(&world, "/", &fields), expected, "{host}");
    }
}

#[test]
fn an_invalid_host_is_named() {
    for host in [
        "",
        "http://localhost",
        "*",
        "*.example.org",
        "a b",
        "a@b",
        "a/b",
        "a:b",
        "a:",
    ] {
        let error = AllowList::hosts(["localhost", host]).unwrap_err();
        assert_eq!(error.host(), host);
    }
    assert!(AllowList::localhost().with_origins(["*"]).is_err());
}
