//! Topics by name.

use std::{
    collections::BTreeMap,
    error::Error,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Topic, TopicConfig};
use crate::{
    Clock, Text, clock,
    sync::{Mutex, MutexGuard, lock},
};

/// Topics by name. A topic is made at the first use of its name, and may be dropped once it was not
/// used for [a while](TopicMapConfig::keep_unused).
///
/// Clones are handles to the same map, for any thread.
///
/// ```
/// use std::time::Instant;
/// use sse_core::topic::{Subscriber, TooManyTopics, TopicMap, TopicMapConfig};
///
/// let rooms = TopicMap::new(TopicMapConfig::default(), 0, Instant::now);
/// let listened = rooms.clone();
/// let handler = move |request: http::Request<()>| -> Result<Subscriber, TooManyTopics> {
///     let room = request.uri().path().trim_start_matches("/rooms/");
///     Ok(listened.topic(room)?.resume(&request))
/// };
///
/// let subscriber = handler(http::Request::get("/rooms/kitchen").body(())?)?;
/// rooms.topic("kitchen")?.publish("The soup is ready.")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct TopicMap {
    shared: Arc<Shared>,
}

/// The bounds of a [`TopicMap`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicMapConfig {
    /// The bounds of each topic.
    pub topic: TopicConfig,
    /// How many topics there may be. 1,000 by default: with the default bounds of a topic they hold
    /// 4 GiB at most. Beyond it, asking for a new one is an [error](TooManyTopics).
    pub max_topics: usize,
    /// For how long a topic stays after its last use: since then no handle of it was held, which
    /// [`topic`](TopicMap::topic) and [`get`](TopicMap::get) give, and it had no subscriber. 5 min by
    /// default, so that a client that comes back finds what it missed. Those that are due go when
    /// new ones come.
    pub keep_unused: Duration,
}

impl Default for TopicMapConfig {
    fn default() -> Self {
        Self {
            topic: TopicConfig::default(),
            max_topics: 1_000,
            keep_unused: Duration::from_secs(5 * 60),
        }
    }
}

type Now = Arc<dyn Fn() -> Instant + Send + Sync>;

struct Shared {
    config: TopicMapConfig,
    epoch: u64,
    clock: Now,
    topics: Mutex<Topics>,
}

struct Topics {
    /// A tree and not a hash table: clients may choose names, and no choice of names slows a tree down.
    by_name: BTreeMap<Box<str>, Topic>,
    /// How many there ever were.
    created: u64,
    /// How many there are when it is time to look for those that are due.
    look_at: usize,
}

/// The error of a [`TopicMap`] that holds as many topics as it may, all of them in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TooManyTopics {
    /// How many there may be.
    pub max_topics: usize,
}

impl TooManyTopics {
    /// Creates the error of a map of your own, which has as many topics as there may be.
    #[must_use]
    pub fn new(max_topics: usize) -> Self {
        Self { max_topics }
    }
}

impl fmt::Display for TooManyTopics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { max_topics } = self;
        write!(
            f,
            "there are {max_topics} topics already, which is as many as there may be; \
             try again later, or raise `max_topics`"
        )
    }
}

impl Error for TooManyTopics {}

impl TopicMap {
    /// Creates a map without any topics yet, with the time and an epoch of this clock, as for
    /// [`Topic::on`].
    #[must_use]
    pub fn on(clock: impl Clock, config: TopicMapConfig) -> Self {
        let epoch = clock::epoch(&clock);
        Self::new(config, epoch, move || clock.now())
    }

    /// Returns a map without any topics yet.
    ///
    /// `epoch` and `clock` are those of [`Topic::new`]. Each topic has an epoch of its own, which
    /// follows from this one: an ID of a topic that has gone is unknown to the one that takes its
    /// place. An adapter's runtime has both: see [`TopicMap::on`].
    pub fn new(
        config: TopicMapConfig,
        epoch: u64,
        clock: impl Fn() -> Instant + Send + Sync + 'static,
    ) -> Self {
        let topics = Topics {
            by_name: BTreeMap::new(),
            created: 0,
            look_at: Topics::FEW,
        };
        Self {
            shared: Arc::new(Shared {
                config,
                epoch,
                clock: Arc::new(clock),
                topics: Mutex::new(topics),
            }),
        }
    }

