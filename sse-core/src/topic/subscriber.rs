//! The subscriber: a cursor in the history, and a place among the waiting tasks.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;

use super::{
    Batch, EncodedEvents, Notice, Outcome, Position, SlowConsumer, TopicConfig, TopicEnd,
    cursor::{Cursor, Next},
    log::Read,
    publish::{Shared, State},
    selection::{Selected, Selection, Wanted},
};
use crate::{EventError, IntoEvent, Text, sync::Arc, wake::SlotId};

/// A subscription to a [`Topic`](super::Topic): a stream of [`Batch`]es.
///
/// It holds no events, only the number of its next one, and takes all new events at once. A handler
/// returns it as its stream. Other code polls it by [`poll_next`](Self::poll_next), as a [`Stream`], or
/// without a task by [`try_next`](Self::try_next).
///
/// Dropping it ends the subscription.
///
/// ```
/// use std::time::Instant;
/// use futures_util::StreamExt;
/// use sse_core::topic::{TopicConfig, SlowConsumer, Topic};
///
/// # futures_util::FutureExt::now_or_never(async {
/// let topic = Topic::new(TopicConfig::default(), 0, Instant::now);
/// let mut subscriber = topic.subscribe();
/// topic.publish("hello").unwrap();
/// drop(topic);
///
/// let mut wire = Vec::new();
/// while let Some(batch) = subscriber.next().await {
///     wire.extend_from_slice(batch?.as_bytes());
/// }
/// assert_eq!(wire, b"id: 0-1\ndata: hello\n\n");
/// # Ok::<(), SlowConsumer>(())
/// # }).unwrap().unwrap();
/// ```
pub struct Subscriber {
    shared: Arc<Shared>,
    cursor: Cursor,
    slot: Option<SlotId>,
    /// The parts that few subscribers need, boxed so that the others stay small.
    extras: Option<Box<Extras>>,
}

#[derive(Default)]
struct Extras {
    /// The events that come before all others.
    beginning: Option<EncodedEvents>,
    /// The events after a notice. They are taken together with it, so that the events that the notice
    /// tells of are still there.
    behind_notice: Option<EncodedEvents>,
    selection: Option<Selection>,
}

impl Subscriber {
    pub(super) fn new(
        shared: &Arc<Shared>,
        state: &mut State,
        next: u64,
        outcome: Outcome,
        at_oldest: bool,
    ) -> Self {
        state.counts.joined(outcome);
        let cursor = Cursor::new(&state.log, next, outcome, at_oldest, &shared.config);
        Self::with_cursor(shared, cursor)
    }

    fn with_cursor(shared: &Arc<Shared>, cursor: Cursor) -> Self {
        Self {
            shared: shared.clone(),
            cursor,
            slot: None,
            extras: None,
        }
    }

    /// Creates a subscriber that continues with this event, for a client that was told how it joined.
    #[cfg(feature = "follower")]
    pub(super) fn quiet(shared: &Arc<Shared>, state: &mut State, next: u64) -> Self {
        state.counts.subscribers += 1;
        Self::with_cursor(shared, Cursor::quiet(&state.log, next))
    }

    /// Lets the subscriber fail where its next event has left the history, without a notice: the caller
    /// reads the event from the log.
    #[cfg(feature = "follower")]
    pub(super) fn backed_by_log(mut self) -> Self {
        self.cursor.back_by_log();
        self
    }

