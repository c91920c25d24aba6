//! The behaviour at each bound, and the resources of unused topics.

use sse_driver::event_log::LogPublishError;

use super::*;
use crate::harness::secs;

#[test]
fn a_topic_that_is_not_used_is_forgotten() {
    let (sim, log) = (Sim::new(), Faulty::new());
    let node = node(&sim, &log);
    let reader = Reader::new(&sim, node.topic("news").unwrap().resume_from(None));
    drop(node.topic("other").unwrap());
    sim.settle();
    assert_eq!(node.len(), 2);
    sim.advance(secs(601));
    assert_eq!(node.len(), 1);
    // There are one client's task, and the task of its topic.
    assert_eq!(sim.live_tasks(), 2);
    reader.leave();
    sim.advance(secs(601));
    assert!(node.is_empty());
    assert_eq!((sim.live_tasks(), sim.live_timers()), (0, 0));
}

#[test]
fn when_the_last_handle_goes_everything_ends() {
    let (sim, log) = (Sim::new(), Faulty::new());
    let node = node(&sim, &log);
    let topic = node.topic("news").unwrap();
    drop(node);
    sim.advance(secs(10));
    assert_eq!(sim.live_tasks(), 1);
    drop(topic);
    sim.settle();
    assert_eq!((sim.live_tasks(), sim.live_timers()), (0, 0));
}

#[test]
fn a_runtime_that_shuts_down_ends_the_streams() {
    let (sim, log) = (Sim::new(), Faulty::new());
    let node = node(&sim, &log);
    let topic = node.topic("news").unwrap();
    let mut stream = topic.resume_from(None);
    sim.settle();
    sim.stop();
    let mut cx = std::task::Context::from_waker(Waker::noop());
    assert!(matches!(
        stream.poll_next(&mut cx),
        std::task::Poll::Ready(None)
    ));
}

#[test]
fn the_number_of_topics_is_bounded() {
    let (sim, log) = (Sim::new(), Faulty::new());
    let node = node_with(&sim, &log, |config| config.max_topics = 2);
    let held = node.topic("a").unwrap();
    drop(node.topic("b").unwrap());
    let error = node.topic("c").unwrap_err();
    assert_eq!(error.max_topics, 2);
    assert!(node.topic("b").is_ok());
    sim.advance(secs(301));
    assert!(node.topic("c").is_ok());
    drop(held);
}

#[test]
fn clients_take_turns_at_the_log_and_hold_up_no_other() {
    let (sim, log) = (Sim::new(), Faulty::new());
    let first = node(&sim, &log);
    for name in ["news", "slow"] {
        publish_many(&sim, &first, name, 1..=5);
    }
    let node = node_with(&sim, &log, |config| {
        config.follower.warm_events = 0;
        config.max_client_reads = 2;
    });
    let (news, slow) = (node.topic("news").unwrap(), node.topic("slow").unwrap());
    sim.settle();
    let live = Reader::new(&sim, news.resume_from(None));
    log.change(|faults| faults.hang = vec!["slow".into()]);
    let reads = log.reads();
    let stuck = [(); 3].map(|()| Reader::new(&sim, slow.resume_from(Some("7-0"))));
    let waits = Reader::new(&sim, news.resume_from(Some("7-0")));
    assert_eq!(log.reads(), reads + 2);
    publish(&sim, &first, "news", "6");
    assert_eq!(live.data(), ["6"]);
    assert!(waits.data().is_empty());
    // A client that leaves gives its turn to the next, in the order in which they came.
    let [one, two, three] = stuck;
    one.leave();
    sim.settle();
    assert_eq!(log.reads(), reads + 3);
    three.leave();
    sim.settle();
    assert_eq!(waits.data(), numbers(1..=6));
    two.leave();
}

#[test]
fn clients_that_do_not_take_their_turns_at_the_log_delay_another_by_a_second_at_most() {
    let (sim, log) = (Sim::new(), Faulty::new());
    let first = node(&sim, &log);
    for name in ["news", "slow"] {
        publish_many(&sim, &first, name, 1..=5);
    }
    let node = node_with(&sim, &log, |config| {
        config.follower.warm_events = 0;
        config.max_client_reads = 2;
    });
    let (news, slow) = (node.topic("news").unwrap(), node.topic("slow").unwrap());
    sim.settle();
    log.change(|faults| faults.hang = vec!["slow".into()]);
    let reading = [(); 2].map(|()| Reader::new(&sim, slow.resume_from(Some("7-0"))));
    // They ask for a turn, and then their connections are full, so that they are not polled.
    let mut stalled: Vec<_> = (0..20).map(|_| news.resume_from(Some("7-0"))).collect();
    for stream in &mut stalled {
        let mut cx = std::task::Context::from_waker(Waker::noop());
        assert!(stream.poll_next(&mut cx).is_pending());
    }
    let waits = Reader::new(&sim, news.resume_from(Some("7-0")));
    // While all turns are taken, it waits.
    sim.advance(secs(3));
    assert!(waits.data().is_empty());
    reading.into_iter().for_each(Reader::leave);
    sim.advance(secs(1));
    assert_eq!(waits.data(), numbers(1..=5));
}

#[test]
fn bells_beyond_the_bound_are_dropped_and_the_log_is_read() {
    for bytes in [1, 1_000] {
        let (sim, log) = (Sim::new(), Faulty::new());
        let node = node_with(&sim, &log, |config| {
            config.max_bells = 3;
            config.max_bell_bytes = bytes;
        });
        let reader = Reader::new(&sim, node.topic("news").unwrap().resume_from(None));
        let topic = node.topic("news").unwrap();
        // All come before the task runs once.
        let publishing = sim.start(async move {
            for n in 1..=50_u64 {
                topic.publish(n).await.unwrap();
            }
        });
        sim.settle();
        assert!(publishing.take().is_some());
        assert_eq!(reader.data(), numbers(1..=50));
    }
}

#[test]
fn a_log_that_answers_at_once_is_not_read_to_its_end_in_one_turn() {
    let (sim, log) = (Sim::new(), Faulty::new());
    let first = node(&sim, &log);
    publish_many(&sim, &first, "news", 1..=2_000);
    let node = node_with(&sim, &log, |config| {
        config.follower.warm_events = u64::MAX;
        config.follower.page_events = 10;
    });
    let polls = sim.polls();
    let topic = node.topic("news").unwrap();
    sim.settle();
    assert!(topic.is_following());
    assert!(sim.polls() - polls >= 200);
}

#[test]
fn an_event_that_the_nodes_would_not_take_from_the_log_is_not_published() {
    let (sim, log) = (Sim::new(), Faulty::new());
    let node = node_with(&sim, &log, |config| config.topic.max_bytes = 10_000);
    assert_eq!(publish(&sim, &node, "news", "1"), Position::new(7, 1));
    let topic = node.topic("news").unwrap();
    let reader = Reader::new(&sim, topic.resume_from(None));
    let reserved = Event::new("2").with_id("7-9").unwrap();
    let large = Event::new("2".repeat(10_000));
    for event in [reserved, large] {
        let error = run(&sim, topic.publish(event)).unwrap_err();
        assert!(matches!(error, LogPublishError::Rejected(_)), "{error}");
        assert!(!error.may_be_published());
    }
    assert_eq!(publish(&sim, &node, "news", "3"), Position::new(7, 2));
    assert_eq!(
        (reader.data(), reader.got().outcomes.len()),
        (vec!["3".to_owned()], 0)
    );
}
