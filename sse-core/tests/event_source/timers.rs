//! Time-outs, and the mode without reconnections.

use std::{
    io::ErrorKind::{ConnectionRefused, ConnectionReset, Unsupported},
    time::Duration,
};

use sse_core::{
    DecoderLimits,
    client::{EventSourceConfig, Phase},
};

use crate::harness::{CHUNKED, Client, OPEN, URL, millis, secs};

const ALMOST: Duration = Duration::from_nanos(1);

fn idle(timeout: Duration) -> EventSourceConfig {
    let mut config = EventSourceConfig::default();
    config.idle_timeout = Some(timeout);
    config
}

fn once() -> EventSourceConfig {
    let mut config = EventSourceConfig::default();
    config.reconnection = None;
    config
}

#[test]
fn taking_received_events_is_no_sign_of_life() {
    let mut client = Client::open(idle(secs(60)));
    client.told();
    let until = client.source.poll_timeout();
    client.now += secs(59);
    assert!(client.take_received().is_none());
    client.source.handle_timeout(client.now);
    assert_eq!(client.told(), [""; 0]);
    assert_eq!(client.source.poll_timeout(), until);
}

#[test]
fn connecting_takes_no_longer_than_it_may() {
    let mut config = EventSourceConfig::default();
    config.connect_timeout = secs(5);
    let mut client = Client::new(config);
    client.told();
    client.advance(secs(5) - ALMOST);
    assert_eq!(client.told(), [""; 0]);
    client.advance(ALMOST);
    assert_eq!(client.told(), ["disconnect", "lost ConnectTimeout"]);
}

#[test]
fn connecting_takes_time_from_when_the_connection_is_asked_for() {
    let mut client = Client::new(EventSourceConfig::default());
    // The caller is busy.
    client.now += secs(1000);
    client.source.handle_timeout(client.now);
    assert_eq!(client.told(), ["connect http example.org 80"]);
    assert_eq!(client.wait(), secs(30));
    assert_eq!(client.told(), ["disconnect", "lost ConnectTimeout"]);
}

#[test]
fn the_head_takes_no_longer_than_it_may_however_slowly_it_drips() {
    let mut config = EventSourceConfig::default();
    config.head_timeout = secs(5);
    let mut client = Client::new(config);
    client.poll();
    client.advance(secs(20));
    client.connect();
    client.told();
    for byte in &OPEN.as_bytes()[..4] {
        client.advance(secs(1));
        client.receive([*byte]);
    }
    client.advance(secs(1) - ALMOST);
    assert_eq!(client.told(), [""; 0]);
    client.advance(ALMOST);
    assert_eq!(client.told(), ["disconnect", "lost HeadTimeout"]);
}

#[test]
fn interim_responses_do_not_make_the_head_time_longer() {
    let mut client = Client::new(EventSourceConfig::default());
    client.connect();
    client.told();
    client.advance(secs(29));
    client.receive("HTTP/1.1 103 Early Hints\r\n\r\n");
    client.advance(secs(1));
    assert_eq!(client.told(), ["disconnect", "lost HeadTimeout"]);
}

