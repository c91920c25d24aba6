//! A log in the memory of one process.

use std::{
    collections::{BTreeMap, VecDeque},
    error::Error,
    fmt,
    future::pending,
    sync::Arc,
};

use sse_core::{
    Event, Text,
    internal::sync::{Mutex, lock},
    topic::{
        Position,
        follower::{Bell, Page, PageRequest, Tails},
    },
};

use super::{AppendError, Bells, EventLog, LogError};

/// A log in the memory of one process: for tests of programs that run on many nodes, and for programs
/// that run on one and will run on many.
///
/// It has no clock, and forgets no topic ([`keep_for`](EventLog::keep_for) does nothing).
///
/// Clones are handles to the same log. Give clones to several [`FollowedTopics`](super::FollowedTopics) to
/// have several nodes in one test.
///
/// ```
/// use sse_core::{Event, topic::{Position, follower::PageRequest}};
/// use sse_driver::event_log::{EventLog, MemoryLog};
///
/// # futures_util::FutureExt::now_or_never(async {
/// let log = MemoryLog::new(7);
/// let position = log.append(&"news".into(), Event::new("hello")).await?;
/// assert_eq!(position, Position::new(7, 1));
///
/// let page = log.read(&"news".into(), PageRequest::new(Position::new(7, 0), 10)).await?;
/// assert_eq!((page.tails.newest, page.events.len()), (1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap().unwrap();
/// ```
#[derive(Clone)]
pub struct MemoryLog {
    shared: Arc<Shared>,
}

/// The bounds of a [`MemoryLog`].
///
/// ```
/// use sse_driver::event_log::{MemoryLog, MemoryLogConfig};
///
/// let mut config = MemoryLogConfig::default();
/// config.max_events = 100;
/// let log = MemoryLog::with_config(1, config);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryLogConfig {
    /// The number of events that each topic keeps. 10,000 by default; older ones are dropped.
    pub max_events: usize,
    /// The largest number of topics. 10,000 by default. Beyond it, appending to a new one fails with
    /// [`MemoryLogFull`].
    pub max_topics: usize,
    /// Whether bells carry their events. `true` by default.
    pub full_bells: bool,
}

impl Default for MemoryLogConfig {
    fn default() -> Self {
        Self {
            max_events: 10_000,
            max_topics: 10_000,
            full_bells: true,
        }
    }
}

/// The error of a [`MemoryLog`](super::MemoryLog) that has as many topics as it may have: the cause of
/// [`AppendError::NotAppended`](super::AppendError::NotAppended).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryLogFull {
    /// The largest number of topics.
    pub max_topics: usize,
}

impl fmt::Display for MemoryLogFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { max_topics } = self;
        write!(
            f,
            "the log has {max_topics} topics already, which is the limit; raise \
             `max_topics`"
        )
    }
}

impl Error for MemoryLogFull {}

struct Shared {
    config: MemoryLogConfig,
    state: Mutex<State>,
}

struct State {
    epoch: u64,
    topics: BTreeMap<Text, Stream>,
    /// The bells of the watching nodes, by topic.
    watchers: BTreeMap<Text, BTreeMap<u64, Bells>>,
    watches: u64,
}

struct Stream {
    oldest: u64,
    events: VecDeque<Event>,
}

impl Stream {
    fn tails(&self, epoch: u64) -> Tails {
        Tails {
            epoch,
            oldest: self.oldest,
            newest: self.oldest + self.events.len() as u64 - 1,
        }
    }
}

impl Default for Stream {
    fn default() -> Self {
        Self {
            oldest: 1,
            events: VecDeque::new(),
        }
    }
}

impl MemoryLog {
    /// Creates an empty log with this epoch: a number larger than those of earlier logs, such as the time
    /// at the start, so that an ID of theirs is known to be one.
    #[must_use]
    pub fn new(epoch: u64) -> Self {
        Self::with_config(epoch, MemoryLogConfig::default())
    }

    /// Creates an empty log with this epoch and these bounds: see [`new`](Self::new).
    #[must_use]
    pub fn with_config(epoch: u64, config: MemoryLogConfig) -> Self {
        let state = State {
            epoch,
            topics: BTreeMap::new(),
            watchers: BTreeMap::new(),
            watches: 0,
        };
        Self {
            shared: Arc::new(Shared {
                config,
                state: Mutex::new(state),
            }),
        }
    }

