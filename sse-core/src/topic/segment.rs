//! A stretch of history in one piece of memory.

use std::{mem, ops::Range, sync::Arc, time::Instant};

use bytes::Bytes;

#[cfg(feature = "compression")]
use super::packed::PackedEvents;
use crate::budget::{Budget, Holding, Lendable};
#[cfg(feature = "compression")]
use crate::gzip::{Packed, SharedDeflate};

/// Events that lie next to each other, encoded, oldest first.
///
/// The one that is being written has its bytes in a `Vec<u8>`; the others never change, and readers
/// share their bytes.
#[derive(Debug)]
pub(super) struct Segment<B> {
    first: u64,
    bytes: B,
    marks: Vec<Mark>,
    own_ids: Vec<(Arc<str>, u64)>,
    /// What the publisher's IDs take, here and where they are looked up.
    own_ids_size: usize,
    /// The same events, compressed, where the topic compresses.
    #[cfg(feature = "compression")]
    packed: Option<Box<PackedEvents<B>>>,
}

/// Where an event begins, and when it was published.
#[derive(Clone, Copy, Debug)]
struct Mark {
    start: usize,
    at: Instant,
}

/// What every segment takes beside its events: its place among the others, which may be reserved
/// twice, and what counts its readers.
pub(super) const SEGMENT_SIZE: usize = 2 * size_of::<Segment<Lendable>>() + 128;

/// What every event takes beside its bytes.
pub(super) const MARK_SIZE: usize = size_of::<Mark>();

/// What an ID of the publisher's takes.
pub(super) fn own_id_size(id: &str) -> usize {
    /// A shared string, its place in the segment, which may be reserved twice, and a place in a
    /// tree whose nodes are half full.
    const OVERHEAD: usize = 32 + 48 + 64;
    OVERHEAD + id.len()
}

impl<B: AsRef<[u8]>> Segment<B> {
    /// The sequence number of the first event.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// The sequence number after the last one.
    pub(super) fn end(&self) -> u64 {
        self.first + self.marks.len() as u64
    }

    pub(super) fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// Where the event begins in the bytes; those after the last begin at their end.
    pub(super) fn start_of(&self, sequence: u64) -> usize {
        self.mark(sequence)
            .map_or(self.bytes.as_ref().len(), |mark| mark.start)
    }

    /// When the event was published, if it is here.
    pub(super) fn published_at(&self, sequence: u64) -> Option<Instant> {
        self.mark(sequence).map(|mark| mark.at)
    }

    /// The bytes of this event, or none if it is elsewhere.
    pub(super) fn event(&self, sequence: u64) -> &[u8] {
        let range = self.start_of(sequence)..self.start_of(sequence + 1);
        self.bytes.as_ref().get(range).unwrap_or_default()
    }

    /// The IDs that the publisher chose, each with the event's sequence number.
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

    /// What it takes in memory beside its bytes, and beside those that are compressed.
    fn overhead(&self) -> usize {
        let overhead = SEGMENT_SIZE + self.marks.capacity() * MARK_SIZE + self.own_ids_size;
        #[cfg(feature = "compression")]
        let overhead = overhead + self.packed.as_ref().map_or(0, |packed| packed.overhead());
        overhead
    }
}

impl Segment<Lendable> {
    /// What it takes in memory.
    pub(super) fn size(&self) -> usize {
        self.bytes_len() + self.overhead()
    }

    /// How much of that are bytes that readers share, plain and compressed.
    pub(super) fn bytes_len(&self) -> usize {
        let len = self.bytes.as_ref().len();
        #[cfg(feature = "compression")]
        let len = len + self.packed.as_ref().map_or(0, |packed| packed.len());
        len
    }

    /// How much of that is free once the segment is dropped: not its bytes, where readers hold them.
    pub(super) fn frees(&mut self) -> usize {
        let frees = self.bytes.frees() + self.overhead();
        #[cfg(feature = "compression")]
        let frees = frees + self.packed.as_mut().map_or(0, |packed| packed.frees());
        frees
    }

    /// These events, compressed, for a reader.
    #[cfg(feature = "compression")]
    pub(super) fn lend_packed(&mut self, events: Range<u64>) -> Option<Packed> {
        let plain = self.start_of(events.start)..self.start_of(events.end);
        let first = self.first;
        let packed = self.packed.as_mut()?;
        Some(packed.lend(events.start - first..events.end - first, plain))
    }

