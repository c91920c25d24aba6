//! Which proxy a URL has, and what is rejected.

use super::*;

fn env(variables: &[(&str, &str)]) -> Result<Proxy, InvalidProxy> {
    Proxy::from_variables(|wanted| {
        let mut found = variables.iter().filter(|(name, _)| *name == wanted);
        found.next().map(|(_, value)| (*value).to_owned())
    })
}

fn way(proxy: &Proxy, tls: bool, host: &str) -> Option<(String, u16)> {
    let server = proxy.of(&Endpoint::new(tls, host, 80))?;
    Some((server.endpoint.host.clone(), server.endpoint.port))
}

#[test]
fn the_environment_says_which_proxy_is_for_which_url() {
    let a = Some(("a".to_owned(), 80));
    let b = Some(("b".to_owned(), 3128));
    let proxy = env(&[("http_proxy", "a"), ("HTTPS_PROXY", "http://b:3128")]).unwrap();
    assert_eq!(way(&proxy, false, "example.org"), a);
    assert_eq!(way(&proxy, true, "example.org"), b);

    let all = env(&[("ALL_PROXY", "b:3128"), ("http_proxy", "")]).unwrap();
    assert_eq!(way(&all, false, "example.org"), b);
    assert_eq!(way(&all, true, "example.org"), b);
    assert_eq!(way(&env(&[]).unwrap(), true, "example.org"), None);
}

#[test]
fn a_request_of_cgi_does_not_choose_the_proxy() {
    let proxy = env(&[("HTTP_PROXY", "evil"), ("REQUEST_METHOD", "GET")]).unwrap();
    assert_eq!(way(&proxy, false, "example.org"), None);
}

#[test]
fn hosts_of_the_list_are_asked_directly() {
    let proxy = Proxy::new("http://a").unwrap();
    let proxy = proxy.with_direct("Example.org, .internal,10.0.0.0/8, ::1");
    for direct in [
        "example.org",
        "a.EXAMPLE.org",
        "internal",
        "x.internal",
        "10.1.2.3",
        "::1",
    ] {
        assert_eq!(way(&proxy, true, direct), None, "{direct}");
    }
    for by_proxy in ["notexample.org", "example.com", "11.1.2.3", "::2"] {
        assert!(way(&proxy, true, by_proxy).is_some(), "{by_proxy}");
    }
    assert_eq!(way(&proxy.with_direct("*"), true, "example.com"), None);
}

#[test]
fn hosts_of_the_list_may_be_written_as_other_programs_write_them() {
    for (hosts, direct, by_proxy) in [
        ("*.example.org", "a.example.org", "aexample.org"),
        ("example.org.", "example.org", "example.org.evil.example"),
        ("example.org", "example.org.", "example.org.x."),
        ("[::1]", "::1", "::2"),
        ("192.168.1.1/16", "192.168.2.2", "192.169.1.1"),
        ("fd00::1/8", "fd12::2", "fe80::1"),
    ] {
        let proxy = Proxy::new("http://a").unwrap().with_direct(hosts);
        assert_eq!(way(&proxy, true, direct), None, "{hosts}: {direct}");
        assert!(way(&proxy, true, by_proxy).is_some(), "{hosts}: {by_proxy}");
    }
}

#[test]
fn an_invalid_proxy_is_told_with_its_variable() {
    let error = env(&[("https_proxy", "socks5://a")]).unwrap_err();
    assert_eq!(error.variable(), Some("https_proxy"));
    assert_eq!(
        error.to_string(),
        "the proxy in https_proxy cannot be used: its scheme \"socks5\" is neither http nor https"
    );
    let error = Proxy::new("http://[").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the proxy cannot be used: it is not a URL such as http://proxy.example.org:3128"
    );
    assert!(error.source().is_some());
}

#[test]
fn credentials_come_from_the_url_or_by_hand_and_are_not_shown() {
    let url = Proxy::new("http://us%40er:pass@a").unwrap();
    let by_hand = Proxy::new("http://a").unwrap().with_basic("us@er", "pass");
    for proxy in [url, by_hand.unwrap()] {
        let authorization = proxy.http.as_ref().unwrap().authorization.as_ref();
        assert_eq!(authorization.unwrap(), "Basic dXNAZXI6cGFzcw==");
        assert!(!format!("{proxy:?}").contains("dXNA"));
    }
}

#[test]
fn credentials_that_the_proxy_would_read_otherwise_are_rejected_and_not_shown() {
    for (user, password, url) in [
        ("us:er", "secret", "http://us%3Aer:secret@a"),
        ("user", "sec\nret", "http://user:sec%0Aret@a"),
        ("us\u{7f}er", "secret", "http://us%7Fer:secret@a"),
    ] {
        let by_hand = Proxy::new("http://a").unwrap().with_basic(user, password);
        for error in [by_hand.unwrap_err(), Proxy::new(url).unwrap_err()] {
            assert_eq!(error.variable(), None);
            assert!(error.to_string().contains("cannot contain"), "{error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        let error = env(&[("https_proxy", url)]).unwrap_err();
        assert_eq!(error.variable(), Some("https_proxy"));
    }
    let proxy = Proxy::new("http://a").unwrap();
    assert!(proxy.with_basic("user", "pass:word").is_ok());
}
