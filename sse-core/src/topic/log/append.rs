//! Adds an event to the history, and makes room for it.

use std::time::Instant;

#[cfg(feature = "compression")]
use super::Compressor;
use super::Log;
use crate::{
    Event,
    budget::{Budget, Holding},
    chunked::Shared,
    topic::{
        HistoryBound, Position, PublishError, WhenFull,
        segment::{MARK_SIZE, SEGMENT_SIZE, own_id_size},
    },
};
#[cfg(feature = "compression")]
use crate::{
    gzip::{SharedDeflate, stored_len},
    topic::packed::PACKED_SIZE,
};

/// The bytes of a history that rejects events that are reserved for the last one.
const LAST_EVENT: usize = 1024;

/// How to make room for an event.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Room {
    /// Drop the oldest events.
    DropOldest,
    /// Drop none, and reject the event.
    Reject,
    /// Use the room reserved for the last event, and drop the oldest events if it needs more.
    Kept,
}

/// The room that an event needs in the history.
struct Needed {
    /// Its length in bytes, with the line of its ID.
    len: usize,
    /// The memory of its ID, if the publisher chose it.
    own_id_size: usize,
    /// The blank line, if its encoding has none.
    blank_line: &'static str,
    /// Its largest compressed length.
    #[cfg(feature = "compression")]
    packed_len: usize,
}

impl Needed {
    /// Returns the memory of the event in a segment.
    fn size(&self) -> usize {
        let size = self.len + MARK_SIZE + self.own_id_size;
        #[cfg(feature = "compression")]
        let size = size + self.packed_len;
        size
    }
}

impl Log {
    /// Adds an event, and drops events beyond the bounds, or rejects it where none may be dropped.
    /// Returns its place and its length in bytes.
    pub(in crate::topic) fn append(
        &mut self,
        now: Instant,
        event: &Event,
    ) -> Result<(Position, usize), PublishError> {
        let room = match self.when_full {
            WhenFull::DropOldest => Room::DropOldest,
            WhenFull::Reject => Room::Reject,
        };
        self.add(now, event, room)
    }

    /// Returns the error of [`append`](Self::append) that does not depend on the events in the history.
    pub(in crate::topic) fn check(&self, event: &Event) -> Result<(), PublishError> {
        let max_bytes = match self.when_full {
            WhenFull::DropOldest => self.max_bytes,
            WhenFull::Reject => self.max_bytes.saturating_sub(LAST_EVENT),
        };
        let mut digits = itoa::Buffer::new();
        let needed = self.needed(event, digits.format(self.next()), max_bytes);
        needed.map(|_| ())
    }

    /// Adds the last event, in the reserved room; if it needs more, the oldest events are dropped.
    pub(in crate::topic) fn append_last(
        &mut self,
        now: Instant,
        event: &Event,
    ) -> Result<(Position, usize), PublishError> {
        if self.when_full == WhenFull::DropOldest {
            return self.add(now, event, Room::DropOldest);
        }
        if !self.open.is_empty() {
            // No room is taken for further events, because none can come.
            self.seal();
        }
        self.add(now, event, Room::Kept)
    }

    fn add(
        &mut self,
        now: Instant,
        event: &Event,
        room: Room,
    ) -> Result<(Position, usize), PublishError> {
        let sequence = self.next();
        let mut digits = itoa::Buffer::new();
        let id_end = digits.format(sequence);
        let max_bytes = match room {
            Room::DropOldest | Room::Kept => self.max_bytes,
            Room::Reject => self.max_bytes.saturating_sub(LAST_EVENT),
        };
        #[cfg_attr(not(feature = "compression"), allow(unused_mut))]
        let mut needed = self.needed(event, id_end, max_bytes)?;
        #[cfg(feature = "compression")]
        if self.begin_compressing(&needed) {
            needed = self.needed(event, id_end, max_bytes)?;
        }
        let is_large = needed.size() > self.segment_size;
        self.make_room(&needed, is_large, room, max_bytes)?;

        let now = self.later_of(now);
        self.write(now, event, id_end, &needed);
        self.newest_own_id = own_id(event).map(Into::into);
        if let Some(id) = &self.newest_own_id {
            self.own_ids.insert((id.clone(), sequence));
            self.open
                .push_own_id(id.clone(), sequence, needed.own_id_size);
        }
        if is_large {
            self.seal();
        }
        if room == Room::DropOldest {
            let too_many = self.held().saturating_sub(self.max_events);
            self.drop_before(self.first + too_many);
        }
        self.expire(now);
        self.count();
        Ok((self.position_before(sequence + 1), needed.len))
    }

