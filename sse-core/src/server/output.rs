//! The bytes that wait to be written: the response's head, and the events in chunks.
//!
//! When bytes are taken, everything queued becomes one chunk, however many events it has: its size line
//! and its end are put around it in the same vectored write. If all of it is one piece that is shared as
//! a chunk already, that chunk is written in place, in one slice.
//!
//! The bytes that this connection encodes are appended to one buffer. Bytes shared with other connections
//! are queued by reference behind it, and written in place; bytes that are encoded after them are a piece
//! of their own. The two kinds are kept apart, because another form of shared bytes, such as a compressed
//! one, can be shared as well.

use std::{
    collections::VecDeque,
    mem,
    time::{Duration, Instant},
};

use bytes::Bytes;

use crate::{
    Transmit,
    budget::{Budget, Holding, Reservation},
    chunked::{CRLF, ChunkSize, LAST_CHUNK, Shared},
};

/// How the body of a response is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delimiting {
    /// By chunks, for HTTP/1.1: a client can tell the body's end from a loss.
    Chunks,
    /// By `Content-Length`, or by the end of the connection.
    Nothing,
}

/// What follows once the queue is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The body is open: the application may add to it.
    Open,
    /// The application ended the body, whose last chunk is still to be queued.
    Proper,
    /// The body is complete, or was aborted: no more bytes are queued.
    Nothing,
}

/// Small while nothing is queued.
#[derive(Debug)]
pub(super) struct Output {
    /// The queued bytes that are not transmitted yet. The queue exists until the body's end is
    /// transmitted.
    queue: Option<Box<Queue>>,
    delimiting: Delimiting,
    end: End,
}

#[derive(Debug, Default)]
struct Queue {
    /// The response's head, and an interim response before it.
    head: Vec<u8>,
    /// Events that this connection encoded; a flush covers the first of them.
    events: Vec<u8>,
    /// The piece that follows them. A flush covers it first.
    piece: Option<Piece>,
    /// The pieces that follow that one.
    more_pieces: VecDeque<Piece>,
    /// The number of bytes in the pieces.
    pieces_len: usize,
    /// The number of those bytes, at most, that nothing else holds.
    alone_len: usize,
    flush: Flush,
    /// When the client has taken no byte for too long. `None` where a foreign server detects that.
    stall: Option<Instant>,
    /// The reservation in the budget. It exists once a large part of the memory is this connection's own:
    /// most queues are small or shared, and do not count.
    counted: Option<Reservation>,
}

/// Bytes of a queue, at least one.
#[derive(Debug)]
enum Piece {
    /// Bytes shared with others: events, or a body that was known from the start.
    Shared(Shared),
    /// Bytes that this connection encoded for itself.
    Own(Vec<u8>),
}

/// A chunk that is being transmitted, with the bytes before it and after it.
#[derive(Debug, Default)]
struct Flush {
    /// The number of bytes of `events` in this chunk.
    events: usize,
    /// The number of pieces in it.
    pieces: usize,
    /// The number of bytes behind the head: size line, events, pieces and tail.
    len: usize,
    size_line: Option<ChunkSize>,
    /// Whether the only piece is a chunk already, which is transmitted in place.
    is_shared_chunk: bool,
    tail: &'static [u8],
    /// Whether the body's end is in the tail.
    has_end: bool,
    /// The number of transmitted bytes of head, size line, events, pieces and tail, in this order. While
    /// it is 0 the flush may still grow.
    sent: usize,
}

/// The slices for head, size line, events and tail.
const SLICES_AROUND: usize = 4;

impl Output {
    pub(super) fn new() -> Self {
        Self {
            queue: None,
            delimiting: Delimiting::Nothing,
            end: End::Open,
        }
    }

    /// Queues an interim response, before the response's head.
    pub(super) fn interim(&mut self, head: &[u8]) {
        self.queue().head.extend_from_slice(head);
    }

