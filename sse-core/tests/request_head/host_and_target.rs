//! The host and the target of a request.

use super::{refused, taken, with_first_line};

#[test]
fn http_1_1_has_exactly_one_valid_host() {
    for host in [
        "a",
        "A.Example",
        "a.",
        "a-b_c~d.1",
        "a:80",
        "a:0",
        "a:65535",
        "1.2.3.4:80",
        "[::1]",
        "[::1]:80",
        "[2001:DB8::1.2.3.4]:80",
        "xn--bcher-kva.example",
    ] {
        for (version, first) in [("HTTP/1.1", "Host"), ("HTTP/1.0", "hOST")] {
            taken(
                format!("GET / {version}\r\n{first}: \t{host} \r\n\r\n"),
                &format!("GET / {version} | host: {host}"),
            );
        }
    }
    for host in [
        "",
        " ",
        "a/b",
        "a?b",
        "a#b",
        "a/",
        "/",
        "http://a",
        "user@a",
        "user:secret@a",
        "@a",
        "a@",
        "a@a",
        "a:80@a:80",
        "a b",
        "a\tb",
        "a:x",
        "a:",
        ":",
        ":80",
        "a:+80",
        "a:-80",
        "a: 80",
        "a :80",
        "a:8 0",
        "a:80:80",
        "a:65536",
        "a:99999",
        "a:80,",
        "::1",
        "::1:80",
        "[::1",
        "::1]",
        "[::1]80",
        "[::1]:",
        "[::1]:x",
        "[::1]a",
        "a[::1]",
        "a[b]",
        "[]",
        "[]:80",
        "[a]",
        "[1.2.3.4]",
        "[::g]",
        "[::1%25eth0]",
        "[v1.a]",
        "[[::1]]",
        "a,b",
        "a, b",
        "a;b",
        "a=b",
        "(a)",
        "a'b",
        "a%41",
        "%61",
        "a\\b",
        "\"a\"",
        "<a>",
        "b\u{fc}cher.example",
        "*",
    ] {
        for version in ["HTTP/1.1", "HTTP/1.0"] {
            let text = "Host field is not a host";
            refused(
                format!("GET / {version}\r\nHost: {host}\r\n\r\n"),
                400,
                text,
            );
        }
    }
    refused("GET / HTTP/1.1\r\n\r\n", 400, "no Host field");
    refused("GET / HTTP/1.1\r\nX-Host: a\r\n\r\n", 400, "no Host field");
    taken("GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.0");
    for version in ["HTTP/1.1", "HTTP/1.0"] {
        for hosts in [
            "Host: a\r\nHost: a",
            "Host: a\r\nX: b\r\nhost: b",
            "Host: a\r\nHost:",
        ] {
            let input = format!("GET / {version}\r\n{hosts}\r\n\r\n");
            refused(input, 400, "more than one Host field");
        }
    }
}

#[test]
fn a_target_has_the_form_that_its_method_takes() {
    for line in [
        "GET /",
        "GET //",
        "GET //b/c",
        "GET /a?",
        "GET /a??b?c",
        "GET /%41%zz",
        "GET /a:b@c;d=e,f",
        "GET /gr\u{fc}ezi?\u{fc}",
        "OPTIONS /",
        "OPTIONS *",
        "GET http://a/",
        "GET http://A/c?d",
        "GET http://a:80/c",
        "GET https://a:443/c",
        "CONNECT b:80",
        "CONNECT [::1]:80",
    ] {
        let input = with_first_line(&format!("{line} HTTP/1.1"));
        taken(input, &format!("{line} HTTP/1.1 | host: a"));
    }
    // An empty path is that of the root.
    taken(
        with_first_line("GET http://a HTTP/1.1"),
        "GET http://a/ HTTP/1.1 | host: a",
    );
    taken(
        with_first_line("GET HTTP://a?c HTTP/1.1"),
        "GET http://a/?c HTTP/1.1 | host: a",
    );
    for line in [
        "GET *",
        "POST *",
        "OPTIONS **",
        "OPTIONS *?a",
        "OPTIONS */",
        "GET a",
        "GET a/b",
        "GET a:80",
        "GET ?a",
        "GET .",
        "GET ../a",
        "GET \\a",
        "GET http:",
        "GET http:/a",
        "GET http://",
        "GET http:///a",
        "GET http://?a",
        "GET http://user@b/",
        "GET http://b:x/",
        "GET http://b:/",
        "GET http://b:99999/",
        "GET http://b,c/",
        "GET http://[::1/",
        "GET http://b\\c/",
        "GET ftp://b/",
        "GET file:///a",
        "GET javascript:a",
        "GET data:,a",
        "CONNECT /",
        "CONNECT *",
        "CONNECT b",
        "CONNECT b:",
        "CONNECT b:x",
        "CONNECT b:99999",
        "CONNECT :80",
        "CONNECT b:80/",
        "CONNECT user@b:80",
        "CONNECT b,c:80",
        "CONNECT http://b:80",
        "CONNECT http://b:80/",
    ] {
        let input = with_first_line(&format!("{line} HTTP/1.1"));
        refused(input, 400, "target is not valid");
    }
    for line in [
        "GET /#",
        "GET /a#b",
        "GET #",
        "GET http://b/#c",
        "GET http://b#c",
        "CONNECT b:80#c",
    ] {
        let input = with_first_line(&format!("{line} HTTP/1.1"));
        refused(input, 400, "target has a fragment");
    }
    refused("GET http://b/ HTTP/1.1\r\n\r\n", 400, "no Host field");
    taken("GET http://b/ HTTP/1.0\r\n\r\n", "GET http://b/ HTTP/1.0");
}

/// A proxy uses the target, and a handler `Host`.
#[test]
fn a_target_that_names_another_host_than_the_host_field_is_refused() {
    for (target, host) in [
        ("http://b/", "a"),
        ("http://a:8080/", "a"),
        ("http://a/", "a:8080"),
        ("https://a:80/", "a"),
        ("http://a./", "a"),
        ("http://[::1]/", "[::2]"),
    ] {
        for version in ["HTTP/1.1", "HTTP/1.0"] {
            let input = format!("GET {target} {version}\r\nHost: {host}\r\n\r\n");
            refused(input, 400, "Host field is not the host of its target");
        }
    }
    for (target, host) in [
        ("http://a/", "A:80"),
        ("http://[::1]:81/", "[::1]:81"),
        ("https://a/", "a:443"),
    ] {
        taken(
            format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
            &format!("GET {target} HTTP/1.1 | host: {host}"),
        );
    }
    taken("GET http://b/ HTTP/1.0\r\n\r\n", "GET http://b/ HTTP/1.0");
}
