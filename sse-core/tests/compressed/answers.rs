//! The content coding in the head of a response.

use std::time::SystemTime;

use sse_core::{
    http::{HeaderMap, Version},
    server::{ConnectionConfig, StreamCompression::*},
};

use super::*;

fn fields(request: http::request::Builder, response: Response<ResponseBody>) -> HeaderMap {
    let now = Instant::now();
    let head = RequestHead::of_server(request.body(()).unwrap(), BodyLength::None);
    let mut connection = Connection::for_response(now, Arc::default(), &head);
    connection.respond(now, response).unwrap();
    match connection.poll_event(now) {
        Some(ConnectionEvent::Respond(response)) => response.headers().clone(),
        other => panic!("{other:?}"),
    }
}

fn stream(compression: StreamCompression) -> Response<ResponseBody> {
    Response::new(ResponseBody::EventStream(options(compression)))
}

fn gzip() -> http::request::Builder {
    Request::get("/").header("accept-encoding", "br, gzip")
}

#[test]
fn a_client_that_takes_gzip_gets_it_and_caches_are_told_that_others_do_not() {
    for compression in [Shared, Own] {
        let coded = fields(gzip(), stream(compression));
        assert_eq!(coded["content-encoding"], "gzip");
        assert_eq!(coded["vary"], "accept-encoding");
        let plain = fields(Request::get("/"), stream(compression));
        assert!(!plain.contains_key("content-encoding"));
        assert_eq!(plain["vary"], "accept-encoding");
    }
}

#[test]
fn a_stream_is_not_compressed_unless_it_is_asked_for() {
    let plain = fields(gzip(), Response::new(ResponseBody::event_stream()));
    assert!(!plain.contains_key("content-encoding") && !plain.contains_key("vary"));
}

#[test]
fn a_response_with_a_coding_of_its_own_is_left_alone() {
    let mut response = stream(Own);
    let coding = "identity".parse().unwrap();
    response.headers_mut().insert("content-encoding", coding);
    let fields = fields(gzip(), response);
    assert_eq!(fields["content-encoding"], "identity");
    assert!(!fields.contains_key("vary"));
}

#[test]
fn a_handlers_vary_stays() {
    let mut response = stream(Shared);
    response
        .headers_mut()
        .insert("vary", "cookie".parse().unwrap());
    let fields = fields(gzip(), response);
    let vary: Vec<_> = fields.get_all("vary").iter().collect();
    assert_eq!(vary, ["cookie", "accept-encoding"]);
}

#[test]
fn http_1_0_gets_no_coding() {
    let fields = fields(gzip().version(Version::HTTP_10), stream(Shared));
    assert!(!fields.contains_key("content-encoding"));
}

#[test]
fn a_head_request_is_told_the_coding_and_gets_no_body() {
    let now = Instant::now();
    let request = gzip().method("HEAD").body(()).unwrap();
    let head = RequestHead::of_server(request, BodyLength::None);
    let mut connection = Connection::for_response(now, Arc::default(), &head);
    connection.respond(now, stream(Shared)).unwrap();
    let Some(ConnectionEvent::Respond(response)) = connection.poll_event(now) else {
        panic!()
    };
    assert_eq!(response.headers()["content-encoding"], "gzip");
    assert_eq!(connection.take_body(now), None);
}

#[test]
fn over_a_socket_the_coded_body_is_in_chunks() {
    let (now, config) = (Instant::now(), Arc::new(ConnectionConfig::default()));
    let mut connection = Connection::new(now, SystemTime::UNIX_EPOCH, config);
    connection.handle_input(
        now,
        b"GET / HTTP/1.1\r\nhost: a\r\naccept-encoding: gzip\r\n\r\n",
    );
    connection.respond(now, stream(Own)).unwrap();
    connection.send(now, &Event::new("one")).unwrap();
    connection.finish(now).unwrap();
    let mut wire = Vec::new();
    loop {
        let written = {
            let transmit = connection.poll_transmit();
            let slices: Vec<u8> = transmit
                .slices()
                .iter()
                .flat_map(|slice| slice.to_vec())
                .collect();
            wire.extend_from_slice(&slices);
            slices.len()
        };
        if written == 0 {
            break;
        }
        connection.handle_transmitted(now, written);
    }
    let at = wire
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap()
        + 4;
    let (head, mut chunks) = wire.split_at(at);
    assert!(String::from_utf8_lossy(head).contains("content-encoding: gzip\r\n"));
    let mut body = Vec::new();
    loop {
        let end = chunks.windows(2).position(|two| two == b"\r\n").unwrap();
        let size = usize::from_str_radix(str::from_utf8(&chunks[..end]).unwrap(), 16).unwrap();
        body.extend_from_slice(&chunks[end + 2..][..size]);
        chunks = &chunks[end + 2 + size + 2..];
        if size == 0 {
            break;
        }
    }
    assert_eq!(decode(&body).unwrap(), b"data: one\n\n");
}