    /// Queues a response's head; everything queued afterwards is its body.
    pub(super) fn begin(&mut self, delimiting: Delimiting, head: Vec<u8>) {
        // An interim response may be half transmitted: it goes first, and in the same flush.
        let queue = self.queue();
        match queue.head.is_empty() {
            true => queue.head = head,
            false => queue.head.extend_from_slice(&head),
        }
        self.delimiting = delimiting;
    }

    /// Queues shared bytes: encoded events, or a whole body.
    pub(super) fn put_shared(&mut self, shared: Shared) {
        if !shared.is_empty() {
            self.queue().put_piece(Piece::Shared(shared));
        }
    }

    /// Queues the bytes that `encode` puts into a buffer.
    pub(super) fn put(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        let queue = self.queue();
        match &queue.piece {
            None => encode(&mut queue.events),
            // The bytes queued before come first.
            Some(_) => queue.put_after_pieces(encode),
        }
    }

    fn queue(&mut self) -> &mut Queue {
        self.queue.get_or_insert_default()
    }

    /// Ends the body.
    pub(super) fn finish(&mut self) {
        self.end = match self.delimiting {
            Delimiting::Chunks => {
                self.queue();
                End::Proper
            }
            Delimiting::Nothing => End::Nothing,
        };
    }

    /// Breaks the body off after the queued bytes: a body in chunks gets no last chunk.
    pub(super) fn break_off(&mut self) {
        self.end = End::Nothing;
    }

    /// Discards everything that was not transmitted.
    pub(super) fn clear(&mut self) {
        *self = Self {
            end: End::Nothing,
            ..Self::new()
        };
    }

    /// Counts the memory that only this connection holds in `budget`.
    #[inline]
    pub(super) fn count(&mut self, budget: &Budget) {
        let Some(queue) = &mut self.queue else { return };
        queue.alone_len = queue.alone_len.min(queue.pieces_len);
        let own = queue.head.capacity() + queue.events.capacity() + queue.alone_len;
        if own >= Budget::GRANULE || queue.counted.is_some() {
            queue.count(own, budget);
        }
    }

    /// Returns the number of waiting bytes, without their transfer framing.
    pub(super) fn queued(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.len())
    }

    /// Returns whether everything is transmitted, including the body's end if it has one.
    pub(super) fn is_empty(&self) -> bool {
        self.queued() == 0 && self.end != End::Proper
    }

    /// Returns whether the output has ended and everything is transmitted.
    pub(super) fn is_over(&self) -> bool {
        self.end == End::Nothing && self.is_empty()
    }

    /// Returns when the client will have taken none of the queued bytes for too long.
    pub(super) fn stall(&self) -> Option<Instant> {
        self.queue.as_ref()?.stall
    }

    /// Starts the time without progress at `now`, if bytes are queued and the time is not running.
    pub(super) fn arm_stall(&mut self, now: Instant, timeout: Duration) {
        if self.is_empty() {
            return;
        }
        if let Some(queue) = &mut self.queue {
            queue.stall = queue.stall.or_else(|| now.checked_add(timeout));
        }
    }

    /// Restarts the time without progress, if bytes are still queued.
    pub(super) fn rearm_stall(&mut self, now: Instant, timeout: Duration) {
        if let Some(queue) = &mut self.queue {
            queue.stall = now.checked_add(timeout);
        }
    }

    pub(super) fn poll_transmit(&mut self) -> Transmit<'_> {
        let mut transmit = Transmit::empty();
        if let Some(queue) = &mut self.queue {
            queue.poll_transmit(&mut transmit, self.delimiting, self.end);
        }
        transmit
    }

    /// Takes the first piece, which then counts as transmitted. This is for bodies that are not framed
    /// here.
    pub(super) fn take(&mut self) -> Option<Bytes> {
        let queue = self.queue.as_mut()?;
        let taken = queue.take();
        if queue.len() == 0 {
            self.queue = None;
        }
        taken
    }

    /// Records that the first `n` bytes of [`poll_transmit`](Self::poll_transmit) were written.
    pub(super) fn transmitted(&mut self, n: usize) {
        let Some(queue) = &mut self.queue else { return };
        if !queue.transmitted(n) {
            return;
        }
        if queue.flush.has_end {
            self.end = End::Nothing;
        }
        if queue.is_flushed() && self.end != End::Proper {
            // The memory is freed, so that an idle connection is small.
            self.queue = None;
        } else {
            queue.discard_flush();
        }
    }
}

