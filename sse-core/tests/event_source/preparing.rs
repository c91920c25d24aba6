//! The application may change each request before it is sent.

use std::io::ErrorKind::ConnectionRefused;

use sse_core::{
    EventId,
    client::{Attempt, AttemptError, EventSource, EventSourceConfig, InvalidRequest, Loss, Phase},
    http::{HeaderValue, Method, Response, StatusCode, header},
};

use crate::harness::{Client, OPEN, body, field, request_line, secs};

/// Changes the attempt, makes it, and returns the request.
fn send(client: &mut Client, change: impl FnOnce(&mut sse_core::client::Attempt)) -> String {
    client.poll();
    let mut attempt = client.attempt.take().expect("an attempt is being prepared");
    change(&mut attempt);
    client.source.attempt(client.now, attempt).unwrap();
    client.connect()
}

#[test]
fn without_preparation_the_application_is_not_asked() {
    let mut client = Client::new(EventSourceConfig::default());
    assert_eq!(client.source.phase(), Phase::Connecting);
    assert_eq!(client.told(), ["connect http example.org 80"]);
}

#[test]
fn an_attempt_that_is_not_changed_is_the_request_as_it_would_be() {
    let mut config = EventSourceConfig::default();
    config.method = Method::POST;
    config.body = "x".into();
    config.last_event_id = EventId::from(7);
    for agent in ["mine", ""] {
        let agent = HeaderValue::from_static(agent);
        config.headers.insert(header::USER_AGENT, agent);
        let mut client = Client::prepared(config.clone());
        assert_eq!(client.source.phase(), Phase::Preparing);
        let request = send(&mut client, |_| ());
        assert_eq!(request, Client::new(config.clone()).connect());
        assert_eq!(client.told(), ["prepare 1", "connect http example.org 80"]);
    }
}

#[test]
fn everything_of_a_request_can_be_changed_and_stays_changed() {
    let mut client = Client::prepared(EventSourceConfig::default());
    let request = send(&mut client, |attempt| {
        attempt.url = "https://other.example/there?x#part".into();
        attempt.method = Method::POST;
        attempt.body = "body".into();
        let token = HeaderValue::from_static("Bearer 1");
        attempt.headers.insert(header::AUTHORIZATION, token);
        // These fields do not belong to the application.
        attempt
            .headers
            .insert(header::HOST, HeaderValue::from_static("evil"));
        attempt.last_event_id = EventId::new("9").unwrap();
    });
    assert_eq!(
        client.told().last().unwrap(),
        "connect https other.example 443"
    );
    assert_eq!(request_line(&request), "POST /there?x HTTP/1.1");
    assert_eq!(field(&request, "host"), Some("other.example"));
    assert_eq!(field(&request, "authorization"), Some("Bearer 1"));
    assert_eq!(field(&request, "last-event-id"), Some("9"));
    assert_eq!(body(&request), "body");
    assert_eq!(client.source.url(), "https://other.example/there?x#part");

    client.end();
    client.wait();
    let again = send(&mut client, |attempt| {
        assert_eq!(attempt.number, 2);
        let token = HeaderValue::from_static("Bearer 2");
        attempt.headers.insert(header::AUTHORIZATION, token);
    });
    assert_eq!(again, request.replace("Bearer 1", "Bearer 2"));
}

#[test]
fn the_number_counts_the_attempts_since_the_stream_was_open() {
    let mut client = Client::prepared(EventSourceConfig::default());
    for number in 1..4 {
        send(&mut client, |attempt| assert_eq!(attempt.number, number));
        client.fail(ConnectionRefused);
        client.wait();
    }
    send(&mut client, |attempt| assert_eq!(attempt.number, 4));
    client.receive(OPEN);
    client.receive("id: 5\ndata: x\n\n");
    client.end();
    client.wait();
    let request = send(&mut client, |attempt| {
        assert_eq!(attempt.number, 1);
        assert_eq!(attempt.last_event_id.as_str(), "5");
        attempt.last_event_id = EventId::default();
    });
    assert_eq!(field(&request, "last-event-id"), None);
    assert_eq!(client.source.last_event_id(), "");
}

