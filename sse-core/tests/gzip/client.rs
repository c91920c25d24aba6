//! A client that decodes everything at once, and knows the expected bytes.
//!
//! The fuzz target `gzip` uses this file as well.

use std::io::Read;

use flate2::{Decompress, FlushDecompress};
use sse_core::gzip::{GzipBody, Part, Piece};

/// The bytes in front of the blocks.
const HEAD: usize = 10;

pub(crate) struct Client {
    body: Option<GzipBody>,
    /// The received bytes, and their plain bytes.
    wire: Vec<u8>,
    plain: Vec<u8>,
    /// The number of bytes of `wire` that are decoded, and the output.
    fed: usize,
    decoded: Vec<u8>,
    /// The number of output bytes that are checked.
    compared: usize,
    inflate: Decompress,
}

impl Client {
    pub(crate) fn new() -> Self {
        let mut wire = Vec::new();
        let body = GzipBody::begin(|part| wire.extend_from_slice(part.as_bytes()));
        Self {
            body: Some(body),
            wire,
            plain: Vec::new(),
            fed: HEAD,
            decoded: Vec::new(),
            compared: 0,
            inflate: Decompress::new(false),
        }
    }

    fn with(&mut self, plain: &[u8], call: impl FnOnce(&mut GzipBody, &mut dyn FnMut(Part<'_>))) {
        let Some(body) = &mut self.body else { return };
        let wire = &mut self.wire;
        call(body, &mut |part| wire.extend_from_slice(part.as_bytes()));
        self.plain.extend_from_slice(plain);
        self.check();
    }

    pub(crate) fn piece(&mut self, piece: &Piece) {
        self.with(piece.plain(), |body, emit| body.piece(piece, emit));
    }

    pub(crate) fn insert(&mut self, plain: &[u8]) {
        self.with(plain, |body, emit| body.insert(plain, emit));
    }

    pub(crate) fn insert_shared(&mut self, plain: &[u8]) {
        let bytes = plain.to_vec().into();
        self.with(plain, |body, emit| body.insert_shared(&bytes, emit));
    }

    pub(crate) fn compress(&mut self, plain: &[u8]) {
        self.with(plain, |body, emit| body.compress(plain, emit));
    }

    pub(crate) fn release(&mut self) {
        self.with(b"", |body, _| body.release());
    }

    pub(crate) fn keep_alive(&mut self) {
        let before = self.wire.len();
        self.with(b"", |body, emit| body.keep_alive(emit));
        assert!(self.body.is_none() || self.wire.len() > before);
    }

    #[allow(dead_code)] // the fuzz target does not ask
    pub(crate) fn plain(&self) -> &[u8] {
        &self.plain
    }

    pub(crate) fn wire(&self) -> &[u8] {
        &self.wire
    }

    /// Decodes the new bytes, and checks that all plain bytes are there.
    fn check(&mut self) {
        loop {
            let input = &self.wire[self.fed..];
            let before = (self.inflate.total_in(), self.inflate.total_out());
            self.decoded.reserve(4096);
            self.inflate
                .decompress_vec(input, &mut self.decoded, FlushDecompress::Sync)
                .expect("valid blocks");
            self.fed += (self.inflate.total_in() - before.0) as usize;
            if self.inflate.total_out() == before.1 && self.fed == self.wire.len() {
                break;
            }
        }
        let len = self.decoded.len();
        assert!(
            len == self.plain.len() && self.decoded[self.compared..] == self.plain[self.compared..],
            "each event can be decoded as soon as it is sent"
        );
        self.compared = len;
    }

    /// Ends the body, which an independent decoder accepts with its checksum and its length. Without its
    /// end, it does not.
    pub(crate) fn finish(&mut self) {
        let Some(body) = self.body.take() else { return };
        let wire = &mut self.wire;
        let open = wire.len();
        body.finish(|part| wire.extend_from_slice(part.as_bytes()));
        assert_eq!(decode(wire).expect("a valid body"), self.plain);
        for cut in [open, open + 5, wire.len() - 1] {
            decode(&wire[..cut]).expect_err("a body that breaks off has no end");
        }
    }
}

fn decode(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(body).read_to_end(&mut plain)?;
    Ok(plain)
}
