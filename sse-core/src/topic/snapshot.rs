//! Snapshots of a topic, which can be stored and become a topic again.

use std::{error::Error, fmt};

use bytes::Bytes;

use super::{
    EncodedEvents, Position, PublishError, Topic,
    log::{Log, Read},
    wire,
};
use crate::Event;

/// The events and the place of a [`Topic`](super::Topic) at one moment.
///
/// A server that restarts stores it in a file, and lets the new topic [begin](super::Topic::restore) with
/// it. Clients then resume from the IDs that the old topic gave them, and miss no event published before
/// the snapshot.
///
/// It shares the memory of the topic's events; [`to_bytes`](Self::to_bytes) copies them.
///
/// ```
/// use std::time::Instant;
/// use sse_core::topic::{Outcome, Topic, TopicConfig, TopicSnapshot};
///
/// let before = Topic::new(TopicConfig::default(), 1, Instant::now);
/// let seen = before.publish("one")?;
/// before.publish("two")?;
/// before.close();
/// let file = before.snapshot().to_bytes();
///
/// // The server has restarted. The new topic has an epoch of its own.
/// let after = Topic::new(TopicConfig::default(), 2, Instant::now);
/// after.restore(&TopicSnapshot::from_bytes(&file)?)?;
/// after.publish("three")?;
///
/// let subscriber = after.resume_from(Some(&seen.to_string()));
/// assert_eq!(subscriber.outcome(), Outcome::Resumed { replayed: 2 });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct TopicSnapshot {
    /// The place before the first event.
    start: Position,
    /// The places at which the lives before this one ended, the latest first.
    lives: Vec<Position>,
    events: Vec<EncodedEvents>,
    count: u64,
}

/// The number of earlier lives whose IDs a topic knows.
pub(super) const LIVES: usize = 8;

/// The beginning of the form that [`TopicSnapshot::to_bytes`] writes, up to the places.
const START: &str = ": topic 1";
/// The beginning of its last line, up to the number of events.
const END: &str = ": end ";

impl TopicSnapshot {
    pub(super) fn of(log: &mut Log) -> Self {
        let first = log.first();
        let (mut next, mut events) = (first, Vec::new());
        while let Read::Events(piece) = log.read(next, u64::MAX) {
            next += piece.count as u64;
            events.push(piece);
        }
        Self {
            start: log.position_before(first),
            lives: log.lives().to_vec(),
            events,
            count: next - first,
        }
    }

    /// Returns the place after the newest event: the [`Topic::position`] at the moment of the snapshot.
    #[must_use]
    pub fn position(&self) -> Position {
        let Position { epoch, sequence } = self.start;
        Position::new(epoch, sequence.saturating_add(self.count))
    }

    /// Returns the number of events in the snapshot.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Returns the place before the first event.
    pub(super) fn start(&self) -> Position {
        self.start
    }

    /// Returns the places at which this life and those before it end.
    pub(super) fn lives(&self) -> impl Iterator<Item = Position> {
        let before = self.lives.iter().copied();
        std::iter::once(self.position()).chain(before).take(LIVES)
    }

    /// Returns the events, without the IDs that the topic gave them.
    pub(super) fn events(&self) -> impl Iterator<Item = Event> {
        let epoch = self.start.epoch;
        let all = self.events.iter().cloned();
        all.flat_map(EncodedEvents::into_events)
            .map(move |event| match event.id() {
                Some(id) if Position::in_epoch(epoch, id.as_str()).is_some() => event.without_id(),
                _ => event,
            })
    }

    /// Returns the snapshot as bytes for a file: the events in the event stream format, after a line with
    /// the place and before one with their number.
    ///
    /// To replace a file, write another one and rename it, so that a crash leaves either of the two
    /// intact.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut places = format!("{START} {}", self.start);
        for life in &self.lives {
            places += &format!(" {life}");
        }
        places.push('\n');
        let end = format!("{END}{}\n", self.count);
        let events = || self.events.iter().map(EncodedEvents::as_bytes);
        let len = events().map(<[u8]>::len).sum::<usize>();
        let mut bytes = Vec::with_capacity(places.len() + len + end.len());
        bytes.extend_from_slice(places.as_bytes());
        events().for_each(|events| bytes.extend_from_slice(events));
        bytes.extend_from_slice(end.as_bytes());
        bytes
    }

    /// Reads the bytes that [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    ///
    /// [`InvalidSnapshot`] where the bytes are not a snapshot, or only a part of one, such as after a
    /// crash in the middle of writing.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidSnapshot> {
        let text = str::from_utf8(bytes).map_err(|_| InvalidSnapshot::Other)?;
        let (places, rest) = text.split_once('\n').ok_or(InvalidSnapshot::Other)?;
        let places = places.strip_prefix(START).ok_or(InvalidSnapshot::Other)?;
        let mut places = places.split_ascii_whitespace().map(Position::parse);
        let start = places.next().flatten().ok_or(InvalidSnapshot::Other)?;
        // No topic has so many events, and a topic that continues from here never runs out of numbers.
        if start.sequence > u64::MAX / 2 {
            return Err(InvalidSnapshot::Other);
        }
        let lives: Option<Vec<_>> = places.take(LIVES).collect();
        let lives = lives.ok_or(InvalidSnapshot::Other)?;

        let last_line = rest
            .trim_end_matches('\n')
            .rfind('\n')
            .map_or(0, |at| at + 1);
        let (events, end) = rest.split_at_checked(last_line).unwrap_or_default();
        let count = end.strip_prefix(END).and_then(|end| end.strip_suffix('\n'));
        let count = count.and_then(|count| count.parse().ok());
        let count: u64 = count.ok_or(InvalidSnapshot::Incomplete)?;
        let found = wire::events(events.as_bytes());
        if found.filter(|event| event.ends_with(b"\n\n")).count() as u64 != count {
            return Err(InvalidSnapshot::Incomplete);
        }
        let bytes = Bytes::copy_from_slice(events.as_bytes());
        let held = usize::try_from(count).map_err(|_| InvalidSnapshot::Other)?;
        let events = EncodedEvents::new(bytes, held);
        Ok(Self {
            start,
            lives,
            events: vec![events],
            count,
        })
    }
}