    /// Returns how this subscription joined the history. Its counts are of events of every type.
    ///
    /// A subscriber that joined with a loss begins with the oldest event. If that event is dropped before
    /// the first read, the subscriber joins anew, at the oldest event of that moment, and the outcome
    /// changes.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.cursor.outcome()
    }

    /// Returns how the topic ended, once this subscriber has been given all its events. If the topic is
    /// closed already and the client that resumes has everything, that is at once: a handler may then
    /// tell the client not to reconnect, with the status 204.
    #[must_use]
    pub fn end(&self) -> Option<TopicEnd> {
        let beginning = self
            .extras
            .as_ref()
            .and_then(|extras| extras.beginning.as_ref());
        let state = self.shared.state();
        let has_all = beginning.is_none() && self.cursor.has_everything_of(&state.log);
        state.end.clone().filter(|_| has_all)
    }

    /// Returns the place up to which the subscriber was given everything. A client that resumes from here
    /// misses no event and gets none twice.
    #[must_use]
    pub fn position(&self) -> Position {
        self.cursor.position()
    }

    /// Returns a handle that tells how far this subscriber is behind its topic, until the subscriber is
    /// polled again.
    #[must_use]
    pub fn lag(&self) -> Lag {
        Lag {
            shared: self.shared.clone(),
            next: self.cursor.next(),
        }
    }

    /// Returns the place from which a client that is lost now should resume: the
    /// [position](Self::position), but before the events that it lost, as long as it was not told of
    /// them. Returns `None` where it is told that it is unknown, which it should then be once more.
    pub(super) fn place_to_resume_from(&self) -> Option<Position> {
        self.cursor.place_to_resume_from()
    }

    /// Begins the stream with these events, such as the state that the topic's events change. The last of
    /// them gets the ID of the place where this subscription joins, whatever its own is; the others keep
    /// theirs. That is the ID of the topic's event there: the publisher's own, which outlives a restart
    /// if that event is published to the new topic again, or the [position](Self::position).
    ///
    /// To miss no change and get none twice, take the state of one moment: change it and publish under a
    /// lock of your own, and subscribe under the same lock.
    ///
    /// ```
    /// use std::{sync::Mutex, time::Instant};
    /// use sse_core::{Event, EventError, topic::{Outcome, Subscriber, TopicConfig, Topic}};
    ///
    /// let topic = Topic::new(TopicConfig::default(), 0, Instant::now);
    /// let count = Mutex::new(7_u32);
    ///
    /// let handler = |last_event_id: Option<&str>| -> Result<Subscriber, EventError> {
    ///     let count = count.lock().unwrap();
    ///     let subscriber = topic.resume_from(last_event_id);
    ///     match subscriber.outcome() {
    ///         // It knows all events before.
    ///         Outcome::Resumed { .. } => Ok(subscriber),
    ///         _ => topic.subscribe().begin_with([*count]),
    ///     }
    /// };
    /// let mut subscriber = handler(None)?;
    /// # let std::task::Poll::Ready(Some(Ok(batch))) = subscriber.try_next() else { panic!() };
    /// # assert_eq!(batch.as_bytes(), b"id: 0-0\ndata: 7\n\n");
    /// # Ok::<(), EventError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`EventError`] where one of these cannot become an event.
    pub fn begin_with<E: IntoEvent>(
        mut self,
        events: impl IntoIterator<Item = E>,
    ) -> Result<Self, EventError> {
        let place = self.shared.state().log.place_before(self.cursor.next());
        self.extras_mut().beginning = EncodedEvents::beginning(events, place)?;
        Ok(self)
    }

    /// Leaves out the events of types for which `wanted` returns false. An event without a type is
    /// `message`.
    ///
    /// The events that are left out are in the history nevertheless, and the counts of a
    /// [gap](Outcome::Gap) are of events of every type, because the types of dropped events are not kept.
    /// So that a client without new events for long does not seem to have lost some, it is told [its
    /// place](Batch::Place) from time to time: rarely, because some clients take that for an empty event.
    ///
    /// `wanted` runs outside the topic's lock: if it is slow, it delays only this subscriber.
    ///
    /// ```
    /// use std::time::Instant;
    /// use sse_core::topic::{Topic, TopicConfig};
    ///
    /// let topic = Topic::new(TopicConfig::default(), 0, Instant::now);
    /// let subscriber = topic
    ///     .subscribe()
    ///     .only_event_types(|event_type| matches!(event_type, "joined" | "left"));
    /// ```
    #[must_use]
    pub fn only_event_types(self, wanted: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.select(std::sync::Arc::new(wanted))
    }

    pub(super) fn select(mut self, wanted: Wanted) -> Self {
        let selection = Selection::new(wanted, self.cursor.next());
        self.extras_mut().selection = Some(selection);
        self
    }

    fn extras_mut(&mut self) -> &mut Extras {
        self.extras.get_or_insert_default()
    }

    /// Returns the [`outcome`](Self::outcome), if the topic's settings put it into a field of the
    /// response.
    #[must_use]
    pub fn outcome_for_header(&self) -> Option<Outcome> {
        let tells = self.config().announce_in_header;
        tells.then_some(self.outcome())
    }

    /// Returns whether the events that it yields are compressed once for all clients: its topic
    /// [compresses](TopicConfig::compress), and it leaves no events out.
    #[cfg(feature = "compression")]
    #[must_use]
    pub fn is_compressed(&self) -> bool {
        let selects = |extras: &Extras| extras.selection.is_some();
        self.config().compress && !self.extras.as_deref().is_some_and(selects)
    }

    /// Returns the ID of the event at this subscriber's [position](Self::position), if the publisher
    /// chose it.
    pub(super) fn own_id(&self) -> Option<Text> {
        let state = self.shared.state();
        state.log.own_id(self.position().sequence).map(Text::from)
    }

    pub(super) fn config(&self) -> &TopicConfig {
        &self.shared.config
    }

    /// Returns the next item, if it is there already. [`Poll::Pending`] means that there is nothing new;
    /// no task is woken when there is. Otherwise it is the same as [`poll_next`](Self::poll_next).
    pub fn try_next(&mut self) -> Poll<Option<Result<Batch, SlowConsumer>>> {
        self.next_or(u64::MAX, |_, _| {})
    }

    /// Returns the next item. Returns `None` once the topic is closed and everything of it was taken.
    ///
    /// A subscriber that waits is woken once, by the first published event; events published until it
    /// polls again are part of the next item.
    ///
    /// # Errors
    ///
    /// [`SlowConsumer`] where the next event has left the history and the topic's setting is to
    /// [cut](super::WhenTooSlow::Cut) such subscribers. It is the last item.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Batch, SlowConsumer>>> {
        self.poll_next_of(u64::MAX, cx)
    }

    /// Does the same, with at most `most` events.
    pub(super) fn poll_next_of(
        &mut self,
        most: u64,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Batch, SlowConsumer>>> {
        let mut replaced = None;
        let polled = self.next_or(most, |state, slot| {
            replaced = state.parked.register(slot, cx.waker());
        });
        // This must not happen under the lock: it may drop the last handle of a task.
        drop(replaced);
        polled
    }

    pub(super) fn next_or(
        &mut self,
        most: u64,
        mut park: impl FnMut(&mut State, &mut Option<SlotId>),
    ) -> Poll<Option<Result<Batch, SlowConsumer>>> {
        if self.extras.is_none() {
            return self.read(most, &mut park).map(|read| read.batch);
        }
        if let Some(beginning) = self.extras_mut().beginning.take() {
            return Poll::Ready(Some(Ok(Batch::Events(beginning))));
        }
        loop {
            let read = match self.read(most, &mut park) {
                Poll::Ready(read) => read,
                Poll::Pending => return Poll::Pending,
            };
            let selection = self
                .extras
                .as_mut()
                .and_then(|extras| extras.selection.as_mut());
            let (Some(selection), Some(Ok(Batch::Events(events)))) = (selection, &read.batch)
            else {
                return Poll::Ready(read.batch);
            };
            // No code from outside this crate runs under the lock.
            let start = self.cursor.next() - events.count as u64;
            let taken = selection.take(events, start, read.capacity);
            self.cursor.move_to(taken.next);
            let batch = match taken.selected {
                None => continue,
                Some(Selected::Events(events)) => {
                    self.shared
                        .state()
                        .counts
                        .delivered(events.count, events.shared.len());
                    Batch::Events(events)
                }
                Some(Selected::Nothing) => {
                    let place = self.shared.state().log.place_before(self.cursor.next());
                    Batch::Place(EncodedEvents::place(place.as_str()))
                }
            };
            return Poll::Ready(Some(Ok(batch)));
        }
    }

    /// A task that has to wait is registered under the same lock, so that it misses no event in between.
    fn read(
        &mut self,
        most: u64,
        park: &mut impl FnMut(&mut State, &mut Option<SlotId>),
    ) -> Poll<FromLog> {
        let (selects, behind_notice) = self.take_behind_notice();
        let mut guard = self.shared.state();
        let state = &mut *guard;
        let capacity = match selects {
            true => state.log.capacity(),
            false => 0,
        };
        let ready = |batch| Poll::Ready(FromLog { batch, capacity });
        let config = &self.shared.config;
        let outcome = match self.cursor.look(state, config, most, behind_notice) {
            Next::Events(events) => {
                if !selects {
                    state.counts.delivered(events.count, events.shared.len());
                }
                return ready(Some(Ok(Batch::Events(events))));
            }
            Next::Nothing => {
                park(state, &mut self.slot);
                return Poll::Pending;
            }
            Next::Cut(error) => return ready(Some(Err(error))),
            Next::Over => return ready(None),
            Next::Tell(outcome) => outcome,
        };
        let next = self.cursor.next();
        if let Read::Events(events) = state.log.read(next, most) {
            self.extras.get_or_insert_default().behind_notice = Some(events);
        }
        let place = state.log.place_before(next);
        let (data, event_type) = (outcome.to_json(), &config.notice_event_type);
        let notice = Notice::new(outcome, data, event_type, place);
        ready(Some(Ok(Batch::Notice(notice))))
    }

    /// Returns whether this subscriber leaves events out, and the events that were kept for it after a
    /// notice.
    fn take_behind_notice(&mut self) -> (bool, Option<EncodedEvents>) {
        let Some(extras) = &mut self.extras else {
            return (false, None);
        };
        let events = extras.behind_notice.take();
        let selects = extras.selection.is_some();
        if !selects && extras.beginning.is_none() {
            self.extras = None;
        }
        (selects, events)
    }
}

