//! Logs that take nothing more, for good.

use super::*;

impl<const N: usize> Nodes<N> {
    fn set_rejecting(&self, is_rejecting: bool) {
        self.log
            .change(|faults| faults.appends_are_rejected = is_rejecting);
    }
}

const REJECTED: &str = "clean-up: the log rejects the stream's events: no permission";

#[test]
fn a_stream_whose_log_rejects_an_event_ends_with_the_logs_error() {
    let nodes = Nodes::<1>::new();
    nodes.start(0);
    nodes.push("one");
    let reader = nodes.reader(0, None);
    nodes.set_rejecting(true);
    nodes.push("two");
    assert_eq!(reader.data(), ["one", &end("failed")]);
    assert!(reader.got().is_over);
    let lines = nodes.journal.lines();
    assert!(lines.contains(&REJECTED.into()), "{lines:?}");
    assert_eq!(nodes.nodes[0].stats().running, 0);
    assert_eq!(nodes.nodes[0].stats().rejected, 1);
}

#[test]
fn a_silent_stream_ends_when_the_log_rejects_a_record_of_its_owner() {
    let nodes = Nodes::<1>::new();
    nodes.start(0);
    nodes.push("one");
    let reader = nodes.reader(0, None);
    nodes.set_rejecting(true);
    nodes.advance(11);
    assert_eq!(reader.data(), ["one", &end("failed")]);
    let lines = nodes.journal.lines();
    assert!(lines.contains(&REJECTED.into()), "{lines:?}");
}

#[test]
fn clients_of_other_nodes_are_told_after_the_lease_that_the_stream_is_lost() {
    let nodes = Nodes::<2>::new();
    nodes.start(0);
    nodes.push("one");
    let readers = [0, 1].map(|node| nodes.reader(node, None));
    nodes.set_rejecting(true);
    nodes.push("two");
    nodes.advance(90);
    assert_eq!(readers[0].data(), ["one", &end("failed")]);
    assert_eq!(readers[1].data(), ["one", &end("lost")]);
    assert!(readers.iter().all(|reader| reader.got().is_over));
}

#[test]
fn the_clients_of_a_node_that_may_only_read_keep_their_stream() {
    let nodes = Nodes::<2>::new();
    nodes.start(0);
    nodes.push("one");
    let readers = [0, 1].map(|node| nodes.reader(node, None));
    // Only the reports of the second node are rejected: the owner appends nothing in this time.
    nodes.advance(12);
    nodes.set_rejecting(true);
    nodes.advance(5);
    nodes.set_rejecting(false);
    nodes.push("two");
    for reader in &readers {
        assert_eq!(reader.data(), ["one", "two"]);
    }
}

#[test]
fn clients_get_all_that_the_log_has_before_they_are_told_of_the_rejection() {
    let nodes = Nodes::<1>::new();
    nodes.start(0);
    nodes.push("one");
    let reader = nodes.reader(0, None);
    // This node is not told of what others append, until it looks.
    nodes.log.change(|faults| faults.bells_are_lost = true);
    nodes.log.change(|faults| faults.watches_fail = true);
    let (log, topic) = (nodes.log.log.clone(), Text::from("stream/0//x"));
    let content = Event::new("from another");
    nodes
        .run(async move { log.append(&topic, content).await })
        .unwrap();
    nodes.set_rejecting(true);
    nodes.push("two");
    nodes.advance(60);
    assert_eq!(reader.data(), ["one", "from another", &end("failed")]);
}

#[test]
fn the_name_of_a_rejected_stream_is_free_once_the_log_has_its_end() {
    let nodes = Nodes::<2>::new();
    nodes.start(0);
    nodes.push("one");
    nodes.set_rejecting(true);
    nodes.push("two");
    nodes.set_rejecting(false);
    // The log says that it runs, and not who runs it: it is found out as after a death.
    let reader = nodes.reader(0, None);
    nodes.advance(40);
    assert_eq!(reader.data(), ["one", &end("lost")]);
    assert!(reader.got().is_over);
}

#[test]
fn a_claim_that_the_log_rejects_is_told_to_the_call_at_once() {
    let nodes = Nodes::<1>::new();
    nodes.set_rejecting(true);
    let error = nodes.try_start(0).unwrap_err();
    assert!(
        matches!(error, SharedStreamError::Claim(AppendError::Rejected(_))),
        "{error}"
    );
    assert!(nodes.journal.lines().is_empty());
}
