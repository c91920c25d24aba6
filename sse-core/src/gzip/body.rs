//! The body of one client's response.

use bytes::Bytes;
use crc32fast::Hasher;

use super::{
    Piece,
    deflate::{Deflate, EMPTY_BLOCK, blocks},
    shared::{Place, Stretch},
};

/// The body of one response in the content coding `gzip`, made of shared pieces and of bytes for this
/// client only.
///
/// Its methods pass the bytes to transmit to `emit`, in order. A client can decode all of them at once,
/// to the last byte. For a body that breaks off, drop it without [`finish`](Self::finish). See the
/// [module](super) for an example.
#[derive(Debug)]
pub struct GzipBody {
    /// The checksum of the plain bytes before `run`.
    crc: u32,
    /// The number of those bytes, modulo 2^32, as the end of the body has it.
    len: u32,
    run: Option<Run>,
    /// The compressor of this client.
    own: Option<Box<Deflate>>,
}

/// The part of a shared stream that the client has received without a gap, up to now.
#[derive(Debug)]
struct Run {
    stream: u64,
    start: Place,
    end: Place,
    /// Whether the client has everything since the last restart point, and nothing in between.
    is_synced: bool,
}

/// A part of the body, to be transmitted next. The parts follow each other without anything in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// Bytes of this body only.
    Own(&'a [u8]),
    /// Bytes that are shared with other bodies.
    Shared(Bytes),
}

impl Part<'_> {
    /// Returns the bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

/// The head of a compressed member without a name and a time, of an unknown system.
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// The last block, which has no bytes.
const LAST_BLOCK: [u8; 5] = [1, 0, 0, 0xff, 0xff];

impl GzipBody {
    /// The memory of a body's own compressor in bytes, rounded up: see [`compress`](Self::compress).
    pub const COMPRESSOR_SIZE: usize = Deflate::SIZE;

    /// Begins a body, with the head of ten bytes of the gzip format ([RFC 1952 section
    /// 2.3](https://www.rfc-editor.org/rfc/rfc1952#section-2.3)).
    #[must_use]
    pub fn begin(mut emit: impl FnMut(Part<'_>)) -> Self {
        emit(Part::Own(&HEAD));
        Self {
            crc: 0,
            len: 0,
            run: None,
            own: None,
        }
    }

    /// Adds a shared piece: its compressed bytes, if the client has received the bytes that they refer
    /// to, and otherwise its plain bytes in stored blocks.
    ///
    /// Pieces may be left out, repeated, or be of several streams.
    pub fn piece(&mut self, piece: &Piece, mut emit: impl FnMut(Part<'_>)) {
        if piece.plain.is_empty() {
            return;
        }
        match self.follow(&piece.stretch) {
            true => emit(Part::Shared(piece.compressed.clone())),
            false => store_shared(&piece.plain, emit),
        }
    }

    /// Takes note of bytes of a shared stream, of which there are some. Says whether the client can decode
    /// them compressed; otherwise it gets the plain ones in stored blocks.
    pub(crate) fn follow(&mut self, stretch: &Stretch) -> bool {
        self.own = None;
        let is_next = |run: &Run| run.stream == stretch.stream && run.end == stretch.start;
        if !self.run.as_ref().is_some_and(is_next) {
            self.end_run();
        }
        let run = self.run.get_or_insert(Run {
            stream: stretch.stream,
            start: stretch.start,
            end: stretch.start,
            is_synced: false,
        });
        run.end = stretch.end;
        run.is_synced |= stretch.restarts;
        run.is_synced
    }

    /// Adds bytes for this client only, uncompressed, in stored blocks of at most 65,535 bytes, each of
    /// which takes five more.
    pub fn insert(&mut self, plain: &[u8], mut emit: impl FnMut(Part<'_>)) {
        if plain.is_empty() {
            return;
        }
        self.own = None;
        self.count(plain);
        for (head, block) in blocks(plain) {
            emit(Part::Own(&head));
            emit(Part::Own(block));
        }
    }

    /// Does the same as [`insert`](Self::insert), without copying the bytes.
    pub fn insert_shared(&mut self, plain: &Bytes, emit: impl FnMut(Part<'_>)) {
        if plain.is_empty() {
            return;
        }
        self.own = None;
        self.count(plain);
        store_shared(plain, emit);
    }

    /// Adds bytes for this client only, by a compressor of its own. The compressor is made when it is
    /// needed, and takes [`COMPRESSOR_SIZE`](Self::COMPRESSOR_SIZE) bytes until it is
    /// [released](Self::release), or until bytes are added in another way.
    pub fn compress(&mut self, plain: &[u8], mut emit: impl FnMut(Part<'_>)) {
        if plain.is_empty() {
            return;
        }
        self.count(plain);
        let own = self.own.get_or_insert_with(|| Box::new(Deflate::new()));
        let mut compressed = Vec::new();
        own.push(plain, &mut compressed);
        emit(Part::Own(&compressed));
    }

    /// Returns whether the body has a compressor of its own now, of
    /// [`COMPRESSOR_SIZE`](Self::COMPRESSOR_SIZE) bytes: see [`compress`](Self::compress).
    #[must_use]
    pub fn has_compressor(&self) -> bool {
        self.own.is_some()
    }

    /// Frees the memory of the body's own compressor. Bytes that are compressed later refer to nothing
    /// before.
    pub fn release(&mut self) {
        self.own = None;
    }

    /// Adds an empty block: the client receives bytes, and decodes nothing. This is the keep-alive of a
    /// compressed body, in which a comment would cost more.
    pub fn keep_alive(&mut self, mut emit: impl FnMut(Part<'_>)) {
        emit(Part::Own(&EMPTY_BLOCK));
    }

    /// Ends the body, with the checksum and the length of its plain bytes, from which the client tells
    /// that nothing is missing.
    pub fn finish(mut self, mut emit: impl FnMut(Part<'_>)) {
        self.end_run();
        emit(Part::Own(&LAST_BLOCK));
        emit(Part::Own(&self.crc.to_le_bytes()));
        emit(Part::Own(&self.len.to_le_bytes()));
    }

    /// Counts bytes for this client only, which now stand between those of the shared stream.
    fn count(&mut self, plain: &[u8]) {
        self.end_run();
        let mut crc = Hasher::new_with_initial(self.crc);
        crc.update(plain);
        self.crc = crc.finalize();
        // The length is wanted modulo 2^32.
        self.len = self.len.wrapping_add(plain.len() as u32);
    }

    fn end_run(&mut self) {
        let Some(Run { start, end, .. }) = self.run.take() else {
            return;
        };
        let len = end.len.saturating_sub(start.len);
        if len > 0 {
            // The checksum of the whole combines that of the bytes before, moved on by the length, with
            // that of the bytes since. The latter is the end's checksum without the start's, moved on as
            // far.
            let mut before = Hasher::new_with_initial(self.crc ^ start.crc);
            before.combine(&Hasher::new_with_initial_len(end.crc, len));
            self.crc = before.finalize();
        }
        self.len = self.len.wrapping_add(len as u32);
    }
}

/// Emits stored blocks of bytes that are not copied.
pub(crate) fn store_shared(plain: &Bytes, mut emit: impl FnMut(Part<'_>)) {
    for (head, block) in blocks(plain) {
        emit(Part::Own(&head));
        emit(Part::Shared(plain.slice_ref(block)));
    }
}
