//! One timer for whatever deadline a state machine has.

use std::{
    task::{Context, Poll},
    time::Instant,
};

use super::{Runtime, Timer};

/// A timer that follows a deadline. It is only ever moved to an earlier one; when it elapses
/// early, the task that it wakes asks the machine for the real one.
pub(crate) struct Alarm<R: Runtime> {
    timer: Option<R::Timer>,
    /// What the timer is set to.
    armed: Option<Instant>,
    /// The timer knows whom to wake.
    has_task: bool,
}

impl<R: Runtime> Alarm<R> {
    pub(crate) fn new() -> Self {
        Self {
            timer: None,
            armed: None,
            has_task: false,
        }
    }

    /// Whether the task that polled last is woken at `deadline` without polling again. Most wake-ups
    /// are none of the timer's, and looking at it costs more than this.
    pub(super) fn will_wake(&self, deadline: Option<Instant>, now: Instant) -> bool {
        match (deadline, self.armed) {
            (None, _) => true,
            (Some(deadline), Some(armed)) => self.has_task && now < armed && armed <= deadline,
            (Some(_), None) => false,
        }
    }

    /// The next poll may come from another task.
    pub(super) fn forget_task(&mut self) {
        self.has_task = false;
    }

    /// Ready when the timer elapses, which is at `deadline` at the latest; without one, never.
    pub(crate) fn poll(
        &mut self,
        runtime: &R,
        deadline: Option<Instant>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let Some(deadline) = deadline else {
            return Poll::Pending;
        };
        if self.armed.is_none_or(|armed| deadline < armed) {
            self.armed = Some(deadline);
            match &mut self.timer {
                Some(timer) => timer.reset(deadline),
                none => *none = Some(runtime.timer(deadline)),
            }
        }
        match self.timer.as_mut().map(|timer| timer.poll_elapsed(cx)) {
            Some(Poll::Ready(())) => {
                self.armed = None;
                Poll::Ready(())
            }
            _ => {
                self.has_task = true;
                Poll::Pending
            }
        }
    }
}
