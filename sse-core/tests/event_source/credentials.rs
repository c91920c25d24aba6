//! Tokens, user names and JSON bodies.

use sse_core::{
    EventId,
    client::{EventSourceConfig, InvalidCredentials},
    http::{Method, header},
};

use crate::harness::{Client, body, field, request_line};

#[test]
fn a_bearer_token_goes_along_and_is_not_shown() {
    let mut config = EventSourceConfig::default();
    config.set_bearer("8f14e45f-ce_a.167~a+b/c==").unwrap();
    assert!(!format!("{config:?}").contains("8f14e45f"));
    let request = Client::new(config).connect();
    assert_eq!(
        field(&request, "authorization"),
        Some("Bearer 8f14e45f-ce_a.167~a+b/c==")
    );
}

#[test]
fn a_token_that_cannot_be_sent_is_refused_and_not_told() {
    let mut config = EventSourceConfig::default();
    config.set_bearer("old").unwrap();
    for (token, error) in [
        ("", InvalidCredentials::NoToken),
        ("secret\n", InvalidCredentials::TokenByte(6)),
        ("secret\r\nx: y", InvalidCredentials::TokenByte(6)),
        ("two words", InvalidCredentials::TokenByte(3)),
        ("gr\u{fc}n", InvalidCredentials::TokenByte(2)),
    ] {
        assert_eq!(config.set_bearer(token), Err(error), "{token:?}");
        assert!(!error.to_string().contains("secret"));
    }
    assert_eq!(config.headers[header::AUTHORIZATION], "Bearer old");
}

/// These are the examples of RFC 7617 sections 2 and 2.1; the latter is not ASCII.
#[test]
fn a_user_and_a_password_go_along() {
    for (user, password, expected) in [
        (
            "Aladdin",
            "open sesame",
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        ),
        ("test", "123\u{a3}", "Basic dGVzdDoxMjPCow=="),
        ("", "", "Basic Og=="),
        ("a", "b:c", "Basic YTpiOmM="),
    ] {
        let mut config = EventSourceConfig::default();
        config.set_basic(user, password).unwrap();
        assert!(!format!("{config:?}").contains("Basic"));
        let request = Client::new(config).connect();
        assert_eq!(field(&request, "authorization"), Some(expected));
    }
    for (user, password, error) in [
        ("a:b", "c", InvalidCredentials::ColonInUser),
        ("a", "b\n", InvalidCredentials::ControlCharacter),
        ("a\u{7f}", "b", InvalidCredentials::ControlCharacter),
    ] {
        let mut config = EventSourceConfig::default();
        assert_eq!(config.set_basic(user, password), Err(error));
        assert!(config.headers.is_empty());
    }
}

#[test]
#[cfg(feature = "json")]
fn a_body_may_be_json() {
    let mut config = EventSourceConfig::default();
    config.set_json(&["a", "b"]).unwrap();
    let request = Client::new(config.clone()).connect();
    assert_eq!(request_line(&request), "POST /events HTTP/1.1");
    assert_eq!(field(&request, "content-type"), Some("application/json"));
    assert_eq!(body(&request), r#"["a","b"]"#);
    // A method that was set stays,
    config.method = Method::PUT;
    config.set_json(&1).unwrap();
    assert_eq!((config.method, &config.body[..]), (Method::PUT, &b"1"[..]));
    // and a value that does not serialise changes nothing.
    let mut config = EventSourceConfig::default();
    let no_json = std::collections::BTreeMap::from([((), 1)]);
    assert!(config.set_json(&no_json).is_err());
    assert_eq!(config.method, Method::GET);
}

#[test]
fn an_attempt_takes_them_too() {
    let mut client = Client::prepared(EventSourceConfig::default());
    client.poll();
    let mut attempt = client.attempt.take().unwrap();
    attempt.set_bearer("8f14e45f").unwrap();
    client.source.attempt(client.now, attempt).unwrap();
    let request = client.connect();
    assert_eq!(field(&request, "authorization"), Some("Bearer 8f14e45f"));
}

#[test]
fn a_last_event_id_goes_in_as_it_came_out() {
    let mut client = Client::open(EventSourceConfig::default());
    client.receive("id: 7 \u{fc}\ndata: x\n\n");
    let mut config = EventSourceConfig::default();
    config.last_event_id = client.source.last_event_id();
    let request = Client::new(config).connect();
    assert_eq!(field(&request, "last-event-id"), Some("7 \u{fc}"));

    let mut client = Client::new(EventSourceConfig::default());
    assert_eq!(client.source.last_event_id(), EventId::default());
    client.source.set_last_event_id(&EventId::from(8));
    assert_eq!(field(&client.connect(), "last-event-id"), Some("8"));
}
