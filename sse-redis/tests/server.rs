//! The log on a real server, with its faults: `redis-server` of the system, on a free port.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::StreamExt;
use sse_driver::event_log::{
    AppendError, EventLog, FollowedTopic, FollowedTopics, FollowedTopicsConfig, LogStream,
};
use sse_redis::{RedisConfig, RedisLog};
use sse_tokio::{
    Tokio,
    core::{
        Event,
        topic::{Batch, Outcome, Position, follower::PageRequest},
    },
};

/// A server of its own, which ends with the test.
struct Server {
    child: Child,
    port: u16,
    arguments: Vec<&'static str>,
}

impl Server {
    fn start(arguments: &[&'static str]) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        Self {
            child: spawn(port, arguments),
            port,
            arguments: arguments.to_vec(),
        }
    }

    fn config(&self) -> RedisConfig {
        let mut config = RedisConfig::default();
        config.port = self.port;
        config
    }

    fn log(&self) -> RedisLog {
        RedisLog::on(Tokio, self.config())
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn start_again(&mut self) {
        self.child = spawn(self.port, &self.arguments);
    }

    /// Has it hang, or go on.
    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(port: u16, arguments: &[&str]) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no", "--dir", "/tmp"])
        .args(arguments)
        .stdout(Stdio::null())
        .spawn()
        .expect("the Debian package redis-server is installed")
}

/// A server process.
async fn node(server: &Server) -> FollowedTopics {
    let mut config = FollowedTopicsConfig::default();
    config.topic.max_events = 50;
    config.follower.warm_events = 10;
    config.follower.look_every = Some(Duration::from_secs(1));
    let topics = FollowedTopics::on(Tokio, server.log(), config);
    let topic = topics.topic("news").unwrap();
    topic.ready(Duration::from_secs(30)).await.unwrap();
    topics
}

async fn publish(node: &FollowedTopics, number: u64) -> Position {
    node.topic("news").unwrap().publish(number).await.unwrap()
}

/// A client that goes from one node to the next while it reads.
async fn roam(nodes: Vec<FollowedTopic>, count: u64) -> Vec<u64> {
    let (mut id, mut got) = (Some("0-0".to_owned()), Vec::new());
    for turn in 0.. {
        let node = &nodes[turn % nodes.len()];
        let from = got.last().map_or(0, |last| *last);
        // Everything is in the first epoch.
        let place = Position::new(node.position().epoch(), from);
        id = id.and(Some(place.to_string()));
        let mut stream = node.resume_from(id.as_deref());
        for _ in 0..3 {
            take(&mut stream, &mut got).await;
            if got.len() as u64 >= count {
                return got;
            }
        }
    }
    got
}

async fn take(stream: &mut LogStream, got: &mut Vec<u64>) -> Option<Outcome> {
    let next = tokio::time::timeout(Duration::from_secs(60), stream.next());
    match next.await.expect("an event in time").unwrap().unwrap() {
        Batch::Notice(notice) => Some(notice.outcome()),
        batch => {
            let text = str::from_utf8(batch.as_bytes()).unwrap();
            let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
            got.extend(data.map(|data| data.parse::<u64>().unwrap()));
            None
        }
    }
}

/// Takes so many events, and returns what was told between them.
async fn take_many(stream: &mut LogStream, count: usize) -> (Vec<u64>, Vec<Outcome>) {
    let (mut got, mut told) = (Vec::new(), Vec::new());
    while got.len() < count {
        told.extend(take(stream, &mut got).await);
    }
    (got, told)
}

#[tokio::test]
async fn clients_that_move_between_nodes_get_every_event_once() {
    const COUNT: u64 = 2_000;
    let server = Server::start(&[]);
    let nodes = [node(&server).await, node(&server).await];
    let topics: Vec<_> = nodes
        .iter()
        .map(|node| node.topic("news").unwrap())
        .collect();
    let clients: Vec<_> = (0..8)
        .map(|_| tokio::spawn(roam(topics.clone(), COUNT)))
        .collect();
    for number in 1..=COUNT {
        publish(&nodes[number as usize % 2], number).await;
    }
    for client in clients {
        assert_eq!(client.await.unwrap(), (1..=COUNT).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn places_are_dense_and_events_come_back_as_they_were() {
    let server = Server::start(&[]);
    let log = server.log();
    wait_for(&log).await;
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
        let page = log
            .read(&"t}opic".into(), PageRequest::new(after, 10))
            .await;
        assert!(page.unwrap().events.is_empty());
    }
}

async fn wait_for(log: &RedisLog) {
    let request = PageRequest::new(Position::new(0, 0), 0);
    for _ in 0..600 {
        if log.read(&"news".into(), request).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the server does not come");
}

#[tokio::test]
async fn a_server_that_comes_back_empty_is_told_and_followed() {
    let mut server = Server::start(&[]);
    let node = node(&server).await;
    let topic = node.topic("news").unwrap();
    let mut stream = topic.resume_from(None);
    let first = publish(&node, 1).await;
    assert_eq!(take_many(&mut stream, 1).await, (vec![1], vec![]));
    server.kill();
    server.start_again();
    // It is tried until the server is back.
    let second = publish(&node, 2).await;
    assert!(second.epoch() > first.epoch() && second.sequence() == 1);
    let (got, told) = take_many(&mut stream, 1).await;
    assert_eq!(got, [2]);
    assert!(matches!(told[..], [Outcome::Unknown { .. }]), "{told:?}");
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_and_no_publish_is_done_twice() {
    let server = Server::start(&[]);
    let mut config = server.config();
    config.answer_timeout = Duration::from_millis(300);
    config.publish_timeout = Duration::from_secs(30);
    let log = RedisLog::on(Tokio, config.clone());
    wait_for(&log).await;
    server.signal("-STOP");
    let is_done = Arc::new(AtomicBool::new(false));
    let appending = {
        let (log, is_done) = (log.clone(), is_done.clone());
        tokio::spawn(async move {
            let place = log.append(&"news".into(), Event::new("1")).await;
            is_done.store(true, Ordering::Relaxed);
            place
        })
    };
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!is_done.load(Ordering::Relaxed));
    server.signal("-CONT");
    let place = appending.await.unwrap().unwrap();
    assert_eq!(place.sequence(), 1);
    let next = log.append(&"news".into(), Event::new("2")).await.unwrap();
    assert_eq!(next.sequence(), 2);
    // One that is not tried for long cannot know.
    config.publish_timeout = Duration::ZERO;
    let hasty = RedisLog::on(Tokio, config);
    wait_for(&hasty).await;
    server.signal("-STOP");
    let error = hasty.append(&"news".into(), Event::new("3")).await;
    assert!(matches!(error, Err(AppendError::Unknown(_))), "{error:?}");
    server.signal("-CONT");
}

#[tokio::test]
async fn a_wrong_password_is_a_clear_error() {
    let server = Server::start(&["--requirepass", "secret"]);
    let mut config = server.config();
    config.password = Some("secret".into());
    wait_for(&RedisLog::on(Tokio, config.clone())).await;
    config.password = Some("wrong".into());
    let topics = FollowedTopics::on(
        Tokio,
        RedisLog::on(Tokio, config),
        FollowedTopicsConfig::default(),
    );
    let topic = topics.topic("news").unwrap();
    let error = topic.ready(Duration::from_secs(2)).await.unwrap_err();
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_server_without_memory_takes_no_event_and_says_so() {
    let server = Server::start(&["--maxmemory", "1mb", "--maxmemory-policy", "noeviction"]);
    let log = server.log();
    wait_for(&log).await;
    let refused = Arc::new(Mutex::new(None));
    for _ in 0..200 {
        let event = Event::new("x".repeat(50_000));
        if let Err(error) = log.append(&"news".into(), event).await {
            *refused.lock().unwrap() = Some(error);
            break;
        }
    }
    let error = refused.lock().unwrap().take().expect("it is full");
    assert!(matches!(error, AppendError::NotAppended(_)), "{error}");
    assert!(error.to_string().contains("OOM"), "{error}");
}

#[tokio::test]
async fn trimmed_events_are_counted() {
    let server = Server::start(&[]);
    let mut config = server.config();
    config.max_events = 100;
    let log = RedisLog::on(Tokio, config);
    wait_for(&log).await;
    for number in 1..=1_000_u64 {
        let event = Event::new(number.to_string());
        log.append(&"news".into(), event).await.unwrap();
    }
    let request = PageRequest::new(Position::new(0, 0), 0);
    let tails = log.read(&"news".into(), request).await.unwrap().tails;
    assert!(tails.newest == 1_000 && tails.oldest > 500, "{tails:?}");
    let node = node(&server).await;
    let topic = node.topic("news").unwrap();
    let place = Position::new(tails.epoch, 10);
    let mut stream = topic.resume_from(Some(&place.to_string()));
    let held = tails.newest + 1 - tails.oldest;
    let (got, told) = take_many(&mut stream, held as usize).await;
    let gap = Outcome::Gap {
        lost: tails.oldest - 11,
        replayed: held,
    };
    assert_eq!(told, [gap]);
    assert_eq!(got, (tails.oldest..=1_000).collect::<Vec<_>>());
}
