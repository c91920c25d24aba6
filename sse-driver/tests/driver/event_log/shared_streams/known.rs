//! What a node knows of streams, and stops all at once.

use super::*;

impl<const N: usize> Nodes<N> {
    /// Starts a stream of this owner that makes nothing.
    fn start_of(&self, node: usize, owner: &str, name: &str) {
        let (node, name) = (self.nodes[node].of(owner), name.to_owned());
        let pending = |_| futures_util::stream::pending::<String>();
        let started = self.run(async move { node.start(&name, pending).await });
        assert!(started.unwrap());
    }

    fn names(&self, node: usize, owner: &str) -> Vec<String> {
        let known = self.nodes[node].of(owner).all();
        known
            .iter()
            .map(|it| format!("{}/{}", it.owner, it.name))
            .collect()
    }
}

#[test]
fn a_node_lists_what_it_runs_and_reads() {
    let nodes = Nodes::<2>::new();
    nodes.start_of(0, "ada", "a");
    nodes.start_of(0, "bob", "b");
    nodes.start_of(1, "ada", "c");
    // A name that no node has started is none.
    assert!(nodes.attach(0, None).is_none());
    assert_eq!(nodes.names(0, ""), ["ada/a", "bob/b"]);
    assert_eq!(nodes.names(1, ""), ["ada/c"]);

    let ada = nodes.nodes[1].of("ada");
    let attached = nodes.run(async move { ada.attach_at("a", None).await });
    let held = attached.unwrap().unwrap();
    assert_eq!(nodes.names(1, "ada"), ["ada/a", "ada/c"]);
    let known = nodes.nodes[1].all();
    let told: Vec<_> = known
        .iter()
        .map(|it| (it.runs_here, it.listeners))
        .collect();
    assert_eq!(told, [(false, 1), (true, 0)]);
    assert!(known.iter().all(|it| it.end.is_none()));
    drop(held);
}

#[test]
fn a_node_stops_what_it_runs_and_reads() {
    let nodes = Nodes::<2>::new();
    nodes.start_of(0, "ada", "a");
    nodes.start_of(0, "ada", "unknown to the other");
    nodes.start_of(0, "bob", "b");
    for (owner, name) in [("ada", "a"), ("bob", "b")] {
        let node = nodes.nodes[1].of(owner);
        let attached = nodes.run(async move { node.attach_at(name, None).await });
        assert!(attached.unwrap().is_some());
    }
    let stop_all = |owner: &str| {
        let node = nodes.nodes[1].of(owner);
        nodes.run(async move { node.stop_all("enough").await })
    };
    assert_eq!(stop_all("ada"), 1);
    let ends = |node: usize| {
        let known = nodes.nodes[node].all();
        let ends = known
            .iter()
            .map(|it| it.end.as_ref().map(ToString::to_string));
        ends.collect::<Vec<_>>()
    };
    let stopped = Some("stopped: enough".to_owned());
    assert_eq!(ends(0), [stopped.clone(), None, None]);
    assert_eq!(ends(1), [stopped.clone(), None]);
    assert_eq!(stop_all(""), 1);
    assert_eq!(stop_all(""), 0);
    assert_eq!(ends(0), [stopped.clone(), None, stopped]);
}

#[test]
fn a_stop_of_all_waits_for_the_log_once() {
    let nodes = Nodes::<1>::new();
    for name in ["a", "b", "c"] {
        nodes.start_of(0, "", name);
    }
    nodes.log.set_down(true);
    let node = nodes.nodes[0].clone();
    let stopping = nodes
        .sim
        .start(async move { node.stop_all("enough").await });
    nodes.advance(29);
    assert_eq!(stopping.take(), None);
    nodes.advance(2);
    assert_eq!(stopping.take(), Some(3));
    // It is stopped when the log is back.
    nodes.log.set_down(false);
    nodes.advance(10);
    assert!(nodes.nodes[0].all().iter().all(|it| it.end.is_some()));
}

#[test]
fn a_node_knows_why_a_producer_of_another_failed_and_its_clients_do_not() {
    let nodes = Nodes::<2>::new();
    let node = nodes.nodes[0].clone();
    let failing = |_| {
        let error = std::io::Error::other("the model is gone");
        futures_util::stream::iter([Ok("one"), Err(error)])
    };
    let started = nodes.run(async move { node.start("x", failing).await });
    assert!(started.unwrap());
    let reader = nodes.reader(1, None);
    nodes.sim.settle();
    assert_eq!(reader.data(), ["one", &end("failed")]);
    let known = nodes.nodes[1].all();
    let end = known[0].end.as_ref().unwrap();
    assert_eq!(end.to_string(), "the producer failed: the model is gone");
}
