//! Bytes to events: decoding an event stream as
//! [WHATWG HTML 9.2.5 and 9.2.6](https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream)
//! say.
//!
//! A chunk of bytes goes through three rooms. `lines` splits it into lines and carries over the
//! one that is not complete; nobody behind it knows where chunks end. `fields` says what a line
//! means. The [`Decoder`] in this file makes events of them: it leaves data and event type where
//! they lie, in the chunk, for as long as the event may turn out to lie in that chunk whole, and
//! moves them to its `buffers` only when it does not, or when there is more than one line of data.
//!
//! Bytes become text last (`utf8`), and only those that somebody gets to see. The search for the
//! line's end has just touched them, so that to check them line by line is no dearer than to check
//! whole chunks. It never splits a character, and a chunk needs no state of its own: what is left
//! of it is a slice.

mod buffers;
mod fields;
mod last_event_id;
mod limits;
mod lines;
mod message_event;
mod utf8;

use alloc::string::String;
use core::{fmt, time::Duration};

use self::{
    buffers::EventBuffers,
    fields::Field,
    last_event_id::LastEventId,
    lines::{Line, Lines},
};
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
    /// The event in the buffers has been dispatched, and they are lent until the next call.
    dispatched: bool,
    /// Everything up to the next blank line belongs to an event that went past a bound.
    discarding: bool,
    /// Text that does not lie in the chunk as it is, lent until the next call.
    text: String,
}

/// Something that a [`Decoder`] found in an event stream.
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

/// The owned form of [`Decoded`].
#[cfg(feature = "client")]
#[derive(Debug)]
pub(crate) enum OwnedDecoded {
    Event(MessageEvent),
    Comment(crate::Text),
    ReconnectionTime(Duration),
    IdTooLong(DecodeError),
}

impl Decoder {
    /// A decoder at the beginning of an event stream, with the default limits.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A decoder at the beginning of an event stream, with these limits.
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
    /// it until then. What `input` holds afterwards has not been decoded yet: whoever stops in
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
        self.next(input)
    }

    /// Takes the next event off the front of `input`, in its owned form. All else is passed over:
    /// comments, reconnection times, and [ids that are too long](Decoded::IdTooLong).
    ///
    /// This is [`decode`](Self::decode) for callers that keep the events or hand them on.
    ///
    /// # Errors
    ///
    /// Those of [`decode`](Self::decode).
    pub fn decode_event(&mut self, input: &mut &[u8]) -> Result<Option<MessageEvent>, DecodeError> {
        loop {
            match self.next(input)? {
                Some(Decoded::Event(event)) => return Ok(Some(event.into())),
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }

    /// [`decode`](Self::decode), with what it finds in its owned form.
    #[cfg(feature = "client")]
    pub(crate) fn decode_owned(
        &mut self,
        input: &mut &[u8],
    ) -> Result<Option<OwnedDecoded>, DecodeError> {
        let decoded = self.next(input)?;
        Ok(decoded.map(|decoded| match decoded {
            Decoded::Event(event) => OwnedDecoded::Event(event.into()),
            Decoded::Comment(comment) => OwnedDecoded::Comment(comment.into()),
            Decoded::ReconnectionTime(time) => OwnedDecoded::ReconnectionTime(time),
            Decoded::IdTooLong(error) => OwnedDecoded::IdTooLong(error),
        }))
    }

    /// The last event ID, as the standard has it.
    ///
    /// An event's id gets here when its blank line has come, also where the event has no data and
    /// hence is not dispatched. An id that is too long never does.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        self.last_event_id.as_str()
    }

    /// The last event ID for the request that asks for the rest of the stream: the newest one that
    /// a header field can carry. Send it as `Last-Event-ID`, unless it is empty.
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

    /// The reconnection time that the server set last, if it ever did.
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

/// The part of an event that lies in the chunk at hand and may stay there. It has data only where
/// the buffers have none.
struct InChunk<'i> {
    chunk: &'i [u8],
    data: Option<&'i [u8]>,
    event_type: Option<&'i str>,
}

impl<'i> InChunk<'i> {
    fn new(chunk: &'i [u8]) -> Self {
        Self {
            chunk,
            data: None,
            event_type: None,
        }
    }
}

/// Something to tell at once, in the midst of an event.
enum Note {
    /// A comment, which is in [`Decoder::text`].
    Comment,
    ReconnectionTime(Duration),
    IdTooLong,
}

