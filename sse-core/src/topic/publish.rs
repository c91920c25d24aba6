//! The topic: the history under a lock, and the subscribers that wait for its next event.

use std::{fmt, mem, task::Waker, time::Instant};

use super::{
    Outcome, Position, PublishError, Subscriber, TopicConfig, TopicEnd, TopicStats, log::Log,
};
use crate::{
    Clock, Event, IntoEvent, clock,
    sync::{Arc, Mutex, MutexGuard, PoisonError, lock},
    wake::WakerSet,
};

/// One source of events for any number of subscribers, with a bounded history.
///
/// Clones are handles to the same topic, and may be used on any thread. See the [module](super) for an
/// example.
///
/// When the last handle is dropped, or one of them [closes](Self::close) the topic, its subscribers get
/// the remaining events, and then their streams end, for a [reason](TopicEnd).
///
/// ```
/// use std::time::Instant;
/// use sse_core::topic::{Outcome, Topic, TopicConfig};
///
/// // An adapter's users write `Topic::on(Tokio, TopicConfig::default())`.
/// let news = Topic::new(TopicConfig::default(), 7, Instant::now);
/// let publisher = news.clone();
/// let first = publisher.publish("The soup is ready.")?;
/// publisher.publish("The soup is cold.")?;
///
/// // A handler returns a subscriber: here for a client that has received the first event.
/// let subscriber = news.resume_from(Some(&first.to_string()));
/// assert_eq!(subscriber.outcome(), Outcome::Resumed { replayed: 1 });
/// # Ok::<(), sse_core::topic::PublishError>(())
/// ```
#[derive(Clone)]
pub struct Topic {
    publisher: Arc<Publisher>,
}

/// The value that all handles of a topic share, and subscribers do not.
struct Publisher {
    shared: Arc<Shared>,
}

/// The lock is held for as long as it takes to copy one event, or the events since the last read, and
/// never while code from outside this crate runs.
pub(super) struct Shared {
    pub(super) config: TopicConfig,
    clock: Box<dyn Fn() -> Instant + Send + Sync>,
    /// Whether the time of the last use is recorded, for a [`TopicMap`](super::TopicMap).
    notes_use: bool,
    state: Mutex<State>,
}

pub(super) struct State {
    pub(super) log: Log,
    pub(super) parked: WakerSet,
    /// How the topic ended, if it is closed.
    pub(super) end: Option<TopicEnd>,
    pub(super) counts: TopicStats,
    /// When the last handle or subscriber was dropped, if that is recorded.
    pub(super) left_at: Option<Instant>,
}

impl Topic {
    /// Creates a topic without events.
    ///
    /// `epoch` must differ from those of all topics that a client may come from, and above all from that
    /// of the same topic before a restart. It is part of every ID, so a small number is better, such as
    /// the seconds since 1970, or 40 random bits. `clock` returns the time, for the age of events.
    /// [`Topic::on`] takes both from an adapter's runtime.
    pub fn new(
        config: TopicConfig,
        epoch: u64,
        clock: impl Fn() -> Instant + Send + Sync + 'static,
    ) -> Self {
        Self::with_use_noted(config, epoch, Box::new(clock), false)
    }

    /// Does the same; `notes_use` says whether [`unused_since`](Self::unused_since) can tell.
    pub(super) fn with_use_noted(
        config: TopicConfig,
        epoch: u64,
        clock: Box<dyn Fn() -> Instant + Send + Sync>,
        notes_use: bool,
    ) -> Self {
        let state = State {
            log: Log::new(&config, epoch),
            parked: WakerSet::default(),
            end: None,
            counts: TopicStats::default(),
            left_at: None,
        };
        let shared = Shared {
            config,
            clock,
            notes_use,
            state: Mutex::new(state),
        };
        Self {
            publisher: Arc::new(Publisher {
                shared: Arc::new(shared),
            }),
        }
    }

    /// Creates a topic without events, with the time and an epoch of this clock, which is an adapter's
    /// runtime: `Topic::on(Tokio, TopicConfig::default())`.
    ///
    /// The epoch is computed from the clock's [seed](Clock::seed) and the date. It has at most eight
    /// digits in an ID, and the probability that two topics have the same one is 10<sup>-12</sup>.
    #[must_use]
    pub fn on(clock: impl Clock, config: TopicConfig) -> Self {
        let epoch = clock::epoch(&clock);
        Self::new(config, epoch, move || clock.now())
    }

