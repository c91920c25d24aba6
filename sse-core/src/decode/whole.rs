//! Events that lie whole in a chunk, in the form that most servers write: read in one pass, checked for
//! UTF-8 at once, and lent in place.

use core::time::Duration;

use super::{DecoderLimits, fields::Field, lines::whole_line, receive::Wanted, utf8};

/// An event at the front of a chunk.
#[derive(Clone, Copy)]
pub(super) struct Whole<'i> {
    pub(super) event_type: &'i str,
    pub(super) data: &'i str,
    /// The id, which has no control characters.
    pub(super) id: Option<&'i str>,
    pub(super) reconnection_time: Option<Duration>,
    /// The bytes behind the event.
    pub(super) behind: &'i [u8],
}

/// The beginning of a line.
enum Form {
    Data,
    EventType,
    Id,
    /// One that has to be interpreted.
    Other,
}

impl Form {
    /// Takes the name of a field off the front of a line, in the form that most servers write, so that the end
    /// of the name need not be searched for.
    #[inline(always)]
    fn split(line: &[u8]) -> (Self, &[u8]) {
        if let Some(value) = line.strip_prefix(Field::DATA) {
            (Self::Data, value)
        } else if let Some(value) = line.strip_prefix(b"event: ") {
            (Self::EventType, value)
        } else if let Some(value) = line.strip_prefix(b"id: ") {
            (Self::Id, value)
        } else {
            (Self::Other, line)
        }
    }
}

/// Returns the bytes behind a blank line at the front of `bytes`.
#[inline(always)]
fn behind_blank(bytes: &[u8]) -> Option<&[u8]> {
    match bytes {
        [b'\n', behind @ ..] | [b'\r', b'\n', behind @ ..] => Some(behind),
        _ => None,
    }
}

/// Returns `value`, a part of `chunk`, from the text of the chunk's front.
#[inline(always)]
fn part<'i>(text: &'i str, chunk: &[u8], value: &[u8]) -> Option<&'i str> {
    let start = value.as_ptr().addr().wrapping_sub(chunk.as_ptr().addr());
    text.get(start..)?.get(..value.len())
}

/// Returns the data of an event that has no other field, and the bytes behind the event. `text` begins
/// after the name of the field, `data` is the bytes up to the line's end and `behind` those after it.
#[inline(always)]
pub(super) fn only_data<'i>(
    text: &'i [u8],
    (data, behind): (&'i [u8], &'i [u8]),
    limits: &DecoderLimits,
) -> Option<(&'i str, &'i [u8])> {
    let behind = behind_blank(behind)?;
    if Field::DATA.len() + data.len() > limits.line_and_event() {
        return None;
    }
    Some((utf8::check_front(text, data.len())?, behind))
}

impl<'i> Whole<'i> {
    /// Reads the event at the front of `chunk`, if it has one line of data. Returns `None` if it has not,
    /// or if it needs a closer look, which the caller takes line by line.
    #[inline(always)]
    pub(super) fn read(chunk: &'i [u8], limits: &DecoderLimits, wanted: Wanted) -> Option<Self> {
        let (mut event_type, mut data, mut id) = (&[][..], None, None);
        let mut reconnection_time = None;
        let mut rest = chunk;
        let behind = loop {
            let (form, value) = Form::split(rest);
            let (line, behind) = whole_line(value)?;
            rest = behind;
            let field = match form {
                Form::Data => Field::Data(line),
                Form::EventType => Field::EventType(line),
                Form::Id => Field::id(line),
                Form::Other if line.is_empty() => break behind,
                Form::Other => Field::parse(line),
            };
            match field {
                Field::Data(value) if data.is_none() => {
                    data = Some(value);
                    // Data is most often the last field.
                    if let Some(behind) = behind_blank(rest) {
                        break behind;
                    }
                }
                Field::EventType(value) => event_type = value,
                Field::Id {
                    value,
                    has_controls: false,
                } if value.len() <= limits.id() => id = Some(value),
                Field::ReconnectionTime(time) if wanted == Wanted::Events => {
                    reconnection_time = Some(time);
                }
                Field::Comment(_) if wanted == Wanted::Events => {}
                Field::Ignored => {}
                _ => return None,
            }
        };
        // No part of an event is longer than the whole, and text that is UTF-8 does not grow.
        let length = chunk.len() - rest.len();
        if length > limits.line_and_event() {
            return None;
        }
        let text = utf8::check_front(chunk, length)?;
        let part = |value| part(text, chunk, value);
        Some(Self {
            event_type: match event_type {
                [] => "",
                event_type => part(event_type)?,
            },
            data: part(data?)?,
            id: match id {
                Some(id) => Some(part(id)?),
                None => None,
            },
            reconnection_time,
            behind,
        })
    }
}
