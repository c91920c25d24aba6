//! How many clients read the log at a time: a bounded number of permits, given in the order of asking.

use std::{
    collections::BTreeMap,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use sse_core::internal::sync::{Mutex, lock};

/// The permits.
#[derive(Debug)]
pub(super) struct Permits {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    free: usize,
    /// Those who wait, in the order of asking.
    waiting: BTreeMap<u64, Waker>,
    asked: u64,
}

/// One of them, which is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    permits: Arc<Permits>,
}

/// Waits for one.
#[derive(Debug)]
pub(super) struct Turn {
    permits: Arc<Permits>,
    /// Its place among those who wait, where it does.
    number: Option<u64>,
}

impl Permits {
    pub(super) fn new(count: usize) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                free: count.max(1),
                waiting: BTreeMap::new(),
                asked: 0,
            }),
        })
    }

    pub(super) fn turn(self: &Arc<Self>) -> Turn {
        Turn {
            permits: self.clone(),
            number: None,
        }
    }

    /// Wakes the one that waits for the longest time, where a permit is free.
    fn wake_next(&self) {
        let next = {
            let mut state = lock(&self.state);
            match state.free > 0 {
                true => state.waiting.pop_first(),
                false => None,
            }
        };
        next.into_iter().for_each(|(_, waker)| waker.wake());
    }
}

impl Turn {
    pub(super) fn poll(&mut self, cx: &Context<'_>) -> Poll<Permit> {
        let mut state = lock(&self.permits.state);
        let first = state.waiting.first_key_value().map(|(first, _)| *first);
        // Those that were woken are no longer among those who wait.
        let is_next = first.is_none_or(|first| self.number.is_some_and(|number| number <= first));
        if state.free > 0 && is_next {
            state.free -= 1;
            let waker = self.number.take().and_then(|it| state.waiting.remove(&it));
            drop(state);
            drop(waker);
            let permits = self.permits.clone();
            return Poll::Ready(Permit { permits });
        }
        let number = match self.number {
            Some(number) => number,
            None => {
                state.asked += 1;
                state.asked
            }
        };
        self.number = Some(number);
        let before = state.waiting.insert(number, cx.waker().clone());
        drop(state);
        drop(before);
        Poll::Pending
    }
}

/// It may have been woken, and then another one is to be.
impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            let waker = lock(&self.permits.state).waiting.remove(&number);
            if waker.is_none() {
                self.permits.wake_next();
            }
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        lock(&self.permits.state).free += 1;
        self.permits.wake_next();
    }
}
