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
    unused::Unused,
};

/// Topics by name. A topic is created at the first use of its name, and may be dropped once it was unused
/// for [a while](TopicMapConfig::keep_unused).
///
/// Clones are handles to the same map, and may be used on any thread.
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
///
/// ```
/// use std::time::Duration;
/// use sse_core::topic::TopicMapConfig;
///
/// let mut config = TopicMapConfig::default();
/// config.max_topics = 200;
/// config.keep_unused = Duration::from_secs(30);
/// config.topic.max_bytes = 256 * 1024;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicMapConfig {
    /// The bounds of each topic.
    pub topic: TopicConfig,
    /// The largest number of topics. 1,000 by default: with the default bounds of a topic they hold at
    /// most 4 GiB. Beyond it, asking for another one is an [error](TooManyTopics).
    pub max_topics: usize,
    /// The time that a topic is kept after its last use. It is in use while it has a subscriber, or a
    /// handle from [`topic`](TopicMap::topic) or [`get`](TopicMap::get). 5 min by default, so that a
    /// client that reconnects gets what it missed. Unused topics are dropped when further ones are
    /// created.
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
    /// A tree and not a hash table: clients may choose the names, and no choice of names makes a tree
    /// slow.
    by_name: BTreeMap<Box<str>, Topic>,
    /// The number of topics that were ever created.
    created: u64,
    /// The number of topics at which to look for unused ones.
    look_at: usize,
    unused: Unused,
}

/// The error of a [`TopicMap`] that has as many topics as it may, all of them in use or kept for a while
/// after their last use. Nothing was created. A handler's `?` makes a 503 of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TooManyTopics {
    /// The largest number of topics: [`TopicMapConfig::max_topics`].
    pub max_topics: usize,
}

impl TooManyTopics {
    /// Creates the error for a map of another kind, such as one of topics that follow an external log.
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
            "there are {max_topics} topics already, which is the limit; \
             try again later, or raise `max_topics`"
        )
    }
}

impl Error for TooManyTopics {}

impl TopicMap {
    /// Creates a map without topics, with the time and an epoch of this clock, as for [`Topic::on`].
    #[must_use]
    pub fn on(clock: impl Clock, config: TopicMapConfig) -> Self {
        let epoch = clock::epoch(&clock);
        Self::new(config, epoch, move || clock.now())
    }

    /// Creates a map without topics.
    ///
    /// `epoch` and `clock` are those of [`Topic::new`]. Each topic gets an epoch of its own, derived from
    /// this one: a topic does not know the IDs of an earlier one of the same name. [`TopicMap::on`] takes
    /// both from an adapter's runtime.
    pub fn new(
        config: TopicMapConfig,
        epoch: u64,
        clock: impl Fn() -> Instant + Send + Sync + 'static,
    ) -> Self {
        let topics = Topics {
            by_name: BTreeMap::new(),
            created: 0,
            look_at: Topics::FEW,
            unused: Unused::default(),
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

    /// Returns the topic of this name. Creates it if there is none, or if it is closed.
    ///
    /// # Errors
    ///
    /// [`TooManyTopics`] where there is no such topic, and no room for another. With `?` in a handler it
    /// becomes a 503.
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
        // Dropping them frees memory and reads the clock, which must not happen under the lock.
        drop(gone);
        result
    }

    /// Returns the topic of this name, if there is one that is not closed. Unlike [`topic`](Self::topic)
    /// it creates none, so that a client cannot fill the map with names of its choice.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Topic> {
        self.shared.topics().find(name)
    }

    /// Returns every topic with its name, in the order of the names, such as for statistics. While a
    /// returned handle is held, its topic counts as used.
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

    /// Returns the number of topics, closed and unused ones that were not dropped yet included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.topics().by_name.len()
    }

    /// Returns whether the map has no topics.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Shared {
    /// Only code of this crate runs under the lock, so a poisoned lock never hides a half-done change.
    fn topics(&self) -> MutexGuard<'_, Topics> {
        lock(&self.topics)
    }
}

impl Topics {
    /// The number of topics below which unused ones are not looked for.
    const FEW: usize = 64;

    fn find(&self, name: &str) -> Option<Topic> {
        let topic = self.by_name.get(name)?;
        (!topic.is_closed()).then(|| topic.clone())
    }

    /// Removes the unused topics, when it is time to look for them: so rarely that a new topic costs two
    /// looks on average.
    fn make_room(&mut self, now: Instant, config: &TopicMapConfig) -> Vec<Topic> {
        let is_due = |since: Instant| now.saturating_duration_since(since) > config.keep_unused;
        let before = self.by_name.len();
        let is_time = before >= self.look_at.min(config.max_topics);
        if !is_time {
            return Vec::new();
        }
        // None can come into use meanwhile: new handles are clones of others, or come from the map.
        let by_name = &mut self.by_name;
        let Some(gone) = self.unused.take(by_name, now, is_due, Topic::unused_since) else {
            return Vec::new();
        };
        self.look_at = (self.by_name.len() * 2).max(Self::FEW);
        gone
    }

    /// Creates a topic, and returns it with the one that it replaces, if there was one.
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
