//! A shutdown that does not make all clients reconnect at the same moment.

use std::{collections::BTreeSet, time::Duration};

use futures_util::FutureExt;
use sse_core::{
    Decoded, Decoder,
    topic::{Outcome, Topic, TopicConfig},
};
use sse_driver::{
    ServerConfig,
    router::{Reply, Request, Router},
};

use crate::{
    harness::{Journal, MILLI, Received, World, secs},
    sim::{Client, Sim},
};

const CLIENTS: usize = 50;

/// A server whose 50 clients have to end over 5 s.
struct Storm {
    world: World,
    topic: Topic,
    journal: Journal,
}

impl Storm {
    fn new() -> Self {
        Self::with(|_| ())
    }

    fn with(change: impl FnOnce(&mut ServerConfig)) -> Self {
        let mut config = ServerConfig::default();
        config.shutdown_spread.per_second = 10;
        change(&mut config);
        let topic = Topic::on(Sim::new(), TopicConfig::default());
        let journal = Journal::default();
        let (source, log) = (topic.clone(), journal.clone());
        let (stays, polite) = (topic.clone(), journal.clone());
        let router = Router::new()
            .events("/", move |request: Request| {
                log.watch_clean_up(&request);
                source.resume(&request)
            })
            .events("/stays", move |_| {
                Reply::from(stays.subscribe()).with_end_at_shutdown(false)
            })
            .events("/polite", move |request: Request| {
                polite.watch_clean_up(&request);
                request.shutdown().map(|()| "last words").into_stream()
            });
        Self {
            world: World::with_config(config, router),
            topic,
            journal,
        }
    }

    fn clients(&self) -> Vec<Client> {
        (0..CLIENTS).map(|_| self.world.get("/")).collect()
    }

    /// Lets this time pass and lets the clients read. Returns how many have ended.
    fn advance(&self, by: Duration, clients: &mut [Client]) -> usize {
        self.world.sim.advance(by);
        clients.iter_mut().for_each(|client| {
            client.read_all();
        });
        self.world.sim.settle();
        clients.iter().filter(|client| client.at_end()).count()
    }
}

/// The state of a client whose stream has ended.
#[derive(Debug)]
struct Known {
    data: Vec<String>,
    last_event_id: String,
    retry: Option<Duration>,
}

fn known(client: &Client) -> Known {
    let received = Received::by(client);
    assert!(received.complete, "the end is a proper one");
    let mut known = Known {
        data: Vec::new(),
        last_event_id: String::new(),
        retry: None,
    };
    let (mut decoder, mut input) = (Decoder::new(), received.body.as_bytes());
    while let Some(decoded) = decoder.decode(&mut input).unwrap() {
        match decoded {
            Decoded::Event(event) => known.data.push(event.data().to_owned()),
            Decoded::ReconnectionTime(time) => {
                assert!(known.retry.replace(time).is_none(), "it is told once");
            }
            _ => {}
        }
    }
    known.last_event_id = decoder.last_event_id().to_owned();
    known
}

#[test]
fn subscribers_end_over_a_window_and_get_what_is_published_until_then() {
    let storm = Storm::new();
    let mut clients = storm.clients();
    storm.topic.publish("before").unwrap();
    storm.world.handle.shut_down();
    let mut ended = Vec::new();
    for n in 0..10 {
        storm.topic.publish(n.to_string()).unwrap();
        ended.push(storm.advance(secs(1) / 2, &mut clients));
    }
    // All end within 5 s, and no half second has many more than its five.
    assert_eq!(ended.last(), Some(&CLIENTS));
    let mut before = 0;
    for now in &ended {
        assert!((1..=12).contains(&(now - before)), "{ended:?}");
        before = *now;
    }
    let report = storm.world.report();
    assert_eq!((report.accepted, report.cut), (CLIENTS as u64, 0));
    let reasons = vec!["clean-up: the server was shut down"; CLIENTS];
    assert_eq!(storm.journal.lines(), reasons);
    assert_eq!(storm.world.sim.live_tasks(), 0);

    let all: Vec<String> = ["before".into()]
        .into_iter()
        .chain((0..10).map(|n| n.to_string()))
        .collect();
    let mut retries = BTreeSet::new();
    let mut lengths = BTreeSet::new();
    for client in &clients {
        let mut known = known(client);
        retries.insert(known.retry.expect("a reconnection time of its own"));
        lengths.insert(known.data.len());
        // It gets the rest elsewhere: nothing is missing, and nothing comes twice.
        let missing = all.len() - known.data.len();
        let rest = storm.topic.resume_from(Some(&known.last_event_id));
        let replayed = missing as u64;
        assert_eq!(rest.outcome(), Outcome::Resumed { replayed });
        known.data.extend_from_slice(&all[all.len() - missing..]);
        assert_eq!(known.data, all);
    }
    assert!(lengths.len() > 5, "the streams went on: {lengths:?}");
    assert!(retries.len() > CLIENTS / 2, "{retries:?}");
    assert!(*retries.first().unwrap() >= secs(1));
    assert!(*retries.last().unwrap() <= secs(6));
    assert!(*retries.last().unwrap() - *retries.first().unwrap() > secs(4));
}

