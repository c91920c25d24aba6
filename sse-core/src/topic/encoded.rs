//! Encoded events, shared by all clients that receive them.

use std::iter::FusedIterator;

use bytes::Bytes;

use super::{Outcome, wire};
use crate::{EncodedEvents, Event, EventError, EventId, EventType, IntoEvent};

impl EncodedEvents {
    /// Returns the events decoded, each one on demand. Events without an ID have the one that the topic
    /// gave them, and the line ends of data are LF. A [place](Batch::Place) is an ID without data.
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

    /// Creates the block that only tells the client where it is.
    pub(super) fn place(id: &str) -> Self {
        let mut bytes = Vec::new();
        wire::put_place(&mut bytes, id.as_bytes());
        Self::new(bytes, 0)
    }

    /// Encodes the events that a stream begins with, if there are any. Only the last has an ID: to a
    /// client that is lost between them, none of them counts.
    pub(super) fn beginning<E: IntoEvent>(
        events: impl IntoIterator<Item = E>,
        id: EventId,
    ) -> Result<Option<Self>, EventError> {
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
        Ok((count > 0).then(|| Self::new(bytes, count)))
    }
}

/// An iterator over decoded events, from [`EncodedEvents::into_events`]. It yields each event once, in
/// order, as [`Event`].
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

    /// There is at least one more event while bytes are left.
    fn size_hint(&self) -> (usize, Option<usize>) {
        match self.bytes.is_empty() {
            true => (0, Some(0)),
            false => (1, None),
        }
    }
}

impl FusedIterator for DecodedEvents {}

/// An item of a [`Subscriber`](super::Subscriber): events, or a notice.
///
/// ```
/// use std::{task::Poll, time::Instant};
/// use sse_core::topic::{Batch, Topic, TopicConfig};
///
/// let topic = Topic::new(TopicConfig::default(), 0, Instant::now);
/// topic.publish("one")?;
/// // The history does not know this client's last event.
/// let mut subscriber = topic.resume_from(Some("from elsewhere"));
/// while let Poll::Ready(Some(Ok(batch))) = subscriber.try_next() {
///     match &batch {
///         Batch::Events(events) => println!("{} events", events.count()),
///         Batch::Notice(notice) => assert!(notice.outcome().is_loss()),
///         _ => {}
///     }
///     // Whatever it is, the client gets these bytes.
///     assert!(batch.as_bytes().ends_with(b"\n\n"));
/// }
/// # Ok::<(), sse_core::topic::PublishError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Batch {
    /// All new events, or as many as are contiguous in memory; the rest comes next.
    Events(EncodedEvents),
    /// How the history continues here.
    Notice(Notice),
    /// The client's place in the history, for one that got none of the latest events: an ID without an
    /// event, which is an `id` line and a blank line. See
    /// [`only_event_types`](super::Subscriber::only_event_types).
    ///
    /// A client that follows the standard dispatches no event for it. Some lenient clients dispatch an
    /// empty one, because an ID takes effect only at a blank line. It is therefore rare: a subscriber
    /// yields one when it has left out a quarter of the events for which the history has room, which is
    /// 2,500 with the default bounds.
    Place(EncodedEvents),
}

impl Batch {
    /// Returns the encoded bytes to send to the client, for
    /// [`Connection::send_encoded`](crate::server::Connection::send_encoded) or a server of another kind.
    /// Those of a notice are its event.
    #[must_use]
    pub fn into_encoded(self) -> EncodedEvents {
        match self {
            Self::Events(events) | Self::Place(events) => events,
            Self::Notice(notice) => notice.encoded,
        }
    }

    /// Returns the encoded bytes to send to the client, without transfer framing.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Events(events) | Self::Place(events) => events.as_bytes(),
            Self::Notice(notice) => notice.encoded.as_bytes(),
        }
    }
}

/// Tells the client, in the stream, how the history continues: the [outcome](Outcome) of a resumption, or
/// a gap where a slow reader was skipped ahead.
///
/// To the client it is an event of the type [`notice_event_type`](super::TopicConfig::notice_event_type),
/// `resume` by default, whose data is [the outcome's JSON](Outcome::to_json); in a stream of several
/// topics it also has a member `topic` with the topic's name. Its ID is the place from which the stream
/// continues, so that a client that is lost right after it resumes from there: the ID of the event at
/// that place, or its [`Position`](super::Position).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub(super) outcome: Outcome,
    pub(super) encoded: EncodedEvents,
}

impl Notice {
    /// Creates a notice with these data, under this ID.
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

    /// Returns the outcome that the notice announces.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }
}