impl Queue {
    /// Returns the number of waiting bytes, without their transfer framing.
    fn len(&self) -> usize {
        self.head.len() + self.events.len() + self.pieces_len
    }

    /// This is apart from [`Output::count`] because few queues are counted.
    #[cold]
    fn count(&mut self, own: usize, budget: &Budget) {
        let counted = self
            .counted
            .get_or_insert_with(|| budget.reserve(Holding::Queue));
        counted.resize_rounded(own);
    }

    fn put_piece(&mut self, piece: Piece) {
        let len = piece.as_bytes().len();
        self.pieces_len += len;
        if piece.is_alone() {
            self.alone_len += len;
        }
        match &self.piece {
            None => self.piece = Some(piece),
            Some(_) => self.more_pieces.push_back(piece),
        }
    }

    /// Appends to the last piece, if it is this connection's own and in no flush, or makes another one.
    fn put_after_pieces(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        // The first piece stands before these.
        let is_in_flush = self.more_pieces.len() < self.flush.pieces;
        match self.more_pieces.back_mut() {
            Some(Piece::Own(events)) if !is_in_flush => {
                let before = events.len();
                encode(events);
                self.pieces_len += events.len() - before;
                self.alone_len += events.len() - before;
            }
            _ => {
                let mut events = Vec::new();
                encode(&mut events);
                if !events.is_empty() {
                    self.put_piece(Piece::Own(events));
                }
            }
        }
    }

    fn pieces(&self) -> impl Iterator<Item = &Piece> {
        self.piece.iter().chain(&self.more_pieces)
    }

    fn pop_piece(&mut self) -> Option<Piece> {
        let next = self.more_pieces.pop_front();
        let piece = mem::replace(&mut self.piece, next)?;
        self.pieces_len -= piece.as_bytes().len();
        Some(piece)
    }

