//! Clients, on whichever node.

use sse_core::{
    Budget,
    internal::Holding,
    topic::{Outcome, Position},
};
use sse_driver::router::{Request, Router};

use super::*;
use crate::harness::{World, secs};

#[test]
fn an_event_of_one_node_reaches_the_clients_of_all() {
    let (sim, log) = (Sim::new(), Faulty::new());
    let [first, second] = [(); 2].map(|()| node(&sim, &log));
    let readers = [&first, &second].map(|node| {
        let stream = node.topic("news").unwrap().resume_from(None);
        Reader::new(&sim, stream)
    });
    assert_eq!(publish(&sim, &first, "news", "1"), Position::new(7, 1));
    publish(&sim, &second, "news", "2");
    publish(&sim, &second, "other", "x");
    for reader in &readers {
        assert_eq!(
            reader.got().text,
            "id: 7-1\ndata: 1\n\nid: 7-2\ndata: 2\n\n"
        );
    }
    // Nothing had to be read for that, after the beginning.
    let reads = log.reads();
    publish(&sim, &first, "news", "3");
    assert_eq!((log.reads(), readers[1].data().len()), (reads, 3));
}

#[test]
fn a_client_resumes_on_another_node_with_what_its_topic_does_not_hold() {
    let (sim, log) = (Sim::new(), Faulty::new());
    let first = node(&sim, &log);
    publish_many(&sim, &first, "news", 1..=500);
    let second = node_with(&sim, &log, |config| {
        config.follower.warm_events = 10;
        config.client_page_events = 50;
    });
    let topic = second.topic("news").unwrap();
    let reader = Reader::new(&sim, topic.resume_from(Some("7-3")));
    assert_eq!(reader.data(), numbers(4..=500));
    assert!(reader.got().outcomes.is_empty());
    publish(&sim, &first, "news", "501");
    assert_eq!(reader.data().last().map(String::as_str), Some("501"));
    assert_eq!((topic.stats().resumed, topic.stats().subscribers), (1, 1));
    reader.leave();
    assert_eq!(topic.stats().subscribers, 0);
}

#[test]
fn events_that_the_log_has_lost_are_told_exactly() {
    let (sim, log) = (Sim::new(), Faulty::new());
    let node = node(&sim, &log);
    publish_many(&sim, &node, "news", 1..=20);
    let cold = super::node_with(&sim, &log, |config| config.follower.warm_events = 0);
    log.log.trim("news", 5);
    let stream = cold.topic("news").unwrap().resume_from(Some("7-3"));
    let reader = Reader::new(&sim, stream);
    let gap = Outcome::Gap {
        lost: 12,
        replayed: 5,
    };
    assert_eq!(reader.got().outcomes, [gap]);
    assert_eq!(reader.data(), numbers(16..=20));
}

#[test]
fn a_handler_returns_a_stream_and_its_client_resumes() {
    let log = Faulty::new();
    let mut made = None;
    let world = World::on(|sim| {
        let topics = node(sim, &log);
        made = Some(topics.clone());
        Router::new().events("/{topic}", move |request: Request| {
            let name = request.path_param("topic").unwrap_or_default();
            topics.topic(name).map(|topic| topic.resume(&request))
        })
    });
    let (topics, sim) = (made.unwrap(), world.sim.clone());
    let mut client = world.get("/news");
    publish(&sim, &topics, "news", "1");
    client.read_all();
    assert!(
        client.received().contains("id: 7-1\ndata: 1\n\n"),
        "{}",
        client.received()
    );
    publish(&sim, &topics, "news", "2");
    let mut back = world.connect();
    back.send("GET /news HTTP/1.1\r\nHost: sim\r\nLast-Event-ID: 7-1\r\n\r\n");
    sim.settle();
    back.read_all();
    assert!(
        back.received().contains("id: 7-2\ndata: 2\n\n"),
        "{}",
        back.received()
    );
    assert!(!back.received().contains("7-1"), "{}", back.received());
    // Such a stream ends by itself when the server shuts down: its client resumes elsewhere.
    world.handle.shut_down();
    sim.advance(secs(6));
    assert!(world.serving.take().is_some());
}

#[test]
fn a_client_may_begin_with_the_oldest_event_of_the_log_on_any_node() {
    let (sim, log) = (Sim::new(), Faulty::new());
    let first = node(&sim, &log);
    publish_many(&sim, &first, "news", 1..=500);
    log.log.trim("news", 300);
    let second = node_with(&sim, &log, |config| config.follower.warm_events = 10);
    for node in [&first, &second] {
        let stream = node.topic("news").unwrap().subscribe_from_oldest();
        let reader = Reader::new(&sim, stream);
        let oldest = reader.data()[0].parse::<u64>().unwrap();
        // The first node holds what the log has dropped since.
        assert_eq!(reader.data(), numbers(oldest..=500));
        assert!(oldest <= 201 && reader.got().outcomes.is_empty());
    }
    publish(&sim, &second, "news", "501");
}

#[test]
fn a_client_gets_the_types_that_it_wants_and_a_state_to_begin_with_on_any_node() {
    let (sim, log) = (Sim::new(), Faulty::new());
    let first = node(&sim, &log);
    for n in 1..=100 {
        let event_type = if n % 10 == 0 { "tens" } else { "others" };
        let event = Event::new(n.to_string())
            .with_event_type(event_type)
            .unwrap();
        run(&sim, first.topic("news").unwrap().publish(event)).unwrap();
    }
    let second = node_with(&sim, &log, |config| {
        config.follower.warm_events = 10;
        config.client_page_events = 20;
    });
    for node in [&first, &second] {
        let topic = node.topic("news").unwrap();
        let stream = topic.resume_from(Some("7-50"));
        let stream = stream.only_event_types(|event_type| event_type == "tens");
        assert_eq!(
            Reader::new(&sim, stream).data(),
            ["60", "70", "80", "90", "100"]
        );

        let stream = topic
            .begin_with(["the state"], Position::new(7, 97))
            .unwrap();
        let reader = Reader::new(&sim, stream);
        assert_eq!(reader.data(), ["the state", "98", "99", "100"]);
        assert!(
            reader
                .got()
                .text
                .starts_with("id: 7-97\ndata: the state\n\n")
        );
    }
}

#[test]
fn a_client_whose_page_has_no_room_in_the_budget_waits_for_it() {
    let (sim, log) = (Sim::new(), Faulty::new());
    let first = node(&sim, &log);
    publish_many(&sim, &first, "news", 1..=100);
    let budget = Budget::new(8 * 1024);
    let second = node_with(&sim, &log, |config| {
        config.follower.warm_events = 0;
        config.topic.budget = budget.clone();
    });
    let mut taken = budget.reserve(Holding::Queue);
    assert!(taken.try_grow(8 * 1024));
    let topic = second.topic("news").unwrap();
    let reader = Reader::new(&sim, topic.resume_from(Some("7-90")));
    sim.advance(secs(10));
    assert!(reader.data().is_empty() && reader.got().error.is_none());
    drop(taken);
    sim.advance(secs(1));
    assert_eq!(reader.data(), numbers(91..=100));
}
