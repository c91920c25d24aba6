//! For how long nodes and their log keep a stream, and what a node that has one that ended serves.

use super::*;

#[test]
fn a_stream_that_is_not_used_any_more_is_forgotten_by_each_node() {
    let nodes = Nodes::<2>::new();
    nodes.start(0);
    let reader = nodes.reader(1, None);
    nodes.feed.end();
    nodes.sim.settle();
    drop(reader);
    nodes.advance(299);
    assert_eq!(nodes.nodes.each_ref().map(SharedStreams::len), [1, 1]);
    nodes.advance(2);
    assert_eq!(nodes.nodes.each_ref().map(SharedStreams::len), [0, 0]);
    assert_eq!((nodes.sim.live_tasks(), nodes.sim.live_timers()), (0, 0));
    // The log was told at the beginning, and at the end.
    let kept = nodes.log.faults.lock().unwrap().kept.len();
    assert!(kept >= 4, "{kept}");
}

#[test]
fn the_log_keeps_a_stream_whose_producer_is_never_silent() {
    let nodes = Nodes::<1>::with(|config| config.streams.grace = None);
    nodes.start(0);
    let kept = || nodes.log.faults.lock().unwrap().kept.len();
    for lease in 0..12 {
        let before = kept();
        for _ in 0..6 {
            nodes.push("word");
            nodes.advance(5);
        }
        let calls = kept() - before;
        assert!((1..=4).contains(&calls), "{calls} in the lease {lease}");
    }
}

#[test]
fn a_log_that_was_not_told_to_keep_a_finished_stream_is_told_again() {
    let nodes = Nodes::<1>::new();
    nodes.start(0);
    nodes.log.change(|faults| faults.keeping_fails = true);
    nodes.feed.end();
    nodes.sim.settle();
    let kept = || nodes.log.faults.lock().unwrap().kept.len();
    let before = kept();
    nodes.log.change(|faults| faults.keeping_fails = false);
    nodes.advance(10);
    assert_eq!(kept() - before, 1);
    nodes.advance(60);
    assert_eq!(kept() - before, 1);
}

/// Two nodes that have a stream that has ended.
fn ended() -> Nodes<3> {
    ended_with(|_| {})
}

fn ended_with(change: impl Fn(&mut SharedStreamsConfig)) -> Nodes<3> {
    let nodes = Nodes::<3>::with(change);
    nodes.start(0);
    nodes.push("one");
    let reader = nodes.reader(1, None);
    nodes.feed.end();
    nodes.sim.settle();
    assert_eq!(reader.data(), ["one", &end("complete")]);
    nodes
}

#[test]
fn a_client_that_stays_does_not_keep_an_ended_stream_and_gets_the_rest() {
    let nodes = ended();
    let attachment = nodes.attach(1, None).unwrap();
    nodes.advance(301);
    assert_eq!(nodes.nodes.each_ref().map(SharedStreams::len), [0, 0, 0]);
    assert_eq!((nodes.sim.live_tasks(), nodes.sim.live_timers()), (0, 0));
    let reader = Reader::new(&nodes.sim, attachment);
    assert_eq!(reader.data(), ["one", &end("complete")]);
    assert!(reader.got().is_over);
}

#[test]
fn a_stream_that_has_ended_is_forgotten_when_another_node_has_started_it_anew() {
    let nodes = ended();
    let held = nodes.attach(1, None).unwrap();
    nodes.log.log.begin_anew();
    nodes.advance(1);
    // The log has nothing else.
    let reader = nodes.reader(1, None);
    assert_eq!(reader.data(), ["one", &end("complete")]);
    nodes.advance(1);
    nodes.feed.start_again();
    assert!(nodes.start(2));
    nodes.push("anew");
    assert_eq!(nodes.reader(1, None).data(), ["anew"]);
    assert!(nodes.stop(0));
    // A client of the old one gets the rest of it.
    let reader = Reader::new(&nodes.sim, held);
    assert_eq!(reader.data(), ["one", &end("complete")]);
}

#[test]
fn a_node_asks_for_another_stream_once_a_second_for_all_clients() {
    let nodes = ended();
    nodes.advance(1);
    let before = nodes.log.reads();
    let attach = |times: usize| {
        for _ in 0..times {
            assert_eq!(nodes.reader(1, None).data().len(), 2);
        }
        nodes.log.reads() - before
    };
    assert_eq!(attach(10), 1);
    nodes.advance(1);
    assert_eq!(attach(10), 2);
}

#[test]
fn a_node_asks_for_another_stream_as_often_as_is_set() {
    for (every, reads) in [(0, 20), (1, 2), (60, 1)] {
        let nodes = ended_with(|config| config.check_ended_every = secs(every));
        nodes.advance(60);
        let before = nodes.log.reads();
        for _ in 0..2 {
            for _ in 0..10 {
                assert_eq!(nodes.reader(1, None).data().len(), 2);
            }
            nodes.advance(1);
        }
        assert_eq!(nodes.log.reads() - before, reads, "{every} s");
    }
}

#[test]
fn a_log_that_does_not_answer_keeps_no_client_from_what_its_node_has() {
    let nodes = ended();
    nodes.advance(1);
    nodes.log.set_down(true);
    assert_eq!(nodes.reader(1, None).data(), ["one", &end("complete")]);
    nodes.log.set_down(false);
    nodes.advance(1);
    let topic = Text::from("stream/0//x");
    nodes.log.change(|faults| faults.hang.push(topic));
    let node = nodes.nodes[1].clone();
    let attaching = nodes
        .sim
        .start(async move { node.attach_at("x", None).await });
    nodes.sim.settle();
    assert!(attaching.take().is_none());
    nodes.advance(10);
    let attachment = attaching.take().unwrap().unwrap().unwrap();
    let reader = Reader::new(&nodes.sim, attachment);
    assert_eq!(reader.data(), ["one", &end("complete")]);
}
