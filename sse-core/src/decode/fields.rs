//! What a line is: a comment, a field with its value, or a field that the standard ignores.

use core::time::Duration;

use super::last_event_id::has_controls;

/// A line that is not blank, read as
/// [WHATWG HTML 9.2.6](https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation)
/// says. The values are bytes still: only the values that the caller gets to see are ever checked
/// for being UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field<'l> {
    Data(&'l [u8]),
    EventType(&'l [u8]),
    Id {
        value: &'l [u8],
        /// Whether it has something that a header field cannot carry.
        has_controls: bool,
    },
    ReconnectionTime(Duration),
    Comment(&'l [u8]),
    /// A name that is not in the standard, or a value that its field does not take.
    Ignored,
}

impl<'l> Field<'l> {
    /// How most lines begin: with data, in the form that most servers write.
    pub(super) const DATA: &'static [u8] = b"data: ";

    #[inline(always)]
    pub(super) fn parse(line: &'l [u8]) -> Self {
        match line.strip_prefix(Self::DATA) {
            Some(value) => Field::Data(value),
            None => Self::parse_any(line),
        }
    }

    #[inline(always)]
    fn parse_any(line: &'l [u8]) -> Self {
        let named = |name: &str| line.strip_prefix(name.as_bytes()).and_then(value);
        let field = match line.first() {
            Some(b'd') => named("data").map(Field::Data),
            Some(b'e') => named("event").map(Field::EventType),
            Some(b'i') => named("id").and_then(id),
            Some(b'r') => named("retry").and_then(reconnection_time),
            Some(b':') => Some(Field::Comment(&line[1..])),
            _ => None,
        };
        field.unwrap_or(Field::Ignored)
    }
}

/// The value behind a field's name: behind the colon and one space, or empty where the line ends
/// with the name. `None` where the name goes on, and hence is another one.
#[inline]
fn value(behind_name: &[u8]) -> Option<&[u8]> {
    match behind_name {
        [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
        [] => Some(&[]),
        _ => None,
    }
}

/// An id with a NUL is ignored.
#[inline]
fn id(value: &[u8]) -> Option<Field<'_>> {
    let has_controls = has_controls(value);
    if has_controls && value.contains(&b'\0') {
        return None;
    }
    Some(Field::Id {
        value,
        has_controls,
    })
}

/// A reconnection time is digits alone, in milliseconds. More of them than a `u64` holds are a
/// very long time; none at all are not zero.
fn reconnection_time(value: &[u8]) -> Option<Field<'_>> {
    if value.is_empty() {
        return None;
    }
    let mut millis = 0_u64;
    for byte in value {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        millis = millis.saturating_mul(10).saturating_add(digit);
    }
    Some(Field::ReconnectionTime(Duration::from_millis(millis)))
}
