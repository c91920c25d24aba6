//! The stream of one client.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use futures_core::Stream;
use sse_core::{
    Event, Text,
    internal::catch,
    topic::{
        Batch, Outcome, Position,
        follower::{LogItem, LogSubscriber, Page, PageRequest},
    },
};

use super::{
    BoxFuture, FollowedTopic, LogError, LogStreamError,
    handle::Waiting,
    permits::{Permit, Turn},
    topics::Sleep,
};

/// The time after which a client that waits for its turn takes one that is free, before others. Those were woken for
/// it, and nothing polls their streams: the host of an [embedding](crate::embedding) does not where a connection is full.
const TURN_LOOK: Duration = Duration::from_secs(1);

/// The stream of a client of a [`FollowedTopic`]: it yields [`Batch`]es, and a handler can return it.
///
/// If this node's topic does not hold the events that the client missed, the stream reads the log in
/// pages, one at a time, and each when the client has taken the one before. Such clients take turns
/// ([`max_client_reads`](super::FollowedTopicsConfig::max_client_reads)); others do not wait for them. If
/// this node has not reached the client's place yet, the stream waits.
///
/// The stream ends with [`LogStreamError`] where it needs the log and cannot reach it for
/// [long](super::FollowedTopicsConfig::client_wait); the client then reconnects.
///
/// ```
/// use sse_driver::{event_log::{FollowedTopic, LogStream}, router::Request};
///
/// /// A handler for clients that want the prices alone.
/// fn prices(topic: &FollowedTopic, request: Request) -> LogStream {
///     topic.resume(&request).only_event_types(|event_type| event_type == "price")
/// }
/// ```
pub struct LogStream {
    topic: FollowedTopic,
    /// The event types that the client gets, if not all, until it has joined.
    wanted: Option<Wanted>,
    /// The client gets them all.
    #[cfg(feature = "compression")]
    is_whole: bool,
    stage: Stage,
    /// Since when the stream waits for the log, or gets errors from it.
    trouble_since: Option<Instant>,
    /// The request that the log has just answered, until the subscriber has used the answer.
    answered: Option<PageRequest>,
    /// The number of answers in a row after which the subscriber had the same request.
    in_vain: u32,
    alarm: Box<dyn Sleep>,
}

enum Stage {
    /// The node has not reached the log yet.
    Cold {
        start: Start,
        waiting: Waiting,
    },
    Joined {
        subscriber: Box<LogSubscriber>,
        reading: Reading,
    },
    Over,
}

type Wanted = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// Where the client begins.
pub(super) enum Start {
    /// With these events, followed by those after this place.
    State(Vec<Event>, Position),
    /// After the event with this ID, or with the next event.
    Behind(Option<Text>),
    /// With the oldest event of the log.
    Oldest,
}

enum Reading {
    Nothing,
    /// It waits for its turn, and at this time for a permit that others do not take.
    Queued {
        turn: Turn,
        request: PageRequest,
        look_at: Option<Instant>,
    },
    Asked {
        request: PageRequest,
        answer: BoxFuture<Result<Page, LogError>>,
        deadline: Option<Instant>,
        _permit: Permit,
    },
    /// It failed, and is repeated at this time.
    Failed(Option<Instant>),
}

type Item = Result<Batch, LogStreamError>;

impl LogStream {
    pub(super) fn new(topic: FollowedTopic, start: Start) -> Self {
        let alarm = topic.shared().host.alarm();
        let waiting = Waiting::new(topic.clone());
        Self {
            topic,
            wanted: None,
            #[cfg(feature = "compression")]
            is_whole: true,
            stage: Stage::Cold { start, waiting },
            trouble_since: None,
            answered: None,
            in_vain: 0,
            alarm,
        }
    }

    /// Leaves out the events of other types, both from this node and from the log: see
    /// [`Subscriber::only_event_types`](sse_core::topic::Subscriber::only_event_types). Call it before
    /// the stream is read; later it has no effect.
    #[must_use]
    pub fn only_event_types(
        mut self,
        wanted: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.wanted = Some(Box::new(wanted));
        #[cfg(feature = "compression")]
        {
            self.is_whole = false;
        }
        self
    }

    /// Returns whether the topic [compresses](sse_core::topic::TopicConfig::compress) what the client gets. A
    /// client that gets [some event types](Self::only_event_types), and what is read from the log, are not
    /// compressed by it.
    #[cfg(feature = "compression")]
    #[must_use]
    pub fn is_compressed(&self) -> bool {
        self.is_whole && self.topic.shared().config.topic.compress
    }

