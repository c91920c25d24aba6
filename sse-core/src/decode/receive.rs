//! Lines to events: what every chunk and every event goes through.

use core::time::Duration;

use super::{
    DecodeBound, DecodeError, Decoded, Decoder, MessageEventRef, buffers, fields::Field,
    lines::Line, utf8,
};

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

/// What is rare or long is kept out of line: it would cost this loop its registers.
impl Decoder {
    #[inline(always)]
    pub(super) fn next<'a, 'i: 'a>(
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

    pub(super) fn drop_event(&mut self) {
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
