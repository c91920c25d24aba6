//! A budget that connections and topics share.

use loom::thread;
use sse_core::{Budget, BudgetUse, internal::Holding};

use crate::tasks::{join, model};

#[test]
fn two_bodies_never_get_more_than_their_quarter() {
    model(|| {
        let budget = Budget::new(1000);
        let threads = [budget.clone(), budget.clone()].map(|budget| {
            thread::spawn(move || {
                let mut body = budget.reserve(Holding::Body);
                let grown = body.try_grow(200);
                assert!(budget.used().bodies <= 250, "{budget:?}");
                grown.then_some(body)
            })
        });
        let bodies = join(threads);
        assert_eq!(bodies.iter().flatten().count(), 1);
        drop(bodies);
        assert_eq!(budget.used(), BudgetUse::default());
        assert!(budget.reserve(Holding::Body).try_grow(250));
    });
}

#[test]
fn bytes_that_did_not_fit_into_the_whole_are_not_counted() {
    model(|| {
        let budget = Budget::new(1000);
        let mut queue = budget.reserve(Holding::Queue);
        queue.resize(600);
        let threads = [(Holding::Body, 250), (Holding::History, 250)].map(|(holding, bytes)| {
            let budget = budget.clone();
            thread::spawn(move || {
                let mut reservation = budget.reserve(holding);
                reservation.try_grow(bytes).then_some(reservation)
            })
        });
        let reservations = join(threads);
        let reserved: usize = reservations.iter().flatten().map(|r| r.bytes()).sum();
        assert_eq!(reserved, 250);
        assert_eq!(budget.used().total(), 850);
        drop((queue, reservations));
        assert_eq!(budget.used(), BudgetUse::default());
        assert!(!budget.is_exhausted());
    });
}

#[test]
fn shared_bytes_are_given_back_by_the_last_of_two_threads() {
    model(|| {
        let budget = Budget::new(1 << 20);
        let mut reservation = budget.reserve(Holding::History);
        reservation.resize(Budget::GRANULE);
        let bytes = reservation.hold(vec![0; Budget::GRANULE]);
        let threads = [bytes.clone(), bytes].map(|bytes| thread::spawn(move || drop(bytes)));
        join(threads);
        assert_eq!(budget.used(), BudgetUse::default());
    });
}
