//! A response inside a foreign server, which writes its head and frames its body.

use std::{
    io::ErrorKind,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use bytes::Bytes;
use sse_core::{
    http::{BodyLength, HeaderValue, Method, Request, RequestHead, Response, StatusCode},
    lifecycle::{CloseReason, Deadline},
    server::{Connection, Phase, RespondError, ResponseBody, ResponseConfig},
    topic::{Batch, Topic, TopicConfig},
};

use super::{Pump, secs};

fn head(method: Method, length: Option<&str>) -> RequestHead {
    let mut request = Request::builder().method(method).header("host", "a");
    if let Some(length) = length {
        request = request.header("content-length", length);
    }
    RequestHead::new(request.body(()).unwrap()).unwrap()
}

fn asked_with(head: &RequestHead, config: ResponseConfig) -> Pump {
    let now = Instant::now();
    Pump::around(now, Connection::for_response(now, Arc::new(config), head))
}

/// Returns a connection for the response to a GET.
fn asked() -> Pump {
    asked_with(&head(Method::GET, None), ResponseConfig::default())
}

/// Returns a connection whose request has a body of this length, which was asked for.
fn receiving(length: &str, config: ResponseConfig) -> Pump {
    let mut pump = asked_with(&head(Method::POST, Some(length)), config);
    pump.connection.receive_body(pump.now).unwrap();
    pump
}

fn streaming() -> Pump {
    let mut pump = asked();
    pump.respond(Response::new(ResponseBody::event_stream()))
        .unwrap();
    pump.events();
    pump
}

impl Pump {
    fn body_input(&mut self, bytes: &[u8]) {
        self.connection.handle_body(self.now, bytes);
    }

    /// Takes all available bytes of the body.
    fn take(&mut self) -> Vec<Bytes> {
        let mut taken = Vec::new();
        while let Some(bytes) = self.connection.take_body(self.now) {
            assert!(!bytes.is_empty());
            taken.push(bytes);
        }
        taken
    }

    fn told(&self) -> (StatusCode, BodyLength) {
        let response = self.response.as_ref().expect("a response was told");
        (response.status(), *response.body())
    }
}

#[test]
fn a_stream_is_a_head_and_events_and_an_end() {
    let mut pump = asked();
    assert_eq!(pump.connection.phase(), Phase::Responding);
    let mut response = Response::new(ResponseBody::event_stream());
    for (name, value) in [
        ("connection", "close"),
        ("transfer-encoding", "gzip"),
        ("content-length", "7"),
        ("set-cookie", "a=1"),
    ] {
        let fields = response.headers_mut();
        fields.insert(name, HeaderValue::from_static(value));
    }
    response.extensions_mut().insert("an extension");
    pump.respond(response).unwrap();
    pump.send("one").unwrap();
    pump.send("two").unwrap();
    pump.events();
    assert_eq!(pump.told(), (StatusCode::OK, BodyLength::Chunked));
    let told = pump.response.take().unwrap();
    let mut names: Vec<_> = told.headers().keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    let fields = [
        "cache-control",
        "content-type",
        "set-cookie",
        "x-accel-buffering",
    ];
    assert_eq!(names, fields, "no date and nothing of the connection");
    assert_eq!(told.extensions().get::<&str>(), Some(&"an extension"));

    assert_eq!(pump.take(), ["data: one\n\ndata: two\n\n"]);
    pump.send("three").unwrap();
    pump.connection.finish(pump.now).unwrap();
    pump.events();
    assert_eq!(pump.said, ["respond"], "something is left to be taken");
    assert_eq!(pump.take(), ["data: three\n\n"]);
    pump.events();
    assert_eq!(pump.said, ["respond", "end output"]);
    assert_eq!(pump.closed, Some(CloseReason::StreamEnded));
    drop(pump.connection);
    assert_eq!(*pump.cleaned_up.lock().unwrap(), [CloseReason::StreamEnded]);
}

#[test]
fn shared_events_are_given_away_without_a_copy() {
    let topic = Topic::new(TopicConfig::default(), 0, Instant::now);
    let mut subscriber = topic.subscribe();
    let mut batch = || {
        topic.publish("shared").unwrap();
        match subscriber.try_next() {
            Poll::Ready(Some(Ok(Batch::Events(events)))) => events,
            other => panic!("{other:?}"),
        }
    };
    let mut pump = streaming();
    let shared = [batch(), batch()];
    pump.send("own").unwrap();
    for events in &shared {
        pump.connection
            .send_encoded(pump.now, events.clone())
            .unwrap();
    }
    pump.send("after").unwrap();
    pump.send("that").unwrap();
    let taken = pump.take();
    assert_eq!(taken.len(), 4);
    assert_eq!(taken[0], "data: own\n\n");
    for (bytes, events) in taken[1..].iter().zip(&shared) {
        assert_eq!(bytes.as_ptr(), events.as_bytes().as_ptr());
    }
    assert_eq!(taken[3], "data: after\n\ndata: that\n\n");
    assert_eq!(pump.connection.queued(), 0);
}

#[test]
fn pieces_can_be_taken_after_a_part_was_transmitted() {
    let whole = "data: one\n\ndata: two\n\n";
    for sent in 0..=whole.len() {
        let mut pump = streaming();
        pump.send("one").unwrap();
        pump.send("two").unwrap();
        assert_eq!(pump.connection.poll_transmit().len(), whole.len());
        pump.connection.handle_transmitted(pump.now, sent);
        assert_eq!(pump.take().concat(), whole.as_bytes()[sent..]);
        assert_eq!(pump.connection.queued(), 0);
        pump.send("more").unwrap();
        assert_eq!(pump.take(), ["data: more\n\n"]);
    }
}

#[test]
fn pieces_of_several_kinds_can_be_taken_after_any_part_was_transmitted() {
    let topic = Topic::new(TopicConfig::default(), 0, Instant::now);
    let mut subscriber = topic.subscribe();
    topic.publish("shared").unwrap();
    let Poll::Ready(Some(Ok(Batch::Events(shared)))) = subscriber.try_next() else {
        panic!("no events");
    };
    let whole = [b"data: own\n\n", shared.as_bytes(), b"data: after\n\n"].concat();
    for sent in 0..=whole.len() {
        let mut pump = streaming();
        pump.send("own").unwrap();
        let events = shared.clone();
        pump.connection.send_encoded(pump.now, events).unwrap();
        pump.send("after").unwrap();
        assert_eq!(pump.connection.poll_transmit().len(), whole.len());
        pump.connection.handle_transmitted(pump.now, sent);
        assert_eq!(pump.take().concat(), &whole[sent..], "behind {sent}");
        assert_eq!(pump.connection.queued(), 0);
    }
}

#[test]
fn a_sockets_bytes_are_not_given_away() {
    let mut pump = Pump::streaming(super::ConnectionConfig::default());
    pump.send("one").unwrap();
    let queued = pump.connection.queued();
    assert_eq!(pump.connection.take_body(pump.now), None);
    assert_eq!(pump.connection.queued(), queued);
}

#[test]
fn a_whole_response_is_over_with_its_last_byte() {
    let mut pump = asked();
    pump.respond(Response::new(ResponseBody::Whole("whole".into())))
        .unwrap();
    pump.events();
    assert_eq!(pump.told(), (StatusCode::OK, BodyLength::Exact(5)));
    assert_eq!(pump.closed, None);
    assert_eq!(pump.take(), ["whole"]);
    pump.events();
    assert_eq!(pump.said, ["respond"]);
    assert_eq!(pump.closed, Some(CloseReason::ResponseSent));
}

#[test]
fn a_response_without_a_body_is_over_at_once() {
    let status = |body, status| {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        response
    };
    let whole = || ResponseBody::Whole("two".into());
    let empty = || ResponseBody::Whole(Bytes::new());
    let ok = StatusCode::OK;
    for (method, response, length) in [
        (Method::HEAD, status(whole(), ok), Some("3")),
        (Method::HEAD, status(empty(), ok), Some("0")),
        (Method::HEAD, status(ResponseBody::event_stream(), ok), None),
        (Method::HEAD, status(whole(), StatusCode::NO_CONTENT), None),
        (Method::GET, status(empty(), ok), None),
        (Method::GET, status(whole(), StatusCode::NO_CONTENT), None),
        (
            Method::GET,
            status(ResponseBody::event_stream(), StatusCode::NOT_MODIFIED),
            None,
        ),
    ] {
        let expected = response.status();
        let mut pump = asked_with(&head(method, None), ResponseConfig::default());
        pump.respond(response).unwrap();
        pump.events();
        assert_eq!(pump.told(), (expected, BodyLength::None));
        let told = pump.response.as_ref().unwrap();
        let said = told.headers().get("content-length");
        assert_eq!(said.map(|value| value.to_str().unwrap()), length);
        assert_eq!(pump.take(), [""; 0]);
        assert_eq!(pump.closed, Some(CloseReason::ResponseSent));
    }
}

#[test]
fn an_end_that_was_not_taken_does_not_count() {
    let away = Some(CloseReason::ClientWentAway);
    // The failure comes before the last events are taken, and before the end itself.
    for takes in [false, true] {
        let mut pump = streaming();
        pump.send("one").unwrap();
        pump.connection.finish(pump.now).unwrap();
        if takes {
            assert_eq!(pump.take().len(), 1);
        }
        pump.connection
            .close(pump.now, CloseReason::ClientWentAway)
            .unwrap();
        pump.events();
        assert_eq!(pump.closed, away);
    }
    let mut pump = asked();
    pump.respond(Response::new(ResponseBody::Whole("whole".into())))
        .unwrap();
    pump.connection
        .close(pump.now, CloseReason::ClientWentAway)
        .unwrap();
    pump.events();
    assert_eq!(pump.said, ["respond"], "the server may wait for it");
    assert_eq!(pump.closed, away);
}

#[test]
fn a_stream_that_failed_leaves_the_server_time_to_write() {
    let mut pump = streaming();
    pump.send("one").unwrap();
    let reason = CloseReason::StreamError("out of paper".into());
    pump.connection.abort(pump.now, reason.clone()).unwrap();
    // It cannot be late before it is taken.
    pump.pass(secs(1000));
    pump.run_events();
    assert_eq!(pump.take(), ["data: one\n\n"]);
    pump.pass(Duration::from_millis(99));
    pump.run_events();
    pump.pass(Duration::from_millis(1));
    pump.events();
    assert_eq!(pump.said, ["respond"], "the body does not end");
    assert_eq!(pump.closed, Some(reason.clone()));

    // A body that failed and was not taken has failed nevertheless.
    let mut pump = streaming();
    pump.send("one").unwrap();
    pump.connection.abort(pump.now, reason.clone()).unwrap();
    pump.connection
        .close(pump.now, CloseReason::ClientWentAway)
        .unwrap();
    pump.events();
    assert_eq!(pump.closed, Some(reason.clone()));

    // With an unlimited time there would be no failure.
    let mut config = ResponseConfig::default();
    config.fail_delay = Duration::MAX;
    let mut pump = asked_with(&head(Method::GET, None), config);
    pump.respond(Response::new(ResponseBody::event_stream()))
        .unwrap();
    pump.connection.abort(pump.now, reason.clone()).unwrap();
    pump.events();
    assert_eq!(pump.closed, Some(reason));
}

impl Pump {
    fn run_events(&mut self) {
        self.events();
        assert_eq!(self.closed, None);
    }
}

#[test]
fn a_body_that_is_taken_late_is_not_a_stall() {
    let mut pump = streaming();
    pump.send("one").unwrap();
    assert_eq!(pump.connection.queued(), 11);
    pump.pass(secs(10_000));
    assert_eq!(pump.connection.queued(), 11, "and no comment is added");
    assert_eq!(pump.connection.phase(), Phase::Streaming);
    pump.connection.finish(pump.now).unwrap();
    pump.pass(secs(10_000));
    assert_eq!(pump.connection.phase(), Phase::Delivering);
    assert_eq!(pump.take(), ["data: one\n\n"]);
    pump.events();
    assert_eq!(pump.closed, Some(CloseReason::StreamEnded));
}

#[test]
fn an_idle_stream_sends_comments_from_when_it_was_last_taken() {
    let mut pump = streaming();
    pump.pass(secs(14));
    pump.send("one").unwrap();
    assert_eq!(pump.take().len(), 1);
    pump.pass(secs(14));
    assert_eq!(pump.take(), [""; 0]);
    pump.pass(secs(1));
    let comment = pump.take().concat();
    assert_eq!(comment[0], b':');
    pump.pass(secs(15));
    assert_eq!(pump.take().concat(), comment);
}

#[test]
fn the_end_of_a_request_body_is_not_the_clients_leaving() {
    for late in [false, true] {
        let mut pump = asked_with(&head(Method::POST, Some("5")), ResponseConfig::default());
        pump.body_input(b"hel");
        if late {
            pump.connection.receive_body(pump.now).unwrap();
        }
        pump.body_input(b"lo");
        pump.connection.handle_body_end(pump.now);
        if !late {
            assert_eq!(pump.connection.phase(), Phase::Responding);
            pump.connection.receive_body(pump.now).unwrap();
        }
        pump.events();
        assert_eq!(pump.body_received.as_deref(), Some(&b"hello"[..]));
        assert_eq!(pump.connection.phase(), Phase::Responding);
        pump.connection.handle_body_end(pump.now);
        pump.respond(Response::new(ResponseBody::event_stream()))
            .unwrap();
        pump.connection.handle_body_end(pump.now);
        pump.send("one").unwrap();
        assert_eq!(pump.take(), ["data: one\n\n"]);
        assert_eq!(pump.connection.phase(), Phase::Streaming);
    }
    // The client does not wait for a body that is not there.
    let mut pump = asked();
    pump.connection.receive_body(pump.now).unwrap();
    pump.events();
    assert_eq!(pump.body_received.as_deref(), Some(&b""[..]));
}

#[test]
fn a_request_body_is_taken_as_it_is() {
    // Bytes that look like chunks are data, and the announced length is for the server to check.
    let mut pump = receiving("5", ResponseConfig::default());
    pump.body_input(b"1\r\na\r\n0\r\n\r\n");
    pump.body_input(b"more");
    pump.events();
    assert_eq!(pump.body_received, None);
    pump.connection.handle_body_end(pump.now);
    pump.events();
    let expected = &b"1\r\na\r\n0\r\n\r\nmore"[..];
    assert_eq!(pump.body_received.as_deref(), Some(expected));
}

#[test]
fn a_request_body_that_cannot_be_served_is_refused() {
    let mut limited = ResponseConfig::default();
    limited.body_limit = 8;
    let refused = |status| (Some(CloseReason::Rejected(status)), status);
    for (mut pump, expected) in [
        // The length is announced, or not.
        (
            receiving("9", limited.clone()),
            refused(StatusCode::PAYLOAD_TOO_LARGE),
        ),
        (
            {
                let mut pump = receiving("5", limited.clone());
                pump.body_input(b"eight by");
                assert_eq!(pump.connection.phase(), Phase::Body);
                pump.body_input(b"t");
                pump
            },
            refused(StatusCode::PAYLOAD_TOO_LARGE),
        ),
        (
            {
                let mut pump = receiving("5", limited.clone());
                pump.body_input(b"half");
                let error = ErrorKind::ConnectionReset.into();
                pump.connection.handle_transport_error(pump.now, error);
                pump
            },
            refused(StatusCode::BAD_REQUEST),
        ),
        (
            {
                let mut pump = receiving("5", limited);
                for _ in 0..30 {
                    pump.pass(secs(1));
                    pump.body_input(b"");
                }
                pump
            },
            (
                Some(CloseReason::TimedOut(Deadline::Body)),
                StatusCode::REQUEST_TIMEOUT,
            ),
        ),
    ] {
        pump.events();
        let (status, length) = pump.told();
        assert!(matches!(length, BodyLength::Exact(_)));
        assert!(!pump.take().concat().is_empty(), "it says why");
        pump.events();
        assert_eq!(pump.said, ["respond"]);
        assert_eq!((pump.closed, status), expected);
    }
}

#[test]
fn a_client_waits_for_no_100_here() {
    let request = Request::post("/").header("host", "a");
    let request = request
        .header("content-length", "5")
        .header("expect", "100-continue");
    let head = RequestHead::new(request.body(()).unwrap()).unwrap();
    let mut pump = asked_with(&head, ResponseConfig::default());
    pump.connection.receive_body(pump.now).unwrap();
    assert!(!pump.connection.has_output());
}

#[test]
fn a_handler_that_does_not_answer_is_answered_for() {
    let mut pump = asked();
    pump.pass(secs(30));
    pump.events();
    assert_eq!(pump.told().0, StatusCode::SERVICE_UNAVAILABLE);
    // The reason does not depend on the fate of the response.
    pump.connection
        .close(pump.now, CloseReason::ClientWentAway)
        .unwrap();
    pump.events();
    assert_eq!(pump.closed, Some(CloseReason::TimedOut(Deadline::Respond)));

    let mut interim = Response::new(ResponseBody::Whole("not yet".into()));
    *interim.status_mut() = StatusCode::PROCESSING;
    let mut pump = asked();
    assert_eq!(
        pump.respond(interim),
        Err(RespondError::InterimStatus(StatusCode::PROCESSING))
    );
    pump.connection
        .abort(pump.now, CloseReason::HandlerPanicked)
        .unwrap();
    pump.events();
    assert_eq!(pump.told().0, StatusCode::INTERNAL_SERVER_ERROR);
}

#[test]
fn a_client_that_went_away_is_over_at_once() {
    for mut pump in [asked(), streaming()] {
        let error = ErrorKind::BrokenPipe.into();
        pump.connection.handle_transport_error(pump.now, error);
        pump.events();
        assert_eq!(pump.closed, Some(CloseReason::ClientWentAway));
    }
}

#[test]
fn a_socket_and_a_foreign_server_have_inputs_of_their_own() {
    let mut pump = receiving("5", ResponseConfig::default());
    pump.connection.handle_input(pump.now, b"too long for it");
    pump.connection.handle_eof(pump.now);
    assert_eq!(pump.connection.phase(), Phase::Body);

    let mut pump = Pump::in_phase(Phase::Body);
    pump.connection.handle_body(pump.now, b"too long for it");
    pump.connection.handle_body_end(pump.now);
    assert_eq!(pump.connection.phase(), Phase::Body);
}
