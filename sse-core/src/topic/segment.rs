//! A part of the history in one piece of memory.

use std::{mem, ops::Range, sync::Arc, time::Instant};

use bytes::Bytes;

#[cfg(feature = "compression")]
use super::packed::PackedEvents;
use crate::budget::{Budget, Holding, Lendable};
#[cfg(feature = "compression")]
use crate::{
    chunked::Shared,
    gzip::{Packed, SharedDeflate},
};

/// Consecutive events, encoded, oldest first.
///
/// The open segment has its bytes in a `Vec<u8>`; the others never change, and readers share their bytes.
#[derive(Debug)]
pub(super) struct Segment<B> {
    first: u64,
    bytes: B,
    marks: Vec<Mark>,
    own_ids: Vec<(Arc<str>, u64)>,
    /// The memory of the publisher's IDs, here and where they are looked up.
    own_ids_size: usize,
    /// The same events compressed, if the topic compresses.
    #[cfg(feature = "compression")]
    packed: Option<Box<PackedEvents<B>>>,
}

/// The position of an event, and when it was published.
#[derive(Clone, Copy, Debug)]
struct Mark {
    start: usize,
    at: Instant,
}

/// The memory of every segment beside its events: its place among the others, which may be reserved
/// twice, and the reference count of its bytes.
pub(super) const SEGMENT_SIZE: usize = 2 * size_of::<Segment<Lendable>>() + 128;

/// The memory of every event beside its bytes.
pub(super) const MARK_SIZE: usize = size_of::<Mark>();

/// Returns the memory of an ID of the publisher's.
pub(super) fn own_id_size(id: &str) -> usize {
    /// A shared string, its place in the segment, which may be reserved twice, and a place in a tree
    /// whose nodes are half full.
    const OVERHEAD: usize = 32 + 48 + 64;
    OVERHEAD + id.len()
}

impl<B: AsRef<[u8]>> Segment<B> {
    /// Returns the sequence number of the first event.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// Returns the sequence number after the last event.
    pub(super) fn end(&self) -> u64 {
        self.first + self.marks.len() as u64
    }

    pub(super) fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// Returns the position of the event in the bytes; that of an event after the last is their end.
    pub(super) fn start_of(&self, sequence: u64) -> usize {
        self.mark(sequence)
            .map_or(self.bytes.as_ref().len(), |mark| mark.start)
    }

    /// Returns when the event was published, if it is here.
    pub(super) fn published_at(&self, sequence: u64) -> Option<Instant> {
        self.mark(sequence).map(|mark| mark.at)
    }

    /// Returns the bytes of this event, or none if it is elsewhere.
    pub(super) fn event(&self, sequence: u64) -> &[u8] {
        let range = self.start_of(sequence)..self.start_of(sequence + 1);
        self.bytes.as_ref().get(range).unwrap_or_default()
    }

    /// Returns the IDs that the publisher chose, each with the event's sequence number.
    pub(super) fn own_ids(&self) -> &[(Arc<str>, u64)] {
        &self.own_ids
    }

    pub(super) fn bytes(&self) -> &B {
        &self.bytes
    }

    fn mark(&self, sequence: u64) -> Option<&Mark> {
        let index = usize::try_from(sequence.checked_sub(self.first)?).ok()?;
        self.marks.get(index)
    }

    /// Returns its memory beside its plain and compressed bytes.
    fn overhead(&self) -> usize {
        let overhead = SEGMENT_SIZE + self.marks.capacity() * MARK_SIZE + self.own_ids_size;
        #[cfg(feature = "compression")]
        let overhead = overhead + self.packed.as_ref().map_or(0, |packed| packed.overhead());
        overhead
    }
}

impl Segment<Lendable> {
    /// Returns its memory.
    pub(super) fn size(&self) -> usize {
        self.bytes_len() + self.overhead()
    }

    /// Returns how much of that is bytes that readers share, plain and compressed.
    pub(super) fn bytes_len(&self) -> usize {
        let len = self.bytes.as_ref().len();
        #[cfg(feature = "compression")]
        let len = len + self.packed.as_ref().map_or(0, |packed| packed.len());
        len
    }

    /// Returns how much of that dropping the segment frees: not its bytes, if readers hold them.
    pub(super) fn frees(&mut self) -> usize {
        let frees = self.bytes.frees() + self.overhead();
        #[cfg(feature = "compression")]
        let frees = frees + self.packed.as_mut().map_or(0, |packed| packed.frees());
        frees
    }

    /// Returns these events, compressed, for a reader.
    #[cfg(feature = "compression")]
    pub(super) fn lend_packed(&mut self, events: Range<u64>) -> Option<Packed> {
        let plain = self.start_of(events.start)..self.start_of(events.end);
        let first = self.first;
        let packed = self.packed.as_mut()?;
        Some(packed.lend(events.start - first..events.end - first, plain))
    }

    /// Returns these events for a reader.
    pub(super) fn lend(&mut self, events: Range<u64>) -> Bytes {
        let range = self.start_of(events.start)..self.start_of(events.end);
        self.bytes.lend().slice(range)
    }
}

