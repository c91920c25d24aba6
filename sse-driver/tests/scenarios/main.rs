//! One table of scenarios, run behind every host of a reply: over a connection of the server, as an
//! embedded response's body, and for the test client.
//!
//! Each [`Scenario`] has a handler's response, the steps that follow, and the expected results: what the
//! client receives, what clean-up gets, and when the handler's code is dropped. Where one way differs,
//! the table says so and says whether that should stay; `scenarios.md` beside this file is generated from
//! it. A second, unrelated response is open all the time, and must not be affected.
#![cfg(all(feature = "http-body", feature = "test-client"))]
#![allow(unreachable_pub)] // a test has no interface
#![allow(clippy::unwrap_used, clippy::expect_used)] // and fails by panicking

#[allow(dead_code)] // the driver's tests use all of it
#[path = "../driver/harness.rs"]
mod harness;
mod page;
mod run;
mod scenario;
#[allow(dead_code, unused_imports)]
#[path = "../sim/mod.rs"]
mod sim;
mod table;
mod ways;

use scenario::{Scenario, Seen, Verdict};
use ways::{Reading, Way};

/// Compares the results of one way with the table. A difference in the table has to occur: once it is
/// gone, its row has to go, too.
fn judge(way: Way, reading: Reading, scenario: &Scenario) -> Result<(), String> {
    let seen = run::run(way, reading, scenario);
    let known = scenario.differences.iter().find(|known| known.way == way);
    let expected = match known {
        Some(known) => match &known.verdict {
            Verdict::Lacks(_) => return Ok(()),
            Verdict::Stays(_) | Verdict::ToMend(_) => &known.seen,
        },
        None => &scenario.expected,
    };
    // Unknown results are not compared.
    let is_known = |line: &&String| !line.starts_with("counted") || way != Way::TestClient;
    let same = |expected: &Seen| match seen.iter().all(|line| is_known(&line)) {
        true => expected.iter().filter(is_known).eq(&seen),
        false => *expected == seen,
    };
    if same(expected) {
        return Ok(());
    }
    let now = match known {
        Some(_) if same(&scenario.expected) => "\nIt agrees now: take the difference out.",
        _ => "",
    };
    let name = scenario.name;
    Err(format!(
        "{name}, {way}, {reading:?}:\n  expected {expected:#?}\n  seen {seen:#?}{now}"
    ))
}

fn judge_all(way: Way) {
    let scenarios = table::scenarios();
    let failures: Vec<String> = way
        .readings()
        .iter()
        .flat_map(|reading| scenarios.iter().map(move |scenario| (*reading, scenario)))
        .filter_map(|(reading, scenario)| judge(way, reading, scenario).err())
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn the_table_holds_over_a_connection() {
    judge_all(Way::Connection);
}

#[test]
fn the_table_holds_where_embedded() {
    judge_all(Way::Embedding);
}

#[test]
fn the_table_holds_for_the_test_client() {
    judge_all(Way::TestClient);
}

#[test]
fn no_two_scenarios_have_one_name() {
    let scenarios = table::scenarios();
    let mut names: Vec<_> = scenarios.iter().map(|scenario| scenario.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), scenarios.len());
}
