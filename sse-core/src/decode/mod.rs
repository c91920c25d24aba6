//! Bytes to events: decodes an event stream by [WHATWG HTML 9.2.5 and
//! 9.2.6](https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream).
//!
//! A chunk of bytes goes one of two ways. `whole` reads an event that lies in the chunk whole and has one
//! line of data: in one pass, lent in place. Everything else goes line by line: `lines` splits the chunk
//! and carries over an incomplete line, so that the later steps need not know where chunks end. `fields`
//! interprets a line, and `receive` puts events together in the `buffers`. Both ways give the same
//! result; the first is a short cut, which leaves every unusual event to the second.
//!
//! Bytes become text last (`utf8`), and only those that the caller sees: an event by one check. The check
//! never splits a character, and a chunk needs no state of its own: its rest is a slice.

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

use self::{
    buffers::EventBuffers,
    last_event_id::LastEventId,
    lines::Lines,
    receive::{Start, Wanted},
};
use crate::EventId;

pub use self::{
    limits::{DecodeBound, DecodeError, DecoderLimits},
    message_event::{MessageEvent, MessageEventRef},
};

/// A decoder of an event stream that arrives in chunks of any size.
///
/// The output, errors included, does not depend on where the chunks end. The decoder returns an event as
/// soon as the first byte of its blank line has arrived.
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
/// A decoder needs no call at the end of a stream: an event whose blank line has not come by then is
/// discarded, as the standard says. Where another stream takes the place of an ended one, call
/// [`restart`](Self::restart).
///
/// # Memory
///
/// An event that lies whole in a chunk and has one line of data is lent from the chunk, without a copy or
/// an allocation. Everything else goes through buffers, which the decoder reuses for the next event and
/// which the [`DecoderLimits`] bound; empty, each keeps at most 128 KiB.
#[derive(Clone, Default)]
pub struct Decoder {
    limits: DecoderLimits,
    lines: Lines,
    buffers: EventBuffers,
    last_event_id: LastEventId,
    reconnection_time: Option<Duration>,
    progress: Progress,
    /// Text that the chunk does not have in this form, lent until the next call.
    text: String,
}

/// The progress of a decoder within an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Progress {
    /// No byte of the next event has come.
    #[default]
    BetweenEvents,
    /// Lines of an event have come, or a part of a line.
    InEvent,
    /// The event in the buffers has been dispatched, and they are lent until the next call.
    Dispatched,
    /// An event exceeded a bound, and everything up to the next blank line belongs to it.
    Discarding,
}

