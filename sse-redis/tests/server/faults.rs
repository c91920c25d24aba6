//! Servers that are away, hang, return, are full, or are replaced by others.

use std::{error::Error, time::Duration};

use futures_util::{
    StreamExt,
    future::{join, join_all},
    stream::FuturesUnordered,
};
use sse_driver::{
    core::{
        Event,
        topic::{Outcome, Position, follower::PageRequest},
    },
    event_log::{AppendError, EventLog, LogError},
};
use sse_redis::{RedisError, RedisLog};
use sse_suite::Adapter;

use crate::{
    PATIENCE,
    nodes::{listen, node, publish, take_many},
    patiently,
    server::Server,
    sleep, until,
};

/// Returns the kind of the error.
pub(crate) fn name(error: &LogError) -> &'static str {
    let cause = error.source().and_then(|cause| cause.downcast_ref());
    cause.map_or("not ours", RedisError::name)
}

/// Returns the kind of error with which a publish failed, and whether the event may be in the log.
pub(crate) fn failure(result: Result<Position, AppendError>) -> (&'static str, bool) {
    match result {
        Err(AppendError::NotAppended(error)) => (name(&error), false),
        Err(AppendError::Unknown(error)) => (name(&error), true),
        other => panic!("{other:?}"),
    }
}

/// Returns the kind of error with which the log rejects each publish.
pub(crate) fn rejection(result: Result<Position, AppendError>) -> &'static str {
    match result {
        Err(AppendError::Rejected(error)) => name(&error),
        other => panic!("{other:?}"),
    }
}

fn tails() -> PageRequest {
    PageRequest::new(Position::new(0, 0), 0)
}

pub(crate) async fn a_server_that_is_not_there_is_an_error_or_waited_for<A: Adapter>() {
    let mut server = Server::absent(&[]);
    let mut config = server.config();
    config.publish_timeout = Duration::from_millis(300);
    let hasty = RedisLog::on(A::Runtime::default(), config);
    let error = hasty.ready(Duration::ZERO).await.unwrap_err();
    assert_eq!(error.name(), "unreachable");
    let place = format!("127.0.0.1:{}", server.port());
    assert!(error.to_string().contains(&place), "{error}");
    let refused = error
        .source()
        .and_then(|it| it.downcast_ref::<std::io::Error>());
    assert_eq!(
        refused.unwrap().kind(),
        std::io::ErrorKind::ConnectionRefused
    );
    let error = hasty.ready(Duration::from_millis(50)).await.unwrap_err();
    assert_eq!(error.name(), "unreachable");
    let result = hasty.append(&"news".into(), Event::new("1")).await;
    assert_eq!(failure(result), ("unreachable", false));

    let patient = server.log::<A>();
    let topic = "news".into();
    let appending = patient.append(&topic, Event::new("2"));
    let starting = async {
        sleep::<A>(Duration::from_millis(100)).await;
        assert!(server.start_again());
    };
    let (place, ()) = join(appending, starting).await;
    assert_eq!(place.unwrap().sequence(), 1);
    patient.ready(PATIENCE).await.unwrap();
    hasty.ready(PATIENCE).await.unwrap();
}

pub(crate) async fn a_server_that_comes_back_empty_is_told_and_followed<A: Adapter>() {
    comes_back_in_a_new_epoch::<A>(&[]).await;
}

pub(crate) async fn a_server_that_comes_back_with_its_events_begins_an_epoch<A: Adapter>() {
    comes_back_in_a_new_epoch::<A>(&["--appendonly", "yes"]).await;
}

async fn comes_back_in_a_new_epoch<A: Adapter>(options: &[&str]) {
    let mut server = Server::start(options);
    let node = node::<A>(server.log::<A>()).await;
    let mut stream = listen(&node);
    let first = publish(&node, 1).await;
    assert_eq!(take_many::<A>(&mut stream, 1).await, (vec![1], vec![]));
    server.kill();
    assert!(server.start_again());
    // The publish is repeated until the server is back.
    let second = publish(&node, 2).await;
    assert!(second.epoch() > first.epoch() && second.sequence() == 1);
    let (got, told) = take_many::<A>(&mut stream, 1).await;
    assert_eq!(got, [2]);
    assert!(matches!(told[..], [Outcome::Unknown { .. }]), "{told:?}");
}

