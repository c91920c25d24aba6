//! Several nodes, one log, cold nodes, and clients that move between them, in virtual time.
//!
//! Everything follows from one number, the seed. `SEED=123` runs one world again, and `WORLDS=10000` runs
//! that many.

mod client;
mod node;
mod scenario;
mod world;

use std::{env, fmt, thread};

use scenario::Scenario;
use world::World;

/// The default number of worlds, which takes some seconds in a debug build.
const WORLDS: u64 = 150;

/// Counts of what happened in all worlds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Tally {
    published: u64,
    received: u64,
    resumed_elsewhere: u64,
    pages_of_clients: u64,
    pages_of_nodes: u64,
    gaps: u64,
    unknown: u64,
    lost_bells: u64,
    cold_starts: u64,
    waits_for_cold_nodes: u64,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        let Self {
            published,
            received,
            resumed_elsewhere,
            pages_of_clients,
            pages_of_nodes,
            gaps,
            unknown,
            lost_bells,
            cold_starts,
            waits_for_cold_nodes,
        } = other;
        self.published += published;
        self.received += received;
        self.resumed_elsewhere += resumed_elsewhere;
        self.pages_of_clients += pages_of_clients;
        self.pages_of_nodes += pages_of_nodes;
        self.gaps += gaps;
        self.unknown += unknown;
        self.lost_bells += lost_bells;
        self.cold_starts += cold_starts;
        self.waits_for_cold_nodes += waits_for_cold_nodes;
    }

    /// Checks that enough happened: a world without events proves nothing.
    fn assert_is_eventful(&self) {
        let counts = [
            self.published,
            self.received,
            self.resumed_elsewhere,
            self.pages_of_clients,
            self.pages_of_nodes,
            self.gaps,
            self.unknown,
            self.lost_bells,
            self.cold_starts,
            self.waits_for_cold_nodes,
        ];
        assert!(counts.iter().all(|count| *count > 20), "{self}");
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:#?}")
    }
}

/// Prints what is needed to repeat a failure.
struct Witness(u64);

impl Drop for Witness {
    fn drop(&mut self) {
        if thread::panicking() {
            let seed = self.0;
            eprintln!(
                "again: SEED={seed} cargo test -p sse-core --all-features --test follower nodes"
            );
            eprintln!("{:#?}", Scenario::draw(seed));
        }
    }
}

fn run(seed: u64) -> Tally {
    let _witness = Witness(seed);
    World::new(seed, Scenario::draw(seed)).run()
}

fn number(name: &str) -> Option<u64> {
    Some(env::var(name).ok()?.parse().expect(name))
}

#[test]
fn a_client_gets_every_event_once_from_any_node_or_is_told() {
    let mut all = Tally::default();
    if let Some(seed) = number("SEED") {
        all.add(&run(seed));
    } else {
        (0..number("WORLDS").unwrap_or(WORLDS)).for_each(|seed| all.add(&run(seed)));
        all.assert_is_eventful();
    }
    println!("{all}");
}

#[test]
fn a_log_that_keeps_everything_causes_no_notice() {
    let mut all = Tally::default();
    for seed in 0..40 {
        let _witness = Witness(seed);
        let mut scenario = Scenario::draw(seed);
        (scenario.keep, scenario.epochs) = (None, 0);
        all.add(&World::new(seed, scenario).run());
    }
    assert_eq!((all.gaps, all.unknown), (0, 0), "{all}");
    assert!(all.received > 1_000 && all.pages_of_clients > 100, "{all}");
}

#[test]
fn a_seed_replays_exactly() {
    for seed in 0..5 {
        assert_eq!(run(seed), run(seed), "seed {seed}");
    }
}

#[test]
#[should_panic(expected = "not everything came to the end")]
fn without_looks_the_last_event_is_missed() {
    let mut scenario = Scenario::draw(1);
    scenario.follower.look_every = None;
    (scenario.outages, scenario.restarts, scenario.epochs) = (0, 0, 0);
    scenario.bells_lost = 1.0;
    World::new(1, scenario).run();
}
