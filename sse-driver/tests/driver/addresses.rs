//! Hosts with several addresses, some of which are out of reach.

use std::{net::SocketAddr, time::Duration};

use sse_core::client::EventSourceConfig;
use sse_driver::{EventSource, router::Router};

use crate::{
    harness::{World, secs},
    sim::{Job, NO_HOST, NO_HOST_IPV6, SERVER, Sim},
};

fn world(addresses: &[SocketAddr]) -> World {
    let hello = |_| futures_util::stream::iter(["hello"]);
    let world = World::new(Router::new().events("/", hello));
    world.sim.set_addresses(addresses);
    world
}

/// Returns the first event, or why there is none.
fn ask(sim: &Sim) -> Job<String> {
    let mut config = EventSourceConfig::default();
    config.reconnection = None;
    let mut source = EventSource::<Sim>::on(sim.clone(), "http://sim/", config).unwrap();
    sim.start(async move {
        match source.next().await.expect("something") {
            Ok(event) => event.data().to_owned(),
            Err(error) => error.to_string(),
        }
    })
}

/// An address that the network cannot reach.
fn unreachable(number: u8) -> SocketAddr {
    SocketAddr::from(([203, 0, 113, number], 80))
}

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn an_address_that_answers_is_the_only_one_that_is_dialed() {
    let world = world(&[SERVER, NO_HOST]);
    let job = ask(&world.sim);
    world.sim.advance(secs(20));
    assert_eq!(job.take().as_deref(), Some("hello"));
    assert_eq!(world.sim.dialed(), [(0, SERVER)]);
    assert_eq!(world.sim.live_timers(), 0);
}

#[test]
fn an_address_that_does_not_answer_delays_no_other() {
    let world = world(&[NO_HOST_IPV6, SERVER]);
    let job = ask(&world.sim);
    world.sim.advance(millis(249));
    assert!(job.take().is_none());
    world.sim.advance(millis(1));
    assert_eq!(job.take().as_deref(), Some("hello"));
    assert_eq!(world.sim.dialed(), [(0, NO_HOST_IPV6), (250, SERVER)]);
}

#[test]
fn after_one_that_fails_the_next_is_dialed_at_once() {
    let world = world(&[unreachable(1), unreachable(2), SERVER]);
    let job = ask(&world.sim);
    world.sim.settle();
    assert_eq!(job.take().as_deref(), Some("hello"));
    assert_eq!(world.sim.dialed().len(), 3);
}

#[test]
fn ipv6_and_ipv4_take_turns() {
    // All addresses of one family come first, and none of them answers.
    let world = world(&[NO_HOST_IPV6, NO_HOST_IPV6, NO_HOST_IPV6, SERVER]);
    let job = ask(&world.sim);
    world.sim.advance(millis(250));
    assert_eq!(job.take().as_deref(), Some("hello"));
}

#[test]
fn the_last_failure_is_told_once_all_have_failed() {
    let world = world(&[unreachable(1), unreachable(2)]);
    let job = ask(&world.sim);
    world.sim.settle();
    let text = job.take().expect("it failed");
    assert!(text.contains("unreachable"), "{text}");

    world.sim.set_addresses([]);
    let job = ask(&world.sim);
    world.sim.settle();
    let text = job.take().expect("it failed");
    assert!(text.contains("the host has no address"), "{text}");
}

#[test]
fn each_attempt_asks_for_the_addresses_anew() {
    // The server moves while the event source waits, as behind a load balancer or a new lease.
    let world = world(&[unreachable(1)]);
    let mut source = EventSource::<Sim>::on(
        world.sim.clone(),
        "http://sim/",
        EventSourceConfig::default(),
    )
    .unwrap();
    let job = world.sim.start(async move { source.next().await });
    world.sim.settle();
    assert!(job.take().is_none());
    world.sim.set_addresses([SERVER]);
    world.sim.advance(secs(10));
    let event = job.take().flatten().expect("an event").expect("no failure");
    assert_eq!(event.data(), "hello");
}

#[test]
fn one_deadline_holds_for_all_and_only_so_many_are_tried() {
    let world = world(&[NO_HOST; 100]);
    let job = ask(&world.sim);
    world.sim.advance(secs(30));
    let text = job.take().expect("it took too long");
    assert!(text.contains("connecting took too long"), "{text}");
    let dialed = world.sim.dialed();
    assert_eq!(dialed.len(), 16);
    assert_eq!(dialed.last(), Some(&(15 * 250, NO_HOST)));
    // Nothing is left of them.
    assert_eq!(world.sim.live_timers(), 0);
}

#[test]
fn each_has_a_head_start_of_its_own() {
    let world = world(&[NO_HOST, NO_HOST, SERVER]);
    let job = ask(&world.sim);
    world.sim.advance(millis(499));
    assert!(job.take().is_none());
    world.sim.advance(millis(1));
    assert_eq!(job.take().as_deref(), Some("hello"));
}
