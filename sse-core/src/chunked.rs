//! The sender's half of the chunked transfer coding ([RFC 9112 section
//! 7.1](https://www.rfc-editor.org/rfc/rfc9112#section-7.1)), and bytes that are stored in memory as one
//! chunk.

use core::{fmt, ops::Range};

#[cfg(feature = "topic")]
use alloc::vec::Vec;
use bytes::Bytes;

pub(crate) const CRLF: &[u8] = b"\r\n";

/// The last chunk, of size 0, and the end of a trailer section without fields.
#[cfg(feature = "server")]
pub(crate) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// A chunk's size line: the size in hexadecimal, and CRLF.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChunkSize {
    /// The line, at the end of the array.
    bytes: [u8; Self::LONGEST],
    start: usize,
}

impl ChunkSize {
    const LONGEST: usize = usize::BITS as usize / 4 + CRLF.len();

    pub(crate) fn new(size: usize) -> Self {
        let mut bytes = [0; Self::LONGEST];
        let mut start = Self::LONGEST - CRLF.len();
        bytes[start..].copy_from_slice(CRLF);
        let mut rest = size;
        loop {
            start -= 1;
            bytes[start] = b"0123456789abcdef"[rest % 16];
            rest /= 16;
            if rest == 0 {
                return Self { bytes, start };
            }
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}

/// Bytes that many connections send. One piece of memory has two views: the bytes alone, and, if it was
/// made so, the same bytes as one chunk. Connections can then send the chunk as one slice, without
/// framing it again.
#[derive(Clone)]
pub(crate) struct Shared {
    /// The bytes, and around them the size line and CRLF, if the memory has them.
    memory: Bytes,
    /// The length of the size line; 0 where the memory is the bytes alone.
    size_line: u8,
}

impl Shared {
    /// The largest number of bytes that a chunk adds to its data.
    #[cfg(feature = "topic")]
    pub(crate) const FRAMING: usize = ChunkSize::LONGEST + CRLF.len();

    /// Wraps bytes without a chunk.
    pub(crate) fn new(memory: Bytes) -> Self {
        let size_line = 0;
        Self { memory, size_line }
    }

    /// Copies `bytes` into memory that has them as a chunk, unless they are empty. `share` makes the
    /// memory a shared one.
    #[cfg(feature = "topic")]
    pub(crate) fn chunk(bytes: &[u8], share: impl FnOnce(Vec<u8>) -> Bytes) -> Self {
        if bytes.is_empty() {
            return Self::new(Bytes::new());
        }
        let size = ChunkSize::new(bytes.len());
        let size_line = size.as_bytes();
        let mut memory = Vec::with_capacity(size_line.len() + bytes.len() + CRLF.len());
        memory.extend_from_slice(size_line);
        memory.extend_from_slice(bytes);
        memory.extend_from_slice(CRLF);
        Self {
            memory: share(memory),
            // At most the length of the longest size line.
            size_line: size_line.len() as u8,
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        let range = self.range();
        range.end - range.start
    }

    #[cfg(feature = "server")]
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.memory.get(self.range()).unwrap_or_default()
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        match self.size_line {
            0 => self.memory,
            _ => self.memory.slice(self.range()),
        }
    }

    /// Returns the chunk: its size line, the bytes and CRLF.
    #[cfg(feature = "server")]
    #[inline]
    pub(crate) fn as_chunk(&self) -> Option<&[u8]> {
        (self.size_line > 0).then_some(&*self.memory)
    }

    /// Returns a part of the bytes without copying them. The whole keeps its chunk; a smaller part has
    /// none.
    #[cfg(feature = "topic")]
    pub(crate) fn slice(&self, part: Range<usize>) -> Self {
        let range = self.range();
        if part == (0..range.end - range.start) {
            return self.clone();
        }
        Self::new(
            self.memory
                .slice(range.start + part.start..range.start + part.end),
        )
    }

    /// Returns the size of the memory.
    #[cfg(feature = "topic")]
    pub(crate) fn size(&self) -> usize {
        self.memory.len()
    }

    /// Returns whether this is the only handle to the memory, as far as `Bytes` can tell.
    #[cfg(feature = "server")]
    pub(crate) fn is_alone(&self) -> bool {
        self.memory.is_unique()
    }

    /// Returns where in the memory the bytes are.
    #[inline]
    fn range(&self) -> Range<usize> {
        let end = self.memory.len();
        match usize::from(self.size_line) {
            0 => 0..end,
            start => start..end - CRLF.len(),
        }
    }
}

impl<B: Into<Bytes>> From<B> for Shared {
    fn from(bytes: B) -> Self {
        Self::new(bytes.into())
    }
}

/// Two views are equal if their bytes are.
impl PartialEq for Shared {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Shared {}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.clone().into_bytes().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(all(feature = "server", feature = "topic"))]
    #[test]
    fn all_of_a_chunk_is_a_chunk_and_a_part_is_not() {
        let text = [b'x'; 26];
        let shared = Shared::chunk(&text, Bytes::from);
        let chunk = [b"1a\r\n", &text[..], b"\r\n"].concat();
        assert_eq!(shared.as_chunk(), Some(&chunk[..]));
        assert_eq!((shared.as_bytes(), shared.len()), (&text[..], 26));
        assert_eq!(shared.slice(0..26).as_chunk(), Some(&chunk[..]));
        for part in [0..25, 1..26, 3..3] {
            let slice = shared.slice(part.clone());
            assert_eq!((slice.as_bytes(), slice.as_chunk()), (&text[part], None));
        }
        assert_eq!(shared, Shared::new(text.to_vec().into()));
        assert_eq!(shared.into_bytes(), text[..]);
        assert_eq!(Shared::chunk(b"", Bytes::from).as_chunk(), None);
    }

    #[test]
    fn sizes_are_hexadecimal_without_leading_zeros() {
        for size in [0, 1, 9, 10, 15, 16, 255, 256, 0x1a4, 65_536, usize::MAX] {
            assert_eq!(
                ChunkSize::new(size).as_bytes(),
                format!("{size:x}\r\n").as_bytes()
            );
        }
    }
}
