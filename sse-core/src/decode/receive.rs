//! Lines to events: the path of every chunk and every event.

use core::time::Duration;

use super::{
    DecodeBound, DecodeError, Decoded, Decoder, MessageEventRef, Progress, buffers,
    fields::Field,
    lines::{Line, whole_line},
    utf8,
    whole::{self, Whole},
};

/// The items that the caller wants.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    All,
    /// Only events.
    Events,
}

/// The result of a search for the next item.
enum Found<'i> {
    /// There is none: the input is used up.
    Nothing,
    /// An event that lies in the chunk.
    InChunk {
        event_type: &'i str,
        data: &'i str,
    },
    /// An event that is in the buffers.
    InBuffers,
    /// A comment, which is in [`Decoder::text`].
    Comment,
    ReconnectionTime(Duration),
    IdTooLong,
}

/// The result of the first look at the input.
pub(super) enum Start<'i> {
    /// The input ends before the event does.
    Unfinished,
    /// The event is one line of data in the chunk.
    Data(&'i str),
    /// The event lies in the chunk: its type and its data.
    Whole(&'i str, &'i str),
    /// The event needs a closer look. This is its first line, if that has been taken off the input.
    Other(Option<Line<'i>>),
}

/// The path of most chunks and events is short and inlined, and everything else is out of line. No
/// intermediate value is returned unchanged, because copying memory that was just written makes a
/// processor wait.
impl Decoder {
    #[inline(always)]
    pub(super) fn start<'i>(&mut self, input: &mut &'i [u8], wanted: Wanted) -> Start<'i> {
        if !self.text.is_empty() {
            buffers::empty_text(&mut self.text);
        }
        match self.progress {
            Progress::BetweenEvents => {}
            Progress::Dispatched => self.begin_event(),
            // Most small chunks do not end a line.
            Progress::InEvent => {
                return match self.lines.next(input, self.limits.line()) {
                    Line::Unfinished => Start::Unfinished,
                    line => Start::Other(Some(line)),
                };
            }
            Progress::Discarding => {
                if !self.lines.skip_to_blank(input) {
                    return Start::Unfinished;
                }
                self.progress = Progress::BetweenEvents;
            }
        }
        if !self.lines.begin_at(input) {
            self.progress = Progress::InEvent;
            return Start::Other(None);
        }
        if input.is_empty() {
            return Start::Unfinished;
        }
        // Most events are one line of data, and most of those lie whole in their chunk.
        if let Some(text) = input.strip_prefix(Field::DATA) {
            let line = whole_line(text);
            if let Some((data, behind)) =
                line.and_then(|line| whole::only_data(text, line, &self.limits))
            {
                *input = behind;
                return Start::Data(data);
            }
            match line {
                // The line's end has not come, so it need not be searched for again.
                None => {
                    self.progress = Progress::InEvent;
                    return Start::Other(None);
                }
                // An event of several lines of data goes into the buffers, line by line, and so does one whose
                // next line has not come.
                Some((data, behind)) if behind.is_empty() || behind.starts_with(Field::DATA) => {
                    let first = &input[..Field::DATA.len() + data.len()];
                    if first.len() <= self.limits.line() {
                        self.progress = Progress::InEvent;
                        *input = behind;
                        return Start::Other(Some(Line::InChunk(first)));
                    }
                }
                Some(_) => {}
            }
        }
        match self.take_whole(input, wanted) {
            Some((event_type, data)) => Start::Whole(event_type, data),
            None => {
                self.progress = Progress::InEvent;
                Start::Other(None)
            }
        }
    }

    /// Returns an event whose parts lie in the chunk, except the last event ID.
    #[inline(always)]
    pub(super) fn lend<'a, 'i: 'a>(
        &'a self,
        event_type: &'i str,
        data: &'i str,
    ) -> MessageEventRef<'a> {
        MessageEventRef::new(event_type, data, self.last_event_id.as_str())
    }

    #[inline(never)]
    pub(super) fn next_item<'a, 'i: 'a>(
        &'a mut self,
        line: Option<Line<'i>>,
        input: &mut &'i [u8],
    ) -> Result<Option<Decoded<'a>>, DecodeError> {
        Ok(Some(match self.find(line, input, Wanted::All) {
            Ok(Found::Nothing) => return Ok(None),
            Ok(Found::InChunk { event_type, data }) => Decoded::Event(self.lend(event_type, data)),
            Ok(Found::InBuffers) => Decoded::Event(self.dispatch()?),
            Ok(Found::Comment) => Decoded::Comment(&self.text),
            Ok(Found::ReconnectionTime(time)) => Decoded::ReconnectionTime(time),
            Ok(Found::IdTooLong) => Decoded::IdTooLong(self.limits.exceeded(DecodeBound::Id)),
            Err(bound) => return Err(self.discard(bound)),
        }))
    }

    #[inline(never)]
    pub(super) fn next_event<'a, 'i: 'a>(
        &'a mut self,
        line: Option<Line<'i>>,
        input: &mut &'i [u8],
    ) -> Result<Option<MessageEventRef<'a>>, DecodeError> {
        match self.find(line, input, Wanted::Events) {
            Ok(Found::InChunk { event_type, data }) => Ok(Some(self.lend(event_type, data))),
            Ok(Found::InBuffers) => self.dispatch().map(Some),
            Ok(_) => Ok(None),
            Err(bound) => Err(self.discard(bound)),
        }
    }

    #[inline(never)]
    fn find<'i>(
        &mut self,
        mut line: Option<Line<'i>>,
        input: &mut &'i [u8],
        wanted: Wanted,
    ) -> Result<Found<'i>, DecodeBound> {
        loop {
            if self.progress == Progress::BetweenEvents {
                if self.lines.begin_at(input) {
                    if input.is_empty() {
                        return Ok(Found::Nothing);
                    }
                    if let Some((event_type, data)) = self.take_whole(input, wanted) {
                        return Ok(Found::InChunk { event_type, data });
                    }
                }
                self.progress = Progress::InEvent;
            }
            if let Some(found) = self.find_in_event(line.take(), input, wanted)? {
                return Ok(found);
            }
        }
    }

    /// Takes an event that lies whole in the chunk off the input; returns its type and its data.
    #[inline(never)]
    fn take_whole<'i>(
        &mut self,
        input: &mut &'i [u8],
        wanted: Wanted,
    ) -> Option<(&'i str, &'i str)> {
        // A comment or a reconnection time at the front is an item of its own.
        if wanted == Wanted::All && matches!(input.first(), Some(b':' | b'r')) {
            return None;
        }
        let whole = Whole::read(input, &self.limits, wanted)?;
        *input = whole.behind;
        if let Some(id) = whole.id {
            self.last_event_id.replace(id);
        }
        if whole.reconnection_time.is_some() {
            self.reconnection_time = whole.reconnection_time;
        }
        Some((whole.event_type, whole.data))
    }

    /// Continues within an event, line by line. Returns `None` where the event has ended without being
    /// dispatched.
    #[inline(always)]
    fn find_in_event<'i>(
        &mut self,
        first: Option<Line<'i>>,
        input: &mut &'i [u8],
        wanted: Wanted,
    ) -> Result<Option<Found<'i>>, DecodeBound> {
        let mut line = match first {
            Some(line) => line,
            None => self.lines.next(input, self.limits.line()),
        };
        loop {
            let found = match line {
                Line::InChunk([]) => {
                    if self.buffers.has_data() {
                        self.progress = Progress::Dispatched;
                        return Ok(Some(Found::InBuffers));
                    }
                    self.last_event_id.commit();
                    self.begin_event();
                    return Ok(None);
                }
                Line::InChunk(line) => self.receive(Field::parse(line), wanted)?,
                Line::Carried => self.receive_carried(wanted)?,
                Line::Unfinished => return Ok(Some(Found::Nothing)),
                Line::TooLong => return Err(DecodeBound::Line),
            };
            if found.is_some() {
                if !self.buffers.are_used() && !self.last_event_id.is_received() {
                    self.progress = Progress::BetweenEvents;
                }
                return Ok(found);
            }
            line = self.lines.next(input, self.limits.line());
        }
    }

    #[inline]
    fn receive<'i>(
        &mut self,
        field: Field<'_>,
        wanted: Wanted,
    ) -> Result<Option<Found<'i>>, DecodeBound> {
        match field {
            Field::Data(line) => self.push_data(line)?,
            Field::EventType(value) => self.set_event_type(value)?,
            Field::Id {
                value,
                has_controls,
            } => {
                if !self.receive_id(value, has_controls) && wanted == Wanted::All {
                    return Ok(Some(Found::IdTooLong));
                }
            }
            Field::ReconnectionTime(time) => {
                self.reconnection_time = Some(time);
                if wanted == Wanted::All {
                    return Ok(Some(Found::ReconnectionTime(time)));
                }
            }
            Field::Comment(comment) => {
                if wanted == Wanted::All || !utf8::fits(comment, self.limits.line()) {
                    utf8::decode_into(comment, &mut self.text, self.limits.line())
                        .ok_or(DecodeBound::Line)?;
                }
                if wanted == Wanted::All {
                    return Ok(Some(Found::Comment));
                }
            }
            Field::Ignored => {}
        }
        Ok(None)
    }

    /// Handles a line that came in pieces.
    #[inline(never)]
    fn receive_carried<'i>(&mut self, wanted: Wanted) -> Result<Option<Found<'i>>, DecodeBound> {
        let line = self.lines.take_carried();
        match Field::parse(&line) {
            Field::Data(data) if !self.buffers.has_data() => {
                self.check_event(data.len())?;
                let start = line.len() - data.len();
                let spare = self.buffers.adopt_data(line, start);
                self.lines.reuse(spare);
                Ok(None)
            }
            field => {
                let found = self.receive(field, wanted)?;
                self.lines.reuse(line);
                Ok(found)
            }
        }
    }

    fn push_data(&mut self, line: &[u8]) -> Result<(), DecodeBound> {
        let mut length = line.len();
        if self.buffers.has_data() {
            length += self.buffers.data().len() + "\n".len();
        }
        self.check_event(length)?;
        self.buffers.push_data(line, self.limits.event());
        Ok(())
    }

    fn set_event_type(&mut self, value: &[u8]) -> Result<(), DecodeBound> {
        let event_type =
            utf8::decode(value, &mut self.text, self.limits.event()).ok_or(DecodeBound::Event)?;
        self.buffers.set_event_type(event_type);
        self.check_event(self.buffers.data().len())
    }

    /// Stores an id. Returns `false` where it is too long.
    fn receive_id(&mut self, value: &[u8], has_controls: bool) -> bool {
        match utf8::decode(value, &mut self.text, self.limits.id()) {
            Some(id) => self.last_event_id.receive(id, has_controls),
            None => return false,
        }
        true
    }

    /// Checks that `data` bytes of data and the event type are within the bound.
    #[inline]
    fn check_event(&self, data: usize) -> Result<(), DecodeBound> {
        if data.saturating_add(self.buffers.event_type().len()) > self.limits.event() {
            return Err(DecodeBound::Event);
        }
        Ok(())
    }

    /// Dispatches the event in the buffers, whose blank line has come.
    #[inline]
    fn dispatch(&mut self) -> Result<MessageEventRef<'_>, DecodeError> {
        let length = self.buffers.data().len();
        self.buffers.pad_data(utf8::BLOCK);
        let event_type = self.buffers.event_type();
        let limit = self.limits.event().saturating_sub(event_type.len());
        let data = self.buffers.data();
        let Some(data) = utf8::decode_front(data, length, &mut self.text, limit) else {
            self.last_event_id.forget_received();
            return Err(self.limits.exceeded(DecodeBound::Event));
        };
        self.last_event_id.commit();
        let last_event_id = self.last_event_id.as_str();
        Ok(MessageEventRef::new(event_type, data, last_event_id))
    }

    /// Discards the current event, which exceeded a bound and counts as never sent.
    #[cold]
    fn discard(&mut self, bound: DecodeBound) -> DecodeError {
        self.drop_event();
        self.progress = Progress::Discarding;
        self.limits.exceeded(bound)
    }

    pub(super) fn drop_event(&mut self) {
        self.last_event_id.forget_received();
        self.begin_event();
    }

    fn begin_event(&mut self) {
        self.buffers.clear();
        self.progress = Progress::BetweenEvents;
    }
}
