//! The follower under every order of the possible steps.

use sse_models::follower::FollowerModel;
use stateright::{Checker, HasDiscoveries, Model};

/// Asserts that a model has no fault, and returns the number of its states.
fn check(model: FollowerModel) -> usize {
    let checker = model.checker().threads(2).spawn_bfs().join();
    checker.assert_no_discovery("in order or counted");
    checker.assert_no_discovery("it comes to the end");
    println!("{} states", checker.unique_state_count());
    checker.unique_state_count()
}

#[test]
fn with_trims_epochs_and_losses_every_event_is_delivered_in_order_or_counted() {
    let model = FollowerModel::new(true);
    let checker = model.checker().threads(2).spawn_bfs().join();
    println!("{} states", checker.unique_state_count());
    // The log does drop events and begin new epochs in this model.
    checker.assert_properties();
}

#[test]
fn bells_in_every_order_deliver_every_event_once() {
    let mut model = FollowerModel::new(true);
    (model.appends, model.epochs, model.losses, model.trims) = (3, 0, 1, false);
    check(model);
}

#[test]
fn without_looks_at_the_tails_the_model_finds_the_lost_last_event() {
    let mut model = FollowerModel::new(false);
    (model.epochs, model.losses, model.trims) = (0, 0, false);
    let checker = model.checker().threads(2);
    let checker = checker
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let path = checker.discovery("it comes to the end");
    let path = path.expect("a way to a follower that misses the last event");
    for action in path.into_actions() {
        println!("{action:?}");
    }
    assert!(checker.discovery("in order or counted").is_none());
}
