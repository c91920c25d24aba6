//! Clients come, leave and come back, and miss nothing.

use super::harness::{ATTACH, START, Streams, data, end, ids, secs};
use crate::{
    harness::Received,
    subscriber::{Subscriber, source},
};

#[test]
fn a_client_that_leaves_in_mid_stream_comes_back_and_misses_nothing() {
    let streams = Streams::new();
    let mut client = streams.get(START);
    streams.feed.push("one");
    streams.feed.push("two");
    let received = streams.read(&mut client);
    assert_eq!(
        (received.status, data(&received.body)),
        (200, vec!["one".into(), "two".into()])
    );
    let seen = ids(&received.body).pop().unwrap();
    client.close();
    streams.sim().settle();
    assert_eq!(streams.world.handle.open_connections(), 0);
    assert_eq!(streams.journal.lines(), [""; 0], "the producer runs on");

    streams.feed.push("three");
    streams.sim().settle();
    let mut client = streams.resume(START, &seen);
    assert_eq!(streams.data(&mut client), ["three"]);
    streams.feed.push("four");
    streams.feed.end();
    let received = streams.read(&mut client);
    assert_eq!(
        data(&received.body),
        ["three".into(), "four".into(), end("complete")]
    );
    assert!(received.complete, "the response ends properly");
    assert_eq!(
        streams.journal.lines(),
        ["stream dropped", "clean-up: the stream is complete"]
    );

    // It has everything now.
    let last = ids(&received.body).pop().unwrap();
    for path in [START, ATTACH] {
        assert_eq!(Received::by(&streams.resume(path, &last)).status, 204);
    }
    // A client that missed only the end gets that.
    let before = ids(&received.body).into_iter().nth_back(1).unwrap();
    let mut client = streams.resume(ATTACH, &before);
    assert_eq!(streams.data(&mut client), [end("complete")]);
}

#[test]
fn clients_that_come_late_get_everything_while_it_runs_and_after_its_end() {
    let streams = Streams::new();
    let mut clients = vec![streams.get(START)];
    for text in ["one", "two"] {
        streams.feed.push(text);
        streams.sim().settle();
        clients.push(streams.get(START));
    }
    clients.push(streams.get(ATTACH));
    streams.feed.end();
    streams.sim().settle();
    clients.push(streams.get(ATTACH));
    for client in &mut clients {
        let all = [String::from("one"), "two".into(), end("complete")];
        assert_eq!(streams.data(client), all);
    }
    assert_eq!(streams.streams.stats().started, 1);
}

#[test]
fn a_page_can_name_its_last_event_id_in_the_query() {
    let streams = Streams::new();
    let mut client = streams.get(START);
    streams.feed.push("one");
    streams.feed.push("two");
    let first = ids(&streams.read(&mut client).body).swap_remove(0);
    let mut reloaded = streams.get(&format!("{START}?lastEventId={first}"));
    assert_eq!(streams.data(&mut reloaded), ["two"]);
}

#[test]
fn a_name_that_is_unknown_or_forgotten_is_a_404() {
    let streams = Streams::new();
    assert_eq!(Received::by(&streams.get(ATTACH)).status, 404);
    let mut client = streams.get(START);
    streams.feed.push("one");
    let seen = ids(&streams.read(&mut client).body).swap_remove(0);
    streams.feed.end();
    streams.sim().advance(secs(5 * 60));
    assert!(streams.streams.get("x").is_none());
    assert_eq!(Received::by(&streams.resume(ATTACH, &seen)).status, 404);

    // A client that comes back starts no second one.
    let returns = Received::by(&streams.resume(START, &seen));
    assert_eq!(returns.status, 404);
    assert!(returns.body.contains("no longer kept"), "{}", returns.body);
    assert_eq!(streams.streams.stats().started, 1);
    // A client that comes for the first time does.
    streams.feed.start_again();
    assert_eq!(Received::by(&streams.get(START)).status, 200);
    assert_eq!(streams.streams.stats().started, 2);
}

#[test]
fn an_id_of_another_life_is_told_to_be_unknown_and_everything_comes() {
    let streams = Streams::new();
    let mut client = streams.get(START);
    streams.feed.push("one");
    let seen = ids(&streams.read(&mut client).body).swap_remove(0);
    assert!(streams.streams.forget("x", "to be done again"));
    streams.sim().settle();
    assert_eq!(streams.data(&mut client), ["one".into(), end("stopped")]);

    let _new = streams.get(START);
    streams.feed.push("another");
    streams.sim().settle();
    let mut returns = streams.resume(START, &seen);
    let notice = r#"{"outcome":"unknown","replayed":1}"#;
    assert_eq!(streams.data(&mut returns), [notice, "another"]);
}

#[test]
fn an_event_source_reads_all_of_it_through_losses_and_then_stops() {
    let streams = Streams::new();
    let subscriber = Subscriber::new(streams.sim(), source(streams.sim(), START));
    for text in ["one", "two", "three"] {
        streams.feed.push(text);
        streams.sim().settle();
        streams.sim().reset_dialed();
        streams.sim().advance(secs(20));
    }
    streams.feed.end();
    streams.sim().advance(secs(60));
    let notes = subscriber.notes();
    let events: Vec<_> = notes
        .iter()
        .filter_map(|note| note.strip_prefix("event: "))
        .collect();
    assert_eq!(events, ["one", "two", "three", &end("complete")]);
    assert!(notes.last().unwrap().starts_with("over: "), "{notes:?}");
    assert!(subscriber.job.take().is_some());
}

#[test]
fn owners_do_not_find_the_streams_of_others() {
    let streams = Streams::of(
        |_| {},
        |streams, request, name| {
            let owner = request.query_param("user").unwrap_or_default().into_owned();
            let streams = streams.of(owner);
            streams.attach_or_start(name, request, |_| std::future::pending::<()>())
        },
    );
    let mut clients = ["?user=a", "?user=b", ""].map(|user| streams.get(&format!("{START}{user}")));
    assert_eq!(streams.streams.stats().running, 3);
    let (a, b) = (streams.streams.of("a"), streams.streams.of("b"));
    assert_eq!(
        (a.all().len(), b.all().len(), streams.streams.all().len()),
        (1, 1, 3)
    );
    assert!(a.get("y").is_none());
    assert!(a.stop("x", "enough") && !a.stop("x", "enough"));
    let [of_a, of_b, _] = &mut clients;
    assert_eq!(streams.data(of_a), [end("stopped")]);
    assert_eq!(streams.data(of_b), [""; 0]);
    // Calls on the first handle apply to all.
    assert_eq!(streams.streams.stop_all("enough"), 2);
    let b = b.get("x").unwrap();
    assert_eq!((b.owner().as_ref(), b.name().as_ref()), ("b", "x"));
    assert_eq!(b.end().unwrap().name(), "stopped");
}
