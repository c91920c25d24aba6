//! The decoder of one body in the content coding `gzip` or `deflate`, whose bytes arrive in pieces.

use std::{error::Error, fmt};

use crc32fast::Hasher;
use flate2::{Decompress, FlushDecompress, Status};

/// Decodes a body in the content coding `gzip` or [`deflate`](Self::deflate), in pieces of any size, with
/// a bound on its expansion.
///
/// It takes about 50 KiB, and decodes each byte of the body as soon as it arrives.
///
/// ```
/// use sse_core::gzip::{GzipBody, GzipDecoder, GzipError};
///
/// let mut wire = Vec::new();
/// let mut body = GzipBody::begin(|part| wire.extend_from_slice(part.as_bytes()));
/// body.compress(b"data: hello\n\n", |part| wire.extend_from_slice(part.as_bytes()));
///
/// let (mut decoder, mut input, mut plain) = (GzipDecoder::new(100), &wire[..], Vec::new());
/// while decoder.decode(&mut input, &mut plain)? {}
/// assert_eq!(plain, b"data: hello\n\n");
/// // The rest is still to come.
/// assert_eq!(decoder.end(), Err(GzipError::Incomplete));
/// # Ok::<(), GzipError>(())
/// ```
#[derive(Debug)]
pub struct GzipDecoder {
    stage: Stage,
    /// The body is in the coding `deflate`: the blocks are its end, or have their checksum with them.
    is_deflate: bool,
    inflate: Decompress,
    crc: Hasher,
    /// The decoded length of this member, modulo 2^32.
    len: u32,
    /// The encoded bytes of the body so far, and the decoded ones.
    total_in: u64,
    total_out: u64,
    max_expansion: u32,
}

/// The part of the body that comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The number of the head's ten bytes that were read, and the flags among them.
    Head {
        read: u8,
        flags: u8,
    },
    /// Fields of the head that the flags announce, and how many of their bytes were read.
    Field {
        field: Field,
        flags: u8,
        read: u32,
    },
    Blocks,
    /// The number of the last eight bytes that were read, and their values.
    Trailer {
        read: u8,
        says: u64,
    },
    /// The body may end here, or another member may follow.
    Between,
    /// The first byte of a body in the coding `deflate`, where it was there.
    Form(Option<u8>),
    /// The body ends here.
    Over,
}

/// An optional field of the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    ExtraLen { low: u8 },
    Extra { left: u16 },
    Name,
    Comment,
    HeadCrc,
}

const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
const HEAD_CRC: u8 = 2;
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;
const RESERVED: u8 = 0xe0;

/// The largest length of the optional fields of a head.
const LARGEST_FIELDS: u32 = 64 * 1024;

/// The number of bytes that are decoded in one step.
const STEP: usize = 8 * 1024;

/// The decoded length up to which the expansion is not checked.
const FREE: u64 = 1024 * 1024;

impl GzipDecoder {
    /// Creates a decoder of a body that expands at most `max_expansion` times, or to 1 MiB if that is
    /// more.
    #[must_use]
    pub fn new(max_expansion: u32) -> Self {
        Self {
            stage: Stage::Head { read: 0, flags: 0 },
            is_deflate: false,
            inflate: Decompress::new(false),
            crc: Hasher::new(),
            len: 0,
            total_in: 0,
            total_out: 0,
            max_expansion,
        }
    }

