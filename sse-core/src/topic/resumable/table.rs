//! The table of all streams: which of them run, and when each is cancelled or forgotten.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Ended, ResumableConfig, ResumableStats, StartError, StreamEnd, StreamOutput};
use crate::{
    Budget, Clock, Text, clock,
    topic::{Topic, TopicConfig},
};

/// The streams of a [`ResumableConfig`], as a state machine: see the [module](super).
///
/// `P` is a value that the caller keeps for each stream, such as a handle of the producer's task. The
/// table returns clones of it.
///
/// As on the other machines, verbs are the application's calls, `handle_*` are inputs from outside, and
/// `poll_*` return what the caller has to do next. Any order of calls is allowed. A call for a stream
/// that was forgotten, or that ended before, does nothing.
///
/// ```
/// use std::time::{Duration, Instant};
/// use sse_core::topic::resumable::{
///     ResumableConfig, Started, StreamEnd, StreamOutput, StreamTable,
/// };
///
/// let mut now = Instant::now();
/// let mut table = StreamTable::new(ResumableConfig::default(), 7, Instant::now);
///
/// // The caller has a task that publishes to the topic.
/// let Started::New(id) = table.start(now, "", "answer", |_, topic| topic.clone())? else { panic!() };
/// let topic = table.get(id).unwrap().clone();
/// topic.publish("Once upon a time")?;
///
/// // A client comes, and leaves.
/// table.attach(id);
/// table.detach(now, id);
/// assert_eq!(table.poll_timeout(), Some(now + Duration::from_secs(60)));
///
/// // It does not come back.
/// now += Duration::from_secs(60);
/// table.handle_timeout(now);
/// let Some(StreamOutput::Ended(ended)) = table.poll_output() else { panic!() };
/// assert_eq!(ended.end, StreamEnd::Abandoned);
/// // The caller cancels the task, and ends the stream with its last event.
/// ended.close();
/// assert!(topic.is_closed());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct StreamTable<P> {
    config: ResumableConfig,
    /// The settings of each stream's topic, with a part of the budget.
    topic: TopicConfig,
    epoch: u64,
    clock: Now,
    next: u64,
    /// By owner and name. Trees and not hash tables: clients may choose the names, and no choice of names
    /// makes a tree slow.
    names: BTreeMap<Box<str>, BTreeMap<Box<str>, StreamId>>,
    streams: BTreeMap<StreamId, Entry<P>>,
    /// The deadlines of all streams, the earliest first.
    deadlines: BTreeSet<(Instant, StreamId)>,
    /// The finished streams, in the order of their ends.
    finished: BTreeMap<u64, StreamId>,
    ends: u64,
    outputs: VecDeque<StreamOutput<P>>,
    counts: ResumableStats,
}

type Now = Arc<dyn Fn() -> Instant + Send + Sync>;

/// Identifies a stream of a [`StreamTable`]. It is unique in the table, whatever the streams' names are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(u64);

/// The result of [`StreamTable::start`], which starts a name at most once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    /// A new stream: start its producer.
    New(StreamId),
    /// A stream of this name exists, which runs or is finished.
    There(StreamId),
}

impl Started {
    /// Returns the ID of the stream.
    #[must_use]
    pub fn id(self) -> StreamId {
        match self {
            Self::New(id) | Self::There(id) => id,
        }
    }
}

struct Entry<P> {
    owner: Box<str>,
    name: Box<str>,
    topic: Topic,
    producer: P,
    listeners: u64,
    state: State,
}

enum State {
    Running {
        /// When the grace time is over, if there is no listener.
        grace: Option<Instant>,
        /// When the time to end at a shutdown is over, if one has begun.
        shutdown: Option<Instant>,
    },
    Finished {
        /// The ordinal number of its end.
        number: u64,
        forget_at: Option<Instant>,
    },
}

impl State {
    fn deadline(&self) -> Option<Instant> {
        match *self {
            Self::Running { grace, shutdown } => [grace, shutdown].into_iter().flatten().min(),
            Self::Finished { forget_at, .. } => forget_at,
        }
    }
}

