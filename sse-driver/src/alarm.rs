//! One timer for the deadline of a state machine.

use std::{
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    time::Instant,
};

use sse_core::internal::sync::{AtomicBool, Ordering};

use super::{Runtime, Timer};

/// A timer that follows a deadline. The timer is only ever moved to an earlier time; when it elapses too
/// early, the task that it wakes asks the machine for the current deadline.
pub(crate) struct Alarm<R: Runtime> {
    timer: Option<R::Timer>,
    /// The time to which the timer is set.
    armed: Option<Instant>,
    /// Whether the timer will wake the task.
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

    /// Forgets the task, because the next poll may come from another one.
    pub(super) fn forget_task(&mut self) {
        self.has_task = false;
    }

    /// Does the same as [`poll`](Self::poll) for one task until [`forget_task`](Self::forget_task), but
    /// polls the timer only where it would not wake the task in time. Most wake-ups do not come from the
    /// timer, and polling it costs more than this check.
    pub(super) fn sleep(
        &mut self,
        runtime: &R,
        deadline: Option<Instant>,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if self.will_wake(deadline, now) {
            return Poll::Pending;
        }
        let notice = Arc::new(Notice {
            task: cx.waker().clone(),
            is_woken: AtomicBool::new(false),
        });
        let waker = Waker::from(notice.clone());
        let polled = self.poll(runtime, deadline, &mut Context::from_waker(&waker));
        self.has_task = !notice.is_woken.load(Ordering::Relaxed);
        match polled.is_pending() && self.has_task {
            // The timer has to forget the notice, which takes memory.
            true => self.poll(runtime, deadline, cx),
            false => polled,
        }
    }

    fn will_wake(&self, deadline: Option<Instant>, now: Instant) -> bool {
        match (deadline, self.armed) {
            (None, _) => true,
            (Some(deadline), Some(armed)) => self.has_task && now < armed && armed <= deadline,
            (Some(_), None) => false,
        }
    }

    /// Becomes ready when the timer elapses, which is at `deadline` at the latest; without a deadline,
    /// never.
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
        let elapsed = self.timer.as_mut().map(|timer| timer.poll_elapsed(cx));
        match elapsed {
            Some(Poll::Ready(())) => {
                self.armed = None;
                Poll::Ready(())
            }
            _ => Poll::Pending,
        }
    }
}

/// Passes a wake-up on, and records it.
///
/// A runtime such as tokio may postpone a task that has used up its budget: the timer then reports that
/// its time has not come and wakes the task at once, without having stored the waker for the deadline.
struct Notice {
    task: Waker,
    is_woken: AtomicBool,
}

impl Wake for Notice {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_woken.store(true, Ordering::Relaxed);
        self.task.wake_by_ref();
    }
}
