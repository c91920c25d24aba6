//! The bounds on what a decoder holds, and the error at a bound.

use core::fmt;

const MIB: usize = 1024 * 1024;

/// How much of an event stream a [`Decoder`](crate::Decoder) holds at most.
///
/// Past a bound the decoder reports a [`DecodeError`], discards the event in question and goes on
/// at the next one. An id past its bound does not cost its event:
/// [`Decoded::IdTooLong`](crate::Decoded::IdTooLong).
///
/// Lengths are counted in bytes as they are received; where bytes that are not UTF-8 had to be
/// replaced, the text with its replacements (up to three bytes for one) is counted as well. A
/// decoder's buffers hold at most one line and one event, and the text of one of them again where
/// something in it had to be replaced.
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
    /// The longest line, in bytes without its end. The default is 16 MiB.
    #[must_use]
    pub fn with_line(mut self, bytes: usize) -> Self {
        self.line = bytes;
        self
    }

    /// The largest event: the bytes of its data, with the line feeds that join its lines, and of
    /// its event type. The default is 16 MiB.
    ///
    /// A line counts towards its event once its end has come; until then it is bounded by
    /// [`with_line`](Self::with_line) alone.
    #[must_use]
    pub fn with_event(mut self, bytes: usize) -> Self {
        self.event = bytes;
        self
    }

    /// The longest id, in bytes. The default is 8 KiB. An event with a longer one is delivered, and
    /// the last event ID stays as it was.
    ///
    /// An id goes back to the server in a request's head. This crate's server takes 16 KiB of head,
    /// so that the longest id leaves as much for everything else; many others take 8 KiB or less.
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

    /// What is no longer than this is past neither the bound of a line nor that of an event.
    #[inline]
    pub(super) fn line_and_event(&self) -> usize {
        self.line.min(self.event)
    }

    /// The error that says that something is past `bound`.
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

/// One of the bounds in [`DecoderLimits`].
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

/// The event stream went past one of the [`DecoderLimits`].
///
/// As an error of the decoder it is reported once for an event. The event counts as never sent:
/// nothing of it is dispatched and its id does not become the last event ID. The next call to the
/// decoder goes on behind it.
///
/// In [`Decoded::IdTooLong`](crate::Decoded::IdTooLong) it says which bound an id went past, whose
/// event is not discarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DecodeError {
    bound: DecodeBound,
    limit: usize,
}

impl DecodeError {
    /// Returns the bound that was reached.
    #[must_use]
    pub fn bound(&self) -> DecodeBound {
        self.bound
    }

    /// Returns how many bytes the bound allows.
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
                "its event was discarded; decode on to get the next event",
                "with_line",
            ),
            DecodeBound::Event => (
                "an event",
                "was discarded; decode on to get the next event",
                "with_event",
            ),
            DecodeBound::Id => (
                "an id",
                "the last event ID stays as it was; decode on to get its event",
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
