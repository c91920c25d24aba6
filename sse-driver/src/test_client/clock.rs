//! A virtual clock, which moves when there is nothing else to do.

use std::{
    error::Error,
    fmt,
    future::Future,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

use super::runtime::{Owner, Tasks};
use sse_core::internal::sync::{AtomicBool, Mutex, MutexGuard, Ordering, lock};

/// The number of polls at one moment after which a test counts as one that never waits.
const POLLS: u32 = 10_000;

/// The longest time that a test may take, by its own clock.
const PATIENCE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A clock that stands still until [`run`](Self::run) or [`advance`](Self::advance) moves it. Clones are
/// the same clock.
///
/// When the clock that [`new`](Self::new) returned is dropped, the tasks that still run on it are dropped, as a
/// runtime drops its tasks; a task that is spawned on a clone later is dropped at once. Clones do not keep the tasks,
/// because most tasks have one.
///
/// ```
/// use std::time::{Duration, Instant};
/// use sse_driver::test_client::TestClock;
///
/// let clock = TestClock::new(Instant::now());
/// clock.run(clock.sleep(Duration::from_secs(3600)))?; // This takes no time.
/// assert_eq!(clock.elapsed(), Duration::from_secs(3600));
/// # Ok::<(), sse_driver::test_client::Stuck>(())
/// ```
pub struct TestClock {
    shared: Arc<Mutex<Shared>>,
    /// The tasks that were spawned on it.
    tasks: Arc<Mutex<Tasks>>,
    patience: Duration,
    /// The tasks end with this one. A clone has none.
    _owner: Option<Owner>,
}

impl Clone for TestClock {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            tasks: self.tasks.clone(),
            patience: self.patience,
            _owner: None,
        }
    }
}

#[derive(Debug)]
struct Shared {
    start: Instant,
    now: Instant,
    /// The waiting tasks, each with its own number.
    sleeping: Vec<(u64, Instant, Waker)>,
    next_number: u64,
    /// The task that runs it.
    runner: Option<Waker>,
}