    /// Encodes the event into the open segment.
    fn write(&mut self, now: Instant, event: &Event, id_end: &str, needed: &Needed) {
        self.open.push(now, needed.len, self.segment_size, |bytes| {
            if event.id().is_none() {
                bytes.extend_from_slice(self.id_start.as_bytes());
                bytes.extend_from_slice(id_end.as_bytes());
                bytes.push(b'\n');
            }
            event.encode_reserved(bytes);
            bytes.extend_from_slice(needed.blank_line.as_bytes());
        });
        #[cfg(feature = "compression")]
        if let Some(compressor) = &mut self.compressor {
            self.open.pack(&mut compressor.shared, self.segment_size);
        }
    }

    /// Returns the room that this event needs, which gets the number in `id_end`, if the history can hold
    /// it at all.
    fn needed(
        &self,
        event: &Event,
        id_end: &str,
        max_bytes: usize,
    ) -> Result<Needed, PublishError> {
        if let Some(id) = event.id()
            && self.is_reserved(id.as_str())
        {
            return Err(PublishError::ReservedId(id.clone()));
        }
        let own_id_size = own_id(event).map_or(0, own_id_size);
        let id_line = match event.id() {
            None => self.id_start.len() + id_end.len() + "\n".len(),
            Some(_) => 0,
        };
        // The ID takes effect at a blank line, which an event with other fields only may not have.
        let blank_line = match event.needs_dispatch() {
            true => "",
            false => "\n",
        };
        let len = id_line + event.encoded_len() + blank_line.len();

        // The event's own segment, and the empty one behind it.
        let alone = 2 * SEGMENT_SIZE + MARK_SIZE + own_id_size;
        let most = max_bytes.saturating_sub(alone);
        #[cfg(feature = "compression")]
        let packed_len = self.compressor.as_ref().map_or(0, |_| stored_len(len));
        #[cfg(feature = "compression")]
        let most = match self.compresses {
            // If it cannot be compressed, it is stored twice.
            true => most.saturating_sub(PACKED_SIZE) / 2,
            false => most,
        };
        if len > most {
            return Err(PublishError::TooLarge { len, most });
        }
        Ok(Needed {
            len,
            own_id_size,
            blank_line,
            #[cfg(feature = "compression")]
            packed_len,
        })
    }

    /// Compresses events from this one on, if the topic compresses and has no compressor yet. It begins with
    /// a segment, and only if the budget has room for a compressor. Returns whether it begins.
    #[cfg(feature = "compression")]
    fn begin_compressing(&mut self, needed: &Needed) -> bool {
        let is_first = self.open.is_empty() || self.is_full_with(needed);
        if !self.compresses || self.compressor.is_some() || !is_first {
            return false;
        }
        let mut counted = self.budget.reserve(Holding::History);
        let has_room = counted.try_grow(SharedDeflate::SIZE);
        if has_room {
            self.compressor = Some(Box::new(Compressor {
                shared: SharedDeflate::new(),
                _counted: counted,
            }));
        }
        has_room
    }

    /// Returns whether the event does not fit into the open segment any more.
    fn is_full_with(&self, needed: &Needed) -> bool {
        self.open.used() + needed.size() > self.segment_size && !self.open.is_empty()
    }

