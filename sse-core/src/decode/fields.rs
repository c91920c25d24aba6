//! The meaning of a line: a comment, a field with its value, or a field that the standard ignores.

use core::time::Duration;

use super::last_event_id::has_controls;

/// A line that is not blank, interpreted by [WHATWG HTML
/// 9.2.6](https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation).
/// The values are still bytes: only values that the caller sees are checked for UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field<'l> {
    Data(&'l [u8]),
    EventType(&'l [u8]),
    Id {
        value: &'l [u8],
        /// Whether it has a byte that a header field cannot carry.
        has_controls: bool,
    },
    ReconnectionTime(Duration),
    Comment(&'l [u8]),
    /// A field that is not in the standard, or whose value the standard ignores.
    Ignored,
}

impl<'l> Field<'l> {
    /// The form of a data line that most servers write.
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
            Some(b'i') => named("id").map(Self::id),
            Some(b'r') => named("retry").and_then(reconnection_time),
            Some(b':') => Some(Field::Comment(&line[1..])),
            _ => None,
        };
        field.unwrap_or(Field::Ignored)
    }

    /// Reads an id. One with a NUL is ignored.
    #[inline]
    pub(super) fn id(value: &'l [u8]) -> Self {
        let has_controls = has_controls(value);
        if has_controls && value.contains(&b'\0') {
            return Field::Ignored;
        }
        Field::Id {
            value,
            has_controls,
        }
    }
}

/// Returns the value after a field's name: after the colon and one space, or empty where the line ends
/// with the name. Returns `None` where the name continues, and is therefore another one.
#[inline]
fn value(behind_name: &[u8]) -> Option<&[u8]> {
    match behind_name {
        [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
        [] => Some(&[]),
        _ => None,
    }
}

/// Reads a reconnection time: ASCII digits only, in milliseconds. A number too large for a `u64` is a
/// very long time; an empty value is ignored.
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