impl<P: Clone> StreamTable<P> {
    /// Creates a table without streams, with the time and an epoch of this clock, as for [`Topic::on`].
    #[must_use]
    pub fn on(clock: impl Clock, config: ResumableConfig) -> Self {
        let epoch = clock::epoch(&clock);
        Self::new(config, epoch, move || clock.now())
    }

    /// Creates a table without streams. `epoch` and `clock` are those of [`Topic::new`]. Each stream gets
    /// an epoch of its own, derived from this one: a stream does not know the IDs of a forgotten one of
    /// the same name.
    pub fn new(
        config: ResumableConfig,
        epoch: u64,
        clock: impl Fn() -> Instant + Send + Sync + 'static,
    ) -> Self {
        let mut topic = config.topic.clone();
        topic.budget = topic.budget.part(config.max_total_bytes);
        Self {
            config,
            topic,
            epoch,
            clock: Arc::new(clock),
            next: 0,
            names: BTreeMap::new(),
            streams: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            finished: BTreeMap::new(),
            ends: 0,
            outputs: VecDeque::new(),
            counts: ResumableStats::default(),
        }
    }

    /// Starts a stream, or finds the one of this name, whether it runs or is finished. `owner` is empty
    /// for a stream without an owner. `make` creates the value that the caller keeps for a new stream, to
    /// whose topic its producer publishes. The stream has no listener, so its grace time begins.
    ///
    /// # Errors
    ///
    /// [`StartError`] where there is no such stream and no room for one.
    pub fn start(
        &mut self,
        now: Instant,
        owner: &str,
        name: &str,
        make: impl FnOnce(StreamId, &Topic) -> P,
    ) -> Result<Started, StartError> {
        if let Some(id) = self.find(owner, name) {
            return Ok(Started::There(id));
        }
        let (len, max) = (owner.len().max(name.len()), self.config.max_name_len);
        if len > max {
            return Err(StartError::NameTooLong { len, max });
        }
        self.make_room(owner)?;
        let id = StreamId(self.next);
        self.next += 1;
        let (clock, epoch) = (self.clock.clone(), self.epoch.wrapping_add(id.0));
        let topic = Topic::new(self.topic.clone(), epoch, move || clock());
        let grace = after(now, self.config.grace);
        let entry = Entry {
            owner: owner.into(),
            name: name.into(),
            producer: make(id, &topic),
            topic,
            listeners: 0,
            state: State::Running {
                grace,
                shutdown: None,
            },
        };
        self.deadlines.extend(grace.map(|at| (at, id)));
        self.streams.insert(id, entry);
        let names = self.names.entry(owner.into()).or_default();
        names.insert(name.into(), id);
        self.counts.started();
        Ok(Started::New(id))
    }

    /// Returns the stream of this name, running or finished, if there is one.
    #[must_use]
    pub fn find(&self, owner: &str, name: &str) -> Option<StreamId> {
        self.names.get(owner)?.get(name).copied()
    }

    /// Returns the value that the caller keeps for this stream.
    #[must_use]
    pub fn get(&self, id: StreamId) -> Option<&P> {
        Some(&self.streams.get(&id)?.producer)
    }

    /// Returns the streams of this owner, in the order of their names; with `None`, those of all owners.
    pub fn all(&self, owner: Option<&str>) -> impl Iterator<Item = &P> {
        let (one, all) = match owner {
            Some(owner) => (self.names.get(owner), None),
            None => (None, Some(self.names.values())),
        };
        let names = one.into_iter().chain(all.into_iter().flatten());
        names.flat_map(|names| names.values().filter_map(|id| self.get(*id)))
    }

    /// Records that a client listens to this stream: until [`detach`](Self::detach), the grace time does
    /// not begin. The client reads the stream's topic.
    pub fn attach(&mut self, id: StreamId) {
        self.change(id, |entry| {
            entry.listeners += 1;
            if let State::Running { grace, .. } = &mut entry.state {
                *grace = None;
            }
        });
    }