#[test]
fn preparing_has_a_deadline_of_its_own() {
    let mut client = Client::prepared(EventSourceConfig::default());
    assert_eq!(
        client.source.poll_timeout(),
        None,
        "the caller was not told yet"
    );
    assert_eq!(client.wait(), secs(30));
    assert_eq!(client.told(), ["prepare 1", "lost PrepareTimeout"]);
    // A later decision comes too late.
    let attempt = client.attempt.take().unwrap();
    assert!(client.source.attempt(client.now, attempt).is_err());
    client.source.handle_preparation_error(client.now, "late");
    client.wait();
    assert_eq!(client.told(), ["prepare 2"]);
    send(&mut client, |_| ());
    assert_eq!(client.wait(), secs(30), "the head's deadline begins here");

    let mut config = EventSourceConfig::default();
    config.prepare_timeout = secs(1);
    assert_eq!(Client::prepared(config).wait(), secs(1));
}

#[test]
fn an_attempt_that_cannot_be_prepared_is_a_loss_that_says_why() {
    let mut config = EventSourceConfig::default();
    config.reconnection.as_mut().unwrap().max_attempts = Some(2);
    let mut client = Client::prepared(config);
    client.told();
    let error = std::io::Error::other("no token");
    client.source.handle_preparation_error(client.now, error);
    let loss = client.lost();
    assert_eq!(
        (loss.name(), loss.to_string()),
        (
            "Preparation",
            "the request could not be prepared: no token".to_owned()
        )
    );
    assert!(loss.cause::<std::io::Error>().is_some());
    // It waits, and counts as an attempt.
    let wait = client.wait();
    assert!((secs(3)..=secs(6)).contains(&wait), "{wait:?}");
    assert_eq!(client.told(), ["prepare 2"]);
    let attempt = client.attempt.as_ref().unwrap();
    assert_eq!(attempt.loss.as_ref().unwrap().name(), "Preparation");
    client.source.handle_preparation_error(client.now, "again");
    client.poll();
    assert_eq!(client.failure.unwrap().name(), "GaveUp");
}

#[test]
fn a_request_that_can_never_be_made_is_a_failure() {
    let mut client = Client::prepared(EventSourceConfig::default());
    client.poll();
    let mut attempt = client.attempt.take().unwrap();
    attempt.url = "ftp://a/".into();
    let Err(AttemptError::Invalid(error)) = client.source.attempt(client.now, attempt) else {
        panic!("that is no request")
    };
    client.source.handle_preparation_error(client.now, error);
    client.poll();
    let failure = client.failure.unwrap();
    assert_eq!(
        failure.to_string(),
        "the request could not be prepared: the URL begins with \"ftp:\"; \
         let it begin with http:// or https://"
    );
    assert!(failure.cause::<InvalidRequest>().is_some());
}

/// A 401, as bytes.
const UNAUTHORIZED: &str = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 7\r\n\r\nexpired";

/// Passes in a response that is not an event stream, as bytes or from a foreign HTTP client.
fn refuse(client: &mut Client, elsewhere: bool) {
    client.poll();
    let attempt = client.attempt.take().expect("an attempt is being prepared");
    client.source.attempt(client.now, attempt).unwrap();
    if elsewhere {
        client.take_request();
        let response = Response::builder().status(401).body(()).unwrap();
        client.source.handle_response(client.now, response);
        client.source.handle_body(client.now, b"expired");
        client.source.handle_body_end(client.now);
    } else {
        client.connect();
        client.receive(UNAUTHORIZED);
    }
}

#[test]
fn the_application_can_do_something_about_a_401() {
    for elsewhere in [false, true] {
        let mut client = Client::prepared(EventSourceConfig::default());
        client.source.handle_timeout(client.now);
        refuse(&mut client, elsewhere);
        assert_eq!(
            client.told()[1..],
            [
                "connect http example.org 80",
                "disconnect",
                r#"lost Status 401 "expired""#
            ]
        );
        // The next attempt comes no sooner than after any loss.
        let wait = client.wait();
        assert!((secs(3)..=secs(6)).contains(&wait), "{wait:?}");
        let request = send(&mut client, |attempt| {
            let response = attempt.unexpected_response().unwrap();
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
            assert_eq!((attempt.number, &response.body[..]), (2, &b"expired"[..]));
            let token = HeaderValue::from_static("Bearer 2");
            attempt.headers.insert(header::AUTHORIZATION, token);
        });
        assert_eq!(field(&request, "authorization"), Some("Bearer 2"));
        client.receive(OPEN);
        client.end();
        client.wait();
        let attempt = client.attempt.take().unwrap();
        assert!(matches!(attempt.loss, Some(Loss::Ended)));
        assert!(attempt.unexpected_response().is_none());
    }
}

