//! The places in a topic, and the IDs that name them.

use core::fmt;

use super::merged_id;
use crate::EventId;

/// A place in a topic's history: after a number of events of an epoch.
///
/// Its text, `epoch-sequence`, is the ID of the event before it, unless the publisher chose one. The
/// epoch is in base 36, the sequence is a decimal number: 1 for the topic's first event, 2 for the next.
/// A topic that begins anew, such as after a restart of the server, has another epoch, so that it takes
/// no earlier ID for one of its own.
///
/// ```
/// use std::time::Instant;
/// use sse_core::topic::{TopicConfig, Topic};
///
/// let topic = Topic::new(TopicConfig::default(), 123_456, Instant::now);
/// let position = topic.publish("hello")?;
/// assert_eq!(position.to_string(), "2n9c-1");
/// assert_eq!(topic.position(), position);
/// # Ok::<(), sse_core::topic::PublishError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    pub(super) epoch: u64,
    pub(super) sequence: u64,
}

impl Position {
    /// Creates the place after the event with this sequence number in this epoch, in a history that
    /// another system numbers. See [`Topic::go_on_behind`](super::Topic::go_on_behind).
    #[must_use]
    pub fn new(epoch: u64, sequence: u64) -> Self {
        Self { epoch, sequence }
    }

    /// Returns the epoch: the part of an ID that differs from one life of a topic to the next.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Returns the number of events up to this place, since the history of this epoch began. It is 0
    /// before the first event.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Reads a position from exactly the text that a topic writes: "+1", "01" and "AB" are not.
    pub(super) fn parse(id: &str) -> Option<Self> {
        let (epoch, sequence) = id.split_once('-')?;
        let position = Self {
            epoch: u64::from_str_radix(epoch, 36).ok()?,
            sequence: sequence.parse().ok()?,
        };
        (position.text().as_str() == id).then_some(position)
    }

    /// Returns the position in this epoch that an ID names: the ID itself or, in a stream of several
    /// topics, one of its parts.
    pub(super) fn in_epoch(epoch: u64, id: &str) -> Option<Self> {
        merged_id::positions(id).find(|position| position.epoch == epoch)
    }

    /// Returns the text, without an allocation.
    pub(super) fn text(&self) -> PositionText {
        let mut text = PositionText {
            bytes: [0; PositionText::LONGEST],
            start: PositionText::LONGEST,
        };
        text.put_digits(self.sequence, 10);
        text.put(b'-');
        text.put_digits(self.epoch, 36);
        text
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text().as_str())
    }
}

impl From<Position> for EventId {
    fn from(position: Position) -> Self {
        // Digits, letters and a dash are a valid ID.
        Self::new(position.text().as_str()).unwrap_or_default()
    }
}

/// The text of a [`Position`], written from its end.
pub(super) struct PositionText {
    bytes: [u8; Self::LONGEST],
    start: usize,
}

impl PositionText {
    /// The largest number in base 36, a dash, the largest number.
    const LONGEST: usize = "3w5e11264sgsf-18446744073709551615".len();

    pub(super) fn as_str(&self) -> &str {
        // Digits, letters and a dash are UTF-8.
        str::from_utf8(self.bytes.get(self.start..).unwrap_or_default()).unwrap_or_default()
    }

    fn put_digits(&mut self, mut number: u64, base: u64) {
        loop {
            // The remainder is below 36, and fits.
            self.put(b"0123456789abcdefghijklmnopqrstuvwxyz"[(number % base) as usize]);
            number /= base;
            if number == 0 {
                return;
            }
        }
    }

    fn put(&mut self, byte: u8) {
        self.start -= 1;
        self.bytes[self.start] = byte;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_largest_position_has_room() {
        let position = Position {
            epoch: u64::MAX,
            sequence: u64::MAX,
        };
        assert_eq!(position.to_string().len(), PositionText::LONGEST);
        assert_eq!(Position::parse(&position.to_string()), Some(position));
    }

    #[test]
    fn a_text_that_no_topic_writes_is_not_a_position() {
        for id in [
            "",
            "-",
            "1",
            "1-",
            "-1",
            "1-+1",
            "+1-1",
            "1-01",
            "01-1",
            "A-1",
            "1--1",
            "1-1 ",
            " 1-1",
            "1-1-1",
            "1-18446744073709551616",
            "3w5e11264sgsg-1",
            "é-1",
            "1-٣",
        ] {
            assert_eq!(Position::parse(id), None, "{id:?}");
        }
    }

    proptest! {
        #[test]
        fn a_position_is_read_from_its_text(epoch: u64, sequence: u64) {
            let position = Position { epoch, sequence };
            prop_assert_eq!(Position::parse(&position.to_string()), Some(position));
            let id = EventId::from(position);
            prop_assert_eq!(id.as_str(), position.to_string());
        }
    }
}
