//! Clients that are woken for their turn, and do not take it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        mpsc::{self, Sender},
    },
    task::{Context, Poll, Wake, Waker},
};

use super::{Permits, Turn};

/// Tells which client was woken.
struct Woken(usize, Sender<usize>);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.1.send(self.0).unwrap();
    }
}

#[test]
fn clients_that_do_not_take_their_turn_hold_up_no_other() {
    const CLIENTS: usize = 1_000;
    let permits = Permits::new(4);
    let (woken, is_woken) = mpsc::channel();
    let poll = |turn: &mut Turn, client: usize| {
        let waker = Waker::from(Arc::new(Woken(client, woken.clone())));
        turn.poll(&Context::from_waker(&waker))
    };
    let mut waiting = BTreeMap::new();
    let mut held = Vec::new();
    for client in 0..CLIENTS {
        let mut turn = permits.turn();
        match poll(&mut turn, client) {
            Poll::Ready(permit) => held.push(permit),
            Poll::Pending => drop(waiting.insert(client, turn)),
        }
    }
    assert_eq!(held.len(), 4);
    held.clear();
    // The connections of some are full, so that they are not polled.
    let is_stuck = |client: usize| client.is_multiple_of(10);
    let mut wake_ups = 0;
    while let Ok(client) = is_woken.try_recv() {
        wake_ups += 1;
        if !is_stuck(client)
            && let Some(mut turn) = waiting.remove(&client)
        {
            match poll(&mut turn, client) {
                Poll::Ready(permit) => drop(permit),
                Poll::Pending => drop(waiting.insert(client, turn)),
            }
        }
    }
    assert!(waiting.keys().all(|client| is_stuck(*client)));
    assert!(wake_ups <= 2 * CLIENTS, "{wake_ups}");
}

#[test]
fn one_client_is_woken_for_one_permit() {
    let permits = Permits::new(1);
    let Poll::Ready(permit) = permits.turn().poll(&Context::from_waker(Waker::noop())) else {
        panic!("a permit is free")
    };
    let (woken, is_woken) = mpsc::channel();
    let mut turns = [permits.turn(), permits.turn()];
    for (client, turn) in turns.iter_mut().enumerate() {
        let waker = Waker::from(Arc::new(Woken(client, woken.clone())));
        assert!(turn.poll(&Context::from_waker(&waker)).is_pending());
    }
    drop(permit);
    assert_eq!(is_woken.try_iter().collect::<Vec<_>>(), [0]);
}