    /// Creates a decoder of a body in the content coding `deflate`, with the same bound. It takes both forms
    /// that are in use, as browsers do: with the head and the checksum of zlib
    /// ([RFC 1950](https://www.rfc-editor.org/rfc/rfc1950)), as
    /// [RFC 9110 section 8.4.1.2](https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1.2) says, and without
    /// them, as some servers have it. The first two bytes tell which it is.
    ///
    /// ```
    /// use std::io::Write;
    /// use flate2::{Compression, write::ZlibEncoder};
    /// use sse_core::gzip::GzipDecoder;
    ///
    /// let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    /// encoder.write_all(b"data: hello\n\n")?;
    /// let body = encoder.finish()?;
    ///
    /// let (mut decoder, mut input, mut plain) = (GzipDecoder::deflate(100), &body[..], Vec::new());
    /// while decoder.decode(&mut input, &mut plain)? {}
    /// assert_eq!(plain, b"data: hello\n\n");
    /// assert_eq!(decoder.end(), Ok(()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn deflate(max_expansion: u32) -> Self {
        Self {
            stage: Stage::Form(None),
            is_deflate: true,
            ..Self::new(max_expansion)
        }
    }

    /// Decodes some of `input`, which advances, and appends at most 8 KiB to `plain`. Returns whether
    /// there may be more; if not, `input` is used up.
    ///
    /// # Errors
    ///
    /// [`GzipError`]. Drop the decoder then.
    pub fn decode(&mut self, input: &mut &[u8], plain: &mut Vec<u8>) -> Result<bool, GzipError> {
        while self.stage != Stage::Blocks {
            let Some((byte, rest)) = input.split_first() else {
                return Ok(false);
            };
            *input = rest;
            self.total_in += 1;
            if let Stage::Form(Some(first)) = self.stage {
                return self.begin_deflate([first, *byte], plain);
            }
            self.stage = self.take(*byte)?;
        }
        self.inflate(input, plain)
    }

    /// Begins with the first bytes of a body in the coding `deflate`.
    fn begin_deflate(&mut self, bytes: [u8; 2], plain: &mut Vec<u8>) -> Result<bool, GzipError> {
        let [method, _] = bytes;
        // The method and the largest window, and a checksum of both bytes. Blocks that begin so have bits
        // that no compressor sets.
        let is_zlib = method & 0x8f == 8 && u16::from_be_bytes(bytes).is_multiple_of(31);
        self.inflate.reset(is_zlib);
        self.stage = Stage::Blocks;
        // They are counted there.
        self.total_in -= 2;
        let mut input = &bytes[..];
        self.inflate(&mut input, plain)?;
        match input {
            [] => Ok(true),
            _ => Err(GzipError::Data),
        }
    }

    /// Checks that the body is complete.
    ///
    /// # Errors
    ///
    /// [`GzipError::Incomplete`] where it is not.
    pub fn end(&self) -> Result<(), GzipError> {
        match self.stage {
            Stage::Between | Stage::Over => Ok(()),
            _ => Err(GzipError::Incomplete),
        }
    }

    fn inflate(&mut self, input: &mut &[u8], plain: &mut Vec<u8>) -> Result<bool, GzipError> {
        let (start, before) = (plain.len(), self.inflate.total_in());
        let mut out = [0; STEP];
        let written_before = self.inflate.total_out();
        let status = self
            .inflate
            .decompress(input, &mut out, FlushDecompress::None)
            .map_err(|_| GzipError::Data)?;
        // The difference is at most the length of a slice in memory.
        let taken = (self.inflate.total_in() - before) as usize;
        let written = (self.inflate.total_out() - written_before) as usize;
        *input = input.get(taken..).unwrap_or_default();
        plain.extend_from_slice(out.get(..written).unwrap_or_default());
        let new = plain.get(start..).unwrap_or_default();
        self.crc.update(new);
        self.len = self.len.wrapping_add(new.len() as u32);
        self.total_in += taken as u64;
        self.total_out += new.len() as u64;
        let most = self.total_in.saturating_mul(self.max_expansion.into());
        if self.total_out > most.max(FREE) {
            return Err(GzipError::TooLong);
        }
        if status == Status::StreamEnd {
            self.stage = match self.is_deflate {
                true => Stage::Over,
                false => Stage::Trailer { read: 0, says: 0 },
            };
            return Ok(true);
        }
        if taken == 0 && written == 0 && !input.is_empty() {
            // The decompressor makes no progress on input that is there.
            return Err(GzipError::Data);
        }
        Ok(taken > 0 || written > 0)
    }

    /// Returns the stage after this byte, which is outside the compressed blocks.
    fn take(&mut self, byte: u8) -> Result<Stage, GzipError> {
        match self.stage {
            Stage::Between => self.head(0, 0, byte),
            Stage::Head { read, flags } => self.head(read, flags, byte),
            Stage::Field { field, flags, read } => {
                if read >= LARGEST_FIELDS {
                    return Err(GzipError::Head);
                }
                Ok(field_after(field, flags, read + 1, byte))
            }
            Stage::Trailer { read, says } => {
                self.trailer(read, says | u64::from(byte) << (8 * read))
            }
            Stage::Form(_) => Ok(Stage::Form(Some(byte))),
            Stage::Over => Err(GzipError::Data),
            Stage::Blocks => Ok(Stage::Blocks),
        }
    }

    fn head(&mut self, read: u8, flags: u8, byte: u8) -> Result<Stage, GzipError> {
        let expected = MAGIC.get(usize::from(read));
        if expected.is_some_and(|expected| *expected != byte) || (read == 3 && byte & RESERVED != 0)
        {
            return Err(GzipError::Head);
        }
        let flags = match read {
            3 => byte,
            _ => flags,
        };
        Ok(match read {
            // The time, the level of compression, and the system.
            0..9 => Stage::Head {
                read: read + 1,
                flags,
            },
            _ => {
                self.inflate.reset(false);
                self.crc = Hasher::new();
                self.len = 0;
                next_field(flags, 0)
            }
        })
    }

    fn trailer(&mut self, read: u8, says: u64) -> Result<Stage, GzipError> {
        if read < 7 {
            return Ok(Stage::Trailer {
                read: read + 1,
                says,
            });
        }
        let crc = self.crc.clone().finalize();
        match says == u64::from(self.len) << 32 | u64::from(crc) {
            true => Ok(Stage::Between),
            false => Err(GzipError::Checksum),
        }
    }
}

