//! The state that the task of a followed topic, its handles and its streams share.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Instant,
};

use sse_core::{
    Event, Text,
    internal::{
        SlotId, WakerSet,
        sync::{Mutex, lock},
    },
    topic::{Topic, TopicEnd, follower::FollowerOutput},
};

use super::{Bells, DynLog, LogError};

pub(super) struct Followed {
    pub(super) name: Text,
    pub(super) log: DynLog,
    pub(super) topic: Topic,
    pub(super) bells: Bells,
    /// What is told of the log before the topic is.
    observer: Option<Arc<dyn Observe>>,
    state: Mutex<State>,
}

/// Is told of what a topic's log does.
pub(super) trait Observe: Send + Sync {
    /// The topic is about to get this. Returns how the topic ends with it, where it does.
    fn observe(&self, now: Instant, output: &FollowerOutput) -> Option<LastOutput>;

    /// Returns how the topic ends behind what it has got, where its log does not say so.
    fn last_output(&self) -> Option<LastOutput>;

    /// The log did not answer. That it is watched no longer is not told: an observer that asks the log before
    /// it takes silence for something needs no bells.
    fn log_failed(&self, now: Instant);
}

/// How a topic ends behind an output of its follower.
pub(super) struct LastOutput {
    /// An event that comes behind it, on this node alone.
    pub(super) event: Option<Event>,
    pub(super) end: TopicEnd,
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
    pub(super) fn new(
        name: Text,
        log: DynLog,
        topic: Topic,
        bells: Bells,
        observer: Option<Arc<dyn Observe>>,
        now: Instant,
    ) -> Self {
        Self {
            name,
            log,
            topic,
            bells,
            observer,
            state: Mutex::new(State {
                stage: Stage::Joining,
                left_at: now,
                last_error: None,
                waiting: WakerSet::default(),
            }),
        }
    }

    pub(super) fn observe(&self, now: Instant, output: &FollowerOutput) -> Option<LastOutput> {
        self.observer.as_ref()?.observe(now, output)
    }

    pub(super) fn last_output(&self) -> Option<LastOutput> {
        self.observer.as_ref()?.last_output()
    }

    /// Publishes the last event that is this node's own, if there is one, and closes the topic. It is
    /// still read.
    pub(super) fn close(&self, last: LastOutput) {
        let LastOutput { event, end } = last;
        if let Some(event) = event
            && self.topic.close_with_event(event, end.clone()).is_ok()
        {
            return;
        }
        self.topic.close_with(end);
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

    pub(super) fn note_error(&self, now: Instant, error: LogError) {
        self.log_failed(now);
        self.set_last_error(error);
    }

    /// Records why clients wait.
    pub(super) fn set_last_error(&self, error: LogError) {
        let before = lock(&self.state).last_error.replace(error);
        drop(before);
    }

    pub(super) fn log_failed(&self, now: Instant) {
        if let Some(observer) = &self.observer {
            observer.log_failed(now);
        }
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