#[test]
fn no_client_waits_for_a_window_that_does_not_end_it() {
    let storm = Storm::new();
    let mut clients = storm.clients();
    let mut polite = storm.world.get("/polite");
    let mut stays = storm.world.get("/stays");
    storm.world.handle.shut_down();
    storm.world.advance(MILLI, &mut polite);
    assert_eq!(Received::by(&polite).body, "data: last words\n\n");
    assert!(polite.at_end());

    assert_eq!(storm.advance(secs(9), &mut clients), CLIENTS);
    stays.read_all();
    assert!(!stays.at_end());
    storm.world.sim.advance(secs(1));
    assert_eq!(storm.world.report().cut, 1);
    stays.read_all();
    assert!(!stays.received().contains("retry"));
}

#[test]
fn a_second_signal_cuts_clients_that_wait_for_the_end() {
    let storm = Storm::new();
    let mut clients = storm.clients();
    storm.world.handle.shut_down();
    // A second call belongs to the same shutdown.
    storm.world.handle.shut_down();
    let ended = storm.advance(secs(1), &mut clients);
    assert!((1..CLIENTS / 2).contains(&ended), "{ended}");
    storm.world.handle.cut();
    storm.world.sim.settle();
    let report = storm.world.report();
    assert_eq!(report.cut, (CLIENTS - ended) as u64);
    let reasons = vec!["clean-up: the server was shut down"; CLIENTS];
    assert_eq!(storm.journal.lines(), reasons);
    assert_eq!(storm.world.sim.live_tasks(), 0);
}

#[test]
fn the_window_is_no_longer_than_half_of_the_timeout() {
    let storm = Storm::with(|config| config.shutdown_timeout = secs(2));
    let mut clients = storm.clients();
    storm.world.handle.shut_down();
    assert!(storm.advance(secs(1) / 2, &mut clients) < CLIENTS);
    assert_eq!(storm.advance(secs(1) / 2, &mut clients), CLIENTS);
    assert_eq!(storm.world.report().cut, 0);
}

#[test]
fn without_a_window_all_end_at_once_and_come_back_spread() {
    let storm = Storm::with(|config| config.shutdown_spread.ends = Duration::ZERO);
    let mut clients = storm.clients();
    storm.world.handle.shut_down();
    assert_eq!(storm.advance(Duration::ZERO, &mut clients), CLIENTS);
    let retries: BTreeSet<_> = clients
        .iter()
        .map(|client| known(client).retry.unwrap())
        .collect();
    assert!(retries.len() > CLIENTS / 2);
    assert_eq!(storm.world.report().cut, 0);
}

#[test]
fn a_few_clients_are_not_kept_waiting_and_keep_their_reconnection_time() {
    let storm = Storm::with(|config| config.shutdown_spread = Default::default());
    let mut clients = storm.clients();
    storm.world.handle.shut_down();
    assert_eq!(storm.advance(Duration::ZERO, &mut clients), CLIENTS);
    assert!(clients.iter().all(|client| known(client).retry.is_none()));
}

#[test]
fn a_client_that_does_not_read_is_cut_at_the_deadline() {
    let storm = Storm::new();
    let mut blocked = storm.world.sim.connect_over(512).unwrap();
    blocked.get("/");
    storm.world.sim.settle();
    let mut clients = storm.clients();
    storm.topic.publish("x".repeat(100_000)).unwrap();
    assert_eq!(storm.advance(Duration::ZERO, &mut clients), 0);
    storm.world.handle.shut_down();
    assert_eq!(storm.advance(secs(5), &mut clients), CLIENTS);
    assert!(storm.world.serving.take().is_none());
    storm.world.sim.advance(secs(5));
    assert_eq!(storm.world.report().cut, 1);
    assert_eq!(storm.world.sim.live_tasks(), 0);
}

#[cfg(feature = "http-body")]
#[test]
fn an_embedding_spreads_its_streams_in_the_same_way() {
    use crate::embedding::harness::{Reader, World, get, now};

    let world = World::with(|config| config.shutdown_spread.per_second = 10);
    let topic = Topic::on(world.sim.clone(), TopicConfig::default());
    let readers: Vec<Reader> = (0..CLIENTS)
        .map(|_| {
            let (topic, journal) = (topic.clone(), world.journal.clone());
            let handler = move |request: Request| {
                journal.watch_clean_up(&request);
                topic.resume(&request)
            };
            let response = now(&world.sim, world.embedding.respond(get("/"), None, handler));
            Reader::start(&world.sim, response.into_body())
        })
        .collect();
    let shutdown = world.sim.start(world.embedding.shut_down());
    world.sim.advance(secs(2));
    topic.publish("meanwhile").unwrap();
    let ended = CLIENTS - world.embedding.open();
    assert!((5..CLIENTS - 5).contains(&ended), "{ended}");
    world.sim.advance(secs(3));
    assert_eq!(shutdown.take(), Some(0));
    let reasons = vec!["clean-up: the server was shut down"; CLIENTS];
    assert_eq!(world.journal.lines(), reasons);

    let texts: BTreeSet<_> = readers.iter().map(Reader::text).collect();
    assert!(texts.len() > CLIENTS / 2, "each has a time of its own");
    let went_on = texts.iter().filter(|text| text.contains("meanwhile"));
    assert!(went_on.count() > 5);
    for (reader, text) in readers.iter().map(|reader| (reader, reader.text())) {
        assert!(text.contains("retry: "), "{text}");
        assert_eq!(reader.job.take(), Some(Ok(())), "a proper end");
    }
}