/// What every chunk and every event goes through. What is rare or long is kept out of line: it would
/// cost this loop its registers.
impl Decoder {
    #[inline(always)]
    fn next<'a, 'i: 'a>(
        &'a mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Decoded<'a>>, DecodeError> {
        self.take_back_what_was_lent();
        if self.discarding {
            if !self.lines.skip_to_blank(input) {
                return Ok(None);
            }
            self.discarding = false;
        }

        let chunk = *input;
        match self.lines.next(input, self.limits.line()) {
            // Most small chunks end no line.
            Line::Unfinished => Ok(None),
            Line::InChunk(line) => {
                // Most events are one line of data, and most of them lie in their chunk whole.
                if let Some(data) = line.strip_prefix(Field::DATA)
                    && data.len() <= self.limits.event()
                    && !self.buffers.are_used()
                    && !self.last_event_id.is_received()
                    && let Some(behind) = self.lines.behind_blank(input)
                    && let Some(data) = utf8::check_in_chunk(data, chunk)
                {
                    *input = behind;
                    let event = MessageEventRef::new("", data, self.last_event_id.as_str());
                    return Ok(Some(Decoded::Event(event)));
                }
                self.receive_lines(Some(line), chunk, input)
            }
            Line::Carried => self.receive_lines(None, chunk, input),
            Line::TooLong => Err(self.discard(DecodeBound::Line)),
        }
    }