/// The result of a look at the history.
struct FromLog {
    batch: Option<Result<Batch, SlowConsumer>>,
    /// The number of events for which the history has room.
    capacity: u64,
}

impl Stream for Subscriber {
    type Item = Result<Batch, SlowConsumer>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Subscriber::poll_next(&mut self, cx)
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let now = self.shared.leaving_at();
        let mut state = self.shared.state();
        state.counts.subscribers -= 1;
        if let Some(now) = now {
            state.note_leaving(now);
        }
        let waker = self.slot.take().and_then(|slot| state.parked.remove(slot));
        drop(state);
        drop(waker);
    }
}

impl fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber")
            .field("cursor", &self.cursor)
            .finish_non_exhaustive()
    }
}

/// The distance of a [`Subscriber`] from its topic's end, from [`Subscriber::lag`]: it grows with each
/// published event.
///
/// ```
/// use std::time::Instant;
/// use sse_core::topic::{Topic, TopicConfig};
///
/// let topic = Topic::new(TopicConfig::default(), 0, Instant::now);
/// let subscriber = topic.subscribe();
/// let lag = subscriber.lag();
/// topic.publish("one")?;
/// assert_eq!(lag.events(), 1);
/// # Ok::<(), sse_core::topic::PublishError>(())
/// ```
#[derive(Clone)]
pub struct Lag {
    shared: Arc<Shared>,
    next: u64,
}

impl Lag {
    /// Returns the number of events, of every type, that the subscriber has not taken yet.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.shared.state().log.next().saturating_sub(self.next)
    }
}

impl fmt::Debug for Lag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lag")
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}
