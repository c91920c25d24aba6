//! A compressor whose output can be decoded up to each event, and stored blocks.

use std::fmt;

use flate2::{Compress, Compression, FlushCompress};

/// A stored block of no bytes: it changes nothing, and is the end of a flush.
pub(super) const EMPTY_BLOCK: [u8; 5] = [0, 0, 0, 0xff, 0xff];

/// What stands in front of the bytes of a stored block: not the last one, their number, and that number
/// inverted.
pub(super) fn block_head(len: u16) -> [u8; 5] {
    let [low, high] = len.to_le_bytes();
    [0, low, high, !low, !high]
}

/// The most bytes that a stored block can have.
pub(super) const LARGEST_BLOCK: usize = u16::MAX as usize;

/// How long so many bytes are in stored blocks.
pub(crate) fn stored_len(len: usize) -> usize {
    len + len.div_ceil(LARGEST_BLOCK) * EMPTY_BLOCK.len()
}

/// The blocks in which these bytes are stored: what stands in front of each, and its bytes.
pub(super) fn blocks(bytes: &[u8]) -> impl Iterator<Item = ([u8; 5], &[u8])> {
    bytes
        .chunks(LARGEST_BLOCK)
        // No longer than that.
        .map(|block| (block_head(block.len() as u16), block))
}

/// Compresses event after event. Each becomes whole bytes, which a decoder that had those before can
/// decode to the last.
pub(super) struct Deflate {
    compress: Compress,
}

impl Deflate {
    /// What the compressor takes in memory, rounded up.
    pub(super) const SIZE: usize = 384 * 1024;

    pub(super) fn new() -> Self {
        let compress = Compress::new(Compression::fast(), false);
        Self { compress }
    }

    /// Forgets what was compressed: nothing later refers to it.
    pub(super) fn restart(&mut self) {
        self.compress.reset();
    }

    /// Appends these bytes, compressed or stored, whichever is shorter: never more than
    /// [`stored_len`] bytes.
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

    /// Says whether it got no longer than `most`. What it did not get is in what later bytes may refer to
    /// all the same, or else nothing is.
    fn try_push(&mut self, mut plain: &[u8], out: &mut Vec<u8>, most: usize) -> bool {
        /// Room for the end of a flush, which is not to be written twice.
        const END: usize = 16;
        let start = out.len();
        out.reserve(plain.len() / 2 + END);
        loop {
            let before = self.compress.total_in();
            let pushed = self.compress.compress_vec(plain, out, FlushCompress::Sync);
            if pushed.is_err() {
                // It does not fail on any input.
                self.restart();
                return false;
            }
            // No more than are in memory.
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