    /// Returns the topic of this name, which is a new one where there is none, or one that is closed.
    ///
    /// # Errors
    ///
    /// [`TooManyTopics`] where there is none, and no room for another. A handler's `?` makes it a
    /// 503.
    pub fn topic(&self, name: &str) -> Result<Topic, TooManyTopics> {
        let Shared { config, clock, .. } = &*self.shared;
        let now = clock();
        let mut topics = self.shared.topics();
        if let Some(topic) = topics.find(name) {
            return Ok(topic);
        }
        let mut gone = topics.make_room(now, config);
        let has_room = topics.by_name.len() < config.max_topics;
        let result = match has_room || topics.by_name.contains_key(name) {
            true => {
                let (topic, replaced) = topics.create(name, &self.shared);
                gone.extend(replaced);
                Ok(topic)
            }
            false => Err(TooManyTopics {
                max_topics: config.max_topics,
            }),
        };
        drop(topics);
        // Dropping them frees memory and reads the clock; the lock is not held meanwhile.
        drop(gone);
        result
    }

    /// Returns the topic of this name, if there is one that is not closed.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Topic> {
        self.shared.topics().find(name)
    }

    /// Returns every topic, with its name, in the order of the names: for those who want to know what
    /// they all do. To the map, a handle that is held is a use of the topic.
    #[must_use]
    pub fn all(&self) -> Vec<(Text, Topic)> {
        let topics = self.shared.topics();
        let all = topics.by_name.iter();
        all.map(|(name, topic)| (Text::from(&**name), topic.clone()))
            .collect()
    }

    /// Returns the settings.
    #[must_use]
    pub fn config(&self) -> &TopicMapConfig {
        &self.shared.config
    }

    /// Returns how many topics there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.topics().by_name.len()
    }

    /// Returns whether there are no topics.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Shared {
    /// Only code of this crate runs under the lock, so that a poisoned lock hides no half-made change.
    fn topics(&self) -> MutexGuard<'_, Topics> {
        lock(&self.topics)
    }
}

impl Topics {
    /// It is not worth looking for what is due among fewer than these.
    const FEW: usize = 64;

    fn find(&self, name: &str) -> Option<Topic> {
        let topic = self.by_name.get(name)?;
        (!topic.is_closed()).then(|| topic.clone())
    }

    /// Takes the topics out that are due, when it is time to look for them: so seldom that a new
    /// topic pays for two looks on average.
    fn make_room(&mut self, now: Instant, config: &TopicMapConfig) -> Vec<Topic> {
        let before = self.by_name.len();
        if before < self.look_at.min(config.max_topics) {
            return Vec::new();
        }
        let mut gone = Vec::new();
        // None can come into use meanwhile: new handles are clones of others, or come from the map.
        let is_due = |topic: &mut Topic| {
            let unused_since = topic.unused_since();
            unused_since.is_some_and(|at| now.saturating_duration_since(at) > config.keep_unused)
        };
        let due: Vec<Box<str>> = self
            .by_name
            .iter_mut()
            .filter_map(|(name, topic)| is_due(topic).then(|| name.clone()))
            .collect();
        for name in due {
            gone.extend(self.by_name.remove(&name));
        }
        self.look_at = (self.by_name.len() * 2).max(Self::FEW);
        gone
    }

    /// The new topic, and the one in whose place it is, if there was one.
    fn create(&mut self, name: &str, shared: &Shared) -> (Topic, Option<Topic>) {
        let epoch = shared.epoch.wrapping_add(self.created);
        self.created += 1;
        let clock = shared.clock.clone();
        let config = shared.config.topic.clone();
        let topic = Topic::with_use_noted(config, epoch, Box::new(move || clock()), true);
        let replaced = self.by_name.insert(name.into(), topic.clone());
        (topic, replaced)
    }
}

impl fmt::Debug for TopicMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopicMap")
            .field("config", &self.shared.config)
            .field("topics", &self.len())
            .finish_non_exhaustive()
    }
}
