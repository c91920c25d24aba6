//! Known faults of other clients.

use sse_core::client::{EventSourceConfig, Phase};

use crate::harness::{Client, OPEN, field, secs};

#[test]
fn the_last_event_id_is_not_lost_after_a_reconnection_without_ids() {
    let mut client = Client::new(EventSourceConfig::default());
    client.connect();
    client.lose_after("id: 41\ndata: a\n\n");
    client.lose_after("data: b\n\n");
    let request = client.lose_after("");
    assert_eq!(field(&request, "last-event-id"), Some("41"));
    assert_eq!(client.source.last_event_id(), "41");
}

#[test]
fn a_204_is_not_retried() {
    let mut client = Client::new(EventSourceConfig::default());
    client.connect();
    client.receive("HTTP/1.1 204 No Content\r\n\r\n");
    client.end();
    client.told();
    client.advance(secs(24 * 60 * 60));
    assert_eq!(client.told(), [""; 0]);
    assert_eq!(client.source.phase(), Phase::Closed);
}

#[test]
fn another_content_type_is_not_accepted() {
    for head in [
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
    ] {
        let mut client = Client::new(EventSourceConfig::default());
        client.connect();
        client.told();
        client.receive(head);
        client.receive("data: x\n\n");
        client.end();
        assert_eq!(
            client.told(),
            ["disconnect", r#"failed ContentType 200 "data: x\n\n""#]
        );
        assert_eq!(client.source.phase(), Phase::Closed);
    }
}

#[test]
fn polling_after_the_end_does_not_panic() {
    let mut client = Client::new(EventSourceConfig::default());
    client.connect();
    client.receive("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 0\r\n\r\n");
    client.told();
    for _ in 0..3 {
        assert!(client.source.poll_event(client.now).is_none());
        assert!(client.source.poll_transmit().is_empty());
        assert_eq!(client.source.poll_timeout(), None);
        client.source.handle_timeout(client.now + secs(1000));
        client.receive(OPEN);
        client.end();
        client.close();
    }
    assert_eq!(client.told(), [""; 0]);
}

/// Returns the number of connections within a day to a server that responds to each with this, and ends
/// it.
fn connections_a_day(answer: &str) -> usize {
    let mut client = Client::new(EventSourceConfig::default());
    let start = client.now;
    let mut connections = 0;
    while client.now - start < secs(24 * 60 * 60) {
        client.connect();
        connections += 1;
        assert!(connections < 100_000, "it hammers");
        client.receive(answer);
        client.end();
        client.wait();
    }
    connections
}

#[test]
fn a_server_that_ends_each_stream_at_once_is_not_hammered() {
    // With the longest waits, that is about 150 s on average.
    for answer in [
        OPEN.to_owned(),
        format!("{OPEN}retry: 0\n\n"),
        format!("{OPEN}retry: 1\nid: 1\n\n"),
        String::new(),
        "rubbish".to_owned(),
    ] {
        let connections = connections_a_day(&answer);
        assert!(
            (288..800).contains(&connections),
            "{connections} for {answer:?}"
        );
    }
}

/// Browsers reconnect 114 times in three minutes.
#[test]
fn a_server_that_ends_each_stream_behind_an_event_is_asked_at_its_own_pace() {
    let a_day = connections_a_day(&format!("{OPEN}retry: 1000\nid: 1\ndata: x\n\n"));
    let in_three_minutes = a_day / (24 * 20);
    assert!((90..=180).contains(&in_three_minutes), "{in_three_minutes}");
}

#[test]
fn a_retry_of_zero_does_not_become_a_tight_loop_even_at_first() {
    let mut client = Client::new(EventSourceConfig::default());
    client.connect();
    client.lose_after("retry: 0\n\n");
    assert!(client.waits[0] >= secs(1));
}
