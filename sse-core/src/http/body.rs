//! Reads the body of a request or a response, and removes its framing.

use std::{error::Error, fmt, io};

use super::{
    Framing,
    trailers::{LONGEST_TRAILERS, Trailers, is_text_byte},
};

/// The largest length of the extensions of one chunk.
const LONGEST_EXTENSION: usize = 4 * 1024;

/// The error of a body that is not framed as its head says ([RFC 9112 sections 6 and
/// 7](https://www.rfc-editor.org/rfc/rfc9112#section-6)). Where the body ends is then unknown, so close
/// the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyError {
    /// The connection ended this many bytes before the `Content-Length`.
    Short(u64),
    /// The connection ended before the last chunk.
    Truncated,
    /// The size of a chunk is not a hexadecimal number of at most 16 digits, bytes other than blanks and
    /// extensions follow it, or its line does not end in CRLF.
    ChunkSize,
    /// A chunk is not followed by CRLF.
    ChunkEnd,
    /// The extensions of a chunk are longer than 4 KiB.
    ExtensionTooLong,
    /// The extensions of a chunk have a control character, such as NUL.
    Extension,
    /// The trailer section is longer than 16 KiB.
    TrailersTooLong,
    /// The trailer section does not consist of field lines that end in CRLF.
    Trailers,
    /// The body cannot be decoded in its content coding. Only the driver's test client reports this: a
    /// request's body is not decoded, and an event source reports a loss of its own.
    #[cfg(feature = "compression")]
    Coding(crate::gzip::GzipError),
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short(missing) => write!(
                f,
                "the body was cut short: {missing} bytes of its Content-Length are missing"
            ),
            Self::Truncated => f.write_str("the body was cut short: the last chunk did not come"),
            Self::ChunkSize => f.write_str("the body has a chunk whose size is not valid"),
            Self::ChunkEnd => f.write_str("the body has a chunk that does not end after its size"),
            Self::ExtensionTooLong => write!(
                f,
                "the body has a chunk with extensions of more than {LONGEST_EXTENSION} bytes"
            ),
            Self::Extension => {
                f.write_str("the body has a chunk with a control character in its extensions")
            }
            Self::TrailersTooLong => write!(
                f,
                "the body has trailers of more than {LONGEST_TRAILERS} bytes"
            ),
            Self::Trailers => {
                f.write_str("the body has trailers that are not field lines ending in CRLF")
            }
            #[cfg(feature = "compression")]
            Self::Coding(error) => error.fmt(f),
        }
    }
}

impl Error for BodyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        #[cfg(feature = "compression")]
        if let Self::Coding(error) = self {
            return Some(error);
        }
        None
    }
}