    fn poll_transmit<'a>(
        &'a mut self,
        transmit: &mut Transmit<'a>,
        delimiting: Delimiting,
        end: End,
    ) {
        if self.flush.sent == 0 {
            self.begin_flush(delimiting, end);
        }
        let flush = &self.flush;
        let mut skip = flush.sent;
        transmit.push(&self.head, &mut skip);
        if flush.is_shared_chunk {
            let chunk = self.piece.as_ref().and_then(Piece::as_chunk);
            return transmit.push(chunk.unwrap_or_default(), &mut skip);
        }
        transmit.push(flush.size_line(), &mut skip);
        transmit.push(self.events.get(..flush.events).unwrap_or(&[]), &mut skip);
        for piece in self.pieces().take(flush.pieces) {
            transmit.push(piece.as_bytes(), &mut skip);
        }
        transmit.push(flush.tail, &mut skip);
    }

    /// Returns the chunk, if the queue is one shared piece that is a chunk already.
    fn lone_chunk(&self, delimiting: Delimiting, end: End) -> Option<&[u8]> {
        let is_alone = self.events.is_empty() && self.more_pieces.is_empty();
        if !is_alone || delimiting != Delimiting::Chunks || end == End::Proper {
            return None;
        }
        self.piece.as_ref()?.as_chunk()
    }

    /// Returns the rest of the first piece that is not fully transmitted.
    fn take(&mut self) -> Option<Bytes> {
        // Without framing a flush can be abandoned after any byte.
        let mut sent = mem::take(&mut self.flush).sent;
        loop {
            let mut piece = match self.events.is_empty() {
                false => Bytes::from(mem::take(&mut self.events)),
                true => self.pop_piece()?.into_bytes(),
            };
            if sent < piece.len() {
                return Some(piece.split_off(sent));
            }
            sent -= piece.len();
        }
    }

    /// Puts everything queued into the flush, as one chunk if the body is in chunks; or as much as one
    /// vectored write takes.
    fn begin_flush(&mut self, delimiting: Delimiting, end: End) {
        if let Some(chunk) = self.lone_chunk(delimiting, end) {
            self.flush = Flush {
                pieces: 1,
                len: chunk.len(),
                is_shared_chunk: true,
                ..Flush::default()
            };
            return;
        }
        let all = usize::from(self.piece.is_some()) + self.more_pieces.len();
        let pieces = all.min(Transmit::MOST - SLICES_AROUND);
        let is_all = pieces == all;
        let pieces_len = match is_all {
            true => self.pieces_len,
            false => {
                let taken = self.pieces().take(pieces);
                taken.map(|piece| piece.as_bytes().len()).sum()
            }
        };
        let len = self.events.len() + pieces_len;
        let in_chunks = delimiting == Delimiting::Chunks;
        let has_end = in_chunks && is_all && end == End::Proper;

        let flush = &mut self.flush;
        flush.is_shared_chunk = false;
        flush.size_line = match in_chunks && len > 0 {
            true => Some(ChunkSize::new(len)),
            false => None,
        };
        flush.tail = match (&flush.size_line, has_end) {
            (None, false) => &[],
            (Some(_), false) => CRLF,
            (None, true) => LAST_CHUNK,
            (Some(_), true) => CRLF_AND_LAST_CHUNK,
        };
        flush.has_end = has_end;
        flush.events = self.events.len();
        flush.pieces = pieces;
        flush.len = flush.size_line().len() + len + flush.tail.len();
    }

    /// Records that `n` more bytes are written, and returns whether the whole flush is.
    fn transmitted(&mut self, n: usize) -> bool {
        let total = self.head.len() + self.flush.len;
        self.flush.sent = self.flush.sent.saturating_add(n).min(total);
        self.flush.sent == total
    }

    /// Returns whether everything queued is in the flush.
    fn is_flushed(&self) -> bool {
        self.flush.events == self.events.len()
            && self.flush.pieces == usize::from(self.piece.is_some()) + self.more_pieces.len()
    }

    /// Removes the bytes of the flush, all of which are written.
    fn discard_flush(&mut self) {
        let flush = mem::take(&mut self.flush);
        self.head = Vec::new();
        for _ in 0..flush.pieces {
            self.pop_piece();
        }
        if flush.events == self.events.len() {
            self.events = Vec::new();
        } else {
            self.events.drain(..flush.events);
        }
    }
}

impl Flush {
    fn size_line(&self) -> &[u8] {
        self.size_line.as_ref().map_or(&[], ChunkSize::as_bytes)
    }
}

impl Piece {
    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Shared(shared) => shared.as_bytes(),
            Self::Own(bytes) => bytes,
        }
    }

    /// Returns the chunk as which the piece is shared, if it is.
    #[inline]
    fn as_chunk(&self) -> Option<&[u8]> {
        match self {
            Self::Shared(shared) => shared.as_chunk(),
            Self::Own(_) => None,
        }
    }

    /// Returns whether this is the only handle to the piece, as far as `Bytes` can tell.
    fn is_alone(&self) -> bool {
        match self {
            Self::Shared(shared) => shared.is_alone(),
            Self::Own(_) => true,
        }
    }

    fn into_bytes(self) -> Bytes {
        match self {
            Self::Shared(shared) => shared.into_bytes(),
            Self::Own(bytes) => bytes.into(),
        }
    }
}

const CRLF_AND_LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";