    /// Drops every event, and begins the next epoch, as an external log does that is started again
    /// without its data.
    pub fn begin_anew(&self) {
        let mut state = lock(&self.shared.state);
        state.epoch += 1;
        state.topics.clear();
    }

    /// Drops all events of `topic` except the newest `keep`, as an external log does at its bound.
    /// Clients that have not read the dropped ones are told of a gap.
    pub fn trim(&self, topic: &str, keep: usize) {
        let mut state = lock(&self.shared.state);
        if let Some(stream) = state.topics.get_mut(&Text::from(topic)) {
            stream.trim(keep);
        }
    }
}

impl MemoryLog {
    /// Appends where the epoch is this one, if one is given.
    fn put(
        &self,
        topic: &Text,
        event: Event,
        wanted: Option<u64>,
    ) -> Result<Position, AppendError> {
        let MemoryLogConfig {
            max_events,
            max_topics,
            full_bells,
        } = self.shared.config;
        let (position, watchers) = {
            let mut state = lock(&self.shared.state);
            if wanted.is_some_and(|epoch| epoch != state.epoch) {
                return Err(AppendError::OtherEpoch);
            }
            if !state.topics.contains_key(topic) && state.topics.len() >= max_topics {
                let full = MemoryLogFull { max_topics };
                return Err(AppendError::NotAppended(LogError::new(full)));
            }
            let epoch = state.epoch;
            let stream = state.topics.entry(topic.clone()).or_default();
            stream.events.push_back(event.clone());
            let newest = stream.tails(epoch).newest;
            stream.trim(max_events);
            let watchers = state.watchers.get(topic);
            let watchers: Vec<Bells> =
                watchers.map_or_else(Vec::new, |all| all.values().cloned().collect());
            (Position::new(epoch, newest), watchers)
        };
        for bells in watchers {
            let bell = Bell::new(position);
            bells.ring(match full_bells {
                true => bell.with_event(event.clone()),
                false => bell,
            });
        }
        Ok(position)
    }
}

impl Stream {
    fn trim(&mut self, keep: usize) {
        while self.events.len() > keep {
            self.events.pop_front();
            self.oldest += 1;
        }
    }
}

impl EventLog for MemoryLog {
    async fn append(&self, topic: &Text, event: Event) -> Result<Position, AppendError> {
        self.put(topic, event, None)
    }

    async fn append_in(
        &self,
        topic: &Text,
        epoch: u64,
        event: Event,
    ) -> Result<Position, AppendError> {
        self.put(topic, event, Some(epoch))
    }

    async fn read(&self, topic: &Text, request: PageRequest) -> Result<Page, LogError> {
        let state = lock(&self.shared.state);
        let epoch = state.epoch;
        let Some(stream) = state.topics.get(topic) else {
            return Ok(Page::new(Stream::default().tails(epoch), Vec::new()));
        };
        let mut events = Vec::new();
        if request.after.epoch() == epoch {
            let behind = request.after.sequence().saturating_add(1);
            // A number larger than memory can hold skips everything.
            let skip = usize::try_from(behind.saturating_sub(stream.oldest)).unwrap_or(usize::MAX);
            let held = (stream.oldest..).zip(&stream.events);
            let page = held.skip(skip).take(request.limit);
            events.extend(page.map(|(sequence, event)| (sequence, event.clone())));
        }
        Ok(Page::new(stream.tails(epoch), events))
    }

    async fn watch(&self, topic: &Text, bells: Bells) -> LogError {
        let number = {
            let mut state = lock(&self.shared.state);
            state.watches += 1;
            let number = state.watches;
            let watchers = state.watchers.entry(topic.clone()).or_default();
            watchers.insert(number, bells.clone());
            number
        };
        let _watch = Watch {
            log: self,
            topic,
            number,
        };
        bells.up();
        pending().await
    }
}

/// A watch, which ends when this is dropped.
struct Watch<'a> {
    log: &'a MemoryLog,
    topic: &'a Text,
    number: u64,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.log.shared.state);
        let State { watchers, .. } = &mut *state;
        if let Some(of_topic) = watchers.get_mut(self.topic) {
            of_topic.remove(&self.number);
            if of_topic.is_empty() {
                watchers.remove(self.topic);
            }
        }
    }
}

impl fmt::Debug for MemoryLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = lock(&self.shared.state);
        f.debug_struct("MemoryLog")
            .field("epoch", &state.epoch)
            .field("topics", &state.topics.len())
            .finish_non_exhaustive()
    }
}
