//! Responses in the content coding `gzip`.

use std::{error::Error, io::Write};

use flate2::{
    Compression,
    write::{DeflateEncoder, GzEncoder, ZlibEncoder},
};
use sse_core::{
    client::EventSourceConfig,
    gzip::{GzipBody, GzipError, SharedDeflate},
    http::{HeaderValue, Response, header},
};

use crate::harness::{Client, field, secs};

const HEAD: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\n\r\n";

fn config() -> EventSourceConfig {
    let mut config = EventSourceConfig::default();
    config.accept_gzip = true;
    config
}

fn open() -> Client {
    let mut client = Client::new(config());
    client.connect();
    client.told();
    client.receive(HEAD);
    assert_eq!(client.told(), ["open 200"]);
    client
}

fn encode(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn the_request_asks_for_gzip_where_the_setting_says_so() {
    let mut client = Client::new(config());
    assert_eq!(
        field(&client.connect(), "accept-encoding"),
        Some("gzip, deflate")
    );
    let mut client = Client::new(EventSourceConfig::default());
    assert_eq!(
        field(&client.connect(), "accept-encoding"),
        Some("identity")
    );
    let mut own = config();
    own.headers.insert(
        header::ACCEPT_ENCODING,
        HeaderValue::from_static("gzip;q=0.5"),
    );
    let mut client = Client::new(own);
    assert_eq!(
        field(&client.connect(), "accept-encoding"),
        Some("gzip;q=0.5")
    );
}

#[test]
fn each_event_is_told_when_its_bytes_are_there() {
    let mut client = open();
    let mut shared = SharedDeflate::new();
    let mut wire = Vec::new();
    let mut body = GzipBody::begin(|part| wire.extend_from_slice(part.as_bytes()));
    for n in 0..5 {
        let piece = shared.compress(format!("id: {n}\ndata: event {n}\n\n").into());
        body.piece(&piece, |part| wire.extend_from_slice(part.as_bytes()));
        client.receive(std::mem::take(&mut wire));
        let told = client.told();
        assert!(
            told.len() == 1 && told[0].contains(&format!("event {n}")),
            "{told:?}"
        );
        body.keep_alive(|part| wire.extend_from_slice(part.as_bytes()));
    }
    body.finish(|part| wire.extend_from_slice(part.as_bytes()));
    client.receive(wire);
    client.end();
    assert_eq!(client.told(), ["disconnect", "lost Ended"]);
    assert_eq!(field(&client.reconnect(), "last-event-id"), Some("4"));
}

#[test]
fn a_body_is_the_same_byte_by_byte_and_in_chunks() {
    let body = encode(b"data: one\n\ndata: two\n\n");
    let mut client = open();
    for byte in &body {
        client.receive([*byte]);
    }
    let bytewise = client.told();
    let mut client = open();
    client.receive(&body);
    assert_eq!(client.told(), bytewise);
    assert_eq!(bytewise.len(), 2);

    let mut client = Client::new(config());
    client.connect();
    client.told();
    client.receive(HEAD.replace("\r\n\r\n", "\r\ntransfer-encoding: chunked\r\n\r\n"));
    for chunk in body.chunks(7) {
        client.receive([format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
    }
    assert_eq!(client.told()[1..], bytewise);
}

#[test]
fn deflate_is_decoded_in_both_forms_and_its_end_is_looked_at() {
    let plain = b"data: one\n\n";
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(plain).unwrap();
    let mut raw = DeflateEncoder::new(Vec::new(), Compression::default());
    raw.write_all(plain).unwrap();
    for body in [zlib.finish().unwrap(), raw.finish().unwrap()] {
        for (len, loss) in [
            (body.len(), "lost Ended"),
            (body.len() - 1, "lost BadCoding(Incomplete)"),
        ] {
            let mut client = Client::new(config());
            client.connect();
            client.told();
            client.receive(HEAD.replace("gzip", "deflate"));
            client.receive(&body[..len]);
            client.end();
            assert_eq!(client.told().last().unwrap(), loss);
        }
        let mut client = Client::new(config());
        client.connect();
        client.told();
        client.receive(HEAD.replace("gzip", "Deflate"));
        client.receive(&body);
        assert_eq!(client.told().len(), 2);
    }
}

#[test]
fn two_codings_one_over_the_other_are_refused() {
    for codings in ["gzip\r\ncontent-encoding: gzip", "gzip, gzip", "br, gzip"] {
        let mut client = Client::new(config());
        client.connect();
        client.told();
        client.receive(HEAD.replace("gzip", codings));
        assert_eq!(
            client.failure.as_ref().map(|failure| failure.name()),
            Some("ContentCoding")
        );
    }
}

#[test]
fn a_large_body_takes_no_more_memory_than_its_events() {
    let mut client = open();
    let body = encode(&b"data: the same again and again\n\n".repeat(20_000));
    for chunk in body.chunks(1000) {
        client.receive(chunk);
    }
    assert_eq!(client.told().len(), 20_000);
}

#[test]
fn there_is_no_room_while_decompressed_bytes_are_not_decoded() {
    let mut config = config();
    config.high_water_mark = 1;
    let mut client = Client::new(config);
    client.connect();
    client.told();
    client.receive(HEAD);
    assert_eq!(client.told(), ["open 200"]);
    // Of a body without its end nothing waits to be decompressed.
    let mut wire = Vec::new();
    let mut body = GzipBody::begin(|part| wire.extend_from_slice(part.as_bytes()));
    let piece = SharedDeflate::new().compress("data: one\n\ndata: two\n\n".into());
    body.piece(&piece, |part| wire.extend_from_slice(part.as_bytes()));
    client.source.handle_input(client.now, &wire);
    assert!(client.poll_one().is_some());
    assert!(!client.source.has_room(), "an event waits");
    assert!(client.poll_one().is_some());
    assert_eq!(client.poll_one(), None);
    assert!(client.source.has_room());
}

#[test]
fn a_body_that_breaks_off_or_is_not_gzip_is_a_loss() {
    let body = encode(b"data: one\n\n");
    let mut client = open();
    client.receive(&body[..body.len() - 1]);
    client.end();
    assert_eq!(client.told().last().unwrap(), "lost BadCoding(Incomplete)");

    let mut client = open();
    client.receive("data: one\n\n");
    assert_eq!(client.told(), ["disconnect", "lost BadCoding(Head)"]);

    let mut client = open();
    let mut wrong = body.clone();
    *wrong.last_mut().unwrap() ^= 1;
    client.receive(wrong);
    let told = client.told();
    assert_eq!(told.last().unwrap(), "lost BadCoding(Checksum)");
}

#[test]
fn what_is_wrong_with_a_body_is_the_cause_of_the_loss() {
    let mut client = open();
    client.source.handle_input(client.now, b"not gzip");
    let cause = client.lost();
    let cause = cause.source().and_then(|it| it.downcast_ref::<GzipError>());
    assert_eq!(cause, Some(&GzipError::Head));
}

#[test]
fn a_bomb_is_a_loss() {
    let mut client = open();
    let body = encode(&vec![b'\n'; 50 << 20]);
    let lost_at = body.chunks(100).position(|chunk| {
        client.receive(chunk);
        client.told() == ["disconnect", "lost BadCoding(TooLong)"]
    });
    let lost_at = lost_at.expect("a bound");
    assert!(100 * lost_at < body.len() / 2);
}

#[test]
fn without_the_setting_and_in_another_coding_a_response_is_refused() {
    let mut client = Client::new(EventSourceConfig::default());
    client.connect();
    client.told();
    client.receive(HEAD);
    assert_eq!(
        client.failure.as_ref().map(|failure| failure.name()),
        Some("ContentCoding")
    );
    let mut client = Client::new(config());
    client.connect();
    client.told();
    client.receive(HEAD.replace("gzip", "br"));
    assert_eq!(
        client.failure.as_ref().map(|failure| failure.name()),
        Some("ContentCoding")
    );
}

#[test]
fn a_plain_response_is_taken_as_it_is() {
    let mut client = Client::new(config());
    client.connect();
    client.told();
    client.receive(HEAD.replace("content-encoding: gzip\r\n", ""));
    client.receive("data: one\n\n");
    assert_eq!(client.told().len(), 2);
}

#[test]
fn over_a_foreign_client_it_is_the_same() {
    let mut client = Client::new(config());
    let request = client.take_request();
    client.told();
    assert_eq!(request.headers()["accept-encoding"], "gzip, deflate");
    let mut response = Response::new(());
    let headers = response.headers_mut();
    headers.insert(
        "content-type",
        HeaderValue::from_static("text/event-stream"),
    );
    headers.insert("content-encoding", HeaderValue::from_static("gzip"));
    client.source.handle_response(client.now, response);
    client
        .source
        .handle_body(client.now, &encode(b"data: one\n\n"));
    client.poll();
    assert_eq!(client.told().len(), 2);
    client.source.handle_body_end(client.now);
    assert_eq!(client.told(), ["disconnect", "lost Ended"]);
}

#[test]
fn silence_is_counted_from_the_last_byte_whatever_that_is() {
    let mut config = config();
    config.idle_timeout = Some(secs(40));
    let mut client = Client::new(config);
    client.connect();
    client.told();
    client.receive(HEAD);
    let mut wire = Vec::new();
    let mut body = GzipBody::begin(|part| wire.extend_from_slice(part.as_bytes()));
    for _ in 0..5 {
        body.keep_alive(|part| wire.extend_from_slice(part.as_bytes()));
        client.receive(std::mem::take(&mut wire));
        client.advance(secs(30));
    }
    assert_eq!(client.told(), ["open 200"]);
}
