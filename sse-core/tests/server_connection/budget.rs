//! Connections that share a budget.

use proptest::prelude::*;
use sse_core::{
    Budget,
    topic::{Batch, Topic, TopicConfig},
};

use super::*;

const KIB: usize = 1024;

fn config(budget: &Budget) -> ConnectionConfig {
    let mut config = ConnectionConfig::default();
    config.response.budget = budget.clone();
    config
}

/// Returns a stream whose response head is written.
fn stream(budget: &Budget) -> Pump {
    let mut pump = Pump::streaming(config(budget));
    pump.run();
    pump
}

/// Returns a connection that has received a part of a larger body.
fn upload(budget: &Budget, announced: usize, received: usize) -> Pump {
    let mut pump = Pump::new(config(budget));
    pump.input(
        format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {announced}\r\n\r\n").as_bytes(),
    );
    pump.events();
    pump.connection.receive_body(pump.now).unwrap();
    pump.input(&vec![b'x'; received]);
    pump.run();
    pump
}

#[test]
fn a_body_is_refused_where_the_others_have_the_share_of_bodies() {
    let budget = Budget::new(64 * KIB);
    // Memory grows by doubling, and the budget counts it so.
    let mut first = upload(&budget, 10 * KIB, 3 * KIB);
    assert_eq!(budget.used().bodies, 6 * KIB);
    let second = upload(&budget, 10 * KIB, 3 * KIB);
    let mut third = upload(&budget, 10 * KIB, 3 * KIB);
    assert_eq!(third.status(), "503");
    third.connection.handle_eof(third.now);
    third.run();
    let over_budget = CloseReason::Rejected(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(third.closed, Some(over_budget));
    assert_eq!(budget.used().bodies, 12 * KIB, "it gave back what it had");

    drop(second);
    first.input(&[b'x'; 7 * KIB]);
    first.run();
    let body = first.body_received.take().unwrap();
    assert_eq!(body.len(), 10 * KIB);
    drop(first);
    assert_eq!(
        budget.used().bodies,
        10 * KIB,
        "the application has it still"
    );
    drop(body);
    assert_eq!(budget.used().total(), 0);
}

#[test]
fn a_body_that_was_announced_takes_nothing_until_it_comes() {
    let budget = Budget::new(64 * KIB);
    let _waiting: Vec<_> = (0..100).map(|_| upload(&budget, 60 * KIB, 0)).collect();
    assert_eq!(budget.used().total(), 0);
}

#[test]
fn with_nothing_queued_there_is_room_whatever_others_hold() {
    let budget = Budget::new(8 * KIB);
    let mut hog = stream(&budget);
    hog.send(&"x".repeat(9 * KIB)).unwrap();
    assert!(budget.is_exhausted());

    let mut other = stream(&budget);
    for _ in 0..3 {
        assert!(other.connection.has_room());
        other.send("small").unwrap();
        assert!(!other.connection.has_room());
        assert_eq!(other.send("small"), Err(SendError::Full));
        other.write();
    }
    hog.write();
    assert_eq!(budget.used().total(), 0);
    other.send("small").unwrap();
    assert!(other.connection.has_room(), "there is room again");
}

#[test]
fn the_events_of_a_topic_count_once_for_any_number_of_clients() {
    let budget = Budget::new(1024 * KIB);
    let mut topic = TopicConfig::default();
    topic.budget = budget.clone();
    let topic = Topic::new(topic, 1, Instant::now);
    for _ in 0..100 {
        topic.publish("x".repeat(KIB)).unwrap();
    }
    let mut pumps: Vec<_> = (0..50).map(|_| stream(&budget)).collect();
    for pump in &mut pumps {
        let mut subscriber = topic.subscribe_from_oldest();
        let std::task::Poll::Ready(Some(Ok(Batch::Events(events)))) = subscriber.try_next() else {
            panic!("there is a history")
        };
        pump.connection.send_encoded(pump.now, events).unwrap();
        assert!(pump.connection.queued() > 10 * KIB);
    }
    let used = budget.used();
    assert_eq!(used.queued, 0);
    assert!((100 * KIB..160 * KIB).contains(&used.history), "{used:?}");
    drop(topic);
    let held = budget.used().history;
    assert!(held > 10 * KIB && held < used.history, "{held}");
    drop(pumps);
    assert_eq!(budget.used().total(), 0);
}

#[test]
fn written_bytes_are_freed_while_more_are_queued() {
    let budget = Budget::new(1024 * KIB);
    let topic = Topic::new(TopicConfig::default(), 1, Instant::now);
    topic.publish("shared").unwrap();
    let mut pump = stream(&budget);
    let mut subscriber = topic.subscribe_from_oldest();
    let std::task::Poll::Ready(Some(Ok(Batch::Events(events)))) = subscriber.try_next() else {
        panic!("there is a history")
    };
    pump.connection.send_encoded(pump.now, events).unwrap();
    // After shared bytes each event is a piece of its own.
    pump.send(&"x".repeat(20 * KIB)).unwrap();
    let flush = pump.connection.poll_transmit().len();
    pump.connection.handle_transmitted(pump.now, 1);
    pump.send(&"x".repeat(20 * KIB)).unwrap();
    assert_eq!(budget.used().queued, 40 * KIB);
    pump.connection.handle_transmitted(pump.now, flush - 1);
    assert_eq!(budget.used().queued, 20 * KIB);
    assert!(pump.connection.queued() > 20 * KIB);
    pump.write();
    assert_eq!(budget.used().queued, 0);
}

#[test]
fn events_behind_what_is_shared_count_and_what_is_shared_does_not() {
    let budget = Budget::new(1024 * KIB);
    let topic = Topic::new(TopicConfig::default(), 1, Instant::now);
    topic.publish("x".repeat(30 * KIB)).unwrap();
    let mut pump = stream(&budget);
    let mut subscriber = topic.subscribe_from_oldest();
    let std::task::Poll::Ready(Some(Ok(Batch::Events(events)))) = subscriber.try_next() else {
        panic!("there is a history")
    };
    pump.connection.send_encoded(pump.now, events).unwrap();
    for _ in 0..3 {
        pump.send(&"x".repeat(5 * KIB)).unwrap();
    }
    assert_eq!(budget.used().queued, 12 * KIB, "15 KiB in whole granules");
}

#[test]
fn a_whole_response_counts_where_nothing_else_holds_it() {
    let budget = Budget::new(1024 * KIB);
    let page = Bytes::from("x".repeat(100 * KIB));
    let respond = |body: Bytes| {
        let mut pump = Pump::new(config(&budget));
        pump.input(REQUEST);
        pump.events();
        pump.respond(Response::new(ResponseBody::Whole(body)))
            .unwrap();
        pump
    };
    let shared = respond(page.clone());
    assert_eq!(budget.used().queued, 0);
    let mut alone = respond(Bytes::from("x".repeat(100 * KIB)));
    assert_eq!(budget.used().queued, 100 * KIB);
    alone.write();
    assert_eq!(budget.used().queued, 0);
    drop((shared, page));
}

/// An action on one of several connections.
#[derive(Clone, Debug)]
enum Act {
    /// Sends as many events of this length as it takes.
    Fill(usize),
    /// Its client takes this many bytes.
    Write(usize),
    /// Sends a topic's events.
    Share,
    /// Replaces it by another one.
    Leave,
    /// Begins another request's body, or continues it.
    Upload(usize),
}

fn acts() -> impl Strategy<Value = Vec<(usize, Act)>> {
    let act = prop_oneof![
        (1..LARGEST).prop_map(Act::Fill),
        (1..200 * KIB).prop_map(Act::Write),
        Just(Act::Share),
        Just(Act::Leave),
        (1..64 * KIB).prop_map(Act::Upload),
    ];
    prop::collection::vec((0..CONNECTIONS, act), 1..100)
}

const CONNECTIONS: usize = 5;
const LARGEST: usize = 16 * KIB;
const LIMIT: usize = 256 * KIB;

proptest! {
    #[test]
    fn all_of_them_stay_inside_and_none_is_stuck(acts in acts()) {
        let budget = Budget::new(LIMIT);
        let mut topic = TopicConfig::default();
        topic.budget = budget.clone();
        let topic = Topic::new(topic, 1, Instant::now);
        let mut pumps: Vec<_> = (0..CONNECTIONS).map(|_| stream(&budget)).collect();
        let mut uploads: Vec<_> = (0..CONNECTIONS).map(|_| upload(&budget, 512 * KIB, 0)).collect();
        for (index, act) in acts {
            let pump = &mut pumps[index];
            match act {
                Act::Fill(len) => {
                    let text = "x".repeat(len);
                    while pump.connection.has_room() {
                        pump.send(&text).unwrap();
                    }
                }
                Act::Write(most) => {
                    let n = pump.connection.poll_transmit().len().min(most);
                    pump.connection.handle_transmitted(pump.now, n);
                }
                Act::Share => {
                    topic.publish("x".repeat(5 * KIB)).unwrap();
                    let mut subscriber = topic.subscribe_from_oldest();
                    let next = subscriber.try_next();
                    if let std::task::Poll::Ready(Some(Ok(Batch::Events(events)))) = next {
                        let sent = pump.connection.send_encoded(pump.now, events);
                        prop_assert!(sent.is_ok() || !pump.connection.has_room());
                    }
                }
                Act::Leave => *pump = stream(&budget),
                Act::Upload(len) => {
                    uploads[index].input(&vec![b'x'; len]);
                    if uploads[index].connection.phase() != Phase::Body {
                        uploads[index] = upload(&budget, 512 * KIB, len.min(KIB));
                    }
                }
            }
            for pump in &pumps {
                // The head of this response is written, so that every byte belongs to the stream.
                let is_empty = pump.connection.queued() == 0;
                prop_assert!(!is_empty || pump.connection.has_room(), "one is stuck");
            }
            // There is one event for each, in memory that grew by doubling, and the newest event of the
            // topic.
            let slack = CONNECTIONS * 2 * (LARGEST + KIB) + 3 * LARGEST;
            let used = budget.used();
            prop_assert!(used.total() <= LIMIT + slack, "{used:?}");
            prop_assert!(used.bodies <= LIMIT / 4, "{used:?}");
        }
        drop((pumps, uploads, topic));
        prop_assert_eq!(budget.used().total(), 0);
    }
}

#[test]
fn a_stream_in_a_part_of_a_budget_waits_where_the_whole_is_used() {
    let whole = Budget::new(64 * KIB);
    let mut stream = stream(&whole.part(48 * KIB));
    let others: Vec<_> = (0..20)
        .map(|_| {
            let mut other = self::stream(&whole);
            while other.connection.has_room() {
                other.send(&"x".repeat(2 * KIB)).unwrap();
            }
            other
        })
        .collect();
    assert!(whole.is_exhausted());
    // With nothing queued there is always room for one.
    stream.send(&"x".repeat(KIB)).unwrap();
    assert!(!stream.connection.has_room());
    drop(others);
    assert!(stream.connection.has_room());
}