pub(crate) async fn connections_that_are_cut_lose_nothing<A: Adapter>() {
    const COUNT: u64 = 200;
    let server = Server::start(&[]);
    let nodes = [
        node::<A>(server.log::<A>()).await,
        node::<A>(server.log::<A>()).await,
    ];
    let mut streams = [listen(&nodes[0]), listen(&nodes[1])];
    let taking = join_all(
        streams
            .iter_mut()
            .map(|it| take_many::<A>(it, COUNT as usize)),
    );
    let publishing = async {
        for number in 1..=COUNT {
            if number % 20 == 0 {
                let which = if number % 40 == 0 { "normal" } else { "pubsub" };
                server.command(&["CLIENT", "KILL", "TYPE", which]);
            }
            publish(&nodes[number as usize % 2], number).await;
        }
    };
    let (taken, ()) = join(taking, publishing).await;
    for (got, told) in taken {
        assert_eq!(got, (1..=COUNT).collect::<Vec<_>>());
        assert_eq!(told, []);
    }
}

pub(crate) async fn a_server_that_hangs_is_given_up_and_no_publish_is_done_twice<A: Adapter>() {
    let server = Server::start(&[]);
    let mut config = server.config();
    config.answer_timeout = Duration::from_millis(200);
    config.dial_timeout = Duration::from_millis(200);
    let log = RedisLog::on(A::Runtime::default(), config);
    log.ready(PATIENCE).await.unwrap();
    server.signal("-STOP");
    let topic = "news".into();
    let appending = log.append(&topic, Event::new("1"));
    let going_on = async {
        // The read waits until the connection is given up. The server finds the request when it
        // continues.
        let error = log.read(&topic, tails()).await.unwrap_err();
        assert_eq!(name(&error), "timed-out");
        sleep::<A>(Duration::from_millis(300)).await;
        server.signal("-CONT");
    };
    let (place, ()) = join(appending, going_on).await;
    assert_eq!(place.unwrap().sequence(), 1);
    let next = log.append(&topic, Event::new("2")).await.unwrap();
    assert_eq!(next.sequence(), 2);
}

pub(crate) async fn whatever_waits_on_a_server_that_hangs_learns_that_it_is_unknown<A: Adapter>() {
    let server = Server::start(&[]);
    let mut config = server.config();
    config.dial_timeout = Duration::from_millis(200);
    config.answer_timeout = Duration::from_millis(200);
    config.publish_timeout = Duration::ZERO;
    let log = RedisLog::on(A::Runtime::default(), config);
    log.ready(PATIENCE).await.unwrap();
    server.signal("-STOP");
    let topic = "news".into();
    let appending = join_all((0..50).map(|_| log.append(&topic, Event::new("x"))));
    for result in patiently::<A, _>(appending).await {
        assert_eq!(failure(result), ("timed-out", true));
    }
    // A request that was not sent is known not to have been executed.
    let result = log.append(&topic, Event::new("x")).await;
    assert_eq!(failure(result), ("timed-out", false));
    server.signal("-CONT");
}

pub(crate) async fn more_requests_than_may_wait_fail_at_once<A: Adapter>() {
    for (max_requests, max_request_bytes) in [(3, usize::MAX), (usize::MAX, 7_000)] {
        let server = Server::start(&[]);
        let mut config = server.config();
        config.publish_timeout = Duration::ZERO;
        config.max_requests = max_requests;
        config.max_request_bytes = max_request_bytes;
        let log = RedisLog::on(A::Runtime::default(), config);
        log.ready(PATIENCE).await.unwrap();
        server.signal("-STOP");
        let topic = "news".into();
        let event = Event::new("x".repeat(2_000));
        let mut appending: FuturesUnordered<_> =
            (0..4).map(|_| log.append(&topic, event.clone())).collect();
        let first = patiently::<A, _>(appending.next()).await;
        assert_eq!(failure(first.unwrap()), ("busy", false));
        server.signal("-CONT");
        while let Some(result) = patiently::<A, _>(appending.next()).await {
            result.unwrap();
        }
        // There is room again. A request that is larger than the bound for all waiting ones has to
        // wait alone.
        let large = Event::new("x".repeat(9_000));
        patiently::<A, _>(async {
            // A request that asks whether the server lives, sent while it hung, may still be
            // waiting, too.
            while let Err(error) = log.append(&topic, large.clone()).await {
                assert_eq!(failure(Err(error)), ("busy", false));
                sleep::<A>(Duration::from_millis(20)).await;
            }
        })
        .await;
    }
}

