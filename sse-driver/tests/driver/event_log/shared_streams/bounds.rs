//! What a producer may make, how many streams there may be, and what is left of them.

use super::*;

#[test]
fn an_event_of_a_reserved_type_ends_the_stream() {
    for event_type in ["end", "sse-stream-claim"] {
        let nodes = Nodes::<1>::new();
        let event = Event::new("x").with_event_type(event_type).unwrap();
        let node = nodes.nodes[0].clone();
        let started = nodes.run(async move {
            node.start("x", |_| futures_util::stream::iter([event]))
                .await
        });
        assert!(started.unwrap());
        nodes.advance(5);
        assert_eq!(
            nodes.reader(0, None).data(),
            [end("failed")],
            "{event_type}"
        );
    }
}

#[test]
fn an_id_that_a_producer_gives_is_left_out() {
    let nodes = Nodes::<2>::new();
    let node = nodes.nodes[0].clone();
    let events = ["a", "b"].map(|id| Event::new(id).with_id(id).unwrap());
    nodes
        .run(async move {
            node.start("x", |_| futures_util::stream::iter(events))
                .await
        })
        .unwrap();
    let reader = nodes.reader(1, None);
    assert_eq!(reader.data(), ["a", "b", &end("complete")]);
    assert!(
        reader
            .got()
            .text
            .starts_with("id: 7-2\ndata: a\n\nid: 7-3\n")
    );
}

#[test]
fn a_producer_that_fails_and_one_that_makes_too_much_are_told() {
    let nodes = Nodes::<1>::with(|config| config.streams.topic.max_bytes = 4096);
    nodes.start(0);
    nodes.feed.fail("no more words");
    nodes.sim.settle();
    assert_eq!(nodes.reader(0, None).data(), [end("failed")]);

    let node = nodes.nodes[0].clone();
    let much = || futures_util::stream::iter(std::iter::repeat_n("x".repeat(1000), 10));
    let started = nodes.run(async move {
        node.start("much", move |_| much()).await?;
        node.attach_at("much", None).await
    });
    let reader = Reader::new(&nodes.sim, started.unwrap().unwrap());
    let data = reader.data();
    assert!(
        data.len() < 6 && data.last() == Some(&end("too_large")),
        "{data:?}"
    );
}

#[test]
fn a_start_that_the_log_does_not_take_is_an_error() {
    let nodes = Nodes::<1>::new();
    // The log is known, and then away.
    let held = nodes.nodes[0].clone();
    nodes
        .run(async move {
            held.start("other", |_| futures_util::stream::pending::<String>())
                .await
        })
        .unwrap();
    nodes.log.set_down(true);
    let (node, producer) = (nodes.nodes[0].clone(), nodes.producer());
    let starting = nodes
        .sim
        .start(async move { node.start("x", producer).await });
    nodes.advance(31);
    let error = starting.take().unwrap().unwrap_err();
    assert!(matches!(error, SharedStreamError::Log(_)), "{error}");
    assert!(error.to_string().contains("connection refused"), "{error}");
    nodes.log.set_down(false);
    nodes.advance(10);
    assert!(nodes.start(0));
}

#[test]
fn a_reason_that_is_too_long_is_cut_before_the_producers_node_is_told() {
    for (max, told) in [(7, "enough!"), (6, "enough"), (0, "")] {
        let nodes = Nodes::<2>::with(|config| config.max_reason_len = max);
        nodes.start(0);
        let node = nodes.nodes[1].clone();
        let stopped = nodes.run(async move { node.stop("x", "enough!").await });
        assert!(stopped.unwrap());
        nodes.sim.settle();
        let journal = nodes.journal.lines();
        let expected = format!("clean-up: {}", StreamEnd::Stopped(told.into()));
        assert!(journal.contains(&expected), "{journal:?}");
    }
}

#[test]
fn bounds_count_what_a_node_runs_and_reads() {
    let nodes = Nodes::<2>::with(|config| {
        config.streams.max_streams = 3;
        config.streams.max_streams_per_owner = 2;
        config.streams.max_name_len = 8;
    });
    let start = |node: usize, owner: &str, name: &str, ends: bool| {
        let node = nodes.nodes[node].of(owner);
        let name = name.to_owned();
        nodes.run(async move {
            match ends {
                true => node.start(&name, |_| ()).await,
                false => {
                    node.start(&name, |_| futures_util::stream::pending::<String>())
                        .await
                }
            }
        })
    };
    let error = |it: Result<bool, SharedStreamError>| match it {
        Err(SharedStreamError::Start(error)) => error,
        other => panic!("{other:?}"),
    };
    assert!(start(0, "ada", "a", true).unwrap());
    nodes.sim.settle();
    assert!(start(0, "ada", "b", false).unwrap());
    // The one that has finished goes.
    assert!(start(0, "ada", "c", false).unwrap());
    let max = StartError::TooManyOfOwner { max: 2 };
    assert_eq!(error(start(0, "ada", "d", false)), max);
    assert!(start(0, "bob", "a", false).unwrap());
    let max = StartError::TooManyStreams { max: 3 };
    assert_eq!(error(start(0, "cy", "a", false)), max);
    // Other nodes have room.
    assert!(start(1, "cy", "a", false).unwrap());
    let long = StartError::NameTooLong { len: 9, max: 8 };
    assert_eq!(error(start(1, "cy", "123456789", false)), long);
}

#[test]
fn a_name_that_was_not_started_leaves_nothing() {
    let nodes = Nodes::<1>::new();
    assert!(nodes.attach(0, None).is_none());
    assert!(!nodes.stop(0));
    nodes.sim.settle();
    assert!(nodes.nodes[0].is_empty());
    assert_eq!((nodes.sim.live_tasks(), nodes.sim.live_timers()), (0, 0));
    // The log is told for how long to keep what it made for that.
    let kept = nodes.log.faults.lock().unwrap().kept.clone();
    assert_eq!(kept[0], ("stream/0//x".into(), secs(330)));
}

#[test]
fn when_the_last_handle_goes_everything_ends() {
    let nodes = Nodes::<1>::new();
    nodes.start(0);
    let Nodes {
        sim,
        nodes,
        journal,
        ..
    } = nodes;
    drop(nodes);
    sim.settle();
    assert_eq!((sim.live_tasks(), sim.live_timers()), (0, 0));
    assert_eq!(journal.lines().len(), 2, "{:?}", journal.lines());
}

#[test]
fn owners_and_names_do_not_mix() {
    let nodes = Nodes::<1>::new();
    let start = |owner: &str, name: &str| {
        let (node, name) = (nodes.nodes[0].of(owner), name.to_owned());
        nodes.run(async move { node.start(&name, |_| ()).await })
    };
    assert!(start("a/b", "c").unwrap());
    assert!(start("a", "b/c").unwrap());
    assert!(start("", "a/b/c").unwrap());
    assert!(!start("a", "b/c").unwrap());
}
