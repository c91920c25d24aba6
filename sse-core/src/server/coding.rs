//! The content coding of a stream.

use ::http::{HeaderMap, HeaderValue, header};

use super::output::Output;
use crate::{
    EncodedEvents,
    budget::{Budget, Holding, Reservation},
    gzip::{GzipBody, Part},
};

/// How the stream of a response is compressed for clients that take the content coding `gzip`.
///
/// The body of the others is plain, and so is that of HTTP/1.0 and of a response that has a
/// `content-encoding` of its own. Over TLS, read about BREACH in the [module](crate::gzip#over-tls) first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StreamCompression {
    /// Not at all.
    #[default]
    Off,
    /// By the topics that [compress](crate::topic::TopicConfig::compress) what they publish, once for all
    /// clients. What else the stream has is in the body as it is: this is for a stream of one topic.
    Shared,
    /// By a compressor of this stream's own, which takes
    /// [`COMPRESSOR_SIZE`](GzipBody::COMPRESSOR_SIZE) bytes of the
    /// [budget](super::ResponseConfig::budget). It is freed when the stream is idle, at a keep-alive.
    /// Where the budget has no room for it, events are in the body as they are.
    Own,
}

impl StreamCompression {
    /// Adds the fields of a response whose body may be compressed. Says whether it is to be.
    pub(super) fn add_fields(self, headers: &mut HeaderMap, accepts_gzip: bool) -> bool {
        if self == Self::Off || headers.contains_key(header::CONTENT_ENCODING) {
            return false;
        }
        // These fail beyond 24,576 fields, which no client would take.
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
    /// What the compressor of its own counts for, while there is one.
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

    /// Adds bytes of this stream alone.
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
        let plain = events.shared.clone().into_bytes();
        match &events.packed {
            Some(packed) if !self.is_own => self.body.packed(&plain, packed, into(output)),
            _ => self.body.insert_shared(&plain, into(output)),
        }
    }

    /// Has a compressor of its own, where there is to be one and the budget has room for it.
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

    /// Adds what tells the client that the stream is open, and no bytes of it.
    pub(super) fn keep_alive(&mut self, output: &mut Output) {
        self.body.keep_alive(into(output));
    }

    /// Frees the compressor of its own.
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
