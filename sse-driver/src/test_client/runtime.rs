//! The clock as a runtime, for code that spawns tasks and waits, and opens no socket.

use std::{
    collections::VecDeque,
    future::Future,
    io::{self, IoSlice},
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    time::{Instant, SystemTime},
};

use sse_core::{
    Clock,
    internal::{
        catch,
        sync::{AtomicBool, Mutex, Ordering, lock},
    },
};

use super::{Sleep, TestClock};
use crate::{BindOptions, Runtime, Timer, Transport};

/// The tasks that were spawned on a clock.
#[derive(Default)]
pub(super) struct Tasks {
    /// The tasks that are not done.
    alive: Vec<Arc<Task>>,
    /// The tasks that were woken, in order.
    ready: VecDeque<Arc<Task>>,
    /// The clock was dropped: no task runs any more.
    is_over: bool,
}

/// Drops all tasks when it is dropped.
pub(super) struct Owner(pub(super) Arc<Mutex<Tasks>>);

impl Drop for Owner {
    fn drop(&mut self) {
        let over = {
            let mut tasks = lock(&self.0);
            let is_over = true;
            std::mem::replace(
                &mut *tasks,
                Tasks {
                    is_over,
                    ..Tasks::default()
                },
            )
        };
        for task in &over.alive {
            let future = lock(&task.future).take();
            // The test may be panicking already.
            let _ = catch(|| drop(future));
        }
    }
}

struct Task {
    /// `None` while it is polled, and once it is done.
    future: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
    is_ready: AtomicBool,
    clock: TestClock,
}

impl Tasks {
    pub(super) fn alive(&self) -> usize {
        self.alive.len()
    }
}

impl TestClock {
    /// Polls each woken task once. Returns whether there was one.
    pub(super) fn poll_tasks(&self) -> bool {
        let ready = std::mem::take(&mut lock(self.tasks()).ready);
        let polls = !ready.is_empty();
        for task in ready {
            task.is_ready.store(false, Ordering::Release);
            if task.poll().is_ready() {
                lock(self.tasks())
                    .alive
                    .retain(|other| !Arc::ptr_eq(other, &task));
            }
        }
        polls
    }
}

impl Task {
    fn poll(self: &Arc<Self>) -> Poll<()> {
        let waker = Waker::from(self.clone());
        let mut cx = Context::from_waker(&waker);
        // Not under the lock: the task may have the clock, and drop it.
        let Some(mut future) = lock(&self.future).take() else {
            return Poll::Ready(());
        };
        if future.as_mut().poll(&mut cx).is_ready() || lock(self.clock.tasks()).is_over {
            return Poll::Ready(());
        }
        *lock(&self.future) = Some(future);
        Poll::Pending
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        if !self.is_ready.swap(true, Ordering::AcqRel) {
            let clock = self.clock.clone();
            {
                let mut tasks = lock(clock.tasks());
                if tasks.is_over {
                    return;
                }
                tasks.ready.push_back(self);
            }
            clock.wake_runner();
        }
    }
}

impl Clock for TestClock {
    fn now(&self) -> Instant {
        self.now()
    }

    /// Returns a date in 1970: no test needs the date.
    fn date(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + self.elapsed()
    }

    fn seed(&self) -> u64 {
        self.next_number()
    }
}

/// Tasks run while [`TestClock::run`] does. There are no sockets: listening and connecting fail with
/// [`io::ErrorKind::Unsupported`].
impl Runtime for TestClock {
    type Timer = TestTimer;
    type Transport = NoSocket;
    type Listener = NoSocket;

    fn timer(&self, deadline: Instant) -> TestTimer {
        TestTimer(self.sleep_until(Some(deadline)))
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let task = Arc::new(Task {
            future: Mutex::new(Some(Box::pin(task))),
            is_ready: AtomicBool::new(false),
            clock: self.clone(),
        });
        {
            let mut tasks = lock(self.tasks());
            if tasks.is_over {
                return;
            }
            tasks.alive.push(task.clone());
        }
        task.wake();
    }

    async fn bind(&self, _: SocketAddr, _: &BindOptions) -> io::Result<NoSocket> {
        Err(no_sockets())
    }

    fn local_addr(&self, listener: &NoSocket) -> io::Result<SocketAddr> {
        match *listener {}
    }

    async fn accept(&self, listener: &NoSocket) -> io::Result<(NoSocket, SocketAddr)> {
        match *listener {}
    }

    async fn resolve(&self, _: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        Err(no_sockets())
    }

    async fn connect(&self, _: SocketAddr) -> io::Result<NoSocket> {
        Err(no_sockets())
    }
}

fn no_sockets() -> io::Error {
    let text = "a test clock has no sockets: ask the handlers by a `TestClient`";
    io::Error::new(io::ErrorKind::Unsupported, text)
}

/// A timer on a [`TestClock`].
#[derive(Debug)]
pub struct TestTimer(Sleep);

impl Timer for TestTimer {
    fn reset(&mut self, deadline: Instant) {
        self.0 = self.0.clock().sleep_until(Some(deadline));
    }

    fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx)
    }
}

/// The transport and listener of a [`TestClock`], which has no sockets.
#[derive(Debug)]
pub enum NoSocket {}

impl Transport for NoSocket {
    fn poll_read(&mut self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        match *self {}
    }

    fn poll_write_vectored(
        &mut self,
        _: &mut Context<'_>,
        _: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match *self {}
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match *self {}
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match *self {}
    }
}
