//! Clients that share the compressed stream of a topic.

use std::time::SystemTime;

use sse_core::{server::StreamCompression::Shared, topic::WhenTooSlow};

use super::*;

fn publish(topic: &Topic, count: u64) {
    for n in 0..count {
        topic.publish(payload(n, 200, false)).unwrap();
    }
}

#[test]
fn clients_that_take_gzip_and_clients_that_do_not_get_the_same_events() {
    let topic = topic(compressing());
    let (mut one, mut two) = (topic.subscribe(), topic.subscribe());
    let (mut coded, mut plain) = (Client::new(Shared, true), Client::new(Shared, false));
    publish(&topic, 100);
    let (short, long) = (coded.send_all(&mut one), plain.send_all(&mut two));
    assert!(3 * short < long, "{short} of {long}");
    assert_eq!(coded.plain, plain.plain);
    coded.finish();
    plain.finish();
}

#[test]
fn compressed_events_are_in_one_piece_of_memory_for_all() {
    let topic = topic(compressing());
    let mut subscribers: Vec<_> = (0..3).map(|_| topic.subscribe()).collect();
    publish(&topic, 3);
    let taken: Vec<_> = subscribers
        .iter_mut()
        .map(|subscriber| {
            let mut client = Client::new(Shared, true);
            let now = client.now;
            client
                .connection
                .send_encoded(now, next(subscriber).unwrap())
                .unwrap();
            client.connection.take_body(now).unwrap().as_ptr()
        })
        .collect();
    assert!(taken.iter().all(|at| *at == taken[0]));
}

#[test]
fn clients_at_different_places_share_what_is_new() {
    let topic = topic(compressing());
    let (mut ahead, mut behind) = (topic.subscribe(), topic.subscribe());
    let [mut first, mut second] = [0; 2].map(|_| Client::new(Shared, true));
    publish(&topic, 20);
    first.send_all(&mut ahead);
    publish(&topic, 20);
    // This one gets all of them, in memory that has those for the other, too.
    second.send_all(&mut behind);
    let before = first.plain.len();
    let sent = first.send_all(&mut ahead);
    let plain = first.plain.len() - before;
    assert!(3 * sent < plain, "{sent} of {plain}");
    first.finish();
    second.finish();
}

/// A connection on a socket whose client takes the coding, and the head of whose response is transmitted.
fn on_socket(now: Instant) -> Connection {
    let mut connection = Connection::new(now, SystemTime::UNIX_EPOCH, Arc::default());
    let request = b"GET / HTTP/1.1\r\nhost: a\r\naccept-encoding: gzip\r\n\r\n";
    connection.handle_input(now, request);
    let body = ResponseBody::EventStream(options(Shared));
    connection.respond(now, Response::new(body)).unwrap();
    let len = connection.poll_transmit().len();
    connection.handle_transmitted(now, len);
    connection
}

#[test]
fn compressed_events_are_one_chunk_for_all_connections() {
    let topic = topic(compressing());
    let mut subscribers = [topic.subscribe(), topic.subscribe()];
    publish(&topic, 3);
    let [first, second] = subscribers.each_mut().map(|subscriber| {
        let now = Instant::now();
        let mut connection = on_socket(now);
        let events = next(subscriber).unwrap();
        connection.send_encoded(now, events).unwrap();
        let transmit = connection.poll_transmit();
        let [chunk] = transmit.slices() else {
            panic!("one slice")
        };
        (chunk.as_ptr(), chunk.to_vec())
    });
    assert_eq!(first, second);
    let (size, rest) = first
        .1
        .split_at(first.1.iter().position(|it| *it == b'\r').unwrap());
    let size = usize::from_str_radix(str::from_utf8(size).unwrap(), 16).unwrap();
    assert_eq!(rest.len(), "\r\n".len() + size + "\r\n".len());
}

#[test]
fn a_client_that_resumes_in_the_middle_is_compressed_again_from_a_restart_point() {
    let topic = topic(compressing());
    publish(&topic, 2000);
    let mut client = Client::new(Shared, true);
    let mut subscriber = topic.resume_from(Some("0-100"));
    let mut lens = Vec::new();
    while let Some(events) = next(&mut subscriber) {
        let plain = events.as_bytes().len();
        lens.push((client.send_encoded(events), plain));
    }
    assert!(lens.len() > 3);
    assert!(lens[0].0 > lens[0].1, "in stored blocks");
    assert!(
        lens[1..].iter().all(|(sent, plain)| 3 * sent < *plain),
        "{lens:?}"
    );
    client.finish();
}

#[test]
fn restart_points_come_32_to_96_kib_apart_however_short_the_segments_are() {
    let mut config = compressing();
    // Segments of 8 KiB.
    config.max_bytes = 128 * 1024;
    let topic = topic(config);
    publish(&topic, 1);
    let (mut client, mut subscriber) = (Client::new(Shared, true), topic.subscribe());
    let mut waited = 0;
    loop {
        publish(&topic, 10);
        let events = next(&mut subscriber).unwrap();
        let plain = events.as_bytes().len();
        if client.send_encoded(events) < plain {
            break;
        }
        waited += plain;
    }
    assert!((30 << 10..96 << 10).contains(&waited), "{waited}");
    client.finish();
}

