//! A subscriber for clients that the topic alone cannot serve: it reads the log where the topic does not
//! reach back.

use std::{
    collections::VecDeque,
    fmt, mem,
    task::{Context, Poll},
};

use super::{Page, PageRequest, Tails};
use crate::{
    Budget, EncodedEvents, EventError, EventType, IntoEvent, Text,
    budget::Holding,
    topic::{
        Announce, Batch, Notice, Outcome, Position, Subscriber, Topic, TopicEnd, merged_id,
        selection::Wanted, wire,
    },
};

/// Gets what a followed [`Topic`] publishes, and reads from the log what the topic no longer holds.
///
/// The topic of a node begins somewhere in the log, and holds so much of it. A client that comes from
/// another node, or after a long time, can be behind what it holds, or ahead of where it is. This
/// subscriber asks the log about such a client, serves it from the log in pages, one at a time and each
/// taken before the next is asked for, and goes over to the topic where the topic reaches. A
/// [gap](Outcome::Gap) is told only where the log itself no longer holds an event.
///
/// It is a state machine: [`poll_next`](Self::poll_next) says which page it needs, and
/// [`handle_page`](Self::handle_page) takes it. It has no clock: the caller paces requests that fail.
///
/// Events carry the IDs that the topic gives. A client whose last event ID is of the publisher's choice
/// is served by the topic alone, since a log is read by positions.
///
/// Make it when the follower of the topic is [following](super::FollowerPhase::Following), so that a
/// client without a last event ID gets what is new, and no more.
///
/// ```
/// use std::{task::{Context, Poll, Waker}, time::Instant};
/// use sse_core::{Event, topic::{Outcome, Position, Topic, TopicConfig}};
/// use sse_core::topic::follower::{LogItem, LogSubscriber, Page, Tails};
///
/// // This node came when the log was at event 3, and a client comes that has seen the first.
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
    /// What the stream begins with.
    beginning: Option<EncodedEvents>,
    wanted: Option<Wanted>,
    state: State,
}

enum State {
    /// The log is asked whether it knows this place.
    Asking {
        id: Text,
        at: Position,
        /// The topic's epoch when it was asked, while there is no answer.
        asked_in: Option<u64>,
    },
    /// The client gets this from the log.
    Replaying(Replay),
    /// The client gets it from the topic.
    Live(Subscriber),
    Over,
}

/// What a client gets from the log.
struct Replay {
    /// Behind what it was given.
    behind: Position,
    /// It begins with the oldest event that the log holds, whichever that is.
    at_oldest: bool,
    batches: VecDeque<Batch>,
    /// How many events in a row were not wanted.
    left_out: u64,
    is_asked: bool,
    /// The topic's epoch when the log was asked last, unless it did not answer.
    asked_in: Option<u64>,
    /// The log has left this epoch: the client goes on when the topic has done so, too.
    over: Option<u64>,
    /// Wakes when the topic has moved, where that is waited for.
    topic_moves: Option<Subscriber>,
}

/// An item of a [`LogSubscriber`].
#[derive(Debug)]
#[non_exhaustive]
pub enum LogItem {
    /// This goes to the client.
    Batch(Batch),
    /// This is to be asked of the log. There is one such request at a time.
    Read(PageRequest),
}

impl LogSubscriber {
    /// Creates a subscriber for the client that received the event with this ID last; `None` for one that
    /// gets what is published from now on. A page has at most `page_events` events.
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

    /// Creates a subscriber for a client that gets everything from the oldest event on that the log holds
    /// of its epoch, and then what is published. To the client this is [fresh](Outcome::Fresh): what the
    /// log has dropped before is not lost to it.
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

    /// Begins the stream with these events, such as the state that the topic's events change, as it is
    /// after the event at `at`. The last of them gets that place as its ID; the others keep theirs. Make
    /// the subscriber for a client whose last event ID is `at`.
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
    /// [`EventError`] where one of these is no event.
    pub fn begin_with<E: IntoEvent>(
        mut self,
        events: impl IntoIterator<Item = E>,
        at: Position,
    ) -> Result<Self, EventError> {
        let beginning = EncodedEvents::beginning(events, at.into())?;
        self.beginning = (beginning.count > 0).then_some(beginning);
        Ok(self)
    }

