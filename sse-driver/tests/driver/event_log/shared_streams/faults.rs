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

#[test]
fn a_shutdown_waits_for_all_streams_at_once() {
    let nodes = Nodes::<1>::new();
    for name in ["x", "y", "z"] {
        let node = nodes.nodes[0].clone();
        let pending = |_| futures_util::stream::pending::<String>();
        let started = nodes.run(async move { node.start(name, pending).await });
        assert!(started.unwrap());
    }
    nodes.log.set_down(true);
    let node = nodes.nodes[0].clone();
    let ending = nodes.sim.start(async move { node.shut_down().await });
    nodes.advance(29);
    assert_eq!(ending.take(), None);
    nodes.advance(2);
    assert_eq!(ending.take(), Some(3));
}

#[test]
fn a_node_that_dies_is_found_out_where_the_log_rings_no_bells() {
    let mut nodes = Nodes::<2>::new();
    nodes.start(0);
    nodes.push("one");
    let reader = nodes.reader(1, None);
    nodes.log.change(|faults| faults.watches_fail = true);
    nodes.advance(120);
    assert!(!reader.got().is_over);
    // Nothing of it runs any more.
    nodes.nodes[0] = node(&nodes.sim, &nodes.log);
    nodes.advance(70);
    assert_eq!(reader.data(), ["one", &end("lost")]);
}

/// Attaches a client whenever a call that waits for the stream is woken: also where the stream's end is known
/// and its topic has not got it yet.
struct AttachesWhenWoken {
    node: SharedStreams,
    last_event_id: String,
    is_over: Arc<Mutex<Vec<bool>>>,
    call: Waker,
}

impl std::task::Wake for AttachesWhenWoken {
    fn wake(self: Arc<Self>) {
        let attached = self.node.attach_at("x", Some(&self.last_event_id));
        let attached = futures_util::FutureExt::now_or_never(attached).unwrap();
        let is_over = attached.unwrap().unwrap().is_over();
        self.is_over.lock().unwrap().push(is_over);
        self.call.wake_by_ref();
    }
}

#[test]
fn a_client_that_has_all_but_the_end_is_never_told_that_it_has_everything() {
    let nodes = Nodes::<1>::new();
    nodes.start(0);
    nodes.push("one");
    let reader = nodes.reader(0, None);
    let is_over = Arc::<Mutex<Vec<bool>>>::default();
    let (node, last_event_id, told) = (nodes.nodes[0].clone(), last_id(&reader), is_over.clone());
    let stopping = nodes.sim.start(async move {
        let mut stop = std::pin::pin!(node.stop("x", "enough"));
        std::future::poll_fn(|cx| {
            let waker = Waker::from(Arc::new(AttachesWhenWoken {
                node: node.clone(),
                last_event_id: last_event_id.clone(),
                is_over: told.clone(),
                call: cx.waker().clone(),
            }));
            let mut cx = std::task::Context::from_waker(&waker);
            stop.as_mut().poll(&mut cx)
        })
        .await
    });
    nodes.log.change(|faults| faults.appends_hang = true);
    nodes.sim.settle();
    is_over.lock().unwrap().clear();
    // As another node does.
    let (log, topic) = (nodes.log.log.clone(), Text::from("stream/0//x"));
    let stopped = StreamEnd::Stopped("enough".into());
    let stopped = stopped.to_event(EventType::from_static("end"));
    nodes
        .run(async move { log.append(&topic, stopped).await })
        .unwrap();
    assert!(stopping.take().unwrap().unwrap());
    let is_over = is_over.lock().unwrap().clone();
    assert!(
        !is_over.is_empty() && !is_over.contains(&true),
        "{is_over:?}"
    );
    assert!(nodes.attach(0, Some(&last_id(&reader))).unwrap().is_over());
}
