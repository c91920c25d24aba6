//! The compressor that many clients share, and its output.

use bytes::Bytes;
use crc32fast::Hasher;

use super::deflate::Deflate;
#[cfg(any(feature = "server", feature = "topic"))]
use crate::chunked::Shared;
use crate::sync::unique_number;

/// The number of plain bytes after which a [`SharedDeflate`] sets a restart point, at the next event: 64
/// KiB. A client that joins gets up to this many bytes uncompressed. Compressed bytes refer back by at
/// most half of it.
pub const RESTART_INTERVAL: usize = 64 * 1024;

/// Compresses the events of one source once for all clients.
///
/// It takes about 380 KiB. See the [module](super) for an example.
#[derive(Debug)]
pub struct SharedDeflate {
    stream: u64,
    place: Place,
    since_restart: usize,
    deflate: Deflate,
    /// Empty between two events.
    out: Vec<u8>,
}

/// A position in the plain bytes of a shared stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// The number of bytes before it.
    pub(crate) len: u64,
    /// The checksum of all of them.
    pub(crate) crc: u32,
}

impl Place {
    fn after(self, bytes: &[u8]) -> Self {
        let mut crc = Hasher::new_with_initial(self.crc);
        crc.update(bytes);
        Self {
            len: self.len + bytes.len() as u64,
            crc: crc.finalize(),
        }
    }
}

impl SharedDeflate {
    /// The memory of the compressor in bytes, rounded up.
    #[cfg(feature = "topic")]
    pub(crate) const SIZE: usize = Deflate::SIZE;

    /// Creates a compressor that has compressed nothing yet. Its first piece begins at a restart point.
    #[must_use]
    #[expect(clippy::new_without_default)] // Each compressor is a stream of its own, and takes much memory.
    pub fn new() -> Self {
        Self {
            stream: unique_number(),
            place: Place::default(),
            since_restart: 0,
            deflate: Deflate::new(),
            out: Vec::new(),
        }
    }

    /// Compresses the next events. They must be whole events, because clients join between two pieces. A
    /// piece is at most as long as its plain bytes and five more for each 65,535 of them.
    pub fn compress(&mut self, plain: Bytes) -> Piece {
        let restarts = self.is_restart_due(RESTART_INTERVAL);
        if restarts {
            self.restart();
        }
        let start = self.place;
        let mut compressed = Vec::new();
        self.push(&plain, |bytes| compressed = bytes.to_vec());
        Piece {
            plain,
            compressed: compressed.into(),
            stretch: Stretch {
                stream: self.stream,
                start,
                end: self.place,
                restarts,
            },
        }
    }

    /// Returns whether the next bytes begin with a restart point, with one after every `interval` bytes.
    pub(crate) fn is_restart_due(&self, interval: usize) -> bool {
        self.place.len == 0 || self.since_restart >= interval
    }

    #[cfg(feature = "topic")]
    pub(crate) fn stream(&self) -> u64 {
        self.stream
    }

    #[cfg(feature = "topic")]
    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// Makes this position a restart point.
    pub(crate) fn restart(&mut self) {
        self.since_restart = 0;
        self.deflate.restart();
    }

    /// Compresses these bytes, and lets `take` copy the output.
    pub(crate) fn push(&mut self, plain: &[u8], take: impl FnOnce(&[u8])) {
        /// The memory that is kept for the next event.
        const KEPT: usize = 4096;
        self.place = self.place.after(plain);
        self.since_restart = self.since_restart.saturating_add(plain.len());
        self.out.clear();
        self.deflate.push(plain, &mut self.out);
        take(&self.out);
        if self.out.capacity() > KEPT {
            self.out = Vec::new();
        }
    }
}

/// Events, plain and compressed, from [`SharedDeflate::compress`]. Cloning is cheap, and copies no bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    pub(super) plain: Bytes,
    pub(super) compressed: Bytes,
    pub(super) stretch: Stretch,
}

impl Piece {
    /// Returns the plain bytes.
    #[must_use]
    pub fn plain(&self) -> &Bytes {
        &self.plain
    }

    /// Returns the compressed bytes, for a client that has everything since the last [restart
    /// point](Self::restarts). Another client cannot decode them, and
    /// [`GzipBody::piece`](super::GzipBody::piece) sends it the plain bytes.
    #[must_use]
    pub fn compressed(&self) -> &Bytes {
        &self.compressed
    }

    /// Returns whether the piece begins at a restart point, so that a client needs none of the bytes
    /// before it.
    #[must_use]
    pub fn restarts(&self) -> bool {
        self.stretch.restarts
    }
}

/// The position of a part of a shared stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// The shared stream that it is a part of.
    pub(crate) stream: u64,
    pub(crate) start: Place,
    pub(crate) end: Place,
    /// Whether it begins at a restart point.
    pub(crate) restarts: bool,
}

/// A stretch of a topic's shared stream, compressed.
#[cfg(any(feature = "server", feature = "topic"))]
#[derive(Clone, Debug)]
// Topics make them, and servers read them.
#[cfg_attr(not(all(feature = "server", feature = "topic")), allow(dead_code))]
pub(crate) struct Packed {
    pub(crate) bytes: Shared,
    pub(crate) stretch: Stretch,
}
