//! The table of streams under its lock, and the runtime of its tasks.

use std::{
    sync::{Arc, Weak},
    task::Waker,
    time::Instant,
};

use sse_core::{
    internal::{
        Panicked,
        sync::{Mutex, lock},
    },
    topic::{
        Topic,
        resumable::{ResumableConfig, StartError, Started, StreamEnd, StreamOutput, StreamTable},
    },
};

use super::{
    keeper::Keeper,
    stream::Inner,
    task::{ProducerTask, Work},
};
use crate::{Runtime, trace};

type Table = StreamTable<Arc<Inner>>;

/// The state that all handles share. No application code runs under the lock.
pub(super) struct Shared {
    host: Box<dyn Host>,
    config: ResumableConfig,
    state: Mutex<State>,
}

pub(super) struct State {
    pub(super) table: Table,
    pub(super) keeper: KeeperState,
}

/// Whether a stream is started if there is none, and whether it gets another listener.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Starts {
    Alone,
    WithListener,
    /// The listener comes back, and has to find its stream.
    Never,
}

/// The state of the task that watches the deadlines.
#[derive(Debug)]
pub(super) enum KeeperState {
    /// There is none, because there are no streams.
    Absent,
    /// It will be polled, and reads the deadlines then.
    Awake,
    /// It waits, for this deadline at the latest.
    Waits(Waker, Option<Instant>),
}

impl KeeperState {
    /// Returns the waker of the keeper, if the keeper would be late.
    fn take_late(&mut self, deadline: Option<Instant>, is_over: bool) -> Option<Waker> {
        let Self::Waits(_, waits_for) = self else {
            return None;
        };
        let is_late = deadline.is_some_and(|at| waits_for.is_none_or(|until| at < until));
        if !is_late && !is_over {
            return None;
        }
        match std::mem::replace(self, Self::Awake) {
            Self::Waits(waker, _) => Some(waker),
            _ => None,
        }
    }
}

impl Shared {
    pub(super) fn new(runtime: impl Runtime, config: ResumableConfig) -> Self {
        let table = StreamTable::on(runtime.clone(), config.clone());
        Self {
            host: Box::new(runtime),
            config,
            state: Mutex::new(State {
                table,
                keeper: KeeperState::Absent,
            }),
        }
    }

    pub(super) fn config(&self) -> &ResumableConfig {
        &self.config
    }

    pub(super) fn state(&self) -> &Mutex<State> {
        &self.state
    }

    /// Changes the table, and then does what the table asks for.
    pub(super) fn act<T>(&self, act: impl FnOnce(&mut Table, Instant) -> T) -> T {
        let now = self.host.now();
        let (result, outputs, keeper) = {
            let mut guard = lock(&self.state);
            let State { table, keeper } = &mut *guard;
            let result = act(table, now);
            let outputs = outputs_of(table);
            let keeper = keeper.take_late(table.poll_timeout(), table.is_empty());
            (result, outputs, keeper)
        };
        outputs.into_iter().for_each(carry_out);
        keeper.into_iter().for_each(Waker::wake);
        result
    }

    pub(super) fn find(&self, owner: &str, name: &str) -> Option<Arc<Inner>> {
        self.act(|table, _| table.get(table.find(owner, name)?).cloned())
    }

    pub(super) fn all(&self, owner: Option<&str>) -> Vec<Arc<Inner>> {
        self.act(|table, _| table.all(owner).cloned().collect())
    }

    /// Returns the stream of this name, and whether it is new: then its producer has to be
    /// [spawned](Self::spawn).
    pub(super) fn start(
        &self,
        owner: &str,
        name: &str,
        starts: Starts,
    ) -> Result<(Arc<Inner>, bool), StartError> {
        self.act(|table, now| {
            let started = match starts {
                Starts::Never => table.find(owner, name).map(Started::There),
                Starts::Alone | Starts::WithListener => {
                    let make = |id, topic: &Topic| {
                        Arc::new(Inner::new(id, owner.into(), name.into(), topic.clone()))
                    };
                    Some(table.start(now, owner, name, make)?)
                }
            };
            let started = started.ok_or(StartError::Forgotten)?;
            let id = started.id();
            if starts != Starts::Alone {
                table.attach(id);
            }
            // It was found under the same lock.
            let inner = table.get(id).cloned().ok_or(StartError::Forgotten)?;
            Ok((inner, matches!(started, Started::New(_))))
        })
    }

    /// Spawns the producer of a stream, and the keeper of its deadlines if there is none.
    pub(super) fn spawn(self: &Arc<Self>, inner: Arc<Inner>, work: Result<Work, Panicked>) {
        // A runtime may panic here, such as outside of its own threads: the stream then ends with this task.
        let task = ProducerTask::new(self, inner, work);
        self.keep();
        self.host.spawn_producer(task);
    }

    fn keep(self: &Arc<Self>) {
        let is_absent = {
            let mut state = lock(&self.state);
            let is_absent = matches!(state.keeper, KeeperState::Absent);
            if is_absent {
                state.keeper = KeeperState::Awake;
            }
            is_absent
        };
        if is_absent {
            self.host.spawn_keeper(Arc::downgrade(self));
        }
    }

    /// Ends a stream, if it runs. Returns whether it did.
    pub(super) fn end(&self, inner: &Inner, end: StreamEnd) -> bool {
        self.act(|table, now| table.end(now, inner.id(), end))
    }
}

/// An empty vector does not allocate.
fn outputs_of(table: &mut Table) -> Vec<StreamOutput<Arc<Inner>>> {
    std::iter::from_fn(|| table.poll_output()).collect()
}

fn carry_out(output: StreamOutput<Arc<Inner>>) {
    if let StreamOutput::Ended(ended) = output {
        trace::stream_ended(ended.producer.name(), &ended.end);
        ended.close();
        ended.producer.set_end(ended.end);
    }
}

/// The last handle and the last client are gone, so that no producer can get a listener again.
impl Drop for Shared {
    fn drop(&mut self) {
        let now = self.host.now();
        let (outputs, keeper) = {
            let mut guard = lock(&self.state);
            let State { table, keeper } = &mut *guard;
            let all: Vec<_> = table.all(None).map(|inner| inner.id()).collect();
            for id in all {
                table.end(now, id, StreamEnd::Dropped);
            }
            (outputs_of(table), keeper.take_late(None, true))
        };
        outputs.into_iter().for_each(carry_out);
        keeper.into_iter().for_each(Waker::wake);
    }
}

/// The parts of any runtime that are needed here.
trait Host: Send + Sync {
    fn now(&self) -> Instant;
    fn spawn_producer(&self, task: ProducerTask);
    fn spawn_keeper(&self, shared: Weak<Shared>);
}

impl<R: Runtime> Host for R {
    fn now(&self) -> Instant {
        sse_core::Clock::now(self)
    }

    fn spawn_producer(&self, task: ProducerTask) {
        self.spawn(task);
    }

    fn spawn_keeper(&self, shared: Weak<Shared>) {
        self.spawn(Keeper::new(self.clone(), shared));
    }
}