    /// Publishes an event to all subscribers, in the same order for each of them. It never waits for a
    /// subscriber.
    ///
    /// The event is encoded once, here. An [`Event`](crate::Event) without an ID gets its [`Position`],
    /// which is also the return value. An event with an ID keeps it; no other event of the topic should
    /// have the same one. If several have it, a client that resumes from it gets the events after the
    /// first of them in the history.
    ///
    /// # Errors
    ///
    /// [`PublishError`]; nothing is published then.
    pub fn publish(&self, event: impl IntoEvent) -> Result<Position, PublishError> {
        self.append(None, event.into_event()?)
    }

    /// Publishes an event that has this sequence number in another system: the history of the topic is a
    /// copy of one that is kept there, and its clients can change from one copy to another. All copies
    /// have the same epoch.
    ///
    /// ```
    /// use std::time::Instant;
    /// use sse_core::topic::{Outcome, Position, PublishError, Topic, TopicConfig};
    ///
    /// // The other system has reached event 41, and this copy begins there.
    /// let topic = Topic::new(TopicConfig::default(), 7, Instant::now);
    /// topic.go_on_behind(Position::new(7, 41))?;
    /// topic.publish_at(42, "news")?;
    ///
    /// let error = topic.publish_at(44, "later news").unwrap_err();
    /// assert!(matches!(error, PublishError::WrongSequence { next: 43 }));
    ///
    /// let subscriber = topic.resume_from(Some("7-41"));
    /// assert_eq!(subscriber.outcome(), Outcome::Resumed { replayed: 1 });
    /// # Ok::<(), PublishError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of [`publish`](Self::publish), and [`WrongSequence`](PublishError::WrongSequence) where
    /// another event is next: this one was published before, or one in front of it was not.
    pub fn publish_at(
        &self,
        sequence: u64,
        event: impl IntoEvent,
    ) -> Result<Position, PublishError> {
        self.append(Some(sequence), event.into_event()?)
    }

    fn append(&self, sequence: Option<u64>, event: Event) -> Result<Position, PublishError> {
        self.add(|now, state| {
            let next = state.log.next();
            if sequence.is_some_and(|sequence| sequence != next) {
                return Err(PublishError::WrongSequence { next });
            }
            state.log.append(now, &event)
        })
    }

    /// Does the same as [`publish`](Self::publish) with an event that the caller keeps, to publish it
    /// again if there is no room.
    #[doc(hidden)]
    pub fn publish_event(&self, event: &Event) -> Result<Position, PublishError> {
        self.add(|now, state| state.log.append(now, event))
    }

    /// Returns the error by which the topic would reject the event whatever its history has:
    /// [`ReservedId`](PublishError::ReservedId) or [`TooLarge`](PublishError::TooLarge).
    #[doc(hidden)]
    pub fn check(&self, event: &Event) -> Result<(), PublishError> {
        self.publisher.shared.state().log.check(event)
    }

    fn add(
        &self,
        add: impl FnOnce(Instant, &mut State) -> Result<(Position, usize), PublishError>,
    ) -> Result<Position, PublishError> {
        let shared = &self.publisher.shared;
        let now = shared.now();
        let (position, parked) = {
            let mut state = shared.state();
            if state.end.is_some() {
                return Err(PublishError::Closed);
            }
            let (position, len) = add(now, &mut state)?;
            state.counts.published_events += 1;
            state.counts.published_bytes += len as u64;
            (position, state.parked.take_all())
        };
        parked.for_each(Waker::wake);
        Ok(position)
    }

    /// Returns a subscriber to the events published from now on. For a client that reconnects use
    /// [`resume`](Self::resume), which replays what it missed.
    #[must_use]
    pub fn subscribe(&self) -> Subscriber {
        self.resume_from(None)
    }

    /// Returns a subscriber to all events in the history, and to those published from now on. To the
    /// subscriber this is [fresh](Outcome::Fresh). It begins with the oldest event in the history at its
    /// first read.
    #[must_use]
    pub fn subscribe_from_oldest(&self) -> Subscriber {
        let shared = &self.publisher.shared;
        let now = shared.now();
        let mut state = shared.state();
        state.log.expire(now);
        let first = state.log.first();
        Subscriber::new(shared, &mut state, first, Outcome::Fresh, true)
    }

