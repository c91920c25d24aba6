//! A handle to a followed topic.

use std::{
    fmt,
    future::{Future, poll_fn},
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use sse_core::{
    EventError, IntoEvent, Text,
    internal::SlotId,
    topic::{Position, ResumeRequest, TopicStats, follower::Bell},
};

use super::{
    LogPublishError, LogStream, LogStreamError,
    followed::Followed,
    stream::Start,
    topics::{Held, Shared},
};

/// A handle to one of the [`FollowedTopics`](super::FollowedTopics). Clones are handles to the same
/// topic.
///
/// ```
/// use std::time::Duration;
/// use sse_driver::event_log::FollowedTopic;
///
/// async fn announce(topic: &FollowedTopic) -> Result<(), Box<dyn std::error::Error>> {
///     topic.ready(Duration::from_secs(10)).await?;
///     if let Err(error) = topic.publish("The soup is ready.").await {
///         // Publishing it again may double it, or not.
///         println!("{error}; it may be there: {}", error.may_be_published());
///     }
///     Ok(())
/// }
/// ```
pub struct FollowedTopic {
    shared: Arc<Shared>,
    held: Arc<Held>,
}

impl FollowedTopic {
    pub(super) fn new(shared: Arc<Shared>, held: Arc<Held>) -> Self {
        Self { shared, held }
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(super) fn followed(&self) -> &Arc<Followed> {
        &self.held.followed
    }

    /// Has the log of a topic followed that is in no map.
    pub(super) fn follow(&self) {
        let followed = self.held.followed.clone();
        self.shared.host.follow(&self.shared, followed);
    }

    /// Returns the name of the topic in the log.
    #[must_use]
    pub fn name(&self) -> &Text {
        &self.held.followed.name
    }

    /// Appends an event to the log, from which every node reads it. Returns its place, which is its ID
    /// unless it has one of its own.
    ///
    /// # Errors
    ///
    /// [`LogPublishError`]. It is never a success where the log does not confirm that it has the event, nor for an
    /// event that this node's topic [would not take](LogPublishError::Rejected) from the log.
    /// [`LogPublishError::may_be_published`] tells whether the log may have it nevertheless.
    pub fn publish<E: IntoEvent>(
        &self,
        event: E,
    ) -> impl Future<Output = Result<Position, LogPublishError>> + Send + use<E> {
        let event = event.into_event();
        let followed = self.held.followed.clone();
        async move {
            let event = event?;
            let checked = followed.topic.check(&event);
            checked.map_err(LogPublishError::Rejected)?;
            let appended = followed.log.append(followed.name.clone(), event.clone());
            let position = appended.await?;
            // This node then need not wait for the log's own bell.
            followed.bells.ring(Bell::new(position).with_event(event));
            Ok(position)
        }
    }

    /// Returns a stream for the client that sent this request: it resumes after the last event ID in the
    /// request, as [`Topic::resume`](sse_core::topic::Topic::resume) does.
    #[must_use]
    pub fn resume(&self, request: &impl ResumeRequest) -> LogStream {
        let param = &self.shared.config.topic.last_event_id_param;
        self.resume_from(request.last_event_id(param).as_deref())
    }

    /// Returns a stream for a client whose last event has this ID; with `None`, for one that gets the
    /// events published from now on.
    #[must_use]
    pub fn resume_from(&self, last_event_id: Option<&str>) -> LogStream {
        let id = last_event_id.filter(|id| !id.is_empty());
        LogStream::new(self.clone(), Start::Behind(id.map(Text::from)))
    }

    /// Returns a stream of all events that the log holds of its epoch, from its oldest one on, and of
    /// those published later. To the client this is [fresh](sse_core::topic::Outcome::Fresh): it is told
    /// of no earlier loss.
    #[must_use]
    pub fn subscribe_from_oldest(&self) -> LogStream {
        LogStream::new(self.clone(), Start::Oldest)
    }

    /// Returns a stream that begins with these events, such as the state that the topic's events change,
    /// and continues with the events published after `at`: on any node, without a gap. The last of the
    /// events gets the place `at` as its ID.
    ///
    /// A node computes such a state from a stream of its own: the last event that it applied has the ID
    /// `at`. If the log does not know that place any more, the client is told that it is
    /// [unknown](sse_core::topic::Outcome::Unknown).
    ///
    /// ```
    /// use sse_core::{EventError, topic::{Position, ResumeRequest}};
    /// use sse_driver::{event_log::{FollowedTopic, LogStream}, router::Request};
    ///
    /// /// The count, and the place of the event that changed it last.
    /// struct Count {
    ///     count: u64,
    ///     at: Position,
    /// }
    ///
    /// fn handler(topic: &FollowedTopic, state: &Count, request: &Request) -> Result<LogStream, EventError> {
    ///     match request.last_event_id() {
    ///         Some(_) => Ok(topic.resume(request)),
    ///         None => topic.begin_with([state.count], state.at),
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`EventError`] where one of these cannot become an event.
    pub fn begin_with<E: IntoEvent>(
        &self,
        events: impl IntoIterator<Item = E>,
        at: Position,
    ) -> Result<LogStream, EventError> {
        let events: Result<Vec<_>, _> = events.into_iter().map(IntoEvent::into_event).collect();
        Ok(LogStream::new(self.clone(), Start::State(events?, at)))
    }

    /// Waits up to `within` until this node has reached the end of the log once: for a program that
    /// should not start without its log.
    ///
    /// # Errors
    ///
    /// [`LogStreamError`] with the last error of the log.
    pub async fn ready(&self, within: Duration) -> Result<(), LogStreamError> {
        let now = self.shared.host.now();
        let until = now.checked_add(within);
        let mut waiting = Waiting::new(self.clone());
        let mut alarm = self.shared.host.alarm();
        poll_fn(|cx| {
            if waiting.poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            match alarm.poll(until, cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(()) if self.is_past(until) => Poll::Ready(Err(self.gave_up(within))),
                Poll::Ready(()) => {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
            }
        })
        .await
    }

    pub(super) fn is_past(&self, deadline: Option<Instant>) -> bool {
        deadline.is_some_and(|at| at <= self.shared.host.now())
    }

    pub(super) fn gave_up(&self, waited: Duration) -> LogStreamError {
        LogStreamError {
            waited,
            cause: self.held.followed.last_error(),
        }
    }

    /// Returns whether this node has reached the end of the log once. Until then clients wait;
    /// [`ready`](Self::ready) waits for it.
    #[must_use]
    pub fn is_following(&self) -> bool {
        self.held.followed.is_following()
    }

    /// Returns the place up to which this node has read the log. The log itself may be further.
    #[must_use]
    pub fn position(&self) -> Position {
        self.held.followed.topic.position()
    }

    /// Returns the counters of this node's topic. Clients that read the log count as slow if the topic
    /// had dropped their next event.
    #[must_use]
    pub fn stats(&self) -> TopicStats {
        self.held.followed.topic.stats()
    }
}

impl Clone for FollowedTopic {
    fn clone(&self) -> Self {
        Self::new(self.shared.clone(), self.held.clone())
    }
}

impl Drop for FollowedTopic {
    fn drop(&mut self) {
        self.held.followed.note_leaving(self.shared.host.now());
    }
}

impl fmt::Debug for FollowedTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FollowedTopic")
            .field("name", self.name())
            .field("position", &self.position())
            .field("is_following", &self.is_following())
            .finish_non_exhaustive()
    }
}

/// Waits until a topic follows its log.
pub(super) struct Waiting {
    topic: FollowedTopic,
    slot: Option<SlotId>,
}

impl Waiting {
    pub(super) fn new(topic: FollowedTopic) -> Self {
        Self { topic, slot: None }
    }

    pub(super) fn poll(&mut self, cx: &Context<'_>) -> Poll<()> {
        self.topic.followed().poll_following(&mut self.slot, cx)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            self.topic.followed().leave(slot);
        }
    }
}
