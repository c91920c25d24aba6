//! Replicas, and the loss of their master.

use std::{pin::pin, time::Duration};

use futures_util::future::{Either, join, select};
use sse_driver::{
    core::{
        Event,
        topic::{Outcome, Position, follower::PageRequest},
    },
    event_log::EventLog,
};
use sse_redis::{RedisConfig, RedisLog, SentinelConfig};
use sse_suite::Adapter;

use crate::{
    PATIENCE,
    faults::failure,
    nodes::{listen, node, publish, take_many},
    server::{Server, patient},
    sleep, until,
    virtual_address::VirtualAddress,
};

pub(crate) async fn a_replica_that_is_promoted_by_hand_begins_an_epoch_and_lost_events_are_told<
    A: Adapter,
>() {
    let master = Server::start(&[]);
    let replica = Server::replica_of(&master);
    let address = VirtualAddress::of(&master);
    let mut config = master.config();
    config.port = address.port;
    let node = node::<A>(RedisLog::on(A::Runtime::default(), config)).await;
    let mut stream = listen(&node);
    let first = publish(&node, 1).await;
    until::<A>(|| replica.command(&["EXISTS", "sse:{news}:log"]) == redis::Value::Int(1)).await;
    // The master continues for a while after the replica has left it.
    replica.command(&["REPLICAOF", "NO", "ONE"]);
    publish(&node, 2).await;
    assert_eq!(take_many::<A>(&mut stream, 2).await, (vec![1, 2], vec![]));
    address.move_to(&replica);
    let third = publish(&node, 3).await;
    assert!(third.epoch() > first.epoch() && third.sequence() == 1);
    let (got, told) = take_many::<A>(&mut stream, 1).await;
    assert_eq!(got, [3]);
    assert!(matches!(told[..], [Outcome::Unknown { .. }]), "{told:?}");
}

/// Returns the settings for the master that these Sentinels know.
pub(crate) fn by_sentinels(sentinels: &[&Server]) -> RedisConfig {
    let mut sentinel = SentinelConfig::default();
    let addresses = sentinels
        .iter()
        .map(|it| ("127.0.0.1".to_owned(), it.port()));
    sentinel.addresses = addresses.collect();
    sentinel.timeout = PATIENCE;
    let mut config = patient();
    config.sentinel = Some(sentinel);
    config
}

pub(crate) async fn sentinel_is_asked_for_the_master_at_every_dial<A: Adapter>() {
    let mut master = Server::start(&[]);
    let replica = Server::replica_of(&master);
    let sentinel = Server::sentinel(&master);
    until::<A>(|| sentinel.info("sentinel").contains("slaves=1")).await;
    // The first one is down.
    let absent = Server::absent(&[]);
    let config = by_sentinels(&[&absent, &sentinel]);
    let node = node::<A>(RedisLog::on(A::Runtime::default(), config)).await;
    let mut stream = listen(&node);
    let first = publish(&node, 1).await;
    assert_eq!(take_many::<A>(&mut stream, 1).await, (vec![1], vec![]));
    master.kill();
    sentinel.gives_up_after(Duration::from_millis(500));
    // The publish is repeated until Sentinel has promoted the replica.
    let second = publish(&node, 2).await;
    assert!(second.epoch() > first.epoch() && second.sequence() == 1);
    assert!(replica.info("replication").contains("role:master"));
    let (got, told) = take_many::<A>(&mut stream, 1).await;
    assert_eq!(got, [2]);
    assert!(matches!(told[..], [Outcome::Unknown { .. }]), "{told:?}");
}

pub(crate) async fn a_master_that_no_sentinel_names_is_an_error_that_says_so<A: Adapter>() {
    let master = Server::start(&[]);
    let sentinel = Server::sentinel(&master);
    let mut config = by_sentinels(&[&sentinel]);
    config.sentinel.as_mut().unwrap().master = "other".into();
    let log = RedisLog::on(A::Runtime::default(), config);
    let error = log.ready(Duration::ZERO).await.unwrap_err();
    assert_eq!(error.name(), "no-master");
    assert!(error.to_string().contains("`other`"), "{error}");
    let none = RedisLog::on(A::Runtime::default(), by_sentinels(&[]));
    let error = none.ready(Duration::ZERO).await.unwrap_err();
    assert!(error.to_string().contains("`addresses`"), "{error}");
}

/// Returns a master and its replica, and a log whose publishes wait for the replica.
async fn with_replica<A: Adapter>(change: fn(&mut RedisConfig)) -> (Server, Server, RedisLog) {
    let master = Server::start(&[]);
    let replica = Server::replica_of(&master);
    let mut config = master.config();
    config.replicas = 1;
    change(&mut config);
    let log = RedisLog::on(A::Runtime::default(), config);
    log.ready(PATIENCE).await.unwrap();
    // Three, and the replica.
    until::<A>(|| master.clients() == 4).await;
    (master, replica, log)
}

