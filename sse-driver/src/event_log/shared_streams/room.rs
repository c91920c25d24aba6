//! One stream on this node: the state that its task, its follower, its clients and its callers share.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Instant,
};

use sse_core::{
    internal::{
        SlotId, WakerSet,
        sync::{AtomicBool, Mutex, Ordering, lock},
    },
    topic::{
        TopicEnd,
        follower::FollowerOutput,
        resumable::{
            StartError, StreamEnd,
            member::{MemberOutput, MemberPhase, MemberRecord, StreamMember},
        },
    },
};

use crate::{
    ResumableStream, ResumableStreams,
    event_log::{
        AppendError,
        followed::{LastOutput, Observe},
        topics::Sleep,
    },
};

/// A producer that is to be started on this node.
pub(super) struct Starter {
    /// It is started by this call.
    pub(super) is_started: Arc<AtomicBool>,
    pub(super) start: Box<Start>,
}

type Start = dyn FnOnce(&ResumableStreams) -> Result<ResumableStream, StartError> + Send;

pub(super) struct Room {
    state: Mutex<State>,
}

pub(super) struct State {
    pub(super) member: StreamMember,
    /// The producer to start when this node's claim is read back.
    pub(super) starter: Option<Starter>,
    /// Why the last claim is not in the log, or may not be.
    pub(super) claim_error: Option<AppendError>,
    /// The log is to be told to keep the stream.
    pub(super) keeps: bool,
    /// How the stream has ended on this node alone, until its topic is told.
    pub(super) end_here: Option<StreamEnd>,
    /// When the log was asked last whether it has another stream of this name.
    pub(super) looked_at: Option<Instant>,
    /// No handle and no client is left.
    is_over: bool,
    task: Option<Waker>,
    /// When the task wakes by itself.
    armed: Option<Instant>,
    /// The calls and clients that wait for a change.
    waiting: WakerSet,
}

/// What the task of a stream has to do now.
pub(super) struct Turn {
    pub(super) outputs: Vec<MemberOutput>,
    pub(super) keeps: bool,
    pub(super) is_over: bool,
    pub(super) is_owner: bool,
    pub(super) is_unused: bool,
    pub(super) deadline: Option<Instant>,
}

impl Room {
    pub(super) fn new(member: StreamMember) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                member,
                starter: None,
                claim_error: None,
                keeps: false,
                end_here: None,
                looked_at: None,
                is_over: false,
                task: None,
                armed: None,
                waiting: WakerSet::default(),
            }),
        })
    }

    /// Changes the stream, and wakes the tasks that the change concerns. No code of the application runs
    /// under the lock.
    pub(super) fn act<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let (result, starter, task, waiting) = {
            let mut state = lock(&self.state);
            let result = act(&mut state);
            let starter = state.take_vain_starter();
            let deadline = state.member.poll_timeout();
            let is_late = deadline.is_some_and(|at| state.armed.is_none_or(|armed| at < armed));
            let task = match is_late || state.keeps || state.is_over {
                true => state.task.take(),
                false => None,
            };
            (result, starter, task, state.waiting.take_all())
        };
        drop(starter);
        task.into_iter().chain(waiting).for_each(Waker::wake);
        result
    }

    /// What is to be started now: the call that waits for it is told.
    pub(super) fn take_starter(&self) -> Option<Starter> {
        self.act(|state| {
            let starter = state.starter.take()?;
            starter.is_started.store(true, Ordering::Relaxed);
            Some(starter)
        })
    }

    /// Reads the stream, or changes what no task waits for.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut lock(&self.state))
    }

    pub(super) fn phase(&self) -> MemberPhase {
        self.with(|state| state.member.phase())
    }

    /// No handle and no client is left.
    pub(super) fn end(&self) {
        self.act(|state| state.is_over = true);
    }

    /// Returns what the task has to do. The task is woken when there is more.
    pub(super) fn turn(&self, now: Instant, cx: &Context<'_>) -> Turn {
        let (turn, before, starter) = {
            let mut state = lock(&self.state);
            let member = &mut state.member;
            member.handle_timeout(now);
            let outputs = std::iter::from_fn(|| member.poll_output(now)).collect();
            let deadline = member.poll_timeout();
            let is_owner = member.is_owner();
            let is_unused = member.is_unused(now);
            state.armed = deadline;
            let turn = Turn {
                outputs,
                keeps: std::mem::take(&mut state.keeps),
                is_over: state.is_over,
                is_owner,
                is_unused,
                deadline,
            };
            let before = state.task.replace(cx.waker().clone());
            (turn, before, state.take_vain_starter())
        };
        // Not under the lock: they may be the last to hold something.
        drop((before, starter));
        turn
    }

    /// Waits until `look` finds something, and at most until this time. Returns `None` if it did not.
    pub(super) async fn until<T>(
        &self,
        deadline: Option<Instant>,
        mut alarm: Box<dyn Sleep>,
        mut look: impl FnMut(&State) -> Option<T>,
    ) -> Option<T> {
        let mut waiting = Waiting {
            room: self,
            slot: None,
        };
        poll_fn(|cx| {
            if let Some(found) = waiting.look(&mut look, cx) {
                return Poll::Ready(Some(found));
            }
            alarm.poll(deadline, cx).map(|()| None)
        })
        .await
    }
}