#[test]
fn so_many_unexpected_responses_in_a_row_are_gone_on_after() {
    for elsewhere in [false, true] {
        for (most, attempts) in [(0, 1), (1, 1), (3, 3)] {
            let mut config = EventSourceConfig::default();
            config.max_unexpected_responses = most;
            let mut client = Client::prepared(config);
            for _ in 1..attempts {
                refuse(&mut client, elsewhere);
                // A loss of another kind in between makes no difference.
                client.wait();
                client.source.handle_preparation_error(client.now, "x");
                client.wait();
            }
            refuse(&mut client, elsewhere);
            assert_eq!(
                client.told().last().unwrap(),
                r#"failed Status 401 "expired""#
            );
        }
    }
    // An open stream restarts the count.
    let mut client = Client::prepared(EventSourceConfig::default());
    for _ in 0..5 {
        refuse(&mut client, false);
        client.wait();
        send(&mut client, |_| ());
        client.receive(OPEN);
        client.end();
        client.wait();
    }
}

#[test]
fn another_content_type_and_a_retry_after_are_told_of_too() {
    let mut client = Client::prepared(EventSourceConfig::default());
    send(&mut client, |_| ());
    client.told();
    client.receive(
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nretry-after: 100\r\n\
         content-length: 6\r\n\r\n<html>",
    );
    assert_eq!(
        client.told(),
        ["disconnect", r#"lost ContentType 200 "<html>""#]
    );
    let wait = client.wait();
    assert!((secs(100)..=secs(200)).contains(&wait), "{wait:?}");
    let response = client.attempt.take().unwrap().loss.unwrap();
    let response = response.unexpected_response().unwrap();
    assert_eq!(response.headers()["content-type"], "text/html");
}

#[test]
fn without_reconnections_an_unexpected_response_is_the_failure() {
    let mut config = EventSourceConfig::default();
    config.reconnection = None;
    let mut client = Client::prepared(config);
    refuse(&mut client, false);
    assert_eq!(
        client.told().last().unwrap(),
        r#"failed Status 401 "expired""#
    );
}

#[test]
fn the_application_stops_as_the_last_attempt_ended() {
    let stop = |client: &mut Client| {
        client.source.stop(client.now).unwrap();
        client.told().pop().unwrap()
    };
    let mut client = Client::prepared(EventSourceConfig::default());
    client.poll();
    assert_eq!(stop(&mut client), "closed Closed");

    let mut client = Client::prepared(EventSourceConfig::default());
    refuse(&mut client, false);
    client.wait();
    assert_eq!(stop(&mut client), r#"failed Status 401 "expired""#);

    let mut client = Client::prepared(EventSourceConfig::default());
    send(&mut client, |_| ());
    client.end();
    client.wait();
    assert_eq!(stop(&mut client), "failed GaveUp(NoResponse)");

    let mut client = Client::prepared(EventSourceConfig::default());
    send(&mut client, |_| ());
    client.receive(OPEN);
    client.end();
    client.wait();
    assert_eq!(stop(&mut client), "closed StreamEnded");
    let error = client.source.stop(client.now).unwrap_err();
    assert_eq!((error.call, error.phase), ("stop", Phase::Closed));
}

/// Whatever the application decides, two requests are never closer than the floor.
#[test]
fn no_answer_of_the_application_makes_requests_come_sooner_than_the_floor() {
    let mut config = EventSourceConfig::default();
    config.max_unexpected_responses = u32::MAX;
    let reconnection = config.reconnection.as_mut().unwrap();
    (reconnection.time, reconnection.floor) = (secs(0), secs(5));
    let mut client = Client::prepared(config);
    let mut sent: Option<std::time::Instant> = None;
    for round in 0..200 {
        client.poll();
        match round % 4 {
            // The application is not asked again any sooner.
            0 => {
                client.source.wait(client.now, secs(0)).unwrap();
                assert!(client.wait() >= secs(5));
            }
            1 => client
                .source
                .handle_preparation_error(client.now, "no token"),
            _ => {
                let now = client.now;
                if let Some(before) = sent.replace(now) {
                    assert!(now >= before + secs(5));
                }
                refuse(&mut client, round % 4 == 2);
            }
        }
        if client.source.phase() == Phase::Waiting {
            client.wait();
        }
    }
}

#[test]
fn credentials_do_not_go_where_only_a_redirect_led() {
    let token = || HeaderValue::from_static("Bearer 1");
    let redirected = || {
        let mut client = Client::prepared(EventSourceConfig::default());
        send(&mut client, |attempt| {
            assert!(!attempt.is_redirected);
            attempt.headers.insert(header::AUTHORIZATION, token());
        });
        client.receive("HTTP/1.1 302 Found\r\nlocation: http://other.example/\r\n\r\n");
        client.connect();
        client.receive(OPEN);
        client.end();
        client.wait();
        client
    };
    // They are not sent to the URL that a redirect led to, nor to another one there,
    for url in ["http://other.example/", "http://other.example/?cursor=7"] {
        let mut client = redirected();
        let request = send(&mut client, |attempt| {
            assert!(attempt.is_redirected);
            attempt.url = url.into();
            attempt.headers.insert(header::AUTHORIZATION, token());
            attempt.headers.insert("x-mine", token());
        });
        assert_eq!(field(&request, "authorization"), None);
        assert_eq!(field(&request, "x-mine"), Some("Bearer 1"));
        client.end();
        client.wait();
        send(&mut client, |attempt| assert!(attempt.is_redirected));
    }
    // unless the application says so, or chooses the URL itself.
    for change in [
        (|attempt: &mut Attempt| attempt.is_redirected = false) as fn(&mut Attempt),
        |attempt| attempt.url = "http://example.org/back".into(),
        |attempt| attempt.url = "http://third.example/".into(),
    ] {
        let mut client = redirected();
        let request = send(&mut client, |attempt| {
            change(attempt);
            attempt.headers.insert(header::AUTHORIZATION, token());
        });
        assert_eq!(field(&request, "authorization"), Some("Bearer 1"));
        client.end();
        client.wait();
        send(&mut client, |attempt| assert!(!attempt.is_redirected));
    }
}

#[test]
fn an_attempt_can_be_put_off_and_called_off() {
    let mut client = Client::prepared(EventSourceConfig::default());
    client.told();
    client.source.wait(client.now, secs(5)).unwrap();
    assert_eq!(client.source.phase(), Phase::Waiting);
    assert_eq!(client.wait(), secs(5));
    assert_eq!(client.told(), ["prepare 1"]);
    client.close();
    assert_eq!(client.told(), ["closed Closed"]);
}

#[test]
fn a_redirect_is_part_of_its_attempt() {
    let mut config = EventSourceConfig::default();
    let token = HeaderValue::from_static("Bearer 1");
    config.headers.insert(header::AUTHORIZATION, token);
    let mut client = Client::prepared(config);
    send(&mut client, |_| ());
    client.told();
    client.receive("HTTP/1.1 302 Found\r\nlocation: http://other.example/\r\n\r\n");
    assert_eq!(
        client.told(),
        ["disconnect", "connect http other.example 80"]
    );
    let request = client.connect();
    assert_eq!(field(&request, "authorization"), None);
    // The next attempt begins with the result of the redirect.
    client.end();
    client.wait();
    send(&mut client, |attempt| {
        assert_eq!(attempt.url, "http://other.example/");
        assert!(attempt.headers.is_empty());
    });
}

#[test]
fn an_attempt_that_cannot_be_sent_is_an_error_and_changes_nothing() {
    let mut client = Client::prepared(EventSourceConfig::default());
    client.poll();
    let attempt = client.attempt.take().unwrap();
    for (url, error) in [
        ("ftp://a/", InvalidRequest::Scheme("ftp".into())),
        ("http://me@a/", InvalidRequest::User),
        (
            &format!("http://a/{}", "x".repeat(70_000)),
            InvalidRequest::Length,
        ),
    ] {
        let mut bad = attempt.clone();
        bad.url = url.to_owned();
        let result = client.source.attempt(client.now, bad);
        assert_eq!(result, Err(AttemptError::Invalid(error)));
        assert_eq!(client.source.phase(), Phase::Preparing);
        assert_eq!(client.source.url(), "http://example.org/events");
    }
    client.source.attempt(client.now, attempt.clone()).unwrap();
    // The attempt is sent, and there is no other to send.
    let error = client.source.attempt(client.now, attempt).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`attempt` was called in the phase Connecting, which does not allow it; \
         look at `phase()` and `poll_event()` first"
    );
    let error = client.source.wait(client.now, secs(1)).unwrap_err();
    assert_eq!((error.call, error.phase), ("wait", Phase::Connecting));
}

#[test]
fn preparation_that_comes_too_late_begins_with_the_next_attempt() {
    let mut source = EventSource::new("http://a/", EventSourceConfig::default(), 7).unwrap();
    let now = std::time::Instant::now();
    source.poll_event(now);
    let mut source = source.with_preparation();
    assert_eq!(source.phase(), Phase::Connecting);
    source.handle_transport_error(now, ConnectionRefused.into());
    source.handle_timeout(now + secs(1000));
    assert_eq!(source.phase(), Phase::Preparing);
}
