//! The body of one client's response.

use bytes::Bytes;
use crc32fast::Hasher;

use super::{
    Piece,
    deflate::{Deflate, EMPTY_BLOCK, blocks},
    shared::{Packed, Place},
};

/// The body of one response in the content coding `gzip`, made of shared pieces and of bytes for this
/// client alone.
///
/// Its methods pass what is to be transmitted to `emit`, in order. What they have passed a client can
/// decode at once, to the last byte. Drop it without [`finish`](Self::finish) for a body that breaks off.
/// See the [module](super) for an example.
#[derive(Debug)]
pub struct GzipBody {
    /// The checksum of the plain bytes before `run`.
    crc: u32,
    /// How many they are; the end of the body has no more digits.
    len: u32,
    run: Option<Run>,
    /// The compressor of this client's own.
    own: Option<Box<Deflate>>,
}

/// What the client had of a shared stream without a hole, up to now.
#[derive(Debug)]
struct Run {
    stream: u64,
    start: Place,
    end: Place,
    /// The client has had everything back to the last restart point, and nothing in between.
    is_synced: bool,
}

/// What is to be transmitted next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// Bytes of this body alone.
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

/// A compressed member without a name and a time, of no known system.
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// The last block, which has no bytes.
const LAST_BLOCK: [u8; 5] = [1, 0, 0, 0xff, 0xff];

impl GzipBody {
    /// What the compressor of a body's own takes in memory, in bytes, rounded up: see
    /// [`compress`](Self::compress).
    pub const COMPRESSOR_SIZE: usize = Deflate::SIZE;

    /// Begins a body.
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

    /// Adds a shared piece: its compressed bytes, if the client has had what they refer to, and otherwise
    /// its plain ones in stored blocks.
    ///
    /// Pieces may be left out, come twice or be of several streams.
    pub fn piece(&mut self, piece: &Piece, emit: impl FnMut(Part<'_>)) {
        self.packed(&piece.plain, &piece.packed, emit);
    }

    pub(crate) fn packed(
        &mut self,
        plain: &Bytes,
        packed: &Packed,
        mut emit: impl FnMut(Part<'_>),
    ) {
        if plain.is_empty() {
            return;
        }
        self.own = None;
        let is_next = |run: &Run| run.stream == packed.stream && run.end == packed.start;
        if !self.run.as_ref().is_some_and(is_next) {
            self.end_run();
        }
        let run = self.run.get_or_insert(Run {
            stream: packed.stream,
            start: packed.start,
            end: packed.start,
            is_synced: false,
        });
        run.end = packed.end;
        run.is_synced |= packed.restarts;
        match run.is_synced {
            true => emit(Part::Shared(packed.bytes.clone())),
            false => store_shared(plain, emit),
        }
    }

    /// Adds bytes for this client alone, in stored blocks.
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

    /// Does what [`insert`](Self::insert) does, without copying the bytes.
    pub fn insert_shared(&mut self, plain: &Bytes, emit: impl FnMut(Part<'_>)) {
        if plain.is_empty() {
            return;
        }
        self.own = None;
        self.count(plain);
        store_shared(plain, emit);
    }

    /// Adds bytes for this client alone, by a compressor of its own, which is made when it is needed and
    /// takes [`COMPRESSOR_SIZE`](Self::COMPRESSOR_SIZE) bytes until it is [released](Self::release), or
    /// bytes are added in another way.
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

    /// Returns whether it has a compressor of its own now.
    #[must_use]
    pub fn has_compressor(&self) -> bool {
        self.own.is_some()
    }

    /// Frees the memory of the compressor of its own. What is compressed later refers to nothing before.
    pub fn release(&mut self) {
        self.own = None;
    }

    /// Has the client receive something, and decode nothing.
    pub fn keep_alive(&mut self, mut emit: impl FnMut(Part<'_>)) {
        emit(Part::Own(&EMPTY_BLOCK));
    }

    /// Ends the body, with the checksum of its plain bytes.
    pub fn finish(mut self, mut emit: impl FnMut(Part<'_>)) {
        self.end_run();
        emit(Part::Own(&LAST_BLOCK));
        emit(Part::Own(&self.crc.to_le_bytes()));
        emit(Part::Own(&self.len.to_le_bytes()));
    }

    /// Takes note of bytes of this client's own. They are between those of the shared stream from now on.
    fn count(&mut self, plain: &[u8]) {
        self.end_run();
        let mut crc = Hasher::new_with_initial(self.crc);
        crc.update(plain);
        self.crc = crc.finalize();
        // The rest of the length modulo 2^32 is what is asked for.
        self.len = self.len.wrapping_add(plain.len() as u32);
    }

    fn end_run(&mut self) {
        let Some(Run { start, end, .. }) = self.run.take() else {
            return;
        };
        let len = end.len.saturating_sub(start.len);
        if len > 0 {
            // The checksum of the whole is that of what lies before, moved on by the length, and that of
            // what lies behind. The latter is the end's, without the start's, moved on as far.
            let mut before = Hasher::new_with_initial(self.crc ^ start.crc);
            before.combine(&Hasher::new_with_initial_len(end.crc, len));
            self.crc = before.finalize();
        }
        self.len = self.len.wrapping_add(len as u32);
    }
}

/// Stored blocks of bytes that are not copied.
fn store_shared(plain: &Bytes, mut emit: impl FnMut(Part<'_>)) {
    for (head, block) in blocks(plain) {
        emit(Part::Own(&head));
        emit(Part::Shared(plain.slice_ref(block)));
    }
}
