//! Bytes to events: decoding an event stream as
//! [WHATWG HTML 9.2.5 and 9.2.6](https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream)
//! say.
//!
//! A chunk of bytes goes one of two ways. An event that lies in the chunk whole, and has one line
//! of data, is read by `whole` in one pass, and lent from where it lies. All else goes line by line:
//! `lines` splits the chunk and carries over a line that is not complete; what comes after it does
//! not know where chunks end. `fields` says what a line means, and `receive` puts the events together in the
//! `buffers`. Both ways give the same; the first is a short cut, and leaves an event to the second
//! wherever something about it is unusual.
//!
//! Bytes become text last (`utf8`), and only those that the caller gets to see: an event by one
//! check. It never splits a character, and a chunk needs no state of its own: what is left of it is
//! a slice.

mod buffers;
mod fields;
mod last_event_id;
mod limits;
mod lines;
mod message_event;
mod receive;
mod utf8;
mod whole;

use alloc::string::String;
use core::{fmt, time::Duration};

use self::{buffers::EventBuffers, last_event_id::LastEventId, lines::Lines, receive::Start};
use crate::EventId;

pub use self::{
    limits::{DecodeBound, DecodeError, DecoderLimits},
    message_event::{MessageEvent, MessageEventRef},
};

/// Decodes an event stream, however it is cut into chunks.
///
/// What comes out, errors included, does not depend on where the chunks end. An event comes out as
/// soon as the first byte of its blank line has come in.
///
/// ```
/// use sse_core::{Decoded, Decoder};
///
/// let mut decoder = Decoder::new();
/// let mut events = Vec::new();
/// for chunk in [&b"data: Hello, wo"[..], b"rld!\n\ndata: Goodbye", b"!\n\n"] {
///     let mut input = chunk;
///     while let Some(item) = decoder.decode(&mut input)? {
///         if let Decoded::Event(event) = item {
///             events.push(event.data().to_owned());
///         }
///     }
/// }
/// assert_eq!(events, ["Hello, world!", "Goodbye!"]);
/// # Ok::<(), sse_core::DecodeError>(())
/// ```
///
/// There is no end to tell it of: an event whose blank line has not come when the stream ends is
/// discarded, as the standard says. Where a stream ends and another takes its place, call
/// [`restart`](Self::restart).
///
/// # Memory
///
/// An event that lies whole in a chunk and has one line of data is lent from there: it costs
/// neither a copy nor an allocation. Everything else goes through buffers, which the decoder
/// reuses for the next event and which the [`DecoderLimits`] bound; empty, each keeps at most 128 KiB.
#[derive(Clone, Default)]
pub struct Decoder {
    limits: DecoderLimits,
    lines: Lines,
    buffers: EventBuffers,
    last_event_id: LastEventId,
    reconnection_time: Option<Duration>,
    progress: Progress,
    /// Text that does not lie in the chunk as it is, lent until the next call.
    text: String,
}

/// How far a decoder is with an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Progress {
    /// Nothing of the next event has come.
    #[default]
    BetweenEvents,
    /// Lines of an event have come, or a part of one.
    InEvent,
    /// The event in the buffers has been dispatched, and they are lent until the next call.
    Dispatched,
    /// Everything up to the next blank line belongs to an event that went past a bound.
    Discarding,
}