    /// Records that a listener has left. When the last one leaves, the [grace
    /// time](ResumableConfig::grace) begins.
    pub fn detach(&mut self, now: Instant, id: StreamId) {
        let until = after(now, self.config.grace);
        self.change(id, |entry| {
            entry.listeners = entry.listeners.saturating_sub(1);
            if let State::Running { grace, .. } = &mut entry.state
                && entry.listeners == 0
            {
                *grace = until;
            }
        });
    }

    /// Returns the number of the stream's listeners now; 0 for a stream that is not in the table.
    #[must_use]
    pub fn listeners(&self, id: StreamId) -> u64 {
        self.streams.get(&id).map_or(0, |entry| entry.listeners)
    }

    /// Ends the stream, if it runs. Returns whether it did. [`poll_output`](Self::poll_output) then
    /// returns the [`Ended`] stream, which the table keeps for the
    /// [retention](ResumableConfig::retention).
    pub fn end(&mut self, now: Instant, id: StreamId, end: StreamEnd) -> bool {
        let forget_at = after(now, Some(self.config.retention));
        let number = self.ends;
        let finished = State::Finished { number, forget_at };
        let Some(entry) = self.streams.get_mut(&id) else {
            return false;
        };
        if let State::Finished { .. } = entry.state {
            return false;
        }
        let ended = Ended {
            producer: entry.producer.clone(),
            end,
            topic: entry.topic.clone(),
            event_type: self.config.end_event_type.clone(),
        };
        self.change(id, |entry| entry.state = finished);
        self.ends += 1;
        self.finished.insert(number, id);
        self.counts.ended(&ended.end);
        self.outputs.push_back(StreamOutput::Ended(ended));
        true
    }

    /// Ends the stream for this reason, if it runs, and forgets it at once. Returns whether there was
    /// one.
    pub fn forget(&mut self, now: Instant, id: StreamId, reason: Text) -> bool {
        self.end(now, id, StreamEnd::Stopped(reason));
        self.remove(id)
    }

    /// Forgets the stream that finished first, of those that have no listener and whose histories
    /// [count](crate::Budget::GRANULE). Returns whether there was one. Call it where the budget has no
    /// room for a producer's next event.
    pub fn forget_one(&mut self) -> bool {
        self.forget_first(|entry| entry.topic.retained_bytes() >= Budget::GRANULE)
    }

    /// Forgets the stream that finished first, of those that have no listener and for which `is_it`
    /// returns true.
    fn forget_first(&mut self, is_it: impl Fn(&Entry<P>) -> bool) -> bool {
        let mut finished = self.finished.values().copied();
        let unused = finished.find(|id| {
            let entry = self.streams.get(id);
            entry.is_some_and(|entry| entry.listeners == 0 && is_it(entry))
        });
        unused.is_some_and(|id| self.remove(id))
    }

    /// Reports that the server through which a client listens to this stream has begun to shut down. The
    /// first such report counts: if the stream still runs
    /// [`shutdown_grace`](ResumableConfig::shutdown_grace) later, it ends with [`StreamEnd::Shutdown`].
    pub fn handle_shutdown(&mut self, now: Instant, id: StreamId) {
        let until = after(now, self.config.shutdown_grace);
        self.change(id, |entry| {
            if let State::Running { shutdown, .. } = &mut entry.state {
                *shutdown = shutdown.or(until);
            }
        });
    }

