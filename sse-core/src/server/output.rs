//! What waits to be written: the response's head, and the events in chunks.
//!
//! When bytes are asked for, everything queued
//! becomes one chunk, however many events it holds: its size line and its end are put around it
//! in the same vectored write. Where all of it is one piece that is shared as a chunk already, that
//! chunk is written as it lies, in one slice.
//!
//! What this connection encodes itself is appended to one buffer. What it shares with others is
//! queued by reference behind that, and written from where it lies; what is encoded here after it
//! is a piece of its own. The two kinds are told apart, since another view of what is shared, a
//! compressed one for example, can be shared as well.

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
    /// In chunks, for HTTP/1.1: its end can be told from a loss.
    Chunks,
    /// By `Content-Length`, or by the end of the connection.
    Nothing,
}

/// How the output goes on once the queue is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The body is open: the application may add to it.
    Open,
    /// The application ended the body: the last chunk is still to be queued.
    Proper,
    /// The body is complete, or was aborted: no more bytes are queued.
    Nothing,
}

/// Small while nothing is queued.
#[derive(Debug)]
pub(super) struct Output {
    /// What is queued, and not transmitted in full. There is one while the body's end is queued.
    queue: Option<Box<Queue>>,
    delimiting: Delimiting,
    end: End,
}

#[derive(Debug, Default)]
struct Queue {
    /// The response's head, and an interim response before it.
    head: Vec<u8>,
    /// Events that were encoded here, of which a flush covers the first ones.
    events: Vec<u8>,
    /// What follows them. A flush covers it first.
    piece: Option<Piece>,
    /// What follows that.
    more_pieces: VecDeque<Piece>,
    /// How many bytes the pieces are.
    pieces_len: usize,
    /// How many of them, at most, nothing else holds.
    alone_len: usize,
    flush: Flush,
    /// When the client has taken nothing for too long. `None` where a foreign server finds that out.
    stall: Option<Instant>,
    /// What the budget counts, once a large part of the memory is this connection's own: most
    /// queues are small or shared, and are not counted.
    counted: Option<Reservation>,
}

/// Bytes that are not empty.
#[derive(Debug)]
enum Piece {
    /// Shared with others: events, or a body that was known from the start.
    Shared(Shared),
    /// Encoded here, for this connection alone.
    Own(Vec<u8>),
}

/// One chunk on its way out, with what goes before it and after it.
#[derive(Debug, Default)]
struct Flush {
    /// How many bytes of `events` are in this chunk.
    events: usize,
    /// How many pieces are.
    pieces: usize,
    /// How many bytes there are behind the head: size line, events, pieces and tail.
    len: usize,
    size_line: Option<ChunkSize>,
    /// The only piece is a chunk already, and goes out as that.
    is_shared_chunk: bool,
    tail: &'static [u8],
    /// The body's end is in the tail.
    has_end: bool,
    /// How much of head, size line, events, pieces and tail, in this order, is transmitted.
    /// While it is 0 the flush may still grow.
    sent: usize,
}

