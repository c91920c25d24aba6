//! What a state machine has to write.

use std::io::IoSlice;

/// Bytes for one vectored write, from a state machine's `poll_transmit`.
#[derive(Debug)]
pub struct Transmit<'a> {
    slices: [IoSlice<'a>; Transmit::MOST],
    used: usize,
    len: usize,
}

impl<'a> Transmit<'a> {
    /// How many slices there are at most.
    pub(crate) const MOST: usize = 16;

    /// No bytes.
    pub(crate) fn empty() -> Self {
        Self {
            slices: [IoSlice::new(&[]); Self::MOST],
            used: 0,
            len: 0,
        }
    }

    /// Adds the bytes of `part`, without as many of the first ones as are still to be skipped. A part
    /// beyond so many as there may be has to wait.
    // Told part by part, since a chain of iterators over them costs more than what it does.
    #[inline]
    pub(crate) fn push(&mut self, part: &'a [u8], skip: &mut usize) {
        let rest = part.get(*skip..).unwrap_or(&[]);
        *skip = skip.saturating_sub(part.len());
        if !rest.is_empty()
            && let Some(slice) = self.slices.get_mut(self.used)
        {
            *slice = IoSlice::new(rest);
            self.used += 1;
            self.len += rest.len();
        }
    }

    /// The bytes, in order. No slice is empty.
    #[must_use]
    pub fn slices(&self) -> &[IoSlice<'a>] {
        &self.slices[..self.used]
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}
