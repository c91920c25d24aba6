//! The permits of clients that read the log at the same time: a bounded number, given out in the order of
//! asking.

use std::{
    collections::BTreeMap,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use sse_core::internal::sync::{Mutex, MutexGuard, lock};

/// All permits.
#[derive(Debug)]
pub(super) struct Permits {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    free: usize,
    /// The waiting tasks, in the order of asking.
    waiting: BTreeMap<u64, Waker>,
    asked: u64,
}

/// A permit, which is returned when this is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    permits: Arc<Permits>,
}

/// A future that waits for a permit.
#[derive(Debug)]
pub(super) struct Turn {
    permits: Arc<Permits>,
    /// Its number among the waiting ones, if it waits.
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

    /// Wakes the task that has waited longest, if a permit is free.
    ///
    /// A task that was woken may not take its turn for long, because its client's connection is full. If
    /// more than one permit is free, that can be so, and a second task is woken: without it, each such
    /// client would keep a permit from the others.
    fn wake_next(&self) {
        let next = {
            let mut state = lock(&self.state);
            [0, 1].map(|free| match state.free > free {
                true => state.waiting.pop_first(),
                false => None,
            })
        };
        let woken = next.into_iter().flatten();
        woken.for_each(|(_, waker)| waker.wake());
    }
}

impl Turn {
    pub(super) fn poll(&mut self, cx: &Context<'_>) -> Poll<Permit> {
        let mut state = lock(&self.permits.state);
        let first = state.waiting.first_key_value().map(|(first, _)| *first);
        // Tasks that were woken are no longer among the waiting ones.
        let is_next = first.is_none_or(|first| self.number.is_some_and(|number| number <= first));
        if state.free > 0 && is_next {
            take(state, &mut self.number);
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

    /// Takes a permit that is free, also before tasks that have waited longer: they were woken for it, or come
    /// behind such tasks.
    pub(super) fn take_any(&mut self) -> Option<Permit> {
        let state = lock(&self.permits.state);
        if state.free == 0 {
            return None;
        }
        take(state, &mut self.number);
        let permits = self.permits.clone();
        Some(Permit { permits })
    }
}

/// Takes a permit for the task of this number, which waits no longer.
fn take(mut state: MutexGuard<'_, State>, number: &mut Option<u64>) {
    state.free -= 1;
    let waker = number.take().and_then(|it| state.waiting.remove(&it));
    drop(state);
    drop(waker);
}

/// This one may have been woken, and then another one has to be.
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

#[cfg(test)]
mod tests;
