//! Decompresses a body for the decoder of events.

use crate::{
    gzip::{GzipDecoder, GzipError},
    http::KnownCoding,
};

/// The decoder of a compressed body, and its last output.
#[derive(Debug)]
pub(super) struct Inflating {
    pub(super) gzip: GzipDecoder,
    /// The last output, of which the bytes from `start` on are not decoded into events yet.
    pub(super) plain: Vec<u8>,
    start: usize,
}

impl Inflating {
    pub(super) fn new(coding: KnownCoding, max_expansion: u32) -> Self {
        Self {
            gzip: match coding {
                KnownCoding::Gzip => GzipDecoder::new(max_expansion),
                KnownCoding::Deflate => GzipDecoder::deflate(max_expansion),
            },
            plain: Vec::new(),
            start: 0,
        }
    }

    /// Returns the number of bytes that are not decoded yet.
    pub(super) fn len(&self) -> usize {
        self.plain.len().saturating_sub(self.start)
    }

    /// Returns what `decode` takes off the front of the decompressed bytes.
    pub(super) fn next<T>(&mut self, decode: impl FnOnce(&mut &[u8]) -> Option<T>) -> Option<T> {
        let mut part = self.plain.get(self.start..).unwrap_or_default();
        let item = decode(&mut part);
        self.start = self.plain.len() - part.len();
        item
    }

    /// Decompresses some of `input`, in place of the bytes that are decoded. Returns whether more may
    /// follow without more input.
    pub(super) fn inflate(&mut self, input: &mut &[u8]) -> Result<bool, GzipError> {
        self.plain.clear();
        self.start = 0;
        self.gzip.decode(input, &mut self.plain)
    }
}
