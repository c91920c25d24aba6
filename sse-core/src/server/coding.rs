//! The content coding of a stream.

use ::http::{HeaderMap, HeaderValue, header};

use super::output::Output;
use crate::{
    EncodedEvents,
    budget::{Budget, Holding, Reservation},
    gzip::{GzipBody, Part, store_shared},
};

/// How the stream of a response is compressed for clients that accept the content coding `gzip`.
///
/// Other clients get a plain body, and so do HTTP/1.0 clients and responses that have a
/// `content-encoding` already. Over TLS, read about BREACH in the [module](crate::gzip#over-tls) first.
///
/// ```
/// use sse_core::server::{StreamCompression, StreamOptions};
///
/// let mut options = StreamOptions::default();
/// options.compression = StreamCompression::Own;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StreamCompression {
    /// The stream is not compressed.
    #[default]
    Off,
    /// Topics that [compress](crate::topic::TopicConfig::compress) their events do so once for all
    /// clients. Anything else in the stream is sent uncompressed. This is for a stream of one topic.
    Shared,
    /// A compressor for this stream compresses it, and takes
    /// [`COMPRESSOR_SIZE`](GzipBody::COMPRESSOR_SIZE) bytes of the
    /// [budget](super::ResponseConfig::budget). It is freed when the stream is idle, at a keep-alive.
    /// While the budget has no room for it, events are sent uncompressed.
    Own,
}

impl StreamCompression {
    /// Adds the fields of a response whose body may be compressed. Returns whether it is.
    pub(super) fn add_fields(self, headers: &mut HeaderMap, accepts_gzip: bool) -> bool {
        if self == Self::Off || headers.contains_key(header::CONTENT_ENCODING) {
            return false;
        }
        // These calls fail beyond 24,576 fields, which no client would accept.
        let vary = HeaderValue::from_static("accept-encoding");
        let _ = headers.try_append(header::VARY, vary);
        let gzip = HeaderValue::from_static("gzip");
        accepts_gzip && headers.try_insert(header::CONTENT_ENCODING, gzip).is_ok()
    }
}

/// The body of a stream in the content coding `gzip`.
#[derive(Debug)]
pub(super) struct Coding {
    body: GzipBody,
    is_own: bool,
    /// The reservation for the stream's own compressor, while there is one.
    counted: Option<Reservation>,
}

impl Coding {
    /// Begins the body.
    pub(super) fn begin(compression: StreamCompression, output: &mut Output) -> Self {
        Self {
            body: GzipBody::begin(into(output)),
            is_own: compression == StreamCompression::Own,
            counted: None,
        }
    }

    /// Adds bytes of this stream only.
    pub(super) fn put(&mut self, plain: &[u8], budget: &Budget, output: &mut Output) {
        match self.has_own(budget) {
            true => self.body.compress(plain, into(output)),
            false => self.body.insert(plain, into(output)),
        }
    }

    /// Adds events of a topic.
    pub(super) fn put_encoded(
        &mut self,
        events: &EncodedEvents,
        budget: &Budget,
        output: &mut Output,
    ) {
        if self.has_own(budget) {
            return self.body.compress(events.as_bytes(), into(output));
        }
        if events.shared.is_empty() {
            return;
        }
        let plain = || events.shared.clone().into_bytes();
        match &events.packed {
            Some(packed) if !self.is_own => match self.body.follow(&packed.stretch) {
                // As one chunk, where the topic made it for all subscribers.
                true => output.put_shared(packed.bytes.clone()),
                false => store_shared(&plain(), into(output)),
            },
            _ => self.body.insert_shared(&plain(), into(output)),
        }
    }

    /// Makes a compressor for this stream, if it should have one and the budget has room. Returns whether
    /// there is one.
    fn has_own(&mut self, budget: &Budget) -> bool {
        if !self.is_own || self.counted.is_some() {
            return self.is_own;
        }
        let mut counted = budget.reserve(Holding::Queue);
        let has_room = counted.try_grow(GzipBody::COMPRESSOR_SIZE);
        if has_room {
            self.counted = Some(counted);
        }
        has_room
    }

    /// Adds bytes that tell the client that the stream is open, and that decode to nothing.
    pub(super) fn keep_alive(&mut self, output: &mut Output) {
        self.body.keep_alive(into(output));
    }

    /// Frees the stream's own compressor.
    pub(super) fn release(&mut self) {
        self.body.release();
        self.counted = None;
    }

    /// Ends the body.
    pub(super) fn finish(self, output: &mut Output) {
        self.body.finish(into(output));
    }
}

fn into(output: &mut Output) -> impl FnMut(Part<'_>) {
    |part| match part {
        Part::Own(bytes) => output.put(|buffer| buffer.extend_from_slice(bytes)),
        Part::Shared(bytes) => output.put_shared(bytes.into()),
    }
}