    /// Returns a subscriber for a client whose last event has this ID, which gets the events after it.
    ///
    /// The replayed events and those published from now on join without a gap and without a repetition.
    /// [`Subscriber::outcome`] tells whether any event is lost. The search takes a time that grows with
    /// the logarithm of the history's size.
    #[must_use]
    pub fn resume_from(&self, last_event_id: Option<&str>) -> Subscriber {
        self.resume_named(last_event_id, None)
    }

    /// Does the same for a stream of several topics that has this one under this name.
    pub(super) fn resume_named(
        &self,
        last_event_id: Option<&str>,
        name: Option<&str>,
    ) -> Subscriber {
        let shared = &self.publisher.shared;
        let now = shared.now();
        let mut state = shared.state();
        state.log.expire(now);
        let (next, outcome) = state.log.join(last_event_id, name);
        Subscriber::new(shared, &mut state, next, outcome, outcome.is_loss())
    }

    /// Continues after this place, if it is not there already: the next event has the sequence number
    /// after that of `position`, in its epoch. The events in the history are dropped.
    ///
    /// This is for a history that is kept in another system: to begin in the middle of it, to skip events
    /// that it no longer has, or to follow it into another epoch. Each subscriber is told what it loses,
    /// whatever [`when_too_slow`](TopicConfig::when_too_slow) and [`announce`](TopicConfig::announce)
    /// say: a [gap](Outcome::Gap) where the place is ahead in the same epoch, and
    /// [unknown](Outcome::Unknown) where the epoch is another.
    ///
    /// # Errors
    ///
    /// [`PublishError::Closed`], and [`PublishError::WrongSequence`] where the place lies behind in the
    /// same epoch, so that two events would have the same number, or is not below 2<sup>63</sup>.
    pub fn go_on_behind(&self, position: Position) -> Result<(), PublishError> {
        let parked = {
            let mut state = self.publisher.shared.state();
            let next = state.log.next();
            let is_behind = position.epoch == state.log.epoch() && position.sequence < next - 1;
            if state.end.is_some() {
                return Err(PublishError::Closed);
            }
            if is_behind || position.sequence > u64::MAX / 2 {
                return Err(PublishError::WrongSequence { next });
            }
            if position == state.log.position_before(next) {
                return Ok(());
            }
            state.log.go_on_behind(position);
            state.parked.take_all()
        };
        parked.for_each(Waker::wake);
        Ok(())
    }

    /// Closes the topic, after [everything](TopicEnd::Complete) was published. Subscribers get the
    /// remaining events, and then their streams end. A second call does nothing.
    pub fn close(&self) {
        self.close_with(TopicEnd::Complete);
    }

    /// Closes the topic for this reason, which [`Subscriber::end`] returns. Otherwise it is the same as
    /// [`close`](Self::close).
    pub fn close_with(&self, end: TopicEnd) {
        self.publisher.shared.close(end);
    }

    /// Publishes `event`, and closes the topic for this reason, with no other event in between. There is
    /// room for the event: a topic that [rejects](super::WhenFull::Reject) events when it is full
    /// reserves 1 KiB for its last one, and if that is not enough the oldest events are dropped.
    ///
    /// ```
    /// use std::time::Instant;
    /// use sse_core::{Event, EventType, topic::{Topic, TopicConfig, TopicEnd}};
    ///
    /// const END: EventType = EventType::from_static("end");
    /// let job = Topic::new(TopicConfig::default(), 7, Instant::now);
    /// let end = job.close_with_event(Event::new("done").of_type(END), TopicEnd::Complete)?;
    ///
    /// // A client that has the last event has everything.
    /// let subscriber = job.resume_from(Some(&end.to_string()));
    /// assert_eq!(subscriber.end(), Some(TopicEnd::Complete));
    /// # Ok::<(), sse_core::topic::PublishError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of [`publish`](Self::publish); nothing is published then, and the topic stays open or
    /// closed as it was.
    pub fn close_with_event(
        &self,
        event: impl IntoEvent,
        end: TopicEnd,
    ) -> Result<Position, PublishError> {
        let event = event.into_event()?;
        self.add(|now, state| {
            let added = state.log.append_last(now, &event)?;
            state.log.close();
            state.end = Some(end);
            Ok(added)
        })
    }

    /// Gives access to the history. Code from outside this crate must not run in `look`.
    pub(super) fn with_log<T>(&self, look: impl FnOnce(&mut Log) -> T) -> T {
        let shared = &self.publisher.shared;
        let now = shared.now();
        let mut state = shared.state();
        state.log.expire(now);
        look(&mut state.log)
    }

