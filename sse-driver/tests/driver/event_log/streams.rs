//! Clients, on any node.

use sse_core::{
    Budget,
    internal::Holding,
    topic::{Outcome, Position},
};
use sse_driver::router::{Reply, Request, Router};

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
    // After the beginning nothing had to be read for that.
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
        // The first node holds the events that the log has dropped since.
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

#[test]
fn a_client_that_takes_no_bytes_keeps_no_other_from_the_log() {
    for path in ["/plain", "/inside", "/mapped"] {
        let log = Faulty::new();
        let world = World::on(|sim| {
            let writer = node(sim, &log);
            publish_many(sim, &writer, "news", 1..=100);
            let topics = node_with(sim, &log, |config| {
                config.follower.warm_events = 0;
                config.client_page_events = 10;
                config.max_client_reads = 1;
            });
            let topic = topics.topic("news").unwrap();
            sim.settle();
            let [inside, mapped] = [topic.clone(), topic.clone()];
            Router::new()
                .events("/plain", move |request: Request| topic.resume(&request))
                .events("/inside", move |request: Request| {
                    inside.resume(&request).take_until(pending::<()>())
                })
                .events("/mapped", move |request: Request| {
                    Reply::events(mapped.resume(&request)).map_events(Some)
                })
        });
        let get = format!("GET {path} HTTP/1.1\r\nHost: sim\r\nLast-Event-ID: 7-10\r\n\r\n");
        // This client's first page fills its connection, and it does not read while the second one is asked for.
        let first_page = log.reads() + 1;
        log.change(|faults| faults.holds_after = Some(first_page));
        let mut stalled = world.sim.connect_over(256).unwrap();
        stalled.send(&get);
        world.sim.settle();
        assert_eq!(log.reads(), first_page + 1);
        log.change(|faults| faults.holds_after = None);
        world.sim.settle();

        let mut other = world.connect();
        other.send(&get);
        world.sim.settle();
        other.read_all();
        let received = other.received();
        assert!(received.contains("data: 100\n"), "{path}: {received}");
    }
}

#[cfg(feature = "compression")]
#[test]
fn what_a_topic_compresses_reaches_its_clients_so_on_every_node_and_in_pages_of_the_log() {
    use crate::compressed::{GZIP, decode, split};

    for warm_events in [1000, 10] {
        let log = Faulty::new();
        let writer = {
            let sim = Sim::new();
            let writer = node(&sim, &log);
            for _ in 0..500 {
                publish(&sim, &writer, "news", "the same again and again");
            }
            writer
        };
        let mut made = None;
        let world = World::on(|sim| {
            let topics = node_with(sim, &log, |config| {
                config.topic.compress = true;
                config.follower.warm_events = warm_events;
            });
            made = Some(topics.topic("news").unwrap());
            let topic = topics.topic("news").unwrap();
            Router::new().events("/", move |request: Request| topic.resume(&request))
        });
        drop(writer);
        world.sim.settle();
        let mut clients = [GZIP, ""].map(|fields| {
            let mut client = world.connect();
            client.send(format!(
                "GET / HTTP/1.1\r\nHost: sim\r\nLast-Event-ID: 7-0\r\n{fields}\r\n"
            ));
            client
        });
        world.sim.settle();
        let publishing = made.as_ref().unwrap().publish("last");
        run(&world.sim, publishing).unwrap();
        world.handle.shut_down();
        world.sim.advance(secs(6));
        let [coded, plain] = clients.each_mut().map(|client| {
            client.read_all();
            world.sim.settle();
            split(&client.take_received())
        });
        assert!(
            coded.0.contains("content-encoding: gzip\r\n"),
            "{}",
            coded.0
        );
        assert!(plain.0.contains("vary: accept-encoding\r\n"), "{}", plain.0);
        assert_eq!(decode(&coded.1).as_bytes(), plain.1);
        assert!(plain.1.ends_with(b"\ndata: last\n\n"));
        // What is read from the log is in stored blocks.
        let is_short = 3 * coded.1.len() < plain.1.len();
        assert_eq!(is_short, warm_events == 1000);
    }
}
