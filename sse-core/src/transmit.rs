//! What a state machine has to write.

use std::{io::IoSlice, slice};

/// Bytes for one vectored write, from a state machine's `poll_transmit`. Where they are one slice, a
/// plain write does.
#[derive(Debug)]
pub struct Transmit<'a> {
    slices: Slices<'a>,
    len: usize,
}

/// One slice is what there mostly is, and room for many takes a while to set up.
#[derive(Debug)]
// It is on the stack for as long as a write takes. A box is an allocation for each.
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
    /// How many slices there are at most.
    pub(crate) const MOST: usize = 16;

    /// No bytes.
    #[inline]
    pub(crate) fn empty() -> Self {
        Self {
            slices: Slices::None,
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
        if !rest.is_empty() && self.slices.push(IoSlice::new(rest)) {
            self.len += rest.len();
        }
    }

    /// Returns the bytes, in order. No slice is empty.
    #[must_use]
    pub fn slices(&self) -> &[IoSlice<'a>] {
        match &self.slices {
            Slices::None => &[],
            Slices::One(slice) => slice::from_ref(slice),
            Slices::Many { slices, used } => &slices[..*used],
        }
    }

    /// Returns how many bytes there are.
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
    /// Says whether there was room for it.
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