    /// Replaces the history by this one, unless it is in use.
    pub(super) fn begin_with(&self, log: Log) -> bool {
        let (parked, _replaced) = {
            let mut state = self.publisher.shared.state();
            if state.end.is_some() || !state.log.is_new() {
                return false;
            }
            let replaced = mem::replace(&mut state.log, log);
            (state.parked.take_all(), replaced)
        };
        parked.for_each(Waker::wake);
        true
    }

    /// Returns the time.
    pub(super) fn now(&self) -> Instant {
        self.publisher.shared.now()
    }

    /// Returns whether the topic is closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.publisher.shared.state().end.is_some()
    }

    /// Returns how the topic ended; `None` while it is open.
    #[must_use]
    pub fn end(&self) -> Option<TopicEnd> {
        self.publisher.shared.state().end.clone()
    }

    /// Returns the place after the newest event. A client that has the state as of this event and resumes
    /// from here misses no event and gets none twice.
    #[must_use]
    pub fn position(&self) -> Position {
        let state = self.publisher.shared.state();
        state.log.position_before(state.log.next())
    }

    /// Returns the number of events in the history, which a client can resume over: at most
    /// [`TopicConfig::max_events`].
    #[must_use]
    pub fn retained_events(&self) -> u64 {
        self.publisher.shared.state().log.held()
    }

    /// Returns the memory of the history in bytes, with all its overhead: never more than
    /// [`TopicConfig::max_bytes`]. Bytes that connections have taken and not yet sent are not part of it.
    #[must_use]
    pub fn retained_bytes(&self) -> usize {
        self.publisher.shared.state().log.size()
    }

    /// Returns the topic's counters and gauges.
    #[must_use]
    pub fn stats(&self) -> TopicStats {
        let state = self.publisher.shared.state();
        TopicStats {
            retained_events: state.log.held(),
            retained_bytes: state.log.size() as u64,
            ..state.counts
        }
    }

    /// Returns the epoch: the part of each of the topic's IDs that differs from one life of a topic to
    /// the next.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.publisher.shared.state().log.epoch()
    }

    /// Runs `f` under the lock.
    #[cfg(feature = "follower")]
    pub(super) fn with_state<T>(&self, f: impl FnOnce(&Arc<Shared>, &mut State) -> T) -> T {
        let shared = &self.publisher.shared;
        f(shared, &mut shared.state())
    }

    /// Returns whether both are handles to the same topic.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.publisher, &other.publisher)
    }

    /// Returns when the last other handle or subscriber was dropped; `None` where there still is one, or
    /// where it is not recorded.
    ///
    /// Sole access guarantees that everything they did before is visible, which two counts read one after
    /// the other would not.
    pub(super) fn unused_since(&mut self) -> Option<Instant> {
        let publisher = Arc::get_mut(&mut self.publisher)?;
        let shared = Arc::get_mut(&mut publisher.shared)?;
        let state = shared.state.get_mut();
        state.unwrap_or_else(PoisonError::into_inner).left_at
    }

    /// Returns the topic's settings.
    #[must_use]
    pub fn config(&self) -> &TopicConfig {
        &self.publisher.shared.config
    }
}

impl State {
    /// Records that a handle or a subscriber is dropped.
    pub(super) fn note_leaving(&mut self, now: Instant) {
        self.left_at = self.left_at.max(Some(now));
    }
}

impl Shared {
    fn now(&self) -> Instant {
        (self.clock)()
    }

    /// Returns the time, if it has to be recorded that a handle or a subscriber is dropped.
    pub(super) fn leaving_at(&self) -> Option<Instant> {
        self.notes_use.then(|| self.now())
    }

    /// Only code of this crate runs under the lock, so a poisoned lock never hides a half-done change.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn close(&self, end: TopicEnd) {
        let parked = {
            let mut state = self.state();
            state.end.get_or_insert(end);
            state.log.close();
            state.parked.take_all()
        };
        parked.for_each(Waker::wake);
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        let shared = &self.publisher.shared;
        if let Some(now) = shared.leaving_at() {
            shared.state().note_leaving(now);
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.shared.close(TopicEnd::Dropped);
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topic")
            .field("config", self.config())
            .field("position", &self.position())
            .field("retained_events", &self.retained_events())
            .field("retained_bytes", &self.retained_bytes())
            .finish_non_exhaustive()
    }
}
