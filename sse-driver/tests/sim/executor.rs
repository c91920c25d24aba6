//! Tasks on one thread, polled in the order in which they were woken.

use std::{
    collections::VecDeque,
    future::Future,
    mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use super::lock;

#[derive(Default)]
pub struct Executor {
    /// The tasks that are not over.
    tasks: Mutex<Vec<Arc<Task>>>,
    ready: Arc<Ready>,
    stopped: AtomicBool,
    polls: AtomicU64,
}

/// The tasks that were woken, longest ago first.
type Ready = Mutex<VecDeque<Arc<Task>>>;

struct Task {
    /// `None` once it is over.
    future: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
    /// Whether it is in the queue already.
    is_ready: AtomicBool,
    /// How often it was polled.
    polls: AtomicU64,
    ready: Arc<Ready>,
}

/// Every poll has a waker of its own, and those of earlier polls do nothing. Few runtimes are
/// that strict, but the contract of `Future::poll` allows it.
struct PollWaker {
    task: Arc<Task>,
    poll: u64,
}

impl Executor {
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.spawn_task(future);
    }

    fn spawn_task(&self, future: impl Future<Output = ()> + Send + 'static) -> Arc<Task> {
        let task = Arc::new(Task {
            future: Mutex::new(Some(Box::pin(future))),
            is_ready: AtomicBool::new(false),
            polls: AtomicU64::new(0),
            ready: self.ready.clone(),
        });
        if self.stopped.load(Ordering::Relaxed) {
            task.cancel();
        } else {
            lock(&self.tasks).push(task.clone());
            task.schedule();
        }
        task
    }

    /// Polls the task that was woken first; says whether there was one.
    pub fn poll_next(&self) -> bool {
        let Some(task) = lock(&self.ready).pop_front() else {
            return false;
        };
        // From here on it can be woken again, by itself for one.
        task.is_ready.store(false, Ordering::Relaxed);
        let mut panicked = None;
        let mut future = lock(&task.future);
        if let Some(running) = &mut *future {
            self.polls.fetch_add(1, Ordering::Relaxed);
            let waker = Waker::from(Arc::new(PollWaker {
                poll: task.polls.fetch_add(1, Ordering::Relaxed) + 1,
                task: task.clone(),
            }));
            let mut cx = Context::from_waker(&waker);
            let polled = catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(&mut cx)));
            if !matches!(polled, Ok(Poll::Pending)) {
                *future = None;
            }
            panicked = polled.err();
        }
        if future.is_none() {
            lock(&self.tasks).retain(|other| !Arc::ptr_eq(other, &task));
        }
        drop(future);
        if let Some(payload) = panicked {
            // As elsewhere the task is over, and here its test fails.
            resume_unwind(payload);
        }
        true
    }

    /// Drops every task, and from now on whatever is spawned.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        let tasks = mem::take(&mut *lock(&self.tasks));
        tasks.iter().for_each(|task| task.cancel());
    }

    pub fn live(&self) -> usize {
        let tasks = lock(&self.tasks);
        tasks
            .iter()
            .filter(|task| lock(&task.future).is_some())
            .count()
    }

    pub fn polls(&self) -> u64 {
        self.polls.load(Ordering::Relaxed)
    }
}

impl Task {
    fn cancel(&self) {
        let future = lock(&self.future).take();
        drop(future);
    }

    fn schedule(self: &Arc<Self>) {
        if !self.is_ready.swap(true, Ordering::Relaxed) {
            lock(&self.ready).push_back(self.clone());
        }
    }
}

impl Wake for PollWaker {
    fn wake(self: Arc<Self>) {
        if self.poll == self.task.polls.load(Ordering::Relaxed) {
            self.task.schedule();
        }
    }
}

/// A task from outside: to cancel it, or to take what it came to.
pub struct Job<T> {
    task: Arc<Task>,
    result: Arc<Mutex<Option<T>>>,
}

impl<T: Send + 'static> Job<T> {
    pub(super) fn spawn(
        executor: &Executor,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Self {
        let result = Arc::new(Mutex::new(None));
        let place = result.clone();
        let task = executor.spawn_task(async move {
            let value = future.await;
            *lock(&place) = Some(value);
        });
        Self { task, result }
    }

    /// What the task came to; once, and not before it is over.
    pub fn take(&self) -> Option<T> {
        lock(&self.result).take()
    }

    /// Drops the task's future.
    pub fn cancel(&self) {
        self.task.cancel();
    }
}
