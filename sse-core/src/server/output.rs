//! What waits to be written: the response's head, and the events in chunks.
//!
//! Encoded events are kept free of transfer framing. When bytes are asked for, everything queued
//! becomes one chunk, however many events it holds: its size line and its end are put around it
//! in the same vectored write.

use std::mem;

use bytes::Bytes;

use crate::{
    Transmit,
    http::{CRLF, ChunkSize, LAST_CHUNK},
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
    /// More may come.
    Open,
    /// The body ends properly: the last chunk is still to be queued.
    Proper,
    /// Nothing more comes: the body was ended, or broken off.
    Nothing,
}

#[derive(Debug)]
pub(super) struct Output {
    /// The response's head.
    head: Vec<u8>,
    /// Encoded events, of which a flush covers the first ones.
    events: Vec<u8>,
    /// A body that was known from the start.
    whole: Bytes,
    delimiting: Delimiting,
    end: End,
    flush: Flush,
}

/// One chunk on its way out, with what goes before it and after it.
#[derive(Debug, Default)]
struct Flush {
    /// How many bytes of `events` are in this chunk.
    events: usize,
    size_line: Option<ChunkSize>,
    tail: &'static [u8],
    /// How much of head, size line, events, tail and whole body, in this order, is transmitted.
    /// While it is 0 the flush may still grow.
    sent: usize,
}

impl Output {
    pub(super) fn new() -> Self {
        Self {
            head: Vec::new(),
            events: Vec::new(),
            whole: Bytes::new(),
            delimiting: Delimiting::Nothing,
            end: End::Open,
            flush: Flush::default(),
        }
    }

    /// Queues a response's head; what is queued from here on is its body.
    pub(super) fn begin(&mut self, delimiting: Delimiting, head: Vec<u8>) {
        self.head = head;
        self.delimiting = delimiting;
    }

    /// Queues a body that is all there is.
    pub(super) fn put_whole(&mut self, body: Bytes) {
        self.whole = body;
    }

    /// Where to encode events.
    pub(super) fn events(&mut self) -> &mut Vec<u8> {
        &mut self.events
    }

    /// The body is complete.
    pub(super) fn finish(&mut self) {
        self.end = match self.delimiting {
            Delimiting::Chunks => End::Proper,
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

    /// How many bytes wait, without their transfer framing.
    pub(super) fn queued(&self) -> usize {
        self.head.len() + self.events.len() + self.whole.len()
    }

    /// Whether everything is transmitted, the body's end included where it has one.
    pub(super) fn is_empty(&self) -> bool {
        self.queued() == 0 && self.end != End::Proper
    }

    /// Whether the output has ended and nothing of it is left to transmit.
    pub(super) fn is_over(&self) -> bool {
        self.end == End::Nothing && self.is_empty()
    }

    pub(super) fn poll_transmit(&mut self) -> Transmit<'_> {
        if self.flush.sent == 0 {
            self.flush = self.next_flush();
        }
        let size_line = self
            .flush
            .size_line
            .as_ref()
            .map_or(&[][..], ChunkSize::as_bytes);
        let parts = [
            &self.head,
            size_line,
            &self.events[..self.flush.events],
            self.flush.tail,
            &self.whole,
        ];

        Transmit::new(parts, self.flush.sent)
    }

    /// Everything queued, as one chunk where the body goes in chunks.
    fn next_flush(&self) -> Flush {
        let events = self.events.len();
        let in_chunks = self.delimiting == Delimiting::Chunks;
        Flush {
            events,
            size_line: (in_chunks && events > 0).then(|| ChunkSize::new(events)),
            tail: match (in_chunks, events > 0, self.end == End::Proper) {
                (false, ..) | (true, false, false) => &[],
                (true, true, false) => CRLF,
                (true, false, true) => LAST_CHUNK,
                (true, true, true) => CRLF_AND_LAST_CHUNK,
            },
            sent: 0,
        }
    }

    /// Takes note that the first `n` bytes of [`poll_transmit`](Self::poll_transmit) are written.
    pub(super) fn transmitted(&mut self, n: usize) {
        let size_line = self
            .flush
            .size_line
            .as_ref()
            .map_or(0, |line| line.as_bytes().len());
        let total = self.head.len()
            + size_line
            + self.flush.events
            + self.flush.tail.len()
            + self.whole.len();
        self.flush.sent = self.flush.sent.saturating_add(n).min(total);
        if self.flush.sent < total {
            return;
        }
        let flush = mem::take(&mut self.flush);
        // Buffers are given back, so that an idle connection is small.
        self.head = Vec::new();
        self.whole = Bytes::new();
        if flush.events == self.events.len() {
            self.events = Vec::new();
        } else {
            self.events.drain(..flush.events);
        }
        if flush.tail.ends_with(LAST_CHUNK) {
            self.end = End::Nothing;
        }
    }
}

const CRLF_AND_LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";
