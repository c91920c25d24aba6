//! A compressor whose output a client can decode up to the end of each event, and stored blocks.

use std::fmt;

use flate2::{Compress, Compression, FlushCompress};

/// A stored block of no bytes, which ends a flush and decodes to nothing.
pub(super) const EMPTY_BLOCK: [u8; 5] = [0, 0, 0, 0xff, 0xff];

/// Returns the bytes in front of a stored block's: a flag that more blocks follow, the length, and the
/// length inverted.
pub(super) fn block_head(len: u16) -> [u8; 5] {
    let [low, high] = len.to_le_bytes();
    [0, low, high, !low, !high]
}

/// The largest number of bytes in a stored block.
pub(super) const LARGEST_BLOCK: usize = u16::MAX as usize;

/// Returns the length of `len` bytes in stored blocks.
pub(crate) fn stored_len(len: usize) -> usize {
    len + len.div_ceil(LARGEST_BLOCK) * EMPTY_BLOCK.len()
}

/// Returns the blocks in which these bytes are stored: each one's head, and its bytes.
pub(super) fn blocks(bytes: &[u8]) -> impl Iterator<Item = ([u8; 5], &[u8])> {
    bytes
        .chunks(LARGEST_BLOCK)
        // A block has at most 65,535 bytes.
        .map(|block| (block_head(block.len() as u16), block))
}

/// Compresses event after event. Each ends at a whole byte, so that a decoder that has the earlier bytes
/// can decode all of it.
pub(super) struct Deflate {
    compress: Compress,
}

impl Deflate {
    /// The memory of the compressor in bytes, rounded up.
    pub(super) const SIZE: usize = 384 * 1024;

    pub(super) fn new() -> Self {
        let compress = Compress::new(Compression::fast(), false);
        Self { compress }
    }

    /// Forgets the bytes before: nothing that is compressed later refers to them.
    pub(super) fn restart(&mut self) {
        self.compress.reset();
    }

    /// Appends these bytes compressed or stored, whichever is shorter: never more than [`stored_len`]
    /// bytes.
    pub(super) fn push(&mut self, plain: &[u8], out: &mut Vec<u8>) {
        if plain.is_empty() {
            return;
        }
        let start = out.len();
        let most = stored_len(plain.len());
        if !self.try_push(plain, out, most) {
            out.truncate(start);
            out.reserve(most);
            for (head, block) in blocks(plain) {
                out.extend_from_slice(&head);
                out.extend_from_slice(block);
            }
        }
    }

    /// Returns whether the output is no longer than `most`. If it is longer, later bytes may refer to
    /// these bytes nevertheless, or the compressor was restarted.
    fn try_push(&mut self, mut plain: &[u8], out: &mut Vec<u8>, most: usize) -> bool {
        /// Room for the end of a flush, which must not be written twice.
        const END: usize = 16;
        let start = out.len();
        out.reserve(plain.len() / 2 + END);
        loop {
            let before = self.compress.total_in();
            let pushed = self.compress.compress_vec(plain, out, FlushCompress::Sync);
            if pushed.is_err() {
                // The compressor does not fail on any input.
                self.restart();
                return false;
            }
            // The difference is at most the length of a slice in memory.
            let taken = (self.compress.total_in() - before) as usize;
            plain = plain.get(taken..).unwrap_or_default();
            if plain.is_empty() && out.len() < out.capacity() {
                return out.len() - start <= most;
            }
            out.reserve(plain.len() / 2 + END);
        }
    }
}

impl fmt::Debug for Deflate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflate").finish_non_exhaustive()
    }
}
