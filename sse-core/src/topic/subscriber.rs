//! The subscriber: a cursor in the history, and a place among those who wait.

use std::{
    error::Error,
    fmt, mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_core::Stream;

use super::{
    Announce, Batch, EncodedEvents, Notice, Outcome, WhenTooSlow,
    log::Read,
    publish::{Shared, State},
};
use crate::{Event, EventId, wake::SlotId};

/// Someone who gets what a [`Topic`](super::Topic) publishes: a stream of [`Batch`]es.
///
/// It holds no events. It knows which is its next, and takes everything new at once. A handler
/// returns it as it is; who has another use for it polls it, by [`poll_next`](Self::poll_next), as
/// a [`Stream`], or without any task by [`try_next`](Self::try_next).
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
    /// The sequence number of the next event.
    next: u64,
    outcome: Outcome,
    stage: Stage,
    slot: Option<SlotId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The outcome is still to be announced.
    Joining,
    Reading,
    Cut,
}

impl Subscriber {
    pub(super) fn new(shared: Arc<Shared>, next: u64, outcome: Outcome) -> Self {
        let announced = match shared.config.announce {
            Announce::Nothing => false,
            Announce::Losses => outcome.is_loss(),
            Announce::Everything => true,
        };
        Self {
            shared,
            next,
            outcome,
            stage: match announced {
                true => Stage::Joining,
                false => Stage::Reading,
            },
            slot: None,
        }
    }

    /// How this subscription joined the history.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// The [`outcome`](Self::outcome), where the topic's settings have it told in a field of the
    /// response.
    pub(crate) fn outcome_for_header(&self) -> Option<Outcome> {
        let tells = self.shared.config.announce_in_header;
        tells.then_some(self.outcome)
    }

    /// What is next, if it is there already. [`Poll::Pending`] means that there is nothing new;
    /// nobody is woken when there is. Otherwise the same as [`poll_next`](Self::poll_next).
    pub fn try_next(&mut self) -> Poll<Option<Result<Batch, SlowConsumer>>> {
        self.next_or(|_, _| {})
    }

    /// What is next. `None` once the topic is closed and everything of it was taken.
    ///
    /// A subscriber that waits is woken once, by the first event that is published; what is
    /// published until it polls again is part of what it gets then.
    ///
    /// # Errors
    ///
    /// [`SlowConsumer`] where the next event is no longer in the history and the topic's setting is
    /// to [cut](WhenTooSlow::Cut) such subscribers. It is the last item.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Batch, SlowConsumer>>> {
        let mut replaced = None;
        let polled = self.next_or(|state, slot| {
            replaced = state.parked.register(slot, cx.waker());
        });
        // Not under the lock: it may be the last to hold its task.
        drop(replaced);
        polled
    }

    /// Whoever has to wait is parked while the lock is held: no event comes in between.
    fn next_or(
        &mut self,
        park: impl FnOnce(&mut State, &mut Option<SlotId>),
    ) -> Poll<Option<Result<Batch, SlowConsumer>>> {
        let mut state = self.shared.state();
        match self.stage {
            Stage::Cut => return Poll::Ready(None),
            Stage::Joining => {
                self.stage = Stage::Reading;
                let notice = notice(&self.shared, &state, self.next, self.outcome);
                return Poll::Ready(Some(Ok(notice)));
            }
            Stage::Reading => {}
        }
        match state.log.read(self.next) {
            Read::Events(events) => {
                self.next += events.count as u64;
                Poll::Ready(Some(Ok(Batch::Events(events))))
            }
            Read::Nothing if state.closed => Poll::Ready(None),
            Read::Nothing => {
                park(&mut state, &mut self.slot);
                Poll::Pending
            }
            Read::Lost(lost) => match self.shared.config.when_too_slow {
                WhenTooSlow::Cut => {
                    self.stage = Stage::Cut;
                    Poll::Ready(Some(Err(SlowConsumer { lost })))
                }
                WhenTooSlow::SkipAhead => {
                    self.next = state.log.first();
                    let replayed = state.log.next() - self.next;
                    let gap = Outcome::Gap { lost, replayed };
                    Poll::Ready(Some(Ok(notice(&self.shared, &state, self.next, gap))))
                }
            },
        }
    }
}

/// Tells how the history goes on at `next`.
fn notice(shared: &Shared, state: &State, next: u64, outcome: Outcome) -> Batch {
    let id = EventId::from(state.log.position_before(next));
    let event = Event::new(outcome.to_json())
        .with_event_type(shared.config.notice_event_type.clone())
        .and_then(|event| event.with_id(id))
        // Both are valid already.
        .unwrap_or_default();
    let mut bytes = Vec::with_capacity(event.encoded_len());
    event.encode_reserved(&mut bytes);
    let encoded = EncodedEvents {
        bytes: bytes.into(),
        count: 1,
    };
    Batch::Notice(Notice { outcome, encoded })
}

impl Stream for Subscriber {
    type Item = Result<Batch, SlowConsumer>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Subscriber::poll_next(&mut self, cx)
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        if let Some(slot) = mem::take(&mut self.slot) {
            let waker = self.shared.state().parked.remove(slot);
            drop(waker);
        }
    }
}

impl fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber")
            .field("next", &self.next)
            .field("outcome", &self.outcome)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

/// A subscriber was so slow that its next event is no longer in the topic's history.
///
/// A stream of a handler's own that ends with this error ends its connection with
/// [`CloseReason::SlowConsumer`](crate::lifecycle::CloseReason::SlowConsumer), as a subscriber that
/// a handler returns does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SlowConsumer {
    /// How many events it has lost so far.
    pub lost: u64,
}

impl fmt::Display for SlowConsumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lost } = self;
        write!(
            f,
            "the client was too slow for its topic, which no longer has {lost} of its events; \
             keep more events, or skip slow clients ahead"
        )
    }
}

impl Error for SlowConsumer {}