    /// Returns how the client joined the history; `None` before, while the topic or the log is waited
    /// for.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        match &self.stage {
            Stage::Joined { subscriber, .. } => subscriber.outcome(),
            Stage::Cold { .. } | Stage::Over => None,
        }
    }

    /// Returns whether it has a turn to read the log, or waits for one: other clients wait for it then.
    pub(crate) fn is_reading(&self) -> bool {
        let Stage::Joined { reading, .. } = &self.stage else {
            return false;
        };
        matches!(reading, Reading::Queued { .. } | Reading::Asked { .. })
    }

    /// Returns the next item. Returns `None` once the topic is no longer followed.
    ///
    /// # Errors
    ///
    /// [`LogStreamError`], as the last item.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        loop {
            let polled = match &mut self.stage {
                Stage::Over => return Poll::Ready(None),
                Stage::Cold { .. } => self.poll_cold(cx),
                Stage::Joined { .. } => self.poll_joined(cx),
            };
            match polled {
                Step::Again => {}
                Step::Pending => return Poll::Pending,
                Step::Item(item) => return Poll::Ready(Some(Ok(item))),
                Step::Over(error) => {
                    self.stage = Stage::Over;
                    return Poll::Ready(error.map(Err));
                }
            }
        }
    }

    fn poll_cold(&mut self, cx: &mut Context<'_>) -> Step {
        let Stage::Cold { start, waiting } = &mut self.stage else {
            return Step::Again;
        };
        if waiting.poll(cx).is_pending() {
            return self.wait_for(None, cx);
        }
        let followed = self.topic.followed();
        if !followed.is_following() {
            return Step::Over(None);
        }
        let page_events = self.topic.shared().config.client_page_events;
        let new = |id: Option<&str>| LogSubscriber::new(&followed.topic, id, page_events);
        let subscriber = match start {
            Start::Behind(id) => new(id.as_deref()),
            Start::Oldest => LogSubscriber::from_oldest(&followed.topic, page_events),
            Start::State(events, at) => {
                let subscriber = new(Some(&at.to_string()));
                match subscriber.begin_with(std::mem::take(events), *at) {
                    Ok(subscriber) => subscriber,
                    // These are valid events.
                    Err(_) => new(None),
                }
            }
        };
        let subscriber = match self.wanted.take() {
            Some(wanted) => subscriber.only_event_types(wanted),
            None => subscriber,
        };
        self.trouble_since = None;
        self.stage = Stage::Joined {
            subscriber: Box::new(subscriber),
            reading: Reading::Nothing,
        };
        Step::Again
    }

    /// Waits until `deadline`, but no longer than a client waits for a failing log.
    fn wait_for(&mut self, deadline: Option<Instant>, cx: &mut Context<'_>) -> Step {
        let now = self.topic.shared().host.now();
        let client_wait = self.topic.shared().config.client_wait;
        let since = *self.trouble_since.get_or_insert(now);
        if now.saturating_duration_since(since) >= client_wait {
            return Step::Over(Some(self.topic.gave_up(client_wait)));
        }
        if deadline.is_some_and(|at| at <= now) {
            return Step::Again;
        }
        let ends_at = since.checked_add(client_wait);
        let until = [deadline, ends_at].into_iter().flatten().min();
        match self.alarm.poll(until, cx) {
            Poll::Pending => Step::Pending,
            Poll::Ready(()) => Step::Again,
        }
    }

    fn poll_joined(&mut self, cx: &mut Context<'_>) -> Step {
        let Stage::Joined {
            subscriber,
            reading,
        } = &mut self.stage
        else {
            return Step::Again;
        };
        match reading {
            Reading::Nothing => match subscriber.poll_next(cx) {
                Poll::Pending => {
                    self.note_progress();
                    Step::Pending
                }
                Poll::Ready(None) => Step::Over(None),
                Poll::Ready(Some(LogItem::Batch(batch))) => {
                    self.note_progress();
                    Step::Item(batch)
                }
                Poll::Ready(Some(LogItem::Read(request))) => {
                    self.want(request);
                    Step::Again
                }
                Poll::Ready(Some(_)) => Step::Again,
            },
            Reading::Queued { .. } => self.poll_turn(cx),
            Reading::Asked { .. } => self.poll_answer(cx),
            Reading::Failed(retry_at) => {
                let retry_at = *retry_at;
                if !self.topic.is_past(retry_at) {
                    return self.wait_for(retry_at, cx);
                }
                subscriber.handle_page_failed();
                *reading = Reading::Nothing;
                Step::Again
            }
        }
    }

    /// Asks the log once it is this client's turn.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Step {
        let Stage::Joined {
            subscriber,
            reading:
                Reading::Queued {
                    turn,
                    request,
                    look_at,
                },
        } = &mut self.stage
        else {
            return Step::Again;
        };
        let is_due = self.topic.is_past(*look_at);
        let permit = match turn.poll(cx) {
            Poll::Pending if is_due => turn.take_any(),
            Poll::Pending => None,
            Poll::Ready(permit) => Some(permit),
        };
        if let Some(permit) = permit {
            let (request, has_room) = (*request, subscriber.has_room());
            return self.ask_within_budget(request, permit, has_room);
        }
        if is_due {
            *look_at = self.topic.shared().host.now().checked_add(TURN_LOOK);
        }
        match self.alarm.poll(*look_at, cx) {
            Poll::Pending => Step::Pending,
            Poll::Ready(()) => Step::Again,
        }
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Step {
        let Stage::Joined {
            reading:
                Reading::Asked {
                    request,
                    answer,
                    deadline,
                    ..
                },
            ..
        } = &mut self.stage
        else {
            return Step::Again;
        };
        let (request, deadline) = (*request, *deadline);
        match catch(|| answer.as_mut().poll(cx)) {
            Ok(Poll::Pending) => return self.wait_for_answer(deadline, cx),
            Ok(Poll::Ready(answer)) => {
                self.answered = answer.is_ok().then_some(request);
                self.take_answer(answer);
            }
            Err(_) => {
                let text = "the log panicked while it was read";
                self.take_answer(Err(LogError::new(text)));
            }
        }
        Step::Again
    }

    /// Waits for a turn to make this request, unless answers to it are of no use.
    fn want(&mut self, request: PageRequest) {
        match self.answered.take() {
            Some(answered) if answered == request => {
                self.in_vain = self.in_vain.saturating_add(1);
                // The first such answer can have crossed a move of the topic.
                if self.in_vain > 1 {
                    let text = "the log's answer could not be used: it is older than the topic, \
                                or not consistent";
                    return self.take_answer(Err(LogError::new(text)));
                }
            }
            Some(_) => self.note_progress(),
            None => {}
        }
        let shared = self.topic.shared();
        let turn = shared.permits.turn();
        let look_at = shared.host.now().checked_add(TURN_LOOK);
        self.set_reading(Reading::Queued {
            turn,
            request,
            look_at,
        });
    }

    fn note_progress(&mut self) {
        (self.trouble_since, self.answered, self.in_vain) = (None, None, 0);
    }

    fn ask_within_budget(&mut self, request: PageRequest, permit: Permit, has_room: bool) -> Step {
        match has_room {
            true => self.ask(request, permit),
            false => {
                let text = "the budget has no room for a page of the log";
                self.take_answer(Err(LogError::new(text)));
            }
        }
        Step::Again
    }

    fn ask(&mut self, request: PageRequest, permit: Permit) {
        let followed = self.topic.followed();
        let shared = self.topic.shared();
        let asked = catch(|| followed.log.read(followed.name.clone(), request));
        let timeout = shared.config.follower.request_timeout;
        let deadline = shared.host.now().checked_add(timeout);
        match asked {
            Ok(answer) => self.set_reading(Reading::Asked {
                request,
                answer,
                deadline,
                _permit: permit,
            }),
            Err(_) => self.take_answer(Err(LogError::new("the log panicked"))),
        }
    }

    fn wait_for_answer(&mut self, deadline: Option<Instant>, cx: &mut Context<'_>) -> Step {
        if self.topic.is_past(deadline) {
            self.take_answer(Err(LogError::new("the log did not answer in time")));
            return Step::Again;
        }
        match self.alarm.poll(deadline, cx) {
            Poll::Pending => Step::Pending,
            Poll::Ready(()) => Step::Again,
        }
    }

    fn take_answer(&mut self, answer: Result<Page, LogError>) {
        let now = self.topic.shared().host.now();
        match answer {
            Ok(page) => {
                if let Stage::Joined { subscriber, .. } = &mut self.stage {
                    subscriber.handle_page(page);
                }
                self.set_reading(Reading::Nothing);
            }
            Err(error) => {
                self.topic.followed().note_error(now, error);
                self.trouble_since.get_or_insert(now);
                let retry = self.topic.shared().config.follower.retry;
                let retry = retry.saturating_mul(10).max(Duration::from_millis(1));
                self.set_reading(Reading::Failed(now.checked_add(retry)));
            }
        }
    }

    fn set_reading(&mut self, next: Reading) {
        if let Stage::Joined { reading, .. } = &mut self.stage {
            // A panic of the log's code when it is dropped is caught.
            let _ = catch(|| *reading = next);
        }
    }
}

enum Step {
    Again,
    Pending,
    Item(Batch),
    Over(Option<LogStreamError>),
}

impl Stream for LogStream {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        LogStream::poll_next(&mut self, cx)
    }
}

impl fmt::Debug for LogStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogStream")
            .field("topic", self.topic.name())
            .field("outcome", &self.outcome())
            .finish_non_exhaustive()
    }
}
