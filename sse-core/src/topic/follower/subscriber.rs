//! A subscriber for clients that the topic alone cannot serve: it reads the log for events that have left
//! the topic.

use std::{
    fmt, mem,
    task::{Context, Poll},
};

use super::{
    Page, PageRequest,
    replay::{Replay, Replayed},
};
use crate::{
    Budget, EncodedEvents, EventError, IntoEvent, Text,
    budget::Holding,
    topic::{Batch, Outcome, Position, Subscriber, Topic, TopicEnd, merged_id, selection::Wanted},
};

/// A subscription to a followed [`Topic`] that reads the events which the topic no longer holds from the
/// log.
///
/// The topic of a node begins somewhere in the log, and holds a part of it. A client that comes from
/// another node, or after a long time, can be behind what the topic holds, or ahead of where it is. This
/// subscriber asks the log about such a client, serves it from the log in pages, one at a time and each
/// taken before the next is requested, and changes to the topic once it has reached the events there. It
/// reports a [gap](Outcome::Gap) only where the log itself no longer has an event.
///
/// It is a state machine: [`poll_next`](Self::poll_next) returns the page that it needs, and
/// [`handle_page`](Self::handle_page) takes it. It has no clock: the caller waits before it repeats a
/// failed request.
///
/// Events have the IDs that the topic gives. A client whose last event ID is of the publisher's choice is
/// served by the topic only, because a log is read by positions.
///
/// Create it when the follower of the topic is [following](super::FollowerPhase::Following), so that a
/// client without a last event ID gets exactly the new events.
///
/// ```
/// use std::{task::{Context, Poll, Waker}, time::Instant};
/// use sse_core::{Event, topic::{Outcome, Position, Topic, TopicConfig}};
/// use sse_core::topic::follower::{LogItem, LogSubscriber, Page, Tails};
///
/// // This node began when the log was at event 3. A client comes that has seen the first event.
/// let topic = Topic::new(TopicConfig::default(), 7, Instant::now);
/// topic.go_on_behind(Position::new(7, 3))?;
/// let mut subscriber = LogSubscriber::new(&topic, Some("7-1"), 100);
///
/// let cx = &mut Context::from_waker(Waker::noop());
/// let Poll::Ready(Some(LogItem::Read(request))) = subscriber.poll_next(cx) else { panic!() };
/// assert_eq!(request.after, Position::new(7, 1));
/// let tails = Tails { epoch: 7, oldest: 1, newest: 3 };
/// let events = vec![(2, Event::new("two")), (3, Event::new("three"))];
/// subscriber.handle_page(Page::new(tails, events));
///
/// let Poll::Ready(Some(LogItem::Batch(batch))) = subscriber.poll_next(cx) else { panic!() };
/// assert_eq!(batch.as_bytes(), b"id: 7-2\ndata: two\n\nid: 7-3\ndata: three\n\n");
/// assert_eq!(subscriber.outcome(), Some(Outcome::Resumed { replayed: 2 }));
///
/// // The topic has the rest.
/// topic.publish_at(4, "four")?;
/// let Poll::Ready(Some(LogItem::Batch(batch))) = subscriber.poll_next(cx) else { panic!() };
/// assert_eq!(batch.as_bytes(), b"id: 7-4\ndata: four\n\n");
/// # Ok::<(), sse_core::topic::PublishError>(())
/// ```
pub struct LogSubscriber {
    topic: Topic,
    page_events: usize,
    outcome: Option<Outcome>,
    /// The events that the stream begins with.
    beginning: Option<EncodedEvents>,
    wanted: Option<Wanted>,
    state: State,
}

enum State {
    /// The log is asked whether it has this place.
    Asking {
        id: Text,
        at: Position,
        /// The topic's epoch at the time of the request, while there is no answer.
        asked_in: Option<u64>,
    },
    /// The client gets its events from the log.
    Replaying(Replay),
    /// The client gets its events from the topic.
    Live(Subscriber),
    Over,
}

/// An item of a [`LogSubscriber`]: events for the client, or a request to the log.
#[derive(Debug)]
#[non_exhaustive]
pub enum LogItem {
    /// Send this to the client.
    Batch(Batch),
    /// Request this page from the log. There is one such request at a time.
    Read(PageRequest),
}

impl LogSubscriber {
    /// Creates a subscriber for the client whose last event has this ID; `None` is for a client that gets
    /// the events published from now on. A page has at most `page_events` events.
    #[must_use]
    pub fn new(topic: &Topic, last_event_id: Option<&str>, page_events: usize) -> Self {
        let (state, outcome) = begin(topic, last_event_id);
        Self {
            topic: topic.clone(),
            page_events: page_events.max(1),
            outcome,
            beginning: None,
            wanted: None,
            state,
        }
    }

