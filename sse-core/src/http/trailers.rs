//! The trailer section of a chunked body ([RFC 9112 section
//! 7.1.2](https://www.rfc-editor.org/rfc/rfc9112#section-7.1.2)), which is read and discarded.

use super::{BodyError, is_token_byte};

/// The largest length of the trailer section.
pub(super) const LONGEST_TRAILERS: usize = 16 * 1024;

/// A position in the trailer section. Each line ends in CRLF, as the lines of chunks do: a reader that
/// accepted less as a line end could see another end of the body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    LineStart,
    Name,
    Value,
    /// After the CR of a field line.
    LineLf,
    /// After the CR of the empty line.
    LastLf,
    End,
}

/// Reads a trailer section that arrives in pieces.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Trailers {
    place: Place,
    /// The number of bytes that have come.
    length: usize,
}

impl Trailers {
    /// Takes the bytes of the trailer section off the front of `input`. Returns whether it is complete.
    pub(super) fn read(&mut self, input: &mut &[u8]) -> Result<bool, BodyError> {
        while self.place != Place::End
            && let Some((&byte, rest)) = input.split_first()
        {
            self.length += 1;
            if self.length > LONGEST_TRAILERS {
                return Err(BodyError::TrailersTooLong);
            }
            self.place = self.place.after(byte).ok_or(BodyError::Trailers)?;
            *input = rest;
        }
        Ok(self.place == Place::End)
    }
}

impl Place {
    fn after(self, byte: u8) -> Option<Self> {
        Some(match (self, byte) {
            (Self::LineStart, b'\r') => Self::LastLf,
            (Self::LastLf, b'\n') => Self::End,
            (Self::LineStart | Self::Name, byte) if is_token_byte(byte) => Self::Name,
            (Self::Name, b':') => Self::Value,
            (Self::Value, b'\r') => Self::LineLf,
            (Self::Value, byte) if is_text_byte(byte) => Self::Value,
            (Self::LineLf, b'\n') => Self::LineStart,
            _ => return None,
        })
    }
}

/// Returns whether the byte may be in a field's value or in a chunk's extensions: any byte but control
/// characters, of which only the tab is allowed ([RFC 9110 section
/// 5.5](https://www.rfc-editor.org/rfc/rfc9110#section-5.5)).
pub(super) fn is_text_byte(byte: u8) -> bool {
    byte == b'\t' || !byte.is_ascii_control()
}
