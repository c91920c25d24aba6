//! Topics by name, each with a task that follows its log.

use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use sse_core::{
    Text,
    internal::{
        Unused,
        sync::{Mutex, lock},
    },
    topic::{TooManyTopics, Topic, TopicConfig},
};

use super::{
    Bells, DynLog, EventLog, FollowedTopic, FollowedTopicsConfig,
    followed::{Followed, Observe},
    permits::Permits,
    task::FollowTask,
};
use crate::{Runtime, alarm::Alarm};

/// Topics by name, each of which follows the log of its name. See the [module](super) for an example.
///
/// A topic is followed from the first use of its name on, by a task of its own, so that no topic waits
/// for another one, until it was unused for [a while](FollowedTopicsConfig::keep_unused). Their number is
/// bounded.
///
/// Clones are handles to the same topics, and may be used on any thread. When the last one is dropped,
/// with all handles of topics and all streams, the tasks end.
#[derive(Clone)]
pub struct FollowedTopics {
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) config: FollowedTopicsConfig,
    pub(super) permits: Arc<Permits>,
    pub(super) host: Box<dyn Host>,
    log: DynLog,
    topics: Mutex<Topics>,
}

#[derive(Default)]
struct Topics {
    /// A tree and not a hash table: clients may choose the names, and no choice of names makes a tree
    /// slow.
    by_name: BTreeMap<Text, Arc<Held>>,
    unused: Unused,
}

/// The value that handles and streams hold, and the task does not: when it is dropped the topic ends.
pub(super) struct Held {
    pub(super) followed: Arc<Followed>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.followed.end();
    }
}

impl FollowedTopics {
    /// Creates the topics over this log, with the tasks and the timers of this runtime, such as
    /// `FollowedTopics::on(Tokio, log, FollowedTopicsConfig::default())`.
    #[must_use]
    pub fn on(runtime: impl Runtime, log: impl EventLog, config: FollowedTopicsConfig) -> Self {
        let config = config.counted();
        Self {
            shared: Arc::new(Shared {
                permits: Permits::new(config.max_client_reads),
                config,
                host: Box::new(runtime),
                log: Arc::new(log),
                topics: Mutex::default(),
            }),
        }
    }

    /// Returns the topic of this name, which follows its log from the first use on.
    ///
    /// # Errors
    ///
    /// [`TooManyTopics`] where the topic is not followed yet, and [as many topics as
    /// allowed](FollowedTopicsConfig::max_topics) are. With `?` in a handler it becomes a 503.
    pub fn topic(&self, name: &str) -> Result<FollowedTopic, TooManyTopics> {
        let shared = &self.shared;
        let now = shared.host.now();
        let name = Text::from(name);
        let (held, is_new, gone) = {
            let mut topics = lock(&shared.topics);
            let mut gone = Vec::new();
            match topics.by_name.get(&name) {
                Some(held) if !held.followed.is_over() => (held.clone(), false, gone),
                _ => {
                    let max_topics = shared.config.max_topics;
                    if topics.by_name.len() >= max_topics {
                        gone = shared.take_unused(&mut topics, now);
                    }
                    let has_room = topics.by_name.len() < max_topics;
                    if !has_room && !topics.by_name.contains_key(&name) {
                        return Err(TooManyTopics::new(max_topics));
                    }
                    let held = shared.new_held(&name, now, None);
                    gone.extend(topics.by_name.insert(name, held.clone()));
                    (held, true, gone)
                }
            }
        };
        // This must not happen under the lock: it wakes tasks and frees memory.
        drop(gone);
        if is_new {
            shared.host.follow(shared, held.followed.clone());
        }
        Ok(FollowedTopic::new(shared.clone(), held))
    }

    /// A topic that only its handle knows, of whose log the observer is told, once it is
    /// [followed](FollowedTopic::follow).
    pub(super) fn observed(&self, name: &Text, observer: Arc<dyn Observe>) -> FollowedTopic {
        let shared = &self.shared;
        let held = shared.new_held(name, shared.host.now(), Some(observer));
        FollowedTopic::new(shared.clone(), held)
    }