    /// Leaves the events out whose type is none of those wanted, in what comes from the topic and in what
    /// comes from the log: see [`Subscriber::only_event_types`].
    #[must_use]
    pub fn only_event_types(
        mut self,
        wanted: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.wanted = Some(std::sync::Arc::new(wanted));
        self.set_state(|state| state);
        self
    }

    /// Returns whether the topic's [budget](crate::topic::TopicConfig::budget) has room for a page. The
    /// caller asks the log when it has, or waits a moment: the pages that clients hold count in it, as
    /// output.
    #[must_use]
    pub fn has_room(&self) -> bool {
        let budget = &self.topic.config().budget;
        budget.fits(Holding::Queue, Budget::GRANULE)
    }

    /// Every subscriber of the topic leaves out what is not wanted.
    fn set_state(&mut self, next: impl FnOnce(State) -> State) {
        let state = next(mem::replace(&mut self.state, State::Over));
        self.state = match (state, &self.wanted) {
            (State::Live(subscriber), Some(wanted)) => {
                State::Live(subscriber.select(wanted.clone()))
            }
            (state, _) => state,
        };
    }

    /// How the subscription joined the history; `None` while the log is asked. Its counts are those of
    /// the moment at which it joined.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    /// How the topic ended, once this subscriber has been given everything of it.
    #[must_use]
    pub fn end(&self) -> Option<TopicEnd> {
        match &self.state {
            State::Live(subscriber) => subscriber.end(),
            _ => None,
        }
    }

