//! One timer for whatever deadline a state machine has.

use std::{
    task::{Context, Poll},
    time::Instant,
};

use super::{Runtime, Timer};

/// A timer that follows a deadline. It is only ever moved to an earlier one; when it elapses
/// early, whoever is woken asks the machine for the real one.
pub(crate) struct Alarm<R: Runtime> {
    timer: Option<R::Timer>,
    /// What the timer is set to.
    armed: Option<Instant>,
}

impl<R: Runtime> Alarm<R> {
    pub(crate) fn new() -> Self {
        Self {
            timer: None,
            armed: None,
        }
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
            _ => Poll::Pending,
        }
    }
}
