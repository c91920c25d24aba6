//! Settings of no time at all, and of more time than there is: nothing panics, and nothing goes on without
//! a pause.

use std::time::Duration;

use futures_util::stream;
use sse_core::{client::EventSourceConfig, server::ConnectionConfig};
use sse_driver::{Lifetime, ResumableStreams, ServerConfig, router::Router};

use crate::{
    harness::{Feed, Journal, World, secs},
    sim::Sim,
    subscriber::{Subscriber, source_with},
};

/// Nothing, hardly anything, almost more than an instant can hold, and more than that.
const EXTREMES: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_nanos(1),
    Duration::from_secs(u64::MAX / 4),
    Duration::MAX,
];

/// The number of polls in a minute that is no loop without a pause.
const FEW: u64 = 50_000;

fn connection(time: Duration) -> ConnectionConfig {
    let mut config = ConnectionConfig::default();
    config.head_timeout = time;
    config.stall_timeout = time;
    config.drain_timeout = time;
    config.linger_timeout = time;
    config.response.body_timeout = time;
    config.response.respond_timeout = time;
    config.response.keep_alive = Some(time);
    config.response.fail_delay = time;
    config
}

#[test]
fn a_server_takes_settings_of_any_length() {
    for time in EXTREMES {
        let mut config = ServerConfig::default();
        config.connection = connection(time);
        config.max_connections = 2;
        config.max_retry_after = time;
        config.shutdown_timeout = time;
        config.shutdown_spread.ends = time;
        config.shutdown_spread.retry = time;
        for lifetime in [None, Some(Lifetime::at_most(time).with_jitter(time))] {
            config.lifetime = lifetime;
            let (feed, journal) = (Feed::default(), Journal::default());
            let router = Router::new().events("/feed", feed.handler(&journal));
            let world = World::with_config(config.clone(), router);
            let before = world.sim.polls();
            let mut silent = world.connect();
            let mut reader = world.get("/feed");
            let turned_away = world.get("/feed");
            feed.push("one");
            world.advance(secs(30), &mut reader);
            feed.fail("it broke");
            world.advance(secs(1), &mut reader);
            world.handle.shut_down();
            world.advance(secs(29), &mut silent);
            drop((silent, reader, turned_away));
            world.sim.advance(secs(1));
            let polls = world.sim.polls() - before;
            assert!(polls < FEW, "{time:?} {lifetime:?}: {polls}");
            assert!(world.serving.take().is_some(), "{time:?} {lifetime:?}");
        }
    }
}

#[cfg(feature = "http-body")]
#[test]
fn an_embedding_takes_settings_of_any_length() {
    use crate::embedding::harness::{World, get};

    for time in EXTREMES {
        let world = World::with(|config| {
            config.response = connection(time).response;
            config.max_retry_after = time;
            config.shutdown_timeout = time;
            config.shutdown_spread.ends = time;
            config.shutdown_spread.retry = time;
            config.lifetime = Some(Lifetime::at_most(time));
        });
        let before = world.sim.polls();
        let handler = world.feed.handler(&world.journal);
        let answer = world.embedding.respond(get("/"), None, handler);
        let answer = world.sim.start(answer);
        world.sim.advance(secs(1));
        let response = answer.take().expect("an answer");
        let reader = crate::embedding::harness::Reader::start(&world.sim, response.into_body());
        world.feed.push("one");
        world.sim.advance(secs(30));
        world.feed.fail("it broke");
        world.sim.advance(secs(29));
        drop(reader);
        let polls = world.sim.polls() - before;
        assert!(polls < FEW, "{time:?}: {polls}");
    }
}

fn patience(config: &mut EventSourceConfig, time: Duration) {
    config.prepare_timeout = time;
    config.connect_timeout = time;
    config.head_timeout = time;
    config.idle_timeout = Some(time);
    config.probe_after = Some(time);
    if let Some(reconnection) = &mut config.reconnection {
        reconnection.time = time;
        reconnection.floor = time;
        reconnection.ceiling = time;
        reconnection.settled_after = time;
    }
}

#[test]
fn an_event_source_takes_settings_of_any_length() {
    for time in EXTREMES {
        // Each stream ends at once.
        let router = Router::new().events("/feed", |_| stream::iter(["one"]));
        let world = World::new(router);
        let before = world.sim.polls();
        let source = source_with(&world.sim, "/feed", |config| patience(config, time));
        let handle = source.handle();
        let subscriber = Subscriber::new(&world.sim, source);
        world.sim.advance(secs(1));
        handle.pause();
        handle.reconnect();
        world.sim.advance(secs(1));
        handle.resume();
        world.sim.advance(secs(1));
        let polls = world.sim.polls() - before;
        assert!(polls < FEW, "{time:?}: {polls}");
        handle.close();
        world.sim.settle();
        assert!(subscriber.job.take().is_some(), "{time:?}");
    }
}

#[test]
fn streams_that_outlive_their_connections_take_settings_of_any_length() {
    for time in EXTREMES {
        let sim = Sim::new();
        let mut config = sse_core::topic::resumable::ResumableConfig::default();
        config.topic.max_age = Some(time);
        config.grace = Some(time);
        config.retention = time;
        config.shutdown_grace = Some(time);
        let streams = ResumableStreams::on(sim.clone(), config);
        let before = sim.polls();
        let _short = streams.start("short", |_| stream::iter(["one"])).unwrap();
        let _long = streams
            .start("long", |_| stream::pending::<&str>())
            .unwrap();
        sim.advance(secs(60));
        let polls = sim.polls() - before;
        assert!(polls < 100, "{time:?}: {polls}");
    }
}
