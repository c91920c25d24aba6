//! Runs a seed and, if it fails, finds the fewest actions with which it still fails.

use std::{
    cell::Cell,
    panic::{self, AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Once,
    thread,
};

use crate::{scenario::Scenario, tally::Tally, world::World};

/// The number of smaller worlds that are tried.
const TRIES: usize = 2000;

thread_local! {
    /// Whether panics are expected, and print nothing.
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Hides expected panics: handlers panic in these worlds, and so do smaller worlds that are tried.
fn hear_of_unexpected_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let text = info.payload().downcast_ref::<&str>();
            let text = text.copied().unwrap_or_default();
            if !IS_QUIET.get() && !text.contains("expected in this test") {
                before(info);
            }
        }));
    });
}

/// Runs the world of this seed.
///
/// # Panics
///
/// As that world does, after it was made smaller.
pub fn run(seed: u64) -> Tally {
    hear_of_unexpected_panics();
    let scenario = Scenario::draw(seed);
    match attempt(seed, &scenario) {
        Ok(tally) => tally,
        Err(_) => fail(seed, smallest(seed, scenario)),
    }
}

/// Runs a world without output.
fn attempt(seed: u64, scenario: &Scenario) -> thread::Result<Tally> {
    let world = World::new(seed, scenario.clone());
    let before = IS_QUIET.replace(true);
    let result = catch_unwind(AssertUnwindSafe(|| world.run()));
    IS_QUIET.set(before);
    result
}

/// Leaves out actions, as many as possible at a time, for as long as the world fails.
fn smallest(seed: u64, mut scenario: Scenario) -> Scenario {
    let mut tries = 0;
    let mut piece = scenario.actions.len();
    while piece > 0 {
        let mut at = 0;
        let mut is_smaller = false;
        while at < scenario.actions.len() && tries < TRIES {
            tries += 1;
            let mut smaller = scenario.clone();
            let end = smaller.actions.len().min(at + piece);
            smaller.actions.drain(at..end);
            match attempt(seed, &smaller) {
                Ok(_) => at += piece,
                Err(_) => (scenario, is_smaller) = (smaller, true),
            }
        }
        if !is_smaller || piece > 1 {
            piece /= 2;
        }
    }
    scenario
}

/// Runs the world once more, and prints what it does.
fn fail(seed: u64, scenario: Scenario) -> ! {
    eprintln!("seed {seed}, made smaller:");
    scenario.print();
    let world = World::new(seed, scenario);
    let registry = world.around.registry.clone();
    let result = catch_unwind(AssertUnwindSafe(|| world.run()));
    registry.print_past();
    eprintln!("again: SEED={seed} cargo test -p sse-driver --all-features --test simulation");
    match result {
        Err(payload) => resume_unwind(payload),
        Ok(_) => panic!("seed {seed} fails, but not again: it does not replay exactly"),
    }
}
