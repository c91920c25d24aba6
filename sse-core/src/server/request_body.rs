//! The request's body as it arrives: without its framing, and bounded.

use std::{fmt, mem};

use ::http::{HeaderMap, StatusCode, Version, header};
use bytes::Bytes;

use super::ResponseConfig;
use crate::{
    budget::{Holding, Reservation},
    http::{
        BodyError, BodyLength, BodyPart, BodyReader, Framing, RequestHead, collect, grown_capacity,
    },
};

/// Collects a body. It does so as soon as the head is complete, whether the application has asked for the
/// body or not, because its first bytes often come with the head.
#[derive(Debug)]
pub(super) struct RequestBody {
    reader: BodyReader,
    collected: Vec<u8>,
    /// The largest possible length of the body: never more than the limit.
    most: usize,
    limit: usize,
    state: BodyProgress,
    /// Whether the client waits to be told that the body is wanted.
    waits: bool,
    /// The reservation in the budget; `None` where there is no body.
    counted: Option<Reservation>,
}

/// The progress of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyProgress {
    Pending,
    Complete,
    /// The body cannot be served.
    Faulty(Fault),
}

/// Why a body cannot be served. Its text may be sent to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The body has more than this many bytes: 413.
    TooLarge(usize),
    /// The budget has no room for the body: 503.
    OverBudget,
    /// The framing of the body is invalid: 400, or 431 for too many trailers.
    Framing(BodyError),
}

impl Fault {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::OverBudget => StatusCode::SERVICE_UNAVAILABLE,
            Self::Framing(BodyError::TrailersTooLong) => {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            Self::Framing(_) => StatusCode::BAD_REQUEST,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(limit) => write!(
                f,
                "The request body is too large: this server takes up to {limit} bytes."
            ),
            Self::OverBudget => {
                f.write_str("The server has no memory left for request bodies. Try again later.")
            }
            Self::Framing(error) => write!(f, "The request is malformed: {error}."),
        }
    }
}

impl RequestBody {
    /// Creates the body that `head` announces.
    pub(super) fn of(head: &RequestHead, config: &ResponseConfig) -> Self {
        if head.body() == BodyLength::None {
            return Self::none();
        }
        let request = head.request();
        let waits = request.version() == Version::HTTP_11 && expects_continue(request.headers());
        Self {
            waits,
            counted: Some(config.budget.reserve(Holding::Body)),
            ..Self::new(head.body(), config.body_limit)
        }
    }

    /// Creates the body that `head` announces, where a foreign server removes its framing and reports its
    /// end.
    pub(super) fn unframed(head: &RequestHead, config: &ResponseConfig) -> Self {
        let announced = Self::of(head, config);
        match announced.state {
            BodyProgress::Faulty(_) | BodyProgress::Complete => announced,
            BodyProgress::Pending => Self {
                reader: BodyReader::new(Framing::CloseDelimited),
                most: config.body_limit,
                waits: false,
                ..announced
            },
        }
    }

    /// Creates the body of a request that has none.
    pub(super) fn none() -> Self {
        Self::new(BodyLength::None, 0)
    }

    fn new(length: BodyLength, limit: usize) -> Self {
        let (framing, most) = match length {
            BodyLength::None => (Framing::NoBody, Some(0)),
            BodyLength::Exact(length) => {
                let fits = usize::try_from(length).ok().filter(|&n| n <= limit);
                (Framing::ContentLength(length), fits)
            }
            BodyLength::Chunked => (Framing::Chunked, Some(limit)),
        };
        let mut body = Self {
            reader: BodyReader::new(framing),
            collected: Vec::new(),
            most: most.unwrap_or_default(),
            limit,
            state: match most {
                Some(_) => BodyProgress::Pending,
                None => BodyProgress::Faulty(Fault::TooLarge(limit)),
            },
            waits: false,
            counted: None,
        };
        // An empty body is complete before any byte arrives.
        body.receive(&mut &[][..]);
        body
    }

    pub(super) fn progress(&self) -> BodyProgress {
        self.state
    }

