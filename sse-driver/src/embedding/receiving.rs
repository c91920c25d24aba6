//! A request's body, as somebody else's server has it.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::{Pin, pin},
};

use ::http::StatusCode;
use bytes::{Buf, Bytes};

use sse_core::http::collect;

/// The whole body, once it is there.
pub(super) type Receiving = Pin<Box<dyn Future<Output = Result<Bytes, Fault>> + Send>>;

/// Why there is none. Its text is fit to be sent back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It has more than this many bytes.
    TooLarge(usize),
    /// The server says that it failed: the client broke it off, as a rule.
    Broken,
}

impl Fault {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Broken => StatusCode::BAD_REQUEST,
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
            Self::Broken => f.write_str("The request body could not be received in full."),
        }
    }
}

/// Receives up to so many bytes. Trailers are thrown away.
pub(super) fn receive<B>(body: B, limit: usize) -> Receiving
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
{
    Box::pin(async move {
        let mut body = pin!(body);
        if body.size_hint().lower() > limit as u64 {
            return Err(Fault::TooLarge(limit));
        }
        let mut received = Vec::new();
        while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
            let Ok(mut data) = frame.map_err(|_| Fault::Broken)?.into_data() else {
                continue;
            };
            if data.remaining() > limit - received.len() {
                return Err(Fault::TooLarge(limit));
            }
            while data.has_remaining() {
                let chunk = data.chunk();
                let len = chunk.len();
                collect(&mut received, chunk, limit);
                data.advance(len);
            }
        }
        Ok(received.into())
    })
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        task::{Context, Poll, Waker},
    };

    use http_body::Frame;

    use super::*;

    /// So many pieces of 100 bytes.
    struct Pieces(usize);

    impl http_body::Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let left = self.0.checked_sub(1);
            self.0 = left.unwrap_or_default();
            Poll::Ready(left.map(|_| Ok(Frame::data(Bytes::from_static(&[b'x'; 100])))))
        }
    }

    #[test]
    fn memory_never_goes_beyond_the_limit() {
        for (pieces, limit) in [(1, 1_000), (9, 1_000), (10, 1_000), (10, usize::MAX)] {
            let mut receiving = receive(Pieces(pieces), limit);
            let mut cx = Context::from_waker(Waker::noop());
            let Poll::Ready(Ok(bytes)) = receiving.as_mut().poll(&mut cx) else {
                panic!("it is all there");
            };
            assert_eq!(bytes.len(), pieces * 100);
            let capacity = bytes.try_into_mut().unwrap().capacity();
            assert!(capacity <= limit, "{capacity} of {limit}");
        }
    }
}