impl Segment<Vec<u8>> {
    /// Creates a segment without events, which takes no memory.
    pub(super) fn new(first: u64) -> Self {
        Self {
            first,
            bytes: Vec::new(),
            marks: Vec::new(),
            own_ids: Vec::new(),
            own_ids_size: 0,
            #[cfg(feature = "compression")]
            packed: None,
        }
    }

    /// Returns how much of its memory its events use.
    pub(super) fn used(&self) -> usize {
        let used = self.bytes.len() + self.marks.len() * MARK_SIZE + self.own_ids_size;
        #[cfg(feature = "compression")]
        let used = used + self.packed.as_ref().map_or(0, |packed| packed.used());
        used
    }

    /// Compresses the event that was [pushed](Self::push) last. A segment compresses all its events, or
    /// none.
    #[cfg(feature = "compression")]
    pub(super) fn pack(&mut self, shared: &mut SharedDeflate, most: usize) {
        let start = self.marks.last().map_or(0, |mark| mark.start);
        let event = self.bytes.get(start..).unwrap_or_default();
        self.packed
            .get_or_insert_with(|| Box::new(PackedEvents::begin(shared)))
            .push(shared, event, most);
    }

    /// Returns its compressed memory with room for one more event of up to `len` bytes, and the part of
    /// it for the bytes.
    #[cfg(feature = "compression")]
    pub(super) fn packed_size_with(&self, len: usize, most: usize) -> (usize, usize) {
        match &self.packed {
            Some(packed) => packed.size_with(len, most),
            None => PackedEvents::size_of_first(len),
        }
    }

    /// Returns the compressed length of these events.
    #[cfg(feature = "compression")]
    pub(super) fn packed_len(&self, events: Range<u64>) -> usize {
        let packed = self.packed.as_ref();
        packed.map_or(0, |packed| {
            packed.len_of(events.start - self.first..events.end - self.first)
        })
    }

    /// Returns these events, compressed, with the bytes that `copy` makes of theirs.
    #[cfg(feature = "compression")]
    pub(super) fn copy_packed(
        &self,
        events: Range<u64>,
        copy: impl FnOnce(&[u8]) -> Shared,
    ) -> Option<Packed> {
        let plain = self.start_of(events.start)..self.start_of(events.end);
        let packed = self.packed.as_ref()?;
        Some(packed.copy(
            events.start - self.first..events.end - self.first,
            plain,
            copy,
        ))
    }

    /// Returns its memory with room for `len` more bytes and one more event.
    pub(super) fn size_with(&self, len: usize, most: usize) -> usize {
        let marks = self.grown_marks() * MARK_SIZE;
        SEGMENT_SIZE + marks + self.own_ids_size + self.grown_bytes(len, most)
    }

    /// Returns how much of that is for the bytes. They grow by doubling, to `most` unless more is needed.
    pub(super) fn grown_bytes(&self, len: usize, most: usize) -> usize {
        grown(&self.bytes, len, most)
    }

    fn grown_marks(&self) -> usize {
        match self.marks.capacity() {
            enough if enough > self.marks.len() => enough,
            small => (2 * small).max(1),
        }
    }

    /// Returns its present memory.
    pub(super) fn size(&self) -> usize {
        let size = self.bytes.capacity() + self.overhead();
        #[cfg(feature = "compression")]
        let size = size + self.packed.as_ref().map_or(0, |packed| packed.size());
        size
    }

    /// Adds an event of this length.
    pub(super) fn push(
        &mut self,
        at: Instant,
        len: usize,
        most: usize,
        encode: impl FnOnce(&mut Vec<u8>),
    ) {
        let (bytes, marks) = (self.grown_bytes(len, most), self.grown_marks());
        self.bytes.reserve_exact(bytes - self.bytes.len());
        self.marks.reserve_exact(marks - self.marks.len());
        let start = self.bytes.len();
        self.marks.push(Mark { start, at });
        encode(&mut self.bytes);
    }

    /// Adds an ID of the publisher's.
    pub(super) fn push_own_id(&mut self, id: Arc<str>, sequence: u64, size: usize) {
        self.own_ids.push((id, sequence));
        self.own_ids_size += size;
    }

    /// Seals the segment: nothing more is added. The events stay where they are in memory.
    pub(super) fn seal(mut self, budget: &Budget) -> Segment<Lendable> {
        self.marks.shrink_to_fit();
        self.bytes.shrink_to_fit();
        Segment {
            first: self.first,
            bytes: Lendable::new(budget, Holding::History, mem::take(&mut self.bytes)),
            marks: self.marks,
            own_ids: self.own_ids,
            own_ids_size: self.own_ids_size,
            #[cfg(feature = "compression")]
            packed: self.packed.map(|packed| Box::new(packed.seal(budget))),
        }
    }
}

/// Returns the capacity of these bytes with `len` more. It doubles, to `most` unless more is needed.
pub(super) fn grown(bytes: &Vec<u8>, len: usize, most: usize) -> usize {
    let needed = bytes.len() + len;
    match bytes.capacity() {
        enough if enough >= needed => enough,
        small => needed.max(most.min(2 * small)),
    }
}