/// An item that a [`Decoder`] finds in an event stream.
///
/// ```
/// use sse_core::{Decoded, Decoder};
///
/// let mut decoder = Decoder::new();
/// let mut input: &[u8] = b": hello\nretry: 5000\ndata: one\n\n";
/// let mut seen = Vec::new();
/// while let Some(item) = decoder.decode(&mut input)? {
///     seen.push(match item {
///         Decoded::Event(event) => format!("event {}", event.data()),
///         Decoded::Comment(text) => format!("comment{text}"),
///         Decoded::ReconnectionTime(time) => format!("retry {time:?}"),
///         _ => continue,
///     });
/// }
/// assert_eq!(seen, ["comment hello", "retry 5s", "event one"]);
/// # Ok::<(), sse_core::DecodeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Decoded<'a> {
    /// An event is dispatched.
    Event(MessageEventRef<'a>),
    /// A comment: the text after the line's first colon, which most often begins with a space.
    Comment(&'a str),
    /// The server sets the reconnection time: the time to wait before connecting again once the stream
    /// has ended.
    ReconnectionTime(Duration),
    /// An event has an id longer than [`DecoderLimits::with_id`] allows. Its event is returned
    /// nevertheless, and the last event ID stays unchanged: a client that resumes receives the events
    /// after that ID again. The error names the bound.
    IdTooLong(DecodeError),
}

impl Decoder {
    /// Creates a decoder at the beginning of an event stream, with the default limits: 16 MiB for a line
    /// and for an event, and 8 KiB for an id.
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

    /// Takes the next event, comment, reconnection time or notice of an id that is too long off the front
    /// of `input`.
    ///
    /// Returns `None` once the input is used up; call it until then, and continue with the next chunk of
    /// the stream. The bytes left in `input` are not decoded yet: a caller that stops in the middle of a
    /// chunk continues later with them.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] where the stream exceeds one of the [`DecoderLimits`]. The event is discarded up
    /// to its blank line, with the comments and reconnection times after the fault; call again to
    /// continue with the next event.
    pub fn decode<'a, 'i: 'a>(
        &'a mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Decoded<'a>>, DecodeError> {
        match self.start(input, Wanted::All) {
            Start::Unfinished => Ok(None),
            Start::Data(data) => Ok(Some(Decoded::Event(self.lend("", data)))),
            Start::Whole(event_type, data) => Ok(Some(Decoded::Event(self.lend(event_type, data)))),
            Start::Other(line) => self.next_item(line, input),
        }
    }

    /// Takes the next event off the front of `input`, and skips everything else: comments, reconnection
    /// times, and [ids that are too long](Decoded::IdTooLong).
    ///
    /// This is [`decode`](Self::decode) for callers that need only the events; it is faster where a
    /// stream has much else.
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
        match self.start(input, Wanted::Events) {
            Start::Unfinished => Ok(None),
            Start::Data(data) => Ok(Some(self.lend("", data))),
            Start::Whole(event_type, data) => Ok(Some(self.lend(event_type, data))),
            Start::Other(line) => self.next_event(line, input),
        }
    }

    /// Takes the next event off the front of `input`, in its owned form, and skips everything else.
    ///
    /// This is [`decode_event_ref`](Self::decode_event_ref) for callers that keep the events or
    /// hand them on.
    ///
    /// # Errors
    ///
    /// Those of [`decode`](Self::decode).
    pub fn decode_event(&mut self, input: &mut &[u8]) -> Result<Option<MessageEvent>, DecodeError> {
        let (event_type, data) = match self.start(input, Wanted::Events) {
            Start::Unfinished => return Ok(None),
            Start::Data(data) => ("", data),
            Start::Whole(event_type, data) => (event_type, data),
            Start::Other(line) => return Ok(self.next_event(line, input)?.map(MessageEvent::from)),
        };
        // One place for both, since the copy is inlined.
        Ok(Some(self.lend(event_type, data).into()))
    }

    /// Returns the last event ID as the standard defines it.
    ///
    /// An event's id becomes the last event ID when its blank line has come, even if the event has no
    /// data and is therefore not dispatched. An id that is too long never does.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        self.last_event_id.as_str()
    }

    /// Returns the last event ID to send as `Last-Event-ID` in the request for the rest of the stream:
    /// the newest one that a header field can carry. If it is empty, leave the field out.
    ///
    /// It is the [last event ID](Self::last_event_id), unless that has control characters other than a
    /// tab. An event stream may have them in an id, but a header field may not ([RFC 9110 section
    /// 5.5](https://www.rfc-editor.org/rfc/rfc9110#section-5.5)): a strict server answers such a request
    /// with 400.
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

    /// Sets the last event ID of events until the stream sets another one: the one that the request for
    /// the stream carried.
    pub fn set_last_event_id(&mut self, id: &EventId) {
        self.last_event_id.set(id.as_str());
    }

    /// Returns the reconnection time that the stream set last, in whole milliseconds; `None` if it set
    /// none. [`restart`](Self::restart) keeps it.
    #[must_use]
    pub fn reconnection_time(&self) -> Option<Duration> {
        self.reconnection_time
    }

    /// Begins a new event stream, after a reconnection.
    ///
    /// The unfinished event is dropped, and the stream may begin with a byte order mark again. The last
    /// event ID stays, and events without an id of their own have it, as in browsers. The reconnection
    /// time and the buffers stay, too.
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