    pub(super) fn host(&self) -> &dyn Host {
        &*self.shared.host
    }

    /// Returns the number of followed topics, each of which has a task.
    #[must_use]
    pub fn len(&self) -> usize {
        lock(&self.shared.topics).by_name.len()
    }

    /// Returns whether no topic is followed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the settings.
    #[must_use]
    pub fn config(&self) -> &FollowedTopicsConfig {
        &self.shared.config
    }
}

impl Shared {
    fn new_held(&self, name: &Text, now: Instant, observer: Option<Arc<dyn Observe>>) -> Arc<Held> {
        let config = &self.config;
        let bells = Bells::new(config.max_bells, config.max_bell_bytes);
        let topic = self.host.topic(config.topic.clone());
        let followed = Followed::new(name.clone(), self.log.clone(), topic, bells, observer, now);
        Arc::new(Held {
            followed: Arc::new(followed),
        })
    }

    /// Removes the topics that were unused for long.
    fn take_unused(&self, topics: &mut Topics, now: Instant) -> Vec<Arc<Held>> {
        let Topics { by_name, unused } = topics;
        let is_due = |since| self.is_due(since, now);
        let gone = unused.take(by_name, now, is_due, unused_since);
        gone.unwrap_or_default()
    }

    /// Returns whether a topic that has been unused since this time is to go.
    fn is_due(&self, since: Instant, now: Instant) -> bool {
        now.saturating_duration_since(since) >= self.config.keep_unused
    }

    /// Removes the topic of this name, if it was unused for long.
    pub(super) fn forget_if_unused(&self, name: &Text, now: Instant) {
        let gone = {
            let mut topics = lock(&self.topics);
            let since = topics.by_name.get_mut(name).and_then(unused_since);
            match since.is_some_and(|since| self.is_due(since, now)) {
                true => topics.by_name.remove(name),
                false => None,
            }
        };
        drop(gone);
    }
}

/// Returns since when the topic is unused, if it is. It cannot come into use meanwhile: handles are clones
/// of others, or come from the map.
fn unused_since(held: &mut Arc<Held>) -> Option<Instant> {
    Arc::get_mut(held).map(|held| held.followed.left_at())
}

/// The parts of any runtime that are needed here.
pub(super) trait Host: Send + Sync {
    fn now(&self) -> Instant;
    fn topic(&self, config: TopicConfig) -> Topic;
    fn follow(&self, shared: &Arc<Shared>, followed: Arc<Followed>);
    fn alarm(&self) -> Box<dyn Sleep>;
}

/// A timer for any deadline.
pub(super) trait Sleep: Send {
    fn poll(&mut self, deadline: Option<Instant>, cx: &mut Context<'_>) -> Poll<()>;
}

struct AlarmOn<R: Runtime> {
    runtime: R,
    alarm: Alarm<R>,
}

impl<R: Runtime> Sleep for AlarmOn<R> {
    fn poll(&mut self, deadline: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
        self.alarm.poll(&self.runtime, deadline, cx)
    }
}

impl<R: Runtime> Host for R {
    fn now(&self) -> Instant {
        sse_core::Clock::now(self)
    }

    fn topic(&self, config: TopicConfig) -> Topic {
        Topic::on(self.clone(), config)
    }

    fn follow(&self, shared: &Arc<Shared>, followed: Arc<Followed>) {
        self.spawn(FollowTask::new(self.clone(), shared, followed));
    }

    fn alarm(&self) -> Box<dyn Sleep> {
        Box::new(AlarmOn {
            runtime: self.clone(),
            alarm: Alarm::new(),
        })
    }
}

impl fmt::Debug for FollowedTopics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FollowedTopics")
            .field("config", self.config())
            .field("topics", &self.len())
            .finish_non_exhaustive()
    }
}
