//! Events that lie whole in a chunk, in the form that most servers write: read in one pass, checked for
//! UTF-8 at once, and lent in place.

use core::time::Duration;

use super::{DecoderLimits, fields::Field, lines::whole_line, receive::Wanted, utf8};

/// An event at the front of a chunk.
#[derive(Clone, Copy)]
pub(super) struct Whole<'i> {
    pub(super) event_type: &'i str,
    pub(super) data: &'i str,
    /// The id, and whether it has control characters.
    pub(super) id: Option<(&'i str, bool)>,
    pub(super) reconnection_time: Option<Duration>,
    /// The bytes behind the event.
    pub(super) behind: &'i [u8],
}

/// Returns the bytes behind a blank line at the front of `bytes`.
#[inline(always)]
fn behind_blank(bytes: &[u8]) -> Option<&[u8]> {
    match bytes {
        [b'\n', behind @ ..] | [b'\r', b'\n', behind @ ..] => Some(behind),
        _ => None,
    }
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
            let (line, behind) = whole_line(rest)?;
            if line.is_empty() {
                break behind;
            }
            rest = behind;
            match Field::parse(line) {
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
                    has_controls,
                } if value.len() <= limits.id() => id = Some((value, has_controls)),
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
        let part = |value: &[u8]| {
            let start = value.as_ptr().addr().checked_sub(chunk.as_ptr().addr())?;
            text.get(start..start + value.len())
        };
        Some(Self {
            event_type: match event_type {
                [] => "",
                event_type => part(event_type)?,
            },
            data: part(data?)?,
            id: match id {
                Some((id, has_controls)) => Some((part(id)?, has_controls)),
                None => None,
            },
            reconnection_time,
            behind,
        })
    }
}
