//! Clients at the bounds on streams and bytes.

use futures_util::{StreamExt, stream};
use sse_core::{
    Budget,
    topic::{WhenFull, resumable::StreamEnd},
};

use super::harness::{Streams, end};
use crate::harness::Received;

#[test]
fn a_stream_that_there_is_no_room_for_is_a_refusal() {
    let streams = Streams::of(
        |config| {
            (config.max_streams, config.max_streams_per_owner) = (3, 2);
            config.max_name_len = 10;
        },
        |streams, request, name| {
            let owner = request.query_param("user").unwrap_or_default().into_owned();
            let producer = |_| std::future::pending::<()>();
            streams.of(owner).attach_or_start(name, request, producer)
        },
    );
    let status = |path: &str| {
        let client = streams.get(path);
        let received = Received::by(&client);
        if received.status == 200 {
            std::mem::forget(client);
        }
        received.status
    };
    assert_eq!(status("/start/a?user=me"), 200);
    assert_eq!(status("/start/b?user=me"), 200);
    assert_eq!(status("/start/c?user=me"), 429);
    assert_eq!(status("/start/a?user=me"), 200, "it is there already");
    assert_eq!(status("/start/a"), 200);
    assert_eq!(status("/start/b"), 503);
    assert_eq!(status("/start/elevenbytes"), 400);
}

#[test]
fn finished_streams_make_room_for_what_producers_make_and_then_they_end() {
    const KIB: usize = 1024;
    let budget = Budget::new(64 * KIB * KIB);
    let streams = Streams::of(
        |config| {
            config.topic.budget = budget.clone();
            (config.topic.max_bytes, config.max_total_bytes) = (512 * KIB, KIB * KIB);
        },
        |streams, request, name| {
            streams.attach_or_start(name, request, |_| stream::empty::<&str>())
        },
    );
    let make = |name: &str, kib: usize| {
        let events = stream::iter(0..kib).map(|_| "x".repeat(KIB));
        let stream = streams.streams.start(name, |_| events).unwrap();
        streams.sim().settle();
        stream.end().unwrap()
    };
    assert_eq!(make("a", 350), StreamEnd::Complete);
    assert_eq!(make("b", 350), StreamEnd::Complete);
    let mut reads_b = streams.get("/attach/b");
    // There is no room for this one beside them, and the first one is dropped.
    assert_eq!(make("c", 450), StreamEnd::Complete);
    assert!(streams.streams.get("a").is_none() && streams.streams.get("b").is_some());
    assert_eq!(streams.data(&mut reads_b).len(), 351);
    assert!(budget.used().history <= KIB * KIB);

    // Running streams, and those with a client, make no room.
    let endless = stream::iter(0..300)
        .map(|_| "x".repeat(KIB))
        .chain(stream::pending());
    let _d = streams.streams.start("d", |_| endless).unwrap();
    let b = streams.streams.get("b").unwrap().attach_at(None);
    streams.sim().settle();
    let too_large = make("e", 510);
    assert!(matches!(too_large, StreamEnd::TooLarge(_)), "{too_large}");
    drop(b);
    let mut client = streams.get("/attach/e");
    assert_eq!(streams.data(&mut client).pop(), Some(end("too_large")));
    // This one is larger than the bound by itself.
    assert!(matches!(make("f", 600), StreamEnd::TooLarge(_)));
    assert!(budget.used().history <= KIB * KIB + 64 * KIB);
}

#[test]
fn a_client_that_reads_slowly_gets_everything_of_a_stream_that_is_forgotten() {
    let streams = Streams::new();
    let mut client = streams.world.sim.connect_over(1024).unwrap();
    client.get(super::harness::START);
    for n in 0..2000 {
        streams.feed.push(format!("{n} {}", "x".repeat(200)));
    }
    streams.feed.end();
    streams.sim().settle();
    let stream = streams.streams.get("x").unwrap();
    assert_eq!(stream.end(), Some(StreamEnd::Complete));
    drop(stream);
    assert!(streams.streams.forget("x", "no longer wanted"));
    while !client.at_end() {
        client.read_all();
        streams.sim().settle();
    }
    let received = Received::by(&client);
    let data = super::harness::data(&received.body);
    assert_eq!((data.len(), received.complete), (2001, true));
    assert_eq!(data.last(), Some(&end("complete")));
}

#[test]
fn a_stream_whose_oldest_events_go_goes_on_and_tells_a_client_that_comes_too_late() {
    let streams = Streams::with(|config| {
        (config.topic.max_events, config.topic.when_full) = (10, WhenFull::DropOldest);
    });
    let mut client = streams.get(super::harness::START);
    streams.feed.push("first");
    let seen = super::harness::ids(&streams.read(&mut client).body).swap_remove(0);
    client.close();
    streams.feed.push_many(20, "x");
    streams.feed.end();
    streams.sim().settle();
    let mut returns = streams.resume(super::harness::START, &seen);
    let data = streams.data(&mut returns);
    assert_eq!(data[0], r#"{"outcome":"gap","lost":11,"replayed":10}"#);
    assert_eq!((data.len(), data.last()), (11, Some(&end("complete"))));
}