/// Returns the stage of the next field that these flags announce.
fn next_field(flags: u8, read: u32) -> Stage {
    let (flag, field) = match flags {
        _ if flags & EXTRA != 0 => (EXTRA, Field::ExtraLen { low: 0 }),
        _ if flags & NAME != 0 => (NAME, Field::Name),
        _ if flags & COMMENT != 0 => (COMMENT, Field::Comment),
        _ if flags & HEAD_CRC != 0 => (HEAD_CRC, Field::HeadCrc),
        _ => return Stage::Blocks,
    };
    Stage::Field {
        field,
        flags: flags & !flag,
        read,
    }
}

/// Returns the stage after this byte of a field.
fn field_after(field: Field, flags: u8, read: u32, byte: u8) -> Stage {
    let stay = |field| Stage::Field { field, flags, read };
    match field {
        Field::ExtraLen { .. } if read == 1 => stay(Field::ExtraLen { low: byte }),
        Field::ExtraLen { low } => match u16::from_le_bytes([low, byte]) {
            0 => next_field(flags, read),
            left => stay(Field::Extra { left }),
        },
        Field::Extra { left: 1 } => next_field(flags, read),
        Field::Extra { left } => stay(Field::Extra { left: left - 1 }),
        Field::Name | Field::Comment if byte != 0 => stay(field),
        Field::Name | Field::Comment => next_field(flags, read),
        // The field has two bytes. The second is read like one of an unknown field.
        Field::HeadCrc => stay(Field::Extra { left: 1 }),
    }
}

/// The error of a body that is not valid, or not complete, in the content coding `gzip` or `deflate`. An
/// event source that receives such a body loses the connection, and connects again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GzipError {
    /// The body does not begin with a valid head, or has more than 64 KiB before the data.
    Head,
    /// The compressed data is not valid, bytes follow it, or the checksum at the end of `deflate` does
    /// not match.
    Data,
    /// The checksum or the length at the end does not match the data.
    Checksum,
    /// The body ends before the compressed data and its checksum are complete.
    Incomplete,
    /// The body expands more than the bound allows: more than so many times its encoded length, beyond
    /// the first decoded MiB.
    TooLong,
}

impl fmt::Display for GzipError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Head => "the body does not begin with a gzip head, although its content coding is gzip",
            Self::Data => "the compressed data of the body is not valid",
            Self::Checksum => "the body's checksum or length does not match its data",
            Self::Incomplete => "the compressed body is incomplete",
            Self::TooLong => {
                "the compressed body expands to more times its length than the bound allows; raise the bound \
                 if the server is trusted"
            }
        })
    }
}

impl Error for GzipError {}
