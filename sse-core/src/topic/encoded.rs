//! Events as they go over the wire, shared by everyone whom they go to.

use std::iter::FusedIterator;

use bytes::Bytes;

use super::{Outcome, wire};
use crate::{EncodedEvents, Event, EventError, EventId, EventType, IntoEvent};

impl EncodedEvents {
    /// Returns the events as they were before they were encoded, each decoded when it is asked for. Those
    /// that had no ID have the one that the topic gave them, and the line ends of data are LF. A
    /// [place](Batch::Place) is an ID without data.
    ///
    /// ```
    /// use std::{task::Poll, time::Instant};
    /// use sse_core::{Event, topic::{Batch, Topic, TopicConfig}};
    ///
    /// let topic = Topic::new(TopicConfig::default(), 0, Instant::now);
    /// let mut subscriber = topic.subscribe();
    /// topic.publish("one")?;
    ///
    /// let Poll::Ready(Some(Ok(Batch::Events(events)))) = subscriber.try_next() else { panic!() };
    /// let expected = Event::new("one").with_id("0-1")?;
    /// assert_eq!(events.into_events().collect::<Vec<_>>(), [expected]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn into_events(self) -> DecodedEvents {
        DecodedEvents {
            bytes: self.into_bytes(),
        }
    }

    /// What tells the client where it is, and nothing else.
    pub(super) fn place(id: &str) -> Self {
        let mut bytes = Vec::new();
        wire::put_place(&mut bytes, id.as_bytes());
        Self::new(bytes, 0)
    }

    /// What a stream begins with. Only the last has an ID: a client that is lost between them has
    /// had none of it.
    pub(super) fn beginning<E: IntoEvent>(
        events: impl IntoIterator<Item = E>,
        id: EventId,
    ) -> Result<Self, EventError> {
        let (mut bytes, mut count) = (Vec::new(), 0);
        let mut events = events.into_iter().peekable();
        while let Some(event) = events.next() {
            let event = event.into_event()?;
            match events.peek() {
                Some(_) => event.encode(&mut bytes),
                None => event.under_id(id.clone()).encode(&mut bytes),
            }
            count += 1;
        }
        Ok(Self::new(bytes, count))
    }
}

/// An iterator over decoded events, from [`EncodedEvents::into_events`].
#[derive(Clone, Debug)]
pub struct DecodedEvents {
    bytes: Bytes,
}

impl Iterator for DecodedEvents {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        let len = wire::events(&self.bytes).next()?.len();
        Some(wire::decode(&self.bytes.split_to(len)))
    }

    /// There is one more for as long as there is anything.
    fn size_hint(&self) -> (usize, Option<usize>) {
        match self.bytes.is_empty() {
            true => (0, Some(0)),
            false => (1, None),
        }
    }
}

impl FusedIterator for DecodedEvents {}

/// An item of a [`Subscriber`](super::Subscriber): events, or a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Batch {
    /// Everything new, or as much of it as lies in one piece; the rest comes next.
    Events(EncodedEvents),
    /// How the history goes on here.
    Notice(Notice),
    /// Where in the history the client is by now, which got none of what was published lately: an
    /// ID without an event, which is an `id` line and a blank line. See
    /// [`only_event_types`](super::Subscriber::only_event_types).
    ///
    /// A client that follows the standard dispatches nothing. Some lenient ones dispatch an empty
    /// event, since an ID takes effect at a blank line alone. So there are few: a subscriber yields
    /// one when it has left out a quarter of what the history has room for, which is 2,500 events
    /// with the default bounds.
    Place(EncodedEvents),
}

impl Batch {
    /// Returns the bytes that go to the client.
    #[must_use]
    pub fn into_encoded(self) -> EncodedEvents {
        match self {
            Self::Events(events) | Self::Place(events) => events,
            Self::Notice(notice) => notice.encoded,
        }
    }

    /// Returns the bytes that go to the client.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Events(events) | Self::Place(events) => events.as_bytes(),
            Self::Notice(notice) => notice.encoded.as_bytes(),
        }
    }
}

/// Tells, in the stream, how the history goes on: the [outcome](Outcome) of a resumption, or a gap
/// where a slow reader was skipped ahead.
///
/// To the client it is an event of the type
/// [`notice_event_type`](super::TopicConfig::notice_event_type), `resume` unless set otherwise, whose
/// data is [the outcome's JSON](Outcome::to_json); in a stream of several topics it has a member
/// `topic` besides, with the topic's name. Its ID is the place from which the stream goes on, so that
/// a client that is lost right after it resumes from there: the ID of the event at that place, or else
/// its [`Position`](super::Position).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub(super) outcome: Outcome,
    pub(super) encoded: EncodedEvents,
}

impl Notice {
    /// One with these data, under this ID.
    pub(super) fn new(
        outcome: Outcome,
        data: String,
        event_type: &EventType,
        id: impl Into<EventId>,
    ) -> Self {
        let event = Event::new(data).of_type(event_type.clone()).under_id(id);
        let mut bytes = Vec::with_capacity(event.encoded_len());
        event.encode_reserved(&mut bytes);
        let encoded = EncodedEvents::new(bytes, 1);
        Self { outcome, encoded }
    }

    /// Returns the outcome that the notice tells.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }
}
