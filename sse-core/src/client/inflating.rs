//! A compressed body on its way to the decoder of events.

use super::ClientEvent;
use crate::{
    Decoder,
    gzip::{GzipDecoder, GzipError},
};

/// What decompresses a body, and a little of what it became.
#[derive(Debug)]
pub(super) struct Inflating {
    pub(super) gzip: GzipDecoder,
    /// Not all of it is decoded into events yet: not what is from `start` on.
    pub(super) plain: Vec<u8>,
    start: usize,
}

impl Inflating {
    pub(super) fn new(max_expansion: u32) -> Self {
        Self {
            gzip: GzipDecoder::new(max_expansion),
            plain: Vec::new(),
            start: 0,
        }
    }

    /// How many bytes are not decoded yet.
    pub(super) fn len(&self) -> usize {
        self.plain.len().saturating_sub(self.start)
    }

    /// The next of what was decompressed.
    pub(super) fn next(&mut self, decoder: &mut Decoder) -> Option<ClientEvent> {
        let mut part = self.plain.get(self.start..).unwrap_or_default();
        let event = ClientEvent::next(decoder, &mut part);
        self.start = self.plain.len() - part.len();
        event
    }

    /// Decompresses some of `input`, in place of what was decoded. Says whether there may be more without
    /// more input.
    pub(super) fn inflate(&mut self, input: &mut &[u8]) -> Result<bool, GzipError> {
        self.plain.clear();
        self.start = 0;
        self.gzip.decode(input, &mut self.plain)
    }
}
