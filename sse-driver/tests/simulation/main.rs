//! The driver in a world that is drawn from a seed: the real exchange, pump, event source, dialer,
//! embedding and TLS, on a runtime that polls and wakes as runtimes may, over a network that delays,
//! cuts and resets.
//!
//! Everything that happens follows from one number, the seed, so that a failure can be seen again.
//! [`chaos`] says what the runtime does, [`wire`] what the network does, [`scenario`] what is going to
//! happen, [`reactor`] when tasks hear of what has arrived.
//!
//! What must hold: [`records`] says what clients may rely on, [`registry`] what clean-up may be told,
//! [`checks`] what is true whenever no task is left to be polled, which is where a lost wake-up shows, and
//! what is left at the end: nothing. In worlds of their own, [`sides`] are tasks that share a TLS
//! connection, one to read and one to write, and [`nodes`] share streams over a log that fails.
//!
//! ```sh
//! cargo test -p sse-driver --all-features --test simulation                   # what CI runs
//! SEED=123 cargo test -p sse-driver --all-features --test simulation          # one seed again
//! MINUTES=10 cargo test --release -p sse-driver --all-features --test simulation -- --nocapture
//! ```
//!
//! A failing seed is [made smaller](shrink), and printed with the world that it makes and the last
//! things that happened in it. `FIRST=1000` has the many begin elsewhere.
#![cfg(feature = "http-body")]
#![allow(unreachable_pub)] // a test has no interface
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // and fails by panicking

mod broken_laws;
mod chaos;
mod checks;
mod clients;
mod foreign;
mod http_client;
mod jobs;
#[allow(dead_code)] // the core's simulation uses all of it
#[path = "../../../sse-core/tests/simulation/laws.rs"]
mod laws;
#[cfg(feature = "event-log")]
mod nodes;
#[allow(dead_code)]
#[path = "../../../sse-core/tests/simulation/payload.rs"]
mod payload;
mod reactor;
mod records;
mod registry;
mod scenario;
mod served;
mod shrink;
#[cfg(feature = "tls")]
mod sides;
#[allow(dead_code, unused_imports)]
#[path = "../sim/mod.rs"]
mod sim;
mod tally;
#[cfg(feature = "tls")]
mod tls;
mod topics;
mod transport;
mod wire;
mod world;

use std::{
    env, iter,
    time::{Duration, Instant},
};

use tally::Tally;

/// The name of the server.
const NAME: &str = "sim.test";

/// The number of seeds that run by default, which takes some seconds in a debug build.
const SEEDS: u64 = 80;

/// Returns the seeds to run, and whether they are those of CI.
fn seeds() -> (Box<dyn Iterator<Item = u64>>, bool) {
    if let Some(seed) = number("SEED") {
        return (Box::new(iter::once(seed)), false);
    }
    let Some(minutes) = number("MINUTES") else {
        return (Box::new(0..SEEDS), true);
    };
    #[allow(clippy::disallowed_methods)] // real time
    let end = Instant::now() + Duration::from_secs(60 * minutes);
    let first = number("FIRST").unwrap_or(SEEDS);
    #[allow(clippy::disallowed_methods)]
    let is_time = move |_: &u64| Instant::now() < end;
    (Box::new((first..).take_while(is_time)), false)
}

fn number(name: &str) -> Option<u64> {
    let value = env::var(name).ok()?;
    let number = value.parse();
    Some(number.unwrap_or_else(|_| panic!("{name} is to be a number")))
}

#[test]
fn nothing_is_lost_silently_on_any_runtime() {
    let mut all = Tally::default();
    let (seeds, is_ci) = seeds();
    seeds.for_each(|seed| all.add(shrink::run(seed)));
    if is_ci {
        // A world in which nothing happens proves nothing.
        all.assert_is_eventful();
    }
    println!("{all}");
}

#[test]
fn a_seed_replays_exactly() {
    for seed in 0..8 {
        assert_eq!(shrink::run(seed), shrink::run(seed), "seed {seed}");
    }
}

#[cfg(feature = "tls")]
#[test]
fn each_side_of_a_tls_connection_hears_of_what_the_other_one_read() {
    let seeds = seeds()
        .0
        .flat_map(|seed| sides::WORLDS * seed..sides::WORLDS * (seed + 1));
    seeds.for_each(sides::run);
}

#[cfg(feature = "event-log")]
#[test]
fn nodes_that_share_streams_agree_whatever_their_log_does() {
    let mut all = nodes::Count::default();
    let (seeds, is_ci) = seeds();
    // Each of these worlds is a large one.
    let most = if is_ci { SEEDS / 2 } else { u64::MAX };
    let seeds = seeds.zip(0..most).map(|(seed, _)| seed);
    seeds.for_each(|seed| all.add(nodes::run(seed)));
    if is_ci {
        for end in [
            "complete",
            "stopped",
            "abandoned",
            "shutdown",
            "lost",
            "dropped",
        ] {
            assert!(all.clean_ups.contains_key(end), "no {end} in {all:?}");
        }
        assert!(all.notices > 0, "{all:?}");
    }
    println!("{all:?}");
}

#[cfg(feature = "event-log")]
#[test]
fn a_seed_of_nodes_replays_exactly() {
    for seed in 0..4 {
        assert_eq!(nodes::run(seed), nodes::run(seed), "seed {seed}");
    }
}
