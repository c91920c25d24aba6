//! Adding an event to the history, and the room that it needs there.

use std::time::Instant;

use super::Log;
use crate::{
    Event,
    budget::{Budget, Holding},
    topic::{
        Position, PublishError,
        segment::{MARK_SIZE, SEGMENT_SIZE, own_id_size},
    },
};

/// What an event takes in the history.
struct Needed {
    /// Its length in bytes, with the line of its ID.
    len: usize,
    /// What its ID takes, if it is of the publisher's choice.
    own_id_size: usize,
    /// What ends it where its encoding has no blank line.
    blank_line: &'static str,
}

impl Needed {
    /// What it takes in a segment.
    fn size(&self) -> usize {
        self.len + MARK_SIZE + self.own_id_size
    }
}

impl Log {
    /// Adds an event, and drops what is too much then. Returns its place and its length in bytes.
    pub(in crate::topic) fn append(
        &mut self,
        now: Instant,
        event: &Event,
    ) -> Result<(Position, usize), PublishError> {
        let sequence = self.next();
        let mut digits = itoa::Buffer::new();
        let id_end = digits.format(sequence);
        let needed = self.needed(event, id_end)?;
        let is_large = needed.size() > self.segment_size;
        self.make_room(&needed, is_large);

        let now = self.later_of(now);
        self.open.push(now, needed.len, self.segment_size, |bytes| {
            if event.id().is_none() {
                bytes.extend_from_slice(self.id_start.as_bytes());
                bytes.extend_from_slice(id_end.as_bytes());
                bytes.push(b'\n');
            }
            event.encode_reserved(bytes);
            bytes.extend_from_slice(needed.blank_line.as_bytes());
        });
        self.newest_own_id = own_id(event).map(Into::into);
        if let Some(id) = &self.newest_own_id {
            self.own_ids.insert((id.clone(), sequence));
            self.open
                .push_own_id(id.clone(), sequence, needed.own_id_size);
        }
        if is_large {
            self.seal();
        }
        let too_many = (self.next() - self.first).saturating_sub(self.max_events);
        self.drop_before(self.first + too_many);
        self.expire(now);
        self.count();
        Ok((self.position_before(sequence + 1), needed.len))
    }

    /// What this event takes, which becomes the one of the number that `id_end` is, if the history
    /// can take it at all.
    fn needed(&self, event: &Event, id_end: &str) -> Result<Needed, PublishError> {
        if let Some(id) = event.id()
            && Position::in_epoch(self.epoch, id.as_str()).is_some()
        {
            return Err(PublishError::ReservedId(id.clone()));
        }
        let own_id_size = own_id(event).map_or(0, own_id_size);
        let id_line = match event.id() {
            None => self.id_start.len() + id_end.len() + "\n".len(),
            Some(_) => 0,
        };
        // The ID takes effect at a blank line, which an event without it may not have.
        let blank_line = match event.needs_dispatch() {
            true => "",
            false => "\n",
        };
        let len = id_line + event.encoded_len() + blank_line.len();

        // Its own segment, and the empty one behind it.
        let alone = 2 * SEGMENT_SIZE + MARK_SIZE + own_id_size;
        let most = self.max_bytes.saturating_sub(alone);
        if len > most {
            return Err(PublishError::TooLarge { len, most });
        }
        Ok(Needed {
            len,
            own_id_size,
            blank_line,
        })
    }

    /// Seals the open segment where the event does not fit into it, and drops the oldest events
    /// until there is room for it.
    fn make_room(&mut self, needed: &Needed, is_large: bool) {
        self.recent = None;
        if self.open.used() + needed.size() > self.segment_size && !self.open.is_empty() {
            self.seal();
        }
        let len = needed.len;
        // What is copied of the open segment for readers may become as large as its bytes.
        let copy = match is_large {
            true => SEGMENT_SIZE,
            false => self.open.grown_bytes(len, self.segment_size),
        };
        let grown = self.open.size_with(len, self.segment_size) + needed.own_id_size + copy;
        while self.sealed_size + grown > self.max_bytes && self.drop_oldest_segment() {}
        self.stay_inside_budget(len);
    }

    /// Drops the oldest events where the budget has no room for one more of this length.
    fn stay_inside_budget(&mut self, len: usize) {
        let grown = self.overhead() + self.open.size_with(len, self.segment_size);
        let more = Budget::rounded(grown).saturating_sub(self.counted.bytes());
        if more == 0 || self.budget.fits(Holding::History, more) {
            return;
        }
        for _ in 0..self.worth_dropping(more) {
            self.drop_oldest_segment();
        }
    }

    /// How many of the oldest segments are to go so that this much memory is free, or as much as can
    /// be. What readers hold stays in memory anyway: it goes only with as much that is not held.
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
            // What is still being written cannot be dropped.
            self.seal();
            worth = self.sealed.len();
        }
        worth
    }
}

/// The event's ID, if it is of the publisher's choice. The empty one makes the client forget the
/// last one: it cannot be resumed from.
fn own_id(event: &Event) -> Option<&str> {
    event.id().map(|id| id.as_str()).filter(|id| !id.is_empty())
}
