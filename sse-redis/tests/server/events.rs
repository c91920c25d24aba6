//! Events, where nothing fails.

use futures_util::future::{join, join_all};
use sse_driver::{
    core::{
        Event,
        topic::{Outcome, Position, follower::PageRequest},
    },
    event_log::{EventLog, FollowedTopic},
};
use sse_redis::RedisLog;
use sse_suite::Adapter;

use crate::{
    PATIENCE,
    nodes::{node, publish, take, take_many},
    server::Server,
};

/// Reads as a client that moves from one node to the next.
async fn roam<A: Adapter>(nodes: &[FollowedTopic], count: u64) -> Vec<u64> {
    let mut got = Vec::new();
    for turn in 0.. {
        let node = &nodes[turn % nodes.len()];
        let from = got.last().map_or(0, |last| *last);
        // Everything is in the first epoch.
        let place = Position::new(node.position().epoch(), from);
        let mut stream = node.resume_from(Some(&place.to_string()));
        for _ in 0..3 {
            take::<A>(&mut stream, &mut got).await;
            if got.len() as u64 >= count {
                return got;
            }
        }
    }
    got
}

pub(crate) async fn clients_that_move_between_nodes_get_every_event_once<A: Adapter>() {
    const COUNT: u64 = 500;
    let server = Server::start(&[]);
    let nodes = [
        node::<A>(server.log::<A>()).await,
        node::<A>(server.log::<A>()).await,
    ];
    let topics = [0, 1].map(|at: usize| nodes[at].topic("news").unwrap());
    let clients = join_all((0..8).map(|_| roam::<A>(&topics, COUNT)));
    let publishing = async {
        for number in 1..=COUNT {
            publish(&nodes[number as usize % 2], number).await;
        }
    };
    let (clients, ()) = join(clients, publishing).await;
    for got in clients {
        assert_eq!(got, (1..=COUNT).collect::<Vec<_>>());
    }
}

pub(crate) async fn places_are_dense_and_events_come_back_as_they_were<A: Adapter>() {
    let server = Server::start(&[]);
    let log = server.log::<A>();
    log.ready(PATIENCE).await.unwrap();
    let events = [
        Event::new("a\nb ü"),
        Event::new("").with_event_type("greeting").unwrap(),
        Event::without_data().with_id("own").unwrap(),
    ];
    let mut places = Vec::new();
    for event in &events {
        places.push(log.append(&"t}opic".into(), event.clone()).await.unwrap());
    }
    let epoch = places[0].epoch();
    let expected: Vec<_> = (1..=3).map(|n| Position::new(epoch, n)).collect();
    assert_eq!(places, expected);
    let request = PageRequest::new(Position::new(epoch, 1), 10);
    let page = log.read(&"t}opic".into(), request).await.unwrap();
    assert_eq!((page.tails.oldest, page.tails.newest), (1, 3));
    assert_eq!(
        page.events,
        [(2, events[1].clone()), (3, events[2].clone())]
    );
    for after in [Position::new(epoch, u64::MAX), Position::new(1, 0)] {
        let request = PageRequest::new(after, 10);
        let page = log.read(&"t}opic".into(), request).await;
        assert!(page.unwrap().events.is_empty());
    }
}

pub(crate) async fn trimmed_events_are_counted<A: Adapter>() {
    let server = Server::start(&[]);
    let mut config = server.config();
    config.max_events = 100;
    let log = RedisLog::on(A::Runtime::default(), config);
    log.ready(PATIENCE).await.unwrap();
    let topic = "news".into();
    join_all((1..=1_000_u64).map(|number| log.append(&topic, Event::new(number.to_string()))))
        .await;
    let request = PageRequest::new(Position::new(0, 0), 0);
    let tails = log.read(&"news".into(), request).await.unwrap().tails;
    assert!(tails.newest == 1_000 && tails.oldest > 500, "{tails:?}");
    let node = node::<A>(server.log::<A>()).await;
    let topic = node.topic("news").unwrap();
    let place = Position::new(tails.epoch, 10);
    let mut stream = topic.resume_from(Some(&place.to_string()));
    let held = tails.newest + 1 - tails.oldest;
    let (got, told) = take_many::<A>(&mut stream, held as usize).await;
    let gap = Outcome::Gap {
        lost: tails.oldest - 11,
        replayed: held,
    };
    assert_eq!(told, [gap]);
    assert_eq!(got, (tails.oldest..=1_000).collect::<Vec<_>>());
}

pub(crate) async fn scripts_that_the_server_has_forgotten_are_sent_again<A: Adapter>() {
    let server = Server::start(&[]);
    let log = server.log::<A>();
    log.ready(PATIENCE).await.unwrap();
    server.command(&["SCRIPT", "FLUSH"]);
    let place = log.append(&"news".into(), Event::new("1")).await.unwrap();
    server.command(&["SCRIPT", "FLUSH"]);
    let request = PageRequest::new(Position::new(place.epoch(), 0), 10);
    let page = log.read(&"news".into(), request).await.unwrap();
    assert_eq!(page.events, [(1, Event::new("1"))]);
}
