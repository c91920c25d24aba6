//! Chunks to lines. Only this module knows where a chunk ends and what a byte order mark is.
//!
//! A line that lies whole in a chunk is returned in place. The pieces of other lines are collected in a
//! buffer: each byte is read once and copied once, however small the pieces are.

use alloc::vec::Vec;

use memchr::memchr2;

use super::buffers;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Splits an event stream into lines, which end with LF, CR or CRLF.
///
/// A line ends with the first byte of its line end. If that is a CR, an LF directly behind it is skipped
/// later, even in another chunk.
#[derive(Clone, Default)]
pub(super) struct Lines {
    pending: Pending,
    /// The beginning of an unfinished line, from earlier chunks. While a line is being skipped, one byte
    /// stands for it.
    carried: Vec<u8>,
}

/// The bytes that may have to be skipped before the next byte of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pending {
    Nothing,
    /// The rest of a byte order mark at the start of the stream, of which this many bytes have come.
    ByteOrderMark(usize),
    /// The LF behind a CR.
    LineFeed,
}

impl Default for Pending {
    fn default() -> Self {
        Self::ByteOrderMark(0)
    }
}

/// The next line of an event stream, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line<'i> {
    /// A line, without its end.
    InChunk(&'i [u8]),
    /// A line that came in pieces, for [`Lines::take_carried`]. It is never blank.
    Carried,
    /// The input ends before the line does.
    Unfinished,
    /// The line is longer than the limit.
    TooLong,
}

impl Lines {
    /// Returns the next line of at most `limit` bytes.
    #[inline(always)]
    pub(super) fn next<'i>(&mut self, input: &mut &'i [u8], limit: usize) -> Line<'i> {
        match self.split(input) {
            Piece::End(line) if self.carried.is_empty() => {
                if line.len() > limit {
                    return Line::TooLong;
                }
                Line::InChunk(line)
            }
            Piece::End(piece) => {
                if !self.carry(piece, limit) {
                    self.carried.clear();
                    return Line::TooLong;
                }
                Line::Carried
            }
            Piece::Beginning(piece) => {
                if !self.carry(piece, limit) {
                    return Line::TooLong;
                }
                Line::Unfinished
            }
        }
    }

    /// Skips up to and including the next blank line; returns `false` where the input ends before it.
    #[inline(never)]
    pub(super) fn skip_to_blank(&mut self, input: &mut &[u8]) -> bool {
        loop {
            match self.split(input) {
                Piece::End(line) => {
                    let blank = self.carried.is_empty() && line.is_empty();
                    self.carried.clear();
                    if blank {
                        return true;
                    }
                }
                Piece::Beginning(piece) => {
                    if self.carried.is_empty() {
                        self.carried.extend(piece.first());
                    }
                    return false;
                }
            }
        }
    }

    /// Returns the line that [`Line::Carried`] announced. Give its buffer back with
    /// [`reuse`](Self::reuse).
    pub(super) fn take_carried(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.carried)
    }

    /// Takes a buffer for the next line that comes in pieces.
    pub(super) fn reuse(&mut self, mut buffer: Vec<u8>) {
        buffers::empty(&mut buffer);
        self.carried = buffer;
    }

    /// Begins a new stream.
    pub(super) fn restart(&mut self) {
        self.pending = Pending::default();
        let carried = self.take_carried();
        self.reuse(carried);
    }

    /// Returns whether the front of the input is the beginning of a line, and no bytes have to be
    /// skipped.
    #[inline]
    pub(super) fn begin_at(&mut self, input: &mut &[u8]) -> bool {
        if self.pending != Pending::Nothing {
            self.skip_pending(input);
        }
        self.carried.is_empty()
    }

    /// Takes the next line, or the part of it that there is, off the input.
    #[inline(always)]
    fn split<'i>(&mut self, input: &mut &'i [u8]) -> Piece<'i> {
        if self.pending != Pending::Nothing {
            self.skip_pending(input);
        }
        let chunk = *input;
        if let Some((line, behind)) = whole_line(chunk) {
            *input = behind;
            return Piece::End(line);
        }
        *input = &[];
        match chunk {
            [line @ .., b'\r'] => {
                self.pending = Pending::LineFeed;
                Piece::End(line)
            }
            beginning => Piece::Beginning(beginning),
        }
    }

    #[cold]
    fn skip_pending(&mut self, input: &mut &[u8]) {
        let Some(&first) = input.first() else {
            return;
        };
        match self.pending {
            Pending::Nothing => {}
            Pending::LineFeed => {
                if first == b'\n' {
                    *input = &input[1..];
                }
                self.pending = Pending::Nothing;
            }
            Pending::ByteOrderMark(came) => {
                let rest = &BYTE_ORDER_MARK[came..];
                let same = rest.iter().zip(*input).take_while(|(a, b)| a == b).count();
                if same == rest.len() {
                    *input = &input[same..];
                    self.pending = Pending::Nothing;
                } else if same == input.len() {
                    *input = &[];
                    self.pending = Pending::ByteOrderMark(came + same);
                } else {
                    // The bytes that looked like a byte order mark are the beginning of the first line.
                    self.carried.extend_from_slice(&BYTE_ORDER_MARK[..came]);
                    self.pending = Pending::Nothing;
                }
            }
        }
    }

    /// Adds a piece to those before it. Returns `false` where the line becomes too long; one byte of it
    /// is kept then, so that its rest is not taken for a line of its own.
    #[inline(always)]
    fn carry(&mut self, piece: &[u8], limit: usize) -> bool {
        let carried = &mut self.carried;
        if piece.len() <= carried.capacity() - carried.len() && carried.len() + piece.len() <= limit
        {
            carried.extend_from_slice(piece);
            return true;
        }
        self.carry_more(piece, limit)
    }

    /// Does the same as [`carry`](Self::carry) where the buffer has no room.
    #[cold]
    fn carry_more(&mut self, piece: &[u8], limit: usize) -> bool {
        if self.carried.len() + piece.len() > limit {
            buffers::empty(&mut self.carried);
            self.carried.extend(piece.first());
            return false;
        }
        buffers::reserve_within(&mut self.carried, piece.len(), limit);
        self.carried.extend_from_slice(piece);
        true
    }
}