impl State {
    /// The end of a topic whose log has no end.
    fn last_output(&self, end: &StreamEnd) -> LastOutput {
        let event_type = self.member.config().end_event_type.clone();
        LastOutput {
            event: Some(end.to_event(event_type)),
            end: TopicEnd::from(end),
        }
    }

    /// Returns the starter if another node has started the stream.
    fn take_vain_starter(&mut self) -> Option<Starter> {
        let is_vain = match self.member.phase() {
            MemberPhase::Unclaimed => !self.member.is_claiming(),
            _ => !self.member.is_owner(),
        };
        match is_vain {
            true => self.starter.take(),
            false => None,
        }
    }
}

/// A call that waits.
struct Waiting<'a> {
    room: &'a Room,
    slot: Option<SlotId>,
}

impl Waiting<'_> {
    fn look<T>(
        &mut self,
        look: &mut impl FnMut(&State) -> Option<T>,
        cx: &Context<'_>,
    ) -> Option<T> {
        let mut state = lock(&self.room.state);
        if let Some(found) = look(&state) {
            return Some(found);
        }
        let before = state.waiting.register(&mut self.slot, cx.waker());
        drop(state);
        // Not under the lock: it may be the last to hold its task.
        drop(before);
        None
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            let waker = lock(&self.room.state).waiting.remove(slot);
            drop(waker);
        }
    }
}

impl Observe for Room {
    fn observe(&self, now: Instant, output: &FollowerOutput) -> Option<LastOutput> {
        self.act(|state| match output {
            FollowerOutput::Begin(behind) => {
                state.keeps = true;
                state.member.handle_begin(now, *behind);
                None
            }
            FollowerOutput::Event(position, event) => {
                match state.member.handle_record(now, *position, event) {
                    MemberRecord::Ended(_) => Some(LastOutput {
                        event: None,
                        end: topic_end(state.member.end()),
                    }),
                    _ => None,
                }
            }
            FollowerOutput::Lost { behind, .. } => {
                state.member.handle_passed_over(now, *behind);
                None
            }
            FollowerOutput::Anew(behind) => {
                state.keeps = true;
                let ends = state.member.handle_anew(now, *behind);
                ends.then(|| state.last_output(&StreamEnd::Lost))
            }
            _ => None,
        })
    }

    fn last_output(&self) -> Option<LastOutput> {
        self.with(|state| {
            let end = state.end_here.take()?;
            Some(state.last_output(&end))
        })
    }

    fn log_failed(&self, now: Instant) {
        self.act(|state| state.member.handle_log_failed(now));
    }
}

/// The end of a topic whose end is in its log, so that it is not one that the node has dropped.
fn topic_end(end: Option<&StreamEnd>) -> TopicEnd {
    match end {
        None | Some(StreamEnd::Complete) => TopicEnd::Complete,
        Some(end) => TopicEnd::Failed(end.to_string().into()),
    }
}