    /// Seals the open segment if the event does not fit into it, and drops the oldest events until there
    /// is room for it, unless none may be dropped.
    fn make_room(
        &mut self,
        needed: &Needed,
        is_large: bool,
        room: Room,
        max_bytes: usize,
    ) -> Result<(), PublishError> {
        self.recent = None;
        if self.is_full_with(needed) {
            self.seal();
        }
        let len = needed.len;
        // The copy of the open segment for readers may become as large as its bytes.
        let copy = match is_large {
            true => SEGMENT_SIZE,
            false => self.open.grown_bytes(len, self.segment_size) + Shared::FRAMING,
        };
        let grown = self.open.size_with(len, self.segment_size) + needed.own_id_size + copy;
        #[cfg(feature = "compression")]
        let grown = grown + self.packed_with(needed.packed_len, is_large);
        if room == Room::Reject {
            let takes_too_much = self.sealed_size + grown > max_bytes;
            return match self.full_with(len, takes_too_much) {
                Some(bound) => Err(PublishError::Full { bound }),
                None => Ok(()),
            };
        }
        while self.sealed_size + grown > max_bytes && self.drop_oldest_segment() {}
        let missing = self.missing_in_budget(len);
        if room == Room::DropOldest && missing > 0 {
            for _ in 0..self.worth_dropping(missing) {
                self.drop_oldest_segment();
            }
        }
        Ok(())
    }

    /// Returns the bound that one more event of this length would exceed.
    fn full_with(&self, len: usize, takes_too_much: bool) -> Option<HistoryBound> {
        if self.held() >= self.max_events {
            return Some(HistoryBound::Events);
        }
        if takes_too_much {
            return Some(HistoryBound::Bytes);
        }
        (self.missing_in_budget(len) > 0).then_some(HistoryBound::Budget)
    }

    /// Returns the bytes by which the history grows with one more event of this length, if the budget has
    /// no room for them.
    fn missing_in_budget(&self, len: usize) -> usize {
        let grown = self.overhead() + self.open.size_with(len, self.segment_size);
        #[cfg(feature = "compression")]
        let grown = grown + self.packed_with(stored_len(len), true);
        let more = Budget::rounded(grown).saturating_sub(self.counted.bytes());
        match self.budget.fits(Holding::History, more) {
            true => 0,
            false => more,
        }
    }

    /// Returns the compressed memory of the open segment with one more event of up to `len` bytes, and
    /// the bytes that may be copied of it for readers.
    #[cfg(feature = "compression")]
    fn packed_with(&self, len: usize, is_large: bool) -> usize {
        if self.compressor.is_none() {
            return 0;
        }
        let (size, bytes) = self.open.packed_size_with(len, self.segment_size);
        match is_large {
            true => size,
            false => size + bytes + Shared::FRAMING,
        }
    }

    /// Returns how many of the oldest segments to drop to free this much memory, or as much as possible.
    /// Bytes that readers hold stay in memory anyway: they are dropped only together with as many that
    /// are not held.
    fn worth_dropping(&mut self, wanted: usize) -> usize {
        let (mut lost, mut freed, mut worth) = (0, 0, 0);
        for (index, segment) in self.sealed.iter_mut().enumerate() {
            lost += segment.size();
            freed += segment.frees();
            if 2 * freed >= lost {
                worth = index + 1;
                if freed >= wanted {
                    return worth;
                }
            }
        }
        let open = self.open.size();
        let is_worth = !self.open.is_empty() && 2 * (freed + open) >= lost + open;
        if is_worth {
            // The open segment cannot be dropped.
            self.seal();
            worth = self.sealed.len();
        }
        worth
    }
}

/// Returns the event's ID, if the publisher chose it. The empty one makes the client forget its last
/// event ID, so no client can resume from it.
fn own_id(event: &Event) -> Option<&str> {
    event.id().map(|id| id.as_str()).filter(|id| !id.is_empty())
}
