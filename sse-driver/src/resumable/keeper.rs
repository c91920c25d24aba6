//! The task that watches the deadlines of all streams.

use std::{
    future::Future,
    pin::Pin,
    sync::Weak,
    task::{Context, Poll},
};

use sse_core::internal::sync::lock;

use super::shared::{KeeperState, Shared};
use crate::{Runtime, alarm::Alarm};

/// The task lives for as long as there are streams. The next stream that is started then spawns another
/// one.
pub(super) struct Keeper<R: Runtime> {
    runtime: R,
    shared: Weak<Shared>,
    alarm: Alarm<R>,
    is_over: bool,
}

impl<R: Runtime> Keeper<R> {
    pub(super) fn new(runtime: R, shared: Weak<Shared>) -> Self {
        Self {
            runtime,
            shared,
            alarm: Alarm::new(),
            is_over: false,
        }
    }
}

impl<R: Runtime> Future for Keeper<R> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        loop {
            let Some(shared) = this.shared.upgrade() else {
                this.is_over = true;
                return Poll::Ready(());
            };
            shared.act(|table, now| table.handle_timeout(now));
            let deadline = {
                let mut state = lock(shared.state());
                if state.table.is_empty() {
                    this.is_over = true;
                    state.keeper = KeeperState::Absent;
                    return Poll::Ready(());
                }
                let deadline = state.table.poll_timeout();
                let waits = KeeperState::Waits(cx.waker().clone(), deadline);
                let before = std::mem::replace(&mut state.keeper, waits);
                drop(state);
                // This must not happen under the lock: it may drop the last handle of a task.
                drop(before);
                deadline
            };
            // The task must not hold the streams while it waits, because dropping the last handle ends
            // it.
            drop(shared);
            if this.alarm.poll(&this.runtime, deadline, cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

/// The runtime was shut down: there is no keeper until another runtime starts a stream.
impl<R: Runtime> Drop for Keeper<R> {
    fn drop(&mut self) {
        if !self.is_over
            && let Some(shared) = self.shared.upgrade()
        {
            let waits = std::mem::replace(&mut lock(shared.state()).keeper, KeeperState::Absent);
            drop(waits);
        }
    }
}