    /// Returns whether to tell the client to send the body. That is so at most once, and never if the
    /// client has begun to send it.
    pub(super) fn take_wait(&mut self) -> bool {
        mem::take(&mut self.waits) && self.state == BodyProgress::Pending
    }

    /// Takes the bytes of the body off the front of `input`.
    pub(super) fn receive(&mut self, input: &mut &[u8]) {
        if !input.is_empty() {
            self.waits = false;
        }
        while self.state == BodyProgress::Pending {
            match self.reader.read(input) {
                Ok(BodyPart::More) => return,
                Ok(BodyPart::Data(data)) => self.collect(data),
                Ok(BodyPart::End) => self.state = BodyProgress::Complete,
                Err(error) => self.fail(Fault::Framing(error)),
            }
        }
    }

    /// Records that the foreign server reported the end.
    pub(super) fn end(&mut self) {
        if self.state == BodyProgress::Pending {
            self.state = BodyProgress::Complete;
        }
    }

    /// Returns the collected bytes.
    pub(super) fn into_bytes(self) -> Bytes {
        match self.counted {
            Some(counted) => counted.hold(self.collected),
            None => self.collected.into(),
        }
    }

    fn collect(&mut self, data: &[u8]) {
        let needed = self.collected.len().saturating_add(data.len());
        if needed > self.most {
            return self.fail(Fault::TooLarge(self.limit));
        }
        let capacity = grown_capacity(&self.collected, data.len(), self.most);
        let counted = self.counted.as_mut();
        if counted.is_some_and(|counted| !counted.try_grow(capacity)) {
            return self.fail(Fault::OverBudget);
        }
        collect(&mut self.collected, data, self.most);
    }

    fn fail(&mut self, fault: Fault) {
        self.state = BodyProgress::Faulty(fault);
        self.collected = Vec::new();
        self.counted = None;
    }
}

/// Returns whether the client waits for a 100 before it sends the body ([RFC 9110 section
/// 10.1.1](https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1)). There are no other expectations;
/// unknown ones are ignored.
fn expects_continue(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::EXPECT).iter();
    values.any(|value| {
        let mut members = value.as_bytes().split(|&byte| byte == b',');
        members.any(|member| member.trim_ascii().eq_ignore_ascii_case(b"100-continue"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 10_000;

    /// Receives this body in steps of `step` bytes, and checks the memory at each of them.
    fn received(length: BodyLength, wire: &[u8], step: usize) -> RequestBody {
        let mut body = RequestBody::new(length, LIMIT);
        assert_eq!(body.collected.capacity(), 0, "announced is not received");
        let mut so_far = 0;
        for mut piece in wire.chunks(step) {
            so_far += piece.len();
            body.receive(&mut piece);
            let capacity = body.collected.capacity();
            assert!(capacity <= LIMIT.min(so_far * 2), "{capacity} for {so_far}");
        }
        body
    }

    #[test]
    fn memory_is_taken_as_bytes_come_and_never_beyond_the_limit() {
        let whole = [b'x'; LIMIT];
        let chunks = [b"2710\r\n", &whole[..], b"\r\n0\r\n\r\n"].concat();
        for step in [1, 7, 4096, LIMIT] {
            let body = received(BodyLength::Exact(LIMIT as u64), &whole, step);
            assert_eq!(body.progress(), BodyProgress::Complete);
            let body = received(BodyLength::Chunked, &chunks, step);
            assert_eq!(body.progress(), BodyProgress::Complete);
            assert_eq!(body.into_bytes(), &whole[..]);
        }
    }

    #[test]
    fn memory_is_given_back_where_the_body_is_faulty() {
        let too_many = [b"2711\r\n", &[b'x'; LIMIT + 1][..]].concat();
        for (wire, fault) in [
            (&too_many[..], Fault::TooLarge(LIMIT)),
            (b"3\r\nabcd", Fault::Framing(BodyError::ChunkEnd)),
        ] {
            let body = received(BodyLength::Chunked, wire, 7);
            assert_eq!(body.progress(), BodyProgress::Faulty(fault));
            assert_eq!(body.collected.capacity(), 0);
        }
    }
}