/// Head, size line, events and tail.
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

    /// Queues a response's head; what is queued from here on is its body.
    pub(super) fn begin(&mut self, delimiting: Delimiting, head: Vec<u8>) {
        // An interim response may be half-way out: it goes first, and in the same flush.
        let queue = self.queue();
        match queue.head.is_empty() {
            true => queue.head = head,
            false => queue.head.extend_from_slice(&head),
        }
        self.delimiting = delimiting;
    }

    /// Queues what is shared: encoded events, or a body that is all there is.
    pub(super) fn put_shared(&mut self, shared: Shared) {
        if !shared.is_empty() {
            self.queue().put_piece(Piece::Shared(shared));
        }
    }

    /// Queues what `encode` puts into a buffer.
    pub(super) fn put(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        let queue = self.queue();
        match &queue.piece {
            None => encode(&mut queue.events),
            // What was queued before goes first.
            Some(_) => queue.put_after_pieces(encode),
        }
    }

    fn queue(&mut self) -> &mut Queue {
        self.queue.get_or_insert_default()
    }

    /// The body is complete.
    pub(super) fn finish(&mut self) {
        self.end = match self.delimiting {
            Delimiting::Chunks => {
                self.queue();
                End::Proper
            }
            Delimiting::Nothing => End::Nothing,
        };
    }

    /// The body breaks off after what is queued: in chunks, the last one never comes.
    pub(super) fn break_off(&mut self) {
        self.end = End::Nothing;
    }

    /// Throws away whatever was not transmitted.
    pub(super) fn clear(&mut self) {
        *self = Self {
            end: End::Nothing,
            ..Self::new()
        };
    }

    /// Has `budget` count the memory that is held here and nowhere else.
    #[inline]
    pub(super) fn count(&mut self, budget: &Budget) {
        let Some(queue) = &mut self.queue else { return };
        queue.alone_len = queue.alone_len.min(queue.pieces_len);
        let own = queue.head.capacity() + queue.events.capacity() + queue.alone_len;
        if own >= Budget::GRANULE || queue.counted.is_some() {
            queue.count(own, budget);
        }
    }

    /// How many bytes wait, without their transfer framing.
    pub(super) fn queued(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.len())
    }

    /// Whether everything is transmitted, the body's end included where it has one.
    pub(super) fn is_empty(&self) -> bool {
        self.queued() == 0 && self.end != End::Proper
    }

    /// Whether the output has ended and nothing of it is left to transmit.
    pub(super) fn is_over(&self) -> bool {
        self.end == End::Nothing && self.is_empty()
    }

    /// When the client has taken nothing of what is queued for too long.
    pub(super) fn stall(&self) -> Option<Instant> {
        self.queue.as_ref()?.stall
    }

    /// Counts the time without progress from now, where something is queued and the time is not
    /// counted already.
    pub(super) fn arm_stall(&mut self, now: Instant, timeout: Duration) {
        if self.is_empty() {
            return;
        }
        if let Some(queue) = &mut self.queue {
            queue.stall = queue.stall.or_else(|| now.checked_add(timeout));
        }
    }

    /// Counts the time without progress anew, where something is still queued.
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

    /// Gives the first piece away, as what is transmitted. For bodies that are not framed here.
    pub(super) fn take(&mut self) -> Option<Bytes> {
        let queue = self.queue.as_mut()?;
        let taken = queue.take();
        if queue.len() == 0 {
            self.queue = None;
        }
        taken
    }

    /// Takes note that the first `n` bytes of [`poll_transmit`](Self::poll_transmit) are written.
    pub(super) fn transmitted(&mut self, n: usize) {
        let Some(queue) = &mut self.queue else { return };
        if !queue.transmitted(n) {
            return;
        }
        if queue.flush.has_end {
            self.end = End::Nothing;
        }
        if queue.is_flushed() && self.end != End::Proper {
            // Memory is given back, so that an idle connection is small.
            self.queue = None;
        } else {
            queue.discard_flush();
        }
    }
}

impl Queue {
    /// How many bytes wait, without their transfer framing.
    fn len(&self) -> usize {
        self.head.len() + self.events.len() + self.pieces_len
    }

    /// Apart from [`Output::count`], since few queues are counted.
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

    /// Appends to the last piece, where that is of this connection alone and in no flush, or else
    /// makes one.
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

    /// What is queued, where it is one shared piece that is a chunk already.
    fn lone_chunk(&self, delimiting: Delimiting, end: End) -> Option<&[u8]> {
        let is_alone = self.events.is_empty() && self.more_pieces.is_empty();
        if !is_alone || delimiting != Delimiting::Chunks || end == End::Proper {
            return None;
        }
        self.piece.as_ref()?.as_chunk()
    }

    /// The rest of the first piece that is not transmitted in full.
    fn take(&mut self) -> Option<Bytes> {
        // Without framing a flush can be left off after any byte.
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

    /// Has the flush be everything queued, as one chunk where the body goes in chunks; or as much of it
    /// as one vectored write takes.
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

    /// Takes note that `n` more bytes are written, and says whether all of the flush is.
    fn transmitted(&mut self, n: usize) -> bool {
        let total = self.head.len() + self.flush.len;
        self.flush.sent = self.flush.sent.saturating_add(n).min(total);
        self.flush.sent == total
    }

    /// Whether everything is in the flush.
    fn is_flushed(&self) -> bool {
        self.flush.events == self.events.len()
            && self.flush.pieces == usize::from(self.piece.is_some()) + self.more_pieces.len()
    }

    /// Everything in the flush is written.
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

    /// The chunk that it is shared as.
    #[inline]
    fn as_chunk(&self) -> Option<&[u8]> {
        match self {
            Self::Shared(shared) => shared.as_chunk(),
            Self::Own(_) => None,
        }
    }

    /// Whether nothing else holds it, as far as can be told.
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
