//! Requests on their way to the task of a connection, and their answers.

use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use redis::Value;
use sse_driver::event_log::LogError;

/// Where requests wait for the task of a connection.
pub(crate) struct Link {
    max_requests: usize,
    state: Mutex<State>,
}

struct State {
    stage: Stage,
    requests: VecDeque<(Vec<u8>, Answerer)>,
    task: Option<Waker>,
}

enum Stage {
    /// There is no connection, for this reason.
    Away(LogError),
    Open,
    /// It is no longer used.
    Closed,
}

/// Why a request has no answer.
#[derive(Clone, Debug)]
pub(crate) enum Failed {
    NotSent(LogError),
    /// It was sent, and may have been done.
    Unknown(LogError),
}

type Outcome = Result<Value, Failed>;

/// Where an answer goes to. Dropped without one, the outcome is unknown.
#[derive(Debug)]
pub(crate) struct Answerer(Arc<Mutex<Slot>>);

#[derive(Debug, Default)]
struct Slot {
    outcome: Option<Outcome>,
    task: Option<Waker>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Link {
    pub(crate) fn new(max_requests: usize) -> Self {
        let error = LogError::new("redis was not reached yet");
        Self {
            max_requests,
            state: Mutex::new(State {
                stage: Stage::Away(error),
                requests: VecDeque::new(),
                task: None,
            }),
        }
    }

    /// Sends a request, and waits for its answer.
    pub(crate) async fn request(&self, bytes: Vec<u8>) -> Outcome {
        let slot = Arc::<Mutex<Slot>>::default();
        let task = {
            let mut state = lock(&self.state);
            match &state.stage {
                Stage::Away(error) => return Err(Failed::NotSent(error.clone())),
                Stage::Closed => {
                    return Err(Failed::NotSent(LogError::new("the log is no longer used")));
                }
                Stage::Open => {}
            }
            if state.requests.len() >= self.max_requests {
                let text = "too many requests wait for redis; try again later";
                return Err(Failed::NotSent(LogError::new(text)));
            }
            state.requests.push_back((bytes, Answerer(slot.clone())));
            state.task.take()
        };
        task.into_iter().for_each(Waker::wake);
        poll_fn(|cx| {
            let mut slot = lock(&slot);
            match slot.outcome.take() {
                Some(outcome) => Poll::Ready(outcome),
                None => {
                    slot.task = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Takes the next requests, as long as fewer than may be wait for an answer. The task is woken by new
    /// ones.
    pub(crate) fn take(&self, waiting: usize, cx: &Context<'_>) -> Vec<(Vec<u8>, Answerer)> {
        let mut state = lock(&self.state);
        let room = self.max_requests.saturating_sub(waiting);
        let count = state.requests.len().min(room);
        let taken = state.requests.drain(..count).collect();
        let before = state.task.replace(cx.waker().clone());
        drop(state);
        drop(before);
        taken
    }

    pub(crate) fn set_open(&self) {
        let mut state = lock(&self.state);
        if !matches!(state.stage, Stage::Closed) {
            state.stage = Stage::Open;
        }
    }

    /// The connection is over. What was not sent fails.
    pub(crate) fn lost(&self, error: &LogError) {
        let requests = {
            let mut state = lock(&self.state);
            if !matches!(state.stage, Stage::Closed) {
                state.stage = Stage::Away(error.clone());
            }
            std::mem::take(&mut state.requests)
        };
        for (_, answerer) in requests {
            answerer.answer(Err(Failed::NotSent(error.clone())));
        }
    }

    pub(crate) fn close(&self) {
        let task = {
            let mut state = lock(&self.state);
            state.stage = Stage::Closed;
            state.task.take()
        };
        task.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn is_closed(&self) -> bool {
        matches!(lock(&self.state).stage, Stage::Closed)
    }

    pub(crate) fn poll_closed(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = lock(&self.state);
        if matches!(state.stage, Stage::Closed) {
            return Poll::Ready(());
        }
        let before = state.task.replace(cx.waker().clone());
        drop(state);
        drop(before);
        Poll::Pending
    }
}

impl Answerer {
    pub(crate) fn answer(self, outcome: Outcome) {
        self.set(outcome);
    }

    fn set(&self, outcome: Outcome) {
        let task = {
            let mut slot = lock(&self.0);
            slot.outcome.get_or_insert(outcome);
            slot.task.take()
        };
        task.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Answerer {
    fn drop(&mut self) {
        let is_answered = lock(&self.0).outcome.is_some();
        if !is_answered {
            let error = LogError::new("the connection's task was dropped");
            self.set(Err(Failed::Unknown(error)));
        }
    }
}
