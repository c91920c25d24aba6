//! Nodes and logs that fail.

use super::*;

#[test]
fn a_node_that_dies_is_told_to_the_clients_of_others() {
    let mut nodes = Nodes::<2>::new();
    nodes.start(0);
    nodes.push("one");
    let reader = nodes.reader(1, None);
    // Nothing of it runs any more.
    nodes.nodes[0] = node(&nodes.sim, &nodes.log);
    nodes.advance(29);
    assert!(!reader.got().is_over);
    nodes.advance(2);
    assert_eq!(reader.data(), ["one", &end("lost")]);
    assert!(reader.got().is_over);
    let journal = nodes.journal.lines();
    assert!(
        journal.contains(&"clean-up: the producer's task was dropped".into()),
        "{journal:?}"
    );
}

#[test]
fn a_node_that_was_only_held_up_cancels_its_producer_when_it_was_taken_for_dead() {
    let nodes = Nodes::<2>::new();
    nodes.start(0);
    let reader = nodes.reader(1, None);
    let topic = Text::from("stream/0//x");
    // As another node does.
    let lost = StreamEnd::Lost.to_event(EventType::from_static("end"));
    let log = nodes.log.log.clone();
    nodes
        .run(async move { log.append(&topic, lost).await })
        .unwrap();
    nodes.push("too late");
    assert_eq!(reader.data(), [end("lost")]);
    assert_eq!(nodes.reader(0, None).data(), [end("lost")]);
    let lines = nodes.journal.lines();
    assert!(
        lines.iter().any(|line| line.contains("was lost")),
        "{lines:?}"
    );
}

#[test]
fn a_log_that_is_away_for_a_while_costs_nothing() {
    let nodes = Nodes::<2>::new();
    nodes.start(0);
    nodes.push("one");
    let reader = nodes.reader(1, None);
    nodes.log.set_down(true);
    nodes.push("two");
    nodes.advance(300);
    assert_eq!(reader.data(), ["one"]);
    nodes.log.set_down(false);
    nodes.push("three");
    nodes.advance(10);
    assert_eq!(reader.data(), ["one", "two", "three"]);
    assert!(!reader.got().is_over && reader.got().outcomes.is_empty());
    nodes.advance(300);
    assert!(!reader.got().is_over);
}

#[test]
fn a_stream_whose_log_lost_its_history_has_ended() {
    let nodes = Nodes::<2>::new();
    nodes.start(0);
    nodes.push("one");
    let readers = [0, 1].map(|node| nodes.reader(node, None));
    nodes.log.log.begin_anew();
    // The producer does not write into what another node may have begun.
    nodes.push("two");
    nodes.advance(20);
    for reader in readers {
        assert_eq!(reader.data(), ["one", &end("lost")]);
        assert!(reader.got().is_over);
    }
    let lines = nodes.journal.lines();
    assert!(
        lines.iter().any(|line| line.contains("was lost")),
        "{lines:?}"
    );
    // The name is free.
    assert!(nodes.attach(1, None).is_none());
    nodes.feed.start_again();
    assert!(nodes.start(1));
    nodes.push("anew");
    assert_eq!(nodes.reader(0, None).data(), ["anew"]);
}

#[test]
fn an_append_of_which_the_log_does_not_tell_ends_the_stream() {
    let nodes = Nodes::<2>::new();
    nodes.start(0);
    let reader = nodes.reader(1, None);
    nodes.log.change(|faults| faults.answers_are_lost = true);
    nodes.push("one");
    nodes.log.change(|faults| faults.answers_are_lost = false);
    nodes.push("two");
    nodes.advance(5);
    // It is neither doubled nor left out in front of others.
    assert_eq!(reader.data(), ["one", &end("lost")]);
}