    /// Creates a subscriber for a client that gets all events of the log's epoch, from the oldest one in
    /// the log on, and then the new ones. To the client this is [fresh](Outcome::Fresh): events that the
    /// log has dropped before are not lost to it.
    #[must_use]
    pub fn from_oldest(topic: &Topic, page_events: usize) -> Self {
        let mut replay = Replay::behind(Position::new(topic.epoch(), 0), None);
        replay.at_oldest = true;
        topic.count(Outcome::Fresh);
        Self {
            topic: topic.clone(),
            page_events: page_events.max(1),
            outcome: Some(Outcome::Fresh),
            beginning: None,
            wanted: None,
            state: State::Replaying(replay),
        }
    }

    /// Begins the stream with these events, such as the state that the topic's events change, as of the
    /// event at `at`. The last of them gets that place as its ID; the others keep theirs. Create the
    /// subscriber for a client whose last event ID is `at`.
    ///
    /// ```
    /// use std::time::Instant;
    /// use sse_core::topic::{Position, Topic, TopicConfig, follower::LogSubscriber};
    ///
    /// let topic = Topic::new(TopicConfig::default(), 7, Instant::now);
    /// // Seven events were applied to this count.
    /// let (count, at) = (42, Position::new(7, 7));
    /// let subscriber = LogSubscriber::new(&topic, Some(&at.to_string()), 100);
    /// let subscriber = subscriber.begin_with([count], at)?;
    /// # Ok::<(), sse_core::EventError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`EventError`] where one of these cannot become an event.
    pub fn begin_with<E: IntoEvent>(
        mut self,
        events: impl IntoIterator<Item = E>,
        at: Position,
    ) -> Result<Self, EventError> {
        self.beginning = EncodedEvents::beginning(events, at.into())?;
        Ok(self)
    }

    /// Leaves out the events of other types, both from the topic and from the log: see
    /// [`Subscriber::only_event_types`].
    #[must_use]
    pub fn only_event_types(
        mut self,
        wanted: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.wanted = Some(std::sync::Arc::new(wanted));
        self.set_state(|state| state);
        self
    }

    /// Returns whether the topic's [budget](crate::topic::TopicConfig::budget) has room for a page. If
    /// not, wait a moment before asking the log: the pages that clients hold count in it, as output.
    #[must_use]
    pub fn has_room(&self) -> bool {
        let budget = &self.topic.config().budget;
        budget.fits(Holding::Queue, Budget::GRANULE)
    }

    /// Every subscriber of the topic leaves out the unwanted events.
    fn set_state(&mut self, next: impl FnOnce(State) -> State) {
        let state = next(mem::replace(&mut self.state, State::Over));
        self.state = match (state, &self.wanted) {
            (State::Live(subscriber), Some(wanted)) => {
                State::Live(subscriber.select(wanted.clone()))
            }
            (state, _) => state,
        };
    }

    /// Returns how the subscription joined the history; `None` while the log is asked. Its counts are
    /// those of the moment at which it joined.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    /// Returns how the topic ended, once this subscriber has been given all its events; `None` before,
    /// and while it reads the log.
    #[must_use]
    pub fn end(&self) -> Option<TopicEnd> {
        match &self.state {
            State::Live(subscriber) => subscriber.end(),
            _ => None,
        }
    }