/// A piece that [`Lines::split`] found in a chunk.
enum Piece<'i> {
    /// A line up to its end. An earlier chunk may have its beginning.
    End(&'i [u8]),
    /// The beginning of a line whose end is not in the chunk: the rest of the chunk.
    Beginning(&'i [u8]),
}

/// Returns the first line in `bytes`, without its end, and the bytes behind it. Returns `None` where
/// there is no line end, or a CR at the very end, which an LF may follow.
#[inline(always)]
pub(super) fn whole_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (line, end) = bytes.split_at_checked(line_end(bytes)?)?;
    // The first byte is an LF or a CR.
    match end {
        [b'\n', behind @ ..] | [_, b'\n', behind @ ..] => Some((line, behind)),
        [_, behind @ ..] if !behind.is_empty() => Some((line, behind)),
        _ => None,
    }
}

/// Returns the position of the first LF or CR. A call of `memchr2` costs as much as a short line, so this
/// function avoids it for short lines.
#[inline(always)]
fn line_end(bytes: &[u8]) -> Option<usize> {
    let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
    let (words, _) = bytes.as_chunks::<8>();
    let mut start = 0;
    for word in words.iter().take(2) {
        let controls = controls(u64::from_le_bytes(*word));
        if controls != 0 {
            let at = start + controls.trailing_zeros() as usize / 8;
            if is_end(&bytes[at]) {
                return Some(at);
            }
            break;
        }
        start += 8;
    }
    let behind = &bytes[start..];
    let end = match words.len() {
        0..=2 => behind.iter().position(is_end),
        _ => memchr2(b'\n', b'\r', behind),
    };
    end.map(|end| start + end)
}

/// Marks, by its highest bit, the first of eight bytes that is below 0x10; those behind it may be
/// marked in error.
#[inline]
fn controls(word: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    word.wrapping_sub(EACH * 0x10) & !word & (EACH * 0x80)
}