#[test]
fn a_notice_puts_the_sharing_off_until_the_next_restart_point() {
    let mut config = compressing();
    config.when_too_slow = WhenTooSlow::SkipAhead;
    config.max_bytes = 256 * 1024;
    let topic = topic(config);
    let (mut client, mut subscriber) = (Client::new(Shared, true), topic.subscribe());
    publish(&topic, 10);
    client.send_all(&mut subscriber);
    publish(&topic, 5000);
    client.send_all(&mut subscriber);
    assert!(String::from_utf8_lossy(&client.plain).contains("event: resume\n"));
    publish(&topic, 10);
    client.send_all(&mut subscriber);
    client.finish();
}

#[test]
fn a_beginning_and_events_of_the_handler_come_between() {
    let topic = topic(compressing());
    let mut subscriber = topic.subscribe().begin_with(["state"]).unwrap();
    let mut client = Client::new(Shared, true);
    publish(&topic, 10);
    client.send_all(&mut subscriber);
    client.send("of the handler");
    publish(&topic, 1000);
    client.send_all(&mut subscriber);
    client.finish();
}

#[test]
fn an_idle_client_gets_an_empty_block_and_shares_on() {
    let topic = topic(compressing());
    let (mut client, mut subscriber) = (Client::new(Shared, true), topic.subscribe());
    publish(&topic, 1);
    client.send_all(&mut subscriber);
    for _ in 0..3 {
        let before = client.wire.len();
        client.idle();
        assert_eq!(client.wire.len() - before, 5);
        publish(&topic, 1);
        assert!(client.send_all(&mut subscriber) < 150);
    }
    client.finish();
}

#[test]
fn a_keep_alive_that_a_page_sees_is_an_event_of_this_client_alone() {
    let now = Instant::now();
    let request = Request::get("/")
        .header("accept-encoding", "gzip")
        .body(())
        .unwrap();
    let head = RequestHead::of_server(request, BodyLength::None);
    let mut connection = Connection::for_response(now, Arc::default(), &head);
    let mut options = options(Shared);
    options.keep_alive = Some(keep_alive_event());
    let body = ResponseBody::EventStream(options);
    connection.respond(now, Response::new(body)).unwrap();
    let mut body = connection.take_body(now).unwrap().to_vec();
    let later = now + Duration::from_secs(15);
    connection.handle_timeout(later);
    connection.finish(later).unwrap();
    while let Some(bytes) = connection.take_body(later) {
        body.extend_from_slice(&bytes);
    }
    assert_eq!(decode(&body).unwrap(), b"data: beat\n\n");
}

#[test]
fn a_stream_that_fails_has_no_end() {
    let topic = topic(compressing());
    let (mut client, mut subscriber) = (Client::new(Shared, true), topic.subscribe());
    publish(&topic, 3);
    client.send_all(&mut subscriber);
    let reason = sse_core::lifecycle::CloseReason::Shutdown;
    client.connection.abort(client.now, reason).unwrap();
    client.take();
    decode(&client.wire).unwrap_err();
}

#[test]
fn the_reconnection_time_at_the_end_is_in_the_body() {
    let mut client = Client::new(Shared, true);
    client
        .connection
        .end_with_retry(Duration::from_secs(7))
        .unwrap();
    client.plain = b"retry: 7000\n".to_vec();
    client.finish();
}

#[test]
fn a_selection_is_plain_and_says_so() {
    let topic = topic(compressing());
    assert!(topic.subscribe().is_compressed());
    let mut subscriber = topic.subscribe().only_event_types(|_| true);
    assert!(!subscriber.is_compressed());
    let mut client = Client::new(Shared, true);
    publish(&topic, 10);
    client.send_all(&mut subscriber);
    client.finish();
}

#[test]
fn two_topics_in_one_stream_do_not_mix_what_they_refer_to() {
    let (a, b) = (topic(compressing()), topic(compressing()));
    let (mut of_a, mut of_b) = (a.subscribe(), b.subscribe());
    let mut client = Client::new(Shared, true);
    for _ in 0..20 {
        publish(&a, 40);
        publish(&b, 40);
        client.send_all(&mut of_a);
        client.send_all(&mut of_b);
    }
    client.finish();
}

#[test]
fn a_closed_topic_needs_no_compressor_and_is_compressed_as_before() {
    let mut config = compressing();
    config.budget = sse_core::Budget::new(64 << 20);
    let budget = config.budget.clone();
    let topic = topic(config);
    let mut subscriber = topic.subscribe();
    publish(&topic, 100);
    let open = budget.used().history;
    topic.close();
    assert!(budget.used().history + 300 * 1024 < open);
    let mut client = Client::new(Shared, true);
    let sent = client.send_all(&mut subscriber);
    assert!(3 * sent < client.plain.len());
    client.finish();
}
