//! The chunked transfer coding
//! ([RFC 9112 section 7.1](https://www.rfc-editor.org/rfc/rfc9112#section-7.1)), the sender's half.

pub(crate) const CRLF: &[u8] = b"\r\n";

/// The last chunk, of size 0, and the end of a trailer section without fields.
pub(crate) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// A chunk's size line: the size in hexadecimal, and CRLF.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChunkSize {
    /// The line is at the end of it.
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

#[cfg(test)]
mod tests {
    use super::*;

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
