//! Requests on their way to the task of a connection, and their answers.

use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use redis::Value;

use crate::{config::RedisConfig, error::RedisError};

/// The queue of requests for the task of a connection.
pub(crate) struct Link {
    max_requests: usize,
    max_request_bytes: usize,
    waiting: Arc<Mutex<Waiting>>,
    state: Mutex<State>,
}

/// The requests that wait for their answers, sent or not.
#[derive(Debug, Default)]
struct Waiting {
    requests: usize,
    bytes: usize,
}

struct State {
    stage: Stage,
    requests: VecDeque<(Vec<u8>, Answerer)>,
    task: Option<Waker>,
    /// The tasks that wait until it is open.
    openings: Vec<Waker>,
}

enum Stage {
    /// There is no connection, for this reason.
    Away(RedisError),
    Open,
    /// There is a connection, and it has to be replaced.
    Leaving(RedisError),
    /// The connection is no longer used.
    Closed,
}

/// A task for the connection.
#[derive(Debug)]
pub(crate) enum Order {
    GoOn,
    /// Closes the connection, and connects again.
    Redial(RedisError),
    End,
}

/// Why a request has no answer.
#[derive(Clone, Debug)]
pub(crate) enum Failed {
    NotSent(RedisError),
    /// It was sent, and may have been executed.
    Unknown(RedisError),
}

type Outcome = Result<Value, Failed>;

/// The destination of an answer. If it is dropped without one, the outcome is unknown.
#[derive(Debug)]
pub(crate) struct Answerer {
    slot: Arc<Mutex<Slot>>,
    waiting: Arc<Mutex<Waiting>>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Slot {
    outcome: Option<Outcome>,
    task: Option<Waker>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Link {
    pub(crate) fn new(config: &RedisConfig) -> Self {
        Self {
            max_requests: config.max_requests,
            max_request_bytes: config.max_request_bytes,
            waiting: Arc::default(),
            state: Mutex::new(State {
                stage: Stage::Away(RedisError::NotYet),
                requests: VecDeque::new(),
                task: None,
                openings: Vec::new(),
            }),
        }
    }

    /// Sends a request, and waits for its answer.
    pub(crate) async fn request(&self, bytes: Vec<u8>) -> Outcome {
        let slot = Arc::<Mutex<Slot>>::default();
        let task = {
            let mut state = lock(&self.state);
            match &state.stage {
                Stage::Away(error) | Stage::Leaving(error) => {
                    return Err(Failed::NotSent(error.clone()));
                }
                Stage::Closed => return Err(Failed::NotSent(RedisError::Over)),
                Stage::Open => {}
            }
            let answerer = self.answerer(&slot, bytes.len());
            let Some(answerer) = answerer else {
                return Err(Failed::NotSent(RedisError::Busy));
            };
            state.requests.push_back((bytes, answerer));
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

    /// Returns the destination of an answer; `None` where too many requests wait. A request that is
    /// larger than all that may wait has to wait alone.
    fn answerer(&self, slot: &Arc<Mutex<Slot>>, bytes: usize) -> Option<Answerer> {
        let mut waiting = lock(&self.waiting);
        let is_full = waiting.requests >= self.max_requests
            || waiting.bytes.saturating_add(bytes) > self.max_request_bytes;
        if is_full && waiting.requests > 0 {
            return None;
        }
        waiting.requests += 1;
        waiting.bytes += bytes;
        Some(Answerer {
            slot: slot.clone(),
            waiting: self.waiting.clone(),
            bytes,
        })
    }

    /// Takes all requests that were not sent. New ones wake the task.
    pub(crate) fn take(&self, cx: &Context<'_>) -> VecDeque<(Vec<u8>, Answerer)> {
        let mut state = lock(&self.state);
        let taken = std::mem::take(&mut state.requests);
        let before = state.task.replace(cx.waker().clone());
        drop(state);
        // This must not happen under the lock: it may drop the last handle of a task.
        drop(before);
        taken
    }

    pub(crate) fn set_open(&self) {
        self.set_stage(Stage::Open);
    }

    /// Records that the connection is over. Requests that were not sent fail.
    pub(crate) fn lost(&self, error: &RedisError) {
        for (_, answerer) in self.set_stage(Stage::Away(error.clone())) {
            answerer.answer(Err(Failed::NotSent(error.clone())));
        }
    }

    /// Makes the task connect again, if it has a connection.
    pub(crate) fn leave(&self, error: &RedisError) {
        let is_open = matches!(lock(&self.state).stage, Stage::Open);
        if is_open {
            for (_, answerer) in self.set_stage(Stage::Leaving(error.clone())) {
                answerer.answer(Err(Failed::NotSent(error.clone())));
            }
        }
    }

    pub(crate) fn close(&self) {
        drop(self.set_stage(Stage::Closed));
    }

    /// Returns the requests that were not sent, if the connection is not open now. `Closed` is final.
    fn set_stage(&self, stage: Stage) -> VecDeque<(Vec<u8>, Answerer)> {
        let (requests, task, openings, before) = {
            let mut state = lock(&self.state);
            if matches!(state.stage, Stage::Closed) {
                return VecDeque::new();
            }
            let before = std::mem::replace(&mut state.stage, stage);
            let requests = match state.stage {
                Stage::Open => VecDeque::new(),
                _ => std::mem::take(&mut state.requests),
            };
            let openings = std::mem::take(&mut state.openings);
            (requests, state.task.take(), openings, before)
        };
        drop(before);
        task.into_iter().chain(openings).for_each(Waker::wake);
        requests
    }

    pub(crate) fn order(&self) -> Order {
        match &lock(&self.state).stage {
            Stage::Closed => Order::End,
            Stage::Leaving(error) => Order::Redial(error.clone()),
            Stage::Away(_) | Stage::Open => Order::GoOn,
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.order(), Order::End)
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

    /// Returns whether the connection is open, or why not. A change of that wakes the task.
    pub(crate) fn opened(&self, cx: &Context<'_>) -> Result<(), RedisError> {
        let mut state = lock(&self.state);
        let error = match &state.stage {
            Stage::Open => return Ok(()),
            Stage::Closed => return Err(RedisError::Over),
            Stage::Away(error) | Stage::Leaving(error) => error.clone(),
        };
        if !state.openings.iter().any(|it| it.will_wake(cx.waker())) {
            state.openings.push(cx.waker().clone());
        }
        Err(error)
    }
}

impl Answerer {
    pub(crate) fn answer(self, outcome: Outcome) {
        self.set(outcome);
    }

    fn set(&self, outcome: Outcome) {
        let task = {
            let mut slot = lock(&self.slot);
            slot.outcome.get_or_insert(outcome);
            slot.task.take()
        };
        task.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Answerer {
    fn drop(&mut self) {
        {
            let mut waiting = lock(&self.waiting);
            waiting.requests -= 1;
            waiting.bytes -= self.bytes;
        }
        let is_answered = lock(&self.slot).outcome.is_some();
        if !is_answered {
            self.set(Err(Failed::Unknown(RedisError::Over)));
        }
    }
}
