//! Events as they go over the wire, shared by everyone whom they go to.

use std::fmt;

use bytes::Bytes;

use super::Outcome;

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
pub enum Batch {
    /// Everything new, or as much of it as lies in one piece; the rest comes next.
    Events(EncodedEvents),
    /// How the history goes on here.
    Notice(Notice),
}

impl Batch {
    /// What goes to the client.
    #[must_use]
    pub fn into_encoded(self) -> EncodedEvents {
        match self {
            Self::Events(events) => events,
            Self::Notice(notice) => notice.encoded,
        }
    }

    /// What goes to the client.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Events(events) => events.as_bytes(),
            Self::Notice(notice) => notice.encoded.as_bytes(),
        }
    }
}

/// Tells, in the stream, how the history goes on: the [outcome](Outcome) of a resumption, or a gap
/// where a slow reader was skipped ahead.
///
/// To the client it is an event of the type
/// [`notice_event_type`](super::TopicConfig::notice_event_type), `resume` unless set otherwise, whose
/// data is [the outcome's JSON](Outcome::to_json). Its ID is the [`Position`](super::Position) from
/// which the stream goes on, so that a client that is lost right after it resumes from there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub(super) outcome: Outcome,
    pub(super) encoded: EncodedEvents,
}

impl Notice {
    /// What it tells.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }
}
