//! The state that the connections of a server share, under the model checker `loom`: see
//! `sse-core/tests/loom`.

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
};

use loom::thread;
use sse_core::Budget;

use super::{Connections, Place};
use crate::loom_tasks::{block_on, join, model};

/// Returns two connections of one server.
fn two_places() -> (Arc<Connections>, [Place; 2]) {
    let connections = Arc::<Connections>::default();
    // The default shares the budget of the process.
    connections.set_budget(&Budget::new(1 << 30));
    let places = [(); 2].map(|()| connections.enter(2).unwrap());
    (connections, places)
}

fn wait_for_all_gone(connections: &Connections) {
    let mut all_gone = pin!(connections.all_gone());
    block_on(|cx| all_gone.as_mut().poll(cx));
    assert_eq!(connections.open(), 0);
}

#[test]
fn the_last_of_two_connections_wakes_the_server() {
    model(|| {
        let (connections, places) = two_places();
        let leave = places.map(|place| thread::spawn(move || drop(place)));
        wait_for_all_gone(&connections);
        join(leave);
    });
}

#[test]
fn the_last_connection_wakes_all_tasks_that_wait_for_it() {
    model(|| {
        let (connections, [place, other]) = two_places();
        drop(other);
        let leaves = thread::spawn(move || drop(place));
        let waits = connections.clone();
        let waits = thread::spawn(move || wait_for_all_gone(&waits));
        wait_for_all_gone(&connections);
        leaves.join().unwrap();
        waits.join().unwrap();
    });
}

#[test]
fn no_more_than_the_limit_enter() {
    model(|| {
        let connections = Arc::<Connections>::default();
        connections.set_budget(&Budget::new(1 << 30));
        let enter = [connections.clone(), connections.clone()]
            .map(|connections| thread::spawn(move || connections.enter(1)));
        let places = join(enter);
        assert_eq!(places.iter().flatten().count(), 1);
        drop(places);
        assert!(connections.enter(1).is_some());
    });
}

/// Does what a connection's task does when it is polled: it registers to be woken, and then checks.
fn until_cut(place: &mut Place) {
    let mut is_new = true;
    block_on(|cx: &mut Context<'_>| {
        place.wake_at_shutdown(cx.waker(), is_new);
        is_new = false;
        match place.connections().is_cut() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    });
    assert!(place.connections().shutdown.has_begun());
}

#[test]
fn a_connection_is_woken_for_the_cut_whatever_woke_it_before() {
    model(|| {
        let (connections, [mut place, other]) = two_places();
        let begins = connections.clone();
        let begins = thread::spawn(move || begins.shut_down());
        let cuts = thread::spawn(move || {
            drop(other);
            connections.cut();
        });
        until_cut(&mut place);
        begins.join().unwrap();
        cuts.join().unwrap();
    });
}

#[test]
fn two_connections_are_both_woken_for_the_cut() {
    model(|| {
        let (connections, places) = two_places();
        let cut = places.map(|mut place| thread::spawn(move || until_cut(&mut place)));
        connections.cut();
        join(cut);
    });
}
