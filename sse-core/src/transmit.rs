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

    /// The bytes of `parts`, in order, without the first `skip` ones. Parts beyond so many as there
    /// may be have to wait.
    pub(crate) fn new(parts: impl IntoIterator<Item = &'a [u8]>, mut skip: usize) -> Self {
        let mut transmit = Self {
            slices: [IoSlice::new(&[]); Self::MOST],
            used: 0,
            len: 0,
        };
        for part in parts {
            let rest = part.get(skip..).unwrap_or(&[]);
            skip = skip.saturating_sub(part.len());
            if rest.is_empty() {
                continue;
            }
            let Some(slice) = transmit.slices.get_mut(transmit.used) else {
                break;
            };
            *slice = IoSlice::new(rest);
            transmit.used += 1;
            transmit.len += rest.len();
        }
        transmit
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