impl Topic {
    /// Returns the events and the place of the topic now, to be stored where they outlive the process:
    /// see [`TopicSnapshot`].
    ///
    /// Events published later are not in it. At the end of a program, [close](Self::close) the topic
    /// first. A snapshot taken from time to time helps after a crash: a client whose last event is later
    /// than the snapshot is told that this event is unknown.
    #[must_use]
    pub fn snapshot(&self) -> TopicSnapshot {
        self.with_log(TopicSnapshot::of)
    }

    /// Begins with the events of another topic, an earlier life of this one. Call it before the first
    /// event and the first client. Each event keeps its sequence number. Its ID is a new one, of this
    /// topic's [epoch](Self::epoch), unless the publisher chose it.
    ///
    /// Clients resume from the IDs of the earlier life up to the snapshot, and of up to seven lives
    /// before it. An event that was published after the snapshot is unknown here, and a client that comes
    /// with its ID is told so; no other event is taken for it. The age of all events counts from now.
    ///
    /// # Errors
    ///
    /// [`RestoreError`]; the topic is unchanged then.
    pub fn restore(&self, snapshot: &TopicSnapshot) -> Result<(), RestoreError> {
        let (now, start) = (self.now(), snapshot.start().sequence);
        let mut log = Log::new(self.config(), self.epoch());
        log.begin_behind(start, snapshot.lives());
        let newest = snapshot.position().sequence;
        for (event, sequence) in snapshot.events().zip(start.saturating_add(1)..) {
            let added = match log.append(now, &event) {
                // A full topic has room for its last event.
                Err(PublishError::Full { .. }) if sequence == newest => {
                    log.append_last(now, &event)
                }
                added => added,
            };
            added.map_err(|error| RestoreError::Event { sequence, error })?;
        }
        match self.begin_with(log) {
            true => Ok(()),
            false => Err(RestoreError::InUse),
        }
    }
}

impl fmt::Debug for TopicSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopicSnapshot")
            .field("position", &self.position())
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

/// The error of bytes that are not a snapshot of a topic, or not a whole one. Begin with an empty topic
/// then: its clients are told that their last event is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InvalidSnapshot {
    /// The bytes do not begin like a snapshot, or are one that this version cannot read.
    Other,
    /// The bytes begin like a snapshot, and their end is missing.
    Incomplete,
}

impl fmt::Display for InvalidSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Other => {
                "this is no snapshot of a topic; begin without it, and clients are told that their \
                 last event is unknown"
            }
            Self::Incomplete => {
                "the snapshot is not complete; write it to another file and rename that one, so that \
                 a crash leaves the one before"
            }
        })
    }
}

impl Error for InvalidSnapshot {}

/// The error of a topic that cannot begin with a snapshot. The topic stays as it was.
///
/// A program that cannot restore a topic may go on with an empty one:
///
/// ```
/// use std::time::Instant;
/// use sse_core::topic::{Topic, TopicConfig, TopicSnapshot};
///
/// let topic = Topic::new(TopicConfig::default(), 7, Instant::now);
/// let bytes = b"not a snapshot"; // Of a file.
/// let restored = TopicSnapshot::from_bytes(bytes).map(|snapshot| topic.restore(&snapshot));
/// if !matches!(restored, Ok(Ok(()))) {
///     eprintln!("begins without the events of the last run: {restored:?}");
/// }
/// assert_eq!(topic.retained_events(), 0);
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum RestoreError {
    /// Events were published to the topic already, or it is closed.
    InUse,
    /// An event of the snapshot cannot be published under the topic's settings, such as one that is
    /// larger than the whole history may be.
    Event {
        /// The sequence number of the event.
        sequence: u64,
        /// Why it cannot be published.
        error: PublishError,
    },
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse => f.write_str(
                "the topic has events already, or is closed; restore it before the first event",
            ),
            Self::Event { sequence, error } => {
                write!(
                    f,
                    "event {sequence} of the snapshot cannot be published: {error}"
                )
            }
        }
    }
}

impl Error for RestoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::InUse => None,
            Self::Event { error, .. } => Some(error),
        }
    }
}
