//! The history: bounded in events, bytes and age, and read by cursors.
//!
//! Events have sequence numbers, without a gap, from 1. The history holds the newest of them, in
//! segments: all but the last are sealed, and readers share their memory. From the last one, which is
//! still being written, a [reader](read) gets a copy of the events that are new to it.
//!
//! A segment is at most as large as a sixteenth of the history's memory, unless it has a single large
//! event, so that dropping the oldest one frees memory without losing much.

mod append;
mod read;

use std::{
    collections::{BTreeSet, VecDeque},
    mem,
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

pub(super) use self::read::Read;
use self::read::Recent;
use super::{
    Outcome, Position, TopicConfig, WhenFull, merged_id,
    resume::{Named, decide},
    segment::{Segment, own_id_size},
    wire,
};
#[cfg(feature = "compression")]
use crate::gzip::SharedDeflate;
use crate::{
    EventId,
    budget::{Budget, Holding, Lendable, Reservation},
};

/// The largest segment, unless it has only one event.
const LARGEST_SEGMENT: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Log {
    epoch: u64,
    /// The places at which earlier lives ended whose numbers continue here, the latest first.
    lives: Vec<Position>,
    /// The beginning of the line with an ID, up to the sequence number.
    id_start: Box<str>,
    max_events: u64,
    max_bytes: usize,
    max_age: Option<Duration>,
    when_full: WhenFull,
    /// The size that a segment grows to.
    segment_size: usize,
    sealed: VecDeque<Segment<Lendable>>,
    /// The memory of the sealed segments.
    sealed_size: usize,
    /// The part of that memory that is events.
    sealed_bytes: usize,
    open: Segment<Vec<u8>>,
    /// Whether the topic compresses its events and is not closed.
    #[cfg(feature = "compression")]
    compresses: bool,
    /// The compressor of the events, if the budget had room for one.
    #[cfg(feature = "compression")]
    compressor: Option<Box<Compressor>>,
    /// The bytes copied from the open segment since the last event.
    recent: Option<Recent>,
    /// The first event since the history began, or continued at another place.
    began: u64,
    /// The oldest event in the history; older ones in its segment do not count any more.
    first: u64,
    /// The events in these segments that have IDs of the publisher's choice.
    own_ids: BTreeSet<(Arc<str>, u64)>,
    /// The newest event's ID, if the publisher chose it. The event may have left the history.
    newest_own_id: Option<Arc<str>>,
    budget: Budget,
    /// The reservation for the memory of the history except the bytes of its sealed segments, which have
    /// their own.
    counted: Reservation,
    /// The latest instant that was passed in.
    now: Option<Instant>,
}

/// The compressor of the events, and its bytes in the budget.
#[cfg(feature = "compression")]
#[derive(Debug)]
struct Compressor {
    shared: SharedDeflate,
    _counted: Reservation,
}

impl Log {
    pub(super) fn new(config: &TopicConfig, epoch: u64) -> Self {
        Self {
            epoch,
            lives: Vec::new(),
            id_start: id_start(epoch),
            max_events: (config.max_events as u64).max(1),
            max_bytes: config.max_bytes,
            max_age: config.max_age,
            when_full: config.when_full,
            segment_size: (config.max_bytes / 16).min(LARGEST_SEGMENT),
            sealed: VecDeque::new(),
            sealed_size: 0,
            sealed_bytes: 0,
            open: Segment::new(1),
            #[cfg(feature = "compression")]
            compresses: config.compress,
            #[cfg(feature = "compression")]
            compressor: None,
            recent: None,
            began: 1,
            first: 1,
            own_ids: BTreeSet::new(),
            newest_own_id: None,
            budget: config.budget.clone(),
            counted: config.budget.reserve(Holding::History),
            now: None,
        }
    }

    /// Makes the first event the one after this number, as in a history that continues earlier lives,
    /// which ended at these places.
    pub(super) fn begin_behind(&mut self, sequence: u64, lives: impl Iterator<Item = Position>) {
        self.go_on_behind(Position::new(self.epoch, sequence));
        self.lives = lives.collect();
    }

    pub(super) fn lives(&self) -> &[Position] {
        &self.lives
    }

    /// Returns whether it never had an event or another place.
    pub(super) fn is_new(&self) -> bool {
        self.next() == 1
    }

    /// Continues after this place, without the events in the history.
    pub(super) fn go_on_behind(&mut self, position: Position) {
        let Position { epoch, sequence } = position;
        if epoch != self.epoch {
            self.epoch = epoch;
            self.lives.clear();
            self.id_start = id_start(epoch);
        }
        let next = sequence.saturating_add(1);
        self.sealed.clear();
        (self.sealed_size, self.sealed_bytes) = (0, 0);
        self.open = Segment::new(next);
        self.recent = None;
        (self.began, self.first) = (next, next);
        self.own_ids.clear();
        self.newest_own_id = None;
        self.count();
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Returns the number of events in the history.
    pub(super) fn held(&self) -> u64 {
        self.next() - self.first
    }

    /// Returns the sequence number of the oldest event in the history.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// Returns the sequence number of the next event to be published.
    pub(super) fn next(&self) -> u64 {
        self.open.end()
    }

    /// Returns the largest number of events in the history, estimated from those in it.
    pub(super) fn capacity(&self) -> u64 {
        let held = self.held();
        if held == 0 || self.first > self.began {
            return held;
        }
        let event_size = (self.size() as u64 / held).max(1);
        self.max_events.min(self.max_bytes as u64 / event_size)
    }

    /// Returns the place after the event before `sequence`.
    pub(super) fn position_before(&self, sequence: u64) -> Position {
        Position {
            epoch: self.epoch,
            sequence: sequence.saturating_sub(1),
        }
    }

    /// Returns the memory of the history in bytes.
    pub(super) fn size(&self) -> usize {
        let recent = self.recent.as_ref().map_or(0, Recent::len);
        let newest_own_id = match &self.newest_own_id {
            // Otherwise its segment counts it.
            Some(id) if self.held() == 0 => own_id_size(id),
            _ => 0,
        };
        self.sealed_size + self.open.size() + recent + newest_own_id
    }

    /// Returns the ID by which a client resumes at the event `next`: the ID of the event before it if the
    /// publisher chose one, so that another epoch knows it, too, and otherwise its position.
    pub(super) fn place_before(&self, next: u64) -> EventId {
        let position = self.position_before(next);
        self.own_id(position.sequence)
            // Another event may have the same ID.
            .filter(|id| self.find_own_id(id) == Some(position.sequence))
            .and_then(|id| EventId::new(id).ok())
            .unwrap_or_else(|| position.into())
    }

    /// Returns the ID of this event, if the publisher chose it.
    pub(super) fn own_id(&self, sequence: u64) -> Option<&str> {
        if sequence >= self.next() {
            return None;
        }
        if sequence + 1 == self.next() {
            return self.newest_own_id.as_deref();
        }
        if self.own_ids.is_empty() || sequence < self.first {
            return None;
        }
        let event = match self.sealed_segment(sequence) {
            Some(segment) => segment.event(sequence),
            None => self.open.event(sequence),
        };
        wire::id(event).filter(|id| {
            !id.is_empty() && *id != self.position_before(sequence + 1).text().as_str()
        })
    }

    /// Returns the event with this ID of the publisher's choice. Of several, it is the first in the
    /// history.
    fn find_own_id(&self, id: &str) -> Option<u64> {
        if self.own_ids.is_empty() && self.newest_own_id.is_none() {
            return None;
        }
        let key: Arc<str> = id.into();
        let of_id = |range: Range<u64>| {
            self.own_ids
                .range((key.clone(), range.start)..(key.clone(), range.end))
        };
        let before_first = self.first.saturating_sub(1);
        of_id(before_first..u64::MAX)
            .next()
            .or_else(|| of_id(0..before_first).next_back())
            .map(|(_, sequence)| *sequence)
            .or_else(|| {
                let is_newest = self.newest_own_id.as_deref() == Some(id);
                is_newest.then(|| self.next().saturating_sub(1))
            })
    }

    /// Counts the memory of the history in the budget.
    fn count(&mut self) {
        self.counted
            .resize_rounded(self.overhead() + self.open.size());
    }

    /// Returns the memory of the history beside the open segment, the events of the sealed ones and the
    /// compressor.
    fn overhead(&self) -> usize {
        self.sealed_size - self.sealed_bytes
    }

    /// Drops the events that are too old.
    pub(super) fn expire(&mut self, now: Instant) {
        let now = self.later_of(now);
        let Some(max_age) = self.max_age else { return };
        let mut first = self.first;
        while let Some(at) = self.published_at(first)
            && now.saturating_duration_since(at) > max_age
        {
            first += 1;
        }
        self.drop_before(first);
    }

    /// Returns the next event of a client whose last event has this ID, and the outcome of resuming
    /// there. `name` is the name of the topic in a stream of several.
    pub(super) fn join(&self, last_event_id: Option<&str>, name: Option<&str>) -> (u64, Outcome) {
        let named = match last_event_id {
            None | Some("") => Named::Nothing,
            Some(id) => match self.find(id, name) {
                Some(sequence) => Named::Sequence(sequence),
                None => Named::Unknown,
            },
        };
        decide(named, self.first..self.next())
    }

    fn find(&self, id: &str, name: Option<&str>) -> Option<u64> {
        Position::in_epoch(self.epoch, id)
            .map(|position| position.sequence)
            .or_else(|| self.find_in_lives(id))
            .or_else(|| self.find_own_id(id))
            .or_else(|| self.find_own_id(&merged_id::own_id_of(id, name?)?))
    }

    /// Returns the event that had this ID in an earlier life, unless it was published after the snapshot.
    fn find_in_lives(&self, id: &str) -> Option<u64> {
        self.lives.iter().find_map(|end| {
            let position = Position::in_epoch(end.epoch, id)?;
            (position.sequence <= end.sequence).then_some(position.sequence)
        })
    }

    /// Returns whether the ID has the form of those that the topic gives, or gave in an earlier life.
    fn is_reserved(&self, id: &str) -> bool {
        let lives = self.lives.iter().map(|end| end.epoch);
        std::iter::once(self.epoch)
            .chain(lives)
            .any(|epoch| Position::in_epoch(epoch, id).is_some())
    }

    /// Closes the history: nothing more is published.
    pub(super) fn close(&mut self) {
        #[cfg(feature = "compression")]
        {
            self.compresses = false;
            self.compressor = None;
        }
    }

    fn sealed_segment(&self, sequence: u64) -> Option<&Segment<Lendable>> {
        self.sealed.get(self.index_of(sequence))
    }

    /// Returns the index of the sealed segment that has this event, or the index after the last.
    fn index_of(&self, sequence: u64) -> usize {
        self.sealed
            .partition_point(|segment| segment.end() <= sequence)
    }

    fn published_at(&self, sequence: u64) -> Option<Instant> {
        match self.sealed_segment(sequence) {
            Some(segment) => segment.published_at(sequence),
            None => self.open.published_at(sequence),
        }
    }

    /// Returns the latest instant so far. Publishers on several threads may pass their instants in
    /// another order than the clock returned them, but the ages of events must not decrease.
    fn later_of(&mut self, now: Instant) -> Instant {
        let later = self.now.map_or(now, |before| before.max(now));
        self.now = Some(later);
        later
    }

    fn seal(&mut self) {
        let next = self.next();
        let sealed = mem::replace(&mut self.open, Segment::new(next)).seal(&self.budget);
        self.sealed_size += sealed.size();
        self.sealed_bytes += sealed.bytes_len();
        self.sealed.push_back(sealed);
    }

    /// Drops every event before this one, and the segments that have no others.
    fn drop_before(&mut self, first: u64) {
        self.first = self.first.max(first);
        while let Some(oldest) = self.sealed.front()
            && oldest.end() <= self.first
        {
            self.drop_oldest_segment();
        }
        let next = self.next();
        if self.first == next && !self.open.is_empty() {
            let dropped = mem::replace(&mut self.open, Segment::new(next));
            self.recent = None;
            self.forget_ids(&dropped);
        }
    }

    /// Drops the oldest segment, and returns whether there was one.
    fn drop_oldest_segment(&mut self) -> bool {
        let Some(dropped) = self.sealed.pop_front() else {
            return false;
        };
        self.first = self.first.max(dropped.end());
        self.sealed_size -= dropped.size();
        self.sealed_bytes -= dropped.bytes_len();
        self.forget_ids(&dropped);
        true
    }

    fn forget_ids<B: AsRef<[u8]>>(&mut self, dropped: &Segment<B>) {
        for own_id in dropped.own_ids() {
            self.own_ids.remove(own_id);
        }
    }
}

/// Returns the beginning of the line with an ID of this epoch, up to the sequence number.
fn id_start(epoch: u64) -> Box<str> {
    let origin = Position { epoch, sequence: 0 }.to_string();
    format!("id: {}", origin.strip_suffix('0').unwrap_or(&origin)).into()
}