    /// Returns the next item. Returns `None` once the topic is closed and everything of it was taken.
    ///
    /// Pending while there is nothing new, and while a request is under way; in the latter case only the
    /// caller, who gets the answer, wakes the task.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<LogItem>> {
        if let Some(beginning) = self.beginning.take() {
            return Poll::Ready(Some(LogItem::Batch(Batch::Events(beginning))));
        }
        loop {
            let next = match &mut self.state {
                State::Over => return Poll::Ready(None),
                State::Asking {
                    asked_in: Some(_), ..
                } => return Poll::Pending,
                State::Asking { id, at, asked_in } => {
                    // The topic may have reached it meanwhile.
                    match self.topic.join(id) {
                        Outcome::Resumed { .. } => live(&self.topic, Some(id)),
                        _ => {
                            *asked_in = Some(self.topic.epoch());
                            let request = PageRequest::new(*at, self.page_events);
                            return Poll::Ready(Some(LogItem::Read(request)));
                        }
                    }
                }
                State::Replaying(replay) => match replay.poll(&self.topic, self.page_events, cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Replayed::Item(item)) => return Poll::Ready(Some(item)),
                    Poll::Ready(Replayed::Live(subscriber)) => State::Live(*subscriber),
                    Poll::Ready(Replayed::Join(id)) => State::Asking {
                        id,
                        at: replay.behind,
                        asked_in: None,
                    },
                    Poll::Ready(Replayed::Over) => State::Over,
                },
                State::Live(subscriber) => match subscriber.poll_next(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(None) => State::Over,
                    Poll::Ready(Some(Ok(batch))) => {
                        return Poll::Ready(Some(LogItem::Batch(batch)));
                    }
                    // The topic dropped its next event, which the log may have.
                    Poll::Ready(Some(Err(_))) => {
                        State::Replaying(Replay::behind(subscriber.position(), None))
                    }
                },
            };
            self.set_state(|_| next);
            self.note_outcome();
        }
    }

    /// Handles the answer of the log to [`LogItem::Read`]. A page that is too old to be used counts as
    /// [failed](Self::handle_page_failed).
    pub fn handle_page(&mut self, page: Page) {
        let (tails, here) = (page.tails, self.topic.epoch());
        // The topic follows the log, so a page of an older epoch is late.
        let Some(tails) = tails.checked().filter(|tails| tails.epoch >= here) else {
            return self.handle_page_failed();
        };
        match &mut self.state {
            State::Asking { id, at, asked_in } => {
                let mut replay = Replay::behind(*at, *asked_in);
                let is_known = tails.epoch == at.epoch() && at.sequence() <= tails.newest;
                if is_known {
                    self.outcome = Some(replay.join(&self.topic, tails));
                    let page = page.cut(self.page_events);
                    replay.take(&self.topic, page, tails, self.wanted.as_ref());
                } else if tails.epoch > here {
                    replay.over = Some(here);
                    replay.unknown = Some(id.clone());
                } else {
                    let next = live(&self.topic, Some(id));
                    self.set_state(|_| next);
                    return self.note_outcome();
                }
                self.state = State::Replaying(replay);
            }
            State::Replaying(replay) if replay.is_asked => {
                replay.is_asked = false;
                if tails.epoch == replay.behind.epoch() {
                    if tails.newest >= replay.behind.sequence() {
                        let page = page.cut(self.page_events);
                        replay.take(&self.topic, page, tails, self.wanted.as_ref());
                    }
                } else if tails.epoch > here {
                    replay.over = Some(here);
                } else if replay.at_oldest {
                    // It has got no event yet, and begins in the epoch that the topic has reached.
                    replay.behind = Position::new(here, 0);
                    replay.asked_in = None;
                } else {
                    let id = replay.behind.to_string();
                    let next = live(&self.topic, Some(&id));
                    self.set_state(|_| next);
                    self.note_outcome();
                }
            }
            _ => {}
        }
    }

    /// Reports that the log did not answer. The next [`poll_next`](Self::poll_next) returns the request
    /// again, unless the topic can serve the client without it. Wait a moment before that.
    pub fn handle_page_failed(&mut self) {
        match &mut self.state {
            State::Asking { asked_in, .. } => *asked_in = None,
            State::Replaying(replay) => (replay.is_asked, replay.asked_in) = (false, None),
            State::Live(_) | State::Over => {}
        }
    }

    fn note_outcome(&mut self) {
        if let State::Live(subscriber) = &self.state {
            self.outcome.get_or_insert(subscriber.outcome());
        }
    }
}

/// Returns the state in which the client begins.
fn begin(topic: &Topic, last_event_id: Option<&str>) -> (State, Option<Outcome>) {
    let with_outcome = |state| match state {
        State::Live(subscriber) => {
            let outcome = subscriber.outcome();
            (State::Live(subscriber), Some(outcome))
        }
        state => (state, None),
    };
    let Some(id) = last_event_id.filter(|id| !id.is_empty()) else {
        return with_outcome(live(topic, None));
    };
    let at = match topic.join(id) {
        Outcome::Fresh | Outcome::Resumed { .. } => None,
        Outcome::Gap { .. } | Outcome::Unknown { .. } => {
            let epoch = topic.epoch();
            Position::in_epoch(epoch, id).or_else(|| merged_id::positions(id).next())
        }
    };
    with_outcome(match at {
        None => live(topic, Some(id)),
        Some(at) => State::Asking {
            id: id.into(),
            at,
            asked_in: None,
        },
    })
}

fn live(topic: &Topic, last_event_id: Option<&str>) -> State {
    State::Live(topic.resume_from(last_event_id).backed_by_log())
}

impl fmt::Debug for LogSubscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Asking { .. } => "Asking",
            State::Replaying(_) => "Replaying",
            State::Live(_) => "Live",
            State::Over => "Over",
        };
        f.debug_struct("LogSubscriber")
            .field("state", &state)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}