    /// Returns what is next. `None` once the topic is closed and everything of it was taken.
    ///
    /// Pending while nothing is new, and while a request is out; in the latter case no task is woken but
    /// by the caller, who has its answer.
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
                    // The topic may have come there meanwhile.
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
                    Poll::Ready(Replayed::Over) => State::Over,
                },
                State::Live(subscriber) => match subscriber.poll_next(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(None) => State::Over,
                    Poll::Ready(Some(Ok(batch))) => {
                        return Poll::Ready(Some(LogItem::Batch(batch)));
                    }
                    // The topic dropped its next event, and the log may hold it.
                    Poll::Ready(Some(Err(_))) => {
                        State::Replaying(Replay::behind(subscriber.position(), None))
                    }
                },
            };
            self.set_state(|_| next);
            self.note_outcome();
        }
    }

    /// The log answered.
    pub fn handle_page(&mut self, page: Page) {
        let (tails, here) = (page.tails, self.topic.epoch());
        // The topic has come from the log: a page of an older epoch is late.
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
                    // It has got nothing yet, and begins in the epoch that the topic has come to.
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

    /// The log did not answer. The request is made again at the next
    /// [`poll_next`](Self::poll_next), unless the topic can do without it: the caller waits a moment
    /// before.
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

/// Where the client begins.
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

enum Replayed {
    Item(LogItem),
    Live(Box<Subscriber>),
    Over,
}

impl Replay {
    fn behind(behind: Position, asked_in: Option<u64>) -> Self {
        Self {
            behind,
            at_oldest: false,
            batches: VecDeque::new(),
            left_out: 0,
            is_asked: false,
            asked_in,
            over: None,
            topic_moves: None,
        }
    }

    /// What a client at this place gets of a log with these tails.
    fn outcome(&self, tails: Tails) -> Outcome {
        let first = self.behind.sequence() + 1;
        let replayed = (tails.newest + 1).saturating_sub(first.max(tails.oldest));
        match tails.oldest.saturating_sub(first) {
            0 => Outcome::Resumed { replayed },
            lost => Outcome::Gap { lost, replayed },
        }
    }

    /// Has the client join here, and tells it how.
    fn join(&mut self, topic: &Topic, tails: Tails) -> Outcome {
        let outcome = self.outcome(tails);
        topic.count(outcome);
        if let Outcome::Gap { lost, .. } = outcome {
            self.pass_over(lost);
        }
        let tells = match topic.config().announce {
            Announce::Nothing => false,
            Announce::Losses => outcome.is_loss(),
            Announce::Everything => true,
        };
        if tells {
            self.tell(topic, outcome);
        }
        outcome
    }

    fn tell(&mut self, topic: &Topic, outcome: Outcome) {
        let event_type = &topic.config().notice_event_type;
        let notice = Notice::new(outcome, outcome.to_json(), event_type, self.behind);
        self.batches.push_back(Batch::Notice(notice));
    }

    fn pass_over(&mut self, events: u64) {
        let Position { epoch, sequence } = self.behind;
        self.behind = Position::new(epoch, sequence + events);
    }

    /// Passes over `lost` events, and tells the client.
    fn lose(&mut self, topic: &Topic, lost: u64, replayed: u64) {
        self.pass_over(lost);
        self.tell(topic, Outcome::Gap { lost, replayed });
    }

    /// Takes what a page has for the client: no more than its topic has come to, which settles what
    /// the log is to be waited for.
    fn take(&mut self, topic: &Topic, page: Page, tails: Tails, wanted: Option<&Wanted>) {
        match self.outcome(tails) {
            Outcome::Gap { lost, .. } if self.at_oldest => self.pass_over(lost),
            Outcome::Gap { lost, replayed } => self.lose(topic, lost, replayed),
            _ => {}
        }
        self.at_oldest = false;
        let newest = topic.position();
        let epoch = self.behind.epoch();
        if newest.epoch() != epoch {
            return;
        }
        let before = self.behind.sequence();
        let is_there = |sequence: u64| page.events.iter().any(|(other, _)| *other > sequence);
        let has_nothing = tails.newest > before && !is_there(before);
        let (mut bytes, mut count) = (Vec::new(), 0);
        for (sequence, event) in page.events {
            let next = self.behind.sequence() + 1;
            if sequence < next || sequence > newest.sequence() {
                continue;
            }
            if sequence > next {
                self.put(topic, &mut bytes, &mut count);
                self.lose(topic, sequence - next, newest.sequence() + 1 - sequence);
            }
            let place = Position::new(epoch, sequence);
            self.behind = place;
            let event_type = event.event_type().map(EventType::as_str);
            let event_type = event_type.filter(|it| !it.is_empty()).unwrap_or("message");
            if wanted.is_none_or(|wanted| wanted(event_type)) {
                wire::put_event(&mut bytes, place, &event);
                count += 1;
                self.left_out = 0;
            } else {
                self.left_out += 1;
            }
        }
        self.put(topic, &mut bytes, &mut count);
        // As seldom as a topic that is full does.
        if self.left_out > topic.config().max_events as u64 / 4 {
            let place = EncodedEvents::place(self.behind.text().as_str());
            self.batches.push_back(Batch::Place(place));
            self.left_out = 0;
        }
        let (first, held) = topic.held();
        let missing = first.saturating_sub(self.behind.sequence() + 1);
        if has_nothing && missing > 0 {
            // The log does not return what it says that it has, and the topic has passed it.
            self.lose(topic, missing, held);
        }
    }

    /// They count in the budget until the client's connection has sent them.
    fn put(&mut self, topic: &Topic, bytes: &mut Vec<u8>, count: &mut usize) {
        if *count > 0 {
            let bytes = topic
                .config()
                .budget
                .count(Holding::Queue, mem::take(bytes));
            let events = EncodedEvents::new(bytes, mem::take(count));
            self.batches.push_back(Batch::Events(events));
        }
    }

    fn poll(&mut self, topic: &Topic, most: usize, cx: &mut Context<'_>) -> Poll<Replayed> {
        loop {
            if let Some(batch) = self.batches.pop_front() {
                return Poll::Ready(Replayed::Item(LogItem::Batch(batch)));
            }
            if self.is_asked {
                return Poll::Pending;
            }
            if self.over.is_none()
                && let Some(subscriber) = topic.subscriber_behind(self.behind)
            {
                return Poll::Ready(Replayed::Live(Box::new(subscriber)));
            }
            let epoch = topic.epoch();
            if self.over != Some(epoch) {
                self.over = None;
            }
            let may_be_over = epoch != self.behind.epoch() && self.asked_in != Some(epoch);
            if self.over.is_none() && (may_be_over || topic.has_passed(self.behind)) {
                self.is_asked = true;
                self.asked_in = Some(epoch);
                let request = PageRequest::new(self.behind, most);
                return Poll::Ready(Replayed::Item(LogItem::Read(request)));
            }
            // The topic has not come here yet, or not to this epoch.
            let Some(moves) = &mut self.topic_moves else {
                self.topic_moves = Some(topic.quiet_subscriber());
                // It may have come just before.
                continue;
            };
            match moves.poll_next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(Replayed::Over),
                Poll::Ready(Some(_)) => self.topic_moves = None,
            }
        }
    }
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