    /// These events, for a reader.
    pub(super) fn lend(&mut self, events: Range<u64>) -> Bytes {
        let range = self.start_of(events.start)..self.start_of(events.end);
        self.bytes.lend().slice(range)
    }
}

impl Segment<Vec<u8>> {
    /// A segment with no events yet, which takes no memory.
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

    /// How much of its memory its events use.
    pub(super) fn used(&self) -> usize {
        let used = self.bytes.len() + self.marks.len() * MARK_SIZE + self.own_ids_size;
        #[cfg(feature = "compression")]
        let used = used + self.packed.as_ref().map_or(0, |packed| packed.used());
        used
    }

    /// Compresses the event that was [pushed](Self::push) last. All of a segment's are compressed, or
    /// none.
    #[cfg(feature = "compression")]
    pub(super) fn pack(&mut self, shared: &mut SharedDeflate, most: usize) {
        let start = self.marks.last().map_or(0, |mark| mark.start);
        let event = self.bytes.get(start..).unwrap_or_default();
        self.packed
            .get_or_insert_with(|| Box::new(PackedEvents::begin(shared)))
            .push(shared, event, most);
    }

    /// What it takes in memory compressed, with room for one event more that takes up to so many bytes;
    /// and how much of that the bytes take.
    #[cfg(feature = "compression")]
    pub(super) fn packed_size_with(&self, len: usize, most: usize) -> (usize, usize) {
        match &self.packed {
            Some(packed) => packed.size_with(len, most),
            None => PackedEvents::size_of_first(len),
        }
    }

    /// How many bytes these events take compressed.
    #[cfg(feature = "compression")]
    pub(super) fn packed_len(&self, events: Range<u64>) -> usize {
        let packed = self.packed.as_ref();
        packed.map_or(0, |packed| {
            packed.len_of(events.start - self.first..events.end - self.first)
        })
    }

    /// These events, compressed, with the bytes that `copy` has of them.
    #[cfg(feature = "compression")]
    pub(super) fn copy_packed(
        &self,
        events: Range<u64>,
        copy: impl FnOnce(&[u8]) -> Bytes,
    ) -> Option<Packed> {
        let plain = self.start_of(events.start)..self.start_of(events.end);
        let packed = self.packed.as_ref()?;
        Some(packed.copy(
            events.start - self.first..events.end - self.first,
            plain,
            copy,
        ))
    }

    /// What it takes in memory, with room for so many more bytes and one event more.
    pub(super) fn size_with(&self, len: usize, most: usize) -> usize {
        let marks = self.grown_marks() * MARK_SIZE;
        SEGMENT_SIZE + marks + self.own_ids_size + self.grown_bytes(len, most)
    }

    /// How much of that the bytes take. They grow by doubling, to `most` unless more is needed.
    pub(super) fn grown_bytes(&self, len: usize, most: usize) -> usize {
        grown(&self.bytes, len, most)
    }

    fn grown_marks(&self) -> usize {
        match self.marks.capacity() {
            enough if enough > self.marks.len() => enough,
            small => (2 * small).max(1),
        }
    }

    /// What it takes in memory now.
    pub(super) fn size(&self) -> usize {
        let size = self.bytes.capacity() + self.overhead();
        #[cfg(feature = "compression")]
        let size = size + self.packed.as_ref().map_or(0, |packed| packed.size());
        size
    }

    /// Adds an event that takes so many bytes.
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

    /// Takes note of an ID of the publisher's.
    pub(super) fn push_own_id(&mut self, id: Arc<str>, sequence: u64, size: usize) {
        self.own_ids.push((id, sequence));
        self.own_ids_size += size;
    }

    /// Nothing more is added from here on. The events stay where they are in memory.
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

/// What the memory of these bytes grows to with so many more. It doubles, to `most` unless more is
/// needed.
pub(super) fn grown(bytes: &Vec<u8>, len: usize, most: usize) -> usize {
    let needed = bytes.len() + len;
    match bytes.capacity() {
        enough if enough >= needed => enough,
        small => needed.max(most.min(2 * small)),
    }
}