    /// Goes on from a first line, the carried one where there is none, to the end of the event or of
    /// the chunk.
    #[inline(never)]
    fn receive_lines<'a, 'i: 'a>(
        &'a mut self,
        first: Option<&'i [u8]>,
        chunk: &'i [u8],
        input: &mut &'i [u8],
    ) -> Result<Option<Decoded<'a>>, DecodeError> {
        let mut here = InChunk::new(chunk);
        let mut line = first.map_or(Line::Carried, Line::InChunk);
        loop {
            let received = match line {
                Line::InChunk([]) => {
                    if here.data.is_some() || self.buffers.has_data() {
                        return self.dispatch(here);
                    }
                    self.last_event_id.commit();
                    self.buffers.clear();
                    here = InChunk::new(input);
                    Ok(None)
                }
                Line::InChunk(line) => match Field::parse(line) {
                    Field::Data(value) => self.receive_data(value, &mut here),
                    Field::EventType(value) => self.receive_event_type(value, &mut here),
                    field => self.receive(field),
                },
                Line::Carried => self.receive_carried(),
                Line::Unfinished => {
                    self.keep(here);
                    return Ok(None);
                }
                Line::TooLong => Err(DecodeBound::Line),
            };
            match received {
                Ok(None) => {}
                Ok(Some(note)) => {
                    self.keep(here);
                    return Ok(Some(match note {
                        Note::Comment => Decoded::Comment(&self.text),
                        Note::ReconnectionTime(time) => Decoded::ReconnectionTime(time),
                        Note::IdTooLong => {
                            Decoded::IdTooLong(self.limits.exceeded(DecodeBound::Id))
                        }
                    }));
                }
                Err(bound) => return Err(self.discard(bound)),
            }
            line = self.lines.next(input, self.limits.line());
        }
    }

    /// A line of data that lies in the chunk. If it is the event's first, it stays there.
    #[inline]
    fn receive_data<'i>(
        &mut self,
        line: &'i [u8],
        here: &mut InChunk<'i>,
    ) -> Result<Option<Note>, DecodeBound> {
        match here.data.take() {
            None if !self.buffers.has_data() => {
                let event_type = here.event_type.unwrap_or(self.buffers.event_type());
                self.check_event(line.len(), event_type.len())?;
                here.data = Some(line);
            }
            first => {
                if let Some(event_type) = here.event_type.take() {
                    self.buffers.set_event_type(event_type);
                }
                if let Some(first) = first {
                    self.buffers.push_data(first, self.limits.event());
                }
                self.push_data(line)?;
            }
        }
        Ok(None)
    }

    /// An event type that lies in the chunk. It stays there, unless it has to be replaced.
    fn receive_event_type<'i>(
        &mut self,
        value: &'i [u8],
        here: &mut InChunk<'i>,
    ) -> Result<Option<Note>, DecodeBound> {
        let data = here.data.unwrap_or(self.buffers.data()).len();
        here.event_type = simdutf8::basic::from_utf8(value).ok();
        match here.event_type {
            Some(event_type) => self.check_event(data, event_type.len())?,
            None => self.set_event_type(value, data)?,
        }
        Ok(None)
    }

    /// A field whose value never stays in the chunk.
    #[inline(never)]
    fn receive(&mut self, field: Field<'_>) -> Result<Option<Note>, DecodeBound> {
        match field {
            Field::Data(line) => self.push_data(line)?,
            Field::EventType(value) => self.set_event_type(value, self.buffers.data().len())?,
            Field::Id {
                value,
                has_controls,
            } => {
                let Some(id) = utf8::decode(value, &mut self.text, self.limits.id()) else {
                    return Ok(Some(Note::IdTooLong));
                };
                self.last_event_id.receive(id, has_controls);
            }
            Field::ReconnectionTime(time) => {
                self.reconnection_time = Some(time);
                return Ok(Some(Note::ReconnectionTime(time)));
            }
            Field::Comment(comment) => {
                utf8::decode_into(comment, &mut self.text, self.limits.line())
                    .ok_or(DecodeBound::Line)?;
                return Ok(Some(Note::Comment));
            }
            Field::Ignored => {}
        }
        Ok(None)
    }

    /// A line that came in pieces. It is the first to end in its chunk: nothing of its event lies
    /// in the chunk yet.
    #[inline(never)]
    fn receive_carried(&mut self) -> Result<Option<Note>, DecodeBound> {
        let line = self.lines.take_carried();
        match Field::parse(&line) {
            Field::Data(data) if !self.buffers.has_data() => {
                self.check_event(data.len(), self.buffers.event_type().len())?;
                let start = line.len() - data.len();
                let spare = self.buffers.adopt_data(line, start);
                self.lines.reuse(spare);
                Ok(None)
            }
            field => {
                let note = self.receive(field)?;
                self.lines.reuse(line);
                Ok(note)
            }
        }
    }

    fn push_data(&mut self, line: &[u8]) -> Result<(), DecodeBound> {
        let mut length = line.len();
        if self.buffers.has_data() {
            length += self.buffers.data().len() + "\n".len();
        }
        self.check_event(length, self.buffers.event_type().len())?;
        self.buffers.push_data(line, self.limits.event());
        Ok(())
    }

    /// `data` is the length of the event's data so far.
    fn set_event_type(&mut self, value: &[u8], data: usize) -> Result<(), DecodeBound> {
        let event_type =
            utf8::decode(value, &mut self.text, self.limits.event()).ok_or(DecodeBound::Event)?;
        self.buffers.set_event_type(event_type);
        self.check_event(data, self.buffers.event_type().len())
    }

    #[inline]
    fn check_event(&self, data: usize, event_type: usize) -> Result<(), DecodeBound> {
        if data.saturating_add(event_type) > self.limits.event() {
            return Err(DecodeBound::Event);
        }
        Ok(())
    }

    /// The chunk ends, or is left, before the event does.
    #[inline(never)]
    fn keep(&mut self, here: InChunk<'_>) {
        if let Some(event_type) = here.event_type {
            self.buffers.set_event_type(event_type);
        }
        if let Some(data) = here.data {
            self.buffers.push_data(data, self.limits.event());
        }
    }

    /// The blank line of an event with data has come.
    #[inline]
    fn dispatch<'a, 'i: 'a>(
        &'a mut self,
        here: InChunk<'i>,
    ) -> Result<Option<Decoded<'a>>, DecodeError> {
        self.dispatched = self.buffers.are_used();
        let event_type = here.event_type.unwrap_or(self.buffers.event_type());
        let in_chunk = here
            .data
            .and_then(|data| utf8::check_in_chunk(data, here.chunk));
        let data = match in_chunk {
            Some(data) => data,
            None => {
                let data = here.data.unwrap_or(self.buffers.data());
                let limit = self.limits.event().saturating_sub(event_type.len());
                let Some(data) = utf8::decode(data, &mut self.text, limit) else {
                    self.last_event_id.forget_received();
                    return Err(self.limits.exceeded(DecodeBound::Event));
                };
                data
            }
        };
        self.last_event_id.commit();
        let event = MessageEventRef::new(event_type, data, self.last_event_id.as_str());
        Ok(Some(Decoded::Event(event)))
    }

    /// The event that is being received went past a bound: it counts as never sent.
    #[cold]
    fn discard(&mut self, bound: DecodeBound) -> DecodeError {
        self.drop_event();
        self.discarding = true;
        self.limits.exceeded(bound)
    }

    fn drop_event(&mut self) {
        self.buffers.clear();
        self.last_event_id.forget_received();
        self.dispatched = false;
        self.discarding = false;
    }

    #[inline]
    fn take_back_what_was_lent(&mut self) {
        if self.dispatched {
            self.buffers.clear();
            self.dispatched = false;
        }
        if !self.text.is_empty() {
            buffers::empty_text(&mut self.text);
        }
    }
}
