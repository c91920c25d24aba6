//! A reactor that polls the links now and then: until it does, arrived bytes can be read, and no task is
//! woken for them. For bytes that a task has read by then, no other task is woken.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use fastrand::Rng;

use crate::wire::{Link, Side};

pub struct Reactor {
    /// The share of arrivals that the reactor does not see at once.
    late: f64,
    state: Mutex<State>,
}

struct State {
    rng: Rng,
    unseen: Vec<(Weak<Link>, Side)>,
}

impl Reactor {
    pub fn new(seed: u64, late: f64) -> Arc<Self> {
        let state = State {
            rng: Rng::with_seed(seed),
            unseen: Vec::new(),
        };
        Arc::new(Self {
            late,
            state: Mutex::new(state),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records an arrival at this side.
    pub fn arrived(&self, link: &Arc<Link>, side: Side) {
        let is_unseen = {
            let mut state = self.state();
            let is_unseen = state.rng.f64() < self.late;
            if is_unseen {
                state.unseen.push((Arc::downgrade(link), side));
            }
            is_unseen
        };
        if !is_unseen {
            link.wake_receiver(side);
        }
    }

    /// Polls the new arrivals, and returns whether there were any.
    pub fn look(&self) -> bool {
        let unseen = {
            let mut state = self.state();
            let mut unseen = std::mem::take(&mut state.unseen);
            state.rng.shuffle(&mut unseen);
            unseen
        };
        let is_something = !unseen.is_empty();
        for (link, side) in unseen {
            let Some(link) = link.upgrade() else {
                continue;
            };
            if link.state().to(side).has_news() {
                link.wake_receiver(side);
            }
        }
        is_something
    }
}
