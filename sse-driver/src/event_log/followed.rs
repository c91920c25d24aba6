//! The state that the task of a followed topic, its handles and its streams share.

use std::{
    task::{Context, Poll, Waker},
    time::Instant,
};

use sse_core::{
    Text,
    internal::{
        SlotId, WakerSet,
        sync::{Mutex, lock},
    },
    topic::Topic,
};

use super::{Bells, DynLog, LogError};

pub(super) struct Followed {
    pub(super) name: Text,
    pub(super) log: DynLog,
    pub(super) topic: Topic,
    pub(super) bells: Bells,
    state: Mutex<State>,
}

struct State {
    stage: Stage,
    /// When the last handle or stream was dropped.
    left_at: Instant,
    last_error: Option<LogError>,
    /// The tasks that wait until it follows.
    waiting: WakerSet,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The end of the log was not reached yet.
    Joining,
    Following,
    /// The topic is no longer used, or the runtime has dropped its task.
    Over,
}

impl Followed {
    pub(super) fn new(name: Text, log: DynLog, topic: Topic, bells: Bells, now: Instant) -> Self {
        Self {
            name,
            log,
            topic,
            bells,
            state: Mutex::new(State {
                stage: Stage::Joining,
                left_at: now,
                last_error: None,
                waiting: WakerSet::default(),
            }),
        }
    }

    /// Becomes ready once the end of the log was reached.
    pub(super) fn poll_following(&self, slot: &mut Option<SlotId>, cx: &Context<'_>) -> Poll<()> {
        let mut state = lock(&self.state);
        if state.stage != Stage::Joining {
            return Poll::Ready(());
        }
        let before = state.waiting.register(slot, cx.waker());
        drop(state);
        // This must not happen under the lock: it may drop the last handle of a task.
        drop(before);
        Poll::Pending
    }

    /// Stops waiting.
    pub(super) fn leave(&self, slot: SlotId) {
        let waker = lock(&self.state).waiting.remove(slot);
        drop(waker);
    }

    /// Records that the end of the log was reached.
    pub(super) fn set_following(&self) {
        self.go_to(Stage::Following);
    }

    /// Ends the topic: its streams end, and its task.
    pub(super) fn end(&self) {
        self.go_to(Stage::Over);
        self.topic.close_with(sse_core::topic::TopicEnd::Dropped);
        self.bells.wake();
    }

    fn go_to(&self, stage: Stage) {
        let waiting = {
            let mut state = lock(&self.state);
            if state.stage == stage || state.stage == Stage::Over {
                return;
            }
            state.stage = stage;
            state.waiting.take_all()
        };
        waiting.for_each(Waker::wake);
    }

    pub(super) fn is_following(&self) -> bool {
        lock(&self.state).stage == Stage::Following
    }

    pub(super) fn is_over(&self) -> bool {
        lock(&self.state).stage == Stage::Over
    }

    pub(super) fn note_error(&self, error: LogError) {
        let before = lock(&self.state).last_error.replace(error);
        drop(before);
    }

    pub(super) fn note_answer(&self) {
        let before = lock(&self.state).last_error.take();
        drop(before);
    }

    pub(super) fn last_error(&self) -> Option<LogError> {
        lock(&self.state).last_error.clone()
    }

    pub(super) fn note_leaving(&self, now: Instant) {
        let mut state = lock(&self.state);
        state.left_at = state.left_at.max(now);
    }

    pub(super) fn left_at(&self) -> Instant {
        lock(&self.state).left_at
    }
}
