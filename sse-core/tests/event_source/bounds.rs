//! Servers that send more than the client accepts.

use std::io::ErrorKind::ConnectionReset;

use sse_core::{
    DecoderLimits,
    client::{EventSourceConfig, Phase},
};

use crate::harness::{CHUNKED, Client, OPEN, field, secs};

/// Sends the beginning, and then the rest again and again until the phase changes. Returns the number of
/// bytes sent.
fn flood(client: &mut Client, beginning: &str, rest: &str) -> usize {
    const ENOUGH: usize = 32 * 1024 * 1024;
    client.receive(beginning);
    client.told();
    let mut sent = beginning.len();
    let phase = client.source.phase();
    while client.source.phase() == phase {
        client.receive(rest);
        sent += rest.len();
        assert!(sent < ENOUGH, "it takes everything");
    }
    sent
}

/// Returns the outcome of a flood in response to a request, and the number of bytes sent.
fn flooded(config: EventSourceConfig, beginning: &str, rest: &str) -> (String, usize) {
    let mut client = Client::new(config);
    client.connect();
    let sent = flood(&mut client, beginning, rest);
    let told = client.told();
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[0], "disconnect");
    (told[1].clone(), sent)
}

fn limits(limits: DecoderLimits) -> EventSourceConfig {
    let mut config = EventSourceConfig::default();
    config.decoder_limits = limits;
    config
}

#[test]
fn an_endless_head_is_not_waited_for() {
    for (beginning, rest) in [
        ("HTTP/1.1 200 ", "O"),
        ("HTTP/1.1 200 OK\r\na: ", "bbbbbbb"),
        ("HTTP/1.1 200 OK\r\n", "x-more: yes\r\n"),
    ] {
        let (told, sent) = flooded(EventSourceConfig::default(), beginning, rest);
        assert_eq!(told, "lost BadHead(TooLarge(65536))", "{rest:?}");
        assert!(sent <= 64 * 1024 + rest.len(), "{sent}");
    }
}

#[test]
fn a_head_has_only_so_many_fields() {
    let answer = |fields: usize| {
        let mut client = Client::new(EventSourceConfig::default());
        client.connect();
        client.told();
        let fields = "a: b\r\n".repeat(fields - 1);
        client.receive(OPEN.replace("\r\n\r\n", &format!("\r\n{fields}\r\n")));
        client.told()
    };
    assert_eq!(answer(100), ["open 200"]);
    assert_eq!(
        answer(101),
        ["disconnect", "lost BadHead(TooManyFields(100))"]
    );
}

#[test]
fn interim_responses_are_passed_over_up_to_a_bound() {
    let mut client = Client::new(EventSourceConfig::default());
    client.connect();
    client.told();
    client.receive("HTTP/1.1 100 Continue\r\n\r\n".repeat(16) + OPEN);
    assert_eq!(client.told(), ["open 200"]);

    let interim = "HTTP/1.1 102 Processing\r\n\r\n";
    let (told, sent) = flooded(EventSourceConfig::default(), "", interim);
    assert_eq!(told, "lost BadHead(TooManyInterim(16))");
    assert_eq!(sent, 17 * interim.len());
}

#[test]
fn a_switch_of_protocols_is_not_taken_part_in() {
    let mut client = Client::new(EventSourceConfig::default());
    client.connect();
    client.told();
    client.receive("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\ndata: x\n\n");
    assert_eq!(
        client.told(),
        ["disconnect", "lost BadHead(SwitchedProtocols)"]
    );
}

#[test]
fn a_server_that_speaks_http_2_is_a_failure_that_says_so() {
    // These are the SETTINGS of nginx, hyper and Go.
    for settings in [
        &b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80"[..],
        b"\0\0\0\x04\0\0\0\0\0",
        b"\0\0\x1e\x04\0\0\0\0\0\0\x05\0\x10\0\0",
    ] {
        for step in [1, 4, usize::MAX] {
            let mut client = Client::new(EventSourceConfig::default());
            client.connect();
            for piece in settings.chunks(step) {
                client.receive(piece);
            }
            let failure = client.failure.expect("a failure, and no loss");
            assert_eq!(
                failure.to_string(),
                "the server answered in HTTP/2 to a request in HTTP/1.1; \
                 send the request with an HTTP client that speaks HTTP/2"
            );
        }
    }
    // Bytes that only begin like that are not HTTP.
    for other in [
        &b"\0\0\x12\x05\0\0\0\0\0"[..],
        b"\0\0\x13\x04\0\0\0\0\0",
        b"\0\0\x12\x04\x01\0\0\0\0",
        b"\0\0\x12\x04\0\0\0\0\x01",
        b"\x01\0\x12\x04\0\0\0\0\0",
        b"\0\n\n",
    ] {
        for step in [1, usize::MAX] {
            let mut client = Client::new(EventSourceConfig::default());
            client.connect();
            for piece in other.chunks(step) {
                client.receive(piece);
            }
            let lost = client.told().pop().unwrap();
            assert!(lost.starts_with("lost BadHead(Malformed("), "{lost}");
        }
    }
}

