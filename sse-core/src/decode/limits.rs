//! The bounds on what a decoder holds, and the error at a bound.

use core::fmt;

const MIB: usize = 1024 * 1024;

/// The bounds on what a [`Decoder`](crate::Decoder) holds.
///
/// At a bound the decoder reports a [`DecodeError`], discards the event and continues with the next one.
/// An id past its bound does not discard its event: see
/// [`Decoded::IdTooLong`](crate::Decoded::IdTooLong).
///
/// Lengths are counted in received bytes. Where bytes that are not UTF-8 are replaced, the text with its
/// replacements (up to three bytes for one) counts as well. A decoder's buffers hold at most one line and
/// one event, and once more the text of one of them if something in it was replaced.
///
/// ```
/// use sse_core::{Decoder, DecoderLimits};
///
/// let limits = DecoderLimits::default().with_line(64 * 1024).with_event(256 * 1024);
/// let decoder = Decoder::with_limits(limits);
/// # let _ = decoder;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DecoderLimits {
    line: usize,
    event: usize,
    id: usize,
}

impl DecoderLimits {
    /// Sets the longest line, in bytes without its end. The default is 16 MiB.
    #[must_use]
    pub fn with_line(mut self, bytes: usize) -> Self {
        self.line = bytes;
        self
    }

    /// Sets the size of the largest event: the bytes of its data, with the line feeds that join its
    /// lines, and of its event type. The default is 16 MiB.
    ///
    /// A line counts towards its event once its end has come; until then only
    /// [`with_line`](Self::with_line) bounds it.
    #[must_use]
    pub fn with_event(mut self, bytes: usize) -> Self {
        self.event = bytes;
        self
    }

    /// Sets the longest id, in bytes. The default is 8 KiB. An event with a longer id is delivered, and
    /// the last event ID stays unchanged.
    ///
    /// A client sends the id back in the head of a request. This crate's server takes a head of 16 KiB,
    /// half of which the longest id leaves for other fields; many other servers take 8 KiB or less.
    #[must_use]
    pub fn with_id(mut self, bytes: usize) -> Self {
        self.id = bytes;
        self
    }

    /// Returns the longest line, in bytes without its end.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// Returns the largest event, in bytes of its data and its event type.
    #[must_use]
    pub fn event(&self) -> usize {
        self.event
    }

    /// Returns the longest id, in bytes.
    #[must_use]
    pub fn id(&self) -> usize {
        self.id
    }

    /// Returns a length within both the bound of a line and that of an event.
    #[inline]
    pub(super) fn line_and_event(&self) -> usize {
        self.line.min(self.event)
    }

    /// Returns the error of a value past `bound`.
    pub(super) fn exceeded(&self, bound: DecodeBound) -> DecodeError {
        let limit = match bound {
            DecodeBound::Line => self.line,
            DecodeBound::Event => self.event,
            DecodeBound::Id => self.id,
        };
        DecodeError { bound, limit }
    }
}

impl Default for DecoderLimits {
    fn default() -> Self {
        Self {
            line: 16 * MIB,
            event: 16 * MIB,
            id: 8 * 1024,
        }
    }
}

/// A bound of [`DecoderLimits`], in a [`DecodeError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DecodeBound {
    /// The length of a line: [`DecoderLimits::with_line`].
    Line,
    /// The size of an event: [`DecoderLimits::with_event`].
    Event,
    /// The length of an id: [`DecoderLimits::with_id`].
    Id,
}

/// The error of an event stream that exceeds one of the [`DecoderLimits`].
///
/// The decoder reports it once for an event, and treats the event as never sent: it dispatches nothing of
/// it, and does not make its id the last event ID. The next call continues after the event.
///
/// In [`Decoded::IdTooLong`](crate::Decoded::IdTooLong) it names the bound that an id exceeded; the event
/// of that id is not discarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DecodeError {
    bound: DecodeBound,
    limit: usize,
}

impl DecodeError {
    /// Returns the bound that was exceeded. [`limit`](Self::limit) is its value.
    #[must_use]
    pub fn bound(&self) -> DecodeBound {
        self.bound
    }

    /// Returns the value of that bound, in bytes: the one in the [`DecoderLimits`] of the decoder.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bound, limit } = self;
        let (what, consequence, setting) = match bound {
            DecodeBound::Line => (
                "a line",
                "its event was discarded; call the decoder again for the next event",
                "with_line",
            ),
            DecodeBound::Event => (
                "an event",
                "was discarded; call the decoder again for the next event",
                "with_event",
            ),
            DecodeBound::Id => (
                "an id",
                "the last event ID stays unchanged; call the decoder again for its event",
                "with_id",
            ),
        };
        write!(
            f,
            "{what} in the event stream is longer than {limit} bytes, and {consequence}, or raise \
             the bound with DecoderLimits::{setting}"
        )
    }
}

impl core::error::Error for DecodeError {}

/// Its kind is [`InvalidData`](std::io::ErrorKind::InvalidData).
#[cfg(feature = "std")]
impl From<DecodeError> for std::io::Error {
    fn from(error: DecodeError) -> Self {
        Self::new(std::io::ErrorKind::InvalidData, error)
    }
}