pub(crate) async fn an_answer_that_is_too_large_is_an_error<A: Adapter>() {
    let server = Server::start(&[]);
    let mut config = server.config();
    config.max_answer_bytes = 10_000;
    config.max_bell_bytes = 100;
    let log = RedisLog::on(A::Runtime::default(), config);
    log.ready(PATIENCE).await.unwrap();
    let topic = "news".into();
    let place = log.append(&topic, Event::new("x".repeat(100_000))).await;
    let after = Position::new(place.unwrap().epoch(), 0);
    let error = log
        .read(&topic, PageRequest::new(after, 1))
        .await
        .unwrap_err();
    assert_eq!(name(&error), "protocol");
    assert!(error.to_string().contains("too large"), "{error}");
    log.ready(PATIENCE).await.unwrap();
    assert_eq!(log.read(&topic, tails()).await.unwrap().tails.newest, 1);
}

pub(crate) async fn a_server_without_memory_takes_no_event_and_says_so<A: Adapter>() {
    let server = Server::start(&["--maxmemory", "3mb", "--maxmemory-policy", "noeviction"]);
    let node = node::<A>(server.log::<A>()).await;
    let log = server.log::<A>();
    log.ready(PATIENCE).await.unwrap();
    let topic = "other".into();
    let large = Event::new("x".repeat(50_000));
    let mut newest = 0;
    let refused = loop {
        match log.append(&topic, large.clone()).await {
            Ok(place) => newest = place.sequence(),
            Err(error) => break error,
        }
    };
    assert!(refused.to_string().contains("maxmemory"), "{refused}");
    assert_eq!(failure(Err(refused)), ("out-of-memory", false));
    // No part of it is in the log, and reading continues.
    assert_eq!(
        log.read(&topic, tails()).await.unwrap().tails.newest,
        newest
    );
    let news = node.topic("news").unwrap();
    let publish_error = news.publish("x".repeat(50_000)).await.unwrap_err();
    assert!(!publish_error.may_be_published(), "{publish_error}");
    let mut stream = listen(&node);
    server.command(&["CONFIG", "SET", "maxmemory", "0"]);
    publish(&node, 1).await;
    assert_eq!(take_many::<A>(&mut stream, 1).await, (vec![1], vec![]));
}

pub(crate) async fn a_server_that_becomes_a_replica_is_left<A: Adapter>() {
    let (master, server) = (Server::start(&[]), Server::start(&[]));
    let mut config = server.config();
    config.publish_timeout = Duration::from_millis(500);
    let log = RedisLog::on(A::Runtime::default(), config);
    log.ready(PATIENCE).await.unwrap();
    log.append(&"news".into(), Event::new("1")).await.unwrap();
    server.command(&["REPLICAOF", "127.0.0.1", &master.port().to_string()]);
    // A stale answer counts as no answer.
    let error = log.read(&"news".into(), tails()).await.unwrap_err();
    assert_eq!(name(&error), "replica");
    let result = log.append(&"news".into(), Event::new("2")).await;
    assert_eq!(failure(result), ("replica", false));
    let error = log.ready(Duration::ZERO).await.unwrap_err();
    assert_eq!(error.name(), "replica");
    server.command(&["REPLICAOF", "NO", "ONE"]);
    log.ready(PATIENCE).await.unwrap();
    log.append(&"news".into(), Event::new("2")).await.unwrap();
}

pub(crate) async fn the_connections_end_with_the_last_handle<A: Adapter>() {
    let server = Server::start(&[]);
    let log = server.log::<A>();
    log.ready(PATIENCE).await.unwrap();
    until::<A>(|| server.clients() == 2).await;
    let other = log.clone();
    drop(log);
    other.append(&"news".into(), Event::new("1")).await.unwrap();
    drop(other);
    until::<A>(|| server.clients() == 0).await;
}

pub(crate) async fn several_nodes_of_a_cluster_are_an_error_that_says_so<A: Adapter>() {
    let timeout = ["--cluster-node-timeout", "500"];
    let arguments = [&["--cluster-enabled", "yes"], &timeout[..]].concat();
    let (server, other) = (Server::start(&arguments), Server::start(&arguments));
    // A cluster of one node is like any other server.
    server.command(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    let log = server.log::<A>();
    log.append(&"news".into(), Event::new("1")).await.unwrap();
    other.command(&["CLUSTER", "MEET", "127.0.0.1", &server.port().to_string()]);
    let config = other.config();
    // The publish is repeated while the nodes do not know each other.
    let log = RedisLog::on(A::Runtime::default(), config);
    let result = log.append(&"news".into(), Event::new("2")).await;
    let text = format!("{}", result.as_ref().unwrap_err());
    assert!(
        text.contains("MOVED") && text.contains("Sentinel"),
        "{text}"
    );
    assert_eq!(rejection(result), "cluster");
    let error = log.read(&"news".into(), tails()).await.unwrap_err();
    assert_eq!(name(&error), "cluster");
}
