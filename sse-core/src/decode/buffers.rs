//! The parts of an event that are held between one chunk and the next.

use alloc::{string::String, vec::Vec};

/// The capacity that an empty buffer keeps for the next line or event.
const RETAINED: usize = 128 * 1024;

/// The parts of the current event that could not stay in their chunk.
#[derive(Clone, Default)]
pub(super) struct EventBuffers {
    /// The lines of data, joined with LF, behind `data_start` bytes that are not part of them.
    data: Vec<u8>,
    data_start: usize,
    has_data: bool,
    event_type: String,
}

impl EventBuffers {
    /// Returns whether the buffers hold any part of an event.
    #[inline]
    pub(super) fn are_used(&self) -> bool {
        self.has_data || !self.event_type.is_empty()
    }

    #[inline]
    pub(super) fn has_data(&self) -> bool {
        self.has_data
    }

    #[inline]
    pub(super) fn data(&self) -> &[u8] {
        &self.data[self.data_start..]
    }

    #[inline]
    pub(super) fn event_type(&self) -> &str {
        &self.event_type
    }

    /// Adds a line of data. `limit` is the bound on all of the data.
    pub(super) fn push_data(&mut self, line: &[u8], limit: usize) {
        reserve_within(&mut self.data, line.len() + 1, limit);
        if self.has_data {
            self.data.push(b'\n');
        }
        self.data.extend_from_slice(line);
        self.has_data = true;
    }

    /// Takes over `line`, from `start` on, as the first line of data, so that a long line that came in
    /// pieces is not copied again. Returns a buffer in exchange.
    pub(super) fn adopt_data(&mut self, line: Vec<u8>, start: usize) -> Vec<u8> {
        self.data_start = start;
        self.has_data = true;
        core::mem::replace(&mut self.data, line)
    }

    /// Fills the data up to the end of a block, for the check of a complete event.
    pub(super) fn pad_data(&mut self, block: usize) {
        let length = self.data_start + self.data().len().next_multiple_of(block);
        self.data.reserve_exact(length - self.data.len());
        self.data.resize(length, 0);
    }

    pub(super) fn set_event_type(&mut self, event_type: &str) {
        self.event_type.clear();
        self.event_type.push_str(event_type);
    }

    /// Makes room for the next event.
    #[inline]
    pub(super) fn clear(&mut self) {
        empty(&mut self.data);
        self.data_start = 0;
        self.has_data = false;
        empty_text(&mut self.event_type);
    }
}

/// Empties a buffer, and frees the capacity beyond the one worth keeping.
#[inline]
pub(super) fn empty(buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.shrink_to(RETAINED);
}

/// Does the same as [`empty`] for a `String`.
#[inline]
pub(super) fn empty_text(buffer: &mut String) {
    buffer.clear();
    buffer.shrink_to(RETAINED);
}

/// Makes room for `additional` bytes. The buffer doubles, so that many small pieces are cheap, but not
/// past `limit`, unless the bytes need more.
#[inline]
pub(super) fn reserve_within(buffer: &mut Vec<u8>, additional: usize, limit: usize) {
    if buffer.capacity() - buffer.len() < additional {
        grow_within(buffer, additional, limit);
    }
}

#[cold]
fn grow_within(buffer: &mut Vec<u8>, additional: usize, limit: usize) {
    let needed = buffer.len() + additional;
    let doubled = buffer.capacity().saturating_mul(2).max(64);
    buffer.reserve_exact(needed.max(doubled.min(limit)) - buffer.len());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A vector would double past the limit. This test is what bounds the memory of a decoder.
    #[test]
    fn a_buffer_grows_by_doubling_but_not_past_its_limit() {
        let mut buffer = Vec::new();
        let (mut grown, mut before) = (0, 0);
        for len in 1..=1000 {
            reserve_within(&mut buffer, 1, 1000);
            buffer.push(b'x');
            assert!(buffer.capacity() >= len && buffer.capacity() <= 1000);
            grown += usize::from(buffer.capacity() != before);
            before = buffer.capacity();
        }
        assert_eq!(
            (buffer.capacity(), grown),
            (1000, 5),
            "64, 128, 256, 512, 1000"
        );
        // Bytes that are needed get room even past the limit, but not more.
        reserve_within(&mut buffer, 500, 1000);
        assert_eq!(buffer.capacity(), 1500);
    }
}