#[test]
fn a_refusals_body_is_waited_for_as_long_as_a_head() {
    let mut client = Client::new(EventSourceConfig::default());
    client.connect();
    client.told();
    client.advance(secs(20));
    client.receive("HTTP/1.1 500 Oh\r\n\r\nbecause");
    client.advance(secs(10) - ALMOST);
    assert_eq!(client.told(), [""; 0]);
    client.advance(ALMOST);
    assert_eq!(
        client.told(),
        ["disconnect", r#"failed Status 500 "because" cut"#]
    );
}

#[test]
fn an_open_stream_may_be_silent_for_ever_by_default() {
    let client = Client::open(EventSourceConfig::default());
    assert_eq!(client.source.poll_timeout(), None);
}

#[test]
fn a_stream_without_a_byte_for_too_long_is_lost() {
    let mut client = Client::open(idle(secs(10)));
    client.advance(secs(9));
    // Any byte counts, such as a comment or half a line.
    client.receive(":");
    client.advance(secs(10) - ALMOST);
    assert_eq!(client.told(), [""; 0]);
    client.advance(ALMOST);
    assert_eq!(client.told(), ["disconnect", "lost IdleTimeout"]);
}

#[test]
fn a_stream_is_idle_from_its_opening() {
    let mut client = Client::new(idle(secs(10)));
    client.connect();
    client.advance(secs(20));
    client.receive(OPEN);
    client.told();
    assert_eq!(client.wait(), secs(10));
    assert_eq!(client.told(), ["disconnect", "lost IdleTimeout"]);
}

/// The caller reads on only when there is room, so that it may be the cause of the silence.
#[test]
fn a_stream_is_not_idle_while_the_caller_has_not_taken_what_it_received() {
    let mut client = Client::open(idle(secs(10)));
    client
        .source
        .handle_input(client.now, b"data: a\n\ndata: b\n\n");
    for _ in 0..9 {
        client.now += secs(10);
        client.source.handle_timeout(client.now);
    }
    assert_eq!(client.told(), [r#"message "" "a""#, r#"message "" "b""#]);
    // The idle time counts from here.
    assert_eq!(client.wait(), secs(10));
    assert_eq!(client.told(), ["disconnect", "lost IdleTimeout"]);
}

#[test]
fn silence_counts_from_when_the_last_of_it_was_taken() {
    let mut client = Client::open(idle(secs(10)));
    client
        .source
        .handle_input(client.now, b"data: a\n\ndata: b\n\n");
    client.now += secs(4);
    assert_eq!(client.poll_one().unwrap(), r#"message "" "a""#);
    client.now += secs(5);
    assert_eq!(client.poll_one().unwrap(), r#"message "" "b""#);
    client.advance(secs(10) - ALMOST);
    assert_eq!(client.source.phase(), Phase::Open);
    client.advance(ALMOST);
    client.poll();
    assert_eq!(client.source.phase(), Phase::Waiting);
}

/// A caller that takes received events without passing the time.
#[test]
fn an_event_that_is_taken_without_the_time_counts_at_the_next_call_with_the_time() {
    for half in ["", "data: half", ": half"] {
        for polls in [true, false] {
            let mut client = Client::open(idle(secs(10)));
            let text = format!("data: a\n\n: b\n{half}");
            client.source.handle_input(client.now, text.as_bytes());
            // This is long after its deadline, as with a slow caller.
            client.now += secs(100);
            assert_eq!(client.take_received().unwrap(), r#"message "" "a""#);
            assert_eq!(client.take_received().unwrap(), ": b");
            assert_eq!(client.take_received(), None);
            client.told();
            if polls {
                client.poll();
            }
            client.source.handle_timeout(client.now);
            assert_eq!(client.told(), [""; 0]);
            assert_eq!(client.wait(), secs(10), "it counts from here");
            assert_eq!(client.told(), ["disconnect", "lost IdleTimeout"]);
        }
    }
}

#[test]
fn only_what_was_received_is_taken_without_the_time() {
    let mut client = Client::new(EventSourceConfig::default());
    assert_eq!(client.take_received(), None);
    client.connect();
    let text = format!("{OPEN}data: a\n\ndata: b\n\n");
    client.source.handle_input(client.now, text.as_bytes());
    client.source.handle_eof(client.now);
    // The opening of the stream is reported before.
    assert_eq!(client.take_received(), None);
    assert_eq!(client.poll_one().unwrap(), "open 200");
    assert_eq!(client.take_received().unwrap(), r#"message "" "a""#);
    assert_eq!(client.poll_one().unwrap(), r#"message "" "b""#);
    // The end of the stream comes after all events, by the other call.
    assert_eq!(client.take_received(), None);
    assert_eq!(client.take_received(), None);
    let told = client.told();
    assert_eq!(told[told.len() - 2..], ["disconnect", "lost Ended"]);
    assert_eq!(client.take_received(), None);
}

#[test]
fn a_deadline_does_nothing_early_and_comes_only_once() {
    let mut client = Client::open(idle(secs(10)));
    client.source.handle_timeout(client.now);
    client.source.handle_timeout(client.now + secs(9));
    assert_eq!(client.told(), [""; 0]);
    client.now += secs(100);
    client.source.handle_timeout(client.now);
    client.source.handle_timeout(client.now);
    assert_eq!(client.told(), ["disconnect", "lost IdleTimeout"]);
}

#[test]
fn timeouts_that_never_come_are_no_deadlines() {
    let mut config = EventSourceConfig::default();
    config.connect_timeout = Duration::MAX;
    config.head_timeout = Duration::MAX;
    config.idle_timeout = Some(Duration::MAX);
    let mut client = Client::new(config);
    client.poll();
    assert_eq!(client.source.poll_timeout(), None);
    client.connect();
    assert_eq!(client.source.poll_timeout(), None);
    client.receive(OPEN);
    assert_eq!(client.source.poll_timeout(), None);
}

#[test]
fn time_outs_of_nothing_do_not_spin() {
    let mut config = idle(Duration::ZERO);
    config.connect_timeout = Duration::ZERO;
    config.head_timeout = Duration::ZERO;
    let mut client = Client::new(config);
    client.advance(secs(3600));
    assert!(
        (12..=1200).contains(&client.waits.len()),
        "{}",
        client.waits.len()
    );
}

// ---- without reconnections ----

/// Returns the events of one connection, and of its end.
fn told_once(answer: &str) -> Vec<String> {
    let mut client = Client::new(once());
    client.connect();
    client.told();
    client.receive(answer);
    client.end();
    client.told()
}

#[test]
fn the_proper_end_of_the_body_is_the_end() {
    let told = [
        "open 200",
        r#"message "" "a""#,
        "disconnect",
        "closed StreamEnded",
    ];
    let length = OPEN.replace("\r\n\r\n", "\r\ncontent-length: 9\r\n\r\n");
    let old = OPEN.replace("1.1", "1.0");
    for answer in [
        format!("{OPEN}data: a\n\n"),
        format!("{old}data: a\n\n"),
        format!("{length}data: a\n\n"),
        format!("{CHUNKED}9\r\ndata: a\n\n\r\n0\r\n\r\n"),
    ] {
        assert_eq!(told_once(&answer), told, "{answer:?}");
    }
    // A response with a length need not wait for the connection's end.
    let mut client = Client::new(once());
    client.connect();
    client.told();
    client.receive(format!("{CHUNKED}9\r\ndata: a\n\n\r\n0\r\n\r\n"));
    assert_eq!(client.told(), told);
}

#[test]
fn an_end_that_is_not_proper_is_a_failure() {
    let length = OPEN.replace("\r\n\r\n", "\r\ncontent-length: 10\r\n\r\n");
    for (answer, told) in [
        ("".to_owned(), "failed Lost(NoResponse)"),
        ("HTTP/1.1 200".to_owned(), "failed Lost(NoResponse)"),
        (
            format!("{length}data: a\n\n"),
            "failed Lost(BadBody(Short(1)))",
        ),
        (
            format!("{CHUNKED}9\r\ndata: a\n\n\r\n"),
            "failed Lost(BadBody(Truncated))",
        ),
        (
            format!("{CHUNKED}9\r\ndata: a\n\n\r\n0\r\n"),
            "failed Lost(BadBody(Truncated))",
        ),
        (
            format!("{CHUNKED}9\r\ndata: a\n\nxx"),
            "failed Lost(BadBody(ChunkEnd))",
        ),
        (
            "HTTP/1.1 101 Up\r\n\r\n".to_owned(),
            "failed Lost(BadHead(SwitchedProtocols))",
        ),
    ] {
        let lines = told_once(&answer);
        assert_eq!(lines.last().unwrap(), told, "{answer:?}");
        assert_eq!(lines[lines.len() - 2], "disconnect");
    }
}

#[test]
fn a_transport_that_fails_is_a_failure() {
    let mut client = Client::new(once());
    client.told();
    client.fail(ConnectionRefused);
    let told = client.told();
    assert_eq!(told[0], "disconnect");
    assert!(told[1].starts_with("failed Lost(Transport("), "{told:?}");

    let mut client = Client::open(once());
    client.source.handle_input(client.now, b"data: a\n\n");
    client.fail(ConnectionReset);
    let told = client.told();
    assert_eq!(told[..2], [r#"message "" "a""#, "disconnect"]);
    assert!(told[2].starts_with("failed Lost(Transport("), "{told:?}");
}

/// A connection is never possible, such as to an `https` URL without TLS.
#[test]
fn an_unsupported_transport_is_a_failure_also_with_reconnections() {
    let mut client = Client::new(EventSourceConfig::default());
    client.told();
    client.fail(Unsupported);
    let told = client.told();
    assert_eq!(told[0], "disconnect");
    assert!(told[1].starts_with("failed Lost(Transport("), "{told:?}");
    assert_eq!(client.source.phase(), Phase::Closed);
    // Any other error may be different the next time, such as running out of descriptors.
    let mut client = Client::new(EventSourceConfig::default());
    client.told();
    let error = std::io::Error::from_raw_os_error(24);
    client.source.handle_transport_error(client.now, error);
    assert!(client.told()[1].starts_with("lost Transport("));
    assert_eq!(client.source.phase(), Phase::Waiting);
}

#[test]
fn time_outs_are_failures() {
    let mut config = once();
    config.idle_timeout = Some(millis(1));
    let mut client = Client::to(URL, config.clone());
    client.wait();
    assert_eq!(
        client.told()[1..],
        ["disconnect", "failed Lost(ConnectTimeout)"]
    );
    let mut client = Client::to(URL, config.clone());
    client.connect();
    client.wait();
    assert_eq!(
        client.told()[1..],
        ["disconnect", "failed Lost(HeadTimeout)"]
    );
    let mut client = Client::open(config);
    client.wait();
    assert_eq!(client.told(), ["disconnect", "failed Lost(IdleTimeout)"]);
}

#[test]
fn a_status_to_retry_is_a_refusal_and_redirects_are_followed() {
    let mut config = once();
    config.retry_statuses = vec![sse_core::http::StatusCode::SERVICE_UNAVAILABLE];
    let mut client = Client::new(config);
    client.connect();
    client.receive("HTTP/1.1 302 Found\r\nlocation: /there\r\n\r\n");
    client.connect();
    client.told();
    client.receive("HTTP/1.1 503 Later\r\ncontent-length: 5\r\n\r\nlater");
    assert_eq!(
        client.told(),
        ["disconnect", r#"failed Status 503 "later""#]
    );
}

#[test]
fn events_alone_are_taken_past_all_else_that_was_received() {
    let mut config = idle(secs(10));
    config.decoder_limits = DecoderLimits::default().with_event(1_000);
    let mut client = Client::new(config);
    client.connect();
    let large = "x".repeat(2_000);
    let text = format!(
        "{OPEN}: a\n\nretry: 7000\ndata: a\n\ndata: {large}\n\nid: 7\ndata: b\n\n: c\ndata: half"
    );
    client.source.handle_input(client.now, text.as_bytes());
    assert_eq!(client.take_received_event(), None, "the stream is not told");
    assert_eq!(client.poll_one().unwrap(), "open 200");
    client.now += secs(100);
    assert_eq!(client.take_received_event().unwrap(), r#"message "" "a""#);
    assert!(
        client
            .take_received_event()
            .unwrap()
            .starts_with("discarded")
    );
    assert_eq!(client.take_received_event().unwrap(), r#"message "7" "b""#);
    assert_eq!(client.take_received_event(), None);
    client.source.handle_timeout(client.now);
    assert_eq!(client.wait(), secs(10), "the idle time counts from here");
    let told = client.told();
    assert_eq!(told[told.len() - 2..], ["disconnect", "lost IdleTimeout"]);
    assert!(
        client.wait() >= secs(7),
        "the reconnection time is the stream's"
    );
}
