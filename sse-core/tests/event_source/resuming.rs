//! State that one connection leaves to the next one, and state that it does not.

use std::io::ErrorKind::ConnectionRefused;

use sse_core::client::EventSourceConfig;

use crate::harness::{Client, OPEN, field};

#[test]
fn the_last_event_id_stays_over_losses_of_every_kind() {
    let mut client = Client::new(EventSourceConfig::default());
    client.connect();
    let mut request = client.lose_after("id: 7\ndata: x\n\n");
    for _ in 0..3 {
        assert_eq!(field(&request, "last-event-id"), Some("7"));
        client.fail(ConnectionRefused);
        assert_eq!(field(&client.reconnect(), "last-event-id"), Some("7"));
        client.receive("rubbish");
        assert_eq!(field(&client.reconnect(), "last-event-id"), Some("7"));
        request = client.lose_after("data: without an id\n\n");
    }
    assert_eq!(field(&request, "last-event-id"), Some("7"));
}

#[test]
fn an_event_that_broke_off_leaves_nothing_behind() {
    for half in [
        "data: half",
        "data: half\n",
        "data: half\r",
        "event: half\n",
        "id: half\n",
        "id: half\ndata: half\n",
    ] {
        let mut client = Client::new(EventSourceConfig::default());
        client.connect();
        client.receive(OPEN);
        client.receive("id: 1\ndata: whole\n\n");
        client.receive(half);
        client.end();
        let request = client.reconnect();
        assert_eq!(field(&request, "last-event-id"), Some("1"), "{half:?}");
        client.told();
        client.receive(OPEN);
        client.receive("\n\ndata: new\n\n");
        assert_eq!(
            client.told(),
            ["open 200", r#"message "1" "new""#],
            "{half:?}"
        );
    }
}

#[test]
fn each_stream_may_begin_with_a_byte_order_mark() {
    let mut client = Client::new(EventSourceConfig::default());
    client.connect();
    client.lose_after("\u{feff}data: a\n\n");
    client.told();
    client.receive(OPEN);
    client.receive("\u{feff}data: b\n\n");
    assert_eq!(client.told(), ["open 200", r#"message "" "b""#]);
}