impl TestClock {
    /// Creates a clock at `now`, which may be any instant, such as `Instant::now()`. Clones are handles
    /// to the same clock.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        let tasks = Arc::<Mutex<Tasks>>::default();
        Self {
            shared: Arc::new(Mutex::new(Shared {
                start: now,
                now,
                sleeping: Vec::new(),
                next_number: 0,
                runner: None,
            })),
            _owner: Some(Owner(tasks.clone())),
            tasks,
            patience: PATIENCE,
        }
    }

    /// Sets how far the clock may move in one [`run`](Self::run): a stream that sends only keep-alives
    /// would never end. A week by default.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Returns the time of this clock, which passes only in [`run`](Self::run) and by
    /// [`advance`](Self::advance).
    #[must_use]
    pub fn now(&self) -> Instant {
        self.lock().now
    }

    /// Returns how far the clock has moved since it was created.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        let shared = self.lock();
        shared.now.saturating_duration_since(shared.start)
    }

    /// Returns a future that becomes ready once this time has passed; never, if the clock cannot
    /// represent that moment.
    #[must_use]
    pub fn sleep(&self, time: Duration) -> Sleep {
        let now = self.now();
        self.sleep_until(now.checked_add(time))
    }

    /// Returns a future that becomes ready at `deadline`, or never.
    pub(super) fn sleep_until(&self, deadline: Option<Instant>) -> Sleep {
        Sleep {
            clock: self.clone(),
            number: self.next_number(),
            deadline,
        }
    }

    /// Moves the clock forward by `time`, at once. Tasks whose time has come are woken, and polled by
    /// [`run`](Self::run).
    pub fn advance(&self, time: Duration) {
        let now = self.now();
        self.go_to(now.checked_add(time).unwrap_or(now));
    }

    /// Runs `future` until it is done. Whenever it cannot continue, the clock moves to the next moment
    /// for which a timer waits.
    ///
    /// # Errors
    ///
    /// [`Stuck`] where no timer waits for any moment, so that nothing could ever happen, where the clock
    /// has moved [too far](Self::with_patience), and where the future never waits.
    pub fn run<F: Future>(&self, future: F) -> Result<F::Output, Stuck> {
        let mut future = pin!(future);
        let woken = Arc::new(Woken(AtomicBool::new(false)));
        let waker = Waker::from(woken.clone());
        let mut cx = Context::from_waker(&waker);
        let last = self.now().checked_add(self.patience);
        let mut polls = 0;
        self.lock().runner = Some(waker.clone());
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                return Ok(output);
            }
            let others_run = self.poll_tasks();
            if woken.0.swap(false, Ordering::AcqRel) || others_run {
                polls += 1;
                if polls == POLLS {
                    return Err(Stuck::TimeStandsStill);
                }
                continue;
            }
            polls = 0;
            let next = self.lock().sleeping.iter().map(|(_, at, _)| *at).min();
            match next {
                None => return Err(Stuck::NothingToWaitFor),
                Some(next) if last.is_some_and(|last| next > last) => {
                    return Err(Stuck::TooLong(self.patience));
                }
                Some(next) => self.go_to(next),
            }
        }
    }

    /// Wakes the tasks that wait for this moment or an earlier one.
    fn go_to(&self, now: Instant) {
        let mut due = Vec::new();
        {
            let mut shared = self.lock();
            shared.now = shared.now.max(now);
            shared.sleeping.retain(|(_, at, waker)| {
                if *at <= now {
                    due.push(waker.clone());
                }
                *at > now
            });
        }
        due.into_iter().for_each(Waker::wake);
    }

    pub(super) fn tasks(&self) -> &Mutex<Tasks> {
        &self.tasks
    }

    /// Lets [`run`](Self::run) continue: a task has to be polled.
    pub(super) fn wake_runner(&self) {
        let runner = self.lock().runner.clone();
        runner.into_iter().for_each(Waker::wake);
    }

    /// Returns a number that this clock returns only once.
    pub(super) fn next_number(&self) -> u64 {
        let mut shared = self.lock();
        shared.next_number += 1;
        shared.next_number
    }

    /// The only foreign code under the lock is the cloning of wakers.
    fn lock(&self) -> MutexGuard<'_, Shared> {
        lock(&self.shared)
    }
}

/// The future of [`TestClock::sleep`]. It becomes ready when the clock has reached its moment.
#[derive(Debug)]
pub struct Sleep {
    clock: TestClock,
    number: u64,
    deadline: Option<Instant>,
}

impl Sleep {
    pub(super) fn clock(&self) -> &TestClock {
        &self.clock
    }
}

impl fmt::Debug for TestClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestClock")
            .field("elapsed", &self.elapsed())
            .field("patience", &self.patience)
            .field("tasks", &lock(&self.tasks).alive())
            .finish_non_exhaustive()
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.deadline else {
            return Poll::Pending;
        };
        let mut shared = self.clock.lock();
        if deadline <= shared.now {
            return Poll::Ready(());
        }
        shared
            .sleeping
            .retain(|(number, ..)| *number != self.number);
        let sleeping = (self.number, deadline, cx.waker().clone());
        shared.sleeping.push(sleeping);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let mut shared = self.clock.lock();
        shared
            .sleeping
            .retain(|(number, ..)| *number != self.number);
    }
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

/// The error of [`TestClock::run`], which gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stuck {
    /// The test waits for something that can never happen: no task can continue, and no timer waits for
    /// any moment.
    NothingToWaitFor,
    /// This much time, the [patience](TestClock::with_patience), passed on the clock, and the test still
    /// waits.
    TooLong(Duration),
    /// The test was polled 10,000 times, and was woken each time before any time passed, such as by a
    /// stream that is always ready and never ends.
    TimeStandsStill,
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingToWaitFor => f.write_str(
                "the test waits for something that will never happen: nothing is under way, and \
                 no timer waits for any time to pass",
            ),
            Self::TimeStandsStill => f.write_str(
                "the test goes on for ever without waiting for anything; does a stream of it never \
                 end, and never wait?",
            ),
            Self::TooLong(patience) => write!(
                f,
                "the test still waits after {patience:?} of its own time; does the stream ever yield?"
            ),
        }
    }
}

impl Error for Stuck {}
