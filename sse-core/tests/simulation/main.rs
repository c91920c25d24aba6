//! The whole system without a socket: event sources against server connections and a topic, over a
//! network that cuts, delays, resets and goes silent, in virtual time.
//!
//! Everything follows from one number, the seed, so that a failure can be repeated. The state machines
//! themselves are driven; [`server`] and [`client`] take the place of the driver and the runtime.
//! [`laws`] has the guarantees for clients, [`evidence`] the reasons to close a connection, [`trouble`]
//! the faults.
//!
//! ```sh
//! cargo test -p sse-core --test simulation                                    # what CI runs
//! SEED=123 cargo test -p sse-core --test simulation                           # one seed again
//! MINUTES=10 cargo test --release -p sse-core --test simulation -- --nocapture  # many more
//! ```
//!
//! A failing seed is printed with its world and the last steps in it. `FIRST=1000` sets the first of many
//! seeds, and `CROWD=123` the seed of the thousands.
#![cfg(all(feature = "client", feature = "server"))]
#![allow(clippy::disallowed_methods)] // an `Instant` has to come from somewhere
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used)] // that is how a test fails

mod agenda;
mod broken_laws;
mod client;
mod elsewhere;
mod evidence;
mod laws;
mod network;
mod payload;
mod pipe;
mod scenario;
mod served;
mod server;
mod tally;
mod trouble;
mod world;

use std::{
    env, thread,
    time::{Duration, Instant},
};

use scenario::Scenario;
use tally::Tally;
use world::World;

/// The default number of seeds, which takes some seconds in a debug build.
const SEEDS: u64 = 80;

/// Prints what is needed to repeat a failure.
struct Witness(String);

impl Drop for Witness {
    fn drop(&mut self) {
        if thread::panicking() {
            let again = &self.0;
            eprintln!("again: {again} cargo test -p sse-core --test simulation");
        }
    }
}

fn run(seed: u64) -> Tally {
    let _witness = Witness(format!("SEED={seed}"));
    World::new(seed, Scenario::draw(seed)).run()
}

fn number(name: &str) -> Option<u64> {
    let value = env::var(name).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name} is to be a number")),
    )
}

#[test]
fn nothing_is_lost_silently_on_any_network() {
    let mut all = Tally::default();
    if let Some(seed) = number("SEED") {
        all.add(run(seed));
    } else if let Some(minutes) = number("MINUTES") {
        let end = Instant::now() + Duration::from_secs(60 * minutes);
        let first = number("FIRST").unwrap_or(SEEDS);
        (first..)
            .take_while(|_| Instant::now() < end)
            .for_each(|seed| all.add(run(seed)));
    } else {
        (0..SEEDS).for_each(|seed| all.add(run(seed)));
        // A world in which nothing happens proves nothing.
        all.assert_is_eventful();
    }
    println!("{all}");
}

#[test]
fn thousands_of_clients_come_and_go() {
    let seed = number("CROWD").unwrap_or(1);
    let _witness = Witness(format!("CROWD={seed}"));
    let mut scenario = Scenario::draw(seed);
    scenario.become_a_crowd(2000);
    let tally = World::new(seed, scenario).run();
    assert!(tally.connections > 2000, "{tally}");
    println!("{tally}");
}

#[test]
fn a_seed_replays_exactly() {
    for seed in 0..10 {
        assert_eq!(run(seed), run(seed), "seed {seed}");
    }
}
