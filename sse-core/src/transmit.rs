//! The bytes that a state machine has to write.

use std::{io::IoSlice, slice};

/// Bytes for one vectored write, from a state machine's `poll_transmit`. If they are one slice, a plain
/// write is enough.
#[derive(Debug)]
pub struct Transmit<'a> {
    slices: Slices<'a>,
    len: usize,
}

/// Most often there is one slice, and room for many takes a while to set up.
#[derive(Debug)]
// It is on the stack for the duration of a write. A box would take an allocation for each.
#[allow(clippy::large_enum_variant)]
enum Slices<'a> {
    None,
    One(IoSlice<'a>),
    Many {
        slices: [IoSlice<'a>; Transmit::MOST],
        used: usize,
    },
}

impl<'a> Transmit<'a> {
    /// The largest number of slices.
    pub(crate) const MOST: usize = 16;

    /// Creates a transmit without bytes.
    #[inline]
    pub(crate) fn empty() -> Self {
        Self {
            slices: Slices::None,
            len: 0,
        }
    }

    /// Adds the bytes of `part`, without those that are still to be skipped. A part beyond the largest
    /// number of slices has to wait.
    // The caller adds the parts one by one, because a chain of iterators over them costs more than the
    // work itself.
    #[inline]
    pub(crate) fn push(&mut self, part: &'a [u8], skip: &mut usize) {
        let rest = part.get(*skip..).unwrap_or(&[]);
        *skip = skip.saturating_sub(part.len());
        if !rest.is_empty() && self.slices.push(IoSlice::new(rest)) {
            self.len += rest.len();
        }
    }

    /// Returns the bytes, in order, for one vectored write. No slice is empty; there are none if there is
    /// nothing to write.
    #[must_use]
    pub fn slices(&self) -> &[IoSlice<'a>] {
        match &self.slices {
            Slices::None => &[],
            Slices::One(slice) => slice::from_ref(slice),
            Slices::Many { slices, used } => &slices[..*used],
        }
    }

    /// Returns the number of bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<'a> Slices<'a> {
    /// Adds a slice, and returns whether there was room for it.
    #[inline]
    fn push(&mut self, slice: IoSlice<'a>) -> bool {
        match self {
            Self::None => *self = Self::One(slice),
            Self::One(first) => {
                let mut slices = [IoSlice::new(&[]); Transmit::MOST];
                (slices[0], slices[1]) = (*first, slice);
                *self = Self::Many { slices, used: 2 };
            }
            Self::Many { slices, used } => match slices.get_mut(*used) {
                Some(free) => {
                    *free = slice;
                    *used += 1;
                }
                None => return false,
            },
        }
        true
    }
}
