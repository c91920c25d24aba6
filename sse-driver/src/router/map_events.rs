//! A stream of a reply's events, each of which goes through a function before it is sent.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use super::{ReplyBody, events::ItemStream};
use sse_core::{Event, EventError, StreamItem, topic::DecodedEvents};

impl ReplyBody {
    pub(super) fn map_events(
        self,
        map: impl FnMut(Event) -> Option<Event> + Send + 'static,
    ) -> Self {
        match self {
            Self::Events(events) => Self::Events(events.map(|items| {
                Box::pin(Mapped {
                    items,
                    batch: None,
                    map: Box::new(map),
                })
            })),
            whole => whole,
        }
    }
}

/// The number of dropped events after which the executor gets its turn: a stream that is always ready,
/// and of which no event is sent, would otherwise block the thread.
const MOST_KEPT_BACK: usize = 128;

/// A stream of events with a function for each.
struct Mapped {
    items: Pin<Box<dyn ItemStream>>,
    /// The rest of a topic's batch.
    batch: Option<DecodedEvents>,
    map: Box<dyn FnMut(Event) -> Option<Event> + Send>,
}

impl ItemStream for Mapped {
    fn poll_next_yielded(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<StreamItem, EventError>>> {
        let this = &mut *self;
        let mut kept_back = 0;
        while kept_back < MOST_KEPT_BACK {
            let event = match this.batch.as_mut().and_then(Iterator::next) {
                Some(event) => event,
                None => match this.items.as_mut().poll_next_yielded(cx) {
                    Poll::Ready(Some(Ok(StreamItem::Event(event)))) => event,
                    // A batch without events is a place, which the client needs.
                    Poll::Ready(Some(Ok(StreamItem::Encoded(batch)))) if batch.count() > 0 => {
                        this.batch = Some(batch.into_events());
                        continue;
                    }
                    other => {
                        this.batch = None;
                        return other;
                    }
                },
            };
            match (this.map)(event) {
                Some(event) => return Poll::Ready(Some(Ok(StreamItem::Event(event)))),
                None => kept_back += 1,
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn is_resumable(&self) -> bool {
        self.items.is_resumable()
    }

    fn lag(&self) -> Option<sse_core::topic::Lag> {
        self.items.lag()
    }

    fn hear_of_shutdown(mut self: Pin<&mut Self>) {
        self.items.as_mut().hear_of_shutdown();
    }

    fn can_wait(&self) -> bool {
        let is_empty = |batch: &DecodedEvents| batch.size_hint().0 == 0;
        self.batch.as_ref().is_none_or(is_empty) && self.items.can_wait()
    }
}