/// Its kind is [`InvalidData`](io::ErrorKind::InvalidData).
impl From<BodyError> for io::Error {
    fn from(error: BodyError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

/// Removes the transfer framing of a body that arrives in pieces
/// ([RFC 9112 sections 6 and 7](https://www.rfc-editor.org/rfc/rfc9112#section-6)).
///
/// It holds no bytes of the body: each part borrows from the input.
///
/// ```
/// use sse_core::http::{BodyPart, BodyReader, Framing};
///
/// let mut reader = BodyReader::new(Framing::Chunked);
/// let mut input: &[u8] = b"5\r\nhello\r\n0\r\n\r\n";
/// assert_eq!(reader.read(&mut input), Ok(BodyPart::Data(b"hello")));
/// assert_eq!(reader.read(&mut input), Ok(BodyPart::End));
/// ```
#[derive(Clone, Debug)]
pub struct BodyReader {
    state: State,
}

/// A part of a body, from [`BodyReader::read`]. It borrows from the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyPart<'i> {
    /// Bytes of the body, at least one.
    Data(&'i [u8]),
    /// No bytes until more input is received.
    More,
    /// The body is complete.
    End,
}

#[derive(Clone, Debug)]
enum State {
    /// This many bytes are still to come.
    Length(u64),
    /// The body ends with the connection.
    UntilEnd,
    /// Within a chunk's size, of which this many digits have come.
    Size {
        size: u64,
        digits: u8,
    },
    /// After the size and blanks, where extensions may begin; this many bytes have come since the size.
    Blank {
        size: u64,
        length: usize,
    },
    /// Within the extensions; this many bytes have come since the size.
    Extension {
        size: u64,
        length: usize,
    },
    /// After the CR of a size line.
    SizeLf {
        size: u64,
    },
    /// Within a chunk, of which this many bytes are still to come.
    Chunk {
        left: u64,
    },
    ChunkCr,
    ChunkLf,
    Trailers(Trailers),
    End,
}

const FIRST_DIGIT: State = State::Size { size: 0, digits: 0 };

impl BodyReader {
    /// Creates a reader of a body with this framing. A body with [`Framing::NoBody`] is complete at once.
    pub fn new(framing: Framing) -> Self {
        Self {
            state: match framing {
                Framing::NoBody => State::End,
                Framing::ContentLength(length) => State::Length(length),
                Framing::CloseDelimited => State::UntilEnd,
                Framing::Chunked => FIRST_DIGIT,
            },
        }
    }

    /// Takes the next part off the front of `input`. After the end of the body it takes nothing.
    ///
    /// # Errors
    ///
    /// [`BodyError`] where the framing is invalid or exceeds a bound. Drop the reader then.
    pub fn read<'i>(&mut self, input: &mut &'i [u8]) -> Result<BodyPart<'i>, BodyError> {
        loop {
            match &mut self.state {
                State::End | State::Length(0) => return Ok(BodyPart::End),
                _ if input.is_empty() => return Ok(BodyPart::More),
                State::UntilEnd => {
                    let mut all = u64::MAX;
                    return Ok(BodyPart::Data(take(input, &mut all)));
                }
                State::Length(left) => return Ok(BodyPart::Data(take(input, left))),
                State::Chunk { left: 0 } => self.state = State::ChunkCr,
                State::Chunk { left } => return Ok(BodyPart::Data(take(input, left))),
                State::Trailers(trailers) => {
                    if trailers.read(input)? {
                        self.state = State::End;
                    }
                }
                _ => {
                    let (byte, rest) = input.split_first().ok_or(BodyError::Truncated)?;
                    *input = rest;
                    self.state = self.state.after(*byte)?;
                }
            }
        }
    }

    /// Checks that the body may end where the connection has ended. Returns an error where it is not
    /// complete.
    #[cfg(feature = "client")]
    pub fn end_of_input(&self) -> Result<(), BodyError> {
        match self.state {
            State::End | State::Length(0) | State::UntilEnd => Ok(()),
            State::Length(missing) => Err(BodyError::Short(missing)),
            _ => Err(BodyError::Truncated),
        }
    }
}

impl State {
    /// Returns the state after `byte`, which belongs to the framing.
    fn after(&self, byte: u8) -> Result<Self, BodyError> {
        Ok(match (self, byte) {
            (&Self::Size { size, digits }, byte) if byte.is_ascii_hexdigit() => {
                Self::after_digit(size, digits, byte)?
            }
            (Self::Size { digits: 0, .. }, _) => return Err(BodyError::ChunkSize),
            (
                &Self::Size { size, .. }
                | &Self::Blank { size, .. }
                | &Self::Extension { size, .. },
                b'\r',
            ) => Self::SizeLf { size },
            (Self::Blank { length, .. } | Self::Extension { length, .. }, _)
                if *length == LONGEST_EXTENSION =>
            {
                return Err(BodyError::ExtensionTooLong);
            }
            // Some senders pad the size with blanks.
            (&Self::Size { size, .. }, b' ' | b'\t') => Self::Blank { size, length: 1 },
            (&Self::Blank { size, length }, b' ' | b'\t') => Self::Blank {
                size,
                length: length + 1,
            },
            (&Self::Size { size, .. }, b';') => Self::Extension { size, length: 1 },
            (&Self::Blank { size, length } | &Self::Extension { size, length }, b';') => {
                Self::Extension {
                    size,
                    length: length + 1,
                }
            }
            (&Self::Extension { size, length }, byte) if is_text_byte(byte) => Self::Extension {
                size,
                length: length + 1,
            },
            (Self::Extension { .. }, byte) if byte != b'\n' => return Err(BodyError::Extension),
            (Self::SizeLf { size: 0 }, b'\n') => Self::Trailers(Trailers::default()),
            (&Self::SizeLf { size }, b'\n') => Self::Chunk { left: size },
            (Self::ChunkCr, b'\r') => Self::ChunkLf,
            (Self::ChunkLf, b'\n') => FIRST_DIGIT,
            (Self::ChunkCr | Self::ChunkLf, _) => return Err(BodyError::ChunkEnd),
            _ => return Err(BodyError::ChunkSize),
        })
    }