/// An item that a [`Decoder`] finds in an event stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Decoded<'a> {
    /// An event is dispatched.
    Event(MessageEventRef<'a>),
    /// A comment: all that stands behind the line's first colon, which is most often a space and
    /// some text.
    Comment(&'a str),
    /// The server sets the reconnection time: how long to wait before connecting again once the
    /// stream has ended.
    ReconnectionTime(Duration),
    /// An event has an id that is longer than [`DecoderLimits::with_id`] allows. Its event comes
    /// out all the same, and the last event ID stays as it was: a client that resumes gets again
    /// what came after that. The error names the bound.
    IdTooLong(DecodeError),
}

impl Decoder {
    /// Creates a decoder at the beginning of an event stream, with the default limits.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a decoder at the beginning of an event stream, with these limits.
    #[must_use]
    pub fn with_limits(limits: DecoderLimits) -> Self {
        let mut decoder = Self::new();
        decoder.limits = limits;
        decoder
    }

    /// Takes the next event, comment, reconnection time or note of an id that is too long off the
    /// front of `input`.
    ///
    /// `None` says that the input is used up, and has to be followed by more of the stream. Call
    /// it until then. What `input` holds afterwards has not been decoded yet: a caller that stops in
    /// the middle of a chunk goes on later with just that.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] where the stream goes past one of the [`DecoderLimits`]. The event in
    /// question is discarded with its blank line, comments and reconnection times behind the
    /// fault included; call again to go on at the next one.
    pub fn decode<'a, 'i: 'a>(
        &'a mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Decoded<'a>>, DecodeError> {
        match self.start(input) {
            Start::Unfinished => Ok(None),
            Start::Data(data) => Ok(Some(Decoded::Event(self.lend("", data)))),
            Start::Other(line) => self.next_item(line, input),
        }
    }

    /// Takes the next event off the front of `input`. All else is passed over: comments,
    /// reconnection times, and [ids that are too long](Decoded::IdTooLong).
    ///
    /// This is [`decode`](Self::decode) for callers that need nothing but the events; where a
    /// stream has much besides them, it is faster.
    ///
    /// ```
    /// use sse_core::Decoder;
    ///
    /// let mut decoder = Decoder::new();
    /// let mut input = &b": heartbeat\nretry: 3000\ndata: a\n\ndata: b\n\n"[..];
    /// let mut data = String::new();
    /// while let Some(event) = decoder.decode_event_ref(&mut input)? {
    ///     data.push_str(event.data());
    /// }
    /// assert_eq!(data, "ab");
    /// assert_eq!(decoder.reconnection_time().map(|time| time.as_millis()), Some(3000));
    /// # Ok::<(), sse_core::DecodeError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`decode`](Self::decode).
    pub fn decode_event_ref<'a, 'i: 'a>(
        &'a mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<MessageEventRef<'a>>, DecodeError> {
        match self.start(input) {
            Start::Unfinished => Ok(None),
            Start::Data(data) => Ok(Some(self.lend("", data))),
            Start::Other(line) => self.next_event(line, input),
        }
    }

    /// Takes the next event off the front of `input`, in its owned form, and passes over all else.
    ///
    /// This is [`decode_event_ref`](Self::decode_event_ref) for callers that keep the events or
    /// hand them on.
    ///
    /// # Errors
    ///
    /// Those of [`decode`](Self::decode).
    pub fn decode_event(&mut self, input: &mut &[u8]) -> Result<Option<MessageEvent>, DecodeError> {
        match self.start(input) {
            Start::Unfinished => Ok(None),
            Start::Data(data) => Ok(Some(self.lend("", data).into())),
            Start::Other(line) => Ok(self.next_event(line, input)?.map(MessageEvent::from)),
        }
    }

    /// Returns the last event ID, as the standard has it.
    ///
    /// An event's id gets here when its blank line has come, also where the event has no data and
    /// hence is not dispatched. An id that is too long never does.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        self.last_event_id.as_str()
    }

    /// Returns the last event ID for the request that asks for the rest of the stream: the newest one
    /// that a header field can carry. Send it as `Last-Event-ID`, unless it is empty.
    ///
    /// It is the [last event ID](Self::last_event_id), unless that has control characters other
    /// than a tab: an event stream may have them in an id, and a header field may not
    /// ([RFC 9110 section 5.5](https://www.rfc-editor.org/rfc/rfc9110#section-5.5)), so that a
    /// strict server answers such a request with 400.
    ///
    /// ```
    /// use sse_core::Decoder;
    ///
    /// let mut decoder = Decoder::new();
    /// let mut input = &b"id: 7\ndata: a\n\nid: \x1b[2J\ndata: b\n\n"[..];
    /// while let Some(event) = decoder.decode_event(&mut input)? {
    ///     println!("{}", event.data());
    /// }
    /// assert_eq!(decoder.last_event_id(), "\x1b[2J");
    /// assert_eq!(decoder.last_event_id_to_send(), "7");
    /// # Ok::<(), sse_core::DecodeError>(())
    /// ```
    #[must_use]
    pub fn last_event_id_to_send(&self) -> &str {
        self.last_event_id.to_send()
    }

    /// Sets the last event ID that events have until the stream sets another one: the one that
    /// the request for the stream carried.
    pub fn set_last_event_id(&mut self, id: &EventId) {
        self.last_event_id.set(id.as_str());
    }

    /// Returns the reconnection time that the server set last, if it ever did.
    #[must_use]
    pub fn reconnection_time(&self) -> Option<Duration> {
        self.reconnection_time
    }

    /// A new event stream begins, after a reconnection.
    ///
    /// What has been received of an event is dropped, and the stream may begin with a byte order
    /// mark again. The last event ID stays (events without an id of their own have it, as in
    /// browsers), the reconnection time stays, and so do the buffers.
    pub fn restart(&mut self) {
        self.lines.restart();
        self.drop_event();
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("limits", &self.limits)
            .field("last_event_id", &self.last_event_id())
            .field("reconnection_time", &self.reconnection_time())
            .finish_non_exhaustive()
    }
}