fn tails() -> PageRequest {
    PageRequest::new(Position::new(0, 0), 0)
}

pub(crate) async fn a_publish_that_waits_for_replicas_holds_up_nothing_else<A: Adapter>() {
    let (_master, replica, log) = with_replica::<A>(|config| {
        config.replicas_timeout = PATIENCE;
    })
    .await;
    let topic = "news".into();
    log.append(&topic, Event::new("1")).await.unwrap();
    replica.signal("-STOP");
    let appending = pin!(log.append(&topic, Event::new("2")));
    let reading = pin!(async {
        while log.read(&topic, tails()).await.unwrap().tails.newest < 2 {
            sleep::<A>(Duration::from_millis(10)).await;
        }
    });
    let Either::Right(((), appending)) = select(appending, reading).await else {
        panic!("the replica does not have it");
    };
    replica.signal("-CONT");
    assert_eq!(appending.await.unwrap().sequence(), 2);
}

pub(crate) async fn a_publish_that_too_few_replicas_have_is_no_success<A: Adapter>() {
    let (master, replica, log) = with_replica::<A>(|config| {
        config.replicas_timeout = Duration::from_millis(50);
        config.publish_timeout = Duration::from_secs(2);
    })
    .await;
    replica.signal("-STOP");
    let result = log.append(&"news".into(), Event::new("1")).await;
    assert_eq!(failure(result), ("too-few-replicas", true));
    replica.signal("-CONT");
    let holds = ["EXISTS", "sse:{news}:log"];
    until::<A>(|| replica.command(&holds) == redis::Value::Int(1)).await;
    // The server has the event, once. The next publish waits for no replica, which may be slow.
    let other = master.log::<A>();
    other.ready(PATIENCE).await.unwrap();
    let next = other.append(&"news".into(), Event::new("2")).await;
    assert_eq!(next.unwrap().sequence(), 2);
}

pub(crate) async fn a_publish_that_is_repeated_on_another_connection_waits_for_replicas_too<
    A: Adapter,
>() {
    let (master, replica, log) = with_replica::<A>(|config| {
        config.replicas_timeout = Duration::from_millis(50);
    })
    .await;
    replica.signal("-STOP");
    let topic = "news".into();
    let appending = pin!(log.append(&topic, Event::new("1")));
    let cutting = pin!(async {
        for _ in 0..3 {
            sleep::<A>(Duration::from_millis(200)).await;
            master.command(&["CLIENT", "KILL", "TYPE", "normal"]);
            log.ready(PATIENCE).await.unwrap();
        }
        sleep::<A>(Duration::from_millis(300)).await;
    });
    let Either::Right(((), appending)) = select(appending, cutting).await else {
        panic!("the replica does not have it");
    };
    let going_on = async { replica.signal("-CONT") };
    let (place, ()) = join(appending, going_on).await;
    assert_eq!(place.unwrap().sequence(), 1);
}

pub(crate) async fn a_publish_that_is_repeated_after_a_failover_is_in_the_new_epoch<A: Adapter>() {
    let master = Server::start(&[]);
    let replica = Server::replica_of(&master);
    let address = VirtualAddress::of(&master);
    let mut config = master.config();
    config.port = address.port;
    // There are fewer replicas, so that the publish is repeated until its time is over.
    config.replicas = 2;
    config.replicas_timeout = Duration::from_millis(50);
    config.publish_timeout = 2 * PATIENCE;
    let log = RedisLog::on(A::Runtime::default(), config);
    let topic = "news".into();
    let appending = pin!(log.append(&topic, Event::new("1")));
    let promoting = pin!(async {
        let holds = ["EXISTS", "sse:{news}:log"];
        until::<A>(|| replica.command(&holds) == redis::Value::Int(1)).await;
        let before = log.read(&topic, tails()).await.unwrap().tails.epoch;
        replica.command(&["REPLICAOF", "NO", "ONE"]);
        address.move_to(&replica);
        loop {
            sleep::<A>(Duration::from_millis(20)).await;
            let Ok(page) = log.read(&topic, tails()).await else {
                continue;
            };
            let after = Position::new(page.tails.epoch, 0);
            if after.epoch() > before
                && let Ok(page) = log.read(&topic, PageRequest::new(after, 10)).await
                && !page.events.is_empty()
            {
                return page.events;
            }
        }
    });
    let Either::Right((events, _)) = select(appending, promoting).await else {
        panic!("two replicas do not have it");
    };
    assert_eq!(events, [(1, Event::new("1"))]);
}
