//! What is held of an event between one chunk and the next.

use alloc::{string::String, vec::Vec};

/// How much of an empty buffer is kept for the next line or event.
const RETAINED: usize = 128 * 1024;

/// The event that is being received, as far as it could not stay in its chunk.
#[derive(Clone, Default)]
pub(super) struct EventBuffers {
    /// The lines of data, joined with LF, behind `data_start` bytes that are not part of them.
    data: Vec<u8>,
    data_start: usize,
    has_data: bool,
    event_type: String,
}

impl EventBuffers {
    /// Whether they hold anything of an event.
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

    /// Adds a line of data, `limit` being the bound for all of it.
    pub(super) fn push_data(&mut self, line: &[u8], limit: usize) {
        reserve_within(&mut self.data, line.len() + 1, limit);
        if self.has_data {
            self.data.push(b'\n');
        }
        self.data.extend_from_slice(line);
        self.has_data = true;
    }

    /// Takes `line` over, from `start` on, as the first line of data, so that a long line that
    /// came in pieces is not copied once more. Returns a buffer in exchange.
    pub(super) fn adopt_data(&mut self, line: Vec<u8>, start: usize) -> Vec<u8> {
        self.data_start = start;
        self.has_data = true;
        core::mem::replace(&mut self.data, line)
    }

    /// Fills the data up to the end of a block, for the check of an event that is whole.
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

/// Empties a buffer, and gives back what it has grown past the size worth keeping.
#[inline]
pub(super) fn empty(buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.shrink_to(RETAINED);
}

/// As [`empty`].
#[inline]
pub(super) fn empty_text(buffer: &mut String) {
    buffer.clear();
    buffer.shrink_to(RETAINED);
}

/// Makes room for `additional` bytes. The buffer doubles, so that many small pieces are cheap, but
/// not past `limit`, unless it has to.
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

    /// The memory of a decoder is bounded by this: a vector by itself would double past the limit.
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
        // What has to be there is made room for, at any rate, and not more.
        reserve_within(&mut buffer, 500, 1000);
        assert_eq!(buffer.capacity(), 1500);
    }
}
