//! What readers get of the history. Of the open segment they get a copy, which is kept until the next event, so
//! that readers at the same place share one.

#[cfg(feature = "compression")]
use std::{ops::Range, sync::Arc};

use super::Log;
#[cfg(feature = "compression")]
use crate::gzip::Packed;
use crate::{budget::Holding, chunked::Shared, topic::EncodedEvents};

/// The end of the open segment.
#[derive(Debug)]
pub(super) struct Recent {
    start: usize,
    /// The copy, made as one chunk, because most subscribers are at its beginning.
    copy: Shared,
    /// The same events compressed, also as one chunk, and the number of the first one.
    #[cfg(feature = "compression")]
    packed: Option<(u64, Arc<Packed>)>,
}

impl Recent {
    pub(super) fn len(&self) -> usize {
        let len = self.copy.size();
        #[cfg(feature = "compression")]
        let len = len
            + self
                .packed
                .as_ref()
                .map_or(0, |(_, packed)| packed.bytes.size());
        len
    }
}

/// What a cursor reads.
#[derive(Debug)]
pub(in crate::topic) enum Read {
    /// There is nothing new.
    Nothing,
    /// These events; the cursor continues after them.
    Events(EncodedEvents),
    /// The next event has left the history, as have this many in all.
    Lost {
        events: u64,
        /// Whether the history continued at a later place meanwhile.
        went_on: bool,
    },
}

impl Log {
    /// Reads from `cursor` on: `most` events, or as many as are contiguous in memory.
    pub(in crate::topic) fn read(&mut self, cursor: u64, most: u64) -> Read {
        let next = self.next();
        if cursor >= next {
            return Read::Nothing;
        }
        if cursor < self.first {
            let events = self.first - cursor;
            let went_on = cursor < self.began;
            return Read::Lost { events, went_on };
        }
        let wanted = cursor.saturating_add(most.max(1));
        // The difference is at most the number of events in memory.
        let count = |end: u64| (end - cursor) as usize;
        if cursor >= self.open.first() {
            let end = next.min(wanted);
            let len = self.open.start_of(end) - self.open.start_of(cursor);
            #[cfg_attr(not(feature = "compression"), allow(unused_mut))]
            let mut events = EncodedEvents::new(self.read_open(cursor, len), count(end));
            #[cfg(feature = "compression")]
            {
                events.packed = self.read_open_packed(cursor..end);
            }
            return Read::Events(events);
        }
        let index = self.index_of(cursor);
        let Some(segment) = self.sealed.get_mut(index) else {
            return Read::Nothing;
        };
        let end = segment.end().min(wanted);
        #[cfg_attr(not(feature = "compression"), allow(unused_mut))]
        let mut events = EncodedEvents::new(segment.lend(cursor..end), count(end));
        #[cfg(feature = "compression")]
        {
            events.packed = segment.lend_packed(cursor..end).map(Arc::new);
        }
        Read::Events(events)
    }

    /// Returns these events of the open segment, compressed. Their plain bytes were read just now, and a
    /// copy made for one subscriber is shared with the others.
    #[cfg(feature = "compression")]
    fn read_open_packed(&mut self, events: Range<u64>) -> Option<Arc<Packed>> {
        let recent = self.recent.as_mut()?;
        if let Some((first, all)) = &recent.packed
            && *first <= events.start
        {
            if (*first, self.open.end()) == (events.start, events.end) {
                return Some(all.clone());
            }
            let skip = self.open.packed_len(*first..events.start);
            let len = self.open.packed_len(events.clone());
            let part = all.bytes.slice(skip..skip + len);
            return self.open.copy_packed(events, |_| part).map(Arc::new);
        }
        let all = events.start..self.open.end();
        let count = |chunk| self.budget.count(Holding::History, chunk);
        let copy = |bytes: &[u8]| Shared::chunk(bytes, count);
        let packed = self.open.copy_packed(all, copy).map(Arc::new)?;
        recent.packed = Some((events.start, packed));
        self.read_open_packed(events)
    }

    /// Returns `len` bytes of the open segment from this event on. A copy made for one subscriber is
    /// shared with those that come later.
    fn read_open(&mut self, cursor: u64, len: usize) -> Shared {
        let start = self.open.start_of(cursor);
        if let Some(recent) = &self.recent
            && let Some(skip) = start.checked_sub(recent.start)
        {
            return recent.copy.slice(skip..skip + len);
        }
        let new = self.open.bytes().get(start..).unwrap_or_default();
        let budget = &self.budget;
        let copy = Shared::chunk(new, |copy| budget.count(Holding::History, copy));
        let read = copy.slice(0..len);
        self.recent = Some(Recent {
            start,
            copy,
            #[cfg(feature = "compression")]
            packed: None,
        });
        read
    }
}
