//! The compressed events of a segment.

use std::ops::Range;

use super::segment::grown;
use crate::{
    budget::{Budget, Holding, Lendable},
    chunked::Shared,
    gzip::{Packed, Place, RESTART_INTERVAL, SharedDeflate, Stretch},
};

/// Consecutive events of the topic's compressed stream.
#[derive(Debug)]
pub(super) struct PackedEvents<B> {
    bytes: B,
    /// The position of each event, compressed.
    marks: Vec<Mark>,
    stream: u64,
    start: Place,
    /// The checksum of the stream up to the end.
    end_crc: u32,
    /// Whether the first event begins at a restart point.
    restarts: bool,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    /// The position among the bytes of the segment, which fits because only a single event is large.
    start: usize,
    /// The checksum of the stream before the event.
    crc: u32,
}

/// The memory of a segment for its compressed events, beside their bytes.
pub(super) const PACKED_SIZE: usize = size_of::<PackedEvents<Lendable>>() + 128;

impl<B> PackedEvents<B> {
    pub(super) fn overhead(&self) -> usize {
        PACKED_SIZE + self.marks.capacity() * size_of::<Mark>()
    }

    fn mark(&self, index: u64, len: usize) -> Mark {
        let mark = usize::try_from(index).ok();
        let mark = mark.and_then(|index| self.marks.get(index));
        mark.copied().unwrap_or(Mark {
            start: len,
            crc: self.end_crc,
        })
    }

    /// Returns the position of these events among the `len` bytes, and in the shared stream. `plain` is
    /// their position in the segment's plain bytes.
    fn part(&self, events: Range<u64>, plain: Range<usize>, len: usize) -> (Range<usize>, Stretch) {
        let (start, end) = (self.mark(events.start, len), self.mark(events.end, len));
        let place = |plain, crc| Place {
            len: self.start.len + plain as u64,
            crc,
        };
        let stretch = Stretch {
            stream: self.stream,
            start: place(plain.start, start.crc),
            end: place(plain.end, end.crc),
            restarts: self.restarts && events.start == 0,
        };
        (start.start..end.start, stretch)
    }
}

impl PackedEvents<Vec<u8>> {
    /// Begins those of a segment where the shared stream is. A restart point is set where one is due or
    /// almost due: none comes in the middle of a segment.
    pub(super) fn begin(shared: &mut SharedDeflate) -> Self {
        let restarts = shared.is_restart_due(RESTART_INTERVAL / 2);
        if restarts {
            shared.restart();
        }
        Self {
            bytes: Vec::new(),
            marks: Vec::new(),
            stream: shared.stream(),
            start: shared.place(),
            end_crc: shared.place().crc,
            restarts,
        }
    }

    pub(super) fn push(&mut self, shared: &mut SharedDeflate, event: &[u8], most: usize) {
        let marks = self.grown_marks();
        self.marks.reserve_exact(marks - self.marks.len());
        self.marks.push(Mark {
            start: self.bytes.len(),
            crc: self.end_crc,
        });
        shared.push(event, |compressed| {
            let grown = grown(&self.bytes, compressed.len(), most);
            self.bytes.reserve_exact(grown - self.bytes.len());
            self.bytes.extend_from_slice(compressed);
        });
        self.end_crc = shared.place().crc;
    }

    /// Returns how much of its memory its events use.
    pub(super) fn used(&self) -> usize {
        self.bytes.len() + self.marks.len() * size_of::<Mark>()
    }

    /// Returns its memory beside its overhead.
    pub(super) fn size(&self) -> usize {
        self.bytes.capacity()
    }

    /// Returns its memory with one more event of up to `len` bytes, and the part of it for the bytes.
    pub(super) fn size_with(&self, len: usize, most: usize) -> (usize, usize) {
        let marks = self.grown_marks();
        let bytes = grown(&self.bytes, len, most);
        (PACKED_SIZE + marks * size_of::<Mark>() + bytes, bytes)
    }

    /// Does the same for a segment that has no event yet.
    pub(super) fn size_of_first(len: usize) -> (usize, usize) {
        (PACKED_SIZE + size_of::<Mark>() + len, len)
    }

    fn grown_marks(&self) -> usize {
        match self.marks.capacity() {
            enough if enough > self.marks.len() => enough,
            small => (2 * small).max(1),
        }
    }

    /// Returns the length of these events.
    pub(super) fn len_of(&self, events: Range<u64>) -> usize {
        let start_of = |index| self.mark(index, self.bytes.len()).start;
        start_of(events.end) - start_of(events.start)
    }

    /// Returns these events for a reader, with the bytes that `copy` makes of theirs.
    pub(super) fn copy(
        &self,
        events: Range<u64>,
        plain: Range<usize>,
        copy: impl FnOnce(&[u8]) -> Shared,
    ) -> Packed {
        let (range, stretch) = self.part(events, plain, self.bytes.len());
        Packed {
            bytes: copy(self.bytes.get(range).unwrap_or_default()),
            stretch,
        }
    }

    /// Seals the events: nothing more is added.
    pub(super) fn seal(mut self, budget: &Budget) -> PackedEvents<Lendable> {
        self.marks.shrink_to_fit();
        self.bytes.shrink_to_fit();
        PackedEvents {
            bytes: Lendable::new(budget, Holding::History, self.bytes),
            marks: self.marks,
            stream: self.stream,
            start: self.start,
            end_crc: self.end_crc,
            restarts: self.restarts,
        }
    }
}

impl PackedEvents<Lendable> {
    pub(super) fn len(&self) -> usize {
        self.bytes.as_ref().len()
    }

    /// Returns the memory that dropping this frees.
    pub(super) fn frees(&mut self) -> usize {
        self.bytes.frees()
    }

    /// Returns these events for a reader.
    pub(super) fn lend(&mut self, events: Range<u64>, plain: Range<usize>) -> Packed {
        let (range, stretch) = self.part(events, plain, self.len());
        Packed {
            bytes: self.bytes.lend().slice(range).into(),
            stretch,
        }
    }
}
