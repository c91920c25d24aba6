//! A reply's events, each of them seen before it is sent.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
};

use super::{Events, ReplyBody, Yielded, reply::ItemStream};
use crate::{
    Decoded, Decoder, DecoderLimits, Event, EventError, MessageEventRef, topic::EncodedEvents,
};

impl ReplyBody {
    pub(super) fn map_events(
        self,
        map: impl FnMut(Event) -> Option<Event> + Send + 'static,
    ) -> Self {
        match self {
            Self::Events(events) => Self::Events(Events(Box::pin(Mapped {
                events,
                waiting: VecDeque::new(),
                map: Box::new(map),
            }))),
            whole => whole,
        }
    }
}

/// A stream of events with a function that sees each.
struct Mapped {
    events: Events,
    /// What is decoded of a topic's batch. At most one batch.
    waiting: VecDeque<Event>,
    map: Box<dyn FnMut(Event) -> Option<Event> + Send>,
}

impl ItemStream for Mapped {
    fn poll_next_yielded(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Yielded, EventError>>> {
        let this = &mut *self;
        loop {
            while let Some(event) = this.waiting.pop_front() {
                if let Some(event) = (this.map)(event) {
                    return Poll::Ready(Some(Ok(Yielded::Event(event))));
                }
            }
            match this.events.poll_next_yielded(cx) {
                Poll::Ready(Some(Ok(Yielded::Event(event)))) => this.waiting.push_back(event),
                Poll::Ready(Some(Ok(Yielded::Encoded(encoded)))) => match decode(&encoded) {
                    Ok(events) => this.waiting = events,
                    Err(error) => return Poll::Ready(Some(Err(error))),
                },
                other => return other,
            }
        }
    }

    fn can_wait(&self) -> bool {
        self.waiting.is_empty() && self.events.can_wait()
    }
}

/// A topic's events as they were before they were encoded. Each has an ID, so that none is taken
/// for another's; one without data, which no client would dispatch, is left out.
fn decode(encoded: &EncodedEvents) -> Result<VecDeque<Event>, EventError> {
    let mut events = VecDeque::with_capacity(encoded.count());
    let mut reconnection_time = None;
    // What is in memory already needs no bounds.
    let limits = DecoderLimits::default();
    let limits = limits
        .with_line(usize::MAX)
        .with_event(usize::MAX)
        .with_id(usize::MAX);
    let (mut decoder, mut input) = (Decoder::with_limits(limits), encoded.as_bytes());
    loop {
        let failed = |error| EventError::Stream(Box::new(error));
        match decoder.decode(&mut input).map_err(failed)? {
            Some(Decoded::Event(event)) => {
                let mut event = typed(event)?.with_id(event.last_event_id())?;
                if let Some(time) = reconnection_time.take() {
                    event = event.with_reconnection_time(time);
                }
                events.push_back(event);
            }
            Some(Decoded::ReconnectionTime(time)) => reconnection_time = Some(time),
            Some(Decoded::Comment(_) | Decoded::IdTooLong(_)) => {}
            None => break,
        }
    }
    if let Some(time) = reconnection_time {
        events.push_back(Event::without_data().with_reconnection_time(time));
    }
    Ok(events)
}

fn typed(event: MessageEventRef<'_>) -> Result<Event, EventError> {
    let sent = Event::new(event.data());
    Ok(match event.event_type() {
        "message" => sent,
        event_type => sent.with_event_type(event_type)?,
    })
}