    /// Handles the deadlines that have passed by `now`: ends streams whose grace time is over, and removes
    /// finished ones whose retention is.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(&(at, id)) = self.deadlines.first()
            && at <= now
        {
            let state = self.streams.get(&id).map(|entry| &entry.state);
            let end = match state {
                Some(State::Running { shutdown, .. }) if shutdown.is_some_and(|at| at <= now) => {
                    StreamEnd::Shutdown
                }
                Some(State::Running { .. }) => StreamEnd::Abandoned,
                Some(State::Finished { .. }) => {
                    self.remove(id);
                    continue;
                }
                None => {
                    self.deadlines.pop_first();
                    continue;
                }
            };
            self.end(now, id, end);
        }
    }

    /// Returns when to call [`handle_timeout`](Self::handle_timeout) next; `None` where no deadline is
    /// set. Ask again after every other call.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Returns what the caller has to do next; `None` if there is nothing.
    pub fn poll_output(&mut self) -> Option<StreamOutput<P>> {
        self.outputs.pop_front()
    }

    /// Returns the number of streams, running and finished.
    #[must_use]
    pub fn len(&self) -> usize {
        self.streams.len()
    }

    /// Returns whether the table has no streams.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// Returns the counters and gauges of the streams.
    #[must_use]
    pub fn stats(&self) -> ResumableStats {
        ResumableStats {
            listeners: self.streams.values().map(|entry| entry.listeners).sum(),
            retained_bytes: self.topic.budget.used().history as u64,
            ..self.counts
        }
    }

    /// Returns the settings.
    #[must_use]
    pub fn config(&self) -> &ResumableConfig {
        &self.config
    }

    /// Makes room for one more stream of this owner.
    fn make_room(&mut self, owner: &str) -> Result<(), StartError> {
        let max = self.config.max_streams_per_owner;
        let names = self.names.get(owner);
        if !owner.is_empty() && names.map_or(0, BTreeMap::len) >= max {
            let own = names.into_iter().flat_map(BTreeMap::values);
            let finished = own.filter_map(|id| Some((self.unused_since(*id)?, *id)));
            let Some((_, first)) = finished.min() else {
                return Err(StartError::TooManyOfOwner { max });
            };
            self.remove(first);
        }
        let max = self.config.max_streams;
        match self.streams.len() < max || self.forget_first(|_| true) {
            true => Ok(()),
            false => Err(StartError::TooManyStreams { max }),
        }
    }

    /// Returns the ordinal number of the stream's end, if it is finished and has no listener.
    fn unused_since(&self, id: StreamId) -> Option<u64> {
        match self.streams.get(&id)? {
            Entry {
                listeners: 0,
                state: State::Finished { number, .. },
                ..
            } => Some(*number),
            _ => None,
        }
    }

    /// Changes a stream, and its place among the deadlines.
    fn change(&mut self, id: StreamId, change: impl FnOnce(&mut Entry<P>)) {
        let Some(entry) = self.streams.get_mut(&id) else {
            return;
        };
        let before = entry.state.deadline();
        change(entry);
        let after = entry.state.deadline();
        if before != after {
            before.map(|at| self.deadlines.remove(&(at, id)));
            self.deadlines.extend(after.map(|at| (at, id)));
        }
    }

    /// Removes a stream. Returns whether there was one.
    fn remove(&mut self, id: StreamId) -> bool {
        let Some(entry) = self.streams.remove(&id) else {
            return false;
        };
        let deadline = entry.state.deadline();
        deadline.map(|at| self.deadlines.remove(&(at, id)));
        if let State::Finished { number, .. } = entry.state {
            self.finished.remove(&number);
            self.counts.finished -= 1;
        }
        if let Some(names) = self.names.get_mut(&entry.owner) {
            names.remove(&entry.name);
            if names.is_empty() {
                self.names.remove(&entry.owner);
            }
        }
        let forgotten = StreamOutput::Forgotten(entry.topic, entry.producer);
        self.outputs.push_back(forgotten);
        true
    }
}

/// Returns `now` plus `time`; `None` where there is no time, or where an instant cannot hold the sum.
fn after(now: Instant, time: Option<Duration>) -> Option<Instant> {
    now.checked_add(time?)
}

impl<P> fmt::Debug for StreamTable<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamTable")
            .field("config", &self.config)
            .field("streams", &self.streams.len())
            .finish_non_exhaustive()
    }
}