    /// Returns the state after one more digit of a chunk's size.
    fn after_digit(size: u64, digits: u8, digit: u8) -> Result<Self, BodyError> {
        /// The digits of a `u64`. Leading zeros count: no size needs more digits than these.
        const MOST_DIGITS: u8 = 16;
        if digits == MOST_DIGITS {
            return Err(BodyError::ChunkSize);
        }
        let digit = char::from(digit).to_digit(16).unwrap_or_default();
        Ok(Self::Size {
            size: size << 4 | u64::from(digit),
            digits: digits + 1,
        })
    }
}

/// Takes the bytes of `input` that belong to the next `left` ones.
fn take<'i>(input: &mut &'i [u8], left: &mut u64) -> &'i [u8] {
    let length = usize::try_from(*left)
        .unwrap_or(usize::MAX)
        .min(input.len());
    let (data, rest) = input.split_at(length);
    *input = rest;
    *left -= length as u64;
    data
}

/// Appends `data` to the bytes of a body, which has at most `most`. Memory is allocated as they come:
/// twice as much each time, so that the cost stays linear, but never beyond the bound, and none for bytes
/// that were only announced.
#[cfg(feature = "server")]
pub(crate) fn collect(collected: &mut Vec<u8>, data: &[u8], most: usize) {
    let capacity = grown_capacity(collected, data.len(), most);
    if capacity > collected.capacity() {
        collected.reserve_exact(capacity - collected.len());
    }
    collected.extend_from_slice(data);
}

/// Returns the capacity after [`collect`] has taken `more` bytes.
#[cfg(feature = "server")]
pub(crate) fn grown_capacity(collected: &Vec<u8>, more: usize, most: usize) -> usize {
    let needed = collected.len().saturating_add(more);
    match collected.capacity() {
        enough if enough >= needed => enough,
        _ => needed.saturating_mul(2).min(most).max(needed),
    }
}

// Both sides use the reader, but only the client has bodies that end with the connection.
#[cfg(all(test, feature = "client"))]
mod tests {
    use super::*;

    /// Reads a body, and returns its bytes and the outcome of the connection's end.
    fn read(framing: Framing, wire: &[u8], step: usize) -> (Vec<u8>, Result<(), BodyError>) {
        let (mut reader, mut body) = (BodyReader::new(framing), Vec::new());
        for piece in wire.chunks(step) {
            let mut input = piece;
            loop {
                match reader.read(&mut input) {
                    Ok(BodyPart::Data(data)) => body.extend_from_slice(data),
                    Ok(BodyPart::More) => break,
                    Ok(BodyPart::End) => return (body, Ok(())),
                    Err(error) => return (body, Err(error)),
                }
            }
        }
        (body, reader.end_of_input())
    }

