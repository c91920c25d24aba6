//! Nodes that share a stream, under every order of the possible steps.

use std::time::Duration;

use sse_models::member::MemberModel;
use stateright::{Checker, HasDiscoveries, Model};

/// Asserts that a model has no fault, and that a producer starts in it.
fn check(change: impl FnOnce(&mut MemberModel)) {
    let mut model = MemberModel::new();
    change(&mut model);
    let bounds = model.clone();
    let checker = model.checker().threads(2).spawn_bfs().join();
    println!("{} states", checker.unique_state_count());
    if let Some(path) = checker.discovery("it comes to an end") {
        println!("{:?}", path.last_state().fault_in_the_end(&bounds));
    }
    checker.assert_properties();
}

#[test]
fn a_name_that_two_nodes_start_has_one_start_whatever_becomes_of_the_claims() {
    check(|model| (model.failures, model.epochs, model.seconds) = (1, 1, 1));
}

#[test]
fn a_claim_that_is_lost_is_not_waited_for_without_end() {
    check(|model| {
        (model.starters, model.nodes) = (1, 1);
        (model.failures, model.epochs, model.seconds) = (2, 2, 4);
    });
}

#[test]
fn a_stream_whose_owner_dies_or_pauses_has_one_end() {
    check(|model| {
        model.is_started = true;
        (model.starters, model.deaths, model.seconds) = (1, 1, 4);
        model.finishes = true;
    });
}

#[test]
fn an_end_that_the_log_does_not_take_comes_later() {
    check(|model| {
        model.is_started = true;
        (model.starters, model.failures, model.stops) = (1, 2, 1);
        (model.finishes, model.seconds) = (true, 1);
    });
}

#[test]
fn of_two_stops_and_an_end_at_once_one_counts_with_one_reason() {
    check(|model| {
        model.is_started = true;
        (model.starters, model.stops, model.finishes) = (1, 2, true);
        model.epochs = 1;
    });
}

#[test]
fn where_no_node_takes_silence_for_an_end_the_model_finds_the_stream_without_one() {
    let mut model = MemberModel::new();
    model.is_started = true;
    (model.starters, model.deaths) = (1, 1);
    // Much longer than the time after which the model expects an end.
    model.config.lease = Duration::from_secs(3600);
    let checker = model.checker().threads(2);
    let checker = checker
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let path = checker.discovery("it comes to an end");
    let path = path.expect("a way to a stream without an end");
    for action in path.into_actions() {
        println!("{action:?}");
    }
    assert!(checker.discovery("one start and one end").is_none());
}