#[test]
fn an_event_that_is_too_large_is_discarded_and_the_stream_goes_on() {
    let config = limits(DecoderLimits::default().with_line(1000).with_event(1500));
    let long = |n: usize| "x".repeat(n);
    for (what, event) in [
        ("Line", format!("id: 2\ndata: {}\n\n", long(2000))),
        ("Line", format!("id: 2\n:{}\ndata: a\n\n", long(2000))),
        (
            "Event",
            format!("id: 2\n{}\n", format!("data: {}\n", long(900)).repeat(2)),
        ),
    ] {
        for step in [1, 7, usize::MAX] {
            let mut client = Client::open(config.clone());
            client.receive("id: 1\ndata: before\n\n");
            for piece in event.as_bytes().chunks(step) {
                client.receive(piece);
            }
            client.receive("data: after\n\n");
            let told = [
                r#"message "1" "before""#,
                &format!("discarded {what}"),
                r#"message "1" "after""#,
            ];
            assert_eq!(client.told(), told, "in steps of {step}");
        }
    }
}

#[test]
fn an_id_that_is_too_long_is_told_and_its_event_is_given_out() {
    let config = limits(DecoderLimits::default().with_id(100));
    let event = format!("data: a\nid: {}\n\n", "x".repeat(101));
    for step in [1, 7, usize::MAX] {
        let mut client = Client::open(config.clone());
        client.receive("id: 1\ndata: before\n\n");
        for piece in event.as_bytes().chunks(step) {
            client.receive(piece);
        }
        client.receive("data: after\n\n");
        let told = [
            r#"message "1" "before""#,
            "ID too long: 100",
            r#"message "1" "a""#,
            r#"message "1" "after""#,
        ];
        assert_eq!(client.told(), told, "in steps of {step}");
        client.end();
        assert_eq!(field(&client.reconnect(), "last-event-id"), Some("1"));
    }
}