    #[test]
    fn a_body_is_what_its_framing_says_however_it_is_cut() {
        use BodyError::*;
        use Framing::*;
        let long_extension = format!("1;{}\r\na\r\n0\r\n\r\n", "e".repeat(LONGEST_EXTENSION));
        let fitting = format!("1;{}\r\na\r\n0\r\n\r\n", "e".repeat(LONGEST_EXTENSION - 1));
        let long_trailers = format!("0\r\na: {}\r\n\r\n", "t".repeat(LONGEST_TRAILERS));
        let table: &[(Framing, &str, &str, Result<(), BodyError>)] = &[
            (NoBody, "abc", "", Ok(())),
            (ContentLength(0), "abc", "", Ok(())),
            (ContentLength(3), "abcdef", "abc", Ok(())),
            (ContentLength(3), "abc", "abc", Ok(())),
            (ContentLength(5), "abc", "abc", Err(Short(2))),
            (CloseDelimited, "abc", "abc", Ok(())),
            (CloseDelimited, "", "", Ok(())),
            (Chunked, "", "", Err(Truncated)),
            (Chunked, "3\r\nabc\r\n0\r\n\r\nxyz", "abc", Ok(())),
            (
                Chunked,
                "3\r\nabc\r\n00A\r\n0123456789\r\n0\r\n\r\n",
                "abc0123456789",
                Ok(()),
            ),
            (
                Chunked,
                "3;a=b\r\nabc\r\n0 ;c\r\nTrailer: x\r\n\r\n",
                "abc",
                Ok(()),
            ),
            (Chunked, "3  \r\nabc\r\n0\r\n\r\n", "abc", Ok(())),
            (Chunked, &fitting, "a", Ok(())),
            (Chunked, &long_extension, "", Err(ExtensionTooLong)),
            (Chunked, &long_trailers, "", Err(TrailersTooLong)),
            (Chunked, "3\r\nabc\r\n", "abc", Err(Truncated)),
            (Chunked, "3\r\nab", "ab", Err(Truncated)),
            (Chunked, "3\r\nabc\r\n0\r\n", "abc", Err(Truncated)),
            (Chunked, "3\r\nabcd\r\n", "abc", Err(ChunkEnd)),
            (Chunked, "3\r\nabc\rx", "abc", Err(ChunkEnd)),
            (Chunked, "3\nabc\n0\n\n", "", Err(ChunkSize)),
            (Chunked, "3;a\nabc", "", Err(ChunkSize)),
            (Chunked, "\r\n", "", Err(ChunkSize)),
            (Chunked, " 3\r\nabc", "", Err(ChunkSize)),
            (Chunked, "-3\r\nabc", "", Err(ChunkSize)),
            (Chunked, "+3\r\nabc", "", Err(ChunkSize)),
            (Chunked, "0x3\r\nabc", "", Err(ChunkSize)),
            (Chunked, "xyz\r\nabc", "", Err(ChunkSize)),
            (Chunked, "3\rabc", "", Err(ChunkSize)),
            (Chunked, "3 4\r\nabc", "", Err(ChunkSize)),
            (Chunked, "3\t4\r\nabc", "", Err(ChunkSize)),
            (Chunked, "3 x;a\r\nabc", "", Err(ChunkSize)),
            (Chunked, "3\0\r\nabc", "", Err(ChunkSize)),
            (Chunked, "3 ;a\r\nabc", "abc", Err(Truncated)),
            (Chunked, "3;a=\"b\tc\"\r\nabc", "abc", Err(Truncated)),
            (Chunked, "3;a\0b\r\nabc", "", Err(Extension)),
            (Chunked, "3;a\x7fb\r\nabc", "", Err(Extension)),
            (Chunked, "3;a\rb\r\nabc", "", Err(ChunkSize)),
            (Chunked, "0\r\n\n", "", Err(Trailers)),
            (Chunked, "0\r\na: b\n\r\n", "", Err(Trailers)),
            (Chunked, "0\r\na: b\r\n\n", "", Err(Trailers)),
            (Chunked, "0\r\na: b\rc\r\n\r\n", "", Err(Trailers)),
            (Chunked, "0\r\na: \0\r\n\r\n", "", Err(Trailers)),
            (Chunked, "0\r\na\0: b\r\n\r\n", "", Err(Trailers)),
            (Chunked, "0\r\n\rx", "", Err(Trailers)),
            (Chunked, "0\r\na: b\r\n c\r\n\r\n", "", Err(Trailers)),
            (Chunked, "0\r\na : b\r\n\r\n", "", Err(Trailers)),
            (Chunked, "0\r\n: b\r\n\r\n", "", Err(Trailers)),
            (Chunked, "0\r\nGET / HTTP/1.1\r\n\r\n", "", Err(Trailers)),
            (Chunked, "0\r\na:\r\nb: \u{e9}\t\r\n\r\n", "", Ok(())),
            (Chunked, "ffffffffffffffff\r\nabc", "abc", Err(Truncated)),
            (Chunked, "10000000000000000\r\nabc", "", Err(ChunkSize)),
            (Chunked, "00000000000000003\r\nabc", "", Err(ChunkSize)),
        ];
        for (framing, wire, body, result) in table {
            for step in [1, 2, 3, usize::MAX] {
                let expected = (body.as_bytes().to_vec(), *result);
                let got = read(*framing, wire.as_bytes(), step);
                assert_eq!(got, expected, "{framing:?} {wire:?} in steps of {step}");
            }
        }
    }
}
