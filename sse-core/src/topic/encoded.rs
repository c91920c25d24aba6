//! Events as they go over the wire, shared by everyone whom they go to.

use std::fmt;

use bytes::Bytes;

use super::{Outcome, wire};
use crate::{Event, EventError, EventId, EventType, IntoEvent};

/// One or more events of a [`Topic`](super::Topic), encoded, in one piece of memory that all who
/// receive them share. Cloning is cheap, and copies no bytes.
///
/// There is no way to make one of any bytes: these are whole events, so that whoever sends them
/// cannot send half of one, nor something else.
#[derive(Clone, PartialEq, Eq)]
pub struct EncodedEvents {
    pub(super) bytes: Bytes,
    pub(super) count: usize,
}

impl EncodedEvents {
    /// The bytes, free of transfer framing.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The same, shared.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// How many events these are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// What tells the client where it is, and nothing else.
    pub(super) fn place(id: &str) -> Self {
        let mut bytes = Vec::new();
        wire::put_place(&mut bytes, id.as_bytes());
        let bytes = bytes.into();
        Self { bytes, count: 0 }
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
                None => event.with_id(id.clone())?.encode(&mut bytes),
            }
            count += 1;
        }
        let bytes = bytes.into();
        Ok(Self { bytes, count })
    }
}

impl fmt::Debug for EncodedEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncodedEvents")
            .field("count", &self.count)
            .field("bytes", &self.bytes)
            .finish()
    }
}

/// What a [`Subscriber`](super::Subscriber) yields at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Batch {
    /// Everything new, or as much of it as lies in one piece; the rest comes next.
    Events(EncodedEvents),
    /// How the history goes on here.
    Notice(Notice),
    /// Where in the history the client is by now, which got none of what was published lately: an
    /// ID without an event. See [`only_event_types`](super::Subscriber::only_event_types).
    Place(EncodedEvents),
}

impl Batch {
    /// What goes to the client.
    #[must_use]
    pub fn into_encoded(self) -> EncodedEvents {
        match self {
            Self::Events(events) | Self::Place(events) => events,
            Self::Notice(notice) => notice.encoded,
        }
    }

    /// What goes to the client.
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
/// `topic` besides, with the topic's name. Its ID is the [`Position`](super::Position) from
/// which the stream goes on, so that a client that is lost right after it resumes from there.
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
        let event = Event::new(data)
            .with_event_type(event_type.clone())
            .and_then(|event| event.with_id(id.into()))
            // Both are valid already.
            .unwrap_or_default();
        let mut bytes = Vec::with_capacity(event.encoded_len());
        event.encode_reserved(&mut bytes);
        let encoded = EncodedEvents {
            bytes: bytes.into(),
            count: 1,
        };
        Self { outcome, encoded }
    }

    /// What it tells.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }
}