#[test]
fn a_discarded_event_is_forgotten_with_its_connection() {
    let config = limits(DecoderLimits::default().with_line(1000));
    let mut client = Client::open(config);
    client.receive("data: ".to_owned() + &"x".repeat(2000));
    assert_eq!(client.told(), ["discarded Line"]);
    client.end();
    client.reconnect();
    client.told();
    client.receive(OPEN);
    client.receive("data: new\n\n");
    assert_eq!(client.told(), ["open 200", r#"message "" "new""#]);
}

#[test]
fn an_endless_line_or_comment_is_told_once_and_does_not_pile_up() {
    for beginning in ["data: ", ": "] {
        let mut client = Client::open(EventSourceConfig::default());
        client.receive(beginning);
        let piece = "x".repeat(64 * 1024);
        for _ in 0..16 * 40 {
            client.receive(&piece);
            assert!(client.source.has_room());
        }
        assert_eq!(client.told(), ["discarded Line"]);
        client.receive("\n\ndata: after\n\n");
        assert_eq!(client.told(), [r#"message "" "after""#]);
    }
}

/// Another reader could take these for another end of the body.
#[test]
fn chunks_that_are_not_as_they_should_be_are_a_loss() {
    for (chunks, fault) in [
        ("3 4\r\n", "ChunkSize"),
        ("3;a\0b\r\n", "Extension"),
        ("0\r\n\n", "Trailers"),
        ("0\r\na: b\rc\r\n", "Trailers"),
        ("0\r\na: \0", "Trailers"),
    ] {
        let config = EventSourceConfig::default();
        let (told, _) = flooded(config, CHUNKED, chunks);
        assert_eq!(told, format!("lost BadBody({fault})"), "{chunks:?}");
    }
}

#[test]
fn chunk_extensions_and_trailers_are_bounded() {
    let (told, sent) = flooded(EventSourceConfig::default(), &format!("{CHUNKED}1;"), "x");
    assert_eq!(told, "lost BadBody(ExtensionTooLong)");
    assert!(sent < CHUNKED.len() + 5_000, "{sent}");
    let (told, sent) = flooded(
        EventSourceConfig::default(),
        &format!("{CHUNKED}0\r\n"),
        "a: b\r\n",
    );
    assert_eq!(told, "lost BadBody(TrailersTooLong)");
    assert!(sent < CHUNKED.len() + 17_000, "{sent}");
    for size in ["0", "F"] {
        let (told, sent) = flooded(EventSourceConfig::default(), CHUNKED, size);
        assert_eq!(told, "lost BadBody(ChunkSize)");
        assert!(sent <= CHUNKED.len() + 17, "{sent}");
    }
}

#[test]
fn a_refusals_body_is_kept_up_to_a_bound() {
    let head = "HTTP/1.1 500 Oh\r\n\r\n";
    let (told, sent) = flooded(EventSourceConfig::default(), head, "because ");
    let kept = told.strip_prefix(r#"failed Status 500 ""#).unwrap();
    let kept = kept.strip_suffix(r#"" cut"#).unwrap();
    assert_eq!(kept.len(), 4096);
    // One more piece tells that there is more.
    assert_eq!(sent, head.len() + 4096 + "because ".len());

    let mut config = EventSourceConfig::default();
    config.max_unexpected_body = 10;
    let (told, _) = flooded(config, head, "because ");
    assert_eq!(told, r#"failed Status 500 "because be" cut"#);
}

#[test]
fn a_body_as_long_as_the_bound_is_whole() {
    let mut config = EventSourceConfig::default();
    config.max_unexpected_body = 5;
    let chunked = "transfer-encoding: chunked\r\n\r\n5\r\nwhole\r\n0\r\n\r\n";
    for answer in ["content-length: 5\r\n\r\nwhole", chunked, "\r\nwhole"] {
        let mut client = Client::new(config.clone());
        client.connect();
        client.receive(format!("HTTP/1.1 500 Oh\r\n{answer}"));
        client.end();
        let told = client.told().pop().unwrap();
        assert_eq!(told, r#"failed Status 500 "whole""#, "{answer}");
    }
}

#[test]
fn a_refusals_body_that_is_not_wanted_is_not_waited_for() {
    let mut config = EventSourceConfig::default();
    config.max_unexpected_body = 0;
    let mut client = Client::new(config);
    client.connect();
    client.told();
    client.receive("HTTP/1.1 500 Oh\r\n\r\n");
    assert_eq!(client.told(), ["disconnect", r#"failed Status 500 "" cut"#]);
}

#[test]
fn there_is_room_up_to_the_high_water_mark() {
    let mut config = EventSourceConfig::default();
    config.high_water_mark = 16;
    let mut client = Client::open(config);
    client.source.handle_input(client.now, b"data: a\n\ndata: ");
    assert!(client.source.has_room(), "15 bytes");
    client.source.handle_input(client.now, b"b");
    assert!(!client.source.has_room(), "16 bytes");
    client.poll_one();
    assert!(client.source.has_room(), "7 bytes");
    client.poll();
    client.source.handle_input(client.now, &[b':'; 100]);
    assert!(!client.source.has_room());
    client.poll();
    assert!(client.source.has_room());
}

#[test]
fn a_buffer_comes_back_once_everything_in_it_is_taken() {
    let mut client = Client::open(EventSourceConfig::default());
    assert!(client.source.take_buffer().is_empty(), "there is none");
    let mut buffer = b"data: a\n\ndata: b\n\n".to_vec();
    let received = buffer.len();
    buffer.resize(1000, b'x');
    for _ in 0..3 {
        client
            .source
            .handle_input_in(client.now, buffer.clone(), received);
        client.poll_one();
        assert!(
            client.source.take_buffer().is_empty(),
            "something is left to take"
        );
        assert_eq!(
            client.told(),
            [r#"message "" "a""#, r#"message "" "b""#],
            "what was not received is no input"
        );
        assert_eq!(client.source.take_buffer(), buffer);
        assert!(client.source.take_buffer().is_empty(), "it is gone");
    }
    // This is more than there is.
    client
        .source
        .handle_input_in(client.now, b"data: c\n\n".to_vec(), usize::MAX);
    assert_eq!(client.told(), [r#"message "" "c""#]);
    client.end();
    assert!(
        client.source.take_buffer().is_empty(),
        "it went with the connection"
    );
}

#[test]
fn there_is_always_room_for_something() {
    let mut config = EventSourceConfig::default();
    config.high_water_mark = 0;
    let mut client = Client::open(config);
    assert!(client.source.has_room());
    client.source.handle_input(client.now, b"data: a\n\n");
    assert!(!client.source.has_room());
    client.poll();
    assert!(client.source.has_room());
}

#[test]
fn events_received_before_a_loss_are_still_returned() {
    for transport_fails in [false, true] {
        let mut client = Client::open(EventSourceConfig::default());
        client
            .source
            .handle_input(client.now, b"data: a\n\nid: 2\ndata: b\n\ndata: c");
        match transport_fails {
            false => client.source.handle_eof(client.now),
            true => client
                .source
                .handle_transport_error(client.now, ConnectionReset.into()),
        }
        // No event comes after the end.
        client.source.handle_input(client.now, b"\n\ndata: d\n\n");
        let told = client.told();
        assert_eq!(
            told[..3],
            [r#"message "" "a""#, r#"message "2" "b""#, "disconnect"]
        );
        assert!(told[3].starts_with("lost "), "{told:?}");
        assert_eq!(told.len(), 4);
    }
}

#[test]
fn nothing_piles_up_for_a_caller_that_does_not_poll() {
    let mut client = Client::new(EventSourceConfig::default());
    client.connect();
    client.receive("HTTP/1.1 307 Go\r\nlocation: /there\r\n\r\n");
    client.connect();
    client.told();
    client.source.handle_eof(client.now);
    for _ in 0..10_000 {
        client.now += secs(100);
        client.source.handle_timeout(client.now);
        client.source.handle_connected(client.now);
        client.source.handle_input(client.now, OPEN.as_bytes());
        client.source.handle_eof(client.now);
    }
    let told = [
        "disconnect",
        "lost NoResponse",
        "connect http example.org 80",
    ];
    assert_eq!(client.told(), told);
}

#[test]
fn a_content_coding_that_was_not_asked_for_is_a_failure_that_names_it() {
    let answer = |fields: &str| {
        let mut client = Client::new(EventSourceConfig::default());
        client.connect();
        client.told();
        client.receive(OPEN.replace("\r\n\r\n", &format!("\r\n{fields}\r\n\r\n")));
        (client.told(), client)
    };
    for (fields, named) in [
        ("content-encoding: gzip", "gzip"),
        ("Content-Encoding: BR", "BR"),
        (
            "content-encoding: identity\r\ncontent-encoding: zstd",
            "zstd",
        ),
        ("content-encoding: identity, gzip", "identity, gzip"),
        ("content-encoding: made-up", "made-up"),
    ] {
        let (told, client) = answer(fields);
        assert_eq!(
            told,
            ["disconnect", &format!("failed ContentCoding({named:?})")]
        );
        assert_eq!(client.source.phase(), Phase::Closed);
        assert!(client.failure.unwrap().to_string().contains(named));
    }
    for fields in ["content-encoding:", "content-encoding: Identity"] {
        assert_eq!(answer(fields).0, ["open 200"]);
    }
}

#[test]
fn transfer_codings_and_lengths_that_are_unclear_are_a_broken_answer() {
    for (fields, told) in [
        ("transfer-encoding: gzip, chunked", "UnknownTransferCoding"),
        ("transfer-encoding: gzip", "UnknownTransferCoding"),
        ("transfer-encoding: chunked, gzip", "Malformed"),
        ("transfer-encoding: identity, gzip", "UnknownTransferCoding"),
        ("transfer-encoding:", "Malformed"),
        ("content-length: 5\r\ncontent-length: 6", "Malformed"),
        ("content-length: 5, 6", "Malformed"),
        ("content-length: +5", "Malformed"),
        ("content-length: 0x5", "Malformed"),
        ("content-length: 99999999999999999999999", "Malformed"),
        ("content-length:", "Malformed"),
    ] {
        let mut client = Client::new(EventSourceConfig::default());
        client.connect();
        client.told();
        client.receive(OPEN.replace("\r\n\r\n", &format!("\r\n{fields}\r\n\r\n")));
        let line = &client.told()[1];
        assert!(
            line.starts_with(&format!("lost BadHead({told}")),
            "{fields}: {line}"
        );
    }
    let mut client = Client::new(EventSourceConfig::default());
    client.connect();
    client.receive(CHUNKED.replace("HTTP/1.1", "HTTP/1.0"));
    let line = &client.told()[2];
    assert!(
        line.starts_with("lost BadHead(Malformed"),
        "HTTP/1.0 has no chunks: {line}"
    );
    // These are unambiguous: proxies produce the first from a repeated field, and in the second the
    // coding takes precedence.
    for (fields, body) in [
        ("content-length: 9, 9\r\ncontent-length: 9", "data: a\n\n"),
        (
            "content-length: 5\r\ntransfer-encoding: Chunked",
            "9\r\ndata: a\n\n\r\n0\r\n\r\n",
        ),
    ] {
        let mut client = Client::new(EventSourceConfig::default());
        client.connect();
        client.told();
        client.receive(OPEN.replace("\r\n\r\n", &format!("\r\n{fields}\r\n\r\n{body}")));
        let told = ["open 200", r#"message "" "a""#, "disconnect", "lost Ended"];
        assert_eq!(client.told(), told);
    }
}
