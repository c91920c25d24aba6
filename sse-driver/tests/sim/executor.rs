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

use super::{Disorder, disorder::Idleness, lock};

pub struct Executor {
    /// The tasks that are not over.
    tasks: Mutex<Vec<Arc<Task>>>,
    ready: Arc<Ready>,
    stopped: AtomicBool,
    polls: AtomicU64,
    spawned: AtomicU64,
    disorder: Option<Arc<dyn Disorder>>,
    /// The amount of progress.
    pub(super) progress: AtomicU64,
}

/// The woken tasks, in order.
type Ready = Mutex<VecDeque<Arc<Task>>>;

struct Task {
    number: u64,
    /// `None` once it is over.
    future: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
    /// Whether it is in the queue already.
    is_ready: AtomicBool,
    /// The number of the waker that wakes it.
    waker_number: AtomicU64,
    /// That waker, where it may be used again.
    waker: Mutex<Option<Waker>>,
    idleness: Mutex<Idleness>,
    ready: Arc<Ready>,
}

/// A waker for one poll: those of earlier polls do nothing. Few runtimes are that strict, but the
/// contract of `Future::poll` allows it. In disorder, a task may have the same waker forever.
struct PollWaker {
    task: Arc<Task>,
    number: u64,
}

impl Executor {
    pub fn new(disorder: Option<Arc<dyn Disorder>>) -> Self {
        Self {
            tasks: Mutex::default(),
            ready: Arc::default(),
            stopped: AtomicBool::new(false),
            polls: AtomicU64::new(0),
            spawned: AtomicU64::new(0),
            disorder,
            progress: AtomicU64::new(0),
        }
    }

    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.spawn_task(future);
    }

    fn spawn_task(&self, future: impl Future<Output = ()> + Send + 'static) -> Arc<Task> {
        let task = Arc::new(Task {
            number: self.spawned.fetch_add(1, Ordering::Relaxed),
            future: Mutex::new(Some(Box::pin(future))),
            is_ready: AtomicBool::new(false),
            waker_number: AtomicU64::new(0),
            waker: Mutex::default(),
            idleness: Mutex::default(),
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

    /// Polls the task that was woken first, or another one in disorder; returns whether there was one.
    pub fn poll_next(&self) -> bool {
        let task = {
            let mut ready = lock(&self.ready);
            let next = match &self.disorder {
                Some(disorder) => choose(&ready, &**disorder),
                None => Some(0),
            };
            next.and_then(|next| ready.remove(next))
        };
        let Some(task) = task else {
            return false;
        };
        // From here on it can be woken again, even by itself.
        task.is_ready.store(false, Ordering::Relaxed);
        let before = self.progress.load(Ordering::Relaxed);
        self.poll(&task, true);
        if self.disorder.is_some() {
            let after = self.progress.load(Ordering::Relaxed);
            lock(&task.idleness).polled(before, after);
        }
        true
    }

    /// Polls a task whether it was woken or not.
    pub fn poll_needlessly(&self, one: usize) {
        let task = {
            let tasks = lock(&self.tasks);
            let one = one.checked_rem(tasks.len());
            one.map(|one| tasks[one].clone())
        };
        let is_held = |task: &Arc<Task>| {
            let disorder = self.disorder.as_ref();
            disorder.is_some_and(|disorder| disorder.holds(task.number))
        };
        if let Some(task) = task.filter(|task| !is_held(task)) {
            self.poll(&task, false);
        }
    }

    /// Returns the number of woken tasks.
    pub fn woken(&self) -> usize {
        lock(&self.ready).len()
    }

    fn poll(&self, task: &Arc<Task>, is_woken: bool) {
        let mut panicked = None;
        let mut future = lock(&task.future);
        if let Some(running) = &mut *future {
            self.polls.fetch_add(1, Ordering::Relaxed);
            let waker = match &self.disorder {
                None => task.new_waker(),
                Some(disorder) => {
                    disorder.begin_poll(is_woken);
                    task.some_waker(disorder.renews_waker())
                }
            };
            let mut cx = Context::from_waker(&waker);
            let polled = catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(&mut cx)));
            if !matches!(polled, Ok(Poll::Pending)) {
                *future = None;
            }
            panicked = polled.err();
        }
        if future.is_none() {
            lock(&self.tasks).retain(|other| !Arc::ptr_eq(other, task));
            task.forget_waker();
        }
        drop(future);
        if let Some(payload) = panicked {
            // The task is over, and its test fails here.
            resume_unwind(payload);
        }
    }

    /// Drops every task, and later ones as they are spawned.
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

/// Returns which of the woken tasks is polled next, of those whose threads are not blocked.
fn choose(ready: &VecDeque<Arc<Task>>, disorder: &dyn Disorder) -> Option<usize> {
    let is_free = |task: &Arc<Task>| !disorder.holds(task.number);
    let free = ready.iter().filter(|task| is_free(task)).count();
    let chosen = match free {
        0 => return None,
        1 => 0,
        _ => disorder.next(free),
    };
    let mut free = ready.iter().enumerate().filter(|(_, task)| is_free(task));
    free.nth(chosen).map(|(at, _)| at)
}

impl Task {
    fn cancel(&self) {
        let future = lock(&self.future).take();
        drop(future);
        self.forget_waker();
    }

    /// Returns the next waker, which is the only one that counts from here on.
    fn new_waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::new(PollWaker {
            number: self.waker_number.fetch_add(1, Ordering::Relaxed) + 1,
            task: self.clone(),
        }))
    }

    /// Returns the waker that it had, unless it gets a new one.
    fn some_waker(self: &Arc<Self>, is_new: bool) -> Waker {
        let mut waker = lock(&self.waker);
        if is_new || waker.is_none() {
            *waker = Some(self.new_waker());
        }
        waker.clone().unwrap_or_else(|| self.new_waker())
    }

    fn forget_waker(&self) {
        let waker = lock(&self.waker).take();
        drop(waker);
    }

    fn schedule(self: &Arc<Self>) {
        if !self.is_ready.swap(true, Ordering::Relaxed) {
            lock(&self.ready).push_back(self.clone());
        }
    }
}

impl Wake for PollWaker {
    fn wake(self: Arc<Self>) {
        if self.number == self.task.waker_number.load(Ordering::Relaxed) {
            self.task.schedule();
        }
    }
}

/// A task from outside: to cancel it, or to take its output.
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

    /// Returns the output of the task, once it is over, and only once.
    pub fn take(&self) -> Option<T> {
        lock(&self.result).take()
    }

    /// Drops the task's future.
    pub fn cancel(&self) {
        self.task.cancel();
    }
}
